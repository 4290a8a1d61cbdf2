/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/sim/model/pack.h: a member in a few hundred bytes, and its names exchanged for each other.
 *
 * Names are "a", "b", "c", and what the replica makes of them ("a.aside-1"). A *turn* is a
 * permutation of the letters; turn 0 changes nothing.
 */
#ifndef TESTS_SIM_MODEL_PACK_H
#define TESTS_SIM_MODEL_PACK_H

#include "tests/support/member.h"

enum { MODEL_NAMES_MAX = 3, TURN_COUNT_MAX = 6 };

/* How many turns there are of that many names. */
unsigned turn_count(unsigned name_count);
/* First @second, then @first. */
unsigned turn_after(unsigned first, unsigned second);
unsigned turn_back(unsigned turn);
/* The letter that a name gets for its first one; names of other things are left as they are. */
uint8_t turn_letter(unsigned turn, const uint8_t *name, size_t size);

struct packed {
    uint8_t *bytes;
    size_t size;
};

/* Between plans: nothing is staged. */
struct packed pack_member(const struct member *member);
/* The same member, with its names turned. @like: any member of that index, for what is not packed.
 */
void unpack_member(const struct packed *packed, const struct member *like, unsigned turn,
                   struct member *out_member);

#endif
