/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/sim/model/keep.h: how a member becomes a local state; for the files behind locals.h.
 */
#ifndef TESTS_SIM_MODEL_KEEP_H
#define TESTS_SIM_MODEL_KEEP_H

#include "tests/sim/model/locals.h"

/* A member on its way to become a local state. */
struct fresh {
    struct member member;
    uint64_t made;
    uint64_t gone;
    unsigned change_count;
};

struct fresh locals_fresh(const struct locals *locals, unsigned at, uint32_t seat);
/* The seat of this member, whose local state is new or there already. */
uint32_t locals_keep(struct locals *locals, unsigned at, struct fresh *take_fresh);
struct local *locals_item(const struct locals *locals, unsigned at, uint32_t seat);
unsigned locals_name_count(const struct locals *locals);

#endif
