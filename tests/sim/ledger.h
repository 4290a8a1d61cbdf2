/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/sim/ledger.h: every content that a user ever wrote, and what became of it.
 *
 * The oracle of "nothing is lost", independent of the core: a content may vanish only when a user
 * overwrote or deleted that very content on some member's disk. Every other content must stand in
 * the tree or in some member's preserve area at the end.
 */
#ifndef TESTS_SIM_LEDGER_H
#define TESTS_SIM_LEDGER_H

#include "agent/version/update.h"

struct ledger_entry {
    bool destroyed; /* by a user who saw it */
    bool preserved; /* by a member, somewhere */
};

struct ledger {
    struct ledger_entry *entries; /* by content, from 1 */
    uint64_t count;
    uint64_t capacity;
};

void ledger_fini(struct ledger *ledger);
/* A content that differs from all others. */
uint64_t ledger_new_content(struct ledger *ledger);
void ledger_destroyed(struct ledger *ledger, uint64_t content); /* 0 is no content */
void ledger_preserved(struct ledger *ledger, uint64_t content);

/* What the content looks like to the core. */
uint64_t content_size(uint64_t content);
struct content_hash content_hash(uint64_t content); /* 0: all zero */

#endif
