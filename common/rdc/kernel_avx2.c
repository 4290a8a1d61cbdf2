/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compiled with -mavx2 -mbmi2; nothing here may run before rdc_kernel_avx2() has looked at the
 * processor. A 32-byte load at byte phase r holds the words of positions r, r+4, …, r+28, so four
 * phases cover 32 positions with one multiply-add chain each.
 */
#include "common/rdc/kernel.h"

#include "common/rdc/kernel_parts.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <immintrin.h>

#define PHASES     4
#define LOAD_SIZE  32
#define PHASE_BITS 0x11111111u /* the positions of phase 0 among 32 */

static inline __m256i load(const uint8_t *data)
{
    return _mm256_loadu_si256((const __m256i_u *)(const void *)data);
}

/* The cut hashes of positions 0, 4, …, 28 from @data on, whose first words are @first. */
static inline __m256i hashes_from(__m256i first, const uint8_t *data)
{
    const __m256i k0 = _mm256_set1_epi32((int)CUT_K0);
    const __m256i k1 = _mm256_set1_epi32((int)CUT_K1);
    const __m256i k2 = _mm256_set1_epi32((int)CUT_K2);
    const __m256i k3 = _mm256_set1_epi32((int)CUT_K3);

    return _mm256_add_epi32(
        _mm256_add_epi32(_mm256_mullo_epi32(first, k0), _mm256_mullo_epi32(load(data + 4), k1)),
        _mm256_add_epi32(_mm256_mullo_epi32(load(data + 8), k2),
                         _mm256_mullo_epi32(load(data + 12), k3)));
}

static inline __m256i cut_hashes(const uint8_t *data)
{
    return hashes_from(load(data), data);
}

/*
 * The greatest cut hash of 32 positions, lane by lane, and of @greatest. Loads across cache lines
 * are what this waits for: one in four is put together out of two that all phases share.
 */
static inline __m256i greatest_of_step(const uint8_t *data, __m256i greatest)
{
    __m256i low = load(data);
    __m256i high = load(data + LOAD_SIZE / 2);

    greatest = _mm256_max_epu32(greatest, hashes_from(low, data));
    greatest = _mm256_max_epu32(greatest, hashes_from(_mm256_alignr_epi8(high, low, 1), data + 1));
    greatest = _mm256_max_epu32(greatest, hashes_from(_mm256_alignr_epi8(high, low, 2), data + 2));
    return _mm256_max_epu32(greatest, hashes_from(_mm256_alignr_epi8(high, low, 3), data + 3));
}

static inline uint32_t greatest_lane(__m256i lanes)
{
    __m128i x = _mm_max_epu32(_mm256_castsi256_si128(lanes), _mm256_extracti128_si256(lanes, 1));

    x = _mm_max_epu32(x, _mm_shuffle_epi32(x, 0x4e));
    x = _mm_max_epu32(x, _mm_shuffle_epi32(x, 0xb1));
    return (uint32_t)_mm_cvtsi128_si32(x);
}

static void block_maxima(const uint8_t *data, size_t count, uint32_t *out_maxima)
{
    for (size_t k = 0; k < count; k++, data += RDC_BLOCK_SIZE) {
        __m256i greatest = _mm256_setzero_si256();

        for (size_t i = 0; i < RDC_BLOCK_SIZE; i += LOAD_SIZE)
            greatest = greatest_of_step(data + i, greatest);
        out_maxima[k] = greatest_lane(greatest);
    }
}

/* One bit per lane: a >= b, unsigned. */
static inline uint32_t lanes_at_least(__m256i a, __m256i b)
{
    __m256i at_least = _mm256_cmpeq_epi32(_mm256_max_epu32(a, b), a);

    return (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(at_least));
}

static size_t first_at_least(const uint8_t *data, size_t from, size_t to, uint32_t threshold)
{
    const __m256i limit = _mm256_set1_epi32((int)threshold);

    for (size_t i = from / LOAD_SIZE * LOAD_SIZE; i < to; i += LOAD_SIZE) {
        uint32_t positions = 0;

        for (unsigned phase = 0; phase < PHASES; phase++) {
            uint32_t lanes = lanes_at_least(cut_hashes(data + i + phase), limit);

            positions |= _pdep_u32(lanes, PHASE_BITS) << phase;
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

static unsigned peaks(const uint32_t *maxima, unsigned reach)
{
    __m256i centre = load((const uint8_t *)maxima);
    __m256i before = _mm256_setzero_si256();
    __m256i after = _mm256_setzero_si256();

    if (reach == 0)
        return 0xff;
    for (unsigned d = 1; d <= reach; d++) {
        before = _mm256_max_epu32(before, load((const uint8_t *)(maxima - d)));
        after = _mm256_max_epu32(after, load((const uint8_t *)(maxima + d)));
    }
    return lanes_at_least(centre, after) & ~lanes_at_least(before, centre) & 0xffu;
}

static uint64_t identity(const void *data, size_t size, const struct rdc_secret *secret)
{
    return XXH3_128bits_withSecretandSeed(data, size, secret->bytes, sizeof(secret->bytes),
                                          secret->seed)
        .low64;
}

#define SKETCH_VECTORS 2

static void sketch(uint32_t least[RDC_SKETCH_LANES], const uint64_t *identities, size_t count)
{
    static const uint32_t low_factor[RDC_SKETCH_LANES] = {SKETCH_LOW};
    static const uint32_t high_factor[RDC_SKETCH_LANES] = {SKETCH_HIGH};

    for (size_t v = 0; v < SKETCH_VECTORS; v++) {
        const __m256i a = load((const uint8_t *)low_factor + v * LOAD_SIZE);
        const __m256i b = load((const uint8_t *)high_factor + v * LOAD_SIZE);
        __m256i smallest = load((const uint8_t *)least + v * LOAD_SIZE);

        for (size_t i = 0; i < count; i++) {
            __m256i low = _mm256_set1_epi32((int)(uint32_t)identities[i]);
            __m256i high = _mm256_set1_epi32((int)(uint32_t)(identities[i] >> 32));
            __m256i hash =
                _mm256_add_epi32(_mm256_mullo_epi32(low, a), _mm256_mullo_epi32(high, b));

            smallest = _mm256_min_epu32(smallest, hash);
        }
        _mm256_storeu_si256((__m256i_u *)(void *)(least + v * LOAD_SIZE / sizeof(*least)),
                            smallest);
    }
}

static bool trait_matches(const uint16_t *const planes[RDC_SKETCH_LANES],
                          const uint16_t traits[RDC_SKETCH_LANES], unsigned least,
                          uint16_t out_matches[RDC_MATCH_FILES])
{
    __m256i sum = _mm256_setzero_si256();

    for (unsigned t = 0; t < RDC_SKETCH_LANES; t++) {
        __m256i trait = _mm256_set1_epi16((short)traits[t]);

        /* equal is -1 */
        sum = _mm256_sub_epi16(sum, _mm256_cmpeq_epi16(load((const uint8_t *)planes[t]), trait));
    }
    _mm256_storeu_si256((__m256i_u *)(void *)out_matches, sum);
    return _mm256_movemask_epi8(_mm256_cmpgt_epi16(sum, _mm256_set1_epi16((short)(least - 1)))) !=
           0;
}

const struct rdc_kernel *rdc_kernel_avx2(void)
{
    static const struct rdc_kernel kernel = {
        .name = "avx2",
        .block_maxima = block_maxima,
        .first_at_least = first_at_least,
        .peaks = peaks,
        .identity = identity,
        .sketch = sketch,
        .trait_matches = trait_matches,
    };

    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2") ? &kernel : NULL;
}
