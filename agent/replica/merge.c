/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Merging directories (rule 4): the lesser one's children move to the greater, then it goes.
 *
 * Two ways. When we have nothing of the winner yet, it takes over the loser's directory as it
 * stands: records change, the disk does not. Otherwise both stand on disk, and the children move
 * one by one; those that clash are merged or decided in turn. A stack holds the directories under
 * way, since the depth comes from outside.
 *
 * Interrupted between any two steps, the records make sense as they are: nothing is claimed before
 * it is recorded, and what is recorded and told has its place in the tree.
 */
#include "agent/replica/plan.h"

#include "common/base/mem.h"
#include "common/base/scope.h"

#include <stdio.h>
#include <stdlib.h>

struct merge {
    struct file_id loser;
    struct file_id winner;
};

struct merge_stack {
    struct merge *items;
    size_t count;
    size_t capacity;
};

static void push(struct merge_stack *stack, const struct file_id *loser,
                 const struct file_id *winner)
{
    if (stack->count == stack->capacity) {
        stack->capacity = stack->capacity == 0 ? 4 : stack->capacity * 2;
        stack->items = mem_resize(stack->items, stack->capacity, sizeof(*stack->items));
    }
    stack->items[stack->count++] = (struct merge){.loser = *loser, .winner = *winner};
}

/* A new parent for a record: as a fresh version, or silently if nobody has heard of this one. */
static void set_parent(struct plan *plan, struct record *child, const struct file_id *parent)
{
    child->update.parent = *parent;
    if (!replica_yields(plan->replica, child))
        plan_stamp(plan, &child->update, 0);
}

static void move_child(struct plan *plan, const struct record *child, const struct file_id *parent)
{
    scope(record) struct record moved = {0};

    record_copy(&moved, child);
    moved.place = PLACE_TREE;
    set_parent(plan, &moved, parent);
    plan_move(plan, child, &moved);
    plan_put(plan, &moved);
}

/* Give @u the first name of the form "name.aside-1" that is free beside it; false: none is. */
static bool find_free_name(const struct plan *plan, struct update *u)
{
    scope(record) struct record other = {0};

    for (unsigned i = 1; i <= SET_ASIDE_TRY_MAX; i++) {
        char suffix[24];
        uint8_t name[NAME_SIZE_MAX];
        size_t suffix_size = (size_t)snprintf(suffix, sizeof(suffix), ".aside-%u", i);
        size_t kept = u->name_size;

        if (kept > NAME_SIZE_MAX - suffix_size)
            kept = NAME_SIZE_MAX - suffix_size;
        memcpy(name, u->name, kept);
        memcpy(name + kept, suffix, suffix_size);

        struct span text = span_of(name, kept + suffix_size);

        if (!view_get_by_name(&plan->view, &u->parent, text, &other)) {
            update_set_name(u, text);
            return true;
        }
    }
    return false;
}

/*
 * What those who have a say put there takes the name of a directory that has none, and can not take
 * in its children: the directory is not thrown away for it, it is set aside under a name of its
 * own.
 */
static bool set_aside(struct plan *plan, const struct record *holder)
{
    scope(record) struct record aside = {0};

    record_copy(&aside, holder);
    if (!find_free_name(plan, &aside.update))
        return false;
    plan_move(plan, holder, &aside);
    plan_put(plan, &aside);
    return true;
}

/* Two children want one name. Directories are merged in turn; of others the lesser goes. What has
 * no say yields to what has (rule 9). False: not now. */
static bool decide_children(struct plan *plan, struct merge_stack *stack,
                            const struct record *child, const struct record *holder)
{
    bool child_is_dir = child->update.kind == FILE_DIRECTORY;
    bool holder_is_dir = holder->update.kind == FILE_DIRECTORY;
    bool child_yields = replica_yields(plan->replica, child);
    bool holder_yields = replica_yields(plan->replica, holder);
    bool child_wins = child_yields != holder_yields ? holder_yields
                      : child_is_dir != holder_is_dir
                          ? child_is_dir
                          : update_compare(&child->update, &holder->update) > 0;
    /* The loser may stand deep within the winner: what it stands in can not move into its child. */
    bool is_above =
        view_ancestry(&plan->view, &child->update.id, &holder->update.id) == ANCESTRY_BENEATH;
    const struct record *winner = child_wins && !is_above ? child : holder;
    const struct record *loser = child_wins && !is_above ? holder : child;
    bool same = update_same_content(&child->update, &holder->update);

    if (child_is_dir && holder_is_dir) {
        push(stack, &loser->update.id, &winner->update.id);
        return true;
    }
    if (loser->update.kind == FILE_DIRECTORY && replica_yields(plan->replica, loser))
        return set_aside(plan, loser);
    plan_remove(plan, loser, same ? PRESERVE_NONE : PRESERVE_NAME_CONFLICT);
    clash_yield(plan, loser, &winner->update);
    return true;
}

/* The loser is empty now: it goes, with the tombstone that came, or with one of ours. */
static void finish(struct plan *plan, const struct merge *merge, const struct update *tombstone)
{
    scope(record) struct record loser = {0};
    scope(record) struct record winner = {0};

    if (!view_get(&plan->view, &merge->loser, &loser) ||
        !view_get(&plan->view, &merge->winner, &winner))
        return;
    plan_remove(plan, &loser, PRESERVE_NONE);
    if (tombstone != NULL)
        remove_put_dead(plan, tombstone);
    else
        clash_yield(plan, &loser, &winner.update);
}

/*
 * Move all of @loser into @winner, which is not beneath it. Children that @known contains are left:
 * their own updates are on the way. @tombstone, if any, is what @loser becomes. False: something
 * must happen first; what was done so far stands.
 */
static bool merge_children(struct plan *plan, const struct file_id *loser,
                           const struct file_id *winner, const struct vector *known,
                           const struct update *tombstone)
{
    struct merge_stack stack = {0};
    bool going = true;

    push(&stack, loser, winner);
    while (going && stack.count > 0) {
        const struct merge top = stack.items[stack.count - 1];
        bool is_first = stack.count == 1;
        scope(record) struct record child = {0};
        scope(record) struct record holder = {0};

        if (!view_next_child(&plan->view, &top.loser, NULL, &child)) {
            finish(plan, &top, is_first ? tombstone : NULL);
            stack.count--;
            continue;
        }

        bool held = view_get_by_name(&plan->view, &top.winner, update_name(&child.update), &holder);

        if (!plan_knows_object(&child) || !plan_knows_object(&holder) ||
            (is_first && known != NULL && knew_of(tombstone, known, &child.update.gvsn)))
            going = false;
        else if (held)
            going = decide_children(plan, &stack, &child, &holder);
        else
            move_child(plan, &child, &top.winner);
    }
    free(stack.items);
    return going;
}

bool merge_dirs(struct plan *plan, const struct file_id *loser, const struct file_id *winner)
{
    return merge_children(plan, loser, winner, NULL, NULL);
}

/* @ours goes to a free name beside @place, as the fresh version @next that is made of it. */
static bool move_beside(struct plan *plan, const struct record *ours, struct record *next,
                        const struct update *place)
{
    next->place = PLACE_TREE;
    next->update.parent = place->parent;
    update_set_name(&next->update, update_name(place));
    if (!find_free_name(plan, &next->update))
        return false;
    plan_stamp(plan, &next->update, ours->update.clock);
    plan_move(plan, ours, next);
    if (!update_same_attributes(&next->update, &ours->update)) {
        scope(record) struct record standing = {0};

        record_copy(&standing, next);
        plan_attributes(plan, next, &standing);
    }
    plan_put(plan, next);
    return true;
}

/* Let @u have the place of @loser, or one beside it if the loser is parked and the name taken. */
static bool inherit_place(const struct plan *plan, struct update *u, const struct record *loser)
{
    scope(record) struct record other = {0};

    u->parent = loser->update.parent;
    update_set_name(u, update_name(&loser->update));
    if (loser->place == PLACE_TREE ||
        !view_get_by_name(&plan->view, &u->parent, update_name(u), &other))
        return true;
    return find_free_name(plan, u);
}

/* A child of the loser becomes the winner's where it stands, in the directory or parked: without a
 * step, so that no child is ever recorded beneath the loser's tombstone. */
static void inherit_child(struct plan *plan, const struct record *child,
                          const struct file_id *parent)
{
    scope(record) struct record next = {0};

    record_copy(&next, child);
    set_parent(plan, &next, parent);
    plan_put(plan, &next);
}

/*
 * We have nothing of the winner: the loser's directory becomes its directory. @next is the winner's
 * record with its version and place; @tombstone, if any, is what the loser becomes.
 */
static void take_over(struct plan *plan, struct record *next, const struct record *loser,
                      const struct update *tombstone)
{
    scope(record) struct record child = {0};
    struct file_id last;
    const struct file_id *after = NULL;

    next->place = PLACE_TREE;
    next->object = loser->object;
    next->witness = loser->witness;
    if (loser->place == PLACE_PARKED ||
        !span_equal(update_name(&next->update), update_name(&loser->update)))
        plan_move(plan, loser, next);
    if (!update_same_attributes(&next->update, &loser->update)) {
        scope(record) struct record standing = {0};

        record_copy(&standing, next);
        plan_attributes(plan, next, &standing);
    }
    if (tombstone != NULL)
        remove_put_dead(plan, tombstone);
    else
        clash_yield(plan, loser, &next->update);
    plan_put(plan, next);
    while (view_next_child(&plan->view, &loser->update.id, after, &child)) {
        last = child.update.id;
        after = &last;
        inherit_child(plan, &child, &next->update.id);
    }
}

/*
 * The winner stands elsewhere, with children of its own: the loser's move to it there, then it
 * takes the place. If it stands beneath the loser it can not: it is taken out of it beside the
 * loser, by a fresh version under a free name, and both live on; or the loser is set aside.
 */
static bool bring_together(struct plan *plan, const struct update *u, const struct ruling *ruling)
{
    const struct record *ours = &ruling->ours;
    const struct record *loser = &ruling->holder;
    scope(record) struct record beside = {0};

    if (view_ancestry(&plan->view, &u->id, &loser->update.id) == ANCESTRY_APART) {
        if (!merge_children(plan, &loser->update.id, &u->id, NULL, NULL))
            return false;
        place_update(plan, u, ruling);
        return true;
    }
    if (replica_is_unheard(plan->replica, loser)) {
        if (!set_aside(plan, loser))
            return false;
        place_update(plan, u, ruling);
        return true;
    }
    record_copy(&beside, ours);
    update_copy(&beside.update, u);
    if (!move_beside(plan, ours, &beside, u))
        return false;
    plan_claim(plan, u);
    return true;
}

bool merge_update(struct plan *plan, const struct update *u, const struct ruling *ruling)
{
    if (u->kind != FILE_DIRECTORY) {
        if (!set_aside(plan, &ruling->holder))
            return false;
        place_update(plan, u, ruling);
        return true;
    }
    if (ruling->has_ours && ruling->ours.place != PLACE_NOWHERE)
        return bring_together(plan, u, ruling);

    scope(record) struct record next = {0};

    update_copy(&next.update, u);
    take_over(plan, &next, &ruling->holder, NULL);
    plan_claim(plan, u);
    return true;
}

/*
 * Where the others went is no directory any more. Deleted since: it is revived, in the loser's
 * stead. Lost in merges that contradict each other, or with its member's database: a new directory takes over. All children go
 * with it, those too whose own update is on the way: it may be refused because its directory lost
 * in the other of these merges, whose tombstone waits at its member for a child of ours.
 */
static bool replace_heir(struct plan *plan, const struct update *u, const struct record *loser,
                         enum heir kind, const struct file_id *heir)
{
    scope(record) struct record next = {0};
    uint64_t saw_clock = u->clock;

    if (kind == HEIR_DEAD && view_get(&plan->view, heir, &next)) {
        next.update.present = true;
        saw_clock = next.update.clock;
    } else {
        update_copy(&next.update, &loser->update);
        next.update.id = (struct file_id){.database = plan->stamper.database,
                                          .number = plan->stamper.number_last + 1};
    }
    if (!inherit_place(plan, &next.update, loser))
        return false;
    plan_stamp(plan, &next.update, saw_clock);
    take_over(plan, &next, loser, u);
    return true;
}

bool merge_rehome(struct plan *plan, const struct update *u, const struct ruling *ruling)
{
    const struct offer *offer = &plan->offers[plan->offer_index];
    const struct vector *known = offer->sender_vector;
    scope(record) struct record winner = {0};
    scope(record) struct record beside = {0};
    struct file_id heir;
    enum heir kind = merge_heir(&plan->view, &plan->processed, u, &heir);

    if (offer->in_vain || merge_is_barred(&plan->view, &plan->processed, u))
        known = NULL; /* their own updates do not come, or are refused */
    if (kind != HEIR_LIVE)
        return replace_heir(plan, u, &ruling->ours, kind, &heir);
    if (!view_get(&plan->view, &heir, &winner) || !plan_knows_object(&winner))
        return false;
    record_copy(&beside, &winner);
    /* Somebody else has moved it into the loser: out again. */
    if (view_ancestry(&plan->view, &heir, &u->id) == ANCESTRY_BENEATH &&
        !move_beside(plan, &winner, &beside, &ruling->ours.update))
        return false;
    return merge_children(plan, &u->id, &heir, known, u);
}
