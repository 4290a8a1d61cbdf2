/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/watch/dirty.h: the set of dirty places while events are coalesced. Used by the reader thread
 * only.
 */
#ifndef AGENT_WATCH_DIRTY_H
#define AGENT_WATCH_DIRTY_H

#include "agent/watch/watch.h"
#include "common/base/span.h"

struct dirty_place;

/* Zero-initialised is empty. */
struct dirty {
    struct dirty_place *places;
    size_t place_count;
    bool rescan; /* events were lost, or there were too many: the places say nothing any more */
};

void dirty_clear(struct dirty *dirty);
/* Above WATCH_PLACE_COUNT_MAX places it becomes "rescan". */
void dirty_add(struct dirty *dirty, const struct object *dir, struct span name);
void dirty_lost(struct dirty *dirty);
static inline bool dirty_is_empty(const struct dirty *dirty)
{
    return !dirty->rescan && dirty->place_count == 0;
}

/* Find out where the directories stand now, drop what is outside the root or private; empties @dirty.
 * NULL when nothing is left. */
struct watch_batch *dirty_resolve(struct dirty *dirty, const struct root *root);

#endif
