/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/fleet/report.h"
#include "tests/unit/controller/fleet/wire.h"

#include "common/base/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static struct report *decode(const Coterie__V1__Report *wire)
{
    struct report *report = NULL;
    char *problem = NULL;

    if (!report_decode(wire, &report, &problem))
        fail_msg("refused: %s", problem);
    return report;
}

static void assert_refused(const Coterie__V1__Report *wire, const char *words)
{
    struct report *report = NULL;
    char *problem = NULL;

    assert_false(report_decode(wire, &report, &problem));
    assert_null(report);
    if (!strstr(problem, words))
        fail_msg("\"%s\" does not say \"%s\"", problem, words);
    free(problem);
}

static Coterie__V1__Report *report_with_vector(const struct wire_interval *intervals, size_t count)
{
    Coterie__V1__Report *wire = wire_report();
    Coterie__V1__FolderReport *folder = wire_folder(1);

    folder->vector = wire_vector(intervals, count);
    wire_add_folder(wire, folder);
    return wire;
}

static uint64_t lacks(const struct wire_interval *got, size_t got_count,
                      const struct wire_interval *have, size_t have_count)
{
    struct report *receiver = decode(report_with_vector(got, got_count));
    struct report *sender = decode(report_with_vector(have, have_count));
    uint64_t count = report_vector_lacks(&receiver->folders[0].vector, &sender->folders[0].vector);

    report_free(receiver);
    report_free(sender);
    return count;
}

static void a_report_is_found_by_folder_and_connection_whatever_their_order(void **state)
{
    Coterie__V1__Report *wire = wire_report();
    Coterie__V1__FolderReport *folder = wire_folder(9);
    (void)state;

    wire_add_connection(folder, wire_connection(7, true));
    wire_add_connection(folder, wire_connection(7, false));
    wire_add_connection(folder, wire_connection(3, true));
    folder->connections[1]->backlog_files = 42;
    wire_add_folder(wire, folder);
    wire_add_folder(wire, wire_folder(2));
    struct report *report = decode(wire);

    struct guid nine = wire_guid(9);
    struct guid seven = wire_guid(7);
    struct guid absent = wire_guid(5);
    const struct folder_report *found = report_folder(report, &nine);
    assert_non_null(found);
    assert_int_equal(folder_report_connection(found, &seven, false)->backlog_files, 42);
    assert_int_equal(folder_report_connection(found, &seven, true)->backlog_files, 0);
    assert_null(folder_report_connection(found, &absent, true));
    assert_null(report_folder(report, &absent));
    report_free(report);
}

static void identifiers_vectors_and_health_outside_the_rules_are_refused(void **state)
{
    (void)state;

    Coterie__V1__Report *wire = wire_report();
    wire_add_folder(wire, wire_folder(1));
    wire->folders[0]->folder_guid.len = 15;
    assert_refused(wire, "16 bytes");

    wire = wire_report();
    wire_add_folder(wire, wire_folder(1));
    wire->folders[0]->health = (Coterie__V1__Health)99;
    assert_refused(wire, "unknown value");

    wire = report_with_vector((struct wire_interval[]){{1, 5, 5}}, 1);
    assert_refused(wire, "ascending");
    wire = report_with_vector((struct wire_interval[]){{1, 0, 5}, {1, 5, 9}}, 2);
    assert_refused(wire, "ascending");
    wire = report_with_vector((struct wire_interval[]){{2, 0, 5}, {1, 0, 9}}, 2);
    assert_refused(wire, "ascending by database");
    wire = report_with_vector((struct wire_interval[]){{1, 0, 5}}, 1);
    wire->folders[0]->vector->entries[0]->n_bounds = 1;
    assert_refused(wire, "pairs");
}

static void texts_and_problems_of_a_sick_agent_are_cut_not_refused(void **state)
{
    Coterie__V1__Report *wire = wire_report();
    Coterie__V1__Problem *problems[REPORT_PROBLEM_COUNT_MAX + 9];
    char long_text[3 * REPORT_TEXT_SIZE_MAX];
    (void)state;

    memset(long_text, 'x', sizeof(long_text) - 1);
    long_text[sizeof(long_text) - 1] = '\0';
    for (size_t i = 0; i < sizeof(problems) / sizeof(problems[0]); i++)
        problems[i] = wire_problem(long_text, "cause", "remedy");
    wire->problems = problems;
    wire->n_problems = sizeof(problems) / sizeof(problems[0]);
    struct report *report = decode(wire);

    assert_int_equal(report->problem_count, REPORT_PROBLEM_COUNT_MAX);
    assert_int_equal(strlen(report->problems[0].object), REPORT_TEXT_SIZE_MAX);
    report_free(report);
}

static void a_time_beyond_the_calendar_counts_as_never(void **state)
{
    Coterie__V1__Report *wire = wire_report();
    (void)state;

    wire->time_ns = UINT64_MAX;
    struct report *report = decode(wire);

    assert_int_equal(report->made.ns, 0);
    report_free(report);
}

static void a_vector_lacks_nothing_exactly_when_it_covers(void **state)
{
    const struct wire_interval a[] = {{1, 0, 10}, {1, 20, 30}, {2, 0, 5}};
    const struct wire_interval all[] = {{1, 0, 99}, {2, 0, 5}, {3, 0, 1}};
    const struct wire_interval holes[] = {{1, 0, 4}, {1, 6, 22}, {1, 29, 40}};
    (void)state;

    assert_int_equal(lacks(a, 3, a, 3), 0);
    assert_int_equal(lacks(all, 3, a, 3), 0);
    assert_int_equal(lacks(a, 3, NULL, 0), 0);
    assert_int_equal(lacks(NULL, 0, a, 3), 25);
    /* 5 and 6 of the first run, 23..29 of the second, all five of database 2 */
    assert_int_equal(lacks(holes, 3, a, 3), 2 + 7 + 5);
}

/* The same question asked number by number. */
static uint64_t naive_lacks(const bool *got, const bool *have, size_t count)
{
    uint64_t lacking = 0;

    for (size_t i = 0; i < count; i++)
        lacking += have[i] && !got[i];
    return lacking;
}

#define MODEL_DATABASE_COUNT 3
#define MODEL_NUMBER_COUNT   40

static size_t random_set(bool *set, struct wire_interval *intervals)
{
    size_t count = 0;

    for (size_t d = 0; d < MODEL_DATABASE_COUNT; d++) {
        bool *row = set + d * MODEL_NUMBER_COUNT;
        bool inside = false;

        for (size_t n = 0; n < MODEL_NUMBER_COUNT; n++) {
            bool before = inside;

            if (rand() % 4 == 0)
                inside = !inside;
            row[n] = inside;
            if (inside && !before)
                intervals[count++] =
                    (struct wire_interval){.database = (uint8_t)(d + 1), .low = n, .high = n + 1};
            else if (inside)
                intervals[count - 1].high = n + 1;
        }
    }
    return count;
}

static void what_a_vector_lacks_equals_a_count_one_by_one(void **state)
{
    const char *given = getenv("COTERIE_SEED");
    unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : 20261122;
    (void)state;

    print_message("COTERIE_SEED=%u\n", seed);
    srand(seed);
    for (int round = 0; round < 2000; round++) {
        bool got_set[MODEL_DATABASE_COUNT * MODEL_NUMBER_COUNT];
        bool have_set[MODEL_DATABASE_COUNT * MODEL_NUMBER_COUNT];
        struct wire_interval got[MODEL_DATABASE_COUNT * MODEL_NUMBER_COUNT];
        struct wire_interval have[MODEL_DATABASE_COUNT * MODEL_NUMBER_COUNT];
        size_t got_count = random_set(got_set, got);
        size_t have_count = random_set(have_set, have);

        assert_int_equal(lacks(got, got_count, have, have_count),
                         naive_lacks(got_set, have_set, sizeof(got_set)));
        wire_reset();
    }
}

static int teardown(void **state)
{
    (void)state;
    wire_reset();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_report_is_found_by_folder_and_connection_whatever_their_order,
                                  teardown),
        cmocka_unit_test_teardown(identifiers_vectors_and_health_outside_the_rules_are_refused,
                                  teardown),
        cmocka_unit_test_teardown(texts_and_problems_of_a_sick_agent_are_cut_not_refused, teardown),
        cmocka_unit_test_teardown(a_time_beyond_the_calendar_counts_as_never, teardown),
        cmocka_unit_test_teardown(a_vector_lacks_nothing_exactly_when_it_covers, teardown),
        cmocka_unit_test_teardown(what_a_vector_lacks_equals_a_count_one_by_one, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
