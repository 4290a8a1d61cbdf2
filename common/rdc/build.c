/* SPDX-License-Identifier: Apache-2.0 */
#include "common/rdc/build.h"

#include "common/base/mem.h"
#include "common/rdc/frame.h"
#include "common/rdc/segment.h"

#include <assert.h>
#include <openssl/evp.h>
#include <stdlib.h>

#define BLOCK_SIZE (256u << 10) /* bytes that are hashed and written together */
#define COPY_MIN   (64u << 10)  /* the sink is not asked to copy less */

#define WINDOW_SIZE (8u << 10)

#define REPEATED (RDC_UNKNOWN - 1) /* in place of a seed: the content itself */

/* A stretch of the content: literal bytes of the segment, bytes of a seed, or a repeat. */
struct piece {
    uint64_t target;
    uint64_t length;
    uint32_t seed;   /* RDC_UNKNOWN: literal; REPEATED */
    uint64_t offset; /* in the seed, or in the content */
};

/* Bytes of a seed that were read with some that were wanted: what is copied in small pieces lies
 * close together. */
struct window {
    uint32_t seed;
    uint32_t size;
    uint64_t offset;
    uint8_t bytes[WINDOW_SIZE];
};

struct rdc_build {
    const struct rdc_receive_options *options;
    EVP_MD_CTX *hash;
    struct rdc_unpacker *unpacker;    /* of what was packed against a prefix */
    struct rdc_unpacker *unpacker_on; /* of what goes on */
    enum status sink_status;
    uint64_t literal_bytes;
    uint64_t copied_bytes;
    struct window window;
    uint8_t *block; /* bytes before place.offset that are not yet hashed and written */
    size_t block_size;

    enum rdc_way way;
    unsigned base;
    const struct rdc_plan *plan;
    size_t item_at;
    const struct rdc_slivers *slivers; /* NULL: none were named */
    uint64_t sliver_at;                /* of the item's: after the ones taken */
    struct rdc_place place;            /* place.offset: how much is built */

    /* the segment under way */
    struct rdc_step *steps;
    size_t step_count;
    size_t step_capacity;
    struct piece *pieces;
    size_t piece_count;
    size_t piece_capacity;
    struct rdc_ranges ranges;
    struct buf prefix;
    struct buf literals;
};

struct rdc_build *rdc_build_new(const struct rdc_receive_options *options)
{
    struct rdc_build *b = MEM_NEW(struct rdc_build);

    b->options = options;
    b->hash = EVP_MD_CTX_new();
    b->unpacker = rdc_unpacker_new();
    b->unpacker_on = rdc_unpacker_new();
    b->block = mem_pages(BLOCK_SIZE);
    if (!b->hash)
        abort();
    return b;
}

void rdc_build_free(struct rdc_build *b)
{
    if (!b)
        return;
    EVP_MD_CTX_free(b->hash);
    rdc_unpacker_free(b->unpacker);
    rdc_unpacker_free(b->unpacker_on);
    rdc_ranges_fini(&b->ranges);
    buf_fini(&b->prefix);
    buf_fini(&b->literals);
    free(b->block);
    free(b->steps);
    free(b->pieces);
    free(b);
}

enum status rdc_build_status(const struct rdc_build *b)
{
    return b->sink_status;
}

uint64_t rdc_build_literal_bytes(const struct rdc_build *b)
{
    return b->literal_bytes;
}

uint64_t rdc_build_copied_bytes(const struct rdc_build *b)
{
    return b->copied_bytes;
}

static enum rdc_build_result sink_result(struct rdc_build *b, enum status st)
{
    b->sink_status = st;
    return st == ST_OK ? RDC_BUILD_OK : RDC_BUILD_SINK;
}

enum rdc_build_result rdc_build_begin(struct rdc_build *b, enum rdc_way way, unsigned base,
                                      const struct rdc_plan *plan)
{
    const struct rdc_sink *sink = &b->options->sink;
    bool anew = b->place.offset > 0;

    b->way = way;
    b->base = base;
    b->plan = plan;
    b->item_at = 0;
    b->slivers = NULL;
    b->sliver_at = 0;
    b->place = (struct rdc_place){.size = b->options->size};
    if (way == RDC_WAY_PUSH_BYTES || way == RDC_WAY_PUSH_SIGNATURE)
        b->place.base_size = b->options->seeds[base].content.size;
    b->block_size = 0;
    b->window.size = 0;
    b->literal_bytes = 0;
    b->copied_bytes = 0;
    buf_clear(&b->literals);
    rdc_unpacker_restart(b->unpacker_on);
    if (EVP_DigestInit_ex(b->hash, EVP_sha256(), NULL) != 1)
        abort();
    return anew ? sink_result(b, sink->restart(sink->arg)) : RDC_BUILD_OK;
}

void rdc_build_use_slivers(struct rdc_build *b, const struct rdc_slivers *slivers)
{
    b->slivers = slivers;
}

static void digest(struct rdc_build *b, const uint8_t *data, size_t size)
{
    if (EVP_DigestUpdate(b->hash, data, size) != 1)
        abort();
}

bool rdc_build_proven(struct rdc_build *b)
{
    struct rdc_hash result;

    if (EVP_DigestFinal_ex(b->hash, result.bytes, NULL) != 1)
        abort();
    return b->place.offset == b->options->size &&
           memcmp(result.bytes, b->options->hash.bytes, RDC_HASH_SIZE) == 0;
}

/* Read bytes of a seed, small ones with what follows them. */
static enum status read_seed(struct rdc_build *b, uint32_t seed, uint64_t offset, uint8_t *out,
                             size_t size)
{
    const struct rdc_content *content = &b->options->seeds[seed].content;
    struct window *w = &b->window;

    if (size > WINDOW_SIZE / 4)
        return rdc_content_read(content, offset, out, size);
    if (w->seed != seed || offset < w->offset || offset + size > w->offset + w->size) {
        uint64_t rest = content->size - offset;

        w->seed = seed;
        w->offset = offset;
        w->size = rest < WINDOW_SIZE ? (uint32_t)rest : WINDOW_SIZE;
        enum status st = rdc_content_read(content, offset, w->bytes, w->size);
        if (st != ST_OK) {
            w->size = 0;
            return st;
        }
    }
    memcpy(out, w->bytes + (offset - w->offset), size);
    return ST_OK;
}

static void add_step(struct rdc_build *b, struct rdc_step step)
{
    if (b->step_count == b->step_capacity) {
        b->step_capacity = b->step_capacity * 2 + 64;
        b->steps = mem_resize(b->steps, b->step_capacity, sizeof(*b->steps));
    }
    b->steps[b->step_count++] = step;
}

static void add_piece(struct rdc_build *b, uint64_t *target, uint64_t length, uint32_t seed,
                      uint64_t offset)
{
    if (length == 0)
        return;
    if (b->piece_count == b->piece_capacity) {
        b->piece_capacity = b->piece_capacity * 2 + 64;
        b->pieces = mem_resize(b->pieces, b->piece_capacity, sizeof(*b->pieces));
    }
    b->pieces[b->piece_count++] =
        (struct piece){.target = *target, .length = length, .seed = seed, .offset = offset};
    *target += length;
}

/* Where a push's copy comes from: the base, or beyond it what is built before @target. */
static bool place_copy(const struct rdc_place *place, uint64_t target, struct rdc_step *step)
{
    if (step->copy_length == 0 || step->base_offset < place->base_size)
        return step->copy_length <= place->base_size - step->base_offset;
    step->base_offset -= place->base_size;
    step->repeat = true;
    return step->base_offset < target;
}

/* The script of a push: steps with copies of the base, and repeats. */
static bool read_push_script(struct rdc_build *b, struct span script, uint64_t literal_size)
{
    struct reader r = reader_of(script);
    struct rdc_place place = b->place;
    uint64_t target = place.offset;

    while (reader_ok(&r) && r.rest.size > 0) {
        struct rdc_step step = {.literal_length = reader_varint(&r)};

        step.copy_length = reader_varint(&r);
        if (step.copy_length > 0)
            step.base_offset =
                place.base_offset + step.literal_length + (uint64_t)unzigzag(reader_varint(&r));
        if (!reader_ok(&r) || step.literal_length > literal_size ||
            step.copy_length > place.size - target ||
            step.literal_length > place.size - target - step.copy_length ||
            !place_copy(&place, target + step.literal_length, &step))
            return false;
        literal_size -= step.literal_length;
        add_step(b, step);
        add_piece(b, &target, step.literal_length, RDC_UNKNOWN, 0);
        add_piece(b, &target, step.copy_length, step.repeat ? REPEATED : b->base, step.base_offset);
        rdc_place_advance(&place, &step);
    }
    return reader_ok(&r) && literal_size == 0;
}

/* The plan's copies up to its next literal: how many bytes. */
static bool take_copies(struct rdc_build *b, uint64_t *target, uint64_t *out_length)
{
    uint64_t begin = *target;

    for (; b->item_at < b->plan->items.count; b->item_at++) {
        const struct rdc_item *item = &b->plan->items.items[b->item_at];

        if (item->seed == RDC_UNKNOWN)
            break;
        if (item->length > b->place.size - *target)
            return false;
        add_piece(b, target, item->length, item->seed, item->offset);
    }
    *out_length = *target - begin;
    return true;
}

/* The copies that the plan has next, behind @step's literal. */
static bool add_copies(struct rdc_build *b, uint64_t *target, struct rdc_step step)
{
    if (!take_copies(b, target, &step.copy_length))
        return false;
    if (step.literal_length > 0 || step.copy_length > 0)
        add_step(b, step);
    return true;
}

/* Bytes of a run that are not literals: a repeat of what is built. */
static bool take_repeat(struct rdc_build *b, uint64_t *target, struct rdc_step *step,
                        uint64_t length, uint64_t back)
{
    if (length == 0 || length > b->place.size - *target || back == 0 || back > *target)
        return false;
    step->repeat = true;
    step->copy_length = length;
    step->base_offset = *target - back;
    add_piece(b, target, length, REPEATED, step->base_offset);
    return true;
}

/* … or slivers of the run's gap, @count from @delta behind the expected one on. */
static bool take_slivers(struct rdc_build *b, uint64_t *target, struct rdc_step *step,
                         uint64_t count, int64_t delta)
{
    uint64_t first = b->sliver_at + (step->literal_length > 0) + (uint64_t)delta;
    struct rdc_gap bytes;

    if (!b->slivers || !rdc_slivers_locate(b->slivers, b->item_at, first, count, &bytes))
        return false;
    step->copy_length = (uint64_t)bytes.front.length + bytes.back.length;
    if (step->copy_length > b->place.size - *target)
        return false;
    step->sliver_first = (uint32_t)first;
    step->sliver_count = (uint32_t)count;
    add_piece(b, target, bytes.front.length, bytes.front.seed, bytes.front.offset);
    add_piece(b, target, bytes.back.length, bytes.back.seed, bytes.back.offset);
    b->sliver_at = first + count;
    return true;
}

/* A pull's next literal, what follows it in the run, and when that ends the copies of the plan. */
static bool read_pull_step(struct rdc_build *b, struct reader *r, uint64_t *target,
                           uint64_t *literal_size)
{
    uint64_t head = reader_varint(r);
    enum pull_step kind = (enum pull_step)(head % PULL_STEP_ROOM);
    struct rdc_step step = {.literal_length = head / PULL_STEP_ROOM};
    bool more = kind == PULL_RUN_GOES_ON;

    if (step.literal_length > b->place.size - *target || step.literal_length > *literal_size ||
        (step.literal_length == 0 && kind < PULL_REPEAT))
        return false;
    *literal_size -= step.literal_length;
    add_piece(b, target, step.literal_length, RDC_UNKNOWN, 0);
    if (kind == PULL_REPEAT) {
        uint64_t length = reader_varint(r);
        uint64_t back = reader_varint(r);

        more = length % 2;
        if (!reader_ok(r) || !take_repeat(b, target, &step, length / 2, back))
            return false;
    } else if (kind == PULL_SLIVERS) {
        int64_t delta = unzigzag(reader_varint(r));
        uint64_t count = reader_varint(r);

        more = count % 2;
        if (!reader_ok(r) || !take_slivers(b, target, &step, count / 2, delta))
            return false;
    }
    if (more || kind >= PULL_REPEAT) {
        add_step(b, step);
        step = (struct rdc_step){0};
    }
    if (more)
        return true;
    b->item_at += 1;
    b->sliver_at = 0;
    return add_copies(b, target, step);
}

/* The script of a pull: how long the plan's literals are, what of them are repeats and slivers. */
static bool read_pull_script(struct rdc_build *b, struct span script, uint64_t literal_size)
{
    struct reader r = reader_of(script);
    uint64_t target = b->place.offset;

    if (!add_copies(b, &target, (struct rdc_step){0}))
        return false;
    while (reader_ok(&r) && r.rest.size > 0) {
        if (b->item_at == b->plan->items.count || !read_pull_step(b, &r, &target, &literal_size))
            return false;
    }
    return reader_ok(&r) && literal_size == 0;
}

static bool read_script(struct rdc_build *b, const struct rdc_segment *segment)
{
    uint64_t target = b->place.offset;

    b->step_count = 0;
    b->piece_count = 0;
    switch (b->way) {
    case RDC_WAY_PUSH_BYTES:
    case RDC_WAY_PUSH_SIGNATURE:
        return read_push_script(b, segment->script, segment->literal_size);
    case RDC_WAY_PULL:
        return read_pull_script(b, segment->script, segment->literal_size);
    case RDC_WAY_WHOLE:
        if (segment->script.size > 0 || segment->literal_size > b->place.size - target)
            return false;
        add_piece(b, &target, segment->literal_size, RDC_UNKNOWN, 0);
        return true;
    case RDC_WAY_NONE:
    case RDC_WAY_LOCAL:
        break;
    }
    return false;
}

/* Read content bytes that lie in copies of this segment; @piece_at only moves on. */
static bool read_copied(struct rdc_build *b, size_t *piece_at, struct rdc_range range, uint8_t *out)
{
    while (range.length > 0) {
        const struct piece *piece = &b->pieces[*piece_at];

        if (range.offset >= piece->target + piece->length) {
            *piece_at += 1;
            continue;
        }
        assert(piece->seed < REPEATED && range.offset >= piece->target);
        uint64_t inside = range.offset - piece->target;
        uint64_t length = piece->length - inside;
        if (length > range.length)
            length = range.length;
        if (read_seed(b, piece->seed, piece->offset + inside, out, (size_t)length) != ST_OK)
            return false;
        out += length;
        range.offset += length;
        range.length -= length;
    }
    return true;
}

static bool read_prefix(struct rdc_build *b)
{
    enum rdc_prefix kind = b->way == RDC_WAY_PUSH_BYTES ? RDC_PREFIX_GAP : RDC_PREFIX_CONTEXT;
    size_t piece_at = 0;

    rdc_prefix_ranges(kind, b->steps, b->step_count, b->place,
                      RDC_SEGMENT_PREFIX_MAX - b->prefix.size, &b->ranges);
    for (size_t i = 0; i < b->ranges.count; i++) {
        struct rdc_range range = b->ranges.items[i];
        uint8_t *out = buf_extend(&b->prefix, (size_t)range.length);

        if (kind == RDC_PREFIX_CONTEXT) {
            if (!read_copied(b, &piece_at, range, out))
                return false;
        } else if (rdc_content_read(&b->options->seeds[b->base].content, range.offset, out,
                                    (size_t)range.length) != ST_OK) {
            return false;
        }
    }
    return true;
}

/* The segment's literals, unpacked; the ones before become part of the prefix. */
static enum rdc_build_result unpack(struct rdc_build *b, const struct rdc_segment *segment)
{
    struct span carried = rdc_prefix_carried(buf_span(&b->literals));

    buf_clear(&b->prefix);
    if (segment->packed)
        buf_append(&b->prefix, carried.data, carried.size);
    buf_clear(&b->literals);
    uint8_t *out = buf_extend(&b->literals, segment->literal_size);
    if (!segment->packed && !segment->packed_on) {
        if (segment->literal_size > 0)
            memcpy(out, segment->literals.data, segment->literal_size);
        return RDC_BUILD_OK;
    }
    if (segment->packed_on)
        return rdc_unpack_on(b->unpacker_on, segment->literals, out, segment->literal_size) == ST_OK
                   ? RDC_BUILD_OK
                   : RDC_BUILD_MALFORMED;
    if (!read_prefix(b))
        return RDC_BUILD_WRONG;
    enum status st = rdc_unpack(b->unpacker, buf_span(&b->prefix), segment->literals, out,
                                segment->literal_size);
    if (st == ST_OK)
        return RDC_BUILD_OK;
    /* against a seed that changed, honest literals do not unpack either */
    return RDC_BUILD_WRONG;
}

/* Write what was gathered. */
static enum rdc_build_result flush(struct rdc_build *b)
{
    const struct rdc_sink *sink = &b->options->sink;
    struct span bytes = span_of(b->block, b->block_size);

    if (bytes.size == 0)
        return RDC_BUILD_OK;
    b->block_size = 0;
    digest(b, bytes.data, bytes.size);
    return sink_result(b, sink->write(sink->arg, b->place.offset - bytes.size, bytes));
}

/* Bytes of the literals become the content's next. */
static enum rdc_build_result add_literal(struct rdc_build *b, const uint8_t *data, size_t size)
{
    const struct rdc_sink *sink = &b->options->sink;
    enum rdc_build_result result = RDC_BUILD_OK;

    b->literal_bytes += size;
    if (size > BLOCK_SIZE - b->block_size)
        result = flush(b);
    if (result != RDC_BUILD_OK)
        return result;
    if (size > BLOCK_SIZE) {
        digest(b, data, size);
        result = sink_result(b, sink->write(sink->arg, b->place.offset, span_of(data, size)));
    } else {
        memcpy(b->block + b->block_size, data, size);
        b->block_size += size;
    }
    b->place.offset += size;
    return result;
}

/* The block holds nothing but @size bytes at @offset of a seed: let the sink copy them, if it can.
 */
static enum rdc_build_result copy_block(struct rdc_build *b, uint32_t seed, uint64_t offset)
{
    const struct rdc_sink *sink = &b->options->sink;
    size_t size = b->block_size;
    enum status st = sink->copy(sink->arg, seed, offset, b->place.offset - size, size);

    if (st == ST_AGAIN)
        return RDC_BUILD_OK;
    digest(b, b->block, size);
    b->block_size = 0;
    return sink_result(b, st);
}

/* Bytes of a seed become the content's next. */
static enum rdc_build_result add_copy(struct rdc_build *b, uint32_t seed, uint64_t offset,
                                      uint64_t length)
{
    const struct rdc_content *content = &b->options->seeds[seed].content;
    bool by_sink = b->options->sink.copy && length >= COPY_MIN;
    enum rdc_build_result result = by_sink ? flush(b) : RDC_BUILD_OK;

    while (length > 0 && result == RDC_BUILD_OK) {
        size_t room = BLOCK_SIZE - b->block_size;
        size_t size = length < room ? (size_t)length : room;

        uint8_t *out = b->block + b->block_size;

        /* what the sink copies itself is hashed as it is now */
        if ((by_sink ? rdc_content_read(content, offset, out, size)
                     : read_seed(b, seed, offset, out, size)) != ST_OK)
            return RDC_BUILD_WRONG;
        b->copied_bytes += size;
        b->block_size += size;
        b->place.offset += size;
        if (by_sink && b->block_size == size)
            result = copy_block(b, seed, offset);
        if (result == RDC_BUILD_OK && b->block_size == BLOCK_SIZE)
            result = flush(b);
        offset += size;
        length -= size;
    }
    return result;
}

/* Read what is built already: @size bytes at @offset, of which the last may not be written yet. */
static enum status read_built(struct rdc_build *b, uint64_t offset, uint8_t *out, size_t size)
{
    const struct rdc_sink *sink = &b->options->sink;
    uint64_t written = b->place.offset - b->block_size;
    size_t before = 0;

    assert(offset + size <= b->place.offset);
    if (offset < written) {
        before = written - offset < size ? (size_t)(written - offset) : size;
        enum status st = sink->read(sink->arg, offset, out, before);
        if (st != ST_OK)
            return st;
    }
    if (before < size)
        memcpy(out + before, b->block + (offset + before - written), size - before);
    return ST_OK;
}

/*
 * What stands at @offset of the content becomes its next bytes. A repeat that runs into itself is
 * periodic: what was added of it serves as well, so that each turn adds twice as much.
 */
static enum rdc_build_result add_repeat(struct rdc_build *b, uint64_t offset, uint64_t length)
{
    enum rdc_build_result result = RDC_BUILD_OK;

    while (length > 0 && result == RDC_BUILD_OK) {
        uint64_t known = b->place.offset - offset; /* a multiple of the period */
        size_t room = BLOCK_SIZE - b->block_size;
        size_t size = length < room ? (size_t)length : room;

        if (size > known)
            size = (size_t)known;
        result = sink_result(b, read_built(b, offset, b->block + b->block_size, size));
        if (result != RDC_BUILD_OK)
            return result;
        b->copied_bytes += size;
        b->block_size += size;
        b->place.offset += size;
        length -= size;
        if (size < known)
            offset += size;
        if (b->block_size == BLOCK_SIZE)
            result = flush(b);
    }
    return result;
}

static enum rdc_build_result write_piece(struct rdc_build *b, const struct piece *piece,
                                         size_t *literal_at)
{
    if (piece->seed == REPEATED)
        return add_repeat(b, piece->offset, piece->length);
    if (piece->seed != RDC_UNKNOWN)
        return add_copy(b, piece->seed, piece->offset, piece->length);
    const uint8_t *data = b->literals.data + *literal_at;
    *literal_at += (size_t)piece->length;
    return add_literal(b, data, (size_t)piece->length);
}

static enum rdc_build_result write_pieces(struct rdc_build *b)
{
    enum rdc_build_result result = RDC_BUILD_OK;
    uint64_t base_offset = b->place.base_offset;
    size_t literal_at = 0;

    for (size_t i = 0; i < b->piece_count && result == RDC_BUILD_OK; i++)
        result = write_piece(b, &b->pieces[i], &literal_at);
    if (result == RDC_BUILD_OK)
        result = flush(b);
    for (size_t i = 0; i < b->step_count; i++) {
        struct rdc_place place = {.base_offset = base_offset};

        rdc_place_advance(&place, &b->steps[i]);
        base_offset = place.base_offset;
    }
    b->place.base_offset = base_offset;
    return result;
}

enum rdc_build_result rdc_build_segment(struct rdc_build *b, const struct rdc_segment *segment)
{
    if (!read_script(b, segment))
        return RDC_BUILD_MALFORMED;
    enum rdc_build_result result = unpack(b, segment);
    if (result == RDC_BUILD_OK)
        result = write_pieces(b);
    return result;
}

enum rdc_build_result rdc_build_copies(struct rdc_build *b)
{
    static const struct rdc_segment nothing = {.last = true};

    return rdc_build_segment(b, &nothing);
}
