/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Members that go back: a snapshot of a machine is taken, and later the database and the disk, or
 * one of them, are what they were then; or another machine is made from it.
 *
 * A database that goes back alone finds a disk that is ahead of it, a disk alone is what a user's
 * restored backup is. Nothing of what other members have may be lost by either.
 */
#include "tests/sim/member.h"

#include "common/base/mem.h"

#include <stdlib.h>

struct snapshot {
    struct memstore *memory;
    struct disk disk;
};

void snapshot_free(struct snapshot *snapshot)
{
    if (!snapshot)
        return;
    memstore_free(snapshot->memory);
    disk_fini(&snapshot->disk);
    free(snapshot);
}

/* --- what is gone with the disk --- */

static bool held_elsewhere(const struct member *member, uint64_t content, bool attached)
{
    const struct world *world = member->world;

    for (unsigned i = 0; i < world->plan.member_count; i++) {
        const struct member *other = world->members[i];

        if (other != member && disk_holds(&other->disk, content, attached, true))
            return true;
    }
    return false;
}

/*
 * The member's disk is no longer @old. What was preserved here for all is lost with it, unless somebody
 * else preserves it too: others have taken the winner because it was safe here, and so does this member
 * again where the content stands in its tree now. What stood in the tree is lost if it stood here alone, or if
 * that is what the restoring user wanted (@by_user): the member knows those versions, and takes the older
 * contents for edits.
 */
static void account(const struct member *member, const struct disk *old, bool by_user)
{
    struct ledger *ledger = &member->world->ledger;

    for (size_t i = 0; i < old->node_count; i++) {
        const struct node *node = old->nodes[i];
        uint64_t content = node->content;

        if (content == 0 || (node->area != AREA_ATTACHED && node->area != AREA_PRESERVE) ||
            disk_holds(&member->disk, content, node->area == AREA_ATTACHED, true))
            continue;
        if (node->area == AREA_PRESERVE && !held_elsewhere(member, content, false)) {
            ledger->entries[content].preserved = false;
            ledger_destroyed(ledger, content);
        }
        if (node->area == AREA_ATTACHED && (by_user || !held_elsewhere(member, content, true)))
            ledger_destroyed(ledger, content);
    }
}

/* --- taking and restoring --- */

static void take(struct member *member)
{
    struct snapshot *snapshot;

    if (!member->up)
        return;
    snapshot = MEM_NEW(struct snapshot);
    snapshot->memory = memstore_clone(member->memory);
    disk_copy(&snapshot->disk, &member->disk);
    snapshot_free(member->snapshot);
    member->snapshot = snapshot;
    world_count_fault(member->world, FAULT_snapshot);
}

static void restore_database(struct member *member, const struct snapshot *snapshot)
{
    memstore_free(member->memory);
    member->memory = memstore_clone(snapshot->memory);
    member->store = memstore_port(member->memory);
}

static void restore_disk(struct member *member, const struct snapshot *snapshot, bool by_user)
{
    struct disk old = member->disk;

    disk_copy(&member->disk, &snapshot->disk);
    disk_skip_numbers(&member->disk, old.node_count);
    if (old.stamp_last_ns > member->disk.stamp_last_ns)
        member->disk.stamp_last_ns = old.stamp_last_ns;
    account(member, &old, by_user);
    disk_fini(&old);
}

/* A read-only member would be left with what only the lost time line knew: it can tell nobody, and
 * stays honestly out of sync. It may go back itself. */
static bool may_go_back(const struct member *member)
{
    return member->up && (!member->world->plan.reader || member_is_reader(member));
}

static void restore(struct member *member, struct random_source *random)
{
    struct world *world = member->world;
    const struct snapshot *snapshot = member->snapshot;
    uint64_t what = random_below(random, 100);

    if (!snapshot || !may_go_back(member))
        return;
    member_crash(member, world_delay(world, 10 * SECOND));
    if (what < 40) {
        world_count_fault(world, FAULT_rolled_back);
        restore_database(member, snapshot);
        restore_disk(member, snapshot, false);
    } else if (what < 75) {
        world_count_fault(world, FAULT_database_rolled_back);
        member->apart = true;
        restore_database(member, snapshot);
    } else {
        world_count_fault(world, FAULT_disk_rolled_back);
        member->apart = true;
        restore_disk(member, snapshot, true);
    }
}

/* The member's machine is made anew from another one's. Not the primary's: see member_lose_database(). */
static void clone(struct member *member, const struct member *original)
{
    struct world *world = member->world;

    if (!original->snapshot || original == member || member->index == 0 || world->plan.reader ||
        !member->up)
        return;
    world_count_fault(world, FAULT_cloned);
    member_crash(member, world_delay(world, 10 * SECOND));
    restore_database(member, original->snapshot);
    restore_disk(member, original->snapshot, false);
    /* what it was before named objects of another volume */
    snapshot_free(member->snapshot);
    member->snapshot = NULL;
}

void snapshot_fault(struct world *world, struct random_source *random)
{
    unsigned count = world->plan.member_count;
    struct member *member = world->members[random_below(random, count)];
    uint64_t kind = random_below(random, 100);

    if (kind < 30 || !member->snapshot)
        take(member);
    else if (kind < 90)
        restore(member, random);
    else
        clone(member, world->members[random_below(random, count)]);
}
