/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For x86-64 without AVX2. SSE2 multiplies the even 32-bit lanes only: with loads four bytes apart
 * the odd lanes of one load are the even lanes of the next, so eight multiplications give four
 * positions.
 */
#include "common/rdc/kernel.h"

#include "common/rdc/kernel_parts.h"

#include <emmintrin.h>

#define PHASES    4
#define LOAD_SIZE 16
#define BIAS      0x80000000u /* makes signed comparison order unsigned values */

static inline __m128i load(const uint8_t *data)
{
    return _mm_loadu_si128((const __m128i_u *)(const void *)data);
}

static inline __m128i multiply(__m128i even, uint32_t factor)
{
    return _mm_mul_epu32(even, _mm_set1_epi32((int)factor));
}

/*
 * The cut hashes of positions 0, 4, 8, 12 from @data on, each plus BIAS; in the order 0, 8, 4, 12.
 * Hashes four bytes apart share products, as in kernel_scalar.c.
 */
static inline __m128i biased_hashes(const uint8_t *data)
{
    __m128i w0 = load(data);
    __m128i w1 = load(data + 4);
    __m128i w2 = load(data + 8);
    __m128i w3 = load(data + 12);
    __m128i w4 =
        _mm_srli_epi64(w3, 32); /* not from data + 16: that may lie beyond the bytes given */
    __m128i shared = _mm_add_epi64(multiply(w1, CUT_K0 - CUT_K1), multiply(w3, CUT_K2 - CUT_K3));
    __m128i even = _mm_add_epi64(multiply(_mm_add_epi32(w0, w1), CUT_K0),
                                 multiply(_mm_add_epi32(w2, w3), CUT_K2));
    __m128i odd = _mm_add_epi64(multiply(_mm_add_epi32(w1, w2), CUT_K1),
                                multiply(_mm_add_epi32(w3, w4), CUT_K3));
    __m128 both = _mm_shuffle_ps(_mm_castsi128_ps(_mm_sub_epi64(even, shared)),
                                 _mm_castsi128_ps(_mm_add_epi64(odd, shared)), 0x88);

    return _mm_add_epi32(_mm_castps_si128(both), _mm_set1_epi32((int)BIAS));
}

static void block_maxima(const uint8_t *data, size_t count, uint32_t *out_maxima)
{
    for (size_t k = 0; k < count; k++, data += RDC_BLOCK_SIZE) {
        __m128i greatest = _mm_set1_epi32((int)BIAS);
        uint32_t lanes[4];

        for (size_t i = 0; i < RDC_BLOCK_SIZE; i += LOAD_SIZE) {
            for (size_t phase = 0; phase < PHASES; phase++) {
                __m128i hashes = biased_hashes(data + i + phase);
                __m128i greater = _mm_cmpgt_epi32(hashes, greatest);

                greatest = _mm_or_si128(_mm_and_si128(greater, hashes),
                                        _mm_andnot_si128(greater, greatest));
            }
        }
        _mm_storeu_si128((__m128i_u *)(void *)lanes, greatest);
        out_maxima[k] = 0;
        for (unsigned lane = 0; lane < 4; lane++) {
            uint32_t hash = lanes[lane] - BIAS;

            out_maxima[k] = hash > out_maxima[k] ? hash : out_maxima[k];
        }
    }
}

static size_t first_at_least(const uint8_t *data, size_t from, size_t to, uint32_t threshold)
{
    const __m128i limit = _mm_set1_epi32((int)(threshold + BIAS));

    for (size_t i = from / LOAD_SIZE * LOAD_SIZE; i < to; i += LOAD_SIZE) {
        unsigned positions = 0;

        for (size_t phase = 0; phase < PHASES; phase++) {
            __m128i below = _mm_cmplt_epi32(biased_hashes(data + i + phase), limit);
            unsigned lanes = ~(unsigned)_mm_movemask_ps(_mm_castsi128_ps(below));

            positions |= ((lanes & 1) | (lanes & 2) << 7 | (lanes & 4) << 2 | (lanes & 8) << 9)
                         << phase;
        }
        if (i < from)
            positions &= ~0u << (from - i);
        if (positions) {
            size_t found = i + (size_t)__builtin_ctz(positions);
            return found < to ? found : to;
        }
    }
    return to;
}

const struct rdc_kernel *rdc_kernel_sse2(void)
{
    static const struct rdc_kernel kernel = {
        .name = "sse2",
        .block_maxima = block_maxima,
        .first_at_least = first_at_least,
        .peaks = rdc_scalar_peaks,
        .identity = rdc_scalar_identity,
        .sketch = rdc_scalar_sketch,
        .trait_matches = rdc_scalar_trait_matches,
    };

    return &kernel;
}
