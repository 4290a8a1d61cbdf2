/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/rdc/plan.h: what the receiver knows of the content while it walks down the sender's tree.
 *
 * The content is a list of items in order: stretches of seeds, and unknown entries of the level
 * that was asked about last. Each level's hashes replace unknown entries by what they turn out to
 * be, until only chunks that no seed has are left: the literals.
 */
#ifndef COMMON_RDC_PLAN_H
#define COMMON_RDC_PLAN_H

#include "common/base/cursor.h"
#include "common/rdc/exchange.h"
#include "common/rdc/index.h"
#include "common/rdc/tree.h"

#define RDC_UNKNOWN UINT32_MAX

struct rdc_item {
    uint32_t seed;   /* RDC_UNKNOWN: length counts entries */
    uint64_t offset; /* in the seed */
    uint64_t length;
};

struct rdc_items {
    struct rdc_item *items;
    size_t count;
    size_t capacity;
};

/* Entries to be asked for, counted over the hashes that came last. */
struct rdc_need {
    uint64_t skip;
    uint64_t take;
};

struct rdc_plan_seed {
    const struct rdc_signature *signature; /* NULL: unusable */
    struct rdc_tree tree;
    struct rdc_index index; /* of the level under way */
    uint32_t expected;      /* entry that would go on with the last match */
};

struct rdc_plan {
    struct rdc_plan_seed seeds[RDC_SEED_COUNT_MAX];
    unsigned seed_count;
    unsigned level; /* whose hashes are expected */
    unsigned hash_width;
    uint64_t entries_max; /* no level has more */
    struct rdc_items items;

    /* a level's hashes on their way in */
    struct rdc_items next;
    size_t item_at;   /* item of the level above whose hashes are expected */
    uint64_t entries; /* of this level so far */
    unsigned last_seed;
    struct rdc_need *needs;
    size_t need_count;
    size_t need_capacity;
    uint64_t skipped; /* known entries since the last need */
    bool need_open;   /* the last entry was unknown, in the same run */
};

/* Expect the hashes of @level, all of them. The signatures outlive the plan; NULL entries are left
 * out. */
void rdc_plan_init(struct rdc_plan *plan, const struct rdc_signature *const *signatures,
                   unsigned count, unsigned level);
void rdc_plan_fini(struct rdc_plan *plan);

/*
 * Take the body of a HASHES frame.
 *
 * ST_BADDATA when it is malformed, has more entries than a file of that size, or goes on after
 * the level is complete.
 */
NODISCARD enum status rdc_plan_hashes(struct rdc_plan *plan, struct reader *body);

/* Every unknown entry of the level above has its hashes. */
bool rdc_plan_level_complete(const struct rdc_plan *plan);

/* Is anything unknown left? */
bool rdc_plan_needs(const struct rdc_plan *plan);

/* Does any seed have a chunk whose hash is among @hashes, cut to @width bytes? */
bool rdc_plan_has_chunk(const struct rdc_plan *plan, const uint64_t *hashes, size_t count,
                        unsigned width);

/* Did the level that is complete hold nothing known? */
bool rdc_plan_all_unknown(const struct rdc_plan *plan);

/* How wide the hashes of the level below must be for content of @size bytes, once the level is
 * complete; 0 at level 0. */
unsigned rdc_plan_width_below(const struct rdc_plan *plan, uint64_t size);

/* Go on to the level below, after the needs were sent: its hashes come @hash_width bytes wide. Not
 * at level 0. */
void rdc_plan_descend(struct rdc_plan *plan, unsigned hash_width);

/* The walk is over, at any level: items are the content, unknown ones literals. Trees and indexes
 * are freed. */
void rdc_plan_settle(struct rdc_plan *plan);

#endif
