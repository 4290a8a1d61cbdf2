/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/rdc/sliver_find.h: which slivers of its runs the sender finds named (sliver.h). Private to
 * the exchange.
 */
#ifndef COMMON_RDC_SLIVER_FIND_H
#define COMMON_RDC_SLIVER_FIND_H

#include "common/base/buf.h"
#include "common/rdc/signature.h"
#include "common/rdc/sliver.h"

/* Names as they came. Zero-initialised there are none. */
struct rdc_names {
    unsigned reach; /* 0: nothing came */
    unsigned width;
    struct buf gaps; /* checked */
    uint64_t gap_count;
    uint64_t count;
};

void rdc_names_fini(struct rdc_names *names);

/*
 * Take the body of a SLIVERS frame.
 *
 * False when it is malformed, differs from those before in reach or width, names gaps of more than
 * @run_count runs, or breaks RDC_SLIVERS_BYTES_MAX.
 */
bool rdc_names_take(struct rdc_names *names, struct span body, uint64_t run_count, bool *out_last);

/* Slivers in a row that stand in a row in the bytes looked at. */
struct rdc_sliver_find {
    uint32_t at;
    uint32_t size;
    uint32_t first;
    uint32_t count;
};

#define RDC_FIND_SIZE_MAX (64u << 10)

/* So many at most at once. */
uint32_t rdc_find_count_max(const struct rdc_names *names);

struct rdc_finder;

/* @names outlives it. */
struct rdc_finder *rdc_finder_new(const struct rdc_names *names, struct rdc_key key);
void rdc_finder_free(struct rdc_finder *f);

/* Go on to the first run, or the next; behind the last that has a gap there is nothing to find. */
void rdc_finder_next_run(struct rdc_finder *f);

/*
 * Look at the run's next bytes, at most RDC_FIND_SIZE_MAX.
 *
 * @out  ascending and apart in @bytes; room for rdc_find_count_max()
 *
 * Returns how many.
 */
uint32_t rdc_finder_look(struct rdc_finder *f, struct span bytes, struct rdc_sliver_find *out);

#endif
