/* SPDX-License-Identifier: Apache-2.0 */
#include "common/model/schedule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

#define SUNDAY INT64_C(1794700800) /* 2026-11-15 00:00 UTC */

static struct walltime at(int64_t seconds)
{
    return (struct walltime){.ns = seconds * NS_PER_SEC};
}

static struct schedule closed(void)
{
    struct schedule schedule = schedule_always();

    memset(schedule.levels, 0, sizeof(schedule.levels));
    return schedule;
}

static void set_zone(const char *zone)
{
    setenv("TZ", zone, 1);
    tzset();
}

static void always_is_open_at_every_quarter_and_never_changes(void **state)
{
    struct schedule schedule = schedule_always();
    struct walltime when;
    (void)state;

    for (int64_t i = 0; i < SCHEDULE_SLOT_COUNT; i++)
        assert_int_equal(schedule_level_at(&schedule, at(SUNDAY + i * 900)), 15);
    assert_false(schedule_next_change(&schedule, at(SUNDAY), &when));
    assert_true(schedule_level_kbits(15) == UINT64_MAX);
}

static void only_336_bytes_are_a_schedule(void **state)
{
    uint8_t bytes[SCHEDULE_SIZE + 1] = {0};
    struct schedule schedule = schedule_always();
    (void)state;

    assert_false(schedule_parse(span_of(bytes, SCHEDULE_SIZE - 1), false, &schedule));
    assert_false(schedule_parse(span_of(bytes, SCHEDULE_SIZE + 1), false, &schedule));
    assert_false(schedule_parse(span_of(NULL, 0), false, &schedule));
    assert_int_equal(schedule_level_at(&schedule, at(SUNDAY)), 15);
    assert_true(schedule_parse(span_of(bytes, SCHEDULE_SIZE), true, &schedule));
    assert_true(schedule.local_time);
}

static void the_hex_dump_reads_as_quarters_from_sunday_midnight(void **state)
{
    struct schedule schedule = closed();
    (void)state;

    schedule.levels[0] = 0x12;
    schedule.levels[1] = 0x34;
    schedule.levels[48] = 0xf0; /* Monday 00:00 */

    for (unsigned quarter = 0; quarter < 4; quarter++)
        assert_int_equal(schedule_level_at(&schedule, at(SUNDAY + quarter * 900)), quarter + 1);
    assert_int_equal(schedule_level_at(&schedule, at(SUNDAY + 899)), 1);
    assert_int_equal(schedule_level_at(&schedule, at(SUNDAY + 86400)), 15);
    assert_int_equal(schedule_level_at(&schedule, at(SUNDAY + 86400 + 900)), 0);
    assert_int_equal(schedule_level_kbits(1), 16);
    assert_int_equal(schedule_level_kbits(2), 64);
    assert_int_equal(schedule_level_kbits(14), 262144);
    assert_int_equal(schedule_level_kbits(0), 0);
}

/* Property: every second before the reported change has the level of now, the change has another.
 */
static void next_change_is_the_first_change(void **state)
{
    struct schedule schedule = closed();
    struct walltime when;
    (void)state;

    schedule.levels[100] = 0xf3;
    schedule.levels[335] = 0x0f;

    for (int64_t start = SUNDAY - 86400; start < SUNDAY + 8 * 86400; start += 3607) {
        unsigned level = schedule_level_at(&schedule, at(start));

        assert_true(schedule_next_change(&schedule, at(start), &when));
        assert_true(when.ns > at(start).ns);
        assert_int_not_equal(schedule_level_at(&schedule, when), level);
        for (int64_t t = start; t < when.ns / NS_PER_SEC; t += 450)
            assert_int_equal(schedule_level_at(&schedule, at(t)), level);
        assert_int_equal(schedule_level_at(&schedule, (struct walltime){.ns = when.ns - 1}), level);
    }
}

static void next_change_wraps_around_the_week(void **state)
{
    struct schedule schedule = closed();
    struct walltime when;
    (void)state;

    schedule.levels[0] = 0xff; /* Sunday 00:00 to 00:30 */

    assert_true(schedule_next_change(&schedule, at(SUNDAY + 3600), &when));
    assert_int_equal(when.ns, at(SUNDAY + 7 * 86400).ns);
}

static void local_time_follows_the_receivers_zone(void **state)
{
    struct schedule schedule = closed();
    struct walltime when;
    (void)state;

    set_zone("XST-5:45"); /* east of Greenwich, with an odd offset */
    schedule.local_time = true;
    schedule.levels[0] = 0xff;

    int64_t local_sunday = SUNDAY - (5 * 3600 + 45 * 60);
    assert_int_equal(schedule_level_at(&schedule, at(local_sunday)), 15);
    assert_int_equal(schedule_level_at(&schedule, at(local_sunday - 1)), 0);
    assert_int_equal(schedule_level_at(&schedule, at(SUNDAY)), 0);
    assert_true(schedule_next_change(&schedule, at(SUNDAY), &when));
    assert_int_equal(when.ns, at(local_sunday + 7 * 86400).ns);
    set_zone("UTC");
}

static void an_hour_skipped_by_the_clock_change_opens_a_week_later(void **state)
{
    struct schedule schedule = closed();
    struct walltime when;
    (void)state;

    /* clocks go from 02:00 to 03:00 on 29 March 2026, a Sunday; open on Sundays 02:00 to 03:00 */
    set_zone("CET-1CEST,M3.5.0,M10.5.0/3");
    schedule.local_time = true;
    schedule.levels[4] = 0xff;
    schedule.levels[5] = 0xff;
    int64_t change = INT64_C(1774746000); /* 2026-03-29 01:00 UTC */

    assert_true(schedule_next_change(&schedule, at(change - 6 * 86400), &when));

    assert_int_equal(when.ns, at(change + 7 * 86400 - 3600).ns);
    set_zone("UTC");
}

static void times_before_1970_have_a_level(void **state)
{
    struct schedule schedule = closed();
    (void)state;

    schedule.levels[4 * 48 - 1] = 0x0f; /* Wednesday 23:45, the last quarter before the epoch */

    assert_int_equal(schedule_level_at(&schedule, (struct walltime){.ns = -1}), 15);
    assert_int_equal(schedule_level_at(&schedule, at(0)), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(always_is_open_at_every_quarter_and_never_changes),
        cmocka_unit_test(only_336_bytes_are_a_schedule),
        cmocka_unit_test(the_hex_dump_reads_as_quarters_from_sunday_midnight),
        cmocka_unit_test(next_change_is_the_first_change),
        cmocka_unit_test(next_change_wraps_around_the_week),
        cmocka_unit_test(local_time_follows_the_receivers_zone),
        cmocka_unit_test(an_hour_skipped_by_the_clock_change_opens_a_week_later),
        cmocka_unit_test(times_before_1970_have_a_level),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
