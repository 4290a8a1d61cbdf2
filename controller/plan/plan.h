/* SPDX-License-Identifier: Apache-2.0 */
/*
 * controller/plan/plan.h: from a topology to one assignment for each computer.
 *
 * Pure and deterministic: the same directory content gives byte-identical assignments, whatever
 * the order in which it was read, so any number of controllers agree without talking.
 *
 * What is decided here: which connections of a folder are served (both ends live, the sender not
 * read-only), the schedule in force (connection's, else group's, else always open), who counts as
 * the partner (principals), and defaults. What is broken was found in controller/topology; here it
 * only makes a folder "held back" with its problem.
 */
#ifndef CONTROLLER_PLAN_PLAN_H
#define CONTROLLER_PLAN_PLAN_H

#include "common/model/assignment.h"
#include "controller/topology/topology.h"

struct plan_options {
    const char *realm;   /* appended to principals as "@REALM"; NULL or "": none is */
    uint64_t generation; /* put into each assignment */
};

/* A computer that is a member of at least one group. */
struct plan_computer {
    struct guid computer; /* objectGUID of the account */
    char *name;           /* dNSHostName, or the account's name where it has none */
    char **principals;    /* it is who authenticates as any of these */
    size_t principal_count;
    struct assignment *assignment; /* NULL when it would exceed ASSIGNMENT_SIZE_MAX: a finding says
                                    * so, and the agent keeps the one it has */
};

struct plan {
    struct plan_computer *computers; /* ascending by GUID */
    size_t computer_count;
    struct findings findings; /* of planning alone: what exceeds the limits of an assignment */
};

/* @topology has been checked. Each assignment has its digest and passes assignment_decode(). */
struct plan *plan_make(const struct topology *topology, const struct plan_options *options);
void plan_free(struct plan *plan); /* NULL allowed */

/* The computer that authenticates as @principal; NULL when none does, or more than one. Borrowed.
 */
const struct plan_computer *plan_find(const struct plan *plan, const char *principal);

#endif
