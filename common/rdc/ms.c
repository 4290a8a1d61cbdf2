/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FilterMax: byte i starts a chunk when its hash is strictly the greatest within the horizon on
 * either side, or when it is 65535 past the last start. Any `horizon` consecutive positions hold at
 * most one such maximum: it must be the greatest of them. The hash's own chain leaves the processor
 * time to take the greatest of each small block on the way; verification looks at those first.
 */
#include "common/rdc/ms.h"

#include "common/base/cursor.h"
#include "common/base/mem.h"
#include "common/rdc/md4.h"
#include "common/rdc/ms_hash.h"

#include <assert.h>
#include <endian.h>
#include <stdlib.h>

#define BLOCK_SIZE  MS_BLOCK_SIZE
#define READ_SIZE   (256u << 10)
#define BUFFER_SIZE (READ_SIZE + RDC_MS_CHUNK_SIZE_MAX + 2 * RDC_MS_HORIZON_MAX + 4 * BLOCK_SIZE)
#define CHUNKS_MAX  (BUFFER_SIZE / RDC_MS_HORIZON_MIN + BUFFER_SIZE / RDC_MS_CHUNK_SIZE_MAX + 8)
#define VERSION_1_1 0x00010001u
#define FILE_TYPE   1u
#define TRAIT_BYTE  7
#define TRAIT_MASK  0x3f

struct scan {
    struct ms_hash hash;
    uint32_t horizon;
    uint64_t base; /* file offset of bytes[0] */
    size_t filled;
    size_t hashed; /* a multiple of BLOCK_SIZE, but at the end */
    size_t decided;
    size_t start; /* of the chunk under way */
    bool ended;
    size_t chunk_count;
    struct span chunks[CHUNKS_MAX];
    struct md4 digests[CHUNKS_MAX];
    uint32_t maxima[BUFFER_SIZE / BLOCK_SIZE + 1];
    uint32_t hashes[BUFFER_SIZE];
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

/* Hash positions [hashed, end). */
static void hash_up_to(struct scan *s, size_t end)
{
    ms_hash_next(&s->hash, s->bytes + s->hashed, end - s->hashed, s->hashes + s->hashed,
                 s->maxima + s->hashed / BLOCK_SIZE);
    s->hashed = end;
}

/* Is any position in [from, to) at least @value? */
static bool reached(const struct scan *s, size_t from, size_t to, uint32_t value)
{
    while (from < to) {
        size_t block = from / BLOCK_SIZE;
        size_t block_end = (block + 1) * BLOCK_SIZE;

        block_end = block_end < to ? block_end : to;
        if (s->maxima[block] >= value) {
            for (size_t i = from; i < block_end; i++) {
                if (s->hashes[i] >= value)
                    return true;
            }
        }
        from = block_end;
    }
    return false;
}

static uint32_t greatest_of(const uint32_t *values, size_t count)
{
    uint32_t greatest = 0;

    for (size_t i = 0; i < count; i++)
        greatest = values[i] > greatest ? values[i] : greatest;
    return greatest;
}

/* The first of @values that is @value, which is among them. */
static size_t place_of(const uint32_t *values, uint32_t value)
{
    size_t i = 0;

    while (values[i] != value)
        i++;
    return i;
}

/* The position of the greatest hash in [from, to), the first of equals; @from begins a block. */
static size_t greatest_in(const struct scan *s, size_t from, size_t to)
{
    size_t first = from / BLOCK_SIZE;
    size_t blocks = to / BLOCK_SIZE - first;
    size_t rest = to - to % BLOCK_SIZE;
    uint32_t greatest = greatest_of(s->maxima + first, blocks);
    uint32_t last = greatest_of(s->hashes + rest, to - rest);

    if (blocks == 0 || last > greatest)
        return rest + place_of(s->hashes + rest, last);
    size_t block = first + place_of(s->maxima + first, greatest);
    return block * BLOCK_SIZE + place_of(s->hashes + block * BLOCK_SIZE, greatest);
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

/* Look for maxima among positions below @limit, whose horizons are hashed as far as they exist;
 * @limit ends a block, or the file. */
static void decide(struct scan *s, size_t limit)
{
    size_t step = s->horizon - s->horizon % BLOCK_SIZE;

    while (s->decided < limit) {
        size_t end = limit - s->decided < step ? limit : s->decided + step;
        size_t at = greatest_in(s, s->decided, end);
        size_t from = at > s->horizon ? at - s->horizon : 0;
        size_t to = at + s->horizon + 1;
        bool whole = to <= s->filled;

        s->decided = end;
        to = whole ? to : s->filled;
        if (s->base + at > s->horizon && (whole || horizon_may_pass_end()) &&
            !reached(s, from, at, s->hashes[at]) && !reached(s, at + 1, to, s->hashes[at]))
            cut_at(s, at);
    }
    while (limit - s->start > RDC_MS_CHUNK_SIZE_MAX)
        add_chunk(s, s->start + RDC_MS_CHUNK_SIZE_MAX);
}

/* Write what was cut, and make room. */
static void flush_chunks(struct scan *s, struct buf *out)
{
    md4_of_many(s->chunks, s->chunk_count, s->digests);
    for (size_t i = 0; i < s->chunk_count; i++) {
        buf_append(out, s->digests[i].bytes, MD4_SIZE);
        write_u16(out, (uint16_t)s->chunks[i].size);
    }
    s->chunk_count = 0;
    size_t keep = s->decided > s->horizon + RDC_MS_WINDOW_MAX
                      ? s->decided - s->horizon - RDC_MS_WINDOW_MAX
                      : 0;
    keep = s->start < keep ? s->start : keep;
    keep -= keep % BLOCK_SIZE;
    memmove(s->bytes, s->bytes + keep, s->filled - keep);
    memmove(s->hashes, s->hashes + keep, (s->hashed - keep) * sizeof(*s->hashes));
    memmove(s->maxima, s->maxima + keep / BLOCK_SIZE,
            ((s->hashed + BLOCK_SIZE - 1) / BLOCK_SIZE - keep / BLOCK_SIZE) * sizeof(*s->maxima));
    s->base += keep;
    s->filled -= keep;
    s->hashed -= keep;
    s->decided -= keep;
    s->start -= keep;
}

static struct scan *scan_new(struct rdc_ms_cut cut)
{
    struct scan *s = MEM_NEW(struct scan);

    ms_hash_init(&s->hash, cut.window);
    s->horizon = cut.horizon;
    return s;
}

static void write_header(struct buf *out)
{
    write_u32(out, RDC_MS_HEADER_SIZE);
    write_u32(out, VERSION_1_1);
    write_u32(out, VERSION_1_1);
    write_u32(out, 0);
    write_u64(out, FILE_TYPE);
}

enum status rdc_ms_signature(const struct rdc_content *content, struct rdc_ms_cut cut,
                             struct buf *out)
{
    assert(rdc_ms_cut_valid(cut));
    struct scan *s = scan_new(cut);
    size_t begin = out->size;
    enum status st = ST_OK;

    write_header(out);
    for (uint64_t done = 0; done < content->size;) {
        size_t room = BUFFER_SIZE - s->filled;
        uint64_t rest = content->size - done;
        size_t size = rest < room ? (size_t)rest : room;

        assert(size > 0);
        st = rdc_content_read(content, done, s->bytes + s->filled, size);
        if (st != ST_OK)
            break;
        done += size;
        s->filled += size;
        s->ended = done == content->size;
        hash_up_to(s, s->ended ? s->filled : s->filled - s->filled % BLOCK_SIZE);
        if (s->ended)
            decide(s, s->filled);
        else if (s->hashed > s->horizon)
            decide(s, (s->hashed - s->horizon) / BLOCK_SIZE * BLOCK_SIZE);
        if (s->ended)
            cut_at(s, s->filled);
        flush_chunks(s, out);
    }
    free(s);
    if (st != ST_OK)
        out->size = begin;
    return st;
}

void rdc_ms_hash(uint32_t window, struct span bytes, uint32_t *out)
{
    uint32_t maxima[1];
    uint8_t stretch[RDC_MS_WINDOW_MAX + MS_BLOCK_SIZE] = {0};
    struct ms_hash hash;

    ms_hash_init(&hash, window);
    for (size_t at = 0; at < bytes.size; at += MS_BLOCK_SIZE) {
        struct span next = span_part(bytes, at, MS_BLOCK_SIZE);

        memcpy(stretch + RDC_MS_WINDOW_MAX, next.data, next.size);
        ms_hash_next(&hash, stretch + RDC_MS_WINDOW_MAX, next.size, out + at, maxima);
        memmove(stretch, stretch + next.size, RDC_MS_WINDOW_MAX);
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
