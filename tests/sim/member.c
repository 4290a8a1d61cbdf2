/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/member.h"
#include "tests/sim/script.h"

#include "common/base/mem.h"

#include <assert.h>
#include <stdlib.h>

struct walltime member_walltime(const struct member *member)
{
    static const int64_t epoch_ms = INT64_C(1800000000000);

    return (struct walltime){
        .ns = (epoch_ms + member->world->now_ms + member->skew_ms) * NS_PER_MS};
}

bool member_is_reader(const struct member *member)
{
    const struct plan_of_run *plan = &member->world->plan;

    return plan->reader && member->index + 1 == plan->member_count;
}

struct member *member_new(struct world *world, unsigned index)
{
    struct member *member = MEM_NEW(struct member);

    member->world = world;
    member->index = index;
    member->memory = memstore_new(world->plan.fold);
    member->store = memstore_port(member->memory);
    disk_init(&member->disk, &world->ledger, world->plan.fold);
    return member;
}

/* An open plan ends with the process: its commit fails, so that only its memory is freed. */
static void drop_plan(struct member *member)
{
    enum settled settled[PLAN_OFFER_COUNT_MAX];
    size_t issued;

    if (!member->plan)
        return;
    memstore_fail_commit(member->memory, 1);
    enum status st = replica_settle(member->plan, NULL, 0, settled, &issued);
    (void)st;
    memstore_fail_commit(member->memory, 0);
    member->plan = NULL;
}

/* The process has ended: what it held is gone. */
static void forget_process(struct member *member)
{
    member->up = false;
    member->incarnation++;
    streams_member_down(member);
    intake_free(member->intake);
    member->intake = NULL;
    free(member->results);
    member->results = NULL;
    free(member->entries);
    member->entries = NULL;
    drop_plan(member);
    replica_close(member->replica);
    member->replica = NULL;
    member->work = WORK_NONE;
    member->plan_listing = NULL;
    member->result_count = 0;
    member->dirty_count = 0;
    member->looked_count = 0;
    member->look_queued = false;
    member->look_due = false;
    member->unpark_queued = false;
    member->unpark_due = false;
    member->rejudge_wanted = false;
    member->return_failed = false;
    member->scanned = false;
}

void member_free(struct member *member)
{
    if (member->up)
        forget_process(member);
    memstore_free(member->memory);
    snapshot_free(member->snapshot);
    power_free(member);
    disk_fini(&member->disk);
    free(member);
}

static enum status open_replica(struct member *member)
{
    const struct replica_options options = {
        .folder = member->world->folder,
        .store = member->store,
        .primary = member->index == 0,
        .read_only = member_is_reader(member),
        .case_insensitive = member->world->plan.fold,
        .member = {{(uint8_t)(member->index + 1)}},
        .fresh_database = world_guid(member->world),
        .now = member_walltime(member),
    };

    return replica_open(&options, &member->replica);
}

static void restart_later(struct member *member, int64_t away_ms)
{
    world_queue(member->world, away_ms,
                (struct event){.kind = EVENT_RESTART,
                               .member = member,
                               .incarnation = member->incarnation});
}

void member_start(struct member *member)
{
    struct world *world = member->world;

    disk_drop_all_stages(&member->disk);
    enum status st = open_replica(member);
    if (st == ST_OK)
        st = apply_recover(member);
    if (st != ST_OK) { /* a failing store: the process ends and is started again */
        replica_close(member->replica);
        member->replica = NULL;
        memstore_crash(member->memory);
        restart_later(member, SECOND);
        return;
    }
    world->has_given_up = world->has_given_up || member_is_reader(member) ||
                          (member->incarnation > 0 &&
                           !replica_state(member->replica)->initial_sync_done);
    apply_sweep_parked(member);
    member->intake = intake_new();
    member->up = true;
    member->still_since_ms = world->now_ms;
    world_trace(world, member, "starts");
    look_dirty_all(member);
    for (size_t i = 0; i < world->edge_count; i++) {
        if (world->edges[i].to == member && world->edges[i].laid)
            streams_connect_later(world, &world->edges[i], world_delay(world, SECOND));
    }
}

void member_crash(struct member *member, int64_t away_ms)
{
    if (!member->up)
        return;
    world_trace(member->world, member, "crashes");
    script_say(member->world, member, "crash %lld", (long long)away_ms);
    forget_process(member);
    memstore_crash(member->memory);
    restart_later(member, away_ms);
}

void member_lose_database(struct member *member)
{
    struct world *world = member->world;

    if (!member->up || member->index == 0 || world->plan.reader)
        return;
    world_count_fault(world, FAULT_database_lost);
    script_say(world, member, "lose");
    member_crash(member, world_delay(world, 10 * SECOND));
    memstore_free(member->memory);
    member->memory = memstore_new(world->plan.fold);
    member->store = memstore_port(member->memory);
}

void member_vector_grew(struct member *member)
{
    if (member->up)
        streams_vector_grew(member);
}

/* What is parked waits for the update that moves it on, but not for ever. */
static void queue_unpark(struct member *member)
{
    struct world *world = member->world;
    int64_t due_ms = member->still_since_ms + PARKED_WAIT_MS;

    if (member->unpark_queued || !replica_has_parked(member->replica))
        return;
    member->unpark_queued = true;
    world_queue(world, due_ms > world->now_ms ? due_ms - world->now_ms : 1,
                (struct event){.kind = EVENT_UNPARK,
                               .member = member,
                               .incarnation = member->incarnation});
}

static void expire(struct member *member)
{
    struct world *world = member->world;
    int64_t life_ms = world->plan.tombstone_life_ms;
    struct vector held = {0};
    size_t count = 0;

    if (life_ms == 0 || world->now_ms - member->expired_ms < SECOND)
        return;
    member->expired_ms = world->now_ms;
    if (streams_held_by_all(member, &held) &&
        replica_expire(member->replica, member_walltime(member), life_ms, &held, &count) != ST_OK)
        member_crash(member, world_delay(world, 5 * SECOND));
    if (count > 0)
        world_trace(world, member, "drops %zu tombstones", count);
    world->result->expired_count += count;
    vector_fini(&held);
}

void member_run(struct member *member)
{
    struct world *world = member->world;

    while (member->up && !world->result->failed) {
        struct intake_next next;

        if (member->work == WORK_NONE)
            streams_try_joins(member);
        if (!member->up)
            return;
        intake_next(member->intake, member->replica, world_now(world), member->work != WORK_NONE,
                    &next);
        switch (next.kind) {
        case INTAKE_FETCH:
            streams_fetch(member, &next);
            continue;
        case INTAKE_SETTLED:
            streams_settled(member, &next);
            continue;
        case INTAKE_DROP:
            disk_drop_stage(&member->disk, next.stage);
            continue;
        case INTAKE_PLAN:
            apply_batch(member);
            continue;
        case INTAKE_IDLE:
            break;
        }
        if (member->work != WORK_NONE)
            return;
        if (member->look_due) {
            look_begin(member);
        } else if (!member->return_failed && replica_can_return(member->replica)) {
            apply_return(member);
        } else if (member->unpark_due && intake_item_count(member->intake) == 0) {
            member->unpark_due = false;
            member->still_since_ms = world->now_ms;
            apply_unpark(member);
        } else {
            queue_unpark(member);
            expire(member);
            return;
        }
    }
}
