/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/rdc/walk.h: the sender's walk down its tree: which entries of a level were sent, and which
 * of them the receiver wants to know more of. Private to send.c.
 */
#ifndef COMMON_RDC_WALK_H
#define COMMON_RDC_WALK_H

#include "common/base/buf.h"
#include "common/rdc/match.h"
#include "common/rdc/tree.h"

/* Consecutive entries of one tree level. */
struct rdc_run {
    uint32_t first;
    uint32_t count;
};

struct rdc_runs {
    struct rdc_run *items;
    size_t count;
    size_t capacity;
};

/* Zero-initialised is empty. */
struct rdc_walk {
    struct rdc_tree tree;
    unsigned level;
    unsigned hash_width;
    struct rdc_runs sent;
    struct rdc_runs wanted;
    size_t run_at; /* of those sent: how far they were written, or asked for */
    uint32_t entry_at;
};

/* @signature outlives the walk. */
void rdc_walk_init(struct rdc_walk *walk, const struct rdc_signature *signature);
void rdc_walk_fini(struct rdc_walk *walk);

/* Begin with all of @level, in hashes of @hash_width bytes. */
void rdc_walk_begin(struct rdc_walk *walk, unsigned level, unsigned hash_width);

/* Append hashes to the body of a HASHES frame until it is full; true when all have been. */
bool rdc_walk_write(struct rdc_walk *walk, struct buf *frame);

/* The receiver leaves out @skip of the entries sent and wants the next @take; false when there are
 * not so many, or not in one run. */
bool rdc_walk_ask(struct rdc_walk *walk, uint64_t skip, uint64_t take);

/* All that is wanted is known: its children come next. Not at level 0. */
void rdc_walk_descend(struct rdc_walk *walk, unsigned hash_width);

/* … at level 0: the wanted chunks are what travels, all others are copies. Returns how many runs of
 * them there are. */
uint64_t rdc_walk_moves(const struct rdc_walk *walk, struct rdc_moves *moves);

#endif
