/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/session/sequence.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void all_messages_in_order_are_taken(void **state)
{
    struct sequence sender;
    struct sequence receiver;

    (void)state;
    sequence_begin(&sender, UINT32_MAX - 1); /* goes round at 32 bits */
    sequence_begin(&receiver, UINT32_MAX - 1);

    for (unsigned i = 0; i < 5; i++) {
        assert_null(sequence_take(&receiver, sequence_next(&sender)));
        assert_null(sequence_take(&sender, sequence_next(&receiver)));
    }
}

static void what_is_not_the_next_message_is_noticed(void **state)
{
    struct sequence lost = {0};
    struct sequence doubled = {0};
    struct sequence swapped = {0};
    struct sequence foreign = {0};

    (void)state;
    sequence_begin(&lost, 7);
    sequence_begin(&doubled, 7);
    sequence_begin(&swapped, 7);
    sequence_begin(&foreign, 7);

    assert_null(sequence_take(&lost, 8));
    assert_non_null(sequence_take(&lost, 10));
    assert_null(sequence_take(&doubled, 8));
    assert_non_null(sequence_take(&doubled, 8));
    assert_non_null(sequence_take(&swapped, 9));
    assert_non_null(sequence_take(&foreign, 70008));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_messages_in_order_are_taken),
        cmocka_unit_test(what_is_not_the_next_message_is_noticed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
