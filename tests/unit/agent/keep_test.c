/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/assignment/keep.h"

#include "common/base/mem.h"
#include "common/base/scope.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

struct fixture {
    char dir[32];
    char *path;
    struct log_ctx log;
};

static int begin(void **state)
{
    struct fixture *f = MEM_NEW(struct fixture);

    memcpy(f->dir, "/tmp/coterie-keep-XXXXXX", sizeof("/tmp/coterie-keep-XXXXXX"));
    assert_non_null(mkdtemp(f->dir));
    f->path = mem_format("%s/assignment", f->dir);
    log_ctx_init(&f->log, NULL, "keep_test");
    *state = f;
    return 0;
}

static int finish(void **state)
{
    struct fixture *f = *state;

    unlink(f->path);
    assert_int_equal(rmdir(f->dir), 0); /* and nothing else was left there */
    free(f->path);
    free(f);
    return 0;
}

static void keep_generation(struct fixture *f, uint64_t generation)
{
    char computer[] = "a.example";
    struct assignment assignment = {.generation = generation, .computer_name = computer};
    scope(buf) struct buf bytes = {0};

    assignment_encode(&assignment, &bytes);
    assert_int_equal(assignment_keep(&f->log, f->path, buf_span(&bytes)), ST_OK);
}

static void what_was_kept_is_loaded(void **state)
{
    struct fixture *f = *state;
    struct assignment *loaded = NULL;

    keep_generation(f, 7);
    keep_generation(f, 8);

    assert_int_equal(assignment_load(&f->log, f->path, &loaded), ST_OK);
    assert_int_equal(loaded->generation, 8);
    assignment_free(loaded);
}

static void nothing_kept_is_nothing_loaded(void **state)
{
    struct fixture *f = *state;
    struct assignment *loaded = NULL;

    assert_int_equal(assignment_load(&f->log, f->path, &loaded), ST_GONE);
    assert_null(loaded);
}

static void a_damaged_file_counts_as_none(void **state)
{
    struct fixture *f = *state;
    struct assignment *loaded = NULL;

    assert_int_equal(assignment_keep(&f->log, f->path, span_of_string("\xff\xff no message")), ST_OK);
    assert_int_equal(assignment_load(&f->log, f->path, &loaded), ST_GONE);
    assert_null(loaded);
}

static void a_kept_file_is_for_its_owner_only(void **state)
{
    struct fixture *f = *state;
    scope_free char *command = mem_format("test \"$(stat -c %%a %s)\" = 600", f->path);

    keep_generation(f, 1);
    assert_int_equal(system(command), 0);
}

static void keeping_where_nothing_can_be_written_fails(void **state)
{
    struct fixture *f = *state;

    assert_int_not_equal(assignment_keep(&f->log, "/nonexistent/assignment", span_of_string("x")), ST_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_kept_is_loaded, begin, finish),
        cmocka_unit_test_setup_teardown(nothing_kept_is_nothing_loaded, begin, finish),
        cmocka_unit_test_setup_teardown(a_damaged_file_counts_as_none, begin, finish),
        cmocka_unit_test_setup_teardown(a_kept_file_is_for_its_owner_only, begin, finish),
        cmocka_unit_test_setup_teardown(keeping_where_nothing_can_be_written_fails, begin, finish),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
