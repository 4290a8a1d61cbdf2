/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/session/items.h"

#include "common/base/mem.h"

#include <assert.h>
#include <stdlib.h>

struct round_vector *round_vector_share(struct round_vector *shared)
{
    shared->reference_count++;
    return shared;
}

void round_vector_release(struct round_vector *shared)
{
    if (!shared || --shared->reference_count > 0)
        return;
    vector_fini(&shared->vector);
    free(shared);
}

static bool is_waiting(enum item_state state)
{
    return state == ITEM_WAIT || state == ITEM_HELD;
}

static void count(struct source *source, enum item_state state, uint32_t step)
{
    if (is_waiting(state))
        source->waiting_count += step;
    else
        source->busy_count += step;
}

static void count_bids(struct item *item, uint32_t step)
{
    for (size_t i = 0; i < item->bid_count; i++)
        count(item->bids[i].source, item->state, step);
}

static void list_append(struct item_list *list, struct item *item)
{
    item->next = NULL;
    item->prev = list->last;
    if (list->last)
        list->last->next = item;
    else
        list->first = item;
    list->last = item;
}

static void list_take(struct item_list *list, struct item *item)
{
    if (item->prev)
        item->prev->next = item->next;
    else
        list->first = item->next;
    if (item->next)
        item->next->prev = item->prev;
    else
        list->last = item->prev;
}

void items_fini(struct items *items)
{
    for (int state = 0; state < ITEM_STATE_COUNT; state++) {
        while (items->lists[state].first)
            items_remove(items, items->lists[state].first);
    }
    while (items->sources)
        items_remove_source(items, items->sources);
    version_map_fini(&items->by_gvsn);
    version_map_fini(&items->by_file);
}

struct source *items_source(struct items *items, intake_source name)
{
    struct source *source = items->sources;

    while (source && source->name != name)
        source = source->next;
    return source;
}

struct source *items_add_source(struct items *items, intake_source name)
{
    struct source *source = MEM_NEW(struct source);

    source->name = name;
    source->next = items->sources;
    items->sources = source;
    return source;
}

void items_remove_source(struct items *items, struct source *source)
{
    struct source **place = &items->sources;

    assert(source->busy_count == 0 && source->waiting_count == 0);
    while (*place != source)
        place = &(*place)->next;
    *place = source->next;
    round_vector_release(source->vector);
    free(source);
}

struct item *items_get(const struct items *items, const struct gvsn *gvsn)
{
    const struct version_slot *slot = version_map_get(&items->by_gvsn, gvsn);

    return slot ? slot->value : NULL;
}

struct item *items_of_file(const struct items *items, const struct file_id *id)
{
    struct gvsn key = version_of_file(id);
    const struct version_slot *slot = version_map_get(&items->by_file, &key);

    return slot ? slot->value : NULL;
}

struct item *items_add(struct items *items, const struct update *update)
{
    struct item *item = MEM_NEW(struct item);
    struct gvsn file = version_of_file(&update->id);

    update_copy(&item->update, update);
    item->arrival = ++items->arrival_last;
    item->sibling = items_of_file(items, &update->id);
    version_map_put(&items->by_file, &file, item);
    version_map_put(&items->by_gvsn, &update->gvsn, item);
    list_append(&items->lists[ITEM_JUDGE], item);
    return item;
}

static void forget_sibling(struct items *items, struct item *item)
{
    struct gvsn file = version_of_file(&item->update.id);
    struct item *first = items_of_file(items, &item->update.id);

    if (first == item) {
        if (item->sibling)
            version_map_put(&items->by_file, &file, item->sibling);
        else
            version_map_remove(&items->by_file, &file);
        return;
    }
    while (first->sibling != item)
        first = first->sibling;
    first->sibling = item->sibling;
}

void items_remove(struct items *items, struct item *item)
{
    count_bids(item, (uint32_t)-1);
    list_take(&items->lists[item->state], item);
    forget_sibling(items, item);
    version_map_remove(&items->by_gvsn, &item->update.gvsn);
    for (size_t i = 0; i < item->bid_count; i++)
        round_vector_release(item->bids[i].vector);
    round_vector_release(item->vector);
    free(item->bids);
    update_fini(&item->update);
    free(item);
}

void items_move(struct items *items, struct item *item, enum item_state to)
{
    count_bids(item, (uint32_t)-1);
    list_take(&items->lists[item->state], item);
    item->state = to;
    list_append(&items->lists[to], item);
    count_bids(item, 1);
}

struct bid *item_bid(struct item *item, const struct source *source)
{
    for (size_t i = 0; i < item->bid_count; i++) {
        if (item->bids[i].source == source)
            return &item->bids[i];
    }
    return NULL;
}

void item_add_bid(struct item *item, struct source *source)
{
    item->bids = mem_resize(item->bids, item->bid_count + 1, sizeof(*item->bids));
    item->bids[item->bid_count++] = (struct bid){
        .source = source,
        .vector = round_vector_share(source->vector),
    };
    count(source, item->state, 1);
}

void item_remove_bid(struct item *item, const struct source *source)
{
    struct bid *bid = item_bid(item, source);

    assert(bid);
    count(bid->source, item->state, (uint32_t)-1);
    round_vector_release(bid->vector);
    *bid = item->bids[--item->bid_count];
}
