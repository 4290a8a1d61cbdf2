/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a plan does beside its offers: parked files return when their name has become free, and what
 * users of a read-only member made goes.
 */
#include "agent/replica/plan.h"

#include "common/base/scope.h"

/* The first parked record above @after whose name is free. */
static bool next_returnable(const struct view *view, const struct file_id *after,
                            struct record *out)
{
    struct file_id last;

    while (view->store->ops->next_parked(view->store->arg, after, out)) {
        scope(record) struct record holder = {0};

        last = out->update.id;
        after = &last;
        if (view_get(view, &last, out) && out->place == PLACE_PARKED && plan_knows_object(out) &&
            !view_get_by_name(view, &out->update.parent, update_name(&out->update), &holder))
            return true;
    }
    return false;
}

/*
 * The first own version above *@number of a file that a read-only member made itself, and that
 * holds no children. Before the first sync partners may know it, by name and content.
 */
static bool next_of_no_right(const struct replica *replica, const struct view *view,
                             uint64_t *number, struct record *out)
{
    struct interval rest = {.low = *number, .high = replica->state.number_last};

    if (!replica->options.read_only || !replica->state.initial_sync_done)
        return false;
    while (rest.low < rest.high &&
           view->store->ops->next_version(view->store->arg, &replica->state.database, rest, out)) {
        scope(record) struct record child = {0};
        struct file_id id = out->update.id;

        rest.low = out->update.gvsn.number;
        *number = rest.low;
        if (view_get(view, &id, out) && out->place != PLACE_NOWHERE && plan_knows_object(out) &&
            replica_is_unheard(replica, out) &&
            (out->update.kind != FILE_DIRECTORY || !view_next_child(view, &id, NULL, &child)))
            return true;
    }
    return false;
}

bool replica_can_return(struct replica *replica)
{
    struct view view;
    scope(record) struct record record = {0};
    uint64_t number = 0;
    bool can;

    view_init(&view, &replica->options.store, &replica->root);
    can =
        next_returnable(&view, NULL, &record) || next_of_no_right(replica, &view, &number, &record);
    view_fini(&view);
    return can;
}

void return_all(struct plan *plan)
{
    scope(record) struct record record = {0};
    struct file_id last;
    const struct file_id *after = NULL;
    uint64_t number = 0;

    while (next_returnable(&plan->view, after, &record)) {
        last = record.update.id;
        after = &last;
        plan_unpark(plan, &record, false);
    }
    for (size_t count = 0; count < PLAN_OFFER_COUNT_MAX &&
                           next_of_no_right(plan->replica, &plan->view, &number, &record);
         count++) {
        plan_remove(plan, &record, PRESERVE_CONFLICT);
        plan_forget(plan, &record.update.id);
    }
}
