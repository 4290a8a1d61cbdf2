/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

static const struct topology_connection *connection(const struct topology *t, const char *key)
{
    struct guid id = world_id(key);

    for (size_t i = 0; i < t->connection_count; i++) {
        if (guid_equal(&t->connections[i].object.id, &id))
            return &t->connections[i];
    }
    fail_msg("no connection %s", key);
    return NULL;
}

/* A third member of the pair's group, with the folder, not connected. */
static void third_member(struct world *w)
{
    world_pair(w);
    world_computer(w, "fs3");
    world_member(w, "g", "fs3");
    world_subscription(w, "g", "fs3", "cad");
}

static void connections_without_two_proper_ends_are_not_used(void **state)
{
    struct world w = {0};
    (void)state;

    world_pair(&w);
    world_group(&w, "other");
    world_computer(&w, "fs9");
    world_member(&w, "other", "fs9");
    world_connection(&w, "g", "fs1", "fs1");
    world_connection(&w, "g", "fs8", "fs1");
    world_connection(&w, "g", "fs9", "fs2");
    world_set(&w, "g/fs9>fs2", "fromServer",
              "CN=m-fs9,CN=Topology,CN=other,CN=DFSR-GlobalSettings,CN=System,DC=corp,DC=example");
    struct topology *t = world_topology(&w);

    assert_true(world_finds(t, &w, "g/fs1>fs1", SEVERITY_ERROR, "to itself"));
    assert_true(world_finds(t, &w, "g/fs8>fs1", SEVERITY_ERROR, "names no member"));
    assert_true(world_finds(t, &w, "g/fs9>fs2", SEVERITY_ERROR, "another group"));
    assert_non_null(connection(t, "g/fs1>fs1")->object.problem);
    assert_non_null(connection(t, "g/fs8>fs1")->object.problem);
    assert_non_null(connection(t, "g/fs9>fs2")->object.problem);
    assert_null(connection(t, "g/fs1>fs2")->object.problem);
    topology_free(t);
    world_fini(&w);
}

static void of_two_connections_between_the_same_ends_the_first_by_text_counts(void **state)
{
    struct world w = {0};
    /* raw bytes and text order these two differently: the text's first field is little-endian */
    static const uint8_t first_by_text[16] = {0x02, 0x01};
    static const uint8_t first_by_bytes[16] = {0x01, 0x02};
    (void)state;

    world_pair(&w);
    world_set_bytes(&w, "g/fs1>fs2", "objectGUID", span_of(first_by_bytes, 16));
    world_connection(&w, "g", "fs1", "fs2");
    world_set_bytes(&w, "g/fs1>fs2", "objectGUID", span_of(first_by_text, 16));
    struct topology *t = world_topology(&w);

    assert_int_equal(t->connection_count, 3);
    for (size_t i = 0; i < t->connection_count; i++) {
        const struct topology_object *o = &t->connections[i].object;

        if (memcmp(o->id.bytes, first_by_text, 16) == 0)
            assert_null(o->problem);
        if (memcmp(o->id.bytes, first_by_bytes, 16) == 0)
            assert_non_null(o->problem);
    }
    assert_int_equal(t->findings.count, 1);
    assert_int_equal(t->findings.items[0].severity, SEVERITY_WARNING);
    topology_free(t);
    world_fini(&w);
}

static void a_member_that_nobody_sends_to_is_reported(void **state)
{
    struct world w = {0};
    (void)state;

    third_member(&w);
    world_connection(&w, "g", "fs3", "fs1");
    struct topology *t = world_topology(&w);
    assert_true(world_finds(t, &w, "g/cad", SEVERITY_WARNING, "never reach"));
    topology_free(t);

    world_connection(&w, "g", "fs2", "fs3");
    t = world_topology(&w);
    assert_int_equal(t->findings.count, 0); /* a ring reaches everybody */
    topology_free(t);

    world_set(&w, "g/fs3>fs1", "msDFSR-Enabled", "FALSE");
    t = world_topology(&w);
    assert_true(world_finds(t, &w, "g/cad", SEVERITY_WARNING, "changes at fs3 never reach"));
    topology_free(t);
    world_fini(&w);
}

static void a_read_only_member_needs_nobody_behind_it(void **state)
{
    struct world w = {0};
    (void)state;

    third_member(&w);
    world_connection(&w, "g", "fs2", "fs3");
    world_set(&w, "g/fs3/cad", "msDFSR-ReadOnly", "TRUE");
    struct topology *t = world_topology(&w);
    assert_int_equal(t->findings.count, 0);
    topology_free(t);

    /* but it is no bridge */
    world_set(&w, "g/fs1>fs2", "msDFSR-Enabled", "FALSE");
    world_connection(&w, "g", "fs3", "fs2");
    world_connection(&w, "g", "fs1", "fs3");
    t = world_topology(&w);
    assert_true(world_finds(t, &w, "g/cad", SEVERITY_WARNING, "changes at fs1 never reach fs2"));
    topology_free(t);
    world_fini(&w);
}

static void a_connection_without_a_common_folder_is_reported(void **state)
{
    struct world w = {0};
    (void)state;

    world_pair(&w);
    world_set(&w, "g/fs2/cad", "msDFSR-Enabled", "FALSE");
    struct topology *t = world_topology(&w);

    assert_true(world_finds(t, &w, "g/fs1>fs2", SEVERITY_WARNING, "no working folder in common"));
    assert_true(world_finds(t, &w, "g/fs2>fs1", SEVERITY_WARNING, "no working folder in common"));
    topology_free(t);
    world_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connections_without_two_proper_ends_are_not_used),
        cmocka_unit_test(of_two_connections_between_the_same_ends_the_first_by_text_counts),
        cmocka_unit_test(a_member_that_nobody_sends_to_is_reported),
        cmocka_unit_test(a_read_only_member_needs_nobody_behind_it),
        cmocka_unit_test(a_connection_without_a_common_folder_is_reported),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
