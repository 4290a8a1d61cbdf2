/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/fleet/refusals.h"
#include "tests/unit/controller/fleet/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

static void tries_of_one_host_and_principal_are_one_row(void **state)
{
    struct refusals refusals = {0};
    (void)state;

    refusals_add(&refusals, "ipv4:192.0.2.1:1000", "", "no ticket", wire_moment(1));
    refusals_add(&refusals, "ipv4:192.0.2.1:1001", "", "clock skew", wire_moment(2));
    refusals_add(&refusals, "ipv6:[2001:db8::1]:1001", "host/x@R", "clock skew", wire_moment(3));

    assert_int_equal(refusals.count, 2);
    assert_string_equal(refusals.items[0].host, "192.0.2.1");
    assert_string_equal(refusals.items[0].text, "clock skew");
    assert_int_equal(refusals.items[0].count, 2);
    assert_int_equal(refusals.items[0].first.instant.ns, wire_moment(1).instant.ns);
    assert_string_equal(refusals.items[1].host, "[2001:db8::1]");
    refusals_fini(&refusals);
}

static void a_flood_is_bounded_and_the_oldest_gives_way(void **state)
{
    struct refusals refusals = {0};
    (void)state;

    for (int i = 0; i < (int)REFUSAL_COUNT_MAX + 10; i++) {
        char peer[32];

        snprintf(peer, sizeof(peer), "ipv4:10.0.0.%d:1", i);
        refusals_add(&refusals, peer, "", "no ticket", wire_moment(i));
    }

    assert_int_equal(refusals.count, REFUSAL_COUNT_MAX);
    for (size_t i = 0; i < refusals.count; i++)
        assert_true(refusals.items[i].last.instant.ns >= wire_moment(10).instant.ns);
    refusals_fini(&refusals);
}

static void what_does_not_happen_again_is_forgotten(void **state)
{
    struct refusals refusals = {0};
    (void)state;

    refusals_add(&refusals, "unix:", "", "a", wire_moment(0));
    refusals_add(&refusals, "ipv4:10.0.0.1:1", "", "b", wire_moment(1));
    refusals_expire(&refusals, wire_moment(REFUSAL_KEPT_MS).instant);
    assert_int_equal(refusals.count, 2);
    refusals_expire(&refusals, wire_moment(REFUSAL_KEPT_MS + 1).instant);

    assert_int_equal(refusals.count, 1);
    assert_string_equal(refusals.items[0].text, "b");
    refusals_fini(&refusals);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tries_of_one_host_and_principal_are_one_row),
        cmocka_unit_test(a_flood_is_bounded_and_the_oldest_gives_way),
        cmocka_unit_test(what_does_not_happen_again_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
