/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/rdc/similarity.h: which files of a folder look alike, by 32 bytes a file.
 *
 * A file's traits are sixteen 16-bit min-wise hashes of its chunks' identities: two files whose
 * chunk sets have the Jaccard similarity J share each trait with a chance of J. Two shared traits
 * make a candidate; the exchange then finds what is truly equal. The index holds the files of ONE
 * folder only: seeds never come from another access domain.
 */
#ifndef COMMON_RDC_SIMILARITY_H
#define COMMON_RDC_SIMILARITY_H

#include "common/rdc/kernel.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RDC_TRAIT_COUNT       RDC_SKETCH_LANES
#define RDC_TRAIT_MATCHES_MIN 2u

struct rdc_traits {
    uint16_t values[RDC_TRAIT_COUNT]; /* all zero: not computed */
};

/* The least value of each of sixteen hash functions so far. */
struct rdc_sketch {
    uint32_t least[RDC_TRAIT_COUNT];
};

void rdc_sketch_init(struct rdc_sketch *sketch);
void rdc_sketch_add(struct rdc_sketch *sketch, const struct rdc_kernel *kernel,
                    const uint64_t *identities, size_t count);
/* As if everything added to @other had been added to @sketch. */
void rdc_sketch_merge(struct rdc_sketch *sketch, const struct rdc_sketch *other);
/* Depends on the set of identities added, not on their order. Zero for the empty set only. */
struct rdc_traits rdc_sketch_traits(const struct rdc_sketch *sketch);

/* How many traits are equal: 0..RDC_TRAIT_COUNT; 0 when either was not computed. */
unsigned rdc_traits_matches(const struct rdc_traits *a, const struct rdc_traits *b);

struct rdc_likeness {
    uint64_t file;    /* the caller's name for it */
    unsigned matches; /* equal traits */
};

#define RDC_LIKENESSES_MAX 4u

/*
 * The files of one folder by their traits.
 *
 * Kept in memory, 40 bytes a file; a query looks at every file. Removed files leave holes, which
 * are closed when they are a quarter of all.
 */
struct rdc_similarity;

struct rdc_similarity *rdc_similarity_new(void);
void rdc_similarity_free(struct rdc_similarity *x);

/* Traits that were not computed are not taken in. A file may be put again: it is then there twice,
 * remove it first. */
void rdc_similarity_put(struct rdc_similarity *x, uint64_t file, const struct rdc_traits *traits);

/* Looks at every file; unknown ones are ignored. */
void rdc_similarity_remove(struct rdc_similarity *x, uint64_t file);

size_t rdc_similarity_count(const struct rdc_similarity *x);

/*
 * The files that share at least RDC_TRAIT_MATCHES_MIN traits, most alike first, older first of
 * equals; at most RDC_LIKENESSES_MAX.
 *
 * Returns how many. A candidate is a guess: unrelated files come up about once in ten million.
 */
unsigned rdc_similarity_find(const struct rdc_similarity *x, const struct rdc_traits *traits,
                             struct rdc_likeness out_likenesses[RDC_LIKENESSES_MAX]);

#endif
