/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/member.h"

#include <assert.h>
#include <stdio.h>

/* --- after every commit --- */

static void check_record(struct member *member, const struct table *table,
                         const struct record *record)
{
    struct world *world = member->world;
    const struct update *u = &record->update;
    struct file_id root = replica_root(member->replica);
    const char *problem = update_problem(u);

    if (problem)
        world_fail(world, "member %u: record breaks a rule: %s", member->index, problem);
    if (!vector_contains(replica_vector(member->replica), &u->gvsn))
        world_fail(world, "member %u: the vector lacks a recorded version", member->index);
    if (!u->present)
        return;
    const struct record *holder = table_by_name(table, &u->parent, update_name(u));
    if (record->place == PLACE_TREE && (!holder || !file_id_equal(&holder->update.id, &u->id)))
        world_fail(world, "member %u: two files have the name %s", member->index,
                   (const char *)u->name);
    struct file_id at = u->parent;
    for (unsigned depth = 0; !file_id_equal(&at, &root); depth++) {
        const struct record *dir = table_get(table, &at);

        if (!dir || !dir->update.present || dir->update.kind != FILE_DIRECTORY) {
            world_fail(world, "member %u: %s has no live parent", member->index,
                       (const char *)u->name);
            return;
        }
        if (depth > LOOK_ENTRY_COUNT_MAX) {
            world_fail(world, "member %u: %s is its own ancestor", member->index,
                       (const char *)u->name);
            return;
        }
        at = dir->update.parent;
    }
}

void check_records(struct member *member)
{
    const struct table *table = memstore_table(member->memory);
    const struct record *record = NULL;

    for (record = table_next(table, NULL); record; record = table_next(table, &record->update.id))
        check_record(member, table, record);
}

static bool may_have_expired(const struct world *world, const struct record *record)
{
    return world->plan.tombstone_life_ms > 0 && !record->update.present;
}

/* The first record above @after (NULL: of all) that every member must have. */
static const struct record *next_kept(const struct world *world, const struct table *table,
                                      const struct file_id *after)
{
    const struct record *record = table_next(table, after);

    while (record && may_have_expired(world, record))
        record = table_next(table, &record->update.id);
    return record;
}

/* What a member without a say gave up of itself comes again (rule 9): then it has no record of the
 * file, and lacks the greatest version of it. */
static bool comes_again(const struct world *world, const struct member *to,
                        const struct update *theirs)
{
    for (unsigned i = 0; i < world->plan.member_count; i++) {
        const struct record *greater =
            table_get(memstore_table(world->members[i]->memory), &theirs->id);

        if (greater && update_compare(&greater->update, theirs) > 0 &&
            !vector_contains(replica_vector(to->replica), &greater->update.gvsn))
            return true;
    }
    return false;
}

/* It lacks something that @by has forgotten, and learns of it in @by's next round. */
static bool is_stale(const struct member *member, const struct member *by)
{
    struct vector lacking = {0};

    vector_difference(&replica_state(by->replica)->forgotten, replica_vector(member->replica),
                      &lacking);
    vector_meet(&lacking, replica_vector(by->replica));

    bool stale = !vector_is_empty(&lacking);

    vector_fini(&lacking);
    return stale;
}

/* @a covers @b, which has the live or dead @theirs: whether @ours (NULL: no record) may stand for it. */
static bool is_as_great(const struct world *world, const struct member *a, const struct member *b,
                        const struct record *ours, const struct record *theirs)
{
    if (ours && update_compare(&ours->update, &theirs->update) >= 0)
        return true;
    if (!ours && world->has_given_up && comes_again(world, a, &theirs->update))
        return true;
    /* @a has dropped that one and was told a lesser since: @b reminds it when it hears */
    if (ours && vector_contains(&replica_state(a->replica)->forgotten, &theirs->update.gvsn) &&
        !vector_contains(replica_vector(b->replica), &ours->update.gvsn))
        return true;
    /* a greater tombstone was dropped; one deletion is as good as another */
    return world->plan.tombstone_life_ms > 0 && (!ours || !ours->update.present) &&
           (!theirs->update.present || is_stale(b, a));
}

void check_vectors(struct world *world, const struct member *a, const struct member *b)
{
    const struct table *table_a = memstore_table(a->memory);
    const struct table *table_b = memstore_table(b->memory);
    const struct record *theirs = NULL;

    if (!a->up || !b->up ||
        !vector_covers(replica_vector(a->replica), replica_vector(b->replica)))
        return;
    for (theirs = table_next(table_b, NULL); theirs;
         theirs = table_next(table_b, &theirs->update.id)) {
        const struct record *ours = table_get(table_a, &theirs->update.id);

        if (!is_as_great(world, a, b, ours, theirs)) {
            world_fail(world, "member %u claims to know all of member %u, but not %s", a->index,
                       b->index, (const char *)theirs->update.name);
            return;
        }
    }
}

/* --- when nothing moves any more --- */

static void check_disk(struct member *member)
{
    struct world *world = member->world;
    const struct table *table = memstore_table(member->memory);
    const struct record *record = NULL;
    size_t live = 0;
    size_t standing = 0;

    for (record = table_next(table, NULL); record; record = table_next(table, &record->update.id)) {
        const struct update *u = &record->update;
        const struct node *node = disk_node(&member->disk, &record->object);

        if (!u->present)
            continue;
        live++;
        if (record->place != PLACE_TREE || !node || !disk_is_below(node, member->disk.root)) {
            world_fail(world, "member %u: %s is recorded and not in the tree", member->index,
                       (const char *)u->name);
            return;
        }
        struct content_hash hash = content_hash(node->content);
        const struct record *parent = table_get(table, &u->parent);
        struct object dir = object_of(node->parent);
        if (strcmp(node->name, (const char *)u->name) != 0 || node->kind != u->kind ||
            memcmp(&hash, &u->hash, sizeof(hash)) != 0 ||
            !span_equal(update_attributes(u), span_of(&node->attributes, ATTRIBUTES_BYTES)) ||
            (parent ? !object_equal(&parent->object, &dir) : node->parent != member->disk.root))
            world_fail(world, "member %u: %s on disk is not what is recorded", member->index,
                       (const char *)u->name);
    }
    for (size_t i = 0; i < member->disk.node_count; i++) {
        const struct node *node = member->disk.nodes[i];

        if (node->area != AREA_ATTACHED || node == member->disk.root ||
            node == member->disk.parked)
            continue;
        if (!disk_is_below(node, member->disk.root))
            world_fail(world, "member %u: %s is still parked", member->index, node->name);
        standing++;
    }
    if (live != standing)
        world_fail(world, "member %u: %zu files recorded, %zu on disk", member->index, live,
                   standing);
}

static void check_equal(struct world *world, const struct member *a, const struct member *b)
{
    const struct table *table_a = memstore_table(a->memory);
    const struct table *table_b = memstore_table(b->memory);
    const struct record *x = next_kept(world, table_a, NULL);
    const struct record *y = next_kept(world, table_b, NULL);

    /* what a read-only member numbered itself is known to nobody else */
    if (member_is_reader(b)
            ? !vector_covers(replica_vector(b->replica), replica_vector(a->replica))
            : !vector_equal(replica_vector(a->replica), replica_vector(b->replica)))
        world_fail(world, "members %u and %u end with different vectors", a->index, b->index);
    for (; x && y; x = next_kept(world, table_a, &x->update.id),
                   y = next_kept(world, table_b, &y->update.id)) {
        if (!gvsn_equal(&x->update.gvsn, &y->update.gvsn)) {
            world_fail(world, "members %u and %u end with different versions of %s and %s",
                       a->index, b->index, (const char *)x->update.name,
                       (const char *)y->update.name);
            return;
        }
    }
    if (x || y)
        world_fail(world, "members %u and %u end with different files", a->index, b->index);
}

static void check_contents(struct world *world)
{
    const struct disk *disk = &world->members[0]->disk;

    for (uint64_t content = 1; content <= world->ledger.count; content++) {
        const struct ledger_entry *entry = &world->ledger.entries[content];
        bool current = false;

        for (size_t i = 0; i < disk->node_count && !current; i++)
            current = disk->nodes[i]->content == content &&
                      disk_is_below(disk->nodes[i], disk->root);
        if (!current && !entry->destroyed && !entry->preserved)
            world_fail(world, "content %llu is lost", (unsigned long long)content);
    }
}

static void check_sessions(struct world *world)
{
    for (size_t i = 0; i < world->edge_count; i++) {
        const struct edge *edge = &world->edges[i];

        if (!edge->laid || !edge->to->up || !edge->from->up)
            continue;
        if (!edge->stream || !edge->stream->receiver)
            world_fail(world, "member %u has no session with %u", edge->to->index,
                       edge->from->index);
        else if (!receiver_in_sync(edge->stream->receiver, replica_vector(edge->to->replica)))
            world_fail(world, "member %u is quiet and not in sync with %u: %s", edge->to->index,
                       edge->from->index, receiver_state_name(receiver_state(edge->stream->receiver)));
        if (intake_item_count(edge->to->intake) > 0)
            world_fail(world, "member %u still holds offers", edge->to->index);
    }
}

void check_quiet(struct world *world)
{
    const struct member *first = NULL;

    check_sessions(world);
    for (unsigned i = 0; i < world->plan.member_count; i++) {
        struct member *member = world->members[i];

        if (!member->up)
            continue;
        check_records(member);
        check_disk(member);
        if (first)
            check_equal(world, first, member);
        else
            first = member;
    }
    check_contents(world);
}
