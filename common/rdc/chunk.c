/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cutter works in tiles that stay in the second-level cache, with room for what else is there:
 * the greatest hash of each block of 128 positions comes first, then local maxima are found among
 * those block maxima, and only the few blocks that hold one are hashed again to find where. With
 * w = h/128, block k can hold a cut only if its maximum beats the w-1 blocks on either side, which
 * lie within h of any of its positions; the blocks k-w and k+w lie partly within h and are looked
 * into only when their maximum could still beat it.
 */
#include "common/rdc/chunk.h"

#include "common/base/mem.h"

#include <assert.h>
#include <stdlib.h>

#define TILE_SIZE   (64u << 10)
#define REACH_MAX   (RDC_HORIZON_MAX / RDC_BLOCK_SIZE)
#define LANES       8u
#define BUFFER_SIZE (TILE_SIZE + 16 * RDC_HORIZON_MAX + 4 * RDC_HORIZON_MAX)
#define BLOCKS_MAX  (BUFFER_SIZE / RDC_BLOCK_SIZE + 1)
#define MAXIMA_SIZE (REACH_MAX + BLOCKS_MAX + REACH_MAX + LANES)
#define CUTS_MAX    (BLOCKS_MAX + 1)

static_assert(TILE_SIZE % RDC_BLOCK_SIZE == 0, "tiles hold whole blocks");

struct rdc_cutter {
    const struct rdc_kernel *kernel;
    uint32_t horizon;
    uint32_t reach;   /* horizon in blocks */
    uint64_t base;    /* stream offset of buffer[0], a multiple of RDC_BLOCK_SIZE */
    size_t filled;    /* bytes in buffer */
    size_t hashed;    /* blocks whose maximum is known, from base on */
    size_t decided;   /* blocks that were looked at for cuts, from base on */
    size_t start;     /* where the chunk under way begins, from base on */
    size_t cut_count; /* local maxima found and not yet passed, from base on, ascending */
    size_t cut_next;
    bool ended;
    bool at_maximum; /* the last chunk ended at a local maximum */
    size_t cuts[CUTS_MAX];
    uint32_t maxima[MAXIMA_SIZE]; /* block k at [REACH_MAX + k]; zeros before the stream */
    uint8_t *buffer;
};

bool rdc_horizon_valid(uint64_t horizon)
{
    return horizon >= RDC_HORIZON_MIN && horizon <= RDC_HORIZON_MAX &&
           horizon % RDC_BLOCK_SIZE == 0;
}

uint32_t rdc_horizon_for(uint64_t size)
{
    if (size <= UINT64_C(5) << 28)
        return 384;
    if (size <= UINT64_C(2) << 30)
        return 512;
    return size <= UINT64_C(8) << 30 ? 1024 : 2048;
}

uint64_t rdc_chunk_count_bound(uint64_t size, uint32_t horizon)
{
    /* two local maxima are more than a horizon apart; a forced cut comes every sixteen */
    return size / horizon + size / rdc_chunk_size_max(horizon) + 2;
}

struct rdc_cutter *rdc_cutter_new(uint32_t horizon, uint64_t offset,
                                  const struct rdc_kernel *kernel)
{
    assert(rdc_horizon_valid(horizon) && offset % RDC_BLOCK_SIZE == 0);
    struct rdc_cutter *c = MEM_NEW(struct rdc_cutter);
    c->kernel = kernel;
    c->horizon = horizon;
    c->base = offset;
    c->reach = horizon / RDC_BLOCK_SIZE;
    c->buffer = mem_pages(BUFFER_SIZE);
    return c;
}

void rdc_cutter_free(struct rdc_cutter *c)
{
    if (!c)
        return;
    free(c->buffer);
    free(c);
}

/* Forget what no chunk and no comparison needs any more. */
static void make_room(struct rdc_cutter *c)
{
    size_t keep_block = c->decided > c->reach ? c->decided - c->reach : 0;
    size_t start_block = c->start / RDC_BLOCK_SIZE;

    if (BUFFER_SIZE - c->filled >= TILE_SIZE)
        return;
    if (keep_block > start_block)
        keep_block = start_block;
    size_t gone = keep_block * RDC_BLOCK_SIZE;
    if (gone == 0)
        return;
    memmove(c->buffer, c->buffer + gone, c->filled - gone);
    memmove(c->maxima, c->maxima + keep_block,
            (REACH_MAX + c->hashed - keep_block) * sizeof(*c->maxima));
    for (size_t i = c->cut_next; i < c->cut_count; i++)
        c->cuts[i - c->cut_next] = c->cuts[i] - gone;
    c->cut_count -= c->cut_next;
    c->cut_next = 0;
    c->base += gone;
    c->filled -= gone;
    c->hashed -= keep_block;
    c->decided -= keep_block;
    c->start -= gone;
}

uint8_t *rdc_cutter_room(struct rdc_cutter *c, size_t *out_size)
{
    assert(!c->ended);
    make_room(c);
    *out_size = BUFFER_SIZE - c->filled;
    assert(*out_size > 0);
    if (*out_size > TILE_SIZE)
        *out_size = TILE_SIZE;
    return c->buffer + c->filled;
}

/* The first of positions [@from, @to) of @block with a hash of at least @threshold, else @to; the
 * stream's last block is short. */
static size_t first_at_least(const struct rdc_cutter *c, size_t block, size_t from, size_t to,
                             uint32_t threshold)
{
    size_t first = block * RDC_BLOCK_SIZE;

    if (first + RDC_BLOCK_SIZE + RDC_WINDOW_SIZE <= c->filled)
        return c->kernel->first_at_least(c->buffer + first, from, to, threshold);
    for (size_t i = from; i < to && first + i + RDC_WINDOW_SIZE < c->filled; i++) {
        if (rdc_cut_hash(c->buffer + first + i) >= threshold)
            return i;
    }
    return to;
}

/* Block @k beats its near neighbours: does its maximum beat all positions within the horizon? */
static void consider_peak(struct rdc_cutter *c, size_t k)
{
    const uint32_t *maxima = c->maxima + REACH_MAX;
    uint32_t peak = maxima[k];
    size_t offset = first_at_least(c, k, 0, RDC_BLOCK_SIZE, peak);
    size_t position = k * RDC_BLOCK_SIZE + offset;

    if (c->base + position <= c->horizon)
        return;
    if (k >= c->reach && maxima[k - c->reach] >= peak &&
        first_at_least(c, k - c->reach, offset, RDC_BLOCK_SIZE, peak) < RDC_BLOCK_SIZE)
        return;
    if (k + c->reach < c->hashed && maxima[k + c->reach] > peak &&
        first_at_least(c, k + c->reach, 0, offset + 1, peak + 1) <= offset)
        return;
    c->cuts[c->cut_count++] = position;
}

static void find_peaks(struct rdc_cutter *c, size_t limit)
{
    while (c->decided < limit) {
        unsigned found = c->kernel->peaks(c->maxima + REACH_MAX + c->decided, c->reach - 1);
        size_t lanes = limit - c->decided < LANES ? limit - c->decided : LANES;

        found &= (1u << lanes) - 1;
        while (found) {
            consider_peak(c, c->decided + (size_t)__builtin_ctz(found));
            found &= found - 1;
        }
        c->decided += lanes;
    }
}

/* The last positions of the stream, in a block that is not whole. */
static void hash_short_block(struct rdc_cutter *c)
{
    size_t first = c->hashed * RDC_BLOCK_SIZE;
    uint32_t greatest = 0;

    if (first + RDC_WINDOW_SIZE >= c->filled)
        return;
    for (size_t i = first; i + RDC_WINDOW_SIZE < c->filled; i++) {
        uint32_t hash = rdc_cut_hash(c->buffer + i);

        greatest = hash > greatest ? hash : greatest;
    }
    c->maxima[REACH_MAX + c->hashed] = greatest;
    c->hashed += 1;
}

void rdc_cutter_filled(struct rdc_cutter *c, size_t size, bool last)
{
    uint32_t *maxima = c->maxima + REACH_MAX;

    assert(!c->ended && size <= BUFFER_SIZE - c->filled);
    c->filled += size;
    c->ended = last;
    size_t whole = c->filled > RDC_WINDOW_SIZE ? (c->filled - RDC_WINDOW_SIZE) / RDC_BLOCK_SIZE : 0;
    if (whole > c->hashed) {
        c->kernel->block_maxima(c->buffer + c->hashed * RDC_BLOCK_SIZE, whole - c->hashed,
                                maxima + c->hashed);
        c->hashed = whole;
    }
    if (last) {
        hash_short_block(c);
        memset(maxima + c->hashed, 0, (REACH_MAX + LANES) * sizeof(*maxima));
        find_peaks(c, c->hashed);
    } else if (c->hashed > c->reach) {
        find_peaks(c, c->hashed - c->reach);
    }
}

bool rdc_cutter_next(struct rdc_cutter *c, struct span *out_chunk)
{
    size_t longest = rdc_chunk_size_max(c->horizon);

    /* a stream from the middle of a file may begin at a cut */
    while (c->cut_next < c->cut_count && c->cuts[c->cut_next] <= c->start)
        c->cut_next += 1;
    size_t known = c->ended ? c->filled : c->decided * RDC_BLOCK_SIZE;
    size_t end = c->cut_next < c->cut_count ? c->cuts[c->cut_next] : known;
    bool at_cut = c->cut_next < c->cut_count;

    if (end - c->start > longest) {
        end = c->start + longest;
        at_cut = false;
    } else if (!at_cut && !c->ended) {
        return false;
    }
    if (end <= c->start)
        return false;
    *out_chunk = span_of(c->buffer + c->start, end - c->start);
    c->start = end;
    c->cut_next += at_cut;
    c->at_maximum = at_cut;
    return true;
}

bool rdc_cutter_at_maximum(const struct rdc_cutter *c)
{
    return c->at_maximum;
}
