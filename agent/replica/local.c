/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Local changes: what was seen on disk becomes fresh versions. Written straight into the store's
 * transaction, so that deleting a tree of any size takes no memory.
 */
#include "agent/replica/engine.h"

#include "common/base/mem.h"
#include "common/base/scope.h"

#include <assert.h>
#include <stdlib.h>

struct change {
    struct replica *replica;
    struct view view;
    struct stamper stamper;
    struct vector vector;
    struct undone *undone;
    size_t undone_count;
    struct file_id *displaced; /* taken from their place, to be observed at another */
    size_t displaced_count;
};

struct change *replica_change_begin(struct replica *replica, struct walltime now)
{
    struct change *change = MEM_NEW(struct change);

    assert(!replica->busy);
    replica->busy = true;
    change->replica = replica;
    view_init(&change->view, &replica->options.store, &replica->root);
    stamper_init(&change->stamper, replica, now);
    vector_copy(&change->vector, &replica->state.vector);
    replica->options.store.ops->begin(replica->options.store.arg);
    return change;
}

static void change_free(struct change *change)
{
    change->replica->busy = false;
    view_fini(&change->view);
    vector_fini(&change->vector);
    free(change->undone);
    free(change->displaced);
    free(change);
}

void replica_change_abort(struct change *change)
{
    change->replica->options.store.ops->abort(change->replica->options.store.arg);
    change_free(change);
}

/* The authority of a change that is made now. */
static uint64_t fence_now(const struct replica *replica)
{
    if (replica->state.initial_scan_done)
        return FENCE_DEFAULT;
    return replica->options.primary ? FENCE_INITIAL_PRIMARY : FENCE_INITIAL;
}

/* What came from a partner and was changed here, without a say, is to come again. */
static void undo(struct change *change, const struct update *u)
{
    if (guid_equal(&u->gvsn.database, &change->stamper.database))
        return;
    vector_remove(&change->vector, &u->gvsn);
    change->undone = mem_resize(change->undone, change->undone_count + 1, sizeof(*change->undone));
    struct undone *undone = &change->undone[change->undone_count++];

    *undone = (struct undone){.version = *u};
    undone->version.attributes = NULL;
    undone->version.attributes_size = 0;
}

/* Stamp and store a record that changed here. */
static void put_fresh(struct change *change, struct record *record)
{
    const struct replica *replica = change->replica;
    uint64_t fence = fence_now(replica);

    if (replica->options.read_only && record->update.gvsn.number != 0)
        undo(change, &record->update);

    if (record->update.fence < fence)
        record->update.fence = fence;
    stamp(&change->stamper, &record->update, record->update.clock);
    vector_add(&change->vector, &record->update.gvsn);
    view_put(&change->view, record);
}

/* Without a say a deletion is forgotten: what partners know comes again, the rest nobody misses.
 * But a version of ours that succeeds one of theirs does not: nobody would bring that one again. */
static bool bury_silently(struct change *change, const struct record *record)
{
    const struct replica *replica = change->replica;
    bool is_ours = guid_equal(&record->update.gvsn.database, &change->stamper.database);

    if (replica_has_say(replica) || (is_ours && !replica_yields(replica, record)))
        return false;
    undo(change, &record->update);
    view_forget(&change->view, &record->update.id);
    return true;
}

static void bury(struct change *change, struct record *record)
{
    if (bury_silently(change, record))
        return;
    make_tombstone(&record->update);
    record->place = PLACE_NOWHERE;
    record->object = (struct object){0};
    record->witness = (struct witness){0};
    put_fresh(change, record);
}

/* A parked file was not in the directory that was deleted: it belongs in the next one that stands.
 */
static void rescue_parked(struct change *change, struct record *parked,
                          const struct file_id *parent)
{
    parked->update.parent = *parent;
    put_fresh(change, parked);
}

/* Tombstones for a record and everything beneath it, deepest first, by walking down and up. */
static void bury_tree(struct change *change, const struct file_id *top)
{
    scope(record) struct record at = {0};
    struct file_id id = *top;
    struct file_id above = {0};

    if (view_get(&change->view, top, &at))
        above = at.update.parent;

    while (view_get(&change->view, &id, &at) && at.update.present) {
        struct file_id parent = at.update.parent;
        bool is_top = file_id_equal(&id, top);
        scope(record) struct record child = {0};

        if (at.update.kind == FILE_DIRECTORY && view_next_child(&change->view, &id, NULL, &child)) {
            if (child.place == PLACE_PARKED)
                rescue_parked(change, &child, &above);
            else
                id = child.update.id;
            continue;
        }
        bury(change, &at);
        if (is_top)
            break;
        id = parent;
    }
}

void replica_observe_gone(struct change *change, const struct file_id *id)
{
    scope(record) struct record record = {0};

    if (view_get(&change->view, id, &record) && record.update.present)
        bury_tree(change, id);
}

void replica_observe_displaced(struct change *change, const struct file_id *id)
{
    scope(record) struct record record = {0};

    if (!view_get(&change->view, id, &record) || record.place != PLACE_TREE)
        return;
    record.place = PLACE_PARKED;
    view_put(&change->view, &record);
    change->displaced =
        mem_resize(change->displaced, change->displaced_count + 1, sizeof(*change->displaced));
    change->displaced[change->displaced_count++] = *id;
}

/* A displaced file that was not observed after all is back at its place, or gone if that is taken.
 */
static void settle_displaced(struct change *change)
{
    for (size_t i = 0; i < change->displaced_count; i++) {
        scope(record) struct record record = {0};
        scope(record) struct record holder = {0};

        if (!view_get(&change->view, &change->displaced[i], &record) ||
            record.place != PLACE_PARKED)
            continue;
        if (view_get_by_name(&change->view, &record.update.parent, update_name(&record.update),
                             &holder)) {
            bury_tree(change, &record.update.id);
            continue;
        }
        record.place = PLACE_TREE;
        view_put(&change->view, &record);
    }
}

enum status replica_change_commit(struct change *change, size_t *out_count)
{
    struct replica *replica = change->replica;
    struct replica_state state = {0};

    settle_displaced(change);
    replica_state_copy(&state, &replica->state);
    vector_copy(&state.vector, &change->vector);
    if (change->stamper.number_last > state.number_last)
        state.number_last = change->stamper.number_last;

    enum status st = replica_commit(replica, &state);

    if (st == ST_OK && change->undone_count > 0) {
        size_t count = replica->undone_count + change->undone_count;

        replica->undone = mem_resize(replica->undone, count, sizeof(*replica->undone));
        memcpy(&replica->undone[replica->undone_count], change->undone,
               change->undone_count * sizeof(*change->undone));
        replica->undone_count = count;
    }
    *out_count = st == ST_OK ? change->stamper.count + change->undone_count : 0;
    change_free(change);
    return st;
}

static bool same_content_seen(const struct update *u, const struct observation *seen)
{
    return u->kind == FILE_DIRECTORY ||
           (u->size == seen->size && content_hash_equal(&u->hash, &seen->hash));
}

static void set_content(struct update *u, const struct observation *seen)
{
    u->size = seen->kind == FILE_DIRECTORY ? 0 : seen->size;
    u->hash = seen->kind == FILE_DIRECTORY ? (struct content_hash){{0}} : seen->hash;
    update_set_attributes(u, seen->attributes);
}

/* A file that we know stands here, in this state. */
static enum observed observe_known(struct change *change, struct record *record,
                                   const struct observation *seen)
{
    struct update *u = &record->update;
    bool same_place =
        file_id_equal(&u->parent, &seen->parent) && span_equal(update_name(u), seen->name);
    bool same_state =
        same_content_seen(u, seen) && span_equal(update_attributes(u), seen->attributes);

    if (same_place && same_state) {
        bool same_object = object_equal(&record->object, &seen->object) &&
                           witness_equal(&record->witness, &seen->witness);

        if (same_object && record->place == PLACE_TREE)
            return OBSERVED_SAME;
    }
    record->object = seen->object;
    record->witness = seen->witness;
    record->place = PLACE_TREE;
    if (same_place && same_state) {
        view_put(&change->view, record);
        return OBSERVED_SAME;
    }
    u->parent = seen->parent;
    update_set_name(u, seen->name);
    set_content(u, seen);
    put_fresh(change, record);
    return same_place ? OBSERVED_CHANGED : OBSERVED_MOVED;
}

enum observed replica_observe_parked(struct change *change, const struct observation *seen)
{
    scope(record) struct record record = {0};

    if (!view_get_by_object(&change->view, &seen->object, &record) ||
        record.place != PLACE_PARKED || record.update.kind != seen->kind)
        return OBSERVED_LATER;
    record.witness = seen->witness;
    if (same_content_seen(&record.update, seen)) {
        view_put(&change->view, &record);
        return OBSERVED_SAME;
    }
    record.update.size = seen->size;
    record.update.hash = seen->hash;
    put_fresh(change, &record);
    return OBSERVED_CHANGED;
}

static enum observed observe_new(struct change *change, const struct observation *seen,
                                 struct file_id *out_id)
{
    scope(record) struct record record = {0};
    struct update *u = &record.update;

    /* The file id is the number of the file's first version. */
    u->id = (struct file_id){.database = change->stamper.database,
                             .number = change->stamper.number_last + 1};
    u->parent = seen->parent;
    update_set_name(u, seen->name);
    u->kind = seen->kind;
    u->present = true;
    u->create_time = seen->create_time;
    set_content(u, seen);
    record.place = PLACE_TREE;
    record.object = seen->object;
    record.witness = seen->witness;
    put_fresh(change, &record);
    *out_id = u->id;
    return OBSERVED_NEW;
}

/* What stood somewhere in a directory that has gone, and takes its name, does not go with it. */
static void step_out(struct change *change, struct record *record, const struct file_id *gone)
{
    if (view_ancestry(&change->view, &record->update.parent, gone) != ANCESTRY_BENEATH)
        return;
    record->place = PLACE_PARKED;
    view_put(&change->view, record);
}

/* A file that we know stands here; who else holds the name has gone or must be looked at. */
static enum observed observe_object(struct change *change, struct record *record,
                                    const struct record *holder, const struct observation *seen,
                                    bool holder_gone)
{
    bool is_held = holder->update.present && !file_id_equal(&holder->update.id, &record->update.id);

    /* A directory seen beneath itself: something above has moved, and was not looked at yet. */
    if (view_ancestry(&change->view, &seen->parent, &record->update.id) != ANCESTRY_APART)
        return OBSERVED_LATER;
    if (is_held && !holder_gone)
        return OBSERVED_LATER;
    if (is_held) {
        struct file_id id = record->update.id;

        step_out(change, record, &holder->update.id);
        bury_tree(change, &holder->update.id);
        if (!view_get(&change->view, &id, record))
            return OBSERVED_LATER;
    }
    return observe_known(change, record, seen);
}

enum observed replica_observe(struct change *change, const struct observation *seen,
                              bool holder_gone, struct file_id *out_id)
{
    scope(record) struct record record = {0};
    scope(record) struct record holder = {0};

    assert(seen->object.size > 0);
    if (!view_is_live_dir(&change->view, &seen->parent))
        return OBSERVED_LATER;

    bool is_held = view_get_by_name(&change->view, &seen->parent, seen->name, &holder);

    if (view_get_by_object(&change->view, &seen->object, &record) &&
        record.update.kind == seen->kind) {
        *out_id = record.update.id;
        return observe_object(change, &record, &holder, seen, holder_gone);
    }
    if (!is_held)
        return observe_new(change, seen, out_id);
    if (!holder_gone)
        return OBSERVED_LATER;
    if (holder.update.kind == seen->kind) {
        *out_id = holder.update.id;
        return observe_known(change, &holder, seen);
    }
    bury_tree(change, &holder.update.id);
    return observe_new(change, seen, out_id);
}
