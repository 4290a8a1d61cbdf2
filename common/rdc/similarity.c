/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hash function t of identity x is (low(x) * a[t] + high(x) * b[t]) mod 2^32, whose least value
 * over the chunks is kept: sixteen lanes that any vector unit does at once. The multipliers are
 * odd and drawn once from SplitMix64 with the seed 0; they are part of the stored form.
 */
#include "common/rdc/similarity.h"

#include <string.h>

struct multipliers {
    uint32_t low[RDC_TRAIT_COUNT];
    uint32_t high[RDC_TRAIT_COUNT];
};

static const struct multipliers MULTIPLIERS = {
    .low = {0x7b1dcdafu, 0xa1b965f5u, 0x8009454fu, 0x724c81edu, 0x51a8749bu, 0x747ea2ebu,
            0x1f4532e1u, 0xc916ab3du, 0x41c98ac3u, 0x368cb0a7u, 0x3cb13d09u, 0x055bdef7u,
            0xe0bbdb7bu, 0x983aa92fu, 0x00cc4d19u, 0x971d80abu},
    .high = {0xe220a839u, 0x6e789e6bu, 0x06c45d19u, 0xf88bb8a9u, 0x1b39896bu, 0x53cb9f0du,
             0x2c829abfu, 0xc584133bu, 0x3ee57891u, 0xf3b8488du, 0x657eecddu, 0xc2d326e1u,
             0x8621a03fu, 0x8e1f7555u, 0xb54e0f17u, 0x84bb3f97u},
};

void rdc_sketch_init(struct rdc_sketch *sketch)
{
    memset(sketch->least, 0xff, sizeof(sketch->least));
}

void rdc_sketch_add(struct rdc_sketch *sketch, uint64_t identity)
{
    uint32_t low = (uint32_t)identity;
    uint32_t high = (uint32_t)(identity >> 32);

    for (unsigned t = 0; t < RDC_TRAIT_COUNT; t++) {
        uint32_t hash = low * MULTIPLIERS.low[t] + high * MULTIPLIERS.high[t];

        sketch->least[t] = hash < sketch->least[t] ? hash : sketch->least[t];
    }
}

/* Spread the least value, whose high bits are nearly always zero, over 16 bits. */
static uint16_t trait_of(uint32_t least)
{
    uint32_t x = least;

    x ^= x >> 16;
    x *= 0x85ebca6bu;
    x ^= x >> 13;
    x *= 0xc2b2ae35u;
    x ^= x >> 16;
    return (uint16_t)x;
}

struct rdc_traits rdc_sketch_traits(const struct rdc_sketch *sketch)
{
    struct rdc_traits traits = {0};
    struct rdc_sketch empty;
    bool any = false;

    rdc_sketch_init(&empty);
    if (memcmp(&empty, sketch, sizeof(empty)) == 0)
        return traits;
    for (unsigned t = 0; t < RDC_TRAIT_COUNT; t++) {
        traits.values[t] = trait_of(sketch->least[t]);
        any |= traits.values[t] != 0;
    }
    if (!any)
        traits.values[0] = 1;
    return traits;
}

unsigned rdc_traits_matches(const struct rdc_traits *a, const struct rdc_traits *b)
{
    static const struct rdc_traits none = {0};
    unsigned matches = 0;

    if (memcmp(a, &none, sizeof(none)) == 0 || memcmp(b, &none, sizeof(none)) == 0)
        return 0;
    for (unsigned t = 0; t < RDC_TRAIT_COUNT; t++)
        matches += a->values[t] == b->values[t];
    return matches;
}
