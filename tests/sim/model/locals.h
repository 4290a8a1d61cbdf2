/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/sim/model/locals.h: all states that single members have come to, and what leads from one to
 * another.
 *
 * A *local state* is one member with its records, its disk, what it preserved, and what its users
 * did. Equal ones are kept once and have a number, so that a state of all members is a few numbers,
 * and every step of the real replica is carried out once: the result of a pull follows from the two
 * local states that take part in it, a user's change from one.
 *
 * Local states are equal when records, places, vectors, preserved contents and users' past are.
 * Objects' identities and time stamps are left out: they are names only. They are compared by 128
 * bits of a hash.
 *
 * Names are alike too: no rule asks what a name is, only whether two are equal. So of local states
 * that differ only by a turn of the names (pack.h) one is kept, and a *seat* says which one is
 * meant: the number of the local state, and the turn that makes it that one; the least turn, where
 * several do.
 */
#ifndef TESTS_SIM_MODEL_LOCALS_H
#define TESTS_SIM_MODEL_LOCALS_H

#include "tests/sim/model/pack.h"

enum { MODEL_MEMBERS_MAX = 3, MODEL_CONTENT_MAX = 64, TURN_BITS = 3, LOCAL_BITS_MAX = 24 };

/* A seat: number << TURN_BITS | turn. */

enum change_kind { MAKE_FILE, MAKE_DIR, WRITE, DELETE, MOVE };

/* One change by a user: of the object @target, or in the directory @dir under a name. */
struct change {
    enum change_kind kind;
    uint64_t target;
    uint64_t dir;
    unsigned name;
    uint32_t result;
};

struct local {
    struct packed packed;
    uint64_t made;                      /* contents that users here made, one bit each */
    uint64_t gone;                      /* contents that users here overwrote or deleted */
    uint64_t found;                     /* contents that stand or are preserved here */
    unsigned change_count;              /* by users here */
    const char *problem;                /* a broken invariant; NULL: none */
    uint8_t least_turn[TURN_COUNT_MAX]; /* the turn that has the same effect */
    bool is_expanded;
    struct change *changes; /* valid when expanded */
    size_t change_choice_count;
};

struct locals_options {
    unsigned member_count;
    unsigned name_count;  /* that users choose from */
    bool names_are_alike; /* the first state does not tell them apart */
    bool by_update;       /* a pull ends after one plan of one update, else it is a whole round */
    unsigned number_bits; /* of local states' numbers */
};

struct locals;

/* @members are in sync and taken over; their seats are 0. */
struct locals *locals_new(const struct locals_options *options, struct member *members);
void locals_free(struct locals *locals);

/* Stays as long as @locals. */
const struct local *locals_get(const struct locals *locals, unsigned at, uint32_t seat);
/* The member itself, to look at; the caller's. */
void locals_member(const struct locals *locals, unsigned at, uint32_t seat,
                   struct member *out_member);
size_t locals_count(const struct locals *locals);
uint64_t locals_pull_count(const struct locals *locals); /* by the replica, not remembered */

/* The same with names turned. */
uint32_t locals_turn(const struct locals *locals, unsigned at, uint32_t seat, unsigned turn);
/* What becomes of member @to, in seat @to_seat, when it pulls from @from. */
uint32_t locals_pull(struct locals *locals, unsigned to, uint32_t to_seat, unsigned from,
                     uint32_t from_seat);
/* What becomes of member @at when what it has parked waits no longer. */
uint32_t locals_unpark(struct locals *locals, unsigned at, uint32_t seat);
/* All changes that a user can make, for turn 0 of the seat's local state. Borrowed until the next
 * call. */
const struct change *locals_changes(struct locals *locals, unsigned at, uint32_t seat,
                                    size_t *out_count);

#endif
