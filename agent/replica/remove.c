/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/replica/plan.h"

#include "common/base/scope.h"

void remove_put_dead(struct plan *plan, const struct update *u)
{
    const struct vector *sender_vector = plan->offers[plan->offer_index].sender_vector;
    scope(record) struct record dead = {0};
    scope(record) struct record ours = {0};

    update_copy(&dead.update, u);
    if (!plan->replica->options.read_only && view_get(&plan->view, &u->id, &ours) &&
        ours.update.present && !knew_of(u, sender_vector, &ours.update.gvsn))
        plan_stamp(plan, &dead.update, 0);
    plan_put(plan, &dead);
    plan_claim(plan, u);
}

void remove_bury(struct plan *plan, const struct update *u, const struct ruling *ruling)
{
    enum preserve_reason reason = PRESERVE_DELETED;

    if (u->name_conflict)
        reason = PRESERVE_NAME_CONFLICT;
    else if (ruling->is_concurrent)
        reason = PRESERVE_CONFLICT;
    if (ruling->has_ours && ruling->ours.place != PLACE_NOWHERE)
        plan_remove(plan, &ruling->ours, reason);
    remove_put_dead(plan, u);
}

bool remove_revive(struct plan *plan, const struct update *u)
{
    scope(record) struct record revived = {0};

    /* A fresh version must not stand beside another of its name. */
    if (!clash_unpark(plan, &u->id, false))
        return false;
    if (view_get(&plan->view, &u->id, &revived) && revived.update.present) {
        if (revived.update.fence < u->fence)
            revived.update.fence = u->fence;
        plan_stamp(plan, &revived.update, u->clock);
        plan_put(plan, &revived);
    }
    plan_claim(plan, u);
    return true;
}
