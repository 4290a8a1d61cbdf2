/* SPDX-License-Identifier: Apache-2.0 */
#include "common/rdc/index.h"

#include "common/base/mem.h"

#include <stdlib.h>

#define SLOTS_MIN 16u

static uint32_t slot_of(const struct rdc_index *x, uint64_t identity)
{
    return (uint32_t)((identity * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & x->slot_mask;
}

/* The slot that holds @identity, or the empty one where it belongs. */
static uint32_t probe(const struct rdc_index *x, uint64_t identity)
{
    uint32_t slot = slot_of(x, identity);

    while (x->slots[slot] && (x->identities[x->slots[slot] - 1] & x->mask) != identity)
        slot = (slot + 1) & x->slot_mask;
    return slot;
}

void rdc_index_init(struct rdc_index *x, const uint64_t *identities, uint32_t count, uint64_t mask)
{
    uint32_t slot_count = SLOTS_MIN;

    /* at most two thirds full */
    while (slot_count / 3 * 2 < count)
        slot_count *= 2;
    *x = (struct rdc_index){
        .identities = identities,
        .count = count,
        .mask = mask,
        .slots = mem_new(slot_count, sizeof(*x->slots)),
        .slot_mask = slot_count - 1,
    };
    for (uint32_t i = 0; i < count; i++) {
        uint32_t slot = probe(x, identities[i] & mask);

        if (!x->slots[slot])
            x->slots[slot] = i + 1;
    }
}

void rdc_index_fini(struct rdc_index *x)
{
    free(x->slots);
    *x = (struct rdc_index){0};
}

bool rdc_index_find(const struct rdc_index *x, uint64_t identity, uint32_t expected,
                    uint32_t *out_position)
{
    identity &= x->mask;
    if (expected < x->count && (x->identities[expected] & x->mask) == identity) {
        *out_position = expected;
        return true;
    }
    uint32_t slot = probe(x, identity);
    if (!x->slots[slot])
        return false;
    *out_position = x->slots[slot] - 1;
    return true;
}
