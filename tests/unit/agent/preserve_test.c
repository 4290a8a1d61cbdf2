/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/preserve/preserve.h"

#include "agent/preserve/manifest.h"
#include "common/base/limits.h"
#include "common/base/mem.h"
#include "tests/unit/agent/temp_root.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#define DAY_NS (INT64_C(86400000) * NS_PER_MS)

struct fixture {
    struct temp_root t;
    struct preserve *preserve;
};

static void reopen(struct fixture *f)
{
    preserve_close(f->preserve);
    assert_int_equal(preserve_open(f->t.root, 10, &f->preserve), ST_OK);
}

static int open_fixture(void **state)
{
    struct fixture *f = MEM_NEW(struct fixture);

    temp_root_open(&f->t);
    reopen(f);
    *state = f;
    return 0;
}

static int close_fixture(void **state)
{
    struct fixture *f = *state;

    preserve_close(f->preserve);
    temp_root_close(&f->t);
    free(f);
    return 0;
}

/* Preserve what stands at @path as of @day. */
static uint64_t take(struct fixture *f, const char *path, int64_t day)
{
    struct preserve_entry entry = {.cause = PRESERVE_CAUSE_CONFLICT,
                                   .when = {.ns = day * DAY_NS},
                                   .gvsn = {guid_random(), 7},
                                   .path = mem_copy_string(path)};
    struct spot spot;
    uint64_t number;

    assert_int_equal(spot_open(root_fd(f->t.root), path, &spot), 0);
    assert_int_equal(preserve_take(f->preserve, &spot, &entry, &number), ST_OK);
    assert_int_equal(preserve_sync(f->preserve), ST_OK);
    spot_fini(&spot);
    free(entry.path);
    return number;
}

static void an_entry_tells_who_when_why_and_where(void **state)
{
    struct fixture *f = *state;
    struct preserve_entry in = {.number = 12,
                                .cause = PRESERVE_CAUSE_NAME_CONFLICT,
                                .when = {.ns = -5},
                                .gvsn = {guid_random(), UINT64_MAX},
                                .id = {guid_random(), 9},
                                .kind = FILE_SYMLINK,
                                .size = 77,
                                .path = mem_copy_string("a\tb\nc\\\xff/\xc2\x85 d")};
    struct preserve_entry out = {0};
    struct buf line = {0};

    (void)f;
    manifest_write(&in, &line);
    assert_int_equal(line.data[line.size - 1], '\n');
    line.data[line.size - 1] = '\0';
    assert_null(strchr((char *)line.data, '\n'));
    assert_true(manifest_parse((char *)line.data, &out));

    assert_int_equal(out.number, in.number);
    assert_int_equal(out.cause, in.cause);
    assert_int_equal(out.when.ns, in.when.ns);
    assert_true(gvsn_equal(&out.gvsn, &in.gvsn));
    assert_true(file_id_equal(&out.id, &in.id));
    assert_int_equal(out.kind, in.kind);
    assert_int_equal(out.size, in.size);
    assert_string_equal(out.path, in.path);
    preserve_entry_fini(&in);
    preserve_entry_fini(&out);
    buf_fini(&line);
}

static void lines_that_are_none_are_passed_over(void **state)
{
    static const char *const bad[] = {
        "", "x", "1\t2", "0\t1\tdeleted\t00000000-0000-0000-0000-000000000000\t1\t"
        "00000000-0000-0000-0000-000000000000\t1\tfile\t1\tx",
        "1\t1\tmurdered\t00000000-0000-0000-0000-000000000000\t1\t"
        "00000000-0000-0000-0000-000000000000\t1\tfile\t1\tx",
        "1\t1\tdeleted\t00000000-0000-0000-0000-000000000000\t1\t"
        "00000000-0000-0000-0000-000000000000\t1\tfile\t1\t\\xzz",
        "1\t1\tdeleted\t00000000-0000-0000-0000-000000000000\t1\t"
        "00000000-0000-0000-0000-000000000000\t1\tfile\t-1\tx",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct preserve_entry out = {0};
        char *line = mem_copy_string(bad[i]);

        assert_false(manifest_parse(line, &out));
        free(line);
    }
}

static void entries_survive_a_reopening(void **state)
{
    struct fixture *f = *state;
    struct preserve_entry entry = {0};

    temp_write(&f->t, "a", "abc");
    temp_make_dir(&f->t, "d");
    temp_write(&f->t, "d/x", "four");
    take(f, "a", 1);
    take(f, "d", 2);
    reopen(f);

    assert_int_equal(preserve_usage(f->preserve).entry_count, 2);
    assert_int_equal(preserve_usage(f->preserve).bytes, 7);
    assert_int_equal(preserve_usage(f->preserve).oldest.ns, DAY_NS);
    assert_true(preserve_next(f->preserve, 0, &entry));
    assert_string_equal(entry.path, "a");
    assert_true(preserve_next(f->preserve, entry.number, &entry));
    assert_string_equal(entry.path, "d");
    assert_int_equal(entry.kind, FILE_DIRECTORY);
    assert_false(preserve_next(f->preserve, entry.number, &entry));
    preserve_entry_fini(&entry);
}

static void a_restored_entry_never_replaces_anything(void **state)
{
    struct fixture *f = *state;
    uint64_t number;

    temp_write(&f->t, "a", "old");
    number = take(f, "a", 1);
    temp_write(&f->t, "a", "new");
    assert_int_equal(preserve_restore(f->preserve, number, NULL), ST_AGAIN);
    assert_int_equal(preserve_restore(f->preserve, number, "../a"), ST_BADDATA);
    assert_int_equal(preserve_restore(f->preserve, number, PRIVATE_DIR_NAME "/marker"),
                     ST_BADDATA);
    assert_int_equal(preserve_restore(f->preserve, number + 1, NULL), ST_GONE);
    assert_int_equal(preserve_restore(f->preserve, number, "x/y/a"), ST_OK);
    temp_assert_content(&f->t, "a", "new");
    temp_assert_content(&f->t, "x/y/a", "old");
    assert_int_equal(preserve_restore(f->preserve, number, NULL), ST_GONE);
    assert_int_equal(preserve_usage(f->preserve).bytes, 0);
}

static void the_oldest_go_first_and_the_young_stay(void **state)
{
    struct fixture *f = *state;
    struct preserve_entry entry = {0};
    size_t count;

    temp_write(&f->t, "a", "12345678");
    temp_make_dir(&f->t, "d");
    temp_make_dir(&f->t, "d/e");
    temp_write(&f->t, "d/e/b", "12345678");
    temp_write(&f->t, "c", "12345678");
    take(f, "d", 1);
    take(f, "a", 2);
    take(f, "c", 9);
    assert_int_equal(preserve_trim(f->preserve, (struct walltime){.ns = DAY_NS * 19 / 2}, &count),
                     ST_OK);

    assert_int_equal(count, 2);
    assert_true(preserve_next(f->preserve, 0, &entry));
    assert_string_equal(entry.path, "c");
    assert_false(preserve_usage(f->preserve).over_quota);
    assert_int_equal(temp_count(&f->t, PRIVATE_DIR_NAME "/trash"), 0);

    preserve_set_quota(f->preserve, 5);
    assert_int_equal(preserve_trim(f->preserve, (struct walltime){.ns = DAY_NS * 19 / 2}, &count),
                     ST_OK);
    assert_int_equal(count, 0);
    assert_true(preserve_usage(f->preserve).over_quota);
    assert_int_equal(preserve_usage(f->preserve).entry_count, 1);
    assert_int_equal(preserve_trim(f->preserve, (struct walltime){.ns = DAY_NS * 11}, &count),
                     ST_OK);
    assert_int_equal(count, 1);
    preserve_entry_fini(&entry);
}

static void an_object_without_a_line_is_given_one(void **state)
{
    struct fixture *f = *state;
    struct preserve_entry entry = {0};

    temp_write(&f->t, "a", "first");
    take(f, "a", 1);
    temp_write(&f->t, PRIVATE_DIR_NAME "/preserve/2", "orphan");
    temp_write(&f->t, "a", "third");
    take(f, "a", 3);
    temp_write(&f->t, PRIVATE_DIR_NAME "/preserve/40", "orphan too");
    reopen(f);

    assert_int_equal(preserve_usage(f->preserve).entry_count, 4);
    size_t unknown = 0;
    while (preserve_next(f->preserve, entry.number, &entry))
        unknown += entry.cause == PRESERVE_CAUSE_UNKNOWN;
    assert_int_equal(unknown, 2);
    preserve_entry_fini(&entry);
    reopen(f);
    assert_int_equal(preserve_usage(f->preserve).entry_count, 4);
}

static void a_torn_line_costs_only_itself(void **state)
{
    struct fixture *f = *state;
    char *path = mem_format("%s/" PRIVATE_DIR_NAME "/preserve/manifest", f->t.path);
    struct preserve_entry entry = {0};
    FILE *file;

    temp_write(&f->t, "a", "first");
    take(f, "a", 1);
    file = fopen(path, "a");
    fputs("2\t77\tdelet", file);
    fclose(file);
    reopen(f);
    temp_write(&f->t, "a", "second");
    take(f, "a", 2);
    reopen(f);

    assert_int_equal(preserve_usage(f->preserve).entry_count, 2);
    assert_true(preserve_next(f->preserve, 1, &entry));
    assert_int_equal(entry.cause, PRESERVE_CAUSE_CONFLICT);
    preserve_entry_fini(&entry);
    free(path);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_entry_tells_who_when_why_and_where),
        TEST(lines_that_are_none_are_passed_over),
        TEST(entries_survive_a_reopening),
        TEST(a_restored_entry_never_replaces_anything),
        TEST(the_oldest_go_first_and_the_young_stay),
        TEST(an_object_without_a_line_is_given_one),
        TEST(a_torn_line_costs_only_itself),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
