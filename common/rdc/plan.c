/* SPDX-License-Identifier: Apache-2.0 */
#include "common/rdc/plan.h"

#include "common/base/mem.h"
#include "common/rdc/frame.h"

#include <assert.h>
#include <stdlib.h>

static void add_item(struct rdc_items *items, struct rdc_item item)
{
    struct rdc_item *last = items->count > 0 ? &items->items[items->count - 1] : NULL;

    if (last && last->seed == item.seed &&
        (item.seed == RDC_UNKNOWN || last->offset + last->length == item.offset)) {
        last->length += item.length;
        return;
    }
    if (items->count == items->capacity) {
        items->capacity = items->capacity + items->capacity / 2 + 64;
        items->items = mem_resize(items->items, items->capacity, sizeof(*items->items));
    }
    items->items[items->count++] = item;
}

/* Known items before the next unknown one stay as they are. */
static void keep_known(struct rdc_plan *plan)
{
    while (plan->item_at < plan->items.count &&
           plan->items.items[plan->item_at].seed != RDC_UNKNOWN)
        add_item(&plan->next, plan->items.items[plan->item_at++]);
}

static void begin_level(struct rdc_plan *plan)
{
    for (unsigned i = 0; i < plan->seed_count; i++) {
        struct rdc_plan_seed *seed = &plan->seeds[i];
        const struct rdc_level *level = &seed->tree.levels[plan->level];

        rdc_index_fini(&seed->index);
        if (seed->signature && plan->level <= seed->tree.top)
            rdc_index_init(&seed->index, level->identities, level->count,
                           frame_hash_mask(plan->hash_width));
        seed->expected = 0;
    }
    plan->next.count = 0;
    plan->item_at = 0;
    plan->entries = 0;
    plan->need_count = 0;
    plan->skipped = 0;
    plan->need_open = false;
    keep_known(plan);
}

void rdc_plan_init(struct rdc_plan *plan, const struct rdc_signature *const *signatures,
                   unsigned count, unsigned level)
{
    assert(count <= RDC_SEED_COUNT_MAX && level <= RDC_TREE_DEPTH_MAX);
    plan->seed_count = count;
    plan->level = level;
    for (unsigned i = 0; i < count; i++) {
        plan->seeds[i].signature = signatures[i];
        if (signatures[i])
            rdc_tree_init(&plan->seeds[i].tree, signatures[i]);
    }
    add_item(&plan->items, (struct rdc_item){.seed = RDC_UNKNOWN, .length = 1});
    begin_level(plan);
}

void rdc_plan_fini(struct rdc_plan *plan)
{
    for (unsigned i = 0; i < plan->seed_count; i++) {
        rdc_tree_fini(&plan->seeds[i].tree);
        rdc_index_fini(&plan->seeds[i].index);
    }
    free(plan->items.items);
    free(plan->next.items);
    free(plan->needs);
    *plan = (struct rdc_plan){0};
}

static bool find(struct rdc_plan *plan, uint64_t identity, unsigned *out_seed, uint32_t *out_entry)
{
    for (unsigned i = 0; i < plan->seed_count; i++) {
        unsigned k = (plan->last_seed + i) % plan->seed_count;
        struct rdc_plan_seed *seed = &plan->seeds[k];

        if (seed->index.count > 0 &&
            rdc_index_find(&seed->index, identity, seed->expected, out_entry)) {
            *out_seed = k;
            return true;
        }
    }
    return false;
}

static void add_need(struct rdc_plan *plan)
{
    if (plan->need_open) {
        plan->needs[plan->need_count - 1].take += 1;
        return;
    }
    if (plan->need_count == plan->need_capacity) {
        plan->need_capacity = plan->need_capacity + plan->need_capacity / 2 + 64;
        plan->needs = mem_resize(plan->needs, plan->need_capacity, sizeof(*plan->needs));
    }
    plan->needs[plan->need_count++] = (struct rdc_need){.skip = plan->skipped, .take = 1};
    plan->skipped = 0;
    plan->need_open = true;
}

static void add_entry(struct rdc_plan *plan, uint64_t identity)
{
    unsigned k;
    uint32_t entry;

    if (!find(plan, identity, &k, &entry)) {
        for (unsigned i = 0; i < plan->seed_count; i++)
            plan->seeds[i].expected += 1;
        add_item(&plan->next, (struct rdc_item){.seed = RDC_UNKNOWN, .length = 1});
        add_need(plan);
        return;
    }
    struct rdc_plan_seed *seed = &plan->seeds[k];
    uint32_t first;
    uint32_t end;
    rdc_tree_chunks(&seed->tree, plan->level, entry, &first, &end);
    uint64_t offset = rdc_signature_offset(seed->signature, first);
    uint64_t length = 0;
    for (uint32_t i = first; i < end; i++)
        length += seed->signature->lengths[i];
    add_item(&plan->next, (struct rdc_item){.seed = k, .offset = offset, .length = length});
    seed->expected = entry + 1;
    plan->last_seed = k;
    plan->skipped += 1;
    plan->need_open = false;
}

enum status rdc_plan_hashes(struct rdc_plan *plan, struct reader *body)
{
    while (reader_ok(body) && body->rest.size > 0) {
        uint64_t head = reader_varint(body);
        uint64_t count = head / 4;
        bool same = head & 2;

        if (!reader_ok(body) || count == 0 || count > plan->entries_max - plan->entries ||
            (same ? 1 : count) > body->rest.size / plan->hash_width ||
            rdc_plan_level_complete(plan))
            return ST_BADDATA;
        uint64_t hash = 0;
        for (uint64_t i = 0; i < count; i++) {
            if (!same || i == 0)
                hash = reader_hash(body, plan->hash_width);
            add_entry(plan, hash);
        }
        plan->entries += count;
        if (head % 2 == 0) {
            plan->item_at += 1;
            plan->need_open = false;
            keep_known(plan);
        }
    }
    return reader_ok(body) ? ST_OK : ST_BADDATA;
}

bool rdc_plan_level_complete(const struct rdc_plan *plan)
{
    return plan->item_at == plan->items.count;
}

bool rdc_plan_needs(const struct rdc_plan *plan)
{
    return plan->need_count > 0;
}

bool rdc_plan_has_chunk(const struct rdc_plan *plan, const uint64_t *hashes, size_t count,
                        unsigned width)
{
    struct rdc_index wanted;
    bool found = false;
    uint32_t place;

    rdc_index_init(&wanted, hashes, (uint32_t)count, frame_hash_mask(width));
    for (unsigned i = 0; i < plan->seed_count && !found; i++) {
        const struct rdc_signature *signature = plan->seeds[i].signature;

        for (uint32_t k = 0; signature && k < signature->chunk_count && !found; k++)
            found = rdc_index_find(&wanted, signature->identities[k], UINT32_MAX, &place);
    }
    rdc_index_fini(&wanted);
    return found;
}

bool rdc_plan_all_unknown(const struct rdc_plan *plan)
{
    assert(rdc_plan_level_complete(plan));
    return plan->next.count == 1 && plan->next.items[0].seed == RDC_UNKNOWN;
}

/* What the level brought becomes the plan. */
static void take_next(struct rdc_plan *plan)
{
    struct rdc_items done = plan->items;

    plan->items = plan->next;
    plan->next = done;
}

unsigned rdc_plan_width_below(const struct rdc_plan *plan, uint64_t size)
{
    uint64_t asked = 0;
    uint64_t known = 1;

    assert(rdc_plan_level_complete(plan));
    if (plan->level == 0)
        return 0;
    for (size_t i = 0; i < plan->need_count; i++)
        asked += plan->needs[i].take;
    for (unsigned i = 0; i < plan->seed_count; i++) {
        const struct rdc_plan_seed *seed = &plan->seeds[i];

        if (seed->signature && plan->level - 1 <= seed->tree.top)
            known += seed->tree.levels[plan->level - 1].count;
    }
    return frame_hash_width(asked * RDC_GROUP_MEAN, known, size);
}

void rdc_plan_descend(struct rdc_plan *plan, unsigned hash_width)
{
    assert(plan->level > 0 && rdc_plan_level_complete(plan));
    plan->hash_width = hash_width;
    take_next(plan);
    plan->level -= 1;
    begin_level(plan);
}

void rdc_plan_settle(struct rdc_plan *plan)
{
    assert(rdc_plan_level_complete(plan));
    take_next(plan);
    for (unsigned i = 0; i < plan->seed_count; i++) {
        rdc_tree_fini(&plan->seeds[i].tree);
        rdc_index_fini(&plan->seeds[i].index);
    }
    free(plan->next.items);
    plan->next = (struct rdc_items){0};
}
