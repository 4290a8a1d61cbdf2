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

/* The cut hashes of positions 0, 4, 8, 12 from @data on, each plus BIAS. */
static inline __m128i biased_hashes(const uint8_t *data)
{
    __m128i w0 = load(data);
    __m128i w1 = load(data + 4);
    __m128i w2 = load(data + 8);
    __m128i w3 = load(data + 12);
    __m128i w4 =
        _mm_srli_epi64(w3, 32); /* not from data + 16: that may lie beyond the bytes given */
    __m128i even = _mm_add_epi64(_mm_add_epi64(multiply(w0, CUT_K0), multiply(w1, CUT_K1)),
                                 _mm_add_epi64(multiply(w2, CUT_K2), multiply(w3, CUT_K3)));
    __m128i odd = _mm_add_epi64(_mm_add_epi64(multiply(w1, CUT_K0), multiply(w2, CUT_K1)),
                                _mm_add_epi64(multiply(w3, CUT_K2), multiply(w4, CUT_K3)));
    __m128i low = _mm_set_epi32(0, -1, 0, -1);
    __m128i both = _mm_or_si128(_mm_and_si128(even, low), _mm_slli_epi64(odd, 32));

    return _mm_add_epi32(both, _mm_set1_epi32((int)BIAS));
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

static struct rdc_block_mask positions_at_least(const uint8_t *data, uint32_t threshold)
{
    const __m128i limit = _mm_set1_epi32((int)(threshold + BIAS));
    struct rdc_block_mask mask = {0};

    for (size_t i = 0; i < RDC_BLOCK_SIZE; i += LOAD_SIZE) {
        for (size_t phase = 0; phase < PHASES; phase++) {
            __m128i below = _mm_cmplt_epi32(biased_hashes(data + i + phase), limit);
            uint64_t lanes = ~(unsigned)_mm_movemask_ps(_mm_castsi128_ps(below)) & 0xfu;
            /* lane l is position 4 l of the phase */
            uint64_t bits = (lanes & 1) | (lanes & 2) << 3 | (lanes & 4) << 6 | (lanes & 8) << 9;

            mask.words[i / 64] |= bits << (i % 64 + phase);
        }
    }
    return mask;
}

const struct rdc_kernel *rdc_kernel_sse2(void)
{
    static const struct rdc_kernel kernel = {
        .name = "sse2",
        .block_maxima = block_maxima,
        .positions_at_least = positions_at_least,
        .peaks = rdc_scalar_peaks,
        .identity = rdc_scalar_identity,
        .sketch = rdc_scalar_sketch,
        .trait_matches = rdc_scalar_trait_matches,
    };

    return &kernel;
}
