/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/watch/places.h: the set of dirty places that events are coalesced into. Bounded: what does not
 * fit any more becomes "rescan".
 */
#ifndef AGENT_WATCH_PLACES_H
#define AGENT_WATCH_PLACES_H

#include "agent/replica/store.h"

struct place_item {
    struct object object; /* of the directory; with @is_self of the thing itself */
    char *name;           /* "" for the directory itself */
    bool is_self;         /* the event told no directory and no name */
    bool is_new_dir;      /* something came to stand there that is a directory */
};

struct places {
    struct place_item *items;
    size_t count;
    size_t capacity;
    uint32_t *slots; /* index + 1 into items; 0: free */
    size_t slot_count;
    bool rescan;
};

void places_fini(struct places *places);
void places_clear(struct places *places);

/* Add one, or merge it with the same one. @name_size bytes, no NUL needed. */
void places_add(struct places *places, const struct object *object, struct span name, bool is_self,
                bool is_new_dir);
/* Events were lost: the places mean nothing any more. */
void places_overflow(struct places *places);

static inline bool places_is_empty(const struct places *places)
{
    return places->count == 0 && !places->rescan;
}

/* Bring the items of one directory together. The set takes no more until it is cleared. */
void places_group(struct places *places);

#endif
