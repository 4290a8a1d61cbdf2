/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/folder/sights.h"

#include "common/base/mem.h"

#include <stdlib.h>

void sight_add(struct sight **sights, const char *path, const struct object *dir,
               const struct file_id *file)
{
    static const struct object unknown;
    static const struct file_id none;
    const struct object *holder = dir ? dir : &unknown;
    const struct file_id *seen = file ? file : &none;
    size_t path_size = strlen(path);
    size_t key_size = path_size + 1 + sizeof(*seen) + holder->size;
    uint8_t *key = mem_new(key_size, 1);
    struct sight *sight;

    memcpy(key, path, path_size);
    memcpy(key + path_size + 1, seen, sizeof(*seen));
    memcpy(key + path_size + 1 + sizeof(*seen), holder->bytes, holder->size);
    HASH_FIND(hh, *sights, key, key_size, sight);
    if (sight) {
        free(key);
        return;
    }
    sight = MEM_NEW(struct sight);
    *sight = (struct sight){
        .place = {.path = mem_copy_string(path), .dir = *holder, .file = *seen},
        .key = key,
        .key_size = key_size};
    HASH_ADD_KEYPTR(hh, *sights, sight->key, sight->key_size, sight);
}

struct named_place sight_take(struct sight **sights, struct sight *sight)
{
    struct named_place place = sight->place;

    HASH_DEL(*sights, sight);
    free(sight->key);
    free(sight);
    return place;
}

void sights_clear(struct sight **sights)
{
    struct sight *place;
    struct sight *next;

    HASH_ITER(hh, *sights, place, next)
    {
        struct named_place taken = sight_take(sights, place);

        free(taken.path);
    }
}
