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

static void block_maxima(const uint8_t *data, size_t count, uint32_t *out_maxima)
{
    for (size_t k = 0; k < count; k++) {
        uint32_t greatest = 0;

        for (size_t i = 0; i < RDC_BLOCK_SIZE; i++) {
            uint32_t hash = cut_hash(data + k * RDC_BLOCK_SIZE + i);

            greatest = hash > greatest ? hash : greatest;
        }
        out_maxima[k] = greatest;
    }
}

static struct rdc_block_mask positions_at_least(const uint8_t *data, uint32_t threshold)
{
    struct rdc_block_mask mask = {0};

    for (size_t i = 0; i < RDC_BLOCK_SIZE; i++)
        mask.words[i / 64] |= (uint64_t)(cut_hash(data + i) >= threshold) << (i % 64);
    return mask;
}

unsigned rdc_scalar_peaks(const uint32_t *maxima, unsigned reach)
{
    unsigned found = 0;

    for (unsigned j = 0; j < 8; j++) {
        const uint32_t *centre = maxima + j;
        bool peak = true;

        for (unsigned d = 1; d <= reach && peak; d++)
            peak = *centre > *(centre - d) && *centre >= *(centre + d);
        found |= (unsigned)peak << j;
    }
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
        .positions_at_least = positions_at_least,
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
