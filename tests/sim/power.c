/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Power cuts: of what was done to a disk since it was synced last, the later part is gone.
 *
 * The disk is that of a journalled file system: what is left is what stood there at one moment
 * since the last sync, never a later change without an earlier one. Synced is what agent/install
 * syncs, the results of a plan before it is settled and what a recovery moved, and what
 * agent/folder/flush does: what users did, before it is recorded. The kernel writes out by itself
 * what is older than WRITEBACK_MS. The database is synced by each commit.
 *
 * Forgiven is what users wrote here and nobody had recorded yet. Nothing else is.
 */
#include "tests/sim/member.h"

#include "common/base/mem.h"

#include <stdlib.h>

#define POWER_SHARE     7  /* one run in so many */
#define CUT_PERCENT     25 /* of its faults */
#define WRITEBACK_MS    (30 * SECOND)
#define IMAGE_COUNT_MAX 24u

/* A disk as it was before one change. */
struct image {
    struct disk disk;
    int64_t at_ms;
};

struct images {
    struct image items[IMAGE_COUNT_MAX]; /* the oldest first */
    size_t count;
};

bool power_is_on(const struct world *world)
{
    uint64_t mixed = (world->options.seed + 1) * UINT64_C(0xd1342543de82ef95);

    /* not drawn from the run's random numbers: other runs stay what they were */
    return (mixed >> 33) % POWER_SHARE == 0 && world->plan.fault_percent > 0 && !world->plan.calm &&
           !world->healed;
}

static void drop_oldest(struct images *images)
{
    disk_fini(&images->items[0].disk);
    images->count--;
    memmove(&images->items[0], &images->items[1], images->count * sizeof(images->items[0]));
}

void power_synced(struct member *member)
{
    struct images *images = member->images;

    while (images && images->count > 0)
        disk_fini(&images->items[--images->count].disk);
}

void power_free(struct member *member)
{
    power_synced(member);
    free(member->images);
    member->images = NULL;
}

static void write_back(struct member *member)
{
    struct images *images = member->images;

    while (images->count > 0 && member->world->now_ms - images->items[0].at_ms > WRITEBACK_MS)
        drop_oldest(images);
}

void power_before_change(struct member *member)
{
    struct images *images = member->images;

    if (!power_is_on(member->world))
        return;
    if (!images)
        images = member->images = MEM_NEW(struct images);
    write_back(member);
    if (images->count == IMAGE_COUNT_MAX)
        drop_oldest(images);
    disk_copy(&images->items[images->count].disk, &member->disk);
    images->items[images->count++].at_ms = member->world->now_ms;
}

/* --- what is gone --- */

/* This file, and not another that once had the same content. */
static bool is_recorded(const struct member *member, const struct node *node)
{
    const struct table *table = memstore_table(member->memory);
    struct content_hash hash = content_hash(node->content);
    struct object object = object_of(node);

    for (const struct record *record = table_next(table, NULL); record;
         record = table_next(table, &record->update.id)) {
        if (record->update.present && object_equal(&record->object, &object) &&
            content_hash_equal(&record->update.hash, &hash))
            return true;
    }
    return false;
}

static bool is_preserved(const struct world *world, uint64_t content)
{
    for (unsigned i = 0; i < world->plan.member_count; i++) {
        if (disk_holds(&world->members[i]->disk, content, false, true))
            return true;
    }
    return false;
}

/* The member's disk is no longer @old. */
static void account(struct member *member, const struct disk *old)
{
    struct world *world = member->world;
    struct ledger *ledger = &world->ledger;

    for (size_t i = 0; i < old->node_count; i++) {
        const struct node *node = old->nodes[i];
        uint64_t content = node->content;

        if (content == 0 || (node->area != AREA_ATTACHED && node->area != AREA_PRESERVE))
            continue;
        if (ledger->entries[content].preserved && !is_preserved(world, content))
            ledger->entries[content].preserved = false;
        if (!node->by_user || disk_holds(&member->disk, content, true, true))
            continue;
        ledger_destroyed(ledger, content);
        if (is_recorded(member, node))
            world_fail(world, "member %u: a power cut took content %llu, which was recorded",
                       member->index, (unsigned long long)content);
    }
}

static void go_back(struct member *member, size_t index)
{
    struct images *images = member->images;
    struct disk old = member->disk;

    member->disk = images->items[index].disk;
    images->items[index].disk = (struct disk){0};
    disk_skip_numbers(&member->disk, old.node_count);
    if (old.stamp_last_ns > member->disk.stamp_last_ns)
        member->disk.stamp_last_ns = old.stamp_last_ns;
    account(member, &old);
    disk_fini(&old);
    world_count_fault(member->world, FAULT_unsynced_lost);
}

/* --- the cut --- */

static void cut(struct member *member, struct random_source *random)
{
    struct images *images;
    size_t kept;

    if (!member->up)
        return;
    world_count_fault(member->world, FAULT_power_cut);
    member_crash(member, 1 + (int64_t)random_below(random, 20 * SECOND));
    images = member->images;
    if (!images)
        return;
    write_back(member);
    kept = random_below(random, images->count + 1);
    if (kept < images->count)
        go_back(member, kept);
    power_synced(member); /* what is left is what is on the disk */
}

bool power_fault(struct member *member, struct random_source *random)
{
    if (!power_is_on(member->world) || !random_chance(random, CUT_PERCENT))
        return false;
    cut(member, random);
    return true;
}
