/* SPDX-License-Identifier: Apache-2.0 */
#include "common/rpc/send_queue.h"

#include "common/base/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define PIECE (RPC_SEND_QUEUE_BYTES_HIGH / 4)

static void items_leave_in_the_order_of_their_coming(void **state)
{
    struct send_queue queue;
    struct send_item items[3] = {{.size = 1}, {.size = 2}, {.size = 3}};
    (void)state;

    send_queue_init(&queue);
    for (int i = 0; i < 3; i++)
        assert_true(send_queue_push(&queue, &items[i]));

    for (int i = 0; i < 3; i++)
        assert_ptr_equal(send_queue_pop(&queue), &items[i]);
    assert_null(send_queue_pop(&queue));
}

static void the_item_in_flight_still_counts(void **state)
{
    struct send_queue queue;
    struct send_item item = {.size = 100};
    (void)state;

    send_queue_init(&queue);
    send_queue_push(&queue, &item);
    send_queue_pop(&queue);

    assert_int_equal(queue.bytes, 100);
    send_queue_done(&queue, 100);
    assert_int_equal(queue.bytes, 0);
}

static void who_was_stopped_is_told_once_at_the_low_mark(void **state)
{
    struct send_queue queue;
    struct send_item items[4] = {
        {.size = PIECE}, {.size = PIECE}, {.size = PIECE}, {.size = PIECE}};
    unsigned told = 0;
    (void)state;

    send_queue_init(&queue);
    for (int i = 0; i < 3; i++)
        assert_true(send_queue_push(&queue, &items[i]));
    assert_false(send_queue_push(&queue, &items[3]));
    for (int i = 0; i < 4; i++) {
        send_queue_pop(&queue);
        if (send_queue_done(&queue, PIECE)) {
            assert_true(queue.bytes <= RPC_SEND_QUEUE_BYTES_LOW);
            told++;
        }
    }

    assert_int_equal(told, 1);
}

static void pushing_says_stop_until_the_low_mark_is_reached(void **state)
{
    struct send_queue queue;
    struct send_item items[3] = {
        {.size = RPC_SEND_QUEUE_BYTES_LOW + 1}, {.size = RPC_SEND_QUEUE_BYTES_HIGH}, {.size = 0}};
    (void)state;

    send_queue_init(&queue);
    send_queue_push(&queue, &items[0]);
    assert_false(send_queue_push(&queue, &items[1]));
    send_queue_pop(&queue);
    assert_false(send_queue_done(&queue, items[0].size));

    assert_false(send_queue_push(&queue, &items[2]));
}

static void who_was_not_stopped_is_not_told(void **state)
{
    struct send_queue queue;
    struct send_item item = {.size = 10};
    (void)state;

    send_queue_init(&queue);
    send_queue_push(&queue, &item);
    send_queue_pop(&queue);

    assert_false(send_queue_done(&queue, 10));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_leave_in_the_order_of_their_coming),
        cmocka_unit_test(the_item_in_flight_still_counts),
        cmocka_unit_test(who_was_stopped_is_told_once_at_the_low_mark),
        cmocka_unit_test(pushing_says_stop_until_the_low_mark_is_reached),
        cmocka_unit_test(who_was_not_stopped_is_not_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
