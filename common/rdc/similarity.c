/* SPDX-License-Identifier: Apache-2.0 */
#include "common/rdc/similarity.h"

#include <string.h>

void rdc_sketch_init(struct rdc_sketch *sketch)
{
    memset(sketch->least, 0xff, sizeof(sketch->least));
}

void rdc_sketch_add(struct rdc_sketch *sketch, const struct rdc_kernel *kernel,
                    const uint64_t *identities, size_t count)
{
    kernel->sketch(sketch->least, identities, count);
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
