/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/watch/dirty.h"

#include "common/base/limits.h"
#include "common/base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

/* Object and name lie together, zero-padded: together they are the key. */
struct dirty_key {
    struct object dir;
    char name[NAME_SIZE_MAX + 1];
};

struct dirty_place {
    struct dirty_key key;
    UT_hash_handle hh;
};

void dirty_clear(struct dirty *dirty)
{
    struct dirty_place *place;
    struct dirty_place *next;

    HASH_ITER(hh, dirty->places, place, next)
    {
        HASH_DEL(dirty->places, place);
        free(place);
    }
    *dirty = (struct dirty){0};
}

void dirty_lost(struct dirty *dirty)
{
    dirty_clear(dirty);
    dirty->rescan = true;
}

void dirty_add(struct dirty *dirty, const struct object *dir, struct span name)
{
    struct dirty_key key = {.dir = *dir};
    struct dirty_place *place;

    if (dirty->rescan || name.size > NAME_SIZE_MAX)
        return;
    memcpy(key.name, name.data, name.size);
    HASH_FIND(hh, dirty->places, &key, sizeof(key), place);
    if (place)
        return;
    if (dirty->place_count == WATCH_PLACE_COUNT_MAX) {
        dirty_lost(dirty);
        return;
    }
    place = MEM_NEW(struct dirty_place);
    place->key = key;
    HASH_ADD(hh, dirty->places, key, sizeof(place->key), place);
    dirty->place_count++;
}

static void add_place(struct watch_batch *batch, const struct object *dir, const char *dir_path,
                      const char *name)
{
    batch->places[batch->place_count++] = (struct watch_place){
        .dir = *dir,
        .dir_path = mem_copy_string(dir_path),
        .name = mem_copy_string(name),
    };
}

static int by_directory(const struct dirty_place *a, const struct dirty_place *b)
{
    return memcmp(&a->key, &b->key, sizeof(a->key));
}

struct watch_batch *dirty_resolve(struct dirty *dirty, const struct root *root)
{
    struct watch_batch *batch = MEM_NEW(struct watch_batch);
    struct object last = {0};
    char *path = NULL;
    enum root_located located = ROOT_LOCATED_GONE;
    struct dirty_place *place;
    struct dirty_place *next;
    bool is_top;

    batch->rescan = dirty->rescan;
    batch->places = mem_new(dirty->place_count, sizeof(*batch->places));
    /* each directory is located once */
    HASH_SORT(dirty->places, by_directory);
    HASH_ITER(hh, dirty->places, place, next)
    {
        if (last.size == 0 || !object_equal(&last, &place->key.dir)) {
            free(path);
            path = NULL;
            last = place->key.dir;
            located = root_locate(root, &last, &path);
        }
        is_top = path && path[0] == '\0';
        if (located == ROOT_LOCATED_INSIDE &&
            !(is_top && strcmp(place->key.name, PRIVATE_DIR_NAME) == 0))
            add_place(batch, &last, path, place->key.name);
    }
    free(path);
    dirty_clear(dirty);
    if (batch->rescan || batch->place_count > 0)
        return batch;
    watch_batch_free(batch);
    return NULL;
}
