/* SPDX-License-Identifier: Apache-2.0 */
/* What is left when plans and rounds stop halfway. */
#include "tests/support/member.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

enum { A, B, C, MEMBERS };

static void begin(struct member *members, size_t count)
{
    for (unsigned i = 0; i < count; i++) {
        member_init(&members[i], i, i == A);
        member_scan(&members[i]);
        members[i].now.ns += 1000 * (i + 1);
    }
}

static void end(struct member *members, size_t count)
{
    for (size_t i = 0; i < count; i++)
        member_fini(&members[i]);
}

static void take_the_name_h(struct member *member, void *arg)
{
    (void)arg;
    member_create(member, "h", FILE_REGULAR, 9);
}

static void a_plan_that_stopped_leaves_no_attributes_behind(void **state)
{
    struct member members[2];
    const struct member_chaos chaos = {.disturb = take_the_name_h};
    (void)state;

    begin(members, 2);
    member_create(&members[A], "f", FILE_REGULAR, 1);
    assert_true(members_converge(members, 2, 10));

    /* renamed and changed at once, while a user of B takes the new name */
    member_move(&members[A], "f", "h");
    modeldisk_chmod(&members[A].disk, member_at(&members[A], "h"), 'b');
    member_scan(&members[A]);
    assert_int_equal(member_pull(&members[B], &members[A], &chaos), PULL_PARTIAL);
    member_return_parked(&members[B]);

    const struct model_node *f = modeldisk_at(&members[B].disk, "f");
    assert_non_null(f);
    assert_int_equal(f->attributes, 'a');
    assert_true(members_converge(members, 2, 20));
    assert_null(member_difference(&members[A], &members[B]));
    end(members, 2);
}

static void an_edit_before_the_first_sync_does_not_yield_to_an_older_version(void **state)
{
    struct member members[MEMBERS];
    struct random_source random = random_from(1);
    const struct member_chaos broken = {.random = &random, .break_percent = 100, .batch_max = 1};
    (void)state;

    begin(members, 2);
    member_create(&members[A], "file", FILE_REGULAR, 1);
    member_create(&members[A], "other", FILE_REGULAR, 2);
    assert_true(members_converge(members, 2, 10));
    member_write(&members[A], "file", 3);
    member_scan(&members[A]);

    /* C is new: of its first round it gets the newer version and nothing else */
    member_init(&members[C], C, false);
    member_scan(&members[C]);
    assert_int_equal(member_pull(&members[C], &members[A], &broken), PULL_PARTIAL);
    assert_true(member_write(&members[C], "file", 4));
    member_scan(&members[C]);
    (void)member_pull(&members[C], &members[B], NULL);

    assert_true(member_shows(&members[C], 4));
    assert_true(members_converge(members, MEMBERS, 20));
    assert_null(member_difference(&members[A], &members[C]));
    end(members, MEMBERS);
}

/* --- a database that goes back to the middle of a plan --- */

static void keep_copy(struct member *member, void *arg)
{
    struct memstore **copy = arg;

    *copy = memstore_clone(member->store);
}

/* B was to put A's "x" in place of its own, with a tombstone for that one, and could not. The database as
 * it was meanwhile. */
static struct memstore *stop_a_clash(struct member *members)
{
    struct memstore *copy = NULL;
    struct random_source random = random_from(1);
    const struct member_chaos chaos = {
        .random = &random, .fail_step_percent = 100, .disturb = keep_copy, .disturb_arg = &copy};

    begin(members, 2);
    assert_true(members_converge(members, 2, 10));
    member_create(&members[B], "x", FILE_REGULAR, 2);
    member_scan(&members[B]);
    members[A].now.ns = members[B].now.ns + 1000;
    member_create(&members[A], "x", FILE_REGULAR, 1);
    member_scan(&members[A]);
    assert_int_equal(member_pull(&members[B], &members[A], &chaos), PULL_PARTIAL);
    assert_non_null(copy);
    return copy;
}

static void go_back(struct member *member, struct memstore *take_copy)
{
    memstore_free(member->store);
    member->store = take_copy;
    member_crash(member);
}

/* The number of that tombstone goes to something else, which A hears of. */
static struct gvsn give_number_away(struct member *members)
{
    member_delete(&members[B], "x");
    member_scan(&members[B]);
    struct gvsn taken = {.database = replica_state(members[B].replica)->database,
                         .number = replica_state(members[B].replica)->number_last};
    assert_int_not_equal(member_pull(&members[A], &members[B], NULL), PULL_NOTHING);
    assert_true(vector_contains(replica_vector(members[A].replica), &taken));
    return taken;
}

static void a_number_of_a_plan_that_failed_is_not_told_again_for_what_it_was_to_be(void **state)
{
    struct member members[2];
    struct memstore *copy = stop_a_clash(members);
    struct gvsn taken = give_number_away(members);
    (void)state;

    /* the disk shows what the plan wanted: nothing stands there */
    go_back(&members[B], copy);
    assert_false(vector_contains(replica_vector(members[B].replica), &taken));
    assert_true(members_converge(members, 2, 20));
    assert_null(member_difference(&members[A], &members[B]));
    end(members, 2);
}

static void a_copied_database_does_not_carry_on_another_members_plan(void **state)
{
    struct member members[MEMBERS];
    struct memstore *copy = stop_a_clash(members);
    struct gvsn taken = give_number_away(members);
    (void)state;

    member_init(&members[C], C, false);
    go_back(&members[C], copy);
    assert_false(vector_contains(replica_vector(members[C].replica), &taken));
    assert_true(members_converge(members, MEMBERS, 20));
    assert_null(member_difference(&members[A], &members[C]));
    assert_null(member_difference(&members[A], &members[B]));
    end(members, MEMBERS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plan_that_stopped_leaves_no_attributes_behind),
        cmocka_unit_test(an_edit_before_the_first_sync_does_not_yield_to_an_older_version),
        cmocka_unit_test(a_number_of_a_plan_that_failed_is_not_told_again_for_what_it_was_to_be),
        cmocka_unit_test(a_copied_database_does_not_carry_on_another_members_plan),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
