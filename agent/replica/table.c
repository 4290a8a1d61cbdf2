/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/replica/table.h"

#include "agent/replica/order.h"
#include "common/base/mem.h"

#include <assert.h>
#include <stdlib.h>

/* In by_name and by_object only when present; in by_name only when in the tree. */
struct table {
    bool fold;
    struct order by_id;
    struct order by_name;   /* parent, name, id: two may share a name within a transaction */
    struct order by_child;  /* parent, id */
    struct order by_object; /* object, id: a hard link may be recorded twice for a moment */
    struct order by_version;
    struct order by_parked; /* id, of those only */
};

static uint8_t fold_byte(uint8_t byte)
{
    return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte + ('a' - 'A')) : byte;
}

int name_compare(struct span a, struct span b, bool fold)
{
    size_t common = a.size < b.size ? a.size : b.size;

    for (size_t i = 0; i < common; i++) {
        uint8_t x = fold ? fold_byte(a.data[i]) : a.data[i];
        uint8_t y = fold ? fold_byte(b.data[i]) : b.data[i];

        if (x != y)
            return x < y ? -1 : 1;
    }
    return (a.size > b.size) - (a.size < b.size);
}

static int compare_id(const void *a, const void *b)
{
    const struct record *x = a;
    const struct record *y = b;

    return file_id_compare(&x->update.id, &y->update.id);
}

static int compare_child(const void *a, const void *b)
{
    const struct record *x = a;
    const struct record *y = b;
    int order = file_id_compare(&x->update.parent, &y->update.parent);

    return order != 0 ? order : compare_id(a, b);
}

static int compare_place(const struct record *x, const struct record *y, bool fold)
{
    int order = file_id_compare(&x->update.parent, &y->update.parent);

    return order != 0 ? order
                      : name_compare(update_name(&x->update), update_name(&y->update), fold);
}

static int compare_name(const void *a, const void *b)
{
    int order = compare_place(a, b, false);

    return order != 0 ? order : compare_id(a, b);
}

static int compare_folded_name(const void *a, const void *b)
{
    int order = compare_place(a, b, true);

    return order != 0 ? order : compare_id(a, b);
}

static int compare_object(const void *a, const void *b)
{
    const struct record *x = a;
    const struct record *y = b;
    int order = (x->object.size > y->object.size) - (x->object.size < y->object.size);

    if (order == 0)
        order = memcmp(x->object.bytes, y->object.bytes, x->object.size);
    return order != 0 ? order : compare_id(a, b);
}

static int compare_version(const void *a, const void *b)
{
    const struct record *x = a;
    const struct record *y = b;
    int order = gvsn_compare(&x->update.gvsn, &y->update.gvsn);

    return order != 0 ? order : compare_id(a, b);
}

struct table *table_new(bool fold)
{
    struct table *table = MEM_NEW(struct table);

    table->fold = fold;
    order_init(&table->by_id, compare_id);
    order_init(&table->by_name, fold ? compare_folded_name : compare_name);
    order_init(&table->by_child, compare_child);
    order_init(&table->by_object, compare_object);
    order_init(&table->by_version, compare_version);
    order_init(&table->by_parked, compare_id);
    return table;
}

static void free_record(struct record *record)
{
    record_fini(record);
    free(record);
}

void table_free(struct table *table)
{
    struct record *record;

    if (table == NULL)
        return;
    order_fini(&table->by_name);
    order_fini(&table->by_child);
    order_fini(&table->by_object);
    order_fini(&table->by_version);
    order_fini(&table->by_parked);
    while ((record = order_first(&table->by_id)) != NULL) {
        order_remove(&table->by_id, record);
        free_record(record);
    }
    order_fini(&table->by_id);
    free(table);
}

static struct record *find(const struct table *table, const struct file_id *id)
{
    struct record key = {.update.id = *id};
    struct record *record = order_from(&table->by_id, &key);

    return record != NULL && file_id_equal(&record->update.id, id) ? record : NULL;
}

static void link_indexes(struct table *table, struct record *record)
{
    order_insert(&table->by_version, record);
    if (!record->update.present)
        return;
    order_insert(&table->by_child, record);
    if (record->place == PLACE_TREE)
        order_insert(&table->by_name, record);
    else if (record->place == PLACE_PARKED)
        order_insert(&table->by_parked, record);
    if (record->object.size > 0)
        order_insert(&table->by_object, record);
}

static void unlink_indexes(struct table *table, struct record *record)
{
    order_remove(&table->by_version, record);
    if (!record->update.present)
        return;
    order_remove(&table->by_child, record);
    if (record->place == PLACE_TREE)
        order_remove(&table->by_name, record);
    else if (record->place == PLACE_PARKED)
        order_remove(&table->by_parked, record);
    if (record->object.size > 0)
        order_remove(&table->by_object, record);
}

void table_put(struct table *table, const struct record *record)
{
    struct record *have = find(table, &record->update.id);

    if (have == NULL) {
        have = MEM_NEW(struct record);
        record_copy(have, record);
        order_insert(&table->by_id, have);
    } else {
        unlink_indexes(table, have);
        record_copy(have, record);
    }
    link_indexes(table, have);
}

void table_remove(struct table *table, const struct file_id *id)
{
    struct record *have = find(table, id);

    if (have == NULL)
        return;
    unlink_indexes(table, have);
    order_remove(&table->by_id, have);
    free_record(have);
}

size_t table_count(const struct table *table)
{
    return table->by_id.count;
}

const struct record *table_get(const struct table *table, const struct file_id *id)
{
    return find(table, id);
}

const struct record *table_by_name(const struct table *table, const struct file_id *parent,
                                   struct span name)
{
    struct record key = {.update.parent = *parent};

    assert(name.size <= NAME_SIZE_MAX);
    update_set_name(&key.update, name);

    const struct record *found = order_from(&table->by_name, &key);

    if (found == NULL || compare_place(found, &key, table->fold) != 0)
        return NULL;
    return found;
}

const struct record *table_by_object(const struct table *table, const struct object *object)
{
    struct record key = {.object = *object};
    const struct record *found = order_from(&table->by_object, &key);

    if (found == NULL || !object_equal(&found->object, object))
        return NULL;
    return found;
}

const struct record *table_next_child(const struct table *table, const struct file_id *parent,
                                      const struct file_id *after)
{
    static const struct file_id lowest;
    struct record key = {.update.parent = *parent, .update.id = after != NULL ? *after : lowest};
    const struct record *found =
        after != NULL ? order_after(&table->by_child, &key) : order_from(&table->by_child, &key);

    if (found == NULL || !file_id_equal(&found->update.parent, parent))
        return NULL;
    return found;
}

const struct record *table_next_version(const struct table *table, const struct guid *database,
                                        struct interval numbers)
{
    if (numbers.low == UINT64_MAX)
        return NULL;

    struct record key = {.update.gvsn = {.database = *database, .number = numbers.low + 1}};
    const struct record *found = order_from(&table->by_version, &key);

    if (found == NULL || !guid_equal(&found->update.gvsn.database, database) ||
        found->update.gvsn.number > numbers.high)
        return NULL;
    return found;
}

const struct record *table_next(const struct table *table, const struct file_id *after)
{
    if (after == NULL)
        return order_first(&table->by_id);

    struct record key = {.update.id = *after};

    return order_after(&table->by_id, &key);
}

const struct record *table_next_parked(const struct table *table, const struct file_id *after)
{
    if (after == NULL)
        return order_first(&table->by_parked);

    struct record key = {.update.id = *after};

    return order_after(&table->by_parked, &key);
}
