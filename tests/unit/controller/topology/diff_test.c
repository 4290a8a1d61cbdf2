/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/world.h"

#include "controller/topology/diff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

static void nothing_differs_from_itself(void **state)
{
    struct world w = {0};
    (void)state;

    world_pair(&w);
    struct topology *a = world_topology(&w);
    struct topology *b = world_topology(&w);
    struct changes changes = topology_diff(a, b);

    assert_int_equal(changes.count, 0);
    changes_fini(&changes);
    topology_free(a);
    topology_free(b);
    world_fini(&w);
}

static void all_is_added_to_nothing(void **state)
{
    struct world w = {0};
    (void)state;

    world_pair(&w);
    struct topology *t = world_topology(&w);
    struct changes changes = topology_diff(NULL, t);

    assert_int_equal(changes.count, 1 + 1 + 2 + 2 + 2 + 2);
    assert_string_equal(changes.items[0].what, "group");
    assert_string_equal(changes.items[0].name, "g");
    for (size_t i = 0; i < changes.count; i++)
        assert_int_equal(changes.items[i].kind, CHANGE_ADDED);
    changes_fini(&changes);
    topology_free(t);
    world_fini(&w);
}

static void each_altered_value_is_named(void **state)
{
    struct world w = {0};
    (void)state;

    world_pair(&w);
    struct topology *before = world_topology(&w);
    world_set(&w, "g/fs1>fs2", "msDFSR-Enabled", "FALSE");
    world_set(&w, "g/fs1>fs2", "msDFSR-RdcEnabled", "FALSE");
    struct topology *after = world_topology(&w);
    struct changes changes = topology_diff(before, after);

    assert_int_equal(changes.count, 1);
    assert_int_equal(changes.items[0].kind, CHANGE_ALTERED);
    assert_string_equal(changes.items[0].what, "connection");
    assert_string_equal(changes.items[0].detail, "enabled: true -> false, rdc: true -> false");
    changes_fini(&changes);
    topology_free(before);
    topology_free(after);
    world_fini(&w);
}

static void a_renamed_object_stays_the_same_object(void **state)
{
    struct world w = {0};
    struct world renamed = {0};
    (void)state;

    world_group(&w, "g");
    world_group(&renamed, "h");
    struct guid id = world_id("g");
    world_set_bytes(&renamed, "h", "objectGUID", span_of(id.bytes, GUID_SIZE));
    struct topology *before = world_topology(&w);
    struct topology *after = world_topology(&renamed);
    struct changes changes = topology_diff(before, after);

    assert_int_equal(changes.count, 1);
    assert_int_equal(changes.items[0].kind, CHANGE_ALTERED);
    assert_non_null(strstr(changes.items[0].detail, "name: CN=g,"));
    changes_fini(&changes);
    topology_free(before);
    topology_free(after);
    world_fini(&w);
    world_fini(&renamed);
}

static void a_removed_connection_is_one_change(void **state)
{
    struct world w = {0};
    (void)state;

    world_pair(&w);
    struct topology *before = world_topology(&w);
    world_set(&w, "g/fs1>fs2", "objectClass", NULL);
    struct topology *after = world_topology(&w);
    struct changes changes = topology_diff(before, after);

    assert_int_equal(changes.count, 1);
    assert_int_equal(changes.items[0].kind, CHANGE_REMOVED);
    struct guid id = world_id("g/fs1>fs2");
    assert_true(guid_equal(&changes.items[0].id, &id));
    changes_fini(&changes);
    topology_free(before);
    topology_free(after);
    world_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_differs_from_itself),
        cmocka_unit_test(all_is_added_to_nothing),
        cmocka_unit_test(each_altered_value_is_named),
        cmocka_unit_test(a_renamed_object_stays_the_same_object),
        cmocka_unit_test(a_removed_connection_is_one_change),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
