/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calm runs: one user alone, and a network that fails. Nothing is ever concurrent then, so nobody
 * may see a conflict: whatever comes in whatever order over whomever, each change is known for the
 * successor that it is. Elsewhere nothing would tell a conflict that nobody has caused, since it
 * loses nothing. Only when a partner stays away in the middle of an exchange of names for
 * PARKED_WAIT_MS one is decided all the same (docs/decisions/0009, 4).
 */
#include "tests/sim/member.h"

#define CALM_SHARE   9  /* one run in so many */
#define SWAP_PERCENT 30 /* names that go round park each other, and look most like clashes */

void calm_plan(struct world *world)
{
    struct plan_of_run *plan = &world->plan;
    uint64_t mixed = (world->options.seed + 2) * UINT64_C(0xaef17502108ef2d9);

    /* not drawn from the run's random numbers: other runs stay what they were */
    plan->calm = (mixed >> 35) % CALM_SHARE == 0;
    if (!plan->calm)
        return;
    plan->member_count += plan->member_count == 2; /* somebody passes on what somebody else made */
    plan->failure_permille = 0;
    plan->seeded = false;
    plan->snapshots = false;
    plan->reader = false;
}

uint64_t calm_fault(const struct world *world, uint64_t kind)
{
    return world->plan.calm && kind >= FAULTS_OF_MEMBERS_FIRST && kind < FAULTS_OF_MEMBERS_END
               ? kind % FAULTS_OF_MEMBERS_FIRST
               : kind;
}

struct member *calm_user(const struct world *world, struct member *drawn)
{
    return world->plan.calm ? world->members[0] : drawn;
}

enum sim_operation calm_operation(const struct world *world, struct random_source *random,
                                  enum sim_operation drawn)
{
    return world->plan.calm && random_chance(random, SWAP_PERCENT) ? OPERATION_swap : drawn;
}

void calm_check_step(struct member *member, const struct step *step)
{
    if (!member->world->plan.calm || member->world->has_decided ||
        step->preserve == PRESERVE_NONE || step->preserve == PRESERVE_DELETED)
        return;
    world_fail(member->world, "member %u: %s is in conflict with nobody", member->index,
               step->path);
}
