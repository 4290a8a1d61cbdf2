/* SPDX-License-Identifier: Apache-2.0 */
/* Carrying out plans on the disk, step by step, with users and crashes in between. */
#include "tests/sim/member.h"

#include "common/base/mem.h"

#include <assert.h>
#include <stdlib.h>

#define PARKED_WRITE_SHARE 4 /* one parked file in so many is written to */

static void finish(struct member *member)
{
    struct world *world = member->world;
    enum settled settled[PLAN_OFFER_COUNT_MAX];
    size_t issued;
    struct plan *plan = member->plan;
    bool failed =
        member->result_count > 0 && member->results[member->result_count - 1].status != ST_OK;

    member->plan = NULL;
    member->work = WORK_NONE;
    if (member->result_count > 0)
        power_synced(member);
    enum status st = replica_settle(plan, member->results, member->result_count, settled, &issued);
    free(member->results);
    member->results = NULL;
    if (st != ST_OK) {
        member_crash(member, world_delay(world, 5 * SECOND));
        return;
    }
    for (size_t i = 0; i < member->offer_count; i++) {
        if (settled[i] == SETTLED_DONE)
            member->still_since_ms = world->now_ms;
    }
    if (member->plan_has_offers)
        intake_planned(member->intake, settled, world_now(world));
    else if (member->plan_listing)
        listing_planned(member->plan_listing, failed);
    else if (failed)
        member->return_failed = true;
    if (failed) {
        apply_sweep_parked(member);
        member->rejudge_wanted = true;
        look_dirty_all(member);
    }
    member->plan_listing = NULL;
    if (issued > 0)
        world_trace(world, member, "answers with %zu versions", issued);
    check_records(member);
    member_vector_grew(member);
}

static void queue_step(struct member *member)
{
    struct world *world = member->world;

    world_queue(
        world, world_delay(world, world->plan.step_ms),
        (struct event){.kind = EVENT_STEP, .member = member, .incarnation = member->incarnation});
}

static void begin(struct member *member, struct plan *plan)
{
    size_t count;

    replica_plan_steps(plan, &count);
    member->plan = plan;
    member->work = WORK_PLAN;
    member->result_count = 0;
    if (count == 0) {
        finish(member);
        return;
    }
    if (replica_intend(plan) != ST_OK) {
        member_crash(member, world_delay(member->world, 5 * SECOND));
        return;
    }
    member->results = mem_new(count, sizeof(*member->results));
    queue_step(member);
}

void apply_batch(struct member *member)
{
    struct plan *plan;
    const struct offer *offers = intake_batch(member->intake, &member->offer_count);

    member->plan_has_offers = true;
    for (size_t i = 0; i < member->offer_count; i++)
        member->world->result->in_vain_count += offers[i].in_vain;
    if (replica_plan(member->replica, member_walltime(member), offers, member->offer_count,
                     &plan) != ST_OK) {
        member_crash(member, world_delay(member->world, 5 * SECOND));
        return;
    }
    begin(member, plan);
}

void apply_unpark(struct member *member)
{
    struct plan *plan;

    member->plan_has_offers = false;
    member->offer_count = 0;
    member->world->has_decided = true;
    if (replica_plan_unpark(member->replica, member_walltime(member), &plan) != ST_OK) {
        member_crash(member, world_delay(member->world, 5 * SECOND));
        return;
    }
    begin(member, plan);
}

void apply_listing(struct member *member, struct stream *stream, struct plan *plan)
{
    member->plan_has_offers = false;
    member->plan_listing = stream;
    member->offer_count = 0;
    begin(member, plan);
}

void apply_return(struct member *member)
{
    struct plan *plan;

    member->plan_has_offers = false;
    member->offer_count = 0;
    if (replica_plan(member->replica, member_walltime(member), NULL, 0, &plan) != ST_OK) {
        member_crash(member, world_delay(member->world, 5 * SECOND));
        return;
    }
    begin(member, plan);
}

/* The watch sees our own changes too. */
static void see_step(struct member *member, const char *path)
{
    const struct node *node = disk_resolve(&member->disk, path);

    if (node && node->parent && disk_is_below(node, member->disk.root))
        look_dirty(member, node->parent);
}

/* Who has the file open goes on writing to it wherever it is moved. */
static void write_parked(struct member *member, const struct step *step)
{
    struct world *world = member->world;
    struct node *node = disk_resolve(&member->disk, step->path);
    uint64_t mixed =
        (world->options.seed + world->result->event_count) * UINT64_C(0x9e3779b97f4a7c15);

    /* not drawn from the run's random numbers: other runs stay what they were */
    if (world->healed || world->plan.calm || (mixed >> 33) % PARKED_WRITE_SHARE != 0 || !node ||
        node->kind != FILE_REGULAR || node->parent != member->disk.parked)
        return;
    world_trace(world, member, "writes to %s while it is parked", step->path);
    world_count_fault(world, FAULT_parked_written);
    power_before_change(member);
    disk_write(&member->disk, node, ledger_new_content(&world->ledger));
}

/* What an earlier step of the plan has put there must be as that one left it (agent/install/swap.c). */
static struct step with_expectation(const struct member *member, const struct step *step)
{
    static const struct witness unchecked;
    struct step own = *step;

    for (size_t i = member->result_count - 1; i-- > 0;) {
        if (step->expect.size > 0 && witness_equal(&own.expect_witness, &unchecked) &&
            object_equal(&member->results[i].object, &step->expect))
            own.expect_witness = member->results[i].witness;
    }
    return own;
}

/* What was moved or changed in a state that nobody had told is to be looked at. */
static void forget_unknown(const struct step *step, struct step_result *result)
{
    static const struct witness unchecked;

    bool keeps_content =
        step->kind == STEP_MOVE || step->kind == STEP_PARK || step->kind == STEP_ATTRIBUTES;

    if (result->status == ST_OK && keeps_content &&
        witness_equal(&step->expect_witness, &unchecked))
        result->witness = unchecked;
}

static void execute(struct member *member, const struct step *planned, struct step_result *result)
{
    struct world *world = member->world;
    const struct step own = with_expectation(member, planned);
    const struct step *step = &own;

    if (!world->healed && world_chance(world, world->plan.failure_permille)) {
        bool full = world_chance(world, 500);

        world_count_fault(world, full ? FAULT_step_full : FAULT_step_io);
        *result = (struct step_result){.status = full ? ST_FULL : ST_IO};
        return;
    }
    member->disk.now_ns = member_walltime(member).ns;
    power_before_change(member);
    calm_check_step(member, step);
    disk_execute(&member->disk, step, result);
    forget_unknown(step, result);
    if (result->status == ST_OK)
        write_parked(member, step);
    see_step(member, step->path);
}

void apply_step(struct member *member)
{
    struct world *world = member->world;
    size_t count;
    const struct step *step = replica_plan_steps(member->plan, &count) + member->result_count;
    struct step_result *result = &member->results[member->result_count++];

    execute(member, step, result);
    world_trace(world, member, "step %d %s from=%s: %s", (int)step->kind, step->path,
                step->from_path ? step->from_path : "", status_name(result->status));
    if (!world->healed && world_chance(world, world->plan.failure_permille)) {
        world_count_fault(world, FAULT_crash_at_step);
        member_crash(member, world_delay(world, 10 * SECOND));
        return;
    }
    if (result->status == ST_OK && member->result_count < count)
        queue_step(member);
    else
        finish(member);
}

/* --- recovery --- */

/* Whether the disk shows what the intent wanted. */
static bool shows(struct member *member, const struct intent *intent, const char *path,
                  struct step_result *result)
{
    const struct node *node = *path ? disk_resolve(&member->disk, path) : NULL;

    if (!intent->update.present) {
        struct record record = {0};
        bool stands = false;

        if (member->store.ops->get(member->store.arg, &intent->update.id, &record)) {
            const struct node *ours = disk_node(&member->disk, &record.object);
            stands = ours && ours->area == AREA_ATTACHED;
        }
        record_fini(&record);
        return !stands;
    }
    if (intent->object.size > 0) {
        if (node != disk_node(&member->disk, &intent->object))
            return false;
    } else if (node) {
        struct object object = object_of(node);
        struct record record = {0};
        bool known = member->store.ops->get_by_object(member->store.arg, &object, &record);

        record_fini(&record);
        if (known)
            return false;
    }
    uint32_t attributes = 0;
    memcpy(&attributes, intent->update.attributes, intent->update.attributes_size);
    if (!node || node->kind != intent->update.kind || node->attributes != attributes)
        return false;
    struct content_hash target = content_hash(node->content);
    if (node->kind == FILE_SYMLINK && !content_hash_equal(&target, &intent->update.hash))
        return false;
    /* A file's content is whatever was staged; the zero witness makes the scan read it again. */
    result->object = object_of(node);
    return true;
}

/* What is not called parked before it is parked would count as deleted by users after a crash. */
static void check_parked(struct member *member, const struct record *record)
{
    if (record->place == PLACE_TREE && !member->apart)
        world_fail(member->world, "member %u: %s is parked and recorded in the tree", member->index,
                   (const char *)record->update.name);
}

void apply_sweep_parked(struct member *member)
{
    struct node *next;

    for (struct node *node = member->disk.parked->child; node; node = next) {
        struct object object = object_of(node);
        struct record record = {0};

        next = node->sibling;
        if (member->store.ops->get_by_object(member->store.arg, &object, &record))
            check_parked(member, &record);
        if (record.place != PLACE_PARKED)
            disk_preserve_parked(&member->disk, node);
        record_fini(&record);
    }
}

enum status apply_recover(struct member *member)
{
    struct intent intent = {0};
    const char *path;
    bool done[PLAN_OFFER_COUNT_MAX] = {false};
    struct step_result results[PLAN_OFFER_COUNT_MAX] = {0};
    size_t count = 0;

    while (replica_intent(member->replica, count, &intent, &path)) {
        done[count] = shows(member, &intent, path, &results[count]);
        world_trace(member->world, member, "recovers %s: %d", path, done[count]);
        intent_fini(&intent);
        count++;
        assert(count < PLAN_OFFER_COUNT_MAX);
    }
    if (count == 0)
        return ST_OK;
    power_synced(member);
    return replica_recover(member->replica, done, results, count);
}
