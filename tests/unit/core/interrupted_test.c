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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plan_that_stopped_leaves_no_attributes_behind),
        cmocka_unit_test(an_edit_before_the_first_sync_does_not_yield_to_an_older_version),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
