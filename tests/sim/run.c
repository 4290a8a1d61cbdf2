/* SPDX-License-Identifier: Apache-2.0 */
/* One run from its seed: set up, load, heal, wait for quiet, check, epilogue, check again. */
#include "tests/sim/member.h"
#include "tests/sim/script.h"

#include "common/base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define QUIET_MS_MAX    (6 * HOUR)
#define EVENT_COUNT_MAX 400000u

/* --- the world --- */

struct instant world_now(const struct world *world)
{
    return (struct instant){.ns = world->now_ms * NS_PER_MS};
}

struct guid world_guid(struct world *world)
{
    struct guid guid = {{0}};
    uint64_t value = random_next(&world->random);

    memcpy(guid.bytes, &value, sizeof(value));
    memcpy(guid.bytes + 8, &world->guid_last, sizeof(world->guid_last));
    world->guid_last++;
    return guid;
}

bool world_chance(struct world *world, unsigned permille)
{
    return permille > 0 && random_below(&world->random, 1000) < permille;
}

int64_t world_delay(struct world *world, int64_t most_ms)
{
    uint64_t wide = random_below(&world->random, (uint64_t)most_ms);

    /* mostly short, sometimes the whole range */
    return 1 + (int64_t)(random_chance(&world->random, 80) ? wide / 8 : wide);
}

void world_fail(struct world *world, const char *format, ...)
{
    va_list args;

    if (world->result->failed)
        return;
    world->result->failed = true;
    va_start(args, format);
    vsnprintf(world->result->problem, SIM_PROBLEM_SIZE, format, args);
    va_end(args);
    world_trace(world, NULL, "PROBLEM %s", world->result->problem);
}

static void hash_in(struct world *world, const char *text)
{
    uint64_t hash = world->result->trace_hash;

    for (; *text; text++)
        hash = (hash ^ (uint8_t)*text) * UINT64_C(0x100000001b3);
    world->result->trace_hash = hash;
}

void world_trace(struct world *world, const struct member *member, const char *format, ...)
{
    char text[300];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    hash_in(world, text);
    if (!world->options.trace)
        return;
    if (member)
        printf("%10lld  %2u  %s\n", (long long)world->now_ms, member->index, text);
    else
        printf("%10lld   -  %s\n", (long long)world->now_ms, text);
}

void world_count_fault(struct world *world, enum sim_fault fault)
{
    world->result->faults[fault]++;
}

/* --- setting up --- */

static void draw_plan(struct world *world)
{
    struct random_source *random = &world->random;
    struct plan_of_run *plan = &world->plan;
    uint64_t size = random_below(random, 100);

    plan->member_count = size < 55   ? 2
                         : size < 80 ? 3
                         : size < 96 ? 4 + (unsigned)random_below(random, 2)
                                     : 6 + (unsigned)random_below(random, 11);
    plan->name_count = 2 + (unsigned)random_below(random, 4);
    plan->action_count = 8 + (unsigned)random_below(random, 50);
    plan->load_ms = (1 + (int64_t)random_below(random, 60)) * SECOND;
    plan->latency_ms = 1 + (int64_t)random_below(random, random_chance(random, 70) ? 100 : 3000);
    plan->watch_ms = 1 + (int64_t)random_below(random, random_chance(random, 70) ? 500 : 10000);
    plan->step_ms = 1 + (int64_t)random_below(random, random_chance(random, 70) ? 50 : 2000);
    plan->fault_percent = random_chance(random, 20) ? 0 : (unsigned)random_below(random, 50);
    plan->failure_permille = random_chance(random, 40) ? 0 : (unsigned)random_below(random, 80);
    plan->inline_percent = (unsigned)random_below(random, 101);
    plan->fold = random_chance(random, 15);
    plan->seeded = random_chance(random, 40);
    plan->reader = random_chance(random, 10);
    if (random_chance(random, 30))
        plan->tombstone_life_ms = 1 + (int64_t)random_below(random, 30 * SECOND);
    plan->snapshots = plan->fault_percent > 0 && random_chance(random, 40);
    /* what went back finds deletions forgotten only if they are forgotten soon */
    if (plan->snapshots && random_chance(random, 60))
        plan->tombstone_life_ms = 1 + (int64_t)random_below(random, 2 * SECOND);
    calm_plan(world);
}

static void seed_disk(struct world *world, struct member *member)
{
    uint64_t count = random_below(&world->random, 8);

    for (uint64_t i = 0; i < count; i++)
        actions_operate(world, member, &world->random);
}

static void set_up(struct world *world)
{
    world->random = random_from(world->options.seed);
    world->result->trace_hash = UINT64_C(0xcbf29ce484222325);
    draw_plan(world);
    world->folder = world_guid(world);
    for (unsigned i = 0; i < world->plan.member_count; i++) {
        world->members[i] = member_new(world, i);
        if (random_chance(&world->random, 30))
            world->members[i]->skew_ms =
                (int64_t)random_below(&world->random, 20 * HOUR) - 10 * HOUR;
    }
    topology_lay(world, &world->random);
    script_begin(world);
    for (unsigned i = 0; i < world->plan.member_count; i++) {
        script_say(world, world->members[i], "clock %lld", (long long)world->members[i]->skew_ms);
        if (world->plan.seeded)
            seed_disk(world, world->members[i]);
        member_start(world->members[i]);
    }
    script_say(world, NULL, "start");
    for (unsigned i = 0; i < world->plan.action_count; i++) {
        int64_t at_ms = (int64_t)random_below(&world->random, (uint64_t)world->plan.load_ms);
        world_queue(world, at_ms, (struct event){.kind = EVENT_ACTION, .value = i});
    }
    world->result->action_count = world->plan.action_count;
    world_trace(world, NULL, "members=%u edges=%zu actions=%u names=%u", world->plan.member_count,
                world->edge_count, world->plan.action_count, world->plan.name_count);
}

static void tear_down(struct world *world)
{
    for (unsigned i = 0; i < world->plan.member_count; i++)
        member_free(world->members[i]);
    for (size_t i = 0; i < world->stream_count; i++) {
        receiver_free(world->streams[i]->receiver);
        sender_free(world->streams[i]->sender);
        listing_free(world->streams[i]->listing);
        free(world->streams[i]);
    }
    for (size_t i = 0; i < world->queued_count; i++)
        message_free(world->events[i].message);
    free(world->streams);
    free(world->events);
    ledger_fini(&world->ledger);
}

/* --- running --- */

static void handle(struct world *world, const struct event *event)
{
    struct member *member = event->member;

    if (member && event->incarnation != member->incarnation) {
        message_free(event->message);
        return;
    }
    switch (event->kind) {
    case EVENT_MESSAGE:
        streams_message(world, event->stream, event->message, member);
        break;
    case EVENT_ACTION:
        actions_run(world, event->value);
        break;
    case EVENT_LOOK:
        member->look_queued = false;
        member->look_due = true;
        break;
    case EVENT_LOOK_COMMIT:
        look_commit(member);
        break;
    case EVENT_STEP:
        apply_step(member);
        break;
    case EVENT_RECEIVER_TICK:
    case EVENT_SENDER_TICK:
        streams_tick(world, event->stream, event->kind);
        break;
    case EVENT_CONNECT:
        streams_connect(world, event->edge);
        member_run(event->edge->to);
        break;
    case EVENT_STREAM_LOST:
        streams_lost(world, event->stream, member);
        break;
    case EVENT_RESTART:
        member_start(member);
        break;
    case EVENT_REPLAY:
        noise_replay(world, event);
        break;
    case EVENT_UNPARK:
        member->unpark_queued = false;
        member->unpark_due = world->now_ms - member->still_since_ms >= PARKED_WAIT_MS;
        break;
    }
    if (member)
        member_run(member);
}

static bool run_event(struct world *world)
{
    struct event event;

    if (!world_next_event(world, &event))
        return false;
    world->now_ms = event.at_ms;
    world->result->event_count++;
    handle(world, &event);
    if (world->result->event_count > EVENT_COUNT_MAX)
        world_fail(world, "never quiet: %u events", EVENT_COUNT_MAX);
    return !world->result->failed;
}

static void run_until(struct world *world, int64_t until_ms)
{
    while (world->queued_count > 0 && world->events[0].at_ms <= until_ms && run_event(world))
        ;
    if (!world->result->failed)
        world->now_ms = until_ms;
}

static bool all_connected(const struct world *world)
{
    for (size_t i = 0; i < world->edge_count; i++) {
        const struct edge *edge = &world->edges[i];
        if (edge->laid && edge->from->up && edge->to->up && !edge->stream)
            return false;
    }
    return true;
}

static void run_until_quiet(struct world *world)
{
    int64_t begin_ms = world->now_ms;

    while ((!world_is_quiet(world) || !all_connected(world)) && run_event(world)) {
        if (world->now_ms - begin_ms > QUIET_MS_MAX)
            world_fail(world, "not quiet after %lld h", (long long)(QUIET_MS_MAX / HOUR));
    }
}

/* With one member away, users delete and create; when it returns it must follow. */
static void epilogue(struct world *world)
{
    struct member *away = world->members[world->plan.member_count - 1];
    struct member *active = world->members[0];
    struct node *victim = active->disk.root->child;
    uint64_t lost = 0;

    world_trace(world, away, "epilogue: away");
    member_crash(away, 40 * MINUTE);
    active->disk.now_ns = member_walltime(active).ns;
    if (victim) {
        lost = victim->content;
        disk_delete(&active->disk, victim);
        look_dirty(active, active->disk.root);
    }
    if (!disk_child(&active->disk, active->disk.root, "z")) {
        disk_create(&active->disk, active->disk.root, "z", FILE_REGULAR,
                    ledger_new_content(&world->ledger));
        look_dirty(active, active->disk.root);
    }
    run_until(world, world->now_ms + 20 * MINUTE);
    if (world->result->failed)
        return;
    run_until_quiet(world);
    if (world->result->failed)
        return;
    check_quiet(world);
    for (size_t i = 0; lost != 0 && i < away->disk.node_count; i++) {
        const struct node *node = away->disk.nodes[i];
        bool elsewhere = false;

        /* a copy of the same content may live on under another name */
        for (size_t k = 0; k < active->disk.node_count; k++)
            elsewhere = elsewhere || (active->disk.nodes[k]->content == lost &&
                                      disk_is_below(active->disk.nodes[k], active->disk.root));
        if (node->content == lost && disk_is_below(node, away->disk.root) && !elsewhere)
            world_fail(world, "content %llu came back after all knew it deleted",
                       (unsigned long long)lost);
    }
}

void sim_run(const struct sim_options *options, struct sim_result *out_result)
{
    struct world world = {.options = *options, .result = out_result};

    *out_result = (struct sim_result){0};
    set_up(&world);
    run_until(&world, world.plan.load_ms);
    if (!out_result->failed) {
        int64_t healed_ms = world.now_ms;
        actions_heal(&world);
        world_trace(&world, NULL, "healed");
        run_until_quiet(&world);
        out_result->quiet_ms = world.now_ms - healed_ms;
    }
    if (!out_result->failed)
        check_quiet(&world);
    if (!out_result->failed)
        epilogue(&world);
    if (!out_result->failed && verify_end(&world)) {
        run_until_quiet(&world);
        if (!out_result->failed)
            check_quiet(&world);
    }
    for (unsigned i = 0; i < world.plan.member_count && options->trace && out_result->failed; i++)
        print_member(world.members[i]);
    tear_down(&world);
}
