/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/transfer/frames.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void add(struct frames *frames, const char *text)
{
    frames_add(frames, span_of_string(text));
}

/* The frames' bytes one after the other; empties @frames. */
static void assert_holds(struct frames *frames, const char *expected, size_t count)
{
    struct buf all = {0};

    assert_int_equal(frames->count, count);
    while (frames->first) {
        buf_append(&all, frames->first->bytes.data, frames->first->bytes.size);
        frames_drop_first(frames);
    }
    assert_string_equal(buf_text(&all), expected);
    assert_null(frames->last);
    assert_int_equal(frames->count, 0);
    buf_fini(&all);
}

static void frames_leave_in_the_order_in_which_they_came(void **state)
{
    struct frames frames = {0};
    (void)state;

    add(&frames, "a");
    add(&frames, "b");
    add(&frames, "c");

    assert_holds(&frames, "abc", 3);
}

static void what_was_not_used_up_goes_back_to_the_front(void **state)
{
    struct frames job = {0};
    struct frames waiting = {0};
    (void)state;

    add(&job, "a");
    add(&job, "b");
    add(&waiting, "c");
    frames_move(&waiting, &job);
    add(&waiting, "d");

    assert_holds(&job, "", 0);
    assert_holds(&waiting, "abcd", 4);
}

static void moving_to_and_from_empty_loses_nothing(void **state)
{
    struct frames a = {0};
    struct frames b = {0};
    (void)state;

    frames_move(&a, &b);
    add(&b, "x");
    frames_move(&a, &b);
    frames_move(&a, &b);
    add(&a, "y");

    assert_holds(&b, "", 0);
    assert_holds(&a, "xy", 2);
}

static void a_taken_buffer_is_the_frames_and_an_empty_one_is_none(void **state)
{
    struct frames frames = {0};
    struct buf bytes = {0};
    (void)state;

    frames_take(&frames, &bytes);
    assert_int_equal(frames.count, 0);
    buf_append_string(&bytes, "z");
    frames_take(&frames, &bytes);

    assert_null(bytes.data);
    assert_holds(&frames, "z", 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_leave_in_the_order_in_which_they_came),
        cmocka_unit_test(what_was_not_used_up_goes_back_to_the_front),
        cmocka_unit_test(moving_to_and_from_empty_loses_nothing),
        cmocka_unit_test(a_taken_buffer_is_the_frames_and_an_empty_one_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
