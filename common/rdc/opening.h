/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/rdc/opening.h: what a receiver says first, and what a sender concludes from it. Private to
 * send.c.
 */
#ifndef COMMON_RDC_OPENING_H
#define COMMON_RDC_OPENING_H

#include "common/rdc/form.h"
#include "common/rdc/tree.h"

/* A seed of the receiver's. */
struct rdc_offer {
    uint64_t size;
    bool hash_known;
    uint8_t id[FRAME_ID_SIZE]; /* the beginning of its SHA-256 */
};

struct rdc_opening {
    uint64_t size;        /* of the content that it expects */
    uint64_t delay_bytes; /* what a round trip costs */
    uint32_t key_check;
    unsigned seed_count;
    struct rdc_offer seeds[RDC_SEED_COUNT_MAX];
    struct rdc_told told;
};

/* Take the body of an OPEN frame; false when it is malformed. */
bool rdc_opening_read(struct rdc_opening *out, struct span body);
void rdc_opening_fini(struct rdc_opening *opening);

/* From now on the exchange is about a form of @size bytes, and that of the told seed: its size is
 * not known, but the two will differ by as much as the contents do. */
void rdc_opening_inflate(struct rdc_opening *opening, uint64_t size);

/* Would asking cost more than sending? */
bool rdc_opening_is_small(const struct rdc_opening *opening);

/* Bytes of each hash when all of @level are sent. */
unsigned rdc_opening_hash_width(const struct rdc_opening *opening, const struct rdc_tree *tree,
                                unsigned level);

/*
 * The level whose hashes are sent unasked. A level costs its entries; each level below costs, for
 * every changed place, about one and a half groups of hashes, and a round trip.
 */
unsigned rdc_opening_level(const struct rdc_opening *opening, const struct rdc_tree *tree);

/*
 * How many chunks' hashes are shown beside the first level. Dense edits leave no group of chunks
 * equal, as no resemblance at all does; a sample of chunks tells them apart before all hashes
 * travel.
 */
uint32_t rdc_opening_sample(const struct rdc_signature *signature);

#endif
