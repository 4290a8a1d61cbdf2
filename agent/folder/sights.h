/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/folder/sights.h: private to agent/folder: a set of places that must be looked at, each once
 * for its path, its directory and where it came from.
 */
#ifndef AGENT_FOLDER_SIGHTS_H
#define AGENT_FOLDER_SIGHTS_H

#include "agent/folder/local.h"

#include <uthash.h>

/* The set is the pointer to one of them; NULL is empty. */
struct sight {
    struct named_place place;
    uint8_t *key;
    size_t key_size;
    UT_hash_handle hh;
};

/* @dir: the object of the directory that holds it; NULL: not known. @from: as in struct named_place. */
void sight_add(struct sight **sights, const char *path, const struct object *dir, const char *from);
/* Takes it out of its set; the place and its texts are the caller's. */
struct named_place sight_take(struct sight **sights, struct sight *sight);
void sights_clear(struct sight **sights);

#endif
