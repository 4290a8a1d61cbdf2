/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/session/version_map.h: from a version (a gvsn, or a file id written as one) to a pointer.
 *
 * Open addressing with linear probing; grows, never shrinks. Zero-initialised is empty. Versions
 * come from partners, who choose their bits: the hash is seeded by nothing, so a hostile sender can
 * make probes long, but never longer than its own credits.
 */
#ifndef AGENT_SESSION_VERSION_MAP_H
#define AGENT_SESSION_VERSION_MAP_H

#include "agent/version/version.h"

#include <stddef.h>

struct version_slot {
    struct gvsn key;
    void *value;
    bool used;
};

struct version_map {
    struct version_slot *slots;
    size_t capacity; /* 0 or a power of two, at least twice count */
    size_t count;
};

void version_map_fini(struct version_map *map);

/* The slot of @key, or NULL. Borrowed until the map changes. */
struct version_slot *version_map_get(const struct version_map *map, const struct gvsn *key);
/* Sets the value of @key, new or not. */
void version_map_put(struct version_map *map, const struct gvsn *key, void *value);
/* Returns whether it was there. */
bool version_map_remove(struct version_map *map, const struct gvsn *key);

static inline struct gvsn version_of_file(const struct file_id *id)
{
    return (struct gvsn){.database = id->database, .number = id->number};
}

#endif
