/* SPDX-License-Identifier: Apache-2.0 */
#include "common/rdc/segment.h"

#include "common/base/mem.h"
#include "common/base/scope.h"

#include <assert.h>
#include <stdlib.h>

#define ZSTD_STATIC_LINKING_ONLY
#include <zstd.h>

#define GAP_SLACK      4096u         /* beyond a literal's own length, when the gap is unclear */
#define GAP_NEAR       (64u << 10)   /* a gap this much longer than four literals is unclear */
#define CONTEXT_MAX    (2u << 10)    /* on either side of a literal */
#define CONTEXT_SHORT  480u          /* a literal shorter than a chunk has twice its length */
#define CARRIED_MAX    (2048u << 10) /* of one segment's literals to the next one's prefix */
#define TABLE_LOG      18            /* of a large segment's match tables; far matches are LDM's */
#define WINDOW_LOG_MIN 10
#define WINDOW_LOG_MAX 24
#define WINDOW_LOG_ON  22 /* of content that travels whole */
#define LEVEL_TRIAL    1
#define TRIAL_SIZE     (64u << 10)
#define PROBE_SIZE     4096u
#define PROBE_STEP     (64u << 10)

static_assert(RDC_SEGMENT_LITERALS_MAX + RDC_SEGMENT_PREFIX_MAX <= 1u << WINDOW_LOG_MAX,
              "a window covers a whole segment");

struct rdc_packer {
    ZSTD_CCtx *zstd;
    ZSTD_CCtx *trial; /* tells noise from what packs */
    int level;
    bool going_on; /* a frame of rdc_pack_on() is open */
};

struct rdc_unpacker {
    ZSTD_DCtx *zstd;
    bool going_on;
};

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

void rdc_place_advance(struct rdc_place *place, const struct rdc_step *step)
{
    place->offset += step->literal_length + step->copy_length;
    if (step->copy_length > 0 && !step->repeat)
        place->base_offset = step->base_offset + step->copy_length;
    else
        place->base_offset += step->literal_length + step->copy_length;
}

void rdc_ranges_fini(struct rdc_ranges *ranges)
{
    free(ranges->items);
    *ranges = (struct rdc_ranges){0};
}

/* Add as much of a stretch as there is room for. */
static void add_range(struct rdc_ranges *ranges, uint64_t offset, uint64_t length, uint64_t *room)
{
    length = least(length, *room);
    if (length == 0)
        return;
    if (ranges->count == ranges->capacity) {
        ranges->capacity = ranges->capacity * 2 + 64;
        ranges->items = mem_resize(ranges->items, ranges->capacity, sizeof(*ranges->items));
    }
    ranges->items[ranges->count++] = (struct rdc_range){.offset = offset, .length = length};
    *room -= length;
}

#define GAP_RANGES_MAX 2u

/* What the base holds where @step's literal now stands: so many ranges. */
static unsigned gap_ranges(const struct rdc_step *step, const struct rdc_place *place,
                           struct rdc_range out_ranges[GAP_RANGES_MAX])
{
    bool at_end = step->copy_length == 0 && place->offset + step->literal_length == place->size;
    bool has_next = (step->copy_length > 0 && !step->repeat) || at_end;
    uint64_t next = at_end ? place->base_size : step->base_offset;
    uint64_t begin = least(place->base_offset, place->base_size);
    uint64_t reach = step->literal_length + GAP_SLACK;

    if (has_next && next >= begin && next - begin <= 4 * step->literal_length + GAP_NEAR) {
        out_ranges[0] = (struct rdc_range){.offset = begin, .length = next - begin};
        return 1;
    }
    out_ranges[0] =
        (struct rdc_range){.offset = begin, .length = least(reach, place->base_size - begin)};
    if (!has_next)
        return 1;
    reach = least(reach, next);
    out_ranges[1] = (struct rdc_range){.offset = next - reach, .length = reach};
    return 2;
}

uint64_t rdc_gap_size(const struct rdc_step *step, const struct rdc_place *place)
{
    struct rdc_range ranges[GAP_RANGES_MAX];
    unsigned count = step->literal_length > 0 ? gap_ranges(step, place, ranges) : 0;
    uint64_t size = 0;

    for (unsigned i = 0; i < count; i++)
        size += ranges[i].length;
    return size;
}

static uint64_t context_of(uint64_t literal_length)
{
    return literal_length < CONTEXT_SHORT ? 2 * literal_length : CONTEXT_MAX;
}

void rdc_prefix_ranges(enum rdc_prefix kind, const struct rdc_step *steps, size_t count,
                       struct rdc_place place, uint64_t room, struct rdc_ranges *ranges)
{
    uint64_t copied = 0; /* bytes before place.offset that are copies and not yet in a range */

    ranges->count = 0;
    for (size_t i = 0; i < count; i++) {
        const struct rdc_step *step = &steps[i];
        uint64_t literal_end = place.offset + step->literal_length;
        uint64_t after = 0;

        if (step->literal_length > 0 && kind == RDC_PREFIX_GAP) {
            struct rdc_range gaps[GAP_RANGES_MAX];
            unsigned gap_count = gap_ranges(step, &place, gaps);

            for (unsigned g = 0; g < gap_count; g++)
                add_range(ranges, gaps[g].offset, gaps[g].length, &room);
        } else if (step->literal_length > 0) {
            uint64_t context = context_of(step->literal_length);
            uint64_t before = least(copied, context);

            add_range(ranges, place.offset - before, before, &room);
            after = step->repeat ? 0 : least(least(step->copy_length, context), room);
            add_range(ranges, literal_end, after, &room);
        }
        copied = (step->literal_length > 0 ? 0 : copied) + step->copy_length - after;
        if (step->repeat)
            copied = 0;
        rdc_place_advance(&place, step);
    }
}

struct span rdc_prefix_carried(struct span literals)
{
    size_t carried = literals.size < CARRIED_MAX ? literals.size : CARRIED_MAX;

    return span_part(literals, literals.size - carried, carried);
}

struct rdc_packer *rdc_packer_new(int level)
{
    struct rdc_packer *p = MEM_NEW(struct rdc_packer);

    p->level = level;
    p->zstd = ZSTD_createCCtx();
    p->trial = ZSTD_createCCtx();
    if (!p->zstd || !p->trial)
        abort();
    return p;
}

void rdc_packer_free(struct rdc_packer *p)
{
    if (!p)
        return;
    ZSTD_freeCCtx(p->zstd);
    ZSTD_freeCCtx(p->trial);
    free(p);
}

void rdc_packer_set_level(struct rdc_packer *p, int level)
{
    p->level = level;
}

/* Are bytes from all over @literals spread evenly? Order-0 entropy above 7.8 bits a byte. */
static bool is_even(struct span literals)
{
    uint32_t counts[256] = {0};
    uint64_t total = 0;

    for (size_t at = 0; at < literals.size; at += PROBE_STEP) {
        struct span probe = span_part(literals, at, PROBE_SIZE);

        for (size_t i = 0; i < probe.size; i++)
            counts[probe.data[i]] += 1;
        total += probe.size;
    }
    if (total < PROBE_SIZE)
        return false;
    /* The sum of squared shares of a flat histogram is 1/256; at 7.8 bits about 1.3 times that.
     * A sample of n bytes adds 1/n by chance. */
    double squares = 0;
    for (unsigned i = 0; i < 256; i++)
        squares += (double)counts[i] * counts[i];
    double share = squares / ((double)total * (double)total) - 1.0 / (double)total;
    return share < 1.3 / 256;
}

static int window_log(size_t size)
{
    int log = WINDOW_LOG_MIN;

    while (log < WINDOW_LOG_MAX && ((size_t)1 << log) < size)
        log += 1;
    return log;
}

static void set(struct rdc_packer *p, ZSTD_cParameter parameter, int value)
{
    size_t result = ZSTD_CCtx_setParameter(p->zstd, parameter, value);

    assert(!ZSTD_isError(result));
}

/* Begin a frame at @level that looks back 2^@log bytes. */
static void begin_frame(struct rdc_packer *p, int level, int log)
{
    ZSTD_CCtx_reset(p->zstd, ZSTD_reset_session_and_parameters);
    set(p, ZSTD_c_compressionLevel, level);
    set(p, ZSTD_c_windowLog, log);
    set(p, ZSTD_c_contentSizeFlag, 0);
    set(p, ZSTD_c_checksumFlag, 0);
    set(p, ZSTD_c_format, ZSTD_f_zstd1_magicless);
}

/* Nothing in it repeats nearby either. */
static bool is_noise(struct rdc_packer *p, struct span literals)
{
    if (!is_even(literals))
        return false;
    struct span trial = span_part(literals, 0, TRIAL_SIZE);
    size_t room = trial.size - trial.size / 64;
    scope_free uint8_t *packed = mem_new(1, room);
    return ZSTD_isError(
        ZSTD_compressCCtx(p->trial, packed, room, trial.data, trial.size, LEVEL_TRIAL));
}

bool rdc_pack(struct rdc_packer *p, struct span prefix, struct span literals, struct buf *out)
{
    if (literals.size == 0 || (prefix.size == 0 && is_noise(p, literals)))
        return false;
    size_t start = out->size;
    /* one byte less than the literals: packing that does not shrink fails, and is not wanted */
    size_t room = literals.size - 1;
    int log = window_log(prefix.size + literals.size);

    /* what looks like noise can only be equal to known bytes: those are found by little work */
    begin_frame(p, is_even(literals) ? LEVEL_TRIAL : p->level, log);
    if (log > TABLE_LOG) {
        set(p, ZSTD_c_hashLog, TABLE_LOG);
        set(p, ZSTD_c_chainLog, TABLE_LOG);
        set(p, ZSTD_c_enableLongDistanceMatching, 1);
    }
    if (prefix.size > 0) {
        size_t result = ZSTD_CCtx_refPrefix(p->zstd, prefix.data, prefix.size);
        assert(!ZSTD_isError(result));
    }
    size_t size =
        ZSTD_compress2(p->zstd, buf_extend(out, room), room, literals.data, literals.size);
    if (ZSTD_isError(size)) {
        out->size = start;
        return false;
    }
    out->size = start + size;
    return true;
}

bool rdc_pack_on(struct rdc_packer *p, struct span literals, uint64_t total, struct buf *out)
{
    if (is_noise(p, literals))
        return false;
    if (!p->going_on)
        begin_frame(p, p->level, window_log(least(total, 1u << WINDOW_LOG_ON)));
    p->going_on = true;
    size_t start = out->size;
    size_t room = RDC_PACKED_ON_SIZE(literals.size);
    ZSTD_inBuffer from = {.src = literals.data, .size = literals.size};
    ZSTD_outBuffer to = {.dst = buf_extend(out, room), .size = room};
    size_t rest = ZSTD_compressStream2(p->zstd, &to, &from, ZSTD_e_flush);
    assert(rest == 0 && from.pos == from.size);
    out->size = start + to.pos;
    return true;
}

struct rdc_unpacker *rdc_unpacker_new(void)
{
    struct rdc_unpacker *u = MEM_NEW(struct rdc_unpacker);

    u->zstd = ZSTD_createDCtx();
    if (!u->zstd)
        abort();
    return u;
}

void rdc_unpacker_free(struct rdc_unpacker *u)
{
    if (!u)
        return;
    ZSTD_freeDCtx(u->zstd);
    free(u);
}

static void begin_reading(struct rdc_unpacker *u, int log_max)
{
    size_t failed = 0;

    ZSTD_DCtx_reset(u->zstd, ZSTD_reset_session_and_parameters);
    failed |= ZSTD_isError(ZSTD_DCtx_setParameter(u->zstd, ZSTD_d_format, ZSTD_f_zstd1_magicless));
    failed |= ZSTD_isError(ZSTD_DCtx_setParameter(u->zstd, ZSTD_d_windowLogMax, log_max));
    assert(!failed);
}

enum status rdc_unpack(struct rdc_unpacker *u, struct span prefix, struct span packed, uint8_t *out,
                       size_t size)
{
    begin_reading(u, WINDOW_LOG_MAX);
    if (prefix.size > 0) {
        size_t result = ZSTD_DCtx_refPrefix(u->zstd, prefix.data, prefix.size);
        assert(!ZSTD_isError(result));
    }
    size_t unpacked = ZSTD_decompressDCtx(u->zstd, out, size, packed.data, packed.size);
    return unpacked == size ? ST_OK : ST_BADDATA;
}

enum status rdc_unpack_on(struct rdc_unpacker *u, struct span packed, uint8_t *out, size_t size)
{
    ZSTD_inBuffer from = {.src = packed.data, .size = packed.size};
    ZSTD_outBuffer to = {.dst = out, .size = size};

    if (!u->going_on)
        begin_reading(u, WINDOW_LOG_ON);
    u->going_on = true;
    while (from.pos < from.size) {
        size_t before = from.pos + to.pos;

        if (ZSTD_isError(ZSTD_decompressStream(u->zstd, &to, &from)) || from.pos + to.pos == before)
            return ST_BADDATA;
    }
    return to.pos == size ? ST_OK : ST_BADDATA;
}

void rdc_unpacker_restart(struct rdc_unpacker *u)
{
    u->going_on = false;
}
