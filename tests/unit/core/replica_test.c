/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of replica.h, one by one, between members that pull from each other. */
#include "tests/support/member.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

enum { A, B, C, MEMBERS };

struct group {
    struct member members[MEMBERS];
};

#define M(index) (&group->members[index])

/* Three members in sync: A primary, all empty. */
static int set_up(void **state)
{
    struct group *group = test_calloc(1, sizeof(*group));

    for (unsigned i = 0; i < MEMBERS; i++) {
        member_init(M(i), i, i == A);
        member_scan(M(i));
        M(i)->now.ns += 1000 * (i + 1);
    }
    assert_true(members_converge(group->members, MEMBERS, 10));
    *state = group;
    return 0;
}

static int tear_down(void **state)
{
    struct group *group = *state;

    for (unsigned i = 0; i < MEMBERS; i++)
        member_fini(M(i));
    test_free(group);
    return 0;
}

static void converge(struct group *group)
{
    assert_true(members_converge(group->members, MEMBERS, 30));
    for (unsigned i = 0; i < MEMBERS; i++) {
        const char *problem = member_problem(M(i));

        if (problem == NULL && i > 0)
            problem = member_difference(M(0), M(i));
        if (problem != NULL) {
            member_print(M(0));
            member_print(M(i));
            fail_msg("%s", problem);
        }
    }
}

/* A tree that all have: dir/file with content 1, and other with content 2. */
static void share_a_tree(struct group *group)
{
    member_create(M(A), "dir", FILE_DIRECTORY, 0);
    member_create(M(A), "dir/file", FILE_REGULAR, 1);
    member_create(M(A), "other", FILE_REGULAR, 2);
    converge(group);
}

static bool kept_anywhere(struct group *group, uint64_t content)
{
    for (unsigned i = 0; i < MEMBERS; i++) {
        if (member_kept(M(i), content))
            return true;
    }
    return false;
}

static size_t kept_count(struct group *group)
{
    size_t count = 0;

    for (unsigned i = 0; i < MEMBERS; i++)
        count += M(i)->disk.kept_count;
    return count;
}

static struct file_id id_at(struct group *group, unsigned member, const char *path)
{
    return member_record(M(member), path).update.id;
}

static void a_new_file_reaches_everybody(void **state)
{
    struct group *group = *state;

    member_create(M(B), "new", FILE_REGULAR, 5);
    converge(group);

    assert_true(member_shows(M(A), 5));
    assert_true(member_shows(M(C), 5));
    assert_int_equal(kept_count(group), 0);
}

static void an_edit_keeps_the_identity_and_preserves_nothing(void **state)
{
    struct group *group = *state;
    share_a_tree(group);
    struct file_id before = id_at(group, A, "dir/file");

    member_write(M(B), "dir/file", 6);
    converge(group);

    struct file_id after = id_at(group, C, "dir/file");
    assert_true(file_id_equal(&before, &after));
    assert_true(member_shows(M(A), 6));
    assert_int_equal(kept_count(group), 0);
}

static void a_moved_directory_is_one_update(void **state)
{
    struct group *group = *state;
    share_a_tree(group);
    uint64_t before = replica_state(M(B)->replica)->number_last;

    member_move(M(B), "dir", "renamed");
    converge(group);

    assert_int_equal(replica_state(M(B)->replica)->number_last, before + 1);
    assert_int_not_equal(member_at(M(C), "renamed/file"), 0);
}

static void names_that_are_swapped_keep_their_files(void **state)
{
    struct group *group = *state;
    share_a_tree(group);
    member_create(M(A), "third", FILE_REGULAR, 3);
    converge(group);
    struct file_id other = id_at(group, A, "other");

    modeldisk_swap(&M(B)->disk, member_at(M(B), "other"), member_at(M(B), "third"));
    converge(group);

    struct file_id moved = id_at(group, C, "third");
    assert_true(file_id_equal(&other, &moved));
    assert_int_equal(kept_count(group), 0);
}

static void a_file_replaced_by_rename_keeps_its_identity(void **state)
{
    struct group *group = *state;
    share_a_tree(group);
    struct file_id before = id_at(group, A, "other");

    member_delete(M(B), "other");
    member_create(M(B), "other", FILE_REGULAR, 9);
    converge(group);

    struct file_id after = id_at(group, C, "other");
    assert_true(file_id_equal(&before, &after));
    assert_true(member_shows(M(C), 9));
}

static void a_deleted_file_is_preserved_where_others_had_it(void **state)
{
    struct group *group = *state;
    share_a_tree(group);

    member_delete(M(B), "other");
    converge(group);

    assert_int_equal(member_at(M(C), "other"), 0);
    assert_true(member_kept(M(A), 2));
    assert_int_equal(M(A)->disk.kept[0].reason, PRESERVE_DELETED);
}

static void a_deleted_tree_goes_deepest_first(void **state)
{
    struct group *group = *state;
    share_a_tree(group);
    member_create(M(A), "dir/deep", FILE_DIRECTORY, 0);
    member_create(M(A), "dir/deep/leaf", FILE_REGULAR, 4);
    converge(group);

    member_delete(M(B), "dir");
    converge(group);

    assert_int_equal(member_at(M(C), "dir"), 0);
    assert_true(member_kept(M(C), 4));
}

static void of_two_edits_the_later_wins_and_the_other_is_preserved(void **state)
{
    struct group *group = *state;
    share_a_tree(group);

    member_write(M(A), "other", 10);
    member_scan(M(A));
    M(B)->now.ns += 100000;
    member_write(M(B), "other", 11);
    member_scan(M(B));
    converge(group);

    assert_true(member_shows(M(A), 11) && member_shows(M(C), 11));
    assert_true(kept_anywhere(group, 10));
}

/* Rule 1: the winner's member sees the loser first, and must not claim it. */
static void the_loser_is_not_claimed_before_it_is_preserved(void **state)
{
    struct group *group = *state;
    share_a_tree(group);
    member_write(M(A), "other", 10);
    member_scan(M(A));
    M(B)->now.ns += 100000;
    member_write(M(B), "other", 11);
    member_scan(M(B));
    struct gvsn loser = member_record(M(A), "other").update.gvsn;

    assert_int_equal(member_pull(M(B), M(A), NULL), PULL_PARTIAL);

    assert_false(vector_contains(replica_vector(M(B)->replica), &loser));
    member_pull(M(A), M(B), NULL);
    assert_true(member_kept(M(A), 10));
    assert_int_equal(member_pull(M(B), M(A), NULL), PULL_JOINED);
    assert_true(vector_contains(replica_vector(M(B)->replica), &loser));
}

static void equal_edits_are_no_conflict(void **state)
{
    struct group *group = *state;
    share_a_tree(group);

    member_write(M(A), "other", 12);
    member_write(M(B), "other", 12);
    converge(group);

    assert_true(member_shows(M(C), 12));
    assert_int_equal(kept_count(group), 0);
}

static void an_edit_survives_an_earlier_delete(void **state)
{
    struct group *group = *state;
    share_a_tree(group);

    member_delete(M(A), "other");
    member_scan(M(A));
    M(B)->now.ns += 100000;
    member_write(M(B), "other", 13);
    converge(group);

    assert_true(member_shows(M(A), 13) && member_shows(M(C), 13));
}

static void an_edit_that_loses_to_a_later_delete_is_preserved(void **state)
{
    struct group *group = *state;
    share_a_tree(group);

    member_write(M(A), "other", 14);
    member_scan(M(A));
    M(B)->now.ns += 100000;
    member_delete(M(B), "other");
    converge(group);

    assert_int_equal(member_at(M(A), "other"), 0);
    assert_true(kept_anywhere(group, 14));
}

static void of_two_new_files_with_one_name_the_loser_is_preserved(void **state)
{
    struct group *group = *state;

    member_create(M(A), "name", FILE_REGULAR, 20);
    member_create(M(B), "name", FILE_REGULAR, 21);
    converge(group);

    assert_int_equal(member_shows(M(C), 20) + member_shows(M(C), 21), 1);
    assert_true(kept_anywhere(group, member_shows(M(C), 20) ? 21 : 20));
}

static void equal_files_with_one_name_are_adopted_not_preserved(void **state)
{
    struct group *group = *state;

    member_create(M(A), "name", FILE_REGULAR, 22);
    member_create(M(B), "name", FILE_REGULAR, 22);
    member_scan(M(A));
    member_scan(M(B));
    member_pull(M(A), M(B), NULL);
    member_pull(M(B), M(A), NULL);

    assert_int_equal(M(A)->stage_last + M(B)->stage_last, 0);
    converge(group);
    assert_true(member_shows(M(C), 22));
}

static void directories_with_one_name_become_one(void **state)
{
    struct group *group = *state;

    member_create(M(A), "name", FILE_DIRECTORY, 0);
    member_create(M(A), "name/a", FILE_REGULAR, 30);
    member_create(M(B), "name", FILE_DIRECTORY, 0);
    member_create(M(B), "name/b", FILE_REGULAR, 31);
    converge(group);

    assert_int_not_equal(member_at(M(C), "name/a"), 0);
    assert_int_not_equal(member_at(M(C), "name/b"), 0);
    assert_int_equal(kept_count(group), 0);
}

static void a_directory_beats_a_file_of_its_name(void **state)
{
    struct group *group = *state;

    member_create(M(A), "name", FILE_DIRECTORY, 0);
    member_create(M(A), "name/inside", FILE_REGULAR, 40);
    member_scan(M(A));
    M(B)->now.ns += 100000;
    member_create(M(B), "name", FILE_REGULAR, 41);
    converge(group);

    assert_true(member_shows(M(C), 40));
    assert_true(kept_anywhere(group, 41));
}

static void a_new_child_revives_its_deleted_directory(void **state)
{
    struct group *group = *state;
    share_a_tree(group);

    member_create(M(A), "dir/new", FILE_REGULAR, 50);
    member_scan(M(A));
    M(B)->now.ns += 100000;
    member_delete(M(B), "dir");
    converge(group);

    assert_int_not_equal(member_at(M(B), "dir/new"), 0);
    assert_int_equal(member_at(M(C), "dir/file"), 0);
}

static void moves_that_would_close_a_cycle_end_in_a_tree(void **state)
{
    struct group *group = *state;

    member_create(M(A), "x", FILE_DIRECTORY, 0);
    member_create(M(A), "y", FILE_DIRECTORY, 0);
    member_create(M(A), "x/one", FILE_REGULAR, 60);
    member_create(M(A), "y/two", FILE_REGULAR, 61);
    converge(group);
    member_move(M(A), "x", "y/x");
    member_move(M(B), "y", "x/y");
    converge(group);

    assert_true(member_shows(M(C), 60) && member_shows(M(C), 61));
}

static void an_edit_during_an_install_is_not_overwritten(void **state)
{
    struct group *group = *state;
    share_a_tree(group);
    member_write(M(A), "other", 70);
    member_scan(M(A));

    member_write(M(B), "other", 71); /* not looked at yet */
    member_pull(M(B), M(A), NULL);
    converge(group);

    assert_true(member_shows(M(C), 70) || kept_anywhere(group, 70));
    assert_true(member_shows(M(C), 71) || kept_anywhere(group, 71));
}

static void a_failed_commit_loses_nothing_and_issues_no_number_twice(void **state)
{
    struct group *group = *state;
    struct change *change;
    size_t count;
    share_a_tree(group);
    uint64_t before = replica_state(M(A)->replica)->number_last;

    change = replica_change_begin(M(A)->replica, M(A)->now);
    struct file_id id = id_at(group, A, "other");
    replica_observe_gone(change, &id);
    memstore_fail_commit(M(A)->store, 1);

    assert_int_equal(replica_change_commit(change, &count), ST_IO);
    assert_int_equal(count, 0);
    assert_int_equal(replica_state(M(A)->replica)->number_last, before);
    member_crash(M(A));
    assert_int_equal(member_record(M(A), "other").place, PLACE_TREE);
    converge(group);
}

static void clocks_never_decide_against_what_was_seen(void **state)
{
    struct group *group = *state;
    share_a_tree(group);

    M(A)->now.ns += INT64_C(1) << 60; /* thirty years ahead */
    member_write(M(A), "other", 80);
    converge(group);
    member_write(M(B), "other", 81);
    converge(group);

    assert_true(member_shows(M(A), 81) && member_shows(M(C), 81));
    assert_int_equal(kept_count(group), 0);
}

static void an_exhausted_clock_still_takes_edits(void **state)
{
    struct group *group = *state;
    share_a_tree(group);

    M(A)->now.ns = INT64_MAX - 1;
    member_write(M(A), "other", 82);
    member_scan(M(A));
    M(A)->now.ns = 1000;
    converge(group);
    member_write(M(B), "other", 83);
    converge(group);

    assert_true(member_shows(M(A), 83) && member_shows(M(C), 83));
}

static void expired_tombstones_are_forgotten_and_do_not_come_back(void **state)
{
    struct group *group = *state;
    size_t count;
    share_a_tree(group);
    member_delete(M(B), "other");
    converge(group);
    const struct walltime later = {.ns = INT64_C(1) << 60};

    for (unsigned i = 0; i < MEMBERS; i++) {
        const struct vector nothing = {0};

        assert_int_equal(replica_expire(M(i)->replica, later, 1000, &nothing, &count), ST_OK);
        assert_int_equal(count, 0);
        assert_int_equal(replica_expire(M(i)->replica, later, 1000,
                                        replica_vector(M((i + 1) % MEMBERS)->replica), &count),
                         ST_OK);
        assert_int_equal(count, 1);
    }

    converge(group);
    assert_int_equal(member_at(M(A), "other"), 0);
}

static void a_broken_partner_that_changes_a_kind_is_refused(void **state)
{
    struct group *group = *state;
    share_a_tree(group);
    struct update u = {0};
    struct vector sender = {0};
    struct record ours = member_record(M(A), "other");

    update_copy(&u, &ours.update);
    u.kind = FILE_DIRECTORY;
    u.size = 0;
    u.hash = (struct content_hash){{0}};
    u.gvsn.number += 100;
    u.clock += 100;

    assert_int_equal(replica_judge(M(A)->replica, &u, &sender, false), VERDICT_BEHIND);
    update_fini(&u);
}

/* --- an update that somebody passes on who has not heard of what its author knew before --- */

/* The first step that C plans for A's version of @path, told by one who knows nothing else. */
static struct step planned_when_passed_on(struct group *group, const char *path)
{
    struct record told = member_record(M(A), path);
    struct vector sender = {0};
    const struct step *steps;
    struct step first = {.kind = STEP_REMOVE};
    struct plan *plan;
    enum settled settled;
    size_t count;
    size_t issued;

    assert_true(vector_add(&sender, &told.update.gvsn));
    struct offer offer = {
        .update = &told.update, .sender_vector = &sender, .staged = true, .stage = 1};
    assert_int_equal(replica_plan(M(C)->replica, M(C)->now, &offer, 1, &plan), ST_OK);
    steps = replica_plan_steps(plan, &count);
    if (count > 0)
        first = steps[0];
    assert_int_equal(replica_settle(plan, NULL, 0, &settled, &issued), ST_OK);
    assert_int_equal(issued, 0);
    vector_fini(&sender);
    return first;
}

static void a_name_that_its_author_had_given_away_is_no_clash(void **state)
{
    struct group *group = *state;
    share_a_tree(group);
    member_create(M(A), "first", FILE_DIRECTORY, 0);
    member_create(M(A), "second", FILE_DIRECTORY, 0);
    converge(group);
    member_move(M(A), "first", "away");
    member_scan(M(A));
    member_move(M(A), "second", "first");
    member_scan(M(A));

    struct step step = planned_when_passed_on(group, "first");
    assert_int_equal(step.kind, STEP_PARK);
    assert_int_equal(step.preserve, PRESERVE_NONE);
}

static void a_version_that_its_author_had_replaced_is_no_conflict(void **state)
{
    struct group *group = *state;
    share_a_tree(group);
    member_write(M(A), "other", 20);
    converge(group);
    member_write(M(A), "other", 21);
    member_scan(M(A));

    struct step step = planned_when_passed_on(group, "other");
    assert_int_equal(step.kind, STEP_INSTALL);
    assert_int_equal(step.preserve, PRESERVE_NONE);
}

static void a_directory_that_its_author_had_emptied_is_not_revived(void **state)
{
    struct group *group = *state;
    share_a_tree(group);
    struct update u = {0};
    struct record dir = member_record(M(A), "dir");
    struct vector sender = {0};

    member_delete(M(A), "dir/file");
    member_scan(M(A));
    update_copy(&u, &dir.update);
    u.present = false;
    u.gvsn.number = replica_state(M(A)->replica)->number_last + 1;
    u.clock += 1000;
    assert_int_equal(replica_judge(M(C)->replica, &u, &sender, false), VERDICT_WAIT);
    update_fini(&u);
}

/* The tombstone of "dir" as C might make it, which holds a file that C knows. */
static struct update tombstone_of_dir(struct group *group)
{
    struct update u = {0};
    struct record dir = member_record(M(A), "dir");

    update_copy(&u, &dir.update);
    u.present = false;
    u.gvsn.database = replica_state(M(C)->replica)->database;
    u.gvsn.number = replica_state(M(C)->replica)->number_last + 1;
    u.clock += 1000;
    return u;
}

static enum settled plan_one(struct member *member, const struct offer *offer)
{
    struct plan *plan;
    enum settled settled;
    size_t issued;

    assert_int_equal(replica_plan(member->replica, member->now, offer, 1, &plan), ST_OK);
    assert_int_equal(replica_settle(plan, NULL, 0, &settled, &issued), ST_OK);
    return settled;
}

static void a_tombstone_that_waits_for_a_child_in_vain_revives_the_directory(void **state)
{
    struct group *group = *state;
    share_a_tree(group);
    struct update u = tombstone_of_dir(group);
    const struct vector *sender = replica_vector(M(C)->replica);

    assert_int_equal(replica_judge(M(A)->replica, &u, sender, false), VERDICT_WAIT);
    assert_int_equal(replica_judge(M(A)->replica, &u, sender, true), VERDICT_READY);
    struct offer offer = {.update = &u, .sender_vector = sender, .in_vain = true};
    assert_int_equal(plan_one(M(A), &offer), SETTLED_DONE);

    struct record dir = member_record(M(A), "dir");
    assert_true(update_compare(&dir.update, &u) > 0);
    update_fini(&u);
}

static void a_merge_whose_winner_nobody_tells_gets_another_one(void **state)
{
    struct group *group = *state;
    share_a_tree(group);
    struct update u = tombstone_of_dir(group);
    const struct vector *sender = replica_vector(M(C)->replica);
    struct record before = member_record(M(A), "dir");
    struct file_id loser = before.update.id;

    u.name_conflict = u.merged = true;
    u.merged_into = (struct file_id){.database = u.gvsn.database, .number = u.gvsn.number + 1};
    assert_int_equal(replica_judge(M(A)->replica, &u, sender, false), VERDICT_WAIT);
    assert_int_equal(replica_judge(M(A)->replica, &u, sender, true), VERDICT_READY);
    struct offer offer = {.update = &u, .sender_vector = sender, .in_vain = true};
    assert_int_equal(plan_one(M(A), &offer), SETTLED_DONE);

    struct record after = member_record(M(A), "dir");
    struct record file = member_record(M(A), "dir/file");
    assert_false(file_id_equal(&after.update.id, &loser));
    assert_true(file_id_equal(&file.update.parent, &after.update.id));
    assert_null(member_problem(M(A)));
    update_fini(&u);
}

/* --- a deletion that who made the other version may have forgotten --- */

static void a_live_directory_is_not_claimed_while_it_is_dead_here(void **state)
{
    struct group *group = *state;
    share_a_tree(group);
    struct record dir = member_record(M(A), "dir");
    struct update older = {0};
    struct vector sender = {0};

    update_copy(&older, &dir.update);
    older.gvsn = (struct gvsn){.database = replica_state(M(C)->replica)->database, .number = 999};
    assert_true(vector_add(&sender, &older.gvsn));
    assert_int_equal(replica_judge(M(A)->replica, &older, &sender, false), VERDICT_READY);
    member_delete(M(A), "dir");
    member_scan(M(A));

    assert_int_equal(replica_judge(M(A)->replica, &older, &sender, false), VERDICT_BEHIND);
    vector_fini(&sender);
    update_fini(&older);
}

static void a_deletion_that_beats_an_unknown_version_is_told_anew(void **state)
{
    struct group *group = *state;
    share_a_tree(group);
    struct record file = member_record(M(A), "other");
    struct file_id id = file.update.id;

    member_write(M(B), "other", 30);
    member_scan(M(B));
    member_delete(M(A), "other");
    M(A)->now.ns = M(B)->now.ns + 1000000;
    member_scan(M(A));
    assert_int_not_equal(member_pull(M(B), M(A), NULL), PULL_NOTHING);

    struct store store = memstore_port(M(B)->store);
    struct record dead = {0};
    assert_true(store.ops->get(store.arg, &id, &dead));
    assert_false(dead.update.present);
    assert_true(guid_equal(&dead.update.gvsn.database, &replica_state(M(B)->replica)->database));
    record_fini(&dead);
    assert_true(member_kept(M(B), 30));
    converge(group);

    /* one that was known is not */
    member_write(M(A), "dir/file", 31);
    converge(group);
    file = member_record(M(A), "dir/file");
    id = file.update.id;
    member_delete(M(A), "dir/file");
    member_scan(M(A));
    assert_int_not_equal(member_pull(M(B), M(A), NULL), PULL_NOTHING);
    assert_true(store.ops->get(store.arg, &id, &dead));
    assert_true(guid_equal(&dead.update.gvsn.database, &replica_state(M(A)->replica)->database));
    record_fini(&dead);
}

/* --- rule 9 --- */

/* A primary and a new member, both with files, before they have heard of each other. */
struct pair {
    struct member members[2];
};

static void begin_pair(struct pair *pair)
{
    for (unsigned i = 0; i < 2; i++)
        member_init(&pair->members[i], i, i == 0);
}

static void end_pair(struct pair *pair)
{
    for (unsigned i = 0; i < 2; i++)
        member_fini(&pair->members[i]);
}

static void sync_pair(struct pair *pair)
{
    assert_true(members_converge(pair->members, 2, 20));
    assert_null(member_difference(&pair->members[0], &pair->members[1]));
}

static void a_pre_seeded_tree_is_adopted_without_transfer_or_tombstones(void **state)
{
    struct pair pair;
    (void)state;

    begin_pair(&pair);
    for (unsigned i = 0; i < 2; i++) {
        member_create(&pair.members[i], "dir", FILE_DIRECTORY, 0);
        member_create(&pair.members[i], "dir/sub", FILE_DIRECTORY, 0);
        member_create(&pair.members[i], "dir/sub/file", FILE_REGULAR, 7);
        member_create(&pair.members[i], "dir/file", FILE_REGULAR, 8);
    }
    sync_pair(&pair);

    assert_int_equal(pair.members[0].stage_last + pair.members[1].stage_last, 0);
    assert_int_equal(pair.members[0].disk.kept_count + pair.members[1].disk.kept_count, 0);
    assert_int_equal(table_count(memstore_table(pair.members[0].store)), 4);
    end_pair(&pair);
}

static void what_differs_from_the_primary_is_preserved(void **state)
{
    struct pair pair;
    (void)state;

    begin_pair(&pair);
    member_create(&pair.members[0], "file", FILE_REGULAR, 7);
    member_scan(&pair.members[0]);
    pair.members[1].now.ns += 1000000; /* later, and still it loses */
    member_create(&pair.members[1], "file", FILE_REGULAR, 8);
    member_create(&pair.members[1], "own", FILE_REGULAR, 9);
    sync_pair(&pair);

    assert_true(member_shows(&pair.members[1], 7));
    assert_true(member_kept(&pair.members[1], 8));
    assert_true(member_shows(&pair.members[0], 9));
    end_pair(&pair);
}

static void a_directory_in_the_way_of_the_primarys_file_is_set_aside(void **state)
{
    struct pair pair;
    (void)state;

    begin_pair(&pair);
    member_create(&pair.members[0], "name", FILE_REGULAR, 7);
    member_create(&pair.members[1], "name", FILE_DIRECTORY, 0);
    member_create(&pair.members[1], "name/file", FILE_REGULAR, 8);
    sync_pair(&pair);

    assert_true(member_shows(&pair.members[0], 7));
    assert_true(member_shows(&pair.members[0], 8));
    end_pair(&pair);
}

static void a_read_only_members_changes_are_undone(void **state)
{
    struct group *group = *state;
    share_a_tree(group);
    member_make_read_only(M(C));

    member_write(M(C), "other", 90);
    member_delete(M(C), "dir");
    member_scan(M(C));
    assert_int_equal(member_pull(M(C), M(A), NULL), PULL_JOINED);

    assert_null(member_problem(M(C)));
    assert_true(member_shows(M(C), 1) && member_shows(M(C), 2));
    assert_true(member_kept(M(C), 90));
    assert_int_equal(member_pull(M(C), M(A), NULL), PULL_NOTHING);
}

static void a_directory_that_takes_the_place_of_the_one_around_it_keeps_its_children(void **state)
{
    struct group *group = *state;
    member_create(M(A), "dir", FILE_DIRECTORY, 0);
    member_create(M(A), "dir/inner", FILE_DIRECTORY, 0);
    member_create(M(A), "dir/inner/file", FILE_REGULAR, 7);
    converge(group);
    struct file_id inner = id_at(group, A, "dir/inner");
    struct file_id file = id_at(group, A, "dir/inner/file");

    member_move(M(A), "dir/inner", "aside");
    member_delete(M(A), "dir");
    member_move(M(A), "aside", "dir");
    converge(group);

    assert_true(member_shows(M(B), 7));
    struct file_id inner_after = id_at(group, B, "dir");
    struct file_id file_after = id_at(group, B, "dir/file");
    assert_true(file_id_equal(&inner_after, &inner));
    assert_true(file_id_equal(&file_after, &file));
}

int main(void)
{
#define PROMISE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        PROMISE(a_directory_that_takes_the_place_of_the_one_around_it_keeps_its_children),
        PROMISE(a_new_file_reaches_everybody),
        PROMISE(an_edit_keeps_the_identity_and_preserves_nothing),
        PROMISE(a_moved_directory_is_one_update),
        PROMISE(names_that_are_swapped_keep_their_files),
        PROMISE(a_file_replaced_by_rename_keeps_its_identity),
        PROMISE(a_deleted_file_is_preserved_where_others_had_it),
        PROMISE(a_deleted_tree_goes_deepest_first),
        PROMISE(of_two_edits_the_later_wins_and_the_other_is_preserved),
        PROMISE(the_loser_is_not_claimed_before_it_is_preserved),
        PROMISE(equal_edits_are_no_conflict),
        PROMISE(an_edit_survives_an_earlier_delete),
        PROMISE(an_edit_that_loses_to_a_later_delete_is_preserved),
        PROMISE(of_two_new_files_with_one_name_the_loser_is_preserved),
        PROMISE(equal_files_with_one_name_are_adopted_not_preserved),
        PROMISE(directories_with_one_name_become_one),
        PROMISE(a_directory_beats_a_file_of_its_name),
        PROMISE(a_new_child_revives_its_deleted_directory),
        PROMISE(moves_that_would_close_a_cycle_end_in_a_tree),
        PROMISE(an_edit_during_an_install_is_not_overwritten),
        PROMISE(a_failed_commit_loses_nothing_and_issues_no_number_twice),
        PROMISE(clocks_never_decide_against_what_was_seen),
        PROMISE(an_exhausted_clock_still_takes_edits),
        PROMISE(expired_tombstones_are_forgotten_and_do_not_come_back),
        PROMISE(a_name_that_its_author_had_given_away_is_no_clash),
        PROMISE(a_version_that_its_author_had_replaced_is_no_conflict),
        PROMISE(a_directory_that_its_author_had_emptied_is_not_revived),
        PROMISE(a_tombstone_that_waits_for_a_child_in_vain_revives_the_directory),
        PROMISE(a_merge_whose_winner_nobody_tells_gets_another_one),
        PROMISE(a_live_directory_is_not_claimed_while_it_is_dead_here),
        PROMISE(a_deletion_that_beats_an_unknown_version_is_told_anew),
        PROMISE(a_read_only_members_changes_are_undone),
        cmocka_unit_test(a_pre_seeded_tree_is_adopted_without_transfer_or_tombstones),
        cmocka_unit_test(what_differs_from_the_primary_is_preserved),
        cmocka_unit_test(a_directory_in_the_way_of_the_primarys_file_is_set_aside),
        PROMISE(a_broken_partner_that_changes_a_kind_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
