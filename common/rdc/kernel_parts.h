/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/rdc/kernel_parts.h: what the kernels share. Private to them.
 *
 * The multipliers are part of the stored forms:
 *
 * CUT_*     the cut hash's
 * SKETCH_*  function t of identity x is low(x) * SKETCH_LOW[t] + high(x) * SKETCH_HIGH[t] mod 2^32;
 *           odd numbers drawn from SplitMix64 with the seed 0
 */
#ifndef COMMON_RDC_KERNEL_PARTS_H
#define COMMON_RDC_KERNEL_PARTS_H

#include "common/rdc/kernel.h"

#define CUT_K0 0x9e3779b1u
#define CUT_K1 0x85ebca77u
#define CUT_K2 0xc2b2ae3du
#define CUT_K3 0x27d4eb2fu

#define SKETCH_LOW                                                                                 \
    0x7b1dcdafu, 0xa1b965f5u, 0x8009454fu, 0x724c81edu, 0x51a8749bu, 0x747ea2ebu, 0x1f4532e1u,     \
        0xc916ab3du, 0x41c98ac3u, 0x368cb0a7u, 0x3cb13d09u, 0x055bdef7u, 0xe0bbdb7bu, 0x983aa92fu, \
        0x00cc4d19u, 0x971d80abu

#define SKETCH_HIGH                                                                                \
    0xe220a839u, 0x6e789e6bu, 0x06c45d19u, 0xf88bb8a9u, 0x1b39896bu, 0x53cb9f0du, 0x2c829abfu,     \
        0xc584133bu, 0x3ee57891u, 0xf3b8488du, 0x657eecddu, 0xc2d326e1u, 0x8621a03fu, 0x8e1f7555u, \
        0xb54e0f17u, 0x84bb3f97u

/* Parts in plain C, for kernels that have none better. */
size_t rdc_scalar_first_at_least(const uint8_t *data, size_t from, size_t to, uint32_t threshold);
unsigned rdc_scalar_peaks(const uint32_t *maxima, unsigned reach);
uint64_t rdc_scalar_identity(const void *data, size_t size, const struct rdc_secret *secret);
void rdc_scalar_sketch(uint32_t least[RDC_SKETCH_LANES], const uint64_t *identities, size_t count);
bool rdc_scalar_trait_matches(const uint16_t *const planes[RDC_SKETCH_LANES],
                              const uint16_t traits[RDC_SKETCH_LANES], unsigned least,
                              uint16_t out_matches[RDC_MATCH_FILES]);

#endif
