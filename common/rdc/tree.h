/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/rdc/tree.h: hashes over groups of chunk identities, level over level.
 *
 * Level 0 is a signature's identities. Level k+1 groups consecutive entries of level k: an entry
 * starts a group when its mixed value is the greatest among the RDC_GROUP_REACH entries on either
 * side, or when the group has reached RDC_GROUP_MAX. So groups, like chunks, depend on nearby
 * content only, and equal stretches of two files have equal groups whatever surrounds them. A
 * group's identity is XXH3-64 of its children's. A group has RDC_GROUP_MEAN children or so.
 */
#ifndef COMMON_RDC_TREE_H
#define COMMON_RDC_TREE_H

#include "common/base/limits.h"
#include "common/rdc/signature.h"

#define RDC_GROUP_REACH 8u
#define RDC_GROUP_MAX   64u
#define RDC_GROUP_MEAN  17u

struct rdc_level {
    uint32_t count;
    const uint64_t *identities;
    const uint32_t
        *first; /* child where each entry begins, and one more: the end; NULL at level 0 */
};

struct rdc_tree {
    unsigned top;                                    /* greatest level that exists */
    struct rdc_level levels[RDC_TREE_DEPTH_MAX + 1]; /* [0] borrowed from the signature */
};

/* @signature outlives the tree. Levels stop at RDC_TREE_DEPTH_MAX or when one is small. */
void rdc_tree_init(struct rdc_tree *tree, const struct rdc_signature *signature);
void rdc_tree_fini(struct rdc_tree *tree);

/* The chunks below entry @index of @level: [*out_first, *out_end). */
void rdc_tree_chunks(const struct rdc_tree *tree, unsigned level, uint32_t index,
                     uint32_t *out_first, uint32_t *out_end);

#endif
