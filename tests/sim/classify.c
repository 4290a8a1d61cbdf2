/* SPDX-License-Identifier: Apache-2.0 */
/* Which classes of conflict the offers of partners are, seen from the records when they arrive: the
 * measure of what a range of seeds has covered. */
#include "tests/sim/member.h"

static void count(struct member *member, enum sim_class class)
{
    member->world->result->classes[class]++;
}

static void classify_same_file(struct member *member, const struct update *u,
                               const struct record *ours, bool sender_knows)
{
    if (update_compare(u, &ours->update) <= 0)
        count(member, CLASS_known_or_lesser);
    if (sender_knows || gvsn_equal(&u->gvsn, &ours->update.gvsn))
        return;
    if (u->present && ours->update.present) {
        if (!update_same_content(u, &ours->update))
            count(member, CLASS_edit_edit);
        if (!update_same_place(u, &ours->update))
            count(member, CLASS_move_move);
    } else if (u->present) {
        count(member, CLASS_edit_delete);
    } else if (ours->update.present) {
        count(member, CLASS_delete_edit);
    }
}

static void classify_tombstone(struct member *member, const struct update *u,
                               const struct vector *sender_vector)
{
    struct store *store = &member->store;
    struct record child = {0};
    const struct file_id *after = NULL;
    struct file_id last;

    while (store->ops->next_child(store->arg, &u->id, after, &child)) {
        if (!vector_contains(sender_vector, &child.update.gvsn)) {
            count(member, CLASS_delete_against_new_child);
            break;
        }
        last = child.update.id;
        after = &last;
    }
    record_fini(&child);
}

static void classify_name(struct member *member, const struct update *u,
                          const struct vector *sender_vector)
{
    struct record holder = {0};

    if (member->store.ops->get_by_name(member->store.arg, &u->parent, update_name(u), &holder) &&
        !file_id_equal(&holder.update.id, &u->id)) {
        if (vector_contains(sender_vector, &holder.update.gvsn))
            count(member, CLASS_name_moved_on);
        else if (u->kind == FILE_DIRECTORY && holder.update.kind == FILE_DIRECTORY)
            count(member, CLASS_directory_merge);
        else if (u->kind != holder.update.kind)
            count(member, CLASS_name_clash_kinds);
        else if (update_same_content(u, &holder.update))
            count(member, CLASS_same_content);
        else
            count(member, CLASS_name_clash_files);
    }
    record_fini(&holder);
}

static void classify_parent(struct member *member, const struct update *u)
{
    struct store *store = &member->store;
    struct file_id root = replica_root(member->replica);
    struct file_id at = u->parent;
    struct record dir = {0};

    for (int depth = 0; depth < 100 && !file_id_equal(&at, &root); depth++) {
        if (!store->ops->get(store->arg, &at, &dir)) {
            count(member, CLASS_child_before_parent);
            break;
        }
        if (!dir.update.present) {
            count(member, CLASS_child_of_deleted);
            break;
        }
        if (file_id_equal(&at, &u->id)) {
            count(member, CLASS_cycle);
            break;
        }
        at = dir.update.parent;
    }
    record_fini(&dir);
}

void classify_offer(struct member *member, const struct update *update,
                    const struct vector *sender_vector)
{
    struct record ours = {0};

    if (member->store.ops->get(member->store.arg, &update->id, &ours))
        classify_same_file(member, update, &ours,
                           vector_contains(sender_vector, &ours.update.gvsn));
    record_fini(&ours);
    if (update->present) {
        classify_parent(member, update);
        classify_name(member, update, sender_vector);
    } else if (update->kind == FILE_DIRECTORY) {
        classify_tombstone(member, update, sender_vector);
    }
}
