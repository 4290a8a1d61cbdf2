/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/watch/places.h"

#include "common/base/limits.h"
#include "common/base/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void places_clear(struct places *places)
{
    for (size_t i = 0; i < places->count; i++)
        free(places->items[i].name);
    places->count = 0;
    places->rescan = false;
    if (places->slots)
        memset(places->slots, 0, places->slot_count * sizeof *places->slots);
}

void places_fini(struct places *places)
{
    places_clear(places);
    free(places->items);
    free(places->slots);
    *places = (struct places){0};
}

static uint32_t hash_bytes(uint32_t h, const void *data, size_t size)
{
    const uint8_t *bytes = data;

    for (size_t i = 0; i < size; i++)
        h = (h ^ bytes[i]) * 16777619u;
    return h;
}

static uint32_t hash(const struct object *object, struct span name, bool is_self)
{
    uint32_t h = hash_bytes(2166136261u, object->bytes, object->size);

    h = hash_bytes(h, name.data, name.size);
    return hash_bytes(h, &is_self, sizeof is_self);
}

static bool is_same(const struct place_item *item, const struct object *object, struct span name,
                    bool is_self)
{
    return item->is_self == is_self && object_equal(&item->object, object) &&
           span_equal(span_of_string(item->name), name);
}

/* The slot of this place, or the free one where it belongs. */
static size_t find(const struct places *places, const struct object *object, struct span name,
                   bool is_self)
{
    size_t at = hash(object, name, is_self) & (places->slot_count - 1);

    while (places->slots[at] && !is_same(&places->items[places->slots[at] - 1], object, name, is_self))
        at = (at + 1) & (places->slot_count - 1);
    return at;
}

/* Keep the slots at most half full. */
static void grow(struct places *places)
{
    size_t wanted = places->capacity ? 2 * places->capacity : 256;

    places->items = mem_resize(places->items, wanted, sizeof *places->items);
    places->capacity = wanted;
    free(places->slots);
    places->slot_count = 2 * wanted;
    places->slots = mem_new(places->slot_count, sizeof *places->slots);
    for (size_t i = 0; i < places->count; i++) {
        const struct place_item *item = &places->items[i];

        places->slots[find(places, &item->object, span_of_string(item->name), item->is_self)] =
            (uint32_t)i + 1;
    }
}

void places_add(struct places *places, const struct object *object, struct span name, bool is_self,
                bool is_new_dir)
{
    struct place_item *item;
    size_t at;

    if (places->rescan)
        return;
    if (places->count == places->capacity)
        grow(places);
    at = find(places, object, name, is_self);
    if (places->slots[at]) {
        places->items[places->slots[at] - 1].is_new_dir |= is_new_dir;
        return;
    }
    if (places->count == WATCH_PLACE_COUNT_MAX) {
        places_overflow(places);
        return;
    }
    item = &places->items[places->count++];
    *item = (struct place_item){.object = *object, .is_self = is_self, .is_new_dir = is_new_dir};
    item->name = mem_new(name.size + 1, 1);
    if (name.size > 0)
        memcpy(item->name, name.data, name.size);
    places->slots[at] = (uint32_t)places->count;
}

void places_overflow(struct places *places)
{
    places_clear(places);
    places->rescan = true;
}

static int compare(const void *a, const void *b)
{
    const struct place_item *x = a;
    const struct place_item *y = b;

    if (x->object.size != y->object.size)
        return x->object.size < y->object.size ? -1 : 1;
    return memcmp(x->object.bytes, y->object.bytes, x->object.size);
}

void places_group(struct places *places)
{
    if (places->count > 0)
        qsort(places->items, places->count, sizeof *places->items, compare);
}
