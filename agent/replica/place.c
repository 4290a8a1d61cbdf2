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

/* Out of sight while more than one step is needed: interrupted then, it is still what it was. */
static void park(struct plan *plan, struct record *ours)
{
    if (ours->place == PLACE_PARKED)
        return;
    plan_park(plan, ours);
    plan_put(plan, ours);
}

/*
 * New content for a file that stands at its place: one exchange, which sees whether it was edited
 * meanwhile.
 */
static void exchange(struct plan *plan, struct record *next, const struct record *ours,
                     enum preserve_reason preserve)
{
    const struct offer *offer = &plan->offers[plan->offer_index];

    plan_install(plan, next, ours, offer, preserve);
    next->object = next->update.kind == FILE_REGULAR ? offer->object : (struct object){0};
    next->witness = (struct witness){0};
}

/* The same content at another place or with other attributes. */
static void adjust(struct plan *plan, struct record *next, struct record *ours)
{
    bool changes = !update_same_attributes(&next->update, &ours->update);
    bool moves = ours->place == PLACE_PARKED || !update_same_place(&next->update, &ours->update);

    if (changes && moves)
        park(plan, ours);
    else if (changes)
        plan_attributes(plan, next, ours);
    if (moves)
        plan_move(plan, ours, next);
}

/*
 * New content and a new place: the old file is parked, the new one made, recorded and claimed, and
 * then the old one goes. Were it left over, it would stand in the private directory.
 */
static void supersede(struct plan *plan, struct record *next, struct record *ours,
                      enum preserve_reason preserve)
{
    park(plan, ours);
    next->object = (struct object){0};
    next->witness = (struct witness){0};
    create(plan, next);
    plan_put(plan, next);
    plan_claim(plan, &next->update);
    plan_remove(plan, ours, preserve);
}

void place_update(struct plan *plan, const struct update *u, const struct ruling *ruling)
{
    enum preserve_reason preserve = ruling->is_concurrent ? PRESERVE_CONFLICT : PRESERVE_NONE;
    scope(record) struct record ours = {0};
    scope(record) struct record next = {0};
    bool on_disk = view_get(&plan->view, &u->id, &ours) && ours.place != PLACE_NOWHERE;

    update_copy(&next.update, u);
    next.place = PLACE_TREE;
    if (on_disk) {
        next.object = ours.object;
        next.witness = ours.witness;
    }
    if (!on_disk) {
        create(plan, &next);
    } else if (update_same_content(u, &ours.update)) {
        adjust(plan, &next, &ours);
    } else if (ours.place == PLACE_PARKED || !update_same_place(u, &ours.update)) {
        supersede(plan, &next, &ours, preserve);
        return;
    } else {
        exchange(plan, &next, &ours, preserve);
    }
    plan_put(plan, &next);
    plan_claim(plan, u);
}
