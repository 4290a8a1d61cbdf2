/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/reading.h"
#include "tests/support/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static char logged[16384];

static void take_line(enum log_level level, const char *line, void *arg)
{
    (void)level;
    (void)arg;
    size_t used = strlen(logged);

    snprintf(logged + used, sizeof(logged) - used, "%s\n", line);
}

static int capture(void **state)
{
    (void)state;
    logged[0] = '\0';
    log_capture(take_line, NULL);
    return 0;
}

static int release(void **state)
{
    (void)state;
    log_capture(NULL, NULL);
    return 0;
}

static const struct fleet_computer *find(const struct reading *reading, const char *name)
{
    size_t count;
    const struct fleet_computer *computers = reading_computers(reading, &count);

    for (size_t i = 0; i < count; i++)
        if (strcmp(computers[i].name, name) == 0)
            return &computers[i];
    fail_msg("no computer %s", name);
    abort();
}

static void each_computer_gets_bytes_that_its_agent_accepts(void **state)
{
    struct world w = {0};
    struct log_ctx log = {0};
    struct assignment *assignment = NULL;
    char *problem = NULL;
    (void)state;

    world_pair(&w);
    struct reading *reading = reading_new(&w.entries, "CORP.EXAMPLE", NULL, &log);
    const struct fleet_computer *fs1 = find(reading, "fs1.corp.example");

    assert_true(assignment_decode(fs1->encoded, &assignment, &problem));
    assert_memory_equal(assignment->digest, fs1->assignment->digest, ASSIGNMENT_DIGEST_SIZE);
    assert_string_equal(assignment->computer_name, "fs1.corp.example");
    assert_int_equal(assignment->generation, 1);
    assert_string_equal(fs1->principals[0], "host/fs1.corp.example@CORP.EXAMPLE");
    assignment_free(assignment);
    reading_free(reading);
    world_fini(&w);
}

static void a_reading_without_a_change_keeps_generation_and_digests_and_says_nothing(void **state)
{
    struct world w = {0};
    struct log_ctx log = {0};
    (void)state;

    world_pair(&w);
    struct reading *first = reading_new(&w.entries, "R", NULL, &log);
    logged[0] = '\0';
    struct reading *second = reading_new(&w.entries, "R", first, &log);

    assert_int_equal(reading_generation(second), 1);
    assert_string_equal(logged, "");
    assert_true(span_equal(find(first, "fs1.corp.example")->encoded,
                           find(second, "fs1.corp.example")->encoded));
    reading_free(first);
    reading_free(second);
    world_fini(&w);
}

static void a_change_makes_a_new_generation_and_is_told(void **state)
{
    struct world w = {0};
    struct log_ctx log = {0};
    (void)state;

    world_pair(&w);
    struct reading *first = reading_new(&w.entries, "R", NULL, &log);
    logged[0] = '\0';
    world_set(&w, "g/fs1>fs2", "msDFSR-Enabled", "FALSE");
    struct reading *second = reading_new(&w.entries, "R", first, &log);

    assert_int_equal(reading_generation(second), 2);
    assert_non_null(strstr(logged, "altered connection"));
    assert_non_null(strstr(logged, "plan generation=2"));
    assert_memory_not_equal(find(first, "fs2.corp.example")->assignment->digest,
                            find(second, "fs2.corp.example")->assignment->digest,
                            ASSIGNMENT_DIGEST_SIZE);
    reading_free(first);
    reading_free(second);
    world_fini(&w);
}

static void a_broken_object_is_told_once_and_harms_no_other(void **state)
{
    struct world w = {0};
    struct log_ctx log = {0};
    (void)state;

    struct schedule always = schedule_always();

    world_pair(&w);
    world_set_bytes(&w, "g/fs1>fs2", "msDFSR-Schedule", span_of(always.levels, SCHEDULE_SIZE));
    struct reading *good = reading_new(&w.entries, "R", NULL, &log);
    world_set(&w, "g/fs1>fs2", "msDFSR-Schedule", "short");
    struct reading *first = reading_new(&w.entries, "R", good, &log);

    assert_non_null(strstr(logged, "msDFSR-Schedule"));
    assert_true(reading_findings(first, 0)->count > 0);
    assert_non_null(find(first, "fs1.corp.example"));
    logged[0] = '\0';
    struct reading *second = reading_new(&w.entries, "R", first, &log);
    assert_string_equal(logged, "");
    reading_free(good);
    reading_free(first);
    reading_free(second);
    world_fini(&w);
}

static void an_empty_directory_is_a_plan_without_computers(void **state)
{
    struct ad_entries nothing = {0};
    struct log_ctx log = {0};
    size_t count;
    (void)state;

    struct reading *reading = reading_new(&nothing, "R", NULL, &log);

    reading_computers(reading, &count);
    assert_int_equal(count, 0);
    assert_int_equal(reading_generation(reading), 1);
    assert_int_equal(reading_generation(NULL), 0);
    reading_free(reading);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, capture, release)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_computer_gets_bytes_that_its_agent_accepts),
        TEST(a_reading_without_a_change_keeps_generation_and_digests_and_says_nothing),
        TEST(a_change_makes_a_new_generation_and_is_told),
        TEST(a_broken_object_is_told_once_and_harms_no_other),
        TEST(an_empty_directory_is_a_plan_without_computers),
    };
    log_start("reading-test", LOG_INFO);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
