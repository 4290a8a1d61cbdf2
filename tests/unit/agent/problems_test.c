/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/report/problems.h"

#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/base/scope.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const struct walltime first = {.ns = 100};
static const struct walltime later = {.ns = 200};

static int finish(void **state)
{
    problems_fini(*state);
    free(*state);
    return 0;
}

static int begin(void **state)
{
    *state = MEM_NEW(struct problems);
    return 0;
}

static void fill(struct problems *p, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        scope_free char *key = mem_format("file:%zu", i);

        assert_true(problem_set(p, first, key, key, "broken", "mend it"));
    }
}

static void a_problem_is_news_once(void **state)
{
    struct problems *p = *state;

    assert_true(problem_set(p, first, "root", "/srv", "missing", "mount it"));
    assert_false(problem_set(p, later, "root", "/srv", "missing", "mount it"));

    assert_int_equal(p->count, 1);
    assert_int_equal(p->items[0].count, 2);
    assert_int_equal(p->items[0].since.ns, first.ns);
}

static void another_cause_is_news_and_keeps_the_first_time(void **state)
{
    struct problems *p = *state;

    (void)problem_set(p, first, "root", "/srv", "missing", "mount it");
    assert_true(problem_set(p, later, "root", "/srv", "unreadable", "check its mode"));

    assert_int_equal(p->count, 1);
    assert_string_equal(p->items[0].cause, "unreadable");
    assert_string_equal(p->items[0].remedy, "check its mode");
    assert_int_equal(p->items[0].since.ns, first.ns);
}

static void a_cleared_problem_is_gone_and_news_again(void **state)
{
    struct problems *p = *state;

    (void)problem_set(p, first, "root", "/srv", "missing", "mount it");
    (void)problem_set(p, first, "space", "/srv", "full", "free some");

    assert_true(problem_clear(p, "root"));
    assert_false(problem_clear(p, "root"));
    assert_int_equal(p->count, 1);
    assert_string_equal(p->items[0].key, "space");
    assert_true(problem_set(p, later, "root", "/srv", "missing", "mount it"));
}

static void what_was_not_set_again_expires_with_its_prefix_only(void **state)
{
    struct problems *p = *state;

    (void)problem_set(p, first, "root", "/srv", "missing", "mount it");
    fill(p, 5);

    assert_false(problem_set(p, later, "file:3", "file:3", "broken", "mend it"));

    problem_expire(p, "file:", (struct walltime){.ns = later.ns + NS_PER_MS}, 1);
    assert_int_equal(p->count, 2);
    assert_string_equal(p->items[0].key, "root");
    assert_string_equal(p->items[1].key, "file:3");
}

static void beyond_the_limit_each_is_still_news_and_is_counted(void **state)
{
    struct problems *p = *state;
    Coterie__V1__Problem **items;
    size_t count;

    fill(p, PROBLEM_COUNT_MAX);
    assert_true(problem_set(p, first, "one", "one", "broken", "mend it"));
    assert_true(problem_set(p, first, "two", "two", "broken", "mend it"));

    assert_int_equal(p->count, PROBLEM_COUNT_MAX);
    problems_to_proto(p, &count, &items);
    assert_int_equal(count, PROBLEM_COUNT_MAX + 1);
    assert_non_null(strstr(items[PROBLEM_COUNT_MAX]->cause, "2 more"));
    problems_proto_free(count, items);
}

static void the_message_says_all(void **state)
{
    struct problems *p = *state;
    Coterie__V1__Problem **items;
    size_t count;

    (void)problem_set(p, first, "root", "/srv", "missing", "mount it");
    (void)problem_set(p, later, "root", "/srv", "missing", "mount it");

    problems_to_proto(p, &count, &items);
    assert_int_equal(count, 1);
    assert_string_equal(items[0]->object, "/srv");
    assert_string_equal(items[0]->cause, "missing");
    assert_string_equal(items[0]->remedy, "mount it");
    assert_int_equal(items[0]->since_ns, first.ns);
    assert_int_equal(items[0]->count, 2);
    problems_proto_free(count, items);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_problem_is_news_once, begin, finish),
        cmocka_unit_test_setup_teardown(another_cause_is_news_and_keeps_the_first_time, begin, finish),
        cmocka_unit_test_setup_teardown(a_cleared_problem_is_gone_and_news_again, begin, finish),
        cmocka_unit_test_setup_teardown(what_was_not_set_again_expires_with_its_prefix_only, begin, finish),
        cmocka_unit_test_setup_teardown(beyond_the_limit_each_is_still_news_and_is_counted, begin, finish),
        cmocka_unit_test_setup_teardown(the_message_says_all, begin, finish),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
