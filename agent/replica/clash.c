/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Name clashes: an update takes the name from the record that holds it (rule 4), because it won, or
 * because the holder has no say yet (rule 9).
 */
#include "agent/replica/plan.h"

#include "common/base/scope.h"

void clash_yield(struct plan *plan, const struct record *loser, const struct update *winner)
{
    scope(record) struct record dead = {0};

    if (replica_is_unheard(plan->replica, loser)) {
        plan_forget(plan, &loser->update.id);
        return;
    }
    update_copy(&dead.update, &loser->update);
    make_name_conflict(&dead.update, &winner->id);
    plan_stamp(plan, &dead.update, winner->clock);
    plan_put(plan, &dead);
}

/* The content is the holder's, and we have nothing of the file: it takes over the holder's object.
 */
static void adopt(struct plan *plan, const struct update *u, const struct record *holder)
{
    scope(record) struct record next = {0};

    update_copy(&next.update, u);
    next.place = PLACE_TREE;
    next.object = holder->object;
    next.witness = holder->witness;
    /* The name as it is spelt here stays when only its case differs: a step for it would be a move.
     */
    if (!span_equal(update_name(u), update_name(&holder->update)))
        plan_move(plan, holder, &next);
    if (!update_same_attributes(u, &holder->update)) {
        scope(record) struct record standing = {0};

        record_copy(&standing, &next);
        plan_attributes(plan, &next, &standing);
    }
    clash_yield(plan, holder, u);
    plan_put(plan, &next);
    plan_claim(plan, u);
}

/* One exchange puts the new file and keeps the old one. */
static void exchange(struct plan *plan, const struct update *u, const struct record *holder)
{
    const struct offer *offer = &plan->offers[plan->offer_index];
    scope(record) struct record next = {0};

    update_copy(&next.update, u);
    next.place = PLACE_TREE;
    next.object = offer->object;
    plan_install(plan, &next, holder, offer, PRESERVE_NAME_CONFLICT);
    clash_yield(plan, holder, u);
    plan_put(plan, &next);
    plan_claim(plan, u);
}

bool clash_resolve(struct plan *plan, const struct update *u, const struct ruling *ruling)
{
    const struct record *holder = &ruling->holder;
    bool on_disk = ruling->has_ours && ruling->ours.place != PLACE_NOWHERE;
    bool same_content = update_same_content(u, &holder->update);
    bool same_name = span_equal(update_name(u), update_name(&holder->update));

    if (holder->update.kind == FILE_DIRECTORY)
        return merge_update(plan, u, ruling);
    if (same_content && !on_disk) {
        adopt(plan, u, holder);
        return true;
    }
    if (u->kind == FILE_REGULAR && holder->update.kind == FILE_REGULAR && !on_disk && same_name) {
        exchange(plan, u, holder);
        return true;
    }
    plan_remove(plan, holder, same_content ? PRESERVE_NONE : PRESERVE_NAME_CONFLICT);
    clash_yield(plan, holder, u);
    place_update(plan, u, ruling);
    return true;
}

void clash_lose(struct plan *plan, const struct update *u, const struct ruling *ruling)
{
    scope(record) struct record dead = {0};

    if (ruling->has_ours && ruling->ours.place != PLACE_NOWHERE)
        plan_remove(plan, &ruling->ours, PRESERVE_NAME_CONFLICT);
    update_copy(&dead.update, u);
    make_name_conflict(&dead.update, &ruling->holder.update.id);
    plan_stamp(plan, &dead.update, ruling->holder.update.clock);
    plan_put(plan, &dead);
    plan_claim(plan, u);
}

/* A parked record of ours and the holder of its name: one of them goes. False: not now. */
static bool decide_parked(struct plan *plan, const struct record *parked,
                          const struct record *holder)
{
    bool parked_is_dir = parked->update.kind == FILE_DIRECTORY;
    bool holder_is_dir = holder->update.kind == FILE_DIRECTORY;
    bool parked_wins = parked_is_dir != holder_is_dir
                           ? parked_is_dir
                           : update_compare(&parked->update, &holder->update) > 0;
    const struct record *winner = parked_wins ? parked : holder;
    const struct record *loser = parked_wins ? holder : parked;
    bool same = update_same_content(&parked->update, &holder->update);

    if (!plan_knows_object(loser) || !plan_knows_object(winner))
        return false;
    /* A read-only member decides nothing: its partners do. */
    if (plan->replica->options.read_only && !replica_is_unheard(plan->replica, loser))
        return false;
    if (parked_is_dir && holder_is_dir)
        return merge_dirs(plan, &loser->update.id, &winner->update.id);
    plan_remove(plan, loser, same ? PRESERVE_NONE : PRESERVE_NAME_CONFLICT);
    clash_yield(plan, loser, &winner->update);
    return true;
}

bool clash_unpark(struct plan *plan, const struct file_id *id, bool fresh)
{
    scope(record) struct record parked = {0};
    scope(record) struct record holder = {0};

    if (!view_get(&plan->view, id, &parked) || parked.place != PLACE_PARKED)
        return true;
    if (!plan_knows_object(&parked))
        return false;
    if (view_get_by_name(&plan->view, &parked.update.parent, update_name(&parked.update),
                         &holder) &&
        !decide_parked(plan, &parked, &holder))
        return false;
    if (view_get(&plan->view, id, &parked) && parked.place == PLACE_PARKED)
        plan_unpark(plan, &parked, fresh);
    return true;
}
