/* SPDX-License-Identifier: Apache-2.0 */
/* A read-only member shows what its partners have, whatever its own users do. */
#include "tests/support/member.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

enum { WRITER, READER, MEMBERS };

/* In sync: dir/file with content 1, other with content 2. */
static void begin(struct member *members)
{
    for (unsigned i = 0; i < MEMBERS; i++) {
        member_init(&members[i], i, i == WRITER);
        member_scan(&members[i]);
    }
    member_create(&members[WRITER], "dir", FILE_DIRECTORY, 0);
    member_create(&members[WRITER], "dir/file", FILE_REGULAR, 1);
    member_create(&members[WRITER], "other", FILE_REGULAR, 2);
    assert_true(members_converge(members, MEMBERS, 10));
    member_make_read_only(&members[READER]);
}

static void sync(struct member *members)
{
    for (unsigned i = 0; i < 3; i++) {
        member_scan(&members[READER]);
        member_return_parked(&members[READER]);
        (void)member_pull(&members[READER], &members[WRITER], NULL);
    }
    member_return_parked(&members[READER]);
    assert_null(member_problem(&members[READER]));
    assert_int_equal(member_pull(&members[READER], &members[WRITER], NULL), PULL_NOTHING);
}

static void end(struct member *members)
{
    for (size_t i = 0; i < MEMBERS; i++)
        member_fini(&members[i]);
}

static void what_its_users_make_is_preserved_and_goes(void **state)
{
    struct member members[MEMBERS];
    (void)state;

    begin(members);
    member_create(&members[READER], "dir/new", FILE_REGULAR, 7);
    member_create(&members[READER], "made", FILE_DIRECTORY, 0);
    member_create(&members[READER], "made/file", FILE_REGULAR, 8);
    sync(members);

    assert_int_equal(member_at(&members[READER], "dir/new"), 0);
    assert_int_equal(member_at(&members[READER], "made"), 0);
    assert_true(member_kept(&members[READER], 7) && member_kept(&members[READER], 8));
    end(members);
}

static void what_its_users_move_returns_and_is_answered_by_no_version(void **state)
{
    struct member members[MEMBERS];
    (void)state;

    begin(members);
    member_move(&members[READER], "dir/file", "file");
    member_move(&members[READER], "dir", "moved");
    member_move(&members[READER], "other", "dir");
    sync(members);

    assert_true(member_at(&members[READER], "dir/file") != 0);
    assert_true(member_at(&members[READER], "other") != 0);
    for (const char *const *path = (const char *const[]){"dir", "dir/file", "other", NULL}; *path;
         path++) {
        struct record theirs = member_record(&members[WRITER], *path);
        struct record ours = member_record(&members[READER], *path);

        assert_true(gvsn_equal(&theirs.update.gvsn, &ours.update.gvsn));
    }
    end(members);
}

static void a_deleted_directory_takes_what_its_users_made_in_it(void **state)
{
    struct member members[MEMBERS];
    (void)state;

    begin(members);
    member_create(&members[READER], "dir/new", FILE_REGULAR, 7);
    member_scan(&members[READER]);
    member_delete(&members[WRITER], "dir");
    member_scan(&members[WRITER]);
    sync(members);

    assert_int_equal(member_at(&members[READER], "dir"), 0);
    assert_true(member_kept(&members[READER], 7));
    end(members);
}

static void what_its_users_make_in_a_directory_that_is_merged_yields(void **state)
{
    struct member members[MEMBERS];
    (void)state;

    begin(members);
    member_create(&members[WRITER], "dir/inner", FILE_DIRECTORY, 0);
    member_create(&members[WRITER], "dir/inner/deep", FILE_REGULAR, 3);
    member_scan(&members[WRITER]);
    sync(members);
    member_move(&members[READER], "dir", "moved");
    member_create(&members[READER], "dir", FILE_DIRECTORY, 0);
    member_create(&members[READER], "dir/inner", FILE_DIRECTORY, 0);
    member_create(&members[READER], "dir/file", FILE_DIRECTORY, 0);
    member_scan(&members[READER]);
    (void)member_pull(&members[READER], &members[WRITER], NULL);
    sync(members);

    for (const char *const *path =
             (const char *const[]){"dir", "dir/inner", "dir/inner/deep", "dir/file", NULL};
         *path; path++) {
        struct record theirs = member_record(&members[WRITER], *path);
        struct record ours = member_record(&members[READER], *path);

        assert_true(gvsn_equal(&theirs.update.gvsn, &ours.update.gvsn));
    }
    end(members);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_its_users_make_is_preserved_and_goes),
        cmocka_unit_test(what_its_users_move_returns_and_is_answered_by_no_version),
        cmocka_unit_test(what_its_users_make_in_a_directory_that_is_merged_yields),
        cmocka_unit_test(a_deleted_directory_takes_what_its_users_made_in_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
