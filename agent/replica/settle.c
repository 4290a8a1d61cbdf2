/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making plans durable: intents before the first step, records after the last one that was done.
 */
#include "agent/replica/plan.h"

#include "common/base/scope.h"

#include <assert.h>

/*
 * A record that a step parks is marked as parked ahead of the step: an object in the private
 * directory that the records do not call parked would look like a deleted file after a crash. One
 * that is called parked and still stands in the tree is simply seen there (replica_observe()).
 * Moving changes the witness, and after a crash nobody could tell the new one: marked ahead, it is
 * not checked.
 */
static void mark_parked(const struct plan *plan, size_t from_step, enum place place)
{
    const struct store *store = &plan->replica->options.store;

    for (size_t i = from_step; i < plan->step_count; i++) {
        scope(record) struct record record = {0};

        if (plan->steps[i].kind != STEP_PARK ||
            !store->ops->get(store->arg, &plan->steps[i].id, &record) ||
            record.place == PLACE_NOWHERE || record.place == place)
            continue;
        record.place = place;
        record.witness =
            place == PLACE_PARKED ? (struct witness){0} : plan->steps[i].expect_witness;
        store->ops->put(store->arg, &record);
    }
}

enum status replica_intend(struct plan *plan)
{
    const struct store *store = &plan->replica->options.store;

    if (plan->step_count == 0)
        return ST_OK;
    store->ops->begin(store->arg);
    store->ops->clear_intents(store->arg);
    for (size_t i = 0; i < plan->entry_count; i++) {
        const struct entry *entry = &plan->entries[i];

        if (entry->kind != ENTRY_PUT || entry->step_count == 0 ||
            entry->record.place == PLACE_PARKED)
            continue;

        const struct intent intent = {
            .update = entry->record.update,
            .object = entry->record.object,
        };

        store->ops->put_intent(store->arg, &intent);
    }
    mark_parked(plan, 0, PLACE_PARKED);
    plan->intended = true;
    return store->ops->commit(store->arg);
}

/* The record of an entry as it is to be stored, with what its step has shown. */
static void put_result(const struct store *store, const struct entry *entry,
                       const struct step_result *results)
{
    scope(record) struct record record = {0};

    record_copy(&record, &entry->record);
    if (entry->result != NO_STEP && results[entry->result].object.size > 0) {
        record.object = results[entry->result].object;
        record.witness = results[entry->result].witness;
    }
    store->ops->put(store->arg, &record);
}

/* Write what took effect after @done steps; returns how many fresh versions that were. */
static size_t apply(const struct plan *plan, const struct step_result *results, size_t done,
                    struct replica_state *state, enum settled *out_settled)
{
    const struct store *store = &plan->replica->options.store;
    size_t issued = 0;

    for (size_t i = 0; i < plan->entry_count && plan->entries[i].step_count <= done; i++) {
        const struct entry *entry = &plan->entries[i];
        const struct gvsn *gvsn = &entry->record.update.gvsn;

        switch (entry->kind) {
        case ENTRY_PUT:
            put_result(store, entry, results);
            if (!entry->is_fresh)
                break;
            issued += vector_add(&state->vector, gvsn);
            if (gvsn->number > state->number_last)
                state->number_last = gvsn->number;
            break;
        case ENTRY_FORGET:
            store->ops->forget(store->arg, &entry->record.update.id);
            break;
        case ENTRY_CLAIM:
            vector_add(&state->vector, &entry->gvsn);
            out_settled[entry->offer_index] = SETTLED_DONE;
            break;
        }
    }
    return issued;
}

static size_t count_done(const struct plan *plan, const struct step_result *results, size_t count)
{
    size_t done = 0;

    assert(count <= plan->step_count);
    while (done < count && results[done].status == ST_OK)
        done++;
    return done;
}

enum status replica_settle(struct plan *plan, const struct step_result *results,
                           size_t result_count, enum settled *out_settled, size_t *out_issued)
{
    struct replica *replica = plan->replica;
    const struct store *store = &replica->options.store;
    size_t done = count_done(plan, results, result_count);
    struct replica_state state = {0};
    enum status st = ST_OK;

    for (size_t i = 0; i < plan->offer_count; i++)
        out_settled[i] = plan->verdicts[i] == SETTLED_DONE ? SETTLED_AGAIN : plan->verdicts[i];
    *out_issued = 0;
    if (plan->entry_count > 0 || plan->intended) {
        replica_state_copy(&state, &replica->state);
        store->ops->begin(store->arg);
        if (plan->intended) {
            mark_parked(plan, done, PLACE_TREE);
            store->ops->clear_intents(store->arg);
        }
        *out_issued = apply(plan, results, done, &state, out_settled);
        st = replica_commit(replica, &state);
    }
    for (size_t i = 0; st != ST_OK && i < plan->offer_count; i++)
        out_settled[i] = SETTLED_AGAIN;
    plan_free(plan);
    return st;
}
