/* SPDX-License-Identifier: Apache-2.0 */
/*
 * controller/fleet/refusals.h: who failed to authenticate lately, for the status.
 *
 * Anybody can fail to authenticate as often as they like, so this is bounded: one row for each
 * (host, principal), the oldest gives way, and a row goes when it has not happened again for a
 * while.
 */
#ifndef CONTROLLER_FLEET_REFUSALS_H
#define CONTROLLER_FLEET_REFUSALS_H

#include "common/base/instant.h"
#include "common/base/limits.h"
#include "controller/fleet/fleet.h"

struct refusal {
    char *host;      /* where from, without the port */
    char *principal; /* "" when it did not come that far */
    char *text;      /* the last cause, with its remedy */
    struct moment first;
    struct moment last;
    uint64_t count;
};

/* Zero-initialised is empty. */
struct refusals {
    struct refusal items[REFUSAL_COUNT_MAX];
    size_t count;
};

void refusals_fini(struct refusals *refusals);

/* @peer as gRPC names it, "ipv4:192.0.2.1:51234": the port changes with every try and is cut. */
void refusals_add(struct refusals *refusals, const char *peer, const char *principal,
                  const char *text, struct moment now);
/* Forgets what has not happened again for REFUSAL_KEPT_MS. */
void refusals_expire(struct refusals *refusals, struct instant now);

#endif
