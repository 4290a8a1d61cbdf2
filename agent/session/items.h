/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/session/items.h: the intake's memory: items, who offered them, and lists by state.
 *
 * Only intake.c uses it. Every item is in exactly one list, that of its state; counters of each
 * source follow the moves. Items keep their address until items_remove().
 */
#ifndef AGENT_SESSION_ITEMS_H
#define AGENT_SESSION_ITEMS_H

#include "agent/session/intake.h"
#include "agent/session/version_map.h"

enum item_state {
    ITEM_JUDGE,
    ITEM_WAIT,
    ITEM_HELD,
    ITEM_FETCH,
    ITEM_FETCH_LARGE,
    ITEM_FETCHING,
    ITEM_READY,
    ITEM_PLANNED,
    ITEM_STATE_COUNT,
};

/* A sender's vector in one round, shared by all items offered in it. */
struct round_vector {
    unsigned reference_count;
    struct vector vector;
};
struct round_vector *round_vector_share(struct round_vector *shared);
void round_vector_release(struct round_vector *shared); /* NULL allowed */

struct source {
    struct source *next;
    intake_source name;
    struct round_vector *vector; /* of the running round; NULL: the next offer brings it */
    bool ended;
    bool is_standing_off;   /* what waits at the end of this round does so in vain */
    bool failed;            /* a transfer or a plan did in this round */
    uint32_t busy_count;    /* of its offers: under way, */
    uint32_t waiting_count; /* or waiting (WAIT, HELD) */
    uint32_t active_count;  /* transfers */
    uint32_t failure_count; /* since the last good transfer */
};

/* One source's offer of an item. */
struct bid {
    struct source *source;
    struct round_vector *vector;
    bool failed; /* its transfer did */
};

struct item {
    struct item *prev;
    struct item *next;
    struct item *sibling; /* another update of the same file */
    enum item_state state;
    uint64_t arrival;
    struct update update;
    struct bid *bids;
    size_t bid_count;
    struct source *fetch_source;
    struct round_vector *vector; /* the one it was judged with */
    uint64_t stage;              /* 0: no content yet */
    struct object object;
    unsigned attempt_count; /* plans that it made fail */
    bool failed;            /* waits for a local change, no longer for other updates */
    bool in_vain;           /* judged as such */
    bool batched;
};

struct item_list {
    struct item *first;
    struct item *last;
};

struct items {
    struct item_list lists[ITEM_STATE_COUNT];
    struct version_map by_gvsn;
    struct version_map by_file; /* first of the siblings */
    struct source *sources;
    uint64_t arrival_last;
};

void items_fini(struct items *items);

struct source *items_source(struct items *items, intake_source name); /* NULL: unknown */
struct source *items_add_source(struct items *items, intake_source name);
/* No item may have a bid of it any more. */
void items_remove_source(struct items *items, struct source *source);

struct item *items_get(const struct items *items, const struct gvsn *gvsn);
struct item *items_of_file(const struct items *items, const struct file_id *id);
/* In state JUDGE, without bids. */
struct item *items_add(struct items *items, const struct update *update);
/* Frees it; stages and settlements are the caller's matter. */
void items_remove(struct items *items, struct item *item);
void items_move(struct items *items, struct item *item, enum item_state to);

struct bid *item_bid(struct item *item, const struct source *source); /* NULL: none */
void item_add_bid(struct item *item, struct source *source);          /* in its round's vector */
void item_remove_bid(struct item *item, const struct source *source);

#endif
