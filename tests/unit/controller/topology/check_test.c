/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

static void a_healthy_pair_has_no_findings(void **state)
{
    struct world w = {0};
    (void)state;

    world_pair(&w);
    struct topology *t = world_topology(&w);

    assert_int_equal(t->findings.count, 0);
    assert_true(topology_subscription_live(t, 0) && topology_subscription_live(t, 1));
    topology_free(t);
    world_fini(&w);
}

static void an_empty_directory_is_worth_a_warning(void **state)
{
    struct world w = {0};
    (void)state;

    struct topology *t = world_topology(&w);

    assert_int_equal(t->findings.count, 1);
    assert_int_equal(t->findings.items[0].severity, SEVERITY_WARNING);
    topology_free(t);
}

static void sysvol_is_noted_and_left_alone(void **state)
{
    struct world w = {0};
    (void)state;

    world_pair(&w);
    world_set(&w, "g", "msDFSR-ReplicationGroupType", "1");
    world_set(&w, "g/fs1/cad", "msDFSR-RootPath", "C:\\Windows\\SYSVOL\\domain");
    struct topology *t = world_topology(&w);

    assert_int_equal(t->findings.count, 1);
    assert_true(world_finds(t, &w, "g", SEVERITY_NOTE, "planned separately"));
    assert_false(topology_subscription_live(t, 0));
    topology_free(t);
    world_fini(&w);
}

static void computers_nobody_could_reach_are_held_back(void **state)
{
    struct world w = {0};
    (void)state;

    world_pair(&w);
    world_set(&w, "fs1", "dNSHostName", NULL);
    world_set(&w, "fs2", "dNSHostName", "fs2/evil");
    struct topology *t = world_topology(&w);

    assert_true(world_finds(t, &w, "fs1", SEVERITY_ERROR, "no dNSHostName"));
    assert_true(world_finds(t, &w, "fs2", SEVERITY_ERROR, "not a host name"));
    assert_false(topology_subscription_live(t, 0) || topology_subscription_live(t, 1));
    topology_free(t);
    world_fini(&w);
}

static void a_disabled_account_is_held_back(void **state)
{
    struct world w = {0};
    (void)state;

    world_pair(&w);
    world_set(&w, "fs1", "userAccountControl", "4098");
    struct topology *t = world_topology(&w);

    assert_true(world_finds(t, &w, "fs1", SEVERITY_ERROR, "disabled"));
    assert_int_equal(topology_subscription_live(t, 0) + topology_subscription_live(t, 1), 1);
    topology_free(t);
    world_fini(&w);
}

static void of_two_computers_with_one_name_only_one_is_believed(void **state)
{
    struct world w = {0};
    (void)state;

    world_pair(&w);
    world_set(&w, "fs2", "dNSHostName", "FS1.corp.example");
    struct topology *t = world_topology(&w);

    assert_int_equal(topology_subscription_live(t, 0) + topology_subscription_live(t, 1), 1);
    assert_true(world_finds(t, &w, "fs1", SEVERITY_ERROR, "same dNSHostName") ||
                world_finds(t, &w, "fs2", SEVERITY_ERROR, "same dNSHostName"));
    topology_free(t);
    world_fini(&w);
}

static void a_member_without_computer_or_subscription_is_reported(void **state)
{
    struct world w = {0};
    (void)state;

    world_pair(&w);
    world_computer(&w, "fs3");
    world_member(&w, "g", "fs3");
    world_member(&w, "g", "fs4");
    struct topology *t = world_topology(&w);

    assert_true(world_finds(t, &w, "g/@fs3", SEVERITY_WARNING, "subscribes to none"));
    assert_true(world_finds(t, &w, "g/@fs4", SEVERITY_ERROR, "cannot be read"));
    assert_true(topology_subscription_live(t, 0) && topology_subscription_live(t, 1));
    topology_free(t);
    world_fini(&w);
}

static void two_primary_members_are_none(void **state)
{
    struct world w = {0};
    (void)state;

    world_pair(&w);
    world_set(&w, "g/fs1/cad", "msDFSR-Options", "1");
    struct topology *one = world_topology(&w);
    world_set(&w, "g/fs2/cad", "msDFSR-Options", "3");
    struct topology *two = world_topology(&w);

    assert_int_equal(one->subscriptions[0].primary + one->subscriptions[1].primary, 1);
    assert_int_equal(one->findings.count, 0);
    assert_int_equal(two->subscriptions[0].primary + two->subscriptions[1].primary, 0);
    assert_true(world_finds(two, &w, "g/fs1/cad", SEVERITY_ERROR, "2 subscriptions"));
    assert_true(world_finds(two, &w, "g/fs2/cad", SEVERITY_ERROR, "2 subscriptions"));
    topology_free(one);
    topology_free(two);
    world_fini(&w);
}

static void read_only_and_primary_is_read_only(void **state)
{
    struct world w = {0};
    (void)state;

    world_pair(&w);
    world_set(&w, "g/fs1/cad", "msDFSR-Options", "1");
    world_set(&w, "g/fs1/cad", "msDFSR-ReadOnly", "TRUE");
    struct topology *t = world_topology(&w);

    assert_int_equal(t->subscriptions[0].primary + t->subscriptions[1].primary, 0);
    assert_int_equal(t->subscriptions[0].read_only + t->subscriptions[1].read_only, 1);
    assert_true(world_finds(t, &w, "g/fs1/cad", SEVERITY_WARNING, "both primary and read-only"));
    topology_free(t);
    world_fini(&w);
}

static void a_filter_beyond_the_limits_holds_its_folder_back(void **state)
{
    struct world w = {0};
    char pattern[2000];
    (void)state;

    memset(pattern, 'x', sizeof(pattern) - 1);
    pattern[sizeof(pattern) - 1] = '\0';
    world_pair(&w);
    world_set(&w, "g/cad", "msDFSR-FileFilter", pattern);
    struct topology *t = world_topology(&w);

    assert_true(world_finds(t, &w, "g/cad", SEVERITY_ERROR, "msDFSR-FileFilter"));
    assert_false(topology_subscription_live(t, 0));
    topology_free(t);
    world_fini(&w);
}

static void findings_come_worst_first(void **state)
{
    struct world w = {0};
    (void)state;

    world_pair(&w);
    world_group(&w, "sysvol");
    world_set(&w, "sysvol", "msDFSR-ReplicationGroupType", "1");
    world_set(&w, "g/fs1/cad", "msDFSR-RootPath", "relative");
    struct topology *t = world_topology(&w);

    assert_true(t->findings.count >= 3);
    for (size_t i = 1; i < t->findings.count; i++)
        assert_true(t->findings.items[i - 1].severity <= t->findings.items[i].severity);
    assert_int_equal(t->findings.items[0].severity, SEVERITY_ERROR);
    topology_free(t);
    world_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_healthy_pair_has_no_findings),
        cmocka_unit_test(an_empty_directory_is_worth_a_warning),
        cmocka_unit_test(sysvol_is_noted_and_left_alone),
        cmocka_unit_test(computers_nobody_could_reach_are_held_back),
        cmocka_unit_test(a_disabled_account_is_held_back),
        cmocka_unit_test(of_two_computers_with_one_name_only_one_is_believed),
        cmocka_unit_test(a_member_without_computer_or_subscription_is_reported),
        cmocka_unit_test(two_primary_members_are_none),
        cmocka_unit_test(read_only_and_primary_is_read_only),
        cmocka_unit_test(a_filter_beyond_the_limits_holds_its_folder_back),
        cmocka_unit_test(findings_come_worst_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
