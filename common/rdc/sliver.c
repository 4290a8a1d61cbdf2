/* SPDX-License-Identifier: Apache-2.0 */
#include "common/rdc/sliver.h"

#include "common/base/mem.h"
#include "common/base/scope.h"
#include "common/rdc/frame.h"
#include "common/rdc/segment.h"

#include <assert.h>
#include <endian.h>
#include <stdlib.h>

#define WINDOW          8u /* bytes that a cut depends on */
#define OFFSET_BITS     8u /* of a position in a block */
#define OFFSET_MASK     ((UINT64_C(1) << OFFSET_BITS) - 1)
#define RISK_BITS       8u /* 2^-8: that a name deceives us once in an exchange */
#define REACH_NOISE     32u
#define REACH_USUAL     64u
#define REACH_TEXT      96u
#define EDGE_CHUNKS_MAX 2u /* a longer run between two places is new */
#define GAP_CHUNKS_MAX  80u
#define PROBE_COUNT     64u
#define PROBE_SIZE      1024u
#define PROBE_LEVEL     1

static_assert(RDC_SLIVER_REACH_MAX <= OFFSET_MASK, "a block's positions fit");
static_assert(RDC_GAP_SIZE_MAX <= UINT16_MAX + 1u, "where a sliver begins fits 16 bits");

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* --- cutting ---------------------------------------------------------------------------------*/

/* The greatest hash of some positions, and the first that has it. */
struct peak {
    uint64_t hash;
    uint32_t at;
};

/* The hash at @p above OFFSET_BITS, and there how far it is before the last position of a block: so
 * that of equal hashes the first is the greatest. */
static inline uint64_t hash_at(const uint8_t *p, uint32_t offset)
{
    uint64_t bytes;

    memcpy(&bytes, p, sizeof(bytes));
    bytes = le64toh(bytes) * UINT64_C(0x9e3779b185ebca87);
    return (bytes | OFFSET_MASK) - offset;
}

static inline uint64_t greater(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Of [@from, @to), at least one and at most OFFSET_MASK + 1. */
static struct peak peak_of(const uint8_t *data, uint32_t from, uint32_t to)
{
    uint32_t size = to - from;
    uint64_t best[4] = {0};
    uint32_t i = 0;

    /* no loop waits for the one before */
    for (data += from; i + 4 <= size; i += 4) {
        for (uint32_t k = 0; k < 4; k++)
            best[k] = greater(best[k], hash_at(data + i + k, i + k));
    }
    for (; i < size; i++)
        best[0] = greater(best[0], hash_at(data + i, i));
    uint64_t peak = greater(greater(best[0], best[1]), greater(best[2], best[3]));
    return (struct peak){.hash = peak >> OFFSET_BITS,
                         .at = from + (uint32_t)(OFFSET_MASK - (peak & OFFSET_MASK))};
}

/* Cut at @at, and before where a sliver would be too long. */
static uint32_t add_cut(uint32_t *starts, uint32_t count, uint32_t at, uint32_t longest)
{
    while (at - starts[count - 1] > longest) {
        starts[count] = starts[count - 1] + longest;
        count += 1;
    }
    starts[count] = at;
    return count + 1;
}

/*
 * Positions in blocks of the reach: only a block's peak can be a cut, and most are decided by the
 * peaks of the blocks on either side; those that are greater but out of reach say nothing of the
 * positions that are not.
 */
uint32_t rdc_sliver_cut(struct span bytes, unsigned reach, uint32_t *out_starts)
{
    const uint8_t *data = bytes.data;
    uint32_t size = (uint32_t)bytes.size;
    uint32_t end = size >= WINDOW ? size - WINDOW + 1 : 0; /* of the positions that have a hash */
    uint32_t longest = reach * RDC_SLIVER_REACHES;
    uint32_t count = 1;
    struct peak before = {0};
    struct peak peak = {0};

    if (size == 0)
        return 0;
    out_starts[0] = 0;
    if (end > 0)
        peak = peak_of(data, 0, (uint32_t)least(reach, end));
    for (uint32_t from = 0; from < end; from += reach) {
        uint32_t to = (uint32_t)least(from + reach, end);
        uint32_t right = (uint32_t)least(peak.at + reach + 1, end);
        struct peak after = {0};

        if (to < end)
            after = peak_of(data, to, (uint32_t)least(to + reach, end));
        bool out = (before.hash >= peak.hash && peak.at - before.at <= reach) |
                   (after.hash > peak.hash && after.at - peak.at <= reach) | (peak.at < reach / 2);
        if (!out &&
            (before.hash < peak.hash || peak_of(data, peak.at - reach, from).hash < peak.hash) &&
            (after.hash <= peak.hash || peak_of(data, to, right).hash <= peak.hash))
            count = add_cut(out_starts, count, peak.at, longest);
        before = peak;
        peak = after;
    }
    count = add_cut(out_starts, count, size, longest);
    return count - 1;
}

/* --- the receiver's gaps ---------------------------------------------------------------------*/

static uint64_t mean_chunk(const struct rdc_signature *signature)
{
    return signature->size / signature->chunk_count + 1;
}

/* What takes the place of the plan's unknown item @index. */
static struct rdc_gap gap_of(const struct rdc_slivers *slivers, size_t index)
{
    const struct rdc_items *items = &slivers->plan->items;
    const struct rdc_item *run = &items->items[index];
    const struct rdc_item *before = index > 0 ? run - 1 : NULL;
    const struct rdc_item *after = index + 1 < items->count ? run + 1 : NULL;
    struct rdc_gap gap = {0};

    if ((!before && !after) || run->length > GAP_CHUNKS_MAX)
        return gap;
    /* where the content begins or ends, the gap is what the seed begins or ends with */
    gap.front.seed = before ? before->seed : after->seed;
    gap.back.seed = after ? after->seed : before->seed;
    gap.front.offset = before ? before->offset + before->length : 0;
    uint64_t end = after ? after->offset : slivers->seeds[gap.back.seed].content.size;
    uint64_t chunk = mean_chunk(slivers->plan->seeds[gap.front.seed].signature);
    if (gap.front.seed == gap.back.seed && gap.front.offset <= end &&
        end - gap.front.offset <= least(RDC_GAP_SIZE_MAX, (run->length + 2) * 4 * chunk)) {
        gap.front.length = (uint32_t)(end - gap.front.offset);
        return gap;
    }
    if (run->length > EDGE_CHUNKS_MAX)
        return (struct rdc_gap){0};
    uint64_t rest = slivers->seeds[gap.front.seed].content.size - gap.front.offset;
    uint64_t edge = least(run->length * chunk, RDC_GAP_SIZE_MAX / 2);
    gap.front.length = before ? (uint32_t)least(edge, rest) : 0;
    gap.back.length = after ? (uint32_t)least(edge, end) : 0;
    gap.back.offset = end - gap.back.length;
    return gap;
}

/* How small some bytes of the gaps pack: to one part of so many. */
static size_t probe_packing(const struct rdc_slivers *slivers)
{
    const struct rdc_items *items = &slivers->plan->items;
    scope(buf) struct buf some = {0};
    scope(buf) struct buf packed = {0};
    size_t step = items->count / PROBE_COUNT + 1;

    for (size_t i = 0; i < items->count; i += step) {
        size_t run = items->items[i].seed == RDC_UNKNOWN || i + 1 == items->count ? i : i + 1;
        struct rdc_gap gap = {0};
        size_t before = some.size;

        if (items->items[run].seed == RDC_UNKNOWN)
            gap = gap_of(slivers, run);
        uint32_t size = (uint32_t)least(gap.front.length, PROBE_SIZE);
        if (rdc_content_read(&slivers->seeds[gap.front.seed].content, gap.front.offset,
                             buf_extend(&some, size), size) != ST_OK)
            some.size = before;
    }
    struct rdc_packer *packer = rdc_packer_new(PROBE_LEVEL);
    bool smaller = rdc_pack(packer, (struct span){0}, buf_span(&some), &packed);
    rdc_packer_free(packer);
    return smaller ? some.size / packed.size : 1;
}

static unsigned bits_of(uint64_t count)
{
    return count ? 64 - (unsigned)__builtin_clzll(count) : 0;
}

bool rdc_slivers_init(struct rdc_slivers *slivers, const struct rdc_plan *plan,
                      const struct rdc_seed *seeds)
{
    uint64_t pairs = 0; /* a name and a sliver that are compared */

    *slivers = (struct rdc_slivers){.plan = plan, .seeds = seeds};
    size_t packing = probe_packing(slivers);
    slivers->reach = packing >= 3 ? REACH_TEXT : packing >= 2 ? REACH_USUAL : REACH_NOISE;
    for (size_t i = 0; i < plan->items.count; i++) {
        if (plan->items.items[i].seed != RDC_UNKNOWN)
            continue;
        struct rdc_gap gap = gap_of(slivers, i);
        uint64_t count = (gap.front.length + gap.back.length) / (2 * slivers->reach);

        pairs += count * count;
    }
    slivers->width = bits_of(pairs) + RISK_BITS;
    return pairs > 0 && slivers->width <= RDC_SLIVER_WIDTH_MAX;
}

void rdc_slivers_fini(struct rdc_slivers *slivers)
{
    free(slivers->starts);
    free(slivers->gaps);
    *slivers = (struct rdc_slivers){0};
}

/* --- names on their way ----------------------------------------------------------------------*/

#define NAMED_SIZE_MAX (RDC_GAP_COUNT_MAX * RDC_SLIVER_WIDTH_MAX / 8 + 10) /* a gap in a frame */

/* Where a gap is read and cut. */
struct scratch {
    struct rdc_secret secret;
    const struct rdc_kernel *kernel;
    uint8_t *bytes;
    uint32_t *starts;
    uint64_t *names;
    uint32_t count; /* of the gap under way */
};

/* The slivers of a stretch that begins @before bytes behind the gap's begin. */
static void name_stretch(struct rdc_slivers *slivers, const struct rdc_stretch *stretch,
                         uint32_t before, struct scratch *x)
{
    const struct rdc_content *content = &slivers->seeds[stretch->seed].content;

    if (rdc_content_read(content, stretch->offset, x->bytes, stretch->length) != ST_OK)
        return;
    uint32_t count = rdc_sliver_cut(span_of(x->bytes, stretch->length), slivers->reach, x->starts);
    x->starts[count] = stretch->length;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = x->starts[i];

        x->names[x->count++] =
            x->kernel->identity(x->bytes + at, x->starts[i + 1] - at, &x->secret);
        if (slivers->count == slivers->capacity) {
            slivers->capacity = slivers->capacity + slivers->capacity / 2 + 1024;
            slivers->starts = mem_resize(slivers->starts, slivers->capacity, sizeof(uint16_t));
        }
        slivers->starts[slivers->count++] = (uint16_t)(before + at);
    }
}

static void write_gap(struct rdc_slivers *slivers, size_t item, struct scratch *x,
                      struct buf *frame)
{
    struct rdc_gap gap = gap_of(slivers, item);

    if (slivers->gap_count == slivers->gap_capacity) {
        slivers->gap_capacity = slivers->gap_capacity + slivers->gap_capacity / 2 + 64;
        slivers->gaps = mem_resize(slivers->gaps, slivers->gap_capacity, sizeof(*slivers->gaps));
    }
    slivers->gaps[slivers->gap_count++] =
        (struct rdc_named_gap){.item = (uint32_t)item, .first = (uint32_t)slivers->count};
    x->count = 0;
    name_stretch(slivers, &gap.front, 0, x);
    name_stretch(slivers, &gap.back, gap.front.length, x);
    write_varint(frame, x->count);
    write_names(frame, x->names, x->count, slivers->width);
}

bool rdc_slivers_write(struct rdc_slivers *slivers, struct rdc_key key, struct buf *frame)
{
    const struct rdc_items *items = &slivers->plan->items;
    scope_free uint8_t *bytes = mem_new(1, RDC_GAP_SIZE_MAX);
    scope_free uint32_t *starts = mem_new(RDC_GAP_COUNT_MAX + 1, sizeof(*starts));
    scope_free uint64_t *names = mem_new(RDC_GAP_COUNT_MAX, sizeof(*names));
    struct scratch x = {.bytes = bytes, .starts = starts, .names = names};
    size_t before = frame->size;

    x.kernel = rdc_kernel_best();
    rdc_secret_init(&x.secret, key.seed);
    for (; slivers->item_at < items->count; slivers->item_at++) {
        if (items->items[slivers->item_at].seed != RDC_UNKNOWN)
            continue;
        if (slivers->written + frame->size - before + NAMED_SIZE_MAX > RDC_SLIVERS_BYTES_MAX)
            return true;
        if (frame->size + NAMED_SIZE_MAX > FRAME_WORK_SIZE) {
            slivers->written += frame->size - before;
            return false;
        }
        write_gap(slivers, slivers->item_at, &x, frame);
    }
    return true;
}

/* --- where they are --------------------------------------------------------------------------*/

/* Bytes [@begin, @end) of a gap that lie in a stretch which begins @before bytes behind it. */
static struct rdc_stretch part_of(const struct rdc_stretch *stretch, uint32_t before,
                                  uint32_t begin, uint32_t end)
{
    struct rdc_stretch part = {.seed = stretch->seed, .offset = stretch->offset};
    uint32_t from = begin > before ? begin - before : 0;
    uint32_t to = end > before ? end - before : 0;

    if (to > stretch->length)
        to = stretch->length;
    if (from < to) {
        part.offset += from;
        part.length = to - from;
    }
    return part;
}

/* The gap of @item among those that were named, or NULL. */
static const struct rdc_named_gap *find_gap(const struct rdc_slivers *slivers, size_t item)
{
    size_t low = 0;
    size_t high = slivers->gap_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (slivers->gaps[middle].item < item)
            low = middle + 1;
        else
            high = middle;
    }
    return low < slivers->gap_count && slivers->gaps[low].item == item ? &slivers->gaps[low] : NULL;
}

bool rdc_slivers_locate(const struct rdc_slivers *slivers, size_t item, uint64_t first,
                        uint64_t count, struct rdc_gap *out_bytes)
{
    const struct rdc_named_gap *named = find_gap(slivers, item);

    if (!named || count == 0)
        return false;
    size_t index = (size_t)(named - slivers->gaps);
    size_t end = index + 1 < slivers->gap_count ? named[1].first : slivers->count;
    if (first >= end - named->first || count > end - named->first - first)
        return false;
    struct rdc_gap gap = gap_of(slivers, item);
    uint32_t from = slivers->starts[named->first + first];
    uint32_t to = named->first + first + count == end
                      ? gap.front.length + gap.back.length
                      : slivers->starts[named->first + first + count];
    out_bytes->front = part_of(&gap.front, 0, from, to);
    out_bytes->back = part_of(&gap.back, gap.front.length, from, to);
    return true;
}
