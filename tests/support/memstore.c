/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/memstore.h"

#include "common/base/mem.h"

#include <assert.h>
#include <stdlib.h>

/* One write, undone in reverse: what the record was, or that there was none. */
struct undo {
    struct file_id id;
    bool was_there;
    struct record record;
};

struct intents {
    struct intent *items;
    size_t count;
};

struct memstore {
    bool fold;
    struct table *table;
    struct replica_state state;
    struct replica_state durable_state;
    bool has_state;
    bool has_durable_state;
    struct intents intents;
    struct intents durable_intents;
    struct undo *undos;
    size_t undo_count;
    size_t undo_capacity;
    bool writing;
    bool has_failed;
    unsigned fail_commit_in;
    uint64_t commit_count;
};

static void intents_clear(struct intents *intents)
{
    for (size_t i = 0; i < intents->count; i++)
        intent_fini(&intents->items[i]);
    free(intents->items);
    *intents = (struct intents){0};
}

static void intents_add(struct intents *intents, const struct intent *intent)
{
    intents->items = mem_resize(intents->items, intents->count + 1, sizeof(*intents->items));

    struct intent *added = &intents->items[intents->count++];

    *added = (struct intent){.object = intent->object};
    update_copy(&added->update, &intent->update);
}

static void intents_copy(struct intents *to, const struct intents *from)
{
    intents_clear(to);
    for (size_t i = 0; i < from->count; i++)
        intents_add(to, &from->items[i]);
}

static void forget_undos(struct memstore *store)
{
    for (size_t i = 0; i < store->undo_count; i++)
        record_fini(&store->undos[i].record);
    store->undo_count = 0;
}

static void remember(struct memstore *store, const struct file_id *id)
{
    const struct record *have = table_get(store->table, id);

    if (store->undo_count == store->undo_capacity) {
        store->undo_capacity = store->undo_capacity == 0 ? 16 : store->undo_capacity * 2;
        store->undos = mem_resize(store->undos, store->undo_capacity, sizeof(*store->undos));
    }

    struct undo *undo = &store->undos[store->undo_count++];

    *undo = (struct undo){.id = *id, .was_there = have != NULL};
    if (have != NULL)
        record_copy(&undo->record, have);
}

/* Back to what the last commit left. */
static void roll_back(struct memstore *store)
{
    for (size_t i = store->undo_count; i-- > 0;) {
        if (store->undos[i].was_there)
            table_put(store->table, &store->undos[i].record);
        else
            table_remove(store->table, &store->undos[i].id);
    }
    forget_undos(store);
    replica_state_copy(&store->state, &store->durable_state);
    store->has_state = store->has_durable_state;
    intents_copy(&store->intents, &store->durable_intents);
    store->writing = false;
}

static bool answer(const struct memstore *store, const struct record *found, struct record *out)
{
    if (store->has_failed || found == NULL)
        return false;
    record_copy(out, found);
    return true;
}

static bool op_get(void *arg, const struct file_id *id, struct record *out)
{
    struct memstore *store = arg;

    return answer(store, table_get(store->table, id), out);
}

static bool op_get_by_name(void *arg, const struct file_id *parent, struct span name,
                           struct record *out)
{
    struct memstore *store = arg;

    return answer(store, table_by_name(store->table, parent, name), out);
}

static bool op_get_by_object(void *arg, const struct object *object, struct record *out)
{
    struct memstore *store = arg;

    return answer(store, table_by_object(store->table, object), out);
}

static bool op_next_child(void *arg, const struct file_id *parent, const struct file_id *after,
                          struct record *out)
{
    struct memstore *store = arg;

    return answer(store, table_next_child(store->table, parent, after), out);
}

static bool op_next_record(void *arg, const struct file_id *after, struct record *out)
{
    struct memstore *store = arg;

    return answer(store, table_next(store->table, after), out);
}

static bool op_next_version(void *arg, const struct guid *database, struct interval numbers,
                            struct record *out)
{
    struct memstore *store = arg;

    return answer(store, table_next_version(store->table, database, numbers), out);
}

static bool op_next_parked(void *arg, const struct file_id *after, struct record *out)
{
    struct memstore *store = arg;

    return answer(store, table_next_parked(store->table, after), out);
}

static bool op_next_expired(void *arg, uint64_t clock, struct record *out)
{
    struct memstore *store = arg;
    const struct record *oldest = NULL;

    for (const struct record *record = table_next(store->table, NULL); record != NULL;
         record = table_next(store->table, &record->update.id)) {
        if (!record->update.present && record->update.clock < clock &&
            (oldest == NULL || record->update.clock < oldest->update.clock))
            oldest = record;
    }
    return answer(store, oldest, out);
}

static bool op_get_state(void *arg, struct replica_state *out)
{
    struct memstore *store = arg;

    if (store->has_failed || !store->has_state)
        return false;
    replica_state_copy(out, &store->state);
    return true;
}

static bool op_get_intent(void *arg, size_t index, struct intent *out)
{
    struct memstore *store = arg;

    if (store->has_failed || index >= store->intents.count)
        return false;
    update_copy(&out->update, &store->intents.items[index].update);
    out->object = store->intents.items[index].object;
    return true;
}

static void op_begin(void *arg)
{
    struct memstore *store = arg;

    assert(!store->writing);
    store->writing = true;
}

static void op_put(void *arg, const struct record *record)
{
    struct memstore *store = arg;

    assert(store->writing);
    assert(update_problem(&record->update) == NULL);
    remember(store, &record->update.id);
    table_put(store->table, record);
}

static void op_forget(void *arg, const struct file_id *id)
{
    struct memstore *store = arg;

    assert(store->writing);
    remember(store, id);
    table_remove(store->table, id);
}

static void op_put_state(void *arg, const struct replica_state *state)
{
    struct memstore *store = arg;

    assert(store->writing);
    replica_state_copy(&store->state, state);
    store->has_state = true;
}

static void op_put_intent(void *arg, const struct intent *intent)
{
    struct memstore *store = arg;

    assert(store->writing);
    intents_add(&store->intents, intent);
}

static void op_clear_intents(void *arg)
{
    struct memstore *store = arg;

    assert(store->writing);
    intents_clear(&store->intents);
}

static void op_abort(void *arg)
{
    struct memstore *store = arg;

    assert(store->writing);
    roll_back(store);
}

static enum status op_commit(void *arg)
{
    struct memstore *store = arg;

    assert(store->writing);
    if (store->fail_commit_in > 0 && --store->fail_commit_in == 0)
        store->has_failed = true;
    if (store->has_failed) {
        roll_back(store);
        return ST_IO;
    }
    forget_undos(store);
    replica_state_copy(&store->durable_state, &store->state);
    store->has_durable_state = store->has_state;
    intents_copy(&store->durable_intents, &store->intents);
    store->writing = false;
    store->commit_count++;
    return ST_OK;
}

static bool op_failed(void *arg)
{
    const struct memstore *store = arg;

    return store->has_failed;
}

static const struct store_ops memstore_ops = {
    .get = op_get,
    .get_by_name = op_get_by_name,
    .get_by_object = op_get_by_object,
    .next_child = op_next_child,
    .next_record = op_next_record,
    .next_version = op_next_version,
    .next_parked = op_next_parked,
    .next_expired = op_next_expired,
    .get_state = op_get_state,
    .get_intent = op_get_intent,
    .begin = op_begin,
    .put = op_put,
    .forget = op_forget,
    .put_state = op_put_state,
    .put_intent = op_put_intent,
    .clear_intents = op_clear_intents,
    .commit = op_commit,
    .abort = op_abort,
    .failed = op_failed,
};

struct memstore *memstore_new(bool fold)
{
    struct memstore *store = MEM_NEW(struct memstore);

    store->fold = fold;
    store->table = table_new(fold);
    return store;
}

void memstore_free(struct memstore *store)
{
    if (store == NULL)
        return;
    forget_undos(store);
    free(store->undos);
    table_free(store->table);
    replica_state_fini(&store->state);
    replica_state_fini(&store->durable_state);
    intents_clear(&store->intents);
    intents_clear(&store->durable_intents);
    free(store);
}

struct memstore *memstore_clone(const struct memstore *store)
{
    struct memstore *clone = memstore_new(store->fold);

    assert(!store->writing);
    for (const struct record *record = table_next(store->table, NULL); record != NULL;
         record = table_next(store->table, &record->update.id))
        table_put(clone->table, record);
    replica_state_copy(&clone->state, &store->durable_state);
    replica_state_copy(&clone->durable_state, &store->durable_state);
    clone->has_state = store->has_durable_state;
    clone->has_durable_state = store->has_durable_state;
    intents_copy(&clone->intents, &store->durable_intents);
    intents_copy(&clone->durable_intents, &store->durable_intents);
    return clone;
}

struct store memstore_port(struct memstore *store)
{
    return (struct store){.ops = &memstore_ops, .arg = store};
}

void memstore_crash(struct memstore *store)
{
    roll_back(store);
    store->has_failed = false;
}

void memstore_fail_commit(struct memstore *store, unsigned nth)
{
    store->fail_commit_in = nth;
}

const struct table *memstore_table(const struct memstore *store)
{
    return store->table;
}

uint64_t memstore_commit_count(const struct memstore *store)
{
    return store->commit_count;
}
