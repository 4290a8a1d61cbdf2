/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Placing: the disk gets one version of one file, whatever it has of it now. Remote updates, the
 * winners of clashes and what is moved out of a merge all come here.
 */
#include "agent/replica/plan.h"

#include "common/base/scope.h"

/* The file is not on this disk yet. */
static void create(struct plan *plan, struct record *next)
{
    if (next->update.kind == FILE_DIRECTORY) {
        plan_make_dir(plan, next);
        return;
    }

    const struct offer *offer = &plan->offers[plan->offer_index];

    plan_install(plan, next, NULL, offer, PRESERVE_NONE);
    if (next->update.kind == FILE_REGULAR)
        next->object = offer->object;
}

/*
 * New content for a file that stands here. A regular file is exchanged where it stands and moved
 * after: the first step sees whether it was edited meanwhile, the second moves only what the first
 * put there. A symlink can not be edited, so it is moved first: the link made in its stead has no
 * identity before it is made, and could not be moved.
 */
static void replace(struct plan *plan, struct record *next, const struct record *ours,
                    enum preserve_reason preserve)
{
    const struct offer *offer = &plan->offers[plan->offer_index];
    bool moves = ours->place == PLACE_PARKED || !update_same_place(&next->update, &ours->update);
    scope(record) struct record standing = {0};

    record_copy(&standing, ours);
    if (next->update.kind == FILE_SYMLINK) {
        if (moves) {
            plan_move(plan, ours, next);
            record_copy(&standing, next);
            standing.update.gvsn = ours->update.gvsn;
        }
        plan_install(plan, next, &standing, offer, preserve);
        next->object = (struct object){0};
        return;
    }
    plan_install(plan, next, &standing, offer, preserve);
    next->object = offer->object;
    next->witness = (struct witness){0};
    if (moves) {
        standing.object = next->object;
        standing.witness = next->witness;
        plan_move(plan, &standing, next);
    }
}

/* The same content at another place or with other attributes. */
static void adjust(struct plan *plan, struct record *next, const struct record *ours)
{
    scope(record) struct record standing = {0};

    if (ours->place == PLACE_PARKED || !update_same_place(&next->update, &ours->update))
        plan_move(plan, ours, next);
    if (!update_same_attributes(&next->update, &ours->update)) {
        record_copy(&standing, next);
        plan_attributes(plan, next, &standing);
    }
}

void place_update(struct plan *plan, const struct update *u, const struct ruling *ruling)
{
    scope(record) struct record ours = {0};
    scope(record) struct record next = {0};
    bool on_disk = view_get(&plan->view, &u->id, &ours) && ours.place != PLACE_NOWHERE;

    update_copy(&next.update, u);
    next.place = PLACE_TREE;
    if (on_disk) {
        next.object = ours.object;
        next.witness = ours.witness;
    }
    if (!on_disk)
        create(plan, &next);
    else if (update_same_content(u, &ours.update))
        adjust(plan, &next, &ours);
    else
        replace(plan, &next, &ours, ruling->is_concurrent ? PRESERVE_CONFLICT : PRESERVE_NONE);
    plan_put(plan, &next);
    plan_claim(plan, u);
}
