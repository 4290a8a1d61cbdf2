/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sixteen positions a vector, 64 at a time. The table of 256 words is four tables of bytes, which
 * two look-ups of 128 entries each cover; the bytes are put together to words again by unpacking,
 * whose order the input's is arranged for beforehand. Compiled with -mavx512bw -mavx512vbmi;
 * nothing here may run before ms_hash_has_avx512() has looked at the processor.
 */
#include "common/rdc/ms_hash.h"

#include <assert.h>
#include <immintrin.h>
#include <string.h>

#define LANES   16
#define VECTORS (MS_BLOCK_SIZE / LANES)
#define STRETCH 4096 /* positions whose P is kept at a time: they stay in the first-level cache */
#define PLANES  4
#define PARTS   4 /* vectors of one table of bytes */

static_assert(MS_BLOCK_SIZE == 64 && STRETCH % MS_BLOCK_SIZE == 0, "a block is four vectors");

struct tables {
    __m512i planes[PLANES][PARTS];
    __m512i back[VECTORS];  /* s*j of the block's positions, by which R is rotated right */
    __m512i ahead[VECTORS]; /* s*(j+1), by which the hash is rotated left */
    __m512i order;          /* of the input's words */
};

static void make_tables(const struct ms_hash *h, struct tables *out)
{
    uint8_t bytes[MS_TABLE_SIZE];
    uint32_t counts[LANES];
    uint32_t shift = (uint32_t)h->shift;

    for (unsigned p = 0; p < PLANES; p++) {
        for (unsigned i = 0; i < MS_TABLE_SIZE; i++)
            bytes[i] = (uint8_t)(h->table[i] >> 8 * p);
        for (unsigned k = 0; k < PARTS; k++)
            out->planes[p][k] = _mm512_loadu_si512(bytes + 64 * k);
    }
    for (unsigned k = 0; k < VECTORS; k++) {
        for (unsigned i = 0; i < LANES; i++)
            counts[i] = shift * (LANES * k + i) % 32;
        out->back[k] = _mm512_loadu_si512(counts);
        for (unsigned i = 0; i < LANES; i++)
            counts[i] = shift * (LANES * k + i + 1) % 32;
        out->ahead[k] = _mm512_loadu_si512(counts);
    }
    for (unsigned i = 0; i < LANES; i++)
        counts[i] = i % 4 * 4 + i / 4;
    out->order = _mm512_loadu_si512(counts);
}

/* The table's words of 64 bytes, in order. */
static inline void look_up(const struct tables *t, const uint8_t *bytes, __m512i out[VECTORS])
{
    __m512i index = _mm512_permutexvar_epi32(t->order, _mm512_loadu_si512(bytes));
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

    x = _mm512_xor_si512(x, _mm512_alignr_epi32(x, zero, LANES - 1));
    x = _mm512_xor_si512(x, _mm512_alignr_epi32(x, zero, LANES - 2));
    x = _mm512_xor_si512(x, _mm512_alignr_epi32(x, zero, LANES - 4));
    return _mm512_xor_si512(x, _mm512_alignr_epi32(x, zero, LANES - 8));
}

/* @prefix: P of these positions, those of the window before. Returns P of the last in all lanes. */
static inline __m512i hash_block(const struct tables *t, const uint8_t *bytes, uint32_t window,
                                 __m512i carried, uint32_t *prefix, uint32_t *hashes,
                                 uint32_t *out_greatest)
{
    __m512i words[VECTORS];
    __m512i greatest = _mm512_setzero_si512();

    look_up(t, bytes, words);
    for (unsigned k = 0; k < VECTORS; k++) {
        __m512i p = running_xor(_mm512_rorv_epi32(words[k], t->back[k]));

        p = _mm512_xor_si512(p, carried);
        carried = _mm512_permutexvar_epi32(_mm512_set1_epi32(LANES - 1), p);
        _mm512_storeu_si512(prefix + LANES * k, p);
    }
    for (unsigned k = 0; k < VECTORS; k++) {
        __m512i p = _mm512_loadu_si512(prefix + LANES * k);
        __m512i before = _mm512_loadu_si512(prefix + LANES * k - window);
        __m512i hash = _mm512_rolv_epi32(_mm512_xor_si512(p, before), t->ahead[k]);

        _mm512_storeu_si512(hashes + LANES * k, hash);
        greatest = _mm512_max_epu32(greatest, hash);
    }
    *out_greatest = _mm512_reduce_max_epu32(greatest);
    return carried;
}

void ms_hash_next_avx512(struct ms_hash *h, const uint8_t *bytes, size_t count, uint32_t *hashes,
                         uint32_t *maxima)
{
    uint32_t prefix[RDC_MS_WINDOW_MAX + STRETCH];
    struct tables tables;

    assert(count % MS_BLOCK_SIZE == 0);
    if (count == 0)
        return;
    make_tables(h, &tables);
    memcpy(prefix, h->prefix, sizeof(h->prefix));
    __m512i carried = _mm512_set1_epi32((int)prefix[RDC_MS_WINDOW_MAX - 1]);
    for (size_t done = 0; done < count;) {
        size_t size = count - done < STRETCH ? count - done : STRETCH;

        for (size_t i = 0; i < size; i += MS_BLOCK_SIZE)
            carried = hash_block(&tables, bytes + done + i, h->window, carried,
                                 prefix + RDC_MS_WINDOW_MAX + i, hashes + done + i, maxima++);
        memmove(prefix, prefix + size, sizeof(h->prefix));
        done += size;
    }
    memcpy(h->prefix, prefix, sizeof(h->prefix));
    h->last = hashes[count - 1];
}

bool ms_hash_has_avx512(void)
{
    return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vbmi");
}
