/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/report/problems.h: what is wrong now, for the status: each with its object, cause and remedy.
 *
 * A problem is set by whoever meets it and cleared by whoever sees it gone; setting it again counts
 * and keeps the first time. Bounded: beyond PROBLEM_COUNT_MAX the last entry says how many more.
 */
#ifndef AGENT_REPORT_PROBLEMS_H
#define AGENT_REPORT_PROBLEMS_H

#include "common/base/instant.h"
#include "common/base/status.h"

#include "proto/fleet.pb-c.h"

#include <stdbool.h>
#include <stddef.h>

struct problem {
    char *key;    /* identifies it among others: "root", "file:docs/a.txt" */
    char *object; /* for people, control bytes escaped */
    char *cause;
    char *remedy;
    struct walltime since;
    struct walltime last; /* set again */
    uint64_t count;
};

struct problems {
    struct problem *items;
    size_t count;
    uint64_t beyond; /* set when full, not kept */
};

void problems_fini(struct problems *problems);

/* Returns true when it was not there or had another cause: worth a log line. */
bool problem_set(struct problems *problems, struct walltime now, const char *key,
                 const char *object, const char *cause, const char *remedy);
/* Returns true when it was there. */
bool problem_clear(struct problems *problems, const char *key);
/* Clears those whose key begins with @prefix and that were last set more than @age_ms ago: of what
 * comes from outside, or is met again by each scan, nobody sees that it is gone. */
void problem_expire(struct problems *problems, const char *prefix, struct walltime now,
                    int64_t age_ms);

/* As proto messages; one allocation tree, freed by problems_proto_free(). */
void problems_to_proto(const struct problems *problems, size_t *out_count,
                       Coterie__V1__Problem ***out_items);
void problems_proto_free(size_t count, Coterie__V1__Problem **items);

#endif
