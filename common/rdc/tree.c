/* SPDX-License-Identifier: Apache-2.0 */
#include "common/rdc/tree.h"

#include "common/base/mem.h"

#include <stdlib.h>
#include <xxhash.h>

#define LEVEL_COUNT_SMALL 24u /* not worth another level */

static uint64_t mix(uint64_t x)
{
    x ^= x >> 33;
    x *= UINT64_C(0xff51afd7ed558ccd);
    x ^= x >> 33;
    x *= UINT64_C(0xc4ceb9fe1a85ec53);
    return x ^ x >> 33;
}

/* Does entry @i start a group by its own right? Leftmost of equals wins. */
static bool starts_group(const uint64_t *mixed, uint32_t count, uint32_t i)
{
    for (uint32_t d = 1; d <= RDC_GROUP_REACH; d++) {
        if (i >= d && mixed[i - d] >= mixed[i])
            return false;
        if (i + d < count && mixed[i + d] > mixed[i])
            return false;
    }
    return true;
}

static struct rdc_level group(const struct rdc_level *below)
{
    uint64_t *mixed = mem_new(below->count, sizeof(*mixed));
    uint64_t *identities = mem_new(below->count, sizeof(*identities));
    uint32_t *first = mem_new((size_t)below->count + 1, sizeof(*first));
    uint32_t count = 0;
    uint32_t start = 0;

    for (uint32_t i = 0; i < below->count; i++)
        mixed[i] = mix(below->identities[i]);
    for (uint32_t i = 1; i <= below->count; i++) {
        if (i < below->count && i - start < RDC_GROUP_MAX && !starts_group(mixed, below->count, i))
            continue;
        identities[count] =
            XXH3_64bits(below->identities + start, (i - start) * sizeof(*identities));
        first[count++] = start;
        start = i;
    }
    first[count] = below->count;
    free(mixed);
    return (struct rdc_level){
        .count = count,
        .identities = mem_resize(identities, count, sizeof(*identities)),
        .first = mem_resize(first, (size_t)count + 1, sizeof(*first)),
    };
}

void rdc_tree_init(struct rdc_tree *tree, const struct rdc_signature *signature)
{
    *tree = (struct rdc_tree){0};
    tree->levels[0] = (struct rdc_level){
        .count = signature->chunk_count,
        .identities = signature->identities,
    };
    while (tree->top < RDC_TREE_DEPTH_MAX && tree->levels[tree->top].count > LEVEL_COUNT_SMALL) {
        tree->levels[tree->top + 1] = group(&tree->levels[tree->top]);
        tree->top += 1;
    }
}

void rdc_tree_fini(struct rdc_tree *tree)
{
    for (unsigned level = 1; level <= tree->top; level++) {
        free((void *)(uintptr_t)tree->levels[level].identities);
        free((void *)(uintptr_t)tree->levels[level].first);
    }
    *tree = (struct rdc_tree){0};
}

void rdc_tree_chunks(const struct rdc_tree *tree, unsigned level, uint32_t index,
                     uint32_t *out_first, uint32_t *out_end)
{
    uint32_t first = index;
    uint32_t end = index + 1;

    for (; level > 0; level--) {
        first = tree->levels[level].first[first];
        end = tree->levels[level].first[end];
    }
    *out_first = first;
    *out_end = end;
}
