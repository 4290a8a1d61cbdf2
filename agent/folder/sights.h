/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/folder/sights.h: private to agent/folder: a set of places that must be looked at, each once
 * for its path, its directory and the file that was seen there.
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

/* @dir: the object of the directory that holds it, @file: as in struct named_place; NULL: not known. */
void sight_add(struct sight **sights, const char *path, const struct object *dir,
               const struct file_id *file);
/* Takes it out of its set; the place is the caller's. */
struct named_place sight_take(struct sight **sights, struct sight *sight);
void sights_clear(struct sight **sights);

#endif
