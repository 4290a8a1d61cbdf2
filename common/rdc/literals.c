/* SPDX-License-Identifier: Apache-2.0 */
#include "common/rdc/literals.h"

#include "common/base/mem.h"
#include "common/base/scope.h"
#include "common/rdc/frame.h"
#include "common/rdc/script.h"
#include "common/rdc/segment.h"

#include <assert.h>
#include <stdlib.h>

#define STEPS_MAX        (RDC_SEGMENT_SCRIPT_MAX / 32) /* a step is four LEB128 values */
#define NEAR_SIZE        (8u << 10)                    /* known bytes that are read together */
#define EXTEND_SIZE      512u                          /* bytes compared at a time */
#define PREFIX_TRIAL     4u   /* segments from one look at whether a prefix serves to the next */
#define LEVELS_TRIAL     8u   /* … from one comparison of levels to the next */
#define LEVEL_GAIN       256u /* a level must save this part to be the one from then on */
#define ON_TRIAL_MIN     (512u << 10)
#define ON_GAIN          20u /* what a level must save that takes half as much again in time */
#define PREFIX_TRIAL_MIN (256u << 10) /* a shorter segment is not worth the comparison */
#define PREFIX_GAIN      32u          /* a prefix must save this part */
#define PREFIX_CLEAR     4u           /* what packs to this part needs no comparison */
#define PREFIX_SKIP_MAX  3u
#define SCRIPT_PACK_MIN  64u /* shorter scripts do not pack */

struct steps {
    struct rdc_step *items;
    size_t count;
    size_t capacity;
};

struct rdc_literals {
    struct rdc_literals_options options;
    const struct rdc_kernel *kernel;
    struct rdc_secret secret;
    struct rdc_packer *packer;    /* of what stands alone or against a prefix */
    struct rdc_packer *packer_on; /* of what goes on */
    struct rdc_place place;
    size_t move_at;
    uint32_t move_done; /* chunks of the move under way that were taken */
    uint32_t chunk_at;
    struct rdc_finder *finder; /* NULL: no slivers were named */
    struct rdc_sliver_find *finds;
    uint32_t find_count_max;
    uint64_t sliver_at; /* where the script is among the slivers of a run */
    uint64_t total;
    bool last; /* the segment that was built is the last */
    unsigned segment_count;
    unsigned level_trial; /* segments packed against a prefix */
    unsigned prefix_skip; /* segments that go without a prefix, as it made no difference before */
    unsigned prefix_skipped; /* how many did the last time */

    /* the segment under way */
    struct steps steps;
    struct rdc_ranges ranges;
    uint64_t prefix_wanted; /* bytes that its literals so far would be packed against */
    struct buf prefix;
    uint8_t near[NEAR_SIZE];
    struct buf literals;
    struct buf script;
    struct buf packed;       /* what travels: packed literals, or the literals themselves */
    size_t packed_at;        /* how much of it has gone */
    struct buf packed_alone; /* the literals without the prefix, to compare */
};

struct rdc_literals *rdc_literals_new(const struct rdc_literals_options *options)
{
    struct rdc_literals *l = MEM_NEW(struct rdc_literals);

    l->options = *options;
    l->kernel = rdc_kernel_best();
    rdc_secret_init(&l->secret, options->key.seed);
    l->packer = rdc_packer_new(options->level);
    l->packer_on = rdc_packer_new(options->level_on);
    l->place.size = options->content->size;
    if (options->base_signature)
        l->place.base_size = options->base_signature->size;
    if (options->names) {
        l->finder = rdc_finder_new(options->names, options->key);
        l->find_count_max = rdc_find_count_max(options->names);
        l->finds = mem_new(l->find_count_max, sizeof(*l->finds));
    }
    return l;
}

void rdc_literals_free(struct rdc_literals *l)
{
    if (!l)
        return;
    rdc_packer_free(l->packer);
    rdc_packer_free(l->packer_on);
    rdc_finder_free(l->finder);
    free(l->finds);
    free(l->steps.items);
    rdc_ranges_fini(&l->ranges);
    buf_fini(&l->prefix);
    buf_fini(&l->literals);
    buf_fini(&l->script);
    buf_fini(&l->packed);
    buf_fini(&l->packed_alone);
    free(l);
}

uint64_t rdc_literals_total(const struct rdc_literals *l)
{
    return l->total;
}

static bool is_push(enum rdc_way way)
{
    return way == RDC_WAY_PUSH_BYTES || way == RDC_WAY_PUSH_SIGNATURE;
}

static void add_step(struct rdc_literals *l, struct rdc_step step)
{
    if (l->steps.count == l->steps.capacity) {
        l->steps.capacity = l->steps.capacity * 2 + 64;
        l->steps.items = mem_resize(l->steps.items, l->steps.capacity, sizeof(*l->steps.items));
    }
    l->steps.items[l->steps.count++] = step;
}

/* Read the next chunks of the literal move under way; they must be what was signed. Where slivers
 * are looked for, few at a time. */
static enum status read_chunks(struct rdc_literals *l, uint64_t offset, uint64_t *out_length)
{
    const struct rdc_signature *signature = l->options.signature;
    const struct rdc_move *move = &l->options.moves->items[l->move_at];
    uint32_t first = l->chunk_at;
    size_t room = RDC_SEGMENT_LITERALS_MAX - l->literals.size;
    size_t length = 0;

    if (l->finder && room > RDC_FIND_SIZE_MAX)
        room = RDC_FIND_SIZE_MAX;
    while (l->move_done < move->chunk_count && length + signature->lengths[l->chunk_at] <= room) {
        length += signature->lengths[l->chunk_at++];
        l->move_done += 1;
    }
    uint8_t *place = buf_extend(&l->literals, length);
    enum status st = rdc_content_read(l->options.content, offset, place, length);
    for (uint32_t i = first; i < l->chunk_at && st == ST_OK; i++) {
        uint64_t identity = l->kernel->identity(place, signature->lengths[i], &l->secret);

        place += signature->lengths[i];
        if (identity != signature->identities[i])
            st = ST_BADDATA;
    }
    *out_length = length;
    return st;
}

/* How many bytes of @a and @b agree from the front, or from the back. */
static size_t equal_front(const uint8_t *a, const uint8_t *b, size_t size)
{
    size_t i = 0;

    while (i < size && a[i] == b[i])
        i++;
    return i;
}

static size_t equal_back(const uint8_t *a, const uint8_t *b, size_t size)
{
    size_t i = 0;

    while (i < size && a[size - 1 - i] == b[size - 1 - i])
        i++;
    return i;
}

/* How many bytes of @literal stand in the base from @offset on. */
static enum status extend_front(struct rdc_literals *l, struct span literal, uint64_t offset,
                                size_t *out_size)
{
    uint8_t base[EXTEND_SIZE];
    uint64_t rest = l->place.base_size > offset ? l->place.base_size - offset : 0;
    size_t done = 0;

    *out_size = 0;
    if (rest == 0)
        return ST_OK;
    if (literal.size > rest)
        literal.size = (size_t)rest;
    for (size_t equal = EXTEND_SIZE; equal == EXTEND_SIZE; done += equal) {
        size_t size = literal.size - done < EXTEND_SIZE ? literal.size - done : EXTEND_SIZE;
        enum status st = rdc_content_read(l->options.base, offset + done, base, size);

        if (st != ST_OK)
            return st;
        equal = equal_front(literal.data + done, base, size);
    }
    *out_size = done;
    return ST_OK;
}

/* How many bytes of @literal, from its end, stand in the base before @offset. */
static enum status extend_back(struct rdc_literals *l, struct span literal, uint64_t offset,
                               size_t *out_size)
{
    uint8_t base[EXTEND_SIZE];
    size_t done = 0;

    for (size_t equal = EXTEND_SIZE; equal == EXTEND_SIZE; done += equal) {
        uint64_t rest = literal.size - done < offset - done ? literal.size - done : offset - done;
        size_t size = rest < EXTEND_SIZE ? (size_t)rest : EXTEND_SIZE;
        enum status st = rdc_content_read(l->options.base, offset - done - size, base, size);

        if (st != ST_OK)
            return st;
        equal = equal_back(literal.data + literal.size - done - size, base, size);
    }
    *out_size = done;
    return ST_OK;
}

/*
 * Chunks that differ are often equal at one end: give those bytes to the copies on either side.
 * @step's literal stands at the end of l->literals. *out_front: what the copy before gains.
 */
static enum status extend_copies(struct rdc_literals *l, struct rdc_step *step,
                                 uint64_t base_offset, size_t *out_front)
{
    size_t size = (size_t)step->literal_length;
    uint8_t *data = l->literals.data + l->literals.size - size;
    size_t front = 0;
    size_t back = 0;
    enum status st = extend_front(l, span_of(data, size), base_offset, &front);

    if (st == ST_OK && step->copy_length > 0 && !step->repeat)
        st = extend_back(l, span_of(data + front, size - front), step->base_offset, &back);
    if (st != ST_OK)
        return st;
    memmove(data, data + front, size - front - back);
    l->literals.size -= front + back;
    step->literal_length -= front + back;
    step->copy_length += back;
    step->base_offset -= back;
    *out_front = front;
    return ST_OK;
}

/* Bytes already in the base, from @offset on, come next. */
static void add_copy(struct rdc_literals *l, struct rdc_place *place, uint64_t offset, size_t size)
{
    struct rdc_step *last = l->steps.count > 0 ? &l->steps.items[l->steps.count - 1] : NULL;
    struct rdc_step step = {.copy_length = size, .base_offset = offset};

    if (size == 0)
        return;
    if (last && last->copy_length > 0 && !last->repeat &&
        last->base_offset + last->copy_length == offset)
        last->copy_length += size;
    else
        add_step(l, step);
    rdc_place_advance(place, &step);
}

/* Is a move bytes that the receiver has asked for? */
static bool of_run(const struct rdc_move *move)
{
    return move->base_first == RDC_LITERAL || move->repeat;
}

/* The segment's steps as they travel. */
static void write_script(struct rdc_literals *l)
{
    const struct rdc_moves *moves = l->options.moves;
    bool goes_on = l->move_at < moves->count && of_run(&moves->items[l->move_at]);

    buf_clear(&l->script);
    if (is_push(l->options.way))
        rdc_script_write_push(&l->script, l->steps.items, l->steps.count, l->place);
    else
        rdc_script_write_pull(&l->script, l->steps.items, l->steps.count, l->place, goes_on,
                              &l->sliver_at);
}

/* @step's literal stands at the end of l->literals: slivers that the receiver named leave it, and
 * become steps of their own before it, with the literal bytes before each. */
static void cut_out_slivers(struct rdc_literals *l, struct rdc_place *place, struct rdc_step *step)
{
    size_t size = (size_t)step->literal_length;
    uint8_t *data = l->literals.data + l->literals.size - size;
    uint32_t count = rdc_finder_look(l->finder, span_of(data, size), l->finds);
    size_t kept = 0;
    size_t at = 0;

    for (uint32_t i = 0; i < count; i++) {
        const struct rdc_sliver_find *find = &l->finds[i];
        struct rdc_step part = {.literal_length = find->at - at,
                                .copy_length = find->size,
                                .sliver_first = find->first,
                                .sliver_count = find->count};

        memmove(data + kept, data + at, (size_t)part.literal_length);
        kept += (size_t)part.literal_length;
        at = (size_t)find->at + find->size;
        add_step(l, part);
        rdc_place_advance(place, &part);
    }
    memmove(data + kept, data + at, size - at);
    l->literals.size -= at - kept;
    step->literal_length = size - at;
}

/* Make the move under way, a copy, the rest of @step. */
static void take_copy(struct rdc_literals *l, struct rdc_step *step)
{
    const struct rdc_signature *signature = l->options.signature;
    const struct rdc_move *copy = &l->options.moves->items[l->move_at++];

    for (uint32_t i = 0; i < copy->chunk_count; i++)
        step->copy_length += signature->lengths[l->chunk_at++];
    step->repeat = copy->repeat;
    if (copy->repeat)
        step->base_offset = rdc_signature_offset(signature, copy->base_first);
    else if (l->options.base_signature)
        step->base_offset = rdc_signature_offset(l->options.base_signature, copy->base_first);
}

/* The literal under way, as far as it fits, and the copy after it. */
static enum status take_step(struct rdc_literals *l, struct rdc_place *place)
{
    const struct rdc_moves *moves = l->options.moves;
    const struct rdc_move *move = &moves->items[l->move_at];
    struct rdc_step step = {0};
    bool more = false;

    if (l->finder && l->move_done == 0 && of_run(move) && (l->move_at == 0 || !of_run(move - 1)))
        rdc_finder_next_run(l->finder);
    if (move->base_first == RDC_LITERAL) {
        enum status st = read_chunks(l, place->offset, &step.literal_length);

        if (st != ST_OK)
            return st;
        if (l->finder)
            cut_out_slivers(l, place, &step);
        more = l->move_done < move->chunk_count;
        if (!more) {
            l->move_at += 1;
            l->move_done = 0;
        }
    }
    if (!more && l->move_at < moves->count && moves->items[l->move_at].base_first != RDC_LITERAL)
        take_copy(l, &step);
    if (l->options.way == RDC_WAY_PUSH_BYTES && step.literal_length > 0) {
        uint64_t base_offset = place->base_offset;
        size_t front;
        enum status st = extend_copies(l, &step, base_offset, &front);

        if (st != ST_OK)
            return st;
        add_copy(l, place, base_offset, front);
        l->prefix_wanted += rdc_gap_size(&step, place);
    }
    if (step.literal_length > 0 || step.copy_length > 0)
        add_step(l, step);
    rdc_place_advance(place, &step);
    /* the receiver goes on to what its plan has next as soon as a run ends, in this segment */
    if (step.repeat && l->move_at < moves->count && !of_run(&moves->items[l->move_at])) {
        step = (struct rdc_step){0};
        take_copy(l, &step);
        add_step(l, step);
        rdc_place_advance(place, &step);
    }
    return ST_OK;
}

static enum status take_steps(struct rdc_literals *l, struct rdc_place *place)
{
    enum status st = ST_OK;

    if (l->options.way == RDC_WAY_WHOLE) {
        uint64_t rest = place->size - place->offset;
        size_t size = rest < RDC_SEGMENT_LITERALS_MAX ? (size_t)rest : RDC_SEGMENT_LITERALS_MAX;

        st = rdc_content_read(l->options.content, place->offset, buf_extend(&l->literals, size),
                              size);
        place->offset += size;
        l->last = place->offset == place->size;
        return st;
    }
    size_t longest = rdc_chunk_size_max(l->options.signature->horizon);
    size_t steps = l->find_count_max + 3; /* that one turn may add */

    while (st == ST_OK && l->move_at < l->options.moves->count &&
           l->literals.size + longest <= RDC_SEGMENT_LITERALS_MAX &&
           l->prefix_wanted < RDC_SEGMENT_PREFIX_MAX && l->steps.count + steps <= STEPS_MAX)
        st = take_step(l, place);
    write_script(l);
    l->last = l->move_at == l->options.moves->count;
    return st;
}

/* Append the ranges from the @at-th on that lie within NEAR_SIZE bytes, read at once, to the
 * prefix. *out_count: how many. */
static enum status read_near(struct rdc_literals *l, const struct rdc_content *known, size_t at,
                             size_t *out_count)
{
    const struct rdc_range *first = &l->ranges.items[at];
    uint64_t end = first->offset + first->length;
    size_t count = 1;

    for (; at + count < l->ranges.count; count++) {
        const struct rdc_range *next = first + count;

        if (next->offset < end || next->offset + next->length - first->offset > NEAR_SIZE)
            break;
        end = next->offset + next->length;
    }
    *out_count = count;
    if (count == 1)
        return rdc_content_read(known, first->offset, buf_extend(&l->prefix, (size_t)first->length),
                                (size_t)first->length);
    enum status st = rdc_content_read(known, first->offset, l->near, (size_t)(end - first->offset));
    for (size_t i = 0; i < count && st == ST_OK; i++)
        buf_append(&l->prefix, l->near + (first[i].offset - first->offset),
                   (size_t)first[i].length);
    return st;
}

/* Read what both sides know to resemble the literals. */
static enum status read_prefix(struct rdc_literals *l)
{
    enum rdc_prefix kind =
        l->options.way == RDC_WAY_PUSH_BYTES ? RDC_PREFIX_GAP : RDC_PREFIX_CONTEXT;
    const struct rdc_content *known = kind == RDC_PREFIX_GAP ? l->options.base : l->options.content;

    rdc_prefix_ranges(kind, l->steps.items, l->steps.count, l->place,
                      RDC_SEGMENT_PREFIX_MAX - l->prefix.size, &l->ranges);
    for (size_t i = 0, count = 0; i < l->ranges.count; i += count) {
        enum status st = read_near(l, known, i, &count);

        if (st != ST_OK)
            return st;
    }
    return ST_OK;
}

static bool wants_prefix(const struct rdc_literals *l)
{
    return !l->options.on && l->prefix_skip == 0;
}

static enum status build_segment(struct rdc_literals *l)
{
    struct rdc_place end = l->place;
    struct span carried = rdc_prefix_carried(buf_span(&l->literals));

    buf_clear(&l->prefix);
    if (wants_prefix(l))
        buf_append(&l->prefix, carried.data, carried.size);
    buf_clear(&l->literals);
    buf_clear(&l->script);
    l->steps.count = 0;
    l->prefix_wanted = l->prefix.size;
    enum status st = take_steps(l, &end);
    if (st == ST_OK && wants_prefix(l))
        st = read_prefix(l);
    l->place = end;
    l->total += l->literals.size;
    return st;
}

/*
 * Has the prefix made l->packed smaller than the literals alone would be? A base that the content
 * has nothing to do with only costs time, and some bytes.
 */
static bool prefix_serves(struct rdc_literals *l, bool packed)
{
    struct span literals = buf_span(&l->literals);
    size_t alone = literals.size;

    if (literals.size < PREFIX_TRIAL_MIN)
        return packed;
    if (packed && (l->packed.size < literals.size / PREFIX_CLEAR ||
                   (l->prefix_skipped == 0 && l->segment_count % PREFIX_TRIAL != 0)))
        return true;
    buf_clear(&l->packed_alone);
    if (packed && rdc_pack(l->packer, (struct span){0}, literals, &l->packed_alone))
        alone = l->packed_alone.size;
    return packed && l->packed.size < alone - alone / PREFIX_GAIN;
}

/* Pack anew at @other; whichever is better becomes l->packed and the level. */
static bool pack_at_other(struct rdc_literals *l, bool packed, int *other)
{
    int level = l->options.level;

    rdc_packer_set_level(l->packer, *other);
    buf_clear(&l->packed_alone);
    if (rdc_pack(l->packer, buf_span(&l->prefix), buf_span(&l->literals), &l->packed_alone) &&
        (!packed || l->packed_alone.size < l->packed.size - l->packed.size / LEVEL_GAIN)) {
        struct buf worse = l->packed;

        l->packed = l->packed_alone;
        l->packed_alone = worse;
        l->options.level = *other;
        *other = level;
        return true;
    }
    return packed;
}

/* Pack against the prefix; now and then at all levels that may do best, and until then at the best.
 */
static bool pack_with_prefix(struct rdc_literals *l)
{
    bool packed = rdc_pack(l->packer, buf_span(&l->prefix), buf_span(&l->literals), &l->packed);

    if (l->options.level_others[0] == 0 || l->literals.size < PREFIX_TRIAL_MIN ||
        l->level_trial++ % LEVELS_TRIAL != 0)
        return packed;
    for (unsigned i = 0; i < RDC_LEVEL_OTHERS && l->options.level_others[i] != 0; i++)
        packed = pack_at_other(l, packed, &l->options.level_others[i]);
    rdc_packer_set_level(l->packer, l->options.level);
    return packed;
}

/* Pack without a prefix, as a continuation; all at one level, which the first segment decides. */
static bool pack_on(struct rdc_literals *l)
{
    struct span literals = buf_span(&l->literals);
    uint64_t total = l->options.content->size;
    int other = l->options.level_on_or;

    if (!rdc_pack_on(l->packer_on, literals, total, &l->packed))
        return false;
    l->options.level_on_or = 0;
    if (other == 0 || literals.size < ON_TRIAL_MIN)
        return true;
    struct rdc_packer *packer = rdc_packer_new(other);
    buf_clear(&l->packed_alone);
    if (rdc_pack_on(packer, literals, total, &l->packed_alone) &&
        l->packed_alone.size < l->packed.size - l->packed.size / ON_GAIN) {
        struct rdc_packer *worse = l->packer_on;
        struct buf larger = l->packed;

        l->packed = l->packed_alone;
        l->packed_alone = larger;
        l->packer_on = packer;
        packer = worse;
    }
    rdc_packer_free(packer);
    return true;
}

/* The literals into l->packed; how, as a flag of the segment. */
static uint8_t pack_literals(struct rdc_literals *l)
{
    struct span literals = buf_span(&l->literals);

    if (wants_prefix(l)) {
        if (prefix_serves(l, pack_with_prefix(l))) {
            l->prefix_skipped = 0;
            return SEGMENT_PACKED;
        }
        buf_clear(&l->packed);
        l->prefix_skipped =
            l->prefix_skipped < PREFIX_SKIP_MAX ? l->prefix_skipped * 2 + 1 : PREFIX_SKIP_MAX;
        l->prefix_skip = l->prefix_skipped;
    } else if (l->prefix_skip > 0) {
        l->prefix_skip -= 1;
    }
    if (pack_on(l))
        return SEGMENT_PACKED_ON;
    buf_append(&l->packed, literals.data, literals.size);
    return 0;
}

static void write_segment(struct rdc_literals *l, struct buf *frame)
{
    struct span script = buf_span(&l->script);
    scope(buf) struct buf script_packed = {0};
    uint8_t flags = l->last ? SEGMENT_LAST : 0;

    buf_clear(&l->packed);
    l->packed_at = 0;
    flags |= pack_literals(l);
    l->segment_count += 1;
    if (script.size >= SCRIPT_PACK_MIN &&
        rdc_pack(l->packer, (struct span){0}, script, &script_packed)) {
        script = buf_span(&script_packed);
        flags |= SEGMENT_SCRIPT_PACKED;
    }
    frame_begin(frame, FRAME_SEGMENT);
    write_u8(frame, flags);
    write_varint(frame, l->literals.size);
    write_varint(frame, l->packed.size);
    write_varint(frame, l->script.size);
    write_varint(frame, script.size);
    buf_append(frame, script.data, script.size);
}

enum status rdc_literals_next(struct rdc_literals *l, struct buf *frame, bool *out_more)
{
    if (l->packed_at == l->packed.size) {
        enum status st = build_segment(l);

        if (st != ST_OK)
            return st;
        write_segment(l, frame);
    } else {
        frame_begin(frame, FRAME_PIECE);
    }
    struct span piece =
        span_part(buf_span(&l->packed), l->packed_at, FRAME_WORK_SIZE - frame->size);
    buf_append(frame, piece.data, piece.size);
    l->packed_at += piece.size;
    *out_more = !l->last || l->packed_at < l->packed.size;
    return ST_OK;
}
