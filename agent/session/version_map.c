/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/session/version_map.h"

#include "common/base/mem.h"

#include <stdlib.h>

#define CAPACITY_FIRST 16

void version_map_fini(struct version_map *map)
{
    free(map->slots);
    *map = (struct version_map){0};
}

static uint64_t hash(const struct gvsn *key)
{
    uint64_t words[2];

    memcpy(words, key->database.bytes, sizeof(words));
    uint64_t h = (words[0] ^ key->number) * UINT64_C(0x9e3779b97f4a7c15);
    h = (h ^ (h >> 32) ^ words[1]) * UINT64_C(0xd6e8feb86659fd93);
    return h ^ (h >> 32);
}

/* Where @key is, or the free slot where it would go. */
static size_t find(const struct version_map *map, const struct gvsn *key)
{
    size_t at = hash(key) & (map->capacity - 1);

    while (map->slots[at].used && !gvsn_equal(&map->slots[at].key, key))
        at = (at + 1) & (map->capacity - 1);
    return at;
}

struct version_slot *version_map_get(const struct version_map *map, const struct gvsn *key)
{
    if (map->count == 0)
        return NULL;
    size_t at = find(map, key);
    return map->slots[at].used ? &map->slots[at] : NULL;
}

static void grow(struct version_map *map)
{
    struct version_map larger = {
        .capacity = map->capacity ? map->capacity * 2 : CAPACITY_FIRST,
        .count = map->count,
    };

    larger.slots = mem_new(larger.capacity, sizeof(*larger.slots));
    for (size_t i = 0; i < map->capacity; i++) {
        if (map->slots[i].used)
            larger.slots[find(&larger, &map->slots[i].key)] = map->slots[i];
    }
    free(map->slots);
    *map = larger;
}

void version_map_put(struct version_map *map, const struct gvsn *key, void *value)
{
    if ((map->count + 1) * 2 > map->capacity)
        grow(map);
    size_t at = find(map, key);
    if (!map->slots[at].used)
        map->count++;
    map->slots[at] = (struct version_slot){.key = *key, .value = value, .used = true};
}

bool version_map_remove(struct version_map *map, const struct gvsn *key)
{
    if (map->count == 0)
        return false;
    size_t mask = map->capacity - 1;
    size_t hole = find(map, key);
    if (!map->slots[hole].used)
        return false;

    /* Close the hole: whatever was pushed past it by probing moves back. */
    for (size_t at = (hole + 1) & mask; map->slots[at].used; at = (at + 1) & mask) {
        size_t home = hash(&map->slots[at].key) & mask;
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            map->slots[hole] = map->slots[at];
            hole = at;
        }
    }
    map->slots[hole] = (struct version_slot){0};
    map->count--;
    return true;
}
