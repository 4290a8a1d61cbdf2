/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers that are never issued twice (rule 6), whatever the database is restored from.
 *
 * A life begins above the greatest number that we know and at the second that it is, so a later life is
 * above an earlier one that the database has forgotten; and at a random distance, so that even with a
 * clock that went back too, two lives do not meet.
 */
#include "agent/replica/engine.h"

#include "common/base/mem.h"
#include "common/base/scope.h"

#include <stdlib.h>

#define LIFE_SCATTER_MASK UINT64_C(0xfffff)

static uint64_t scatter(const struct guid *random)
{
    uint64_t value;

    memcpy(&value, random->bytes, sizeof(value));
    return (value ^ value >> 32) & LIFE_SCATTER_MASK;
}

uint64_t life_begin(const struct replica_options *options, uint64_t number)
{
    uint64_t life = (number >> VERSION_LIFE_BITS) + 1;
    int64_t now_s = options->now.ns / NS_PER_SEC;

    if (now_s > 0 && (uint64_t)now_s > life)
        life = (uint64_t)now_s;
    life += scatter(&options->fresh_database);
    /* Only a broken store comes so far; its numbers go on as they are. */
    return life > VERSION_LIFE_MAX ? number : life << VERSION_LIFE_BITS;
}

/* The greatest number of our database in @v; 0: none. */
static uint64_t greatest_own(const struct vector *v, const struct guid *database)
{
    for (size_t i = 0; i < v->entry_count; i++) {
        const struct vector_entry *entry = &v->entries[i];

        if (guid_equal(&entry->database, database))
            return entry->intervals[entry->interval_count - 1].high;
    }
    return 0;
}

bool replica_went_back(const struct replica *replica)
{
    return !vector_covers(&replica->state.vector, &replica->lost);
}

/* What of our own database is lacking in our vector and not in the partner's. */
static void note_lost(struct replica *replica, const struct vector *partner_vector)
{
    const struct guid *own = &replica->state.database;
    bool is_news = !replica_went_back(replica);
    struct vector lacking = {0};

    vector_difference(partner_vector, &replica->state.vector, &lacking);
    for (size_t i = 0; i < lacking.entry_count; i++) {
        const struct vector_entry *entry = &lacking.entries[i];

        for (size_t k = 0; guid_equal(&entry->database, own) && k < entry->interval_count; k++)
            vector_add_interval(&replica->lost, own, entry->intervals[k]);
    }
    vector_fini(&lacking);
    if (is_news && replica_went_back(replica))
        log_warn(replica->options.log, "the database has gone back: partners know of newer changes by "
                                       "this member, which come again");
}

void replica_heard(struct replica *replica, const struct vector *partner_vector)
{
    struct replica_state *state = &replica->state;
    uint64_t greatest = greatest_own(partner_vector, &state->database);

    if (greatest == 0)
        return;
    if (greatest > state->number_last)
        state->number_last = life_begin(&replica->options, greatest);
    note_lost(replica, partner_vector);
}

/* --- renaming --- */

static void rename_version(struct guid *database, const struct guid *from, const struct guid *to)
{
    if (guid_equal(database, from))
        *database = *to;
}

static void rename_update(struct update *u, const struct guid *from, const struct guid *to)
{
    rename_version(&u->id.database, from, to);
    rename_version(&u->gvsn.database, from, to);
    rename_version(&u->parent.database, from, to);
    rename_version(&u->merged_into.database, from, to);
}

static void rename_records(const struct store *store, const struct guid *from,
                           const struct guid *to)
{
    scope(record) struct record record = {0};
    struct file_id last;
    const struct file_id *after = NULL;

    while (store->ops->next_record(store->arg, after, &record)) {
        last = record.update.id;
        after = &last;
        rename_update(&record.update, from, to);
        if (!file_id_equal(&record.update.id, &last))
            store->ops->forget(store->arg, &last);
        store->ops->put(store->arg, &record);
    }
}

/* At most as many as a plan has. */
static void rename_intents(const struct store *store, const struct guid *from,
                           const struct guid *to)
{
    struct intent *intents = NULL;
    struct intent intent = {0};
    size_t count = 0;

    while (store->ops->get_intent(store->arg, count, &intent)) {
        intents = mem_resize(intents, count + 1, sizeof(*intents));
        intents[count++] = intent;
        intent = (struct intent){0};
    }
    store->ops->clear_intents(store->arg);
    for (size_t i = 0; i < count; i++) {
        rename_update(&intents[i].update, from, to);
        store->ops->put_intent(store->arg, &intents[i]);
        intent_fini(&intents[i]);
    }
    free(intents);
}

void life_rename(const struct store *store, struct replica_state *state, const struct guid *to)
{
    struct vector renamed = {0};

    rename_records(store, &state->database, to);
    rename_intents(store, &state->database, to);
    for (size_t i = 0; i < state->vector.entry_count; i++) {
        const struct vector_entry *entry = &state->vector.entries[i];
        const struct guid *database =
            guid_equal(&entry->database, &state->database) ? to : &entry->database;

        for (size_t k = 0; k < entry->interval_count; k++)
            vector_add_interval(&renamed, database, entry->intervals[k]);
    }
    vector_fini(&state->vector);
    state->vector = renamed;
}
