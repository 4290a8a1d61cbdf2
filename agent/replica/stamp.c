/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fresh versions: every number of our database is issued here.
 *
 * A clock never reaches beyond UPDATE_CLOCK_MAX, the year 2262; only a partner with a broken clock
 * can bring a file there. Then the fence rises instead, so that what is made knowing a version
 * still beats it.
 */
#include "agent/replica/engine.h"

void stamper_init(struct stamper *stamper, const struct replica *replica, struct walltime now)
{
    *stamper = (struct stamper){
        .database = replica->state.database,
        .number_last = replica->state.number_last,
        .now = now.ns > 0 ? (uint64_t)now.ns : 0,
    };
}

void stamp(struct stamper *stamper, struct update *u, uint64_t saw_clock)
{
    stamper->number_last++;
    stamper->count++;
    u->gvsn = (struct gvsn){.database = stamper->database, .number = stamper->number_last};
    if (saw_clock >= UPDATE_CLOCK_MAX) {
        u->fence = u->fence < UPDATE_FENCE_MAX ? u->fence + 1 : u->fence;
        saw_clock = 0;
    }
    u->clock = saw_clock + 1 > stamper->now ? saw_clock + 1 : stamper->now;
}

void make_tombstone(struct update *u)
{
    u->present = false;
    u->size = 0;
    u->hash = (struct content_hash){{0}};
    /* a directory may be revived, and then needs them */
    if (u->kind != FILE_DIRECTORY)
        update_set_attributes(u, (struct span){0});
}

void make_name_conflict(struct update *u, const struct file_id *winner)
{
    make_tombstone(u);
    update_set_attributes(u, (struct span){0});
    u->name_conflict = true;
    if (u->kind == FILE_DIRECTORY) {
        u->merged = true;
        u->merged_into = *winner;
    }
}
