/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/attributes/identity.h: users and groups, between this machine's numbers and names.
 *
 * A number without a name here is called "#N". The other way, "#N" means N only when N has no name
 * here either, and never 0: a number that means somebody on this machine is not what its sender
 * meant.
 *
 * The name service may be slow (sssd, winbind): answers are kept for IDENTITY_KEPT_MS in a small cache
 * of each thread. Blocks.
 */
#ifndef AGENT_ATTRIBUTES_IDENTITY_H
#define AGENT_ATTRIBUTES_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

#define IDENTITY_SIZE 256 /* with the final NUL */

enum identity_kind { IDENTITY_USER, IDENTITY_GROUP };

struct identity_name {
    char text[IDENTITY_SIZE];
};

/* "alice" or "#1234"; cannot fail. */
struct identity_name identity_name(enum identity_kind kind, uint32_t number);

/* False when the name means nobody here. identity_number(identity_name(n)) gives n for every n that has
 * a name of its own, and for every other n but 0. */
bool identity_number(enum identity_kind kind, const char *name, uint32_t *out_number);

/* A name that can be looked up and written into one line: not empty, no control bytes, no ':'. */
bool identity_name_is_valid(const char *name);

#endif
