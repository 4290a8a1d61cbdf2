/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/rdc/index.h: where an identity occurs in a list of identities.
 */
#ifndef COMMON_RDC_INDEX_H
#define COMMON_RDC_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rdc_index {
    const uint64_t *identities; /* borrowed */
    uint32_t count;
    uint64_t mask;   /* which bits of an identity are compared */
    uint32_t *slots; /* position + 1, 0 = empty */
    uint32_t slot_mask;
};

/* @identities outlives the index; only bits in @mask count. */
void rdc_index_init(struct rdc_index *x, const uint64_t *identities, uint32_t count, uint64_t mask);
void rdc_index_fini(struct rdc_index *x);

/*
 * Find an entry equal to @identity under the mask.
 *
 * @expected  where it is hoped to be; taken at once when it is there, so that a run of equal
 *            entries is found as a run; may lie beyond the end
 *
 * False when there is none. Of several, the first unless @expected is one.
 */
bool rdc_index_find(const struct rdc_index *x, uint64_t identity, uint32_t expected,
                    uint32_t *out_position);

#endif
