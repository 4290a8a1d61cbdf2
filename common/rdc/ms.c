/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FilterMax: byte i starts a chunk when its hash is strictly the greatest within the horizon on
 * either side, or when it is 65535 past the last start. The kernel tells the greatest hash of each
 * block of 64 positions; only a block whose greatest beats those of the blocks around it, as far as
 * they lie within the horizon of all its positions, is looked into.
 *
 * Hashes are four times as long as what they are of: only those that may still be looked at are
 * kept, in a ring, so that they stay in the cache.
 */
#include "common/rdc/ms.h"

#include "common/base/cursor.h"
#include "common/base/mem.h"
#include "common/rdc/kernel.h"
#include "common/rdc/md4.h"
#include "common/rdc/ms_hash.h"

#include <assert.h>
#include <endian.h>
#include <stdlib.h>

#define BLOCK_SIZE  MS_BLOCK_SIZE
#define PIECE_SIZE  (32u << 10)
#define BATCH_SIZE  (256u << 10)
#define BUFFER_SIZE (BATCH_SIZE + RDC_MS_CHUNK_SIZE_MAX + 2 * RDC_MS_HORIZON_MAX + 4 * BLOCK_SIZE)
#define BLOCKS_MAX  (BUFFER_SIZE / BLOCK_SIZE + 1)
#define CHUNKS_MAX  (BUFFER_SIZE / RDC_MS_HORIZON_MIN + BUFFER_SIZE / RDC_MS_CHUNK_SIZE_MAX + 8)
#define REACH_MAX   15u /* blocks on either side that a peak is looked for among */
#define PEAKS       8u  /* blocks looked at together */
#define VERSION_1_1 0x00010001u
#define FILE_TYPE   1u
#define TRAIT_BYTE  7
#define TRAIT_MASK  0x3f

struct scan {
    const struct ms_kernel *kernel;
    const struct rdc_kernel *peaks; /* whose peaks are used */
    struct ms_hash hash;
    uint32_t horizon;
    unsigned reach;
    uint64_t base; /* file offset of bytes[0], a multiple of BLOCK_SIZE */
    size_t filled;
    size_t hashed;  /* blocks, from base on */
    size_t decided; /* blocks, from base on */
    size_t start;   /* of the chunk under way, from base on */
    bool ended;
    struct ms_block *ring; /* block k of the file at [k % ring_size] */
    size_t ring_size;      /* a power of two */
    size_t chunk_count;
    struct span chunks[CHUNKS_MAX];
    struct md4 digests[CHUNKS_MAX];
    /* the greatest hash of block k at [REACH_MAX + k]; zeros before the file and after it */
    uint32_t maxima[REACH_MAX + BLOCKS_MAX + REACH_MAX + PEAKS];
    uint8_t before[RDC_MS_WINDOW_MAX]; /* zeros, before the file; bytes follows */
    uint8_t bytes[BUFFER_SIZE];
};

struct rdc_ms_cut rdc_ms_cut_default(unsigned level)
{
    return level <= 1 ? (struct rdc_ms_cut){.window = 48, .horizon = 1024}
                      : (struct rdc_ms_cut){.window = 2, .horizon = 128};
}

bool rdc_ms_cut_valid(struct rdc_ms_cut cut)
{
    return cut.window >= RDC_MS_WINDOW_MIN && cut.window <= RDC_MS_WINDOW_MAX &&
           cut.horizon >= RDC_MS_HORIZON_MIN && cut.horizon <= RDC_MS_HORIZON_MAX;
}

unsigned rdc_ms_depth(uint64_t size)
{
    double ratio = 18.0 / 1024;
    double expected = (double)size;
    double threshold = 65536;
    unsigned depth = 0;

    while (depth < RDC_MS_DEPTH_MAX && expected > threshold) {
        expected = expected * ratio + RDC_MS_HEADER_SIZE;
        ratio = 18.0 / (2 * 256);
        threshold = 32768;
        depth += 1;
    }
    return depth;
}

static struct ms_block *block_at(const struct scan *s, size_t block)
{
    return &s->ring[(s->base / BLOCK_SIZE + block) & (s->ring_size - 1)];
}

/* Hash what was read: whole blocks, and at the file's end the rest too. */
static void hash_blocks(struct scan *s)
{
    size_t whole = s->filled / BLOCK_SIZE;
    size_t rest = s->filled % BLOCK_SIZE;
    uint32_t *maxima = s->maxima + REACH_MAX;

    while (s->hashed < whole) {
        struct ms_block *place = block_at(s, s->hashed);
        size_t room = (size_t)(s->ring + s->ring_size - place);
        size_t count = whole - s->hashed < room ? whole - s->hashed : room;

        s->kernel->hash_blocks(&s->hash, s->bytes + s->hashed * BLOCK_SIZE, count, place,
                               maxima + s->hashed);
        s->hashed += count;
    }
    if (!s->ended)
        return;
    if (rest > 0) {
        ms_hash_rest(&s->hash, s->bytes + whole * BLOCK_SIZE, rest, block_at(s, whole),
                     maxima + whole);
        s->hashed += 1;
    }
    memset(maxima + s->hashed, 0, (REACH_MAX + PEAKS) * sizeof(*maxima));
}

/* Is any hash of blocks [from, to) at least @value? */
static bool blocks_reach(const struct scan *s, size_t from, size_t to, uint32_t value)
{
    const uint32_t *maxima = s->maxima + REACH_MAX;
    uint32_t greatest = 0;

    for (size_t k = from; k < to; k++)
        greatest = maxima[k] > greatest ? maxima[k] : greatest;
    return from < to && greatest >= value;
}

/* Is any hash of @block's positions among @positions at least @value? */
static bool block_reaches(const struct scan *s, size_t block, uint64_t positions, uint32_t value)
{
    return s->maxima[REACH_MAX + block] >= value &&
           (s->kernel->at_least(block_at(s, block), value) & positions) != 0;
}

/* The block's first position with its greatest hash is @at; are the hashes of all others from @from
 * on and below @to less? A horizon is longer than a block: @from is in an earlier one. */
static bool is_maximum(const struct scan *s, size_t block, size_t at, size_t from, size_t to)
{
    uint32_t value = s->maxima[REACH_MAX + block];
    size_t first = from / BLOCK_SIZE;
    size_t last = (to - 1) / BLOCK_SIZE;
    uint64_t own = s->kernel->at_least(block_at(s, block), value);
    uint64_t from_first = UINT64_MAX << from % BLOCK_SIZE;
    uint64_t to_last = UINT64_MAX >> (BLOCK_SIZE - 1 - (to - 1) % BLOCK_SIZE);

    return own == UINT64_C(1) << at % BLOCK_SIZE && !blocks_reach(s, first + 1, block, value) &&
           !blocks_reach(s, block + 1, last, value) &&
           !block_reaches(s, first, from_first, value) &&
           (last == block || !block_reaches(s, last, to_last, value));
}

/*
 * May the file's last positions hold a maximum although the horizon reaches beyond the end?
 *
 * The specification's rule speaks of positions that exist only, hence yes. Should a file from
 * Windows show otherwise, this is the place.
 */
static bool horizon_may_pass_end(void)
{
    return true;
}

static void add_chunk(struct scan *s, size_t end)
{
    assert(s->chunk_count < CHUNKS_MAX);
    s->chunks[s->chunk_count++] = span_of(s->bytes + s->start, end - s->start);
    s->start = end;
}

/* A chunk ends at @end, after as many forced cuts as that takes. */
static void cut_at(struct scan *s, size_t end)
{
    while (end - s->start > RDC_MS_CHUNK_SIZE_MAX)
        add_chunk(s, s->start + RDC_MS_CHUNK_SIZE_MAX);
    if (end > s->start)
        add_chunk(s, end);
}

/* Cut at the block's greatest hash, should it be a maximum. */
static void consider(struct scan *s, size_t block)
{
    uint32_t value = s->maxima[REACH_MAX + block];
    uint64_t positions = s->kernel->at_least(block_at(s, block), value);
    size_t at = block * BLOCK_SIZE + (size_t)__builtin_ctzll(positions);
    size_t to = at + s->horizon + 1;

    if (s->base + at <= s->horizon || (to > s->filled && !horizon_may_pass_end()))
        return;
    if (is_maximum(s, block, at, at - s->horizon, to < s->filled ? to : s->filled))
        cut_at(s, at);
}

/* Look for maxima in blocks below @limit, whose horizons are hashed as far as they exist. */
static void decide(struct scan *s, size_t limit)
{
    while (s->decided < limit) {
        size_t count = limit - s->decided < PEAKS ? limit - s->decided : PEAKS;
        unsigned found = s->peaks->peaks(s->maxima + REACH_MAX + s->decided, s->reach);

        found &= (1u << count) - 1;
        for (; found; found &= found - 1)
            consider(s, s->decided + (size_t)__builtin_ctz(found));
        s->decided += count;
    }
    size_t end = s->ended ? s->filled : limit * BLOCK_SIZE;
    while (end > s->start && end - s->start > RDC_MS_CHUNK_SIZE_MAX)
        add_chunk(s, s->start + RDC_MS_CHUNK_SIZE_MAX);
}

/* Write what was cut, and make room. */
static void flush_chunks(struct scan *s, struct buf *out)
{
    s->kernel->digests(s->chunks, s->chunk_count, s->digests);
    for (size_t i = 0; i < s->chunk_count; i++) {
        buf_append(out, s->digests[i].bytes, MD4_SIZE);
        write_u16(out, (uint16_t)s->chunks[i].size);
    }
    s->chunk_count = 0;
    size_t horizon = s->horizon / BLOCK_SIZE + 1 + REACH_MAX;
    size_t keep = s->decided > horizon ? s->decided - horizon : 0;
    keep = s->start / BLOCK_SIZE < keep ? s->start / BLOCK_SIZE : keep;
    size_t gone = keep * BLOCK_SIZE;
    if (keep == 0)
        return;
    memmove(s->bytes, s->bytes + gone, s->filled - gone);
    memmove(s->maxima, s->maxima + keep, (REACH_MAX + s->hashed - keep) * sizeof(*s->maxima));
    s->base += gone;
    s->filled -= gone;
    s->hashed -= keep;
    s->decided -= keep;
    s->start -= gone;
}

static struct scan *scan_new(const struct ms_kernel *kernel, struct rdc_ms_cut cut)
{
    struct scan *s = MEM_NEW(struct scan);

    ms_hash_init(&s->hash, cut.window);
    s->kernel = kernel;
    s->peaks = rdc_kernel_best();
    s->horizon = cut.horizon;
    /* the blocks next to one that lie within the horizon of each of its positions */
    s->reach = (cut.horizon + 1) / BLOCK_SIZE - 1;
    s->reach = s->reach < REACH_MAX ? s->reach : REACH_MAX;
    for (s->ring_size = 1;
         s->ring_size * BLOCK_SIZE < 2 * cut.horizon + PIECE_SIZE + 4 * BLOCK_SIZE;)
        s->ring_size *= 2;
    s->ring = mem_pages(s->ring_size * sizeof(*s->ring));
    return s;
}

static void scan_free(struct scan *s)
{
    free(s->ring);
    free(s);
}

static void write_header(struct buf *out)
{
    write_u32(out, RDC_MS_HEADER_SIZE);
    write_u32(out, VERSION_1_1);
    write_u32(out, VERSION_1_1);
    write_u32(out, 0);
    write_u64(out, FILE_TYPE);
}

enum status ms_signature_by(const struct ms_kernel *kernel, const struct rdc_content *content,
                            struct rdc_ms_cut cut, struct buf *out)
{
    assert(rdc_ms_cut_valid(cut));
    struct scan *s = scan_new(kernel, cut);
    size_t begin = out->size;
    enum status st = ST_OK;

    write_header(out);
    for (uint64_t done = 0; done < content->size;) {
        uint64_t rest = content->size - done;
        size_t size = rest < PIECE_SIZE ? (size_t)rest : PIECE_SIZE;

        st = rdc_content_read(content, done, s->bytes + s->filled, size);
        if (st != ST_OK)
            break;
        done += size;
        s->filled += size;
        s->ended = done == content->size;
        hash_blocks(s);
        if (s->ended)
            decide(s, s->hashed);
        else if (s->hashed * BLOCK_SIZE > s->horizon)
            decide(s, (s->hashed * BLOCK_SIZE - s->horizon) / BLOCK_SIZE);
        if (s->ended)
            cut_at(s, s->filled);
        if (s->ended || BUFFER_SIZE - s->filled < PIECE_SIZE)
            flush_chunks(s, out);
    }
    scan_free(s);
    if (st != ST_OK)
        out->size = begin;
    return st;
}

enum status rdc_ms_signature(const struct rdc_content *content, struct rdc_ms_cut cut,
                             struct buf *out)
{
    return ms_signature_by(ms_kernel_best(), content, cut, out);
}

void rdc_ms_hash(uint32_t window, struct span bytes, uint32_t *out)
{
    uint8_t stretch[RDC_MS_WINDOW_MAX + 1] = {0};
    struct ms_hash hash;
    struct ms_block block;
    uint32_t maximum;

    ms_hash_init(&hash, window);
    for (size_t i = 0; i < bytes.size; i++) {
        stretch[RDC_MS_WINDOW_MAX] = bytes.data[i];
        ms_hash_rest(&hash, stretch + RDC_MS_WINDOW_MAX, 1, &block, &maximum);
        out[i] = maximum;
        memmove(stretch, stretch + 1, RDC_MS_WINDOW_MAX);
    }
}

bool rdc_ms_traits(struct span signature, struct rdc_ms_traits *out_traits)
{
    struct md4 least[RDC_MS_TRAIT_COUNT];
    uint8_t message[MD4_SIZE + 1];

    if (signature.size < RDC_MS_HEADER_SIZE ||
        (signature.size - RDC_MS_HEADER_SIZE) % RDC_MS_ENTRY_SIZE != 0)
        return false;
    memset(least, 0xff, sizeof(least));
    for (size_t at = RDC_MS_HEADER_SIZE; at < signature.size; at += RDC_MS_ENTRY_SIZE) {
        memcpy(message, signature.data + at, MD4_SIZE);
        for (unsigned t = 0; t < RDC_MS_TRAIT_COUNT; t++) {
            message[MD4_SIZE] = (uint8_t)(t + 1);
            struct md4 digest = md4_of(span_of(message, sizeof(message)));
            if (memcmp(digest.bytes, least[t].bytes, MD4_SIZE) < 0)
                least[t] = digest;
        }
    }
    for (unsigned t = 0; t < RDC_MS_TRAIT_COUNT; t++)
        out_traits->values[t] = least[t].bytes[TRAIT_BYTE] & TRAIT_MASK;
    return true;
}
