/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/replica/engine.h"

#include "common/base/mem.h"
#include "common/base/scope.h"

#include <assert.h>
#include <stdlib.h>

enum status replica_commit(struct replica *replica, struct replica_state *take_state)
{
    const struct store *store = &replica->options.store;

    if (replica->round_ended)
        take_state->initial_sync_done = true;
    store->ops->put_state(store->arg, take_state);

    enum status st = store->ops->commit(store->arg);

    if (st == ST_OK) {
        replica_state_fini(&replica->state);
        replica->state = *take_state;
    } else {
        replica_state_fini(take_state);
    }
    *take_state = (struct replica_state){0};
    return st;
}

/* The store is new: number from the first that is not reserved. */
static enum status begin_state(struct replica *replica)
{
    const struct store *store = &replica->options.store;
    struct replica_state state = {
        .database = replica->options.fresh_database,
        .member = replica->options.member,
        .number_last = VERSION_NUMBER_FIRST - 1,
    };

    if (store->ops->failed(store->arg))
        return ST_IO;
    store->ops->begin(store->arg);
    return replica_commit(replica, &state);
}

/* Commit that the database is a new one from here on. */
static enum status renew(struct replica *replica)
{
    const struct store *store = &replica->options.store;
    struct replica_state state = {0};

    replica_state_copy(&state, &replica->state);
    store->ops->begin(store->arg);
    if (!replica_has_say(replica)) {
        life_rename(store, &state, &replica->options.fresh_database);
    } else {
        state.number_last = VERSION_NUMBER_FIRST - 1;
        /* the other member may have given up that plan, and its numbers to something else */
        store->ops->clear_intents(store->arg);
    }
    state.database = replica->options.fresh_database;
    state.member = replica->options.member;
    return replica_commit(replica, &state);
}

static enum status load(struct replica *replica)
{
    const struct store *store = &replica->options.store;

    if (!store->ops->get_state(store->arg, &replica->state))
        return begin_state(replica);
    if (replica->state.number_last < VERSION_NUMBER_FIRST - 1 ||
        guid_is_zero(&replica->state.database)) {
        log_error(replica->options.log,
                  "the database holds no valid state: move it aside, the folder is scanned anew");
        return ST_BADDATA;
    }
    /* An older format did not say whose it is. */
    if (guid_is_zero(&replica->state.member))
        replica->state.member = replica->options.member;
    if (!guid_equal(&replica->state.member, &replica->options.member)) {
        log_warn(replica->options.log,
                 "the database is another member's: this machine was cloned, or its files were "
                 "copied; it goes on under a database guid of its own");
        return renew(replica);
    }
    if (!replica_has_say(replica) && !replica->options.read_only)
        return renew(replica);
    replica->state.number_last = life_begin(&replica->options, replica->state.number_last);
    return ST_OK;
}

enum status replica_open(const struct replica_options *options, struct replica **out_replica)
{
    struct replica *replica = MEM_NEW(struct replica);

    replica->options = *options;
    replica->root = file_id_root(&options->folder);

    enum status st = load(replica);

    if (st != ST_OK) {
        replica_close(replica);
        return st;
    }
    *out_replica = replica;
    return ST_OK;
}

void replica_close(struct replica *replica)
{
    if (replica == NULL)
        return;
    assert(!replica->busy);
    replica_state_fini(&replica->state);
    vector_fini(&replica->lost);
    free(replica->undone);
    free(replica->intent_path);
    free(replica);
}

const struct vector *replica_vector(const struct replica *replica)
{
    return &replica->state.vector;
}

const struct replica_state *replica_state(const struct replica *replica)
{
    return &replica->state;
}

struct file_id replica_root(const struct replica *replica)
{
    return replica->root;
}

enum status replica_commit_state(struct replica *replica, struct replica_state *take_state)
{
    const struct store *store = &replica->options.store;

    assert(!replica->busy);
    store->ops->begin(store->arg);
    return replica_commit(replica, take_state);
}

enum status replica_initial_scan_done(struct replica *replica)
{
    struct replica_state state = {0};

    if (replica->state.initial_scan_done)
        return ST_OK;
    replica_state_copy(&state, &replica->state);
    state.initial_scan_done = true;
    if (replica->options.primary)
        state.initial_sync_done = true;
    return replica_commit_state(replica, &state);
}

/* A round that began before something was undone does not bring it again: the next one will. */
static void keep_undone(struct replica *replica, struct vector *joined)
{
    const struct store *store = &replica->options.store;
    size_t kept = 0;

    for (size_t i = 0; i < replica->undone_count; i++) {
        const struct update *undone = &replica->undone[i].version;
        scope(record) struct record record = {0};

        /* A lesser version that came meanwhile is not what is to come. */
        if (store->ops->get(store->arg, &undone->id, &record) &&
            !replica_yields(replica, &record) && update_compare(&record.update, undone) >= 0)
            continue;
        vector_remove(joined, &undone->gvsn);
        replica->undone[kept++] = replica->undone[i];
    }
    replica->undone_count = kept;
}

/* Too much forgotten only costs a partner a needless comparison, if it is nothing that it can not have. */
static void bound_forgotten(struct replica_state *state)
{
    vector_coalesce(&state->forgotten, FORGOTTEN_INTERVAL_COUNT_MAX);
    vector_meet(&state->forgotten, &state->vector);
}

enum status replica_join(struct replica *replica, const struct vector *sender_vector,
                         const struct vector *forgotten)
{
    struct replica_state state = {0};

    if (replica->state.initial_sync_done && vector_covers(&replica->state.vector, sender_vector) &&
        vector_covers(&replica->state.forgotten, forgotten))
        return ST_OK;
    replica_state_copy(&state, &replica->state);
    vector_join(&state.vector, sender_vector);
    keep_undone(replica, &state.vector);
    vector_join(&state.forgotten, forgotten);
    bound_forgotten(&state);
    state.initial_sync_done = true;
    return replica_commit_state(replica, &state);
}

enum status replica_round_ended(struct replica *replica)
{
    struct replica_state state = {0};

    if (replica->state.initial_sync_done)
        return ST_OK;
    replica->round_ended = true;
    if (replica->busy)
        return ST_OK;
    replica_state_copy(&state, &replica->state);
    return replica_commit_state(replica, &state);
}

void replica_drop_undone(struct replica *replica, const struct file_id *id)
{
    size_t kept = 0;

    for (size_t i = 0; i < replica->undone_count; i++) {
        if (!file_id_equal(&replica->undone[i].version.id, id))
            replica->undone[kept++] = replica->undone[i];
    }
    replica->undone_count = kept;
}

static bool expires_any(const struct store *store, uint64_t before, const struct vector *held)
{
    scope(record) struct record record = {0};

    return store->ops->next_expired(store->arg, before, &record) &&
           vector_contains(held, &record.update.gvsn);
}

enum status replica_expire(struct replica *replica, struct walltime now, int64_t life_ms,
                           const struct vector *held, size_t *out_count)
{
    const struct store *store = &replica->options.store;
    int64_t before = now.ns - life_ms * NS_PER_MS;
    struct replica_state state = {0};
    size_t count = 0;

    assert(!replica->busy);
    *out_count = 0;
    if (before <= 0)
        return ST_OK;
    if (!expires_any(store, (uint64_t)before, held))
        return ST_OK;
    replica_state_copy(&state, &replica->state);
    store->ops->begin(store->arg);
    while (count < EXPIRE_COUNT_MAX) {
        scope(record) struct record record = {0};

        if (!store->ops->next_expired(store->arg, (uint64_t)before, &record) ||
            !vector_contains(held, &record.update.gvsn))
            break;
        store->ops->forget(store->arg, &record.update.id);
        replica_drop_undone(replica, &record.update.id);
        vector_add(&state.forgotten, &record.update.gvsn);
        count++;
    }
    bound_forgotten(&state);

    enum status st = replica_commit(replica, &state);

    if (st == ST_OK)
        *out_count = count;
    return st;
}

bool replica_path(struct replica *replica, const struct file_id *id, char **out_path)
{
    return store_path(&replica->options.store, &replica->root, id, out_path);
}

/* Where the live record stands; NULL: nowhere. */
static char *path_on_disk(const struct store *store, const struct file_id *root,
                          const struct file_id *id, bool *out_in_tree)
{
    struct view view;
    scope(record) struct record record = {0};
    char *path = NULL;

    *out_in_tree = true;
    if (file_id_equal(id, root))
        return mem_copy_string("");
    view_init(&view, store, root);
    if (view_get(&view, id, &record) && record.update.present)
        path = view_path(&view, &record, out_in_tree);
    view_fini(&view);
    return path;
}

bool replica_path_on_disk(struct replica *replica, const struct file_id *id, char **out_path)
{
    bool in_tree;

    *out_path = path_on_disk(&replica->options.store, &replica->root, id, &in_tree);
    return *out_path != NULL;
}

bool store_path(const struct store *store, const struct file_id *root, const struct file_id *id,
                char **out_path)
{
    bool in_tree;
    scope_free char *path = path_on_disk(store, root, id, &in_tree);

    if (path == NULL || !in_tree)
        return false;
    *out_path = path;
    path = NULL;
    return true;
}
