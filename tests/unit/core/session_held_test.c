/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/session/held.h"

#include "common/base/mem.h"
#include "common/base/scope.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static struct instant at_ms(int64_t ms)
{
    return instant_after_ms((struct instant){.ns = 1}, ms);
}

static struct update update_of(uint64_t number, const char *name)
{
    struct update u = {.gvsn = {.number = number}};

    update_set_name(&u, span_of(name, strlen(name)));
    return u;
}

static void a_refused_update_has_a_name_once_it_is_offered_again(void **state)
{
    struct held held = {0};
    struct update u = update_of(7, "a\nb");
    int64_t ms;

    (void)state;
    held_offered(&held, &u);
    assert_null(held_longest(&held, at_ms(0), &ms));
    held_settled(&held, &u.gvsn, false, at_ms(1000));
    assert_null(held_longest(&held, at_ms(2000), &ms));
    held_offered(&held, &u);
    assert_string_equal(held_longest(&held, at_ms(4000), &ms), "a\\x0ab");
    assert_int_equal(ms, 3000);
    held_settled(&held, &u.gvsn, false, at_ms(5000));
    assert_non_null(held_longest(&held, at_ms(6000), &ms));
    assert_int_equal(ms, 5000);
    held_settled(&held, &u.gvsn, true, at_ms(7000));
    assert_null(held_longest(&held, at_ms(8000), &ms));
    held_clear(&held);
}

static void the_longest_wait_is_told_and_their_number_is_bounded(void **state)
{
    struct held held = {0};
    int64_t ms;

    (void)state;
    for (uint64_t i = 0; i < HELD_COUNT_MAX + 5; i++) {
        scope_free char *name = mem_format("n%d", (int)i);
        struct update u = update_of(100 + i, name);

        held_settled(&held, &u.gvsn, false, at_ms((int64_t)i));
        held_offered(&held, &u);
    }
    assert_int_equal(held.count, HELD_COUNT_MAX);
    assert_string_equal(held_longest(&held, at_ms(1000), &ms), "n0");
    held_settled(&held, &(struct gvsn){.number = 100}, true, at_ms(2000));
    assert_string_equal(held_longest(&held, at_ms(1000), &ms), "n1");
    held_clear(&held);
    assert_null(held_longest(&held, at_ms(1000), &ms));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_refused_update_has_a_name_once_it_is_offered_again),
        cmocka_unit_test(the_longest_wait_is_told_and_their_number_is_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
