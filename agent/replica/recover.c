/* SPDX-License-Identifier: Apache-2.0 */
/*
 * After a crash or a broken session: what the disk shows of a plan that was not settled, and parked
 * files whose update did not come.
 */
#include "agent/replica/plan.h"

#include "common/base/mem.h"
#include "common/base/scope.h"

#include <assert.h>
#include <stdlib.h>

/* The record that an intent stands for. */
static void intended_record(const struct intent *intent, struct record *out)
{
    update_copy(&out->update, &intent->update);
    out->place = intent->update.present ? PLACE_TREE : PLACE_NOWHERE;
    out->object = intent->update.present ? intent->object : (struct object){0};
    out->witness = (struct witness){0};
}

/* The path at which the disk shows the intent, when all intents before it are done. */
static char *intent_path(const struct view *view, const struct intent *intent)
{
    scope(record) struct record record = {0};
    bool in_tree = false;

    intended_record(intent, &record);
    if (!intent->update.present) {
        scope(record) struct record standing = {0};

        if (view_get(view, &intent->update.id, &standing) && standing.place != PLACE_NOWHERE)
            return view_path(view, &standing, &in_tree);
    }
    return view_path(view, &record, &in_tree);
}

bool replica_intent(struct replica *replica, size_t index, struct intent *out_intent,
                    const char **out_path)
{
    const struct store *store = &replica->options.store;
    struct view view;

    if (!store->ops->get_intent(store->arg, index, out_intent))
        return false;
    view_init_overlay(&view, store, &replica->root, replica->options.case_insensitive);
    for (size_t i = 0; i < index; i++) {
        struct intent before = {0};
        scope(record) struct record record = {0};

        if (store->ops->get_intent(store->arg, i, &before)) {
            intended_record(&before, &record);
            view_put(&view, &record);
        }
        intent_fini(&before);
    }
    free(replica->intent_path);
    replica->intent_path = intent_path(&view, out_intent);
    view_fini(&view);
    if (replica->intent_path == NULL)
        replica->intent_path = mem_copy_string("");
    *out_path = replica->intent_path;
    return true;
}

/* Whether the record may take effect: what came before it may have been dropped. */
static bool fits(const struct replica *replica, const struct view *view,
                 const struct record *record)
{
    scope(record) struct record other = {0};
    const struct update *u = &record->update;

    if (view_get(view, &u->id, &other) && !replica_yields(replica, &other) &&
        update_compare(u, &other.update) < 0)
        return false;
    if (!u->present)
        return u->kind != FILE_DIRECTORY || !view_next_child(view, &u->id, NULL, &other);
    if (!view_is_live_dir(view, &u->parent) ||
        view_ancestry(view, &u->parent, &u->id) != ANCESTRY_APART)
        return false;
    return !view_get_by_name(view, &u->parent, update_name(u), &other) ||
           file_id_equal(&other.update.id, &u->id);
}

struct recovery {
    struct replica *replica;
    struct view view;
    struct replica_state state;
};

/*
 * A number of ours that was not committed may have been given to something else since, if the database
 * has gone back to the middle of a plan: what the plan made is told under a number of this life.
 */
static void put_recovered(struct recovery *r, struct record *record)
{
    struct gvsn *gvsn = &record->update.gvsn;

    if (guid_equal(&gvsn->database, &r->state.database) &&
        !vector_contains(&r->state.vector, gvsn))
        gvsn->number = ++r->state.number_last;
    view_put(&r->view, record);
    vector_add(&r->state.vector, gvsn);
}

/* A file that the plan made: its id is such a number too. The scan finds it, and names it anew. */
static bool is_of_lost_id(const struct recovery *r, const struct update *u)
{
    return guid_equal(&u->id.database, &r->state.database) &&
           guid_equal(&u->gvsn.database, &u->id.database) && u->gvsn.number == u->id.number &&
           !vector_contains(&r->state.vector, &u->gvsn);
}

/*
 * A file that took over another one's object: that one has none now. Its own tombstone comes after, or a
 * scan finds it gone; what nobody has heard of is forgotten, as the plan had it.
 */
static void release_object(struct recovery *r, const struct record *taker)
{
    scope(record) struct record other = {0};

    if (taker->object.size == 0 || !view_get_by_object(&r->view, &taker->object, &other) ||
        file_id_equal(&other.update.id, &taker->update.id))
        return;
    if (replica_is_unheard(r->replica, &other)) {
        view_forget(&r->view, &other.update.id);
        return;
    }
    other.object = (struct object){0};
    other.witness = (struct witness){0};
    view_put(&r->view, &other);
}

static void recover_done(struct recovery *r, const struct intent *intent,
                         const struct step_result *result)
{
    scope(record) struct record record = {0};

    intended_record(intent, &record);
    if (intent->update.present) {
        record.object = result->object;
        record.witness = result->witness;
    }
    if ((intent->update.present && record.object.size == 0) ||
        is_of_lost_id(r, &intent->update) || !fits(r->replica, &r->view, &record))
        return;
    release_object(r, &record);
    put_recovered(r, &record);
}

/* The disk shows the object of a file that is to go, but as another one's. */
static void recover_released(struct recovery *r, const struct intent *intent)
{
    scope(record) struct record record = {0};
    scope(record) struct record ours = {0};

    intended_record(intent, &record);
    if (!intent->update.present && view_get(&r->view, &intent->update.id, &ours) &&
        ours.place != PLACE_NOWHERE && ours.object.size == 0 &&
        fits(r->replica, &r->view, &record))
        put_recovered(r, &record);
}

enum status replica_recover(struct replica *replica, const bool *done,
                            const struct step_result *results, size_t count)
{
    const struct store *store = &replica->options.store;
    struct recovery r = {.replica = replica};

    assert(!replica->busy);
    replica_state_copy(&r.state, &replica->state);
    view_init(&r.view, store, &replica->root);
    store->ops->begin(store->arg);
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < count; i++) {
            struct intent intent = {0};

            if (done[i] == (pass == 0) && store->ops->get_intent(store->arg, i, &intent)) {
                if (pass == 0)
                    recover_done(&r, &intent, &results[i]);
                else
                    recover_released(&r, &intent);
            }
            intent_fini(&intent);
        }
    }
    store->ops->clear_intents(store->arg);
    view_fini(&r.view);
    return replica_commit(replica, &r.state);
}

bool replica_has_parked(struct replica *replica)
{
    const struct store *store = &replica->options.store;
    scope(record) struct record parked = {0};

    return store->ops->next_parked(store->arg, NULL, &parked);
}

enum status replica_plan_unpark(struct replica *replica, struct walltime now,
                                struct plan **out_plan)
{
    const struct store *store = &replica->options.store;
    struct plan *plan = plan_new(replica, now, NULL, 0);
    scope(record) struct record parked = {0};
    struct file_id last;
    const struct file_id *after = NULL;

    while (store->ops->next_parked(store->arg, after, &parked)) {
        last = parked.update.id;
        after = &last;
        (void)clash_unpark(plan, &last, false);
    }
    if (store->ops->failed(store->arg)) {
        plan_free(plan);
        return ST_IO;
    }
    *out_plan = plan;
    return ST_OK;
}
