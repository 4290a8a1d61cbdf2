/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/world.h"

#include "common/base/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

static struct topology *read_world(const struct world *w)
{
    return topology_read(&w->entries, NULL);
}

static void a_pair_is_linked_by_attributes_not_by_names(void **state)
{
    struct world w = {0};
    (void)state;

    world_pair(&w);
    struct topology *t = read_world(&w);

    assert_int_equal(t->group_count, 1);
    assert_int_equal(t->folder_count, 1);
    assert_int_equal(t->computer_count, 2);
    assert_int_equal(t->member_count, 2);
    assert_int_equal(t->connection_count, 2);
    assert_int_equal(t->subscription_count, 2);
    assert_int_equal(t->findings.count, 0);
    for (size_t i = 0; i < 2; i++) {
        const struct topology_connection *c = &t->connections[i];
        const struct topology_subscription *s = &t->subscriptions[i];

        assert_int_equal(c->sender + c->receiver, 1);
        assert_true(t->members[i].computer < 2);
        assert_int_equal(s->folder, 0);
        assert_true(s->member < 2);
        assert_string_equal(s->root_path, "/srv/cad");
    }
    assert_int_not_equal(t->connections[0].sender, t->connections[1].sender);
    assert_int_not_equal(t->members[0].computer, t->members[1].computer);
    topology_free(t);
    world_fini(&w);
}

static void absent_attributes_have_their_documented_meaning(void **state)
{
    struct world w = {0};
    (void)state;

    world_pair(&w);
    world_set(&w, "g/fs1>fs2", "msDFSR-Enabled", NULL);
    world_set(&w, "g/fs2>fs1", "msDFSR-Enabled", NULL);
    world_set(&w, "g/fs1/cad", "msDFSR-Enabled", NULL);
    world_set(&w, "g/fs2/cad", "msDFSR-Enabled", NULL);
    struct topology *t = read_world(&w);

    assert_true(t->connections[0].enabled && t->connections[0].rdc_enabled);
    assert_int_equal(t->connections[0].rdc_size_min, 65536);
    assert_false(t->connections[0].has_schedule);
    assert_false(t->subscriptions[0].enabled);
    assert_false(t->subscriptions[0].read_only);
    assert_false(t->subscriptions[0].primary);
    assert_int_equal(t->subscriptions[0].staging_bytes_max, UINT64_C(4096) << 20);
    assert_int_equal(t->subscriptions[0].preserve_bytes_max, UINT64_C(4096) << 20);
    assert_string_equal(t->folders[0].file_filter, "~*, *.bak, *.tmp");
    assert_string_equal(t->folders[0].directory_filter, "");
    assert_int_equal(t->groups[0].tombstone_life_min, 86400);
    assert_int_equal(t->members[0].port, AGENT_PORT_DEFAULT);
    assert_int_equal(t->findings.count, 0);
    topology_free(t);
    world_fini(&w);
}

static void malformed_values_fall_to_the_safe_side_with_a_finding(void **state)
{
    struct world w = {0};
    (void)state;

    world_pair(&w);
    world_set(&w, "g/fs1>fs2", "msDFSR-Enabled", "yes");
    world_set(&w, "g/fs1/cad", "msDFSR-ReadOnly", "maybe");
    world_set(&w, "g/fs1/cad", "msDFSR-StagingSizeInMb", "lots");
    world_set(&w, "g/fs2/cad", "msDFSR-StagingSizeInMb", "1");
    world_set(&w, "g/fs2/cad", "msDFSR-ConflictSizeInMb", "99999999999999999999");
    world_set(&w, "g", "msDFSR-TombstoneExpiryInMin", "0");
    world_set(&w, "g/@fs1", "msDFSR-Keywords", "coterie-port=80000");
    struct topology *t = read_world(&w);

    assert_true(world_finds(t, &w, "g/fs1>fs2", SEVERITY_WARNING, "taken as FALSE"));
    assert_true(world_finds(t, &w, "g/fs1/cad", SEVERITY_WARNING, "msDFSR-ReadOnly"));
    assert_true(world_finds(t, &w, "g/fs1/cad", SEVERITY_WARNING, "taken as 4096"));
    assert_true(world_finds(t, &w, "g/fs2/cad", SEVERITY_WARNING, "taken as 10"));
    assert_true(world_finds(t, &w, "g/fs2/cad", SEVERITY_WARNING, "msDFSR-ConflictSizeInMb"));
    assert_true(world_finds(t, &w, "g", SEVERITY_WARNING, "msDFSR-TombstoneExpiryInMin"));
    assert_true(world_finds(t, &w, "g/@fs1", SEVERITY_WARNING, "port"));
    assert_int_equal(t->findings.count, 7);
    unsigned read_only_count = 0;
    unsigned enabled_count = 0;
    for (size_t i = 0; i < 2; i++) {
        read_only_count += t->subscriptions[i].read_only;
        enabled_count += t->connections[i].enabled;
    }
    assert_int_equal(read_only_count, 1);
    assert_int_equal(enabled_count, 1);
    topology_free(t);
    world_fini(&w);
}

static void words_in_keywords_set_port_and_case(void **state)
{
    struct world w = {0};
    (void)state;

    world_pair(&w);
    world_set(&w, "g/@fs1", "msDFSR-Keywords", "rack 7; Coterie-Port=7999, backup");
    world_set(&w, "g/@fs2", "msDFSR-Keywords", "not-coterie-port=7999");
    world_set(&w, "g/cad", "msDFSR-Extension", "coterie-case-insensitive");
    struct topology *t = read_world(&w);

    assert_int_equal(t->members[0].port + t->members[1].port, 7999 + AGENT_PORT_DEFAULT);
    assert_true(t->folders[0].case_insensitive);
    topology_free(t);
    world_fini(&w);
}

static void a_malformed_schedule_closes_only_its_own_connection(void **state)
{
    struct world w = {0};
    (void)state;

    world_pair(&w);
    world_set(&w, "g/fs1>fs2", "msDFSR-Schedule", "short");
    struct topology *t = read_world(&w);

    assert_true(world_finds(t, &w, "g/fs1>fs2", SEVERITY_ERROR, "5 bytes instead of 336"));
    struct guid id = world_id("g/fs1>fs2");
    for (size_t i = 0; i < 2; i++) {
        const struct topology_connection *c = &t->connections[i];

        if (guid_equal(&c->object.id, &id)) {
            assert_true(c->has_schedule);
            assert_int_equal(schedule_level_at(&c->schedule, (struct walltime){0}), 0);
        } else {
            assert_false(c->has_schedule);
        }
    }
    topology_free(t);
    world_fini(&w);
}

static void the_last_good_schedule_outlives_a_malformed_one(void **state)
{
    struct world w = {0};
    uint8_t nights[SCHEDULE_SIZE] = {0xf0};
    (void)state;

    world_pair(&w);
    world_set_bytes(&w, "g/fs1>fs2", "msDFSR-Schedule", span_of(nights, sizeof(nights)));
    world_set_bytes(&w, "g", "msDFSR-Schedule", span_of(nights, sizeof(nights)));
    struct topology *good = read_world(&w);
    world_set(&w, "g/fs1>fs2", "msDFSR-Schedule", "short");
    world_set(&w, "g", "msDFSR-Schedule", "short");
    struct topology *bad = topology_read(&w.entries, good);
    struct topology *still_bad = topology_read(&w.entries, bad);

    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(still_bad->connections[i].has_schedule, good->connections[i].has_schedule);
        assert_memory_equal(still_bad->connections[i].schedule.levels,
                            good->connections[i].schedule.levels, SCHEDULE_SIZE);
    }
    assert_memory_equal(still_bad->groups[0].schedule.levels, nights, SCHEDULE_SIZE);
    assert_true(world_finds(still_bad, &w, "g", SEVERITY_ERROR, "last good"));
    topology_free(good);
    topology_free(bad);
    topology_free(still_bad);
    world_fini(&w);
}

static void objects_that_belong_nowhere_are_left_out_and_reported(void **state)
{
    struct world w = {0};
    (void)state;

    world_pair(&w);
    world_connection(&w, "gone", "fs1", "fs2");
    world_folder(&w, "gone", "office");
    world_set(&w, "g/s-fs2", "msDFSR-MemberReference", "CN=nobody,DC=corp,DC=example");
    world_set(&w, "g/fs1/cad", "msDFSR-ContentSetGuid", "short");
    struct topology *t = read_world(&w);

    assert_int_equal(t->connection_count, 2);
    assert_int_equal(t->folder_count, 1);
    assert_int_equal(t->subscription_count, 0);
    assert_true(world_finds(t, &w, "gone/fs1>fs2", SEVERITY_ERROR, "beneath no member"));
    assert_true(world_finds(t, &w, "gone/office", SEVERITY_ERROR, "belongs to no group"));
    assert_true(world_finds(t, &w, "g/s-fs2", SEVERITY_ERROR, "names no member"));
    assert_true(world_finds(t, &w, "g/fs1/cad", SEVERITY_ERROR, "msDFSR-ContentSetGuid"));
    topology_free(t);
    world_fini(&w);
}

static void a_subscriber_cannot_speak_for_another_computer(void **state)
{
    struct world w = {0};
    (void)state;

    world_pair(&w);
    world_set(&w, "g/s-fs2", "msDFSR-MemberReference",
              "CN=m-fs1,CN=Topology,CN=g,CN=DFSR-GlobalSettings,CN=System,DC=corp,DC=example");
    struct topology *t = read_world(&w);

    assert_int_equal(t->subscription_count, 1);
    assert_true(world_finds(t, &w, "g/s-fs2", SEVERITY_ERROR, "another computer"));
    topology_free(t);
    world_fini(&w);
}

static void an_object_without_identity_is_reported_not_guessed(void **state)
{
    struct world w = {0};
    (void)state;

    world_pair(&w);
    world_set(&w, "g/cad", "objectGUID", NULL);
    struct topology *t = read_world(&w);

    assert_int_equal(t->folder_count, 0);
    assert_int_equal(t->findings.count, 3); /* the folder, and two subscriptions of it */
    topology_free(t);
    world_fini(&w);
}

static void of_two_objects_with_one_identity_the_same_one_always_counts(void **state)
{
    struct world w = {0};
    (void)state;

    world_group(&w, "a");
    world_group(&w, "b");
    struct guid id = world_id("a");
    world_set_bytes(&w, "b", "objectGUID", span_of(id.bytes, GUID_SIZE));
    struct topology *t = read_world(&w);
    struct ad_entry first = w.entries.items[0];
    w.entries.items[0] = w.entries.items[1];
    w.entries.items[1] = first;
    struct topology *swapped = read_world(&w);

    assert_int_equal(t->group_count, 1);
    assert_string_equal(t->groups[0].object.name, "a");
    assert_string_equal(swapped->groups[0].object.name, "a");
    assert_int_equal(t->findings.count, 1);
    topology_free(t);
    topology_free(swapped);
    world_fini(&w);
}

static void names_from_the_directory_are_safe_to_print(void **state)
{
    struct world w = {0};
    char long_name[400];
    (void)state;

    memset(long_name, 'x', sizeof(long_name) - 1);
    long_name[sizeof(long_name) - 1] = '\0';
    world_group(&w, long_name);
    world_group(&w, "a\\1b[2J\\2c b");
    struct topology *t = read_world(&w);

    assert_int_equal(t->group_count, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_true(strlen(t->groups[i].object.name) <= OBJECT_NAME_SIZE_MAX);
        assert_null(strchr(t->groups[i].object.name, '\x1b'));
    }
    topology_free(t);
    world_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pair_is_linked_by_attributes_not_by_names),
        cmocka_unit_test(absent_attributes_have_their_documented_meaning),
        cmocka_unit_test(malformed_values_fall_to_the_safe_side_with_a_finding),
        cmocka_unit_test(words_in_keywords_set_port_and_case),
        cmocka_unit_test(a_malformed_schedule_closes_only_its_own_connection),
        cmocka_unit_test(the_last_good_schedule_outlives_a_malformed_one),
        cmocka_unit_test(objects_that_belong_nowhere_are_left_out_and_reported),
        cmocka_unit_test(a_subscriber_cannot_speak_for_another_computer),
        cmocka_unit_test(an_object_without_identity_is_reported_not_guessed),
        cmocka_unit_test(of_two_objects_with_one_identity_the_same_one_always_counts),
        cmocka_unit_test(names_from_the_directory_are_safe_to_print),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
