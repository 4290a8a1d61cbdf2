/* SPDX-License-Identifier: Apache-2.0 */
#include "common/rdc/kernel.h"

#include "common/rdc/kernel_parts.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <assert.h>
#include <endian.h>
#include <stdbool.h>
#include <string.h>

static inline uint32_t load_u32(const uint8_t *data)
{
    uint32_t value;

    memcpy(&value, data, sizeof(value));
    return le32toh(value);
}

static inline uint32_t cut_hash(const uint8_t *data)
{
    return load_u32(data) * CUT_K0 + load_u32(data + 4) * CUT_K1 + load_u32(data + 8) * CUT_K2 +
           load_u32(data + 12) * CUT_K3;
}

uint32_t rdc_cut_hash(const uint8_t *data)
{
    return cut_hash(data);
}

void rdc_secret_init(struct rdc_secret *secret, uint64_t seed)
{
    static_assert(RDC_SECRET_SIZE == XXH3_SECRET_DEFAULT_SIZE, "the size is XXH3's");
    secret->seed = seed;
    XXH3_generateSecret_fromSeed(secret->bytes, seed);
}

/*
 * Four words at a time, in whatever 128-bit vectors the processor has; without any, the compiler
 * takes them apart. A product of vectors is dear where there is no instruction for it, and two
 * hashes four bytes apart can share some: with w0, w1, … the words from a position on,
 *     H(0) = K0 (w0 + w1) + K2 (w2 + w3) - S
 *     H(4) = K1 (w1 + w2) + K3 (w3 + w4) + S        S = (K0 - K1) w1 + (K2 - K3) w3
 * which is six products instead of eight. So words at even places go into one vector and words at
 * odd places into another.
 */
typedef uint32_t words __attribute__((vector_size(16)));
typedef int32_t signed_words __attribute__((vector_size(16)));

#define PHASES 4
#define STEP   32          /* positions of a phase's two vectors: every fourth one */
#define PEAKS  8           /* looked for at once */
#define BIAS   0x80000000u /* makes signed comparison order unsigned values: it is the cheaper */

static inline words load_words(const uint8_t *data)
{
    words value;

    memcpy(&value, data, sizeof(value));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    for (unsigned lane = 0; lane < 4; lane++)
        value[lane] = le32toh(value[lane]);
#endif
    return value;
}

static inline signed_words greater_of(signed_words a, signed_words b)
{
    signed_words greater = a > b;

    return (a & greater) | (b & ~greater);
}

/* What words are multiplied by, four times each. */
struct factors {
    words k0;
    words k1;
    words k2;
    words k3;
    words k0_less_k1;
    words k2_less_k3;
};

static inline words four_of(uint32_t value)
{
    return (words){value, value, value, value};
}

/* The greater of each lane of @greatest and the hashes of positions 0, 4, …, 28, plus BIAS. */
static inline signed_words greatest_of_step(const uint8_t *data, const struct factors *f,
                                            signed_words greatest)
{
    words w01 = load_words(data);
    words w45 = load_words(data + 16);
    words w23 = load_words(data + 8);
    words w67 = load_words(data + 24);
    words w0 = __builtin_shufflevector(w01, w45, 0, 2, 4, 6);
    words w1 = __builtin_shufflevector(w01, w45, 1, 3, 5, 7);
    words w2 = __builtin_shufflevector(w23, w67, 0, 2, 4, 6);
    words w3 = __builtin_shufflevector(w23, w67, 1, 3, 5, 7);
    words w4 = __builtin_shufflevector(w2, w2, 1, 2, 3, 0);
    /* not by a load of sixteen: that may lie beyond the bytes given */
    w4[3] = load_u32(data + 40);
    words shared = w1 * f->k0_less_k1 + w3 * f->k2_less_k3;
    words at_even = (w0 + w1) * f->k0 + (w2 + w3) * f->k2 - shared + BIAS;
    words at_odd = (w1 + w2) * f->k1 + (w3 + w4) * f->k3 + shared + BIAS;

    return greater_of(greatest, greater_of((signed_words)at_even, (signed_words)at_odd));
}

static void block_maxima(const uint8_t *data, size_t count, uint32_t *out_maxima)
{
    struct factors factors = {
        .k0 = four_of(CUT_K0),
        .k1 = four_of(CUT_K1),
        .k2 = four_of(CUT_K2),
        .k3 = four_of(CUT_K3),
        .k0_less_k1 = four_of(CUT_K0 - CUT_K1),
        .k2_less_k3 = four_of(CUT_K2 - CUT_K3),
    };

    /* what the compiler knows it takes apart into a dozen shifts and sums, which is slower */
    __asm__("" : "+m"(factors));
    for (size_t k = 0; k < count; k++, data += RDC_BLOCK_SIZE) {
        signed_words greatest = (signed_words)four_of(BIAS);
        uint32_t hash = 0;

        for (size_t phase = 0; phase < PHASES; phase++) {
            for (size_t i = 0; i < RDC_BLOCK_SIZE; i += STEP)
                greatest = greatest_of_step(data + i + phase, &factors, greatest);
        }
        for (unsigned lane = 0; lane < 4; lane++) {
            uint32_t candidate = (uint32_t)greatest[lane] - BIAS;

            hash = candidate > hash ? candidate : hash;
        }
        out_maxima[k] = hash;
    }
}

size_t rdc_scalar_first_at_least(const uint8_t *data, size_t from, size_t to, uint32_t threshold)
{
    while (from < to && cut_hash(data + from) < threshold)
        from++;
    return from;
}

unsigned rdc_scalar_peaks(const uint32_t *maxima, unsigned reach)
{
    uint32_t before[PEAKS] = {0};
    uint32_t after[PEAKS] = {0};
    unsigned found = 0;

    for (unsigned d = 1; d <= reach; d++) {
        for (unsigned j = 0; j < PEAKS; j++) {
            before[j] = maxima[j - (size_t)d] > before[j] ? maxima[j - (size_t)d] : before[j];
            after[j] = maxima[j + d] > after[j] ? maxima[j + d] : after[j];
        }
    }
    for (unsigned j = 0; j < PEAKS; j++)
        found |= (unsigned)((reach == 0 || maxima[j] > before[j]) && maxima[j] >= after[j]) << j;
    return found;
}

uint64_t rdc_scalar_identity(const void *data, size_t size, const struct rdc_secret *secret)
{
    return XXH3_128bits_withSecretandSeed(data, size, secret->bytes, sizeof(secret->bytes),
                                          secret->seed)
        .low64;
}

void rdc_scalar_sketch(uint32_t least[RDC_SKETCH_LANES], const uint64_t *identities, size_t count)
{
    static const uint32_t low_factor[RDC_SKETCH_LANES] = {SKETCH_LOW};
    static const uint32_t high_factor[RDC_SKETCH_LANES] = {SKETCH_HIGH};

    for (size_t i = 0; i < count; i++) {
        uint32_t low = (uint32_t)identities[i];
        uint32_t high = (uint32_t)(identities[i] >> 32);

        for (unsigned t = 0; t < RDC_SKETCH_LANES; t++) {
            uint32_t hash = low * low_factor[t] + high * high_factor[t];

            least[t] = hash < least[t] ? hash : least[t];
        }
    }
}

bool rdc_scalar_trait_matches(const uint16_t *const planes[RDC_SKETCH_LANES],
                              const uint16_t traits[RDC_SKETCH_LANES], unsigned least,
                              uint16_t out_matches[RDC_MATCH_FILES])
{
    bool any = false;

    for (unsigned i = 0; i < RDC_MATCH_FILES; i++) {
        out_matches[i] = 0;
        for (unsigned t = 0; t < RDC_SKETCH_LANES; t++)
            out_matches[i] = (uint16_t)(out_matches[i] + (planes[t][i] == traits[t]));
        any |= out_matches[i] >= least;
    }
    return any;
}

const struct rdc_kernel *rdc_kernel_scalar(void)
{
    static const struct rdc_kernel kernel = {
        .name = "scalar",
        .block_maxima = block_maxima,
        .first_at_least = rdc_scalar_first_at_least,
        .peaks = rdc_scalar_peaks,
        .identity = rdc_scalar_identity,
        .sketch = rdc_scalar_sketch,
        .trait_matches = rdc_scalar_trait_matches,
    };

    return &kernel;
}

const struct rdc_kernel *rdc_kernel_best(void)
{
    if (rdc_kernel_avx2())
        return rdc_kernel_avx2();
    return rdc_kernel_sse2() ? rdc_kernel_sse2() : rdc_kernel_scalar();
}

#ifndef __x86_64__
const struct rdc_kernel *rdc_kernel_sse2(void)
{
    return NULL;
}

const struct rdc_kernel *rdc_kernel_avx2(void)
{
    return NULL;
}
#endif
