/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules of replica.h for one update, read only. Whatever is decided about an update is decided
 * here; the other files carry it out.
 */
#include "agent/replica/engine.h"

#include "common/base/scope.h"

bool replica_has_say(const struct replica *replica)
{
    return !replica->options.read_only &&
           (replica->options.primary || replica->state.initial_sync_done);
}

bool replica_yields(const struct replica *replica, const struct record *record)
{
    return replica_is_unheard(replica, record) ||
           (replica->options.read_only &&
            guid_equal(&record->update.gvsn.database, &replica->state.database));
}

bool replica_is_unheard(const struct replica *replica, const struct record *record)
{
    return !replica_has_say(replica) &&
           guid_equal(&record->update.gvsn.database, &replica->state.database) &&
           guid_equal(&record->update.id.database, &replica->state.database);
}

void ruling_fini(struct ruling *ruling)
{
    record_fini(&ruling->ours);
    record_fini(&ruling->holder);
    *ruling = (struct ruling){0};
}

/* Rule 1 for an update that is not greater: what has nothing to lose may be claimed. A sender that had
 * processed ours has forgotten it since, or it would not live there in this version. Of a directory that is
 * dead here even one that lacks ours is not claimed: it may yet process ours without being told of
 * it, by the vector of one who has forgotten it, and would keep a directory that we never asked about again. */
static enum ruling_kind rule_lesser(const struct update *u, const struct update *ours,
                                    const struct vector *sender_vector)
{
    if (u->present && vector_contains(sender_vector, &ours->gvsn))
        return RULING_REMIND;
    if (!u->present || (ours->present && update_same_content(u, ours)))
        return RULING_CLAIM;
    return RULING_BEHIND;
}

/* A file's id is the number of its first version. */
static bool is_heard_of(const struct vector *processed, const struct file_id *id)
{
    return vector_contains(processed,
                           &(struct gvsn){.database = id->database, .number = id->number});
}

enum heir merge_heir(const struct view *view, const struct vector *processed,
                     const struct update *merged, struct file_id *out_id)
{
    scope(record) struct record record = {0};

    *out_id = merged->merged_into;
    for (unsigned hop = 0; hop < MERGE_HOP_MAX && !file_id_equal(out_id, &merged->id); hop++) {
        if (!view_get(view, out_id, &record))
            return is_heard_of(processed, out_id) ? HEIR_NONE : HEIR_UNKNOWN;
        if (record.update.present)
            return record.update.kind == FILE_DIRECTORY ? HEIR_LIVE : HEIR_NONE;
        if (!record.update.merged)
            return record.update.kind == FILE_DIRECTORY ? HEIR_DEAD : HEIR_NONE;
        *out_id = record.update.merged_into;
    }
    return HEIR_NONE;
}

bool merge_is_barred(const struct view *view, const struct vector *processed,
                     const struct update *merged)
{
    scope(record) struct record target = {0};

    if (!view_get(view, &merged->merged_into, &target))
        return is_heard_of(processed, &merged->merged_into);
    return !target.update.present;
}

bool knew_of(const struct update *u, const struct vector *sender_vector, const struct gvsn *gvsn)
{
    return vector_contains(sender_vector, gvsn) || gvsn_succeeds(&u->gvsn, gvsn);
}

/* Whether who made @holder knew that @u's file had left the name, and we have not heard where to.
 */
static bool is_older_sister(const struct update *u, const struct update *holder)
{
    return gvsn_succeeds(&holder->gvsn, &u->gvsn);
}

/* Rule 3 for a greater tombstone. One child decides, the least: the others are asked when it is
 * gone. Were it any child, two directories could wait for each other's: a child moved from one to
 * the other is refused while that one is dead. Of those that wait so the least is unknown to one of
 * the sides. If these are not the same two members, as in a ring, none may be: nobody waits for what was
 * moved to a directory that is dead here, too. And nobody waits for ever: the child may be on its way
 * through a member that waits for us, or be lost with its member's database, as may the heir. */
static enum ruling_kind rule_tombstone(const struct view *view, const struct vector *processed,
                                       const struct update *u, const struct vector *sender_vector,
                                       bool in_vain, const struct ruling *ruling)
{
    scope(record) struct record child = {0};
    struct file_id heir;

    if (!ruling->has_ours || !ruling->ours.update.present || u->kind != FILE_DIRECTORY ||
        !view_next_child(view, &u->id, NULL, &child))
        return RULING_BURY;
    if (knew_of(u, sender_vector, &child.update.gvsn) && !in_vain &&
        !(u->merged && merge_is_barred(view, processed, u)))
        return RULING_WAIT;
    if (!u->merged)
        return RULING_REVIVE;

    bool decides = in_vain || merge_heir(view, processed, u, &heir) != HEIR_UNKNOWN;
    return decides ? RULING_REHOME : RULING_WAIT;
}

/* Rule 4 between two files that both want the name: whether @u takes it from @holder. */
static bool wins_name(const struct replica *replica, const struct update *u,
                      const struct record *holder)
{
    bool is_dir = u->kind == FILE_DIRECTORY;
    bool holder_is_dir = holder->update.kind == FILE_DIRECTORY;

    if (replica_yields(replica, holder))
        return true;
    if (is_dir != holder_is_dir)
        return is_dir;
    return update_compare(u, &holder->update) > 0;
}

/*
 * Rule 4 for an update that does not get its name. To refuse it until its member has seen the
 * winner is not enough: the winner may be waiting at that member, for what is refused here. Where
 * the member does better it is refused all the same: it need not preserve what equals the winner,
 * and knows what to do with a directory's children.
 */
static enum ruling_kind rule_loser(const struct replica *replica, const struct update *u,
                                   const struct ruling *ruling)
{
    bool is_dir = u->kind == FILE_DIRECTORY;

    if (!replica_has_say(replica) || (is_dir && ruling->has_ours && ruling->ours.update.present) ||
        (!is_dir && update_same_content(u, &ruling->holder.update)))
        return RULING_BEHIND;
    return RULING_LOSE;
}

static enum ruling_kind rule_present(const struct replica *replica, const struct view *view,
                                     const struct update *u, const struct vector *sender_vector,
                                     struct ruling *ruling)
{
    if (!file_id_equal(&u->parent, &view->root)) {
        scope(record) struct record parent = {0};

        if (!view_get(view, &u->parent, &parent))
            return RULING_WAIT;
        if (!parent.update.present || parent.update.kind != FILE_DIRECTORY)
            return RULING_BEHIND;
    }
    switch (view_ancestry(view, &u->parent, &u->id)) {
    case ANCESTRY_APART:
        break;
    case ANCESTRY_BENEATH:
        return RULING_KEEP_PLACE;
    case ANCESTRY_BROKEN:
        return RULING_BEHIND; /* too deep */
    }
    if (!view_get_by_name(view, &u->parent, update_name(u), &ruling->holder) ||
        file_id_equal(&ruling->holder.update.id, &u->id))
        return RULING_PLACE;
    if (replica_is_unheard(replica, &ruling->holder))
        return RULING_CLASH;
    /* What a read-only member moved there comes again too. */
    if (knew_of(u, sender_vector, &ruling->holder.update.gvsn) ||
        replica_yields(replica, &ruling->holder))
        return RULING_PARK;
    if (is_older_sister(u, &ruling->holder.update))
        return RULING_WAIT;
    if (!wins_name(replica, u, &ruling->holder))
        return rule_loser(replica, u, ruling);
    /* A read-only member lets a partner decide between two files that it received. */
    return replica->options.read_only ? RULING_PARK : RULING_CLASH;
}

static enum ruling_kind rule_kind(const struct replica *replica, const struct view *view,
                                  const struct vector *processed, const struct update *u,
                                  const struct vector *sender_vector, bool in_vain,
                                  struct ruling *ruling)
{
    const struct record *ours = &ruling->ours;

    if (ruling->has_ours && ours->update.kind != u->kind) {
        log_warn(replica->options.log, "a partner changed the kind of a file: refused");
        return RULING_BEHIND;
    }
    if (ruling->has_ours && !replica_yields(replica, ours)) {
        int order = update_compare(u, &ours->update);

        if (order <= 0)
            return order < 0 ? rule_lesser(u, &ours->update, sender_vector) : RULING_CLAIM;
    }
    if (!u->present)
        return rule_tombstone(view, processed, u, sender_vector, in_vain, ruling);
    return rule_present(replica, view, u, sender_vector, ruling);
}

/* Whether the update's content stands on this disk where it can be used as it is. */
static bool has_content(const struct update *u, const struct ruling *ruling)
{
    bool on_disk = ruling->has_ours && ruling->ours.place != PLACE_NOWHERE;

    if (!u->present || u->kind == FILE_DIRECTORY || ruling->kind == RULING_LOSE)
        return true;
    if (on_disk)
        return update_same_content(u, &ruling->ours.update);
    return ruling->kind == RULING_CLASH && update_same_content(u, &ruling->holder.update);
}

/* A read-only member answers nothing: what is in the way is its own and goes, or comes again. */
static enum ruling_kind rule_silently(enum ruling_kind kind)
{
    switch (kind) {
    case RULING_REMIND:
        return RULING_BEHIND;
    case RULING_REVIVE:
    case RULING_REHOME:
    case RULING_KEEP_PLACE:
        return RULING_WAIT;
    case RULING_KNOWN:
    case RULING_CLAIM:
    case RULING_BEHIND:
    case RULING_WAIT:
    case RULING_BURY:
    case RULING_PLACE:
    case RULING_PARK:
    case RULING_CLASH:
    case RULING_LOSE:
        break;
    }
    return kind;
}

/*
 * A file that is new to us, told by a member that lacks deletions which we have forgotten: it may be one of
 * these files. Then others still know the deletion and also, perhaps, this version: nobody would tell
 * us of it again, nor them of what is here. As a fresh version of ours all hear of it.
 */
static bool is_of_a_stale(const struct replica *replica, const struct update *u,
                          const struct vector *sender_vector, const struct ruling *ruling)
{
    return !ruling->has_ours && u->present &&
           !vector_covers(sender_vector, &replica->state.forgotten);
}

void rule(const struct replica *replica, const struct view *view, const struct vector *processed,
          const struct update *update, const struct vector *sender_vector, bool in_vain,
          struct ruling *out)
{
    *out = (struct ruling){.kind = RULING_KNOWN};
    if (vector_contains(processed, &update->gvsn))
        return;
    out->has_ours = view_get(view, &update->id, &out->ours);
    out->is_concurrent = out->has_ours && out->ours.update.present &&
                         !knew_of(update, sender_vector, &out->ours.update.gvsn);
    out->is_to_be_renewed = is_of_a_stale(replica, update, sender_vector, out);
    out->kind = rule_kind(replica, view, processed, update, sender_vector, in_vain, out);
    if (replica->options.read_only)
        out->kind = out->is_to_be_renewed ? RULING_BEHIND : rule_silently(out->kind);
    out->needs_content = !has_content(update, out);
}

enum verdict replica_judge(struct replica *replica, const struct update *update,
                           const struct vector *sender_vector, bool in_vain)
{
    struct view view;
    struct ruling ruling;
    enum verdict verdict = VERDICT_KNOWN;

    view_init(&view, &replica->options.store, &replica->root);
    rule(replica, &view, &replica->state.vector, update, sender_vector, in_vain, &ruling);
    switch (ruling.kind) {
    case RULING_KNOWN:
        break;
    case RULING_BEHIND:
        verdict = VERDICT_BEHIND;
        break;
    case RULING_WAIT:
        verdict = VERDICT_WAIT;
        break;
    case RULING_CLAIM:
    case RULING_REMIND:
    case RULING_BURY:
    case RULING_REVIVE:
    case RULING_REHOME:
    case RULING_KEEP_PLACE:
    case RULING_LOSE:
        verdict = VERDICT_READY;
        break;
    case RULING_PLACE:
    case RULING_PARK:
    case RULING_CLASH:
        verdict = ruling.needs_content ? VERDICT_FETCH : VERDICT_READY;
        break;
    }
    ruling_fini(&ruling);
    view_fini(&view);
    return verdict;
}
