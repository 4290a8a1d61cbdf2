/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/rdc/kernel.h: the inner loops of chunking, once per instruction set.
 *
 * The cut hash of position i is a multilinear function of the 16 bytes from i on:
 *     H(i) = K0*u32(i) + K1*u32(i+4) + K2*u32(i+8) + K3*u32(i+12)   mod 2^32, little-endian
 * It has no table and no state, so every instruction set computes it alike. Positions are taken in
 * blocks of RDC_BLOCK_SIZE; hashing block k reads up to RDC_WINDOW_SIZE bytes beyond it.
 *
 * Every kernel gives the same results for the same bytes.
 */
#ifndef COMMON_RDC_KERNEL_H
#define COMMON_RDC_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RDC_BLOCK_SIZE   128 /* positions */
#define RDC_SECRET_SIZE  192 /* XXH3's */
#define RDC_SKETCH_LANES 16  /* functions of a similarity sketch */
#define RDC_MATCH_FILES  16  /* files compared at once */
#define RDC_WINDOW_SIZE  16  /* bytes that one cut hash depends on */

/* A seed and what XXH3 derives from it. */
struct rdc_secret {
    uint64_t seed;
    uint8_t bytes[RDC_SECRET_SIZE];
};

void rdc_secret_init(struct rdc_secret *secret, uint64_t seed);

struct rdc_kernel {
    const char *name;
    /* The greatest cut hash of each of @count blocks from @data on. */
    void (*block_maxima)(const uint8_t *data, size_t count, uint32_t *out_maxima);
    /* The first of positions [@from, @to) of the block at @data whose cut hash is at least
     * @threshold; @to when none is. */
    size_t (*first_at_least)(const uint8_t *data, size_t from, size_t to, uint32_t threshold);
    /* Bit j: maxima[j] > every one of the @reach before it and >= every one of the @reach after
     * it, for j in 0..7. Reads maxima[-reach] to maxima[7 + reach]. */
    unsigned (*peaks)(const uint32_t *maxima, unsigned reach);
    /* Chunk identity: the low half of XXH3-128 under the secret's seed. */
    uint64_t (*identity)(const void *data, size_t size, const struct rdc_secret *secret);
    /* Lower each of @least to the least value of its function over @identities. */
    void (*sketch)(uint32_t least[RDC_SKETCH_LANES], const uint64_t *identities, size_t count);
    /* How many of a file's traits equal @traits, for RDC_MATCH_FILES files whose trait t stands at
     * planes[t]. Returns whether any reaches @least. */
    bool (*trait_matches)(const uint16_t *const planes[RDC_SKETCH_LANES],
                          const uint16_t traits[RDC_SKETCH_LANES], unsigned least,
                          uint16_t out_matches[RDC_MATCH_FILES]);
};

/* The fastest kernel of this processor. */
const struct rdc_kernel *rdc_kernel_best(void);

/* C without intrinsics: for processors that have no kernel of their own. */
const struct rdc_kernel *rdc_kernel_scalar(void);

/* NULL but on x86-64, where every processor has it. */
const struct rdc_kernel *rdc_kernel_sse2(void);

/* Built for x86-64 only; NULL when this processor lacks AVX2 or BMI2. */
const struct rdc_kernel *rdc_kernel_avx2(void);

/* H of the 16 bytes at @data. */
uint32_t rdc_cut_hash(const uint8_t *data);

#endif
