/* SPDX-License-Identifier: Apache-2.0 */
/* Looking at the disk: what changed is gathered at one moment and told to the replica at a later
 * one, as in the product, where contents are hashed in between. */
#include "tests/sim/member.h"

#include "common/base/mem.h"

#include <assert.h>
#include <stdlib.h>

static void queue_look(struct member *member)
{
    struct world *world = member->world;

    if (member->look_queued || member->look_due || !member->up)
        return;
    member->look_queued = true;
    world_queue(
        world, world_delay(world, world->plan.watch_ms),
        (struct event){.kind = EVENT_LOOK, .member = member, .incarnation = member->incarnation});
}

void look_dirty_all(struct member *member)
{
    member->dirty_all = true;
    queue_look(member);
}

static void add_dirty(struct member *member, const struct node *dir)
{
    struct object object = object_of(dir);
    bool known = false;

    if (member->dirty_count == DIRTY_COUNT_MAX) {
        world_count_fault(member->world, FAULT_watch_overflow);
        look_dirty_all(member);
        return;
    }
    for (size_t i = 0; i < member->dirty_count && !known; i++)
        known = object_equal(&member->dirty[i], &object);
    if (!known)
        member->dirty[member->dirty_count++] = object;
    queue_look(member);
}

void look_dirty(struct member *member, const struct node *dir)
{
    struct world *world = member->world;

    if (member->dirty_count < DIRTY_COUNT_MAX && !world->healed &&
        world_chance(world, world->plan.failure_permille)) {
        world_count_fault(world, FAULT_watch_overflow);
        look_dirty_all(member);
        return;
    }
    add_dirty(member, dir);
}

/* --- gathering --- */

static bool is_known(const struct member *member, const struct node *node)
{
    struct object object = object_of(node);
    struct record record = {0};
    bool known = node == member->disk.root || node == member->disk.parked ||
                 member->store.ops->get_by_object(member->store.arg, &object, &record);

    record_fini(&record);
    return known;
}

static void add_entry(struct member *member, const struct node *node)
{
    assert(member->entry_count < LOOK_ENTRY_COUNT_MAX);
    struct entry *entry = &member->entries[member->entry_count++];
    *entry = (struct entry){
        .dir = object_of(node->parent),
        .object = object_of(node),
        .kind = node->kind,
        .content = node->content,
        .attributes = node->attributes,
        .witness = node->witness,
        .create_time = node->create_time,
    };
    memcpy(entry->name, node->name, sizeof(entry->name));
}

static void gather_dir(struct member *member, const struct node *dir)
{
    assert(member->looked_count < LOOK_ENTRY_COUNT_MAX);
    member->looked[member->looked_count++] = object_of(dir);
    for (const struct node *child = dir->child; child; child = child->sibling)
        add_entry(member, child);
}

/* The entries of @top, and of directories beneath it: all of them, or those not known yet. Such a
 * one may take the place of a recorded directory, so what was recorded in that is looked for too.
 */
static void gather(struct member *member, const struct node *top, bool all)
{
    size_t begin = member->entry_count;

    gather_dir(member, top);
    for (size_t i = begin; i < member->entry_count; i++) {
        const struct node *node = disk_node(&member->disk, &member->entries[i].object);

        if (node->kind == FILE_DIRECTORY && (all || !is_known(member, node)))
            gather_dir(member, node);
    }
}

/* A directory that is not known yet is found from the nearest one above it that is. */
static const struct node *nearest_known(const struct member *member, const struct node *dir)
{
    while (!is_known(member, dir))
        dir = dir->parent;
    return dir == member->disk.parked ? member->disk.root : dir;
}

void look_begin(struct member *member)
{
    struct world *world = member->world;

    member->look_due = false;
    member->work = WORK_LOOK;
    member->looked_all = member->dirty_all;
    member->entries = mem_new(LOOK_ENTRY_COUNT_MAX, sizeof(*member->entries));
    member->entry_count = 0;
    member->looked_count = 0;
    if (member->dirty_all) {
        gather(member, member->disk.root, true);
        /* What was edited in a directory just before it was parked must not be overlooked. */
        for (const struct node *parked = member->disk.parked->child; parked;
             parked = parked->sibling) {
            add_entry(member, parked);
            gather(member, parked, true);
        }
    } else {
        for (size_t i = 0; i < member->dirty_count; i++) {
            const struct node *dir = disk_node(&member->disk, &member->dirty[i]);

            if (dir->area != AREA_ATTACHED)
                continue;
            dir = nearest_known(member, dir);
            struct object object = object_of(dir);
            bool twice = false;
            for (size_t k = 0; k < member->looked_count && !twice; k++)
                twice = object_equal(&member->looked[k], &object);
            if (!twice)
                gather(member, dir, false);
        }
    }
    member->dirty_all = false;
    member->dirty_count = 0;
    world_queue(world, world_delay(world, world->plan.step_ms),
                (struct event){.kind = EVENT_LOOK_COMMIT,
                               .member = member,
                               .incarnation = member->incarnation});
}

/* --- telling --- */

static bool dir_id(const struct member *member, const struct object *object, struct file_id *out_id)
{
    struct object root = object_of(member->disk.root);
    struct record record = {0};

    if (object_equal(object, &root)) {
        *out_id = replica_root(member->replica);
        return true;
    }
    bool found = member->store.ops->get_by_object(member->store.arg, object, &record);
    *out_id = record.update.id;
    record_fini(&record);
    return found;
}

/* Whether the records say just this, so that nothing need be read. A directory's witness changes
 * with its entries and proves nothing: its attributes are compared each time. */
static bool is_recorded(const struct member *member, const struct entry *entry,
                        const struct file_id *parent)
{
    struct record record = {0};
    bool same = entry->kind == FILE_REGULAR &&
                member->store.ops->get_by_object(member->store.arg, &entry->object, &record) &&
                record.place == PLACE_TREE && file_id_equal(&record.update.parent, parent) &&
                span_equal(update_name(&record.update), span_of_string(entry->name)) &&
                witness_equal(&record.witness, &entry->witness);

    record_fini(&record);
    return same;
}

static bool stands_somewhere(const struct member *member, const struct object *object)
{
    const struct node *node = disk_node(&member->disk, object);

    return node && node->area == AREA_ATTACHED && node->parent != member->disk.parked;
}

/* Whether another file's record holds the name, and its object still stands elsewhere: then that
 * one is to be told first, and is added to what was seen. */
static bool holder_stands(struct member *member, const struct entry *entry,
                          const struct file_id *parent)
{
    struct record holder = {0};
    bool stands = false;

    if (member->store.ops->get_by_name(member->store.arg, parent, span_of_string(entry->name),
                                       &holder) &&
        !object_equal(&holder.object, &entry->object) && stands_somewhere(member, &holder.object)) {
        bool seen = false;

        stands = true;
        for (size_t i = 0; i < member->entry_count && !seen; i++)
            seen = object_equal(&member->entries[i].object, &holder.object);
        if (!seen)
            add_entry(member, disk_node(&member->disk, &holder.object));
    }
    record_fini(&holder);
    return stands;
}

static unsigned long long object_number(const struct object *object)
{
    uint64_t number = 0;

    memcpy(&number, object->bytes, object->size);
    return number;
}

/* What was written to it while it was parked, by who had it open; a parked node without a record is nobody's. */
static void tell_parked(struct member *member, struct change *change, struct entry *entry)
{
    struct record record = {0};
    struct observation seen = {
        .kind = entry->kind,
        .object = entry->object,
        .witness = entry->witness,
        .size = entry->kind == FILE_DIRECTORY ? 0 : content_size(entry->content),
        .hash = content_hash(entry->content),
        .attributes = span_of(&entry->attributes, ATTRIBUTES_BYTES),
    };

    entry->done = true;
    if (member->store.ops->get_by_object(member->store.arg, &entry->object, &record) &&
        record.place == PLACE_PARKED && !witness_equal(&record.witness, &entry->witness) &&
        replica_observe_parked(change, &seen) == OBSERVED_CHANGED)
        world_trace(member->world, member, "observes %s written while parked", entry->name);
    record_fini(&record);
}

static bool tell(struct member *member, struct change *change, struct entry *entry)
{
    struct object parked = object_of(member->disk.parked);
    struct file_id parent;
    struct file_id id;

    if (object_equal(&entry->dir, &parked)) {
        tell_parked(member, change, entry);
        return true;
    }
    if (!dir_id(member, &entry->dir, &parent))
        return false;
    if (is_recorded(member, entry, &parent)) {
        entry->done = true;
        return true;
    }
    struct observation seen = {
        .parent = parent,
        .name = span_of_string(entry->name),
        .kind = entry->kind,
        .object = entry->object,
        .witness = entry->witness,
        .size = entry->kind == FILE_DIRECTORY ? 0 : content_size(entry->content),
        .hash = content_hash(entry->content),
        .attributes = span_of(&entry->attributes, ATTRIBUTES_BYTES),
        .create_time = entry->create_time,
    };
    bool holder_gone = !holder_stands(member, entry, &parent);
    enum observed observed = replica_observe(change, &seen, holder_gone, &id);
    entry->done = observed != OBSERVED_LATER;
    /* what was told in it before may have been buried with its old record (agent/folder/record.c) */
    if (observed == OBSERVED_NEW && entry->kind == FILE_DIRECTORY)
        add_dirty(member, disk_node(&member->disk, &entry->object));
    if (observed != OBSERVED_SAME && observed != OBSERVED_LATER)
        world_trace(member->world, member, "observes %s content=%llu object=%llu in %llu as %d",
                    entry->name, (unsigned long long)entry->content, object_number(&entry->object),
                    object_number(&entry->dir), (int)observed);
    return entry->done;
}

/* Names that were exchanged wait for each other: take one of the holders out of its place. */
static bool displace_one(struct member *member, struct change *change)
{
    for (size_t i = 0; i < member->entry_count; i++) {
        const struct entry *entry = &member->entries[i];
        struct record holder = {0};
        struct file_id parent;
        bool found = !entry->done && dir_id(member, &entry->dir, &parent) &&
                     member->store.ops->get_by_name(member->store.arg, &parent,
                                                    span_of_string(entry->name), &holder) &&
                     !object_equal(&holder.object, &entry->object);

        if (found)
            replica_observe_displaced(change, &holder.update.id);
        record_fini(&holder);
        if (found)
            return true;
    }
    return false;
}

/* Tell what was seen until nothing more can be told; returns how many are left. */
static size_t tell_entries(struct member *member, struct change *change)
{
    for (;;) {
        bool progress = false;
        size_t left = 0;

        for (size_t i = 0; i < member->entry_count; i++) {
            if (member->entries[i].done)
                continue;
            if (tell(member, change, &member->entries[i]))
                progress = true;
            else
                left++;
        }
        if (left == 0 || (!progress && !displace_one(member, change)))
            return left;
    }
}

static bool was_looked_at(const struct member *member, const struct file_id *dir)
{
    if (member->looked_all)
        return true;
    for (size_t i = 0; i < member->looked_count; i++) {
        struct file_id id;

        if (dir_id(member, &member->looked[i], &id) && file_id_equal(&id, dir))
            return true;
    }
    return false;
}

/* Recorded files whose object has left the tree; those that stand elsewhere are looked at there. */
static void tell_gone(struct member *member, struct change *change)
{
    struct file_id gone[LOOK_ENTRY_COUNT_MAX];
    size_t gone_count = 0;
    const struct table *table = memstore_table(member->memory);
    const struct record *record = NULL;

    for (record = table_next(table, NULL); record; record = table_next(table, &record->update.id)) {
        if (record->place == PLACE_NOWHERE || !was_looked_at(member, &record->update.parent))
            continue;
        const struct node *node = disk_node(&member->disk, &record->object);
        if (!node || node->area != AREA_ATTACHED)
            gone[gone_count++] = record->update.id;
        assert(gone_count < LOOK_ENTRY_COUNT_MAX);
    }
    for (size_t i = 0; i < gone_count; i++) {
        record = table_get(table, &gone[i]);
        if (record && record->update.present)
            world_trace(member->world, member, "observes %s gone",
                        (const char *)record->update.name);
        replica_observe_gone(change, &gone[i]);
    }
}

/* A recorded file of a directory that was looked at may stand in one that was not. */
static void add_moved_away(struct member *member)
{
    const struct table *table = memstore_table(member->memory);
    const struct record *record = NULL;

    for (record = table_next(table, NULL); record; record = table_next(table, &record->update.id)) {
        const struct node *node = disk_node(&member->disk, &record->object);
        bool seen = false;

        if (record->place != PLACE_TREE || !node ||
            !was_looked_at(member, &record->update.parent) || node->area != AREA_ATTACHED ||
            node->parent == member->disk.parked)
            continue;
        for (size_t i = 0; i < member->entry_count && !seen; i++)
            seen = object_equal(&member->entries[i].object, &record->object);
        if (!seen)
            add_entry(member, node);
    }
}

static void look_done(struct member *member, size_t left)
{
    free(member->entries);
    member->entries = NULL;
    member->work = WORK_NONE;
    if (left > 0)
        look_dirty_all(member);
    else if (member->dirty_all || member->dirty_count > 0)
        queue_look(member);
}

/* Commit; and note when something that was received left the vector, to come again (rule 9). */
static enum status commit(struct member *member, struct change *change, size_t *out_count)
{
    struct world *world = member->world;
    struct vector before = {0};

    vector_copy(&before, replica_vector(member->replica));

    enum status st = replica_change_commit(change, out_count);

    if (st == ST_OK && !vector_covers(replica_vector(member->replica), &before))
        world->has_given_up = true;
    vector_fini(&before);
    return st;
}

void look_commit(struct member *member)
{
    struct world *world = member->world;
    size_t count = 0;
    bool first = !replica_state(member->replica)->initial_scan_done;
    struct change *change = replica_change_begin(member->replica, member_walltime(member));

    power_synced(member); /* agent/folder/flush.h */
    add_moved_away(member);
    size_t left = tell_entries(member, change);
    tell_gone(member, change);
    enum status st = commit(member, change, &count);
    if (st == ST_OK && first && member->looked_all && left == 0)
        st = replica_initial_scan_done(member->replica);
    if (st != ST_OK) {
        member_crash(member, world_delay(world, 5 * SECOND));
        return;
    }
    if (member->looked_all && left == 0)
        member->scanned = true;
    look_done(member, left);
    check_records(member);
    member->return_failed = false;
    if (count > 0) {
        member->still_since_ms = world->now_ms;
        member_vector_grew(member);
    }
    if (count > 0 || member->rejudge_wanted) {
        member->rejudge_wanted = false;
        intake_rejudge(member->intake);
    }
}
