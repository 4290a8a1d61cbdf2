/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sixteen positions a vector, a block of 64 at a time. Vector r of a block holds every fourth
 * position from r on, so that the running exclusive or is three steps from vector to vector and
 * then one over sixteen lanes. The table of 256 words is four tables of bytes, which two look-ups
 * of 128 entries each cover; the bytes are put together to words again by unpacking, whose order
 * the input's is arranged for beforehand.
 *
 * Compiled with -mavx512f -mavx512bw -mavx512vbmi -mbmi2; nothing here may run before
 * ms_kernel_avx512() has looked at the processor.
 */
#include "common/rdc/ms_hash.h"

#include <assert.h>
#include <immintrin.h>
#include <string.h>

#define PLANES 4
#define PARTS  4 /* vectors of one table of bytes */
#define LAST   (MS_COLUMNS - 1)

static_assert(MS_ROWS == 4 && MS_COLUMNS == 16, "a row is a vector");

struct tables {
    __m512i planes[PLANES][PARTS];
    __m512i back[MS_ROWS];  /* s*j of each position, by which R is rotated right */
    __m512i ahead[MS_ROWS]; /* s*(j+1), by which the hash is rotated left */
    __m512i order;          /* of the input's bytes */
    __m512i window_before;  /* column of the position a window before; the block before's first */
};

/* A window of whole columns that reaches no further than the block before. */
static bool serves(const struct ms_hash *h)
{
    return h->window % MS_ROWS == 0 && h->window <= MS_BLOCK_SIZE;
}

static void make_order(struct tables *out)
{
    uint8_t order[MS_BLOCK_SIZE];

    /* unpacking takes row r's words 4q … 4q+3 from the bytes 16q + 4r … 16q + 4r + 3 */
    for (unsigned q = 0; q < 4; q++) {
        for (unsigned r = 0; r < MS_ROWS; r++) {
            for (unsigned i = 0; i < 4; i++)
                order[16 * q + 4 * r + i] = (uint8_t)(MS_ROWS * (4 * q + i) + r);
        }
    }
    out->order = _mm512_loadu_si512(order);
}

static void make_tables(const struct ms_hash *h, struct tables *out)
{
    uint8_t bytes[MS_TABLE_SIZE];
    uint32_t back[MS_COLUMNS];
    uint32_t ahead[MS_COLUMNS];
    uint32_t shift = (uint32_t)h->shift;

    for (unsigned p = 0; p < PLANES; p++) {
        for (unsigned i = 0; i < MS_TABLE_SIZE; i++)
            bytes[i] = (uint8_t)(h->table[i] >> 8 * p);
        for (unsigned k = 0; k < PARTS; k++)
            out->planes[p][k] = _mm512_loadu_si512(bytes + 64 * k);
    }
    for (unsigned r = 0; r < MS_ROWS; r++) {
        for (unsigned c = 0; c < MS_COLUMNS; c++) {
            back[c] = shift * (MS_ROWS * c + r) % 32;
            ahead[c] = shift * (MS_ROWS * c + r + 1) % 32;
        }
        out->back[r] = _mm512_loadu_si512(back);
        out->ahead[r] = _mm512_loadu_si512(ahead);
    }
    for (unsigned c = 0; c < MS_COLUMNS; c++)
        back[c] = MS_COLUMNS + c - h->window / MS_ROWS;
    out->window_before = _mm512_loadu_si512(back);
    make_order(out);
}

/* The table's words of a block's bytes, row by row. */
static inline void look_up(const struct tables *t, const uint8_t *bytes, __m512i out[MS_ROWS])
{
    __m512i index = _mm512_permutexvar_epi8(t->order, _mm512_loadu_si512(bytes));
    __mmask64 upper = _mm512_movepi8_mask(index);
    __m512i plane[PLANES];

    for (unsigned p = 0; p < PLANES; p++) {
        __m512i low = _mm512_permutex2var_epi8(t->planes[p][0], index, t->planes[p][1]);
        __m512i high = _mm512_permutex2var_epi8(t->planes[p][2], index, t->planes[p][3]);

        plane[p] = _mm512_mask_blend_epi8(upper, low, high);
    }
    __m512i low_01 = _mm512_unpacklo_epi8(plane[0], plane[1]);
    __m512i high_01 = _mm512_unpackhi_epi8(plane[0], plane[1]);
    __m512i low_23 = _mm512_unpacklo_epi8(plane[2], plane[3]);
    __m512i high_23 = _mm512_unpackhi_epi8(plane[2], plane[3]);
    out[0] = _mm512_unpacklo_epi16(low_01, low_23);
    out[1] = _mm512_unpackhi_epi16(low_01, low_23);
    out[2] = _mm512_unpacklo_epi16(high_01, high_23);
    out[3] = _mm512_unpackhi_epi16(high_01, high_23);
}

/* Lane i: the exclusive or of lanes 0 to i. */
static inline __m512i running_xor(__m512i x)
{
    const __m512i zero = _mm512_setzero_si512();

    x = _mm512_xor_si512(x, _mm512_alignr_epi32(x, zero, MS_COLUMNS - 1));
    x = _mm512_xor_si512(x, _mm512_alignr_epi32(x, zero, MS_COLUMNS - 2));
    x = _mm512_xor_si512(x, _mm512_alignr_epi32(x, zero, MS_COLUMNS - 4));
    return _mm512_xor_si512(x, _mm512_alignr_epi32(x, zero, MS_COLUMNS - 8));
}

/* @before: P of the block before; then of this one. @carried: P of its last position, in all
 * lanes. Returns the greatest hash of each column. */
static inline __m512i hash_block(const struct tables *t, const uint8_t *bytes,
                                 __m512i before[MS_ROWS], __m512i *carried, struct ms_block *block)
{
    __m512i p[MS_ROWS];
    __m512i greatest = _mm512_setzero_si512();

    look_up(t, bytes, p);
    p[0] = _mm512_rorv_epi32(p[0], t->back[0]);
    for (unsigned r = 1; r < MS_ROWS; r++)
        p[r] = _mm512_xor_si512(p[r - 1], _mm512_rorv_epi32(p[r], t->back[r]));
    __m512i columns = running_xor(p[MS_ROWS - 1]);
    __m512i columns_before = _mm512_xor_si512(
        *carried, _mm512_alignr_epi32(columns, _mm512_setzero_si512(), MS_COLUMNS - 1));
    *carried =
        _mm512_xor_si512(*carried, _mm512_permutexvar_epi32(_mm512_set1_epi32(LAST), columns));
    for (unsigned r = 0; r < MS_ROWS; r++) {
        p[r] = _mm512_xor_si512(p[r], columns_before);
        __m512i left = _mm512_permutex2var_epi32(before[r], t->window_before, p[r]);
        __m512i hash = _mm512_rolv_epi32(_mm512_xor_si512(p[r], left), t->ahead[r]);

        before[r] = p[r];
        _mm512_storeu_si512(block->hashes[r], hash);
        greatest = _mm512_max_epu32(greatest, hash);
    }
    return greatest;
}

static void hash_blocks(struct ms_hash *h, const uint8_t *bytes, size_t count,
                        struct ms_block *blocks, uint32_t *maxima)
{
    struct tables tables;
    __m512i before[MS_ROWS];

    if (count == 0)
        return;
    if (!serves(h)) {
        ms_scalar_hash_blocks(h, bytes, count, blocks, maxima);
        return;
    }
    make_tables(h, &tables);
    for (unsigned r = 0; r < MS_ROWS; r++)
        before[r] = _mm512_loadu_si512(h->prefixes.hashes[r]);
    __m512i carried = _mm512_set1_epi32((int)h->prefixes.hashes[MS_ROWS - 1][LAST]);
    for (size_t k = 0; k < count; k++)
        maxima[k] = _mm512_reduce_max_epu32(
            hash_block(&tables, bytes + k * MS_BLOCK_SIZE, before, &carried, &blocks[k]));
    for (unsigned r = 0; r < MS_ROWS; r++)
        _mm512_storeu_si512(h->prefixes.hashes[r], before[r]);
    h->last = blocks[count - 1].hashes[MS_ROWS - 1][LAST];
}

static uint64_t at_least(const struct ms_block *block, uint32_t value)
{
    const uint64_t every_fourth = 0x1111111111111111;
    const __m512i limit = _mm512_set1_epi32((int)value);
    uint64_t positions = 0;

    for (unsigned r = 0; r < MS_ROWS; r++) {
        __m512i row = _mm512_loadu_si512(block->hashes[r]);
        uint64_t columns = _mm512_cmpge_epu32_mask(row, limit);

        positions |= _pdep_u64(columns, every_fourth) << r;
    }
    return positions;
}

const struct ms_kernel *ms_kernel_avx512(void)
{
    static const struct ms_kernel kernel = {
        .name = "avx512",
        .hash_blocks = hash_blocks,
        .at_least = at_least,
        .digests = md4_of_many_avx512,
    };

    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                   __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("bmi2")
               ? &kernel
               : NULL;
}
