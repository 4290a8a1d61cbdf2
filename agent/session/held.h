/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/session/held.h: updates of one partner that could not be put in place yet, by name, for the
 * status.
 *
 * Pure. An update that settles as not done is offered again in a later round; then its name is
 * known. Bounded: beyond HELD_COUNT_MAX only the first ones are remembered.
 */
#ifndef AGENT_SESSION_HELD_H
#define AGENT_SESSION_HELD_H

#include "agent/version/update.h"
#include "common/base/instant.h"
#include "common/base/limits.h"

struct held_update {
    struct gvsn gvsn;
    struct instant since;
    char *name; /* printable; NULL until it was offered again */
};

/* {0} is empty. */
struct held {
    struct held_update updates[HELD_COUNT_MAX];
    size_t count;
};

void held_clear(struct held *held); /* everything is in place, or the session is over */

/* The update arrived, again perhaps. */
void held_offered(struct held *held, const struct update *update);
/* It settled: @done, or to be offered again. */
void held_settled(struct held *held, const struct gvsn *gvsn, bool done, struct instant now);

/* The name that has waited longest, borrowed until the next call; NULL: none. @out_ms: how long. */
const char *held_longest(const struct held *held, struct instant now, int64_t *out_ms);

#endif
