/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/sim/model/locals.h: all states that single members have come to, and what leads from one to
 * another.
 *
 * A *local state* is one member with its records, its disk, what it preserved, and what its users did. Equal
 * ones are kept once and have a number, so that a state of all members is a few numbers, and every
 * step of the real replica is carried out once: the result of a pull follows from the two local states that
 * take part in it, a user's change from one.
 *
 * Local states are equal when records, places, vectors, preserved contents and users' past are. Objects'
 * identities and time stamps are left out: they are names only. They are compared by 128 bits of a hash.
 */
#ifndef TESTS_SIM_MODEL_LOCALS_H
#define TESTS_SIM_MODEL_LOCALS_H

#include "tests/support/member.h"

enum {
    MODEL_MEMBERS_MAX = 3,
    MODEL_NAMES_MAX = 3,
    MODEL_CONTENT_MAX = 64,
    LOCAL_BITS = 20, /* of a local state's number */
};

enum change_kind { MAKE_FILE, MAKE_DIR, WRITE, DELETE, MOVE };

/* One change by a user: of the object @target, or in the directory @dir under a name. */
struct change {
    enum change_kind kind;
    uint64_t target;
    uint64_t dir;
    unsigned name;
    uint32_t result; /* the local state that follows */
};

struct local {
    struct member member;
    uint64_t made;          /* contents that users here made, one bit each */
    uint64_t gone;          /* contents that users here overwrote or deleted */
    unsigned change_count;  /* by users here */
    const char *problem;    /* a broken invariant; NULL: none */
    bool is_expanded;
    struct change *changes; /* valid when expanded */
    size_t change_choice_count;
};

enum pull_step {
    PULL_ROUND,  /* a whole round */
    PULL_UPDATE, /* the stream breaks after one plan of one update */
};

struct locals;

/* @members are in sync and taken over. @name_count: names that users choose from. */
struct locals *locals_new(struct member *members, unsigned member_count, unsigned name_count,
                          enum pull_step pull_step);
void locals_free(struct locals *locals);

/* The local state of that number, of member @at; stays as long as @locals. */
struct local *locals_get(const struct locals *locals, unsigned at, uint32_t number);
size_t locals_count(const struct locals *locals);
uint64_t locals_pull_count(const struct locals *locals); /* by the replica, not remembered */

/* What becomes of member @to, in local state @to_number, when it pulls from @from. */
uint32_t locals_pull(struct locals *locals, unsigned to, uint32_t to_number, unsigned from,
                     uint32_t from_number);
/* What becomes of member @at when what it has parked waits no longer. */
uint32_t locals_unpark(struct locals *locals, unsigned at, uint32_t number);
/* All changes that a user can make there. Borrowed until the next call. */
const struct change *locals_changes(struct locals *locals, unsigned at, uint32_t number,
                                    size_t *out_count);

#endif
