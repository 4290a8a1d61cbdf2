/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/support/users.h: people who change files on members, and the account of what they wrote.
 *
 * A content is owed from the moment it is written until somebody who sees it overwrites or deletes it:
 * an owed content must stand in a tree or be preserved somewhere, for ever.
 */
#ifndef TESTS_SUPPORT_USERS_H
#define TESTS_SUPPORT_USERS_H

#include "tests/support/member.h"

#define USERS_CONTENT_MAX 4096

struct users {
    struct random_source *random;
    unsigned name_count; /* how many names they choose from */
    uint64_t content_last;
    bool owed[USERS_CONTENT_MAX];
    bool trace;
};

/* One random change on the member's disk. */
void users_act(struct users *users, struct member *member);

/* The lowest content that is owed and neither stands nor is preserved at any member; 0: none. */
uint64_t users_lost(const struct users *users, const struct member *members, size_t count);

#endif
