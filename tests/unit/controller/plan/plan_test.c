/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/world.h"

#include "common/base/limits.h"
#include "common/base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

static bool has_principal(const struct plan_computer *c, const char *principal)
{
    for (size_t i = 0; i < c->principal_count; i++) {
        if (strcmp(c->principals[i], principal) == 0)
            return true;
    }
    return false;
}

static void a_pair_pulls_from_each_other(void **state)
{
    struct world w = {0};
    (void)state;

    world_pair(&w);
    struct plan *plan = world_plan(&w);
    const struct folder_assignment *f = world_share(plan, "fs1", "g/cad");
    struct guid in = world_id("g/fs2>fs1");
    struct guid out = world_id("g/fs1>fs2");
    struct guid partner = world_id("g/@fs2");
    struct guid member = world_id("g/@fs1");

    assert_int_equal(plan->computer_count, 2);
    assert_string_equal(world_planned(plan, "fs1")->assignment->computer_name, "fs1.corp.example");
    assert_non_null(f);
    assert_true(f->enabled);
    assert_string_equal(f->problem, "");
    assert_string_equal(f->root_path, "/srv/cad");
    assert_string_equal(f->group_name, "g");
    assert_string_equal(f->folder_name, "cad");
    assert_true(guid_equal(&f->member, &member));
    assert_int_equal(f->file_filter.pattern_count, 3);
    assert_int_equal(f->directory_filter.pattern_count, 0);
    assert_int_equal(f->inbound_count, 1);
    assert_true(guid_equal(&f->inbound[0].connection, &in));
    assert_true(guid_equal(&f->inbound[0].partner_member, &partner));
    assert_string_equal(f->inbound[0].partner_host, "fs2.corp.example");
    assert_int_equal(f->inbound[0].partner_port, AGENT_PORT_DEFAULT);
    assert_int_equal(f->outbound_count, 1);
    assert_true(guid_equal(&f->outbound[0].connection, &out));
    assert_string_equal(f->outbound[0].partner_host, "");
    plan_free(plan);
    world_fini(&w);
}

static void every_assignment_passes_the_agents_own_check(void **state)
{
    struct world w = {0};
    (void)state;

    world_pair(&w);
    world_computer(&w, "fs3");
    world_member(&w, "g", "fs3");
    world_subscription(&w, "g", "fs3", "cad");
    world_set(&w, "g/fs1/cad", "msDFSR-RootPath", "C:\\cad");
    world_set(&w, "fs2", "dNSHostName", NULL);
    world_set(&w, "g/fs3/cad", "msDFSR-Enabled", "FALSE");
    world_set(&w, "g/fs3/cad", "msDFSR-RootPath", NULL);
    struct plan *plan = world_plan(&w);

    assert_int_equal(plan->computer_count, 3);
    for (size_t i = 0; i < plan->computer_count; i++) {
        struct buf bytes = {0};
        struct assignment *read = NULL;
        char *problem = NULL;

        assignment_encode(plan->computers[i].assignment, &bytes);
        if (!assignment_decode(buf_span(&bytes), &read, &problem))
            fail_msg("refused: %s", problem);
        assert_int_equal(read->folder_count, 1);
        assignment_free(read);
        buf_fini(&bytes);
    }
    assert_non_null(strstr(world_share(plan, "fs1", "g/cad")->problem, "Windows path"));
    assert_non_null(strstr(world_share(plan, "fs2", "g/cad")->problem, "dNSHostName"));
    assert_false(world_share(plan, "fs3", "g/cad")->enabled);
    plan_free(plan);
    world_fini(&w);
}

static void a_partner_is_known_by_host_services_and_account(void **state)
{
    struct world w = {0};
    (void)state;

    world_pair(&w);
    world_also(&w, "fs2", "servicePrincipalName", "HOST/fs2.corp.example");
    world_also(&w, "fs2", "servicePrincipalName", "Host/FS2");
    world_also(&w, "fs2", "servicePrincipalName", "cifs/fs2.corp.example");
    world_also(&w, "fs2", "servicePrincipalName", "host/dc1@OTHER.EXAMPLE");
    struct plan *plan = world_plan(&w);
    const struct plan_computer *c = world_planned(plan, "fs2");
    const struct connection_assignment *in = world_share(plan, "fs1", "g/cad")->inbound;

    assert_int_equal(c->principal_count, 3);
    assert_true(has_principal(c, "host/fs2.corp.example@CORP.EXAMPLE"));
    assert_true(has_principal(c, "host/FS2@CORP.EXAMPLE"));
    assert_true(has_principal(c, "FS2$@CORP.EXAMPLE"));
    assert_int_equal(in[0].partner_principal_count, 3);
    assert_ptr_equal(plan_find(plan, "FS2$@CORP.EXAMPLE"), c);
    assert_null(plan_find(plan, "FS2$@OTHER.EXAMPLE"));
    plan_free(plan);
    world_fini(&w);
}

static void a_principal_of_two_computers_is_nobody(void **state)
{
    struct world w = {0};
    (void)state;

    world_pair(&w);
    world_also(&w, "fs2", "servicePrincipalName", "host/fs1.corp.example");
    struct plan *plan = world_plan(&w);

    assert_null(plan_find(plan, "host/fs1.corp.example@CORP.EXAMPLE"));
    assert_non_null(plan_find(plan, "FS1$@CORP.EXAMPLE"));
    plan_free(plan);
    world_fini(&w);
}

static void without_a_realm_principals_have_none(void **state)
{
    struct world w = {0};
    (void)state;

    world_pair(&w);
    struct topology *t = world_topology(&w);
    struct plan *plan = plan_make(t, &(struct plan_options){.realm = NULL});

    assert_true(has_principal(world_planned(plan, "fs1"), "host/fs1.corp.example"));
    plan_free(plan);
    topology_free(t);
    world_fini(&w);
}

static void the_schedule_is_the_connections_else_the_groups_else_always(void **state)
{
    struct world w = {0};
    uint8_t own[SCHEDULE_SIZE];
    uint8_t groups[SCHEDULE_SIZE];
    (void)state;

    memset(own, 0x11, sizeof(own));
    memset(groups, 0x22, sizeof(groups));
    world_pair(&w);
    struct plan *plan = world_plan(&w);
    assert_int_equal(world_share(plan, "fs1", "g/cad")->inbound[0].schedule.levels[0], 0xff);
    plan_free(plan);

    world_set_bytes(&w, "g", "msDFSR-Schedule", span_of(groups, sizeof(groups)));
    world_set_bytes(&w, "g/fs2>fs1", "msDFSR-Schedule", span_of(own, sizeof(own)));
    world_set(&w, "g/fs2>fs1", "msDFSR-Options", "1");
    plan = world_plan(&w);
    const struct folder_assignment *f = world_share(plan, "fs1", "g/cad");
    assert_int_equal(f->inbound[0].schedule.levels[0], 0x11);
    assert_true(f->inbound[0].schedule.local_time);
    assert_int_equal(f->outbound[0].schedule.levels[0], 0x22);
    assert_false(f->outbound[0].schedule.local_time);
    plan_free(plan);
    world_fini(&w);
}

static void a_read_only_member_only_receives(void **state)
{
    struct world w = {0};
    (void)state;

    world_pair(&w);
    world_set(&w, "g/fs2/cad", "msDFSR-ReadOnly", "TRUE");
    struct plan *plan = world_plan(&w);

    assert_true(world_share(plan, "fs2", "g/cad")->read_only);
    assert_int_equal(world_share(plan, "fs2", "g/cad")->inbound_count, 1);
    assert_int_equal(world_share(plan, "fs2", "g/cad")->outbound_count, 0);
    assert_int_equal(world_share(plan, "fs1", "g/cad")->inbound_count, 0);
    assert_int_equal(world_share(plan, "fs1", "g/cad")->outbound_count, 1);
    plan_free(plan);
    world_fini(&w);
}

static void a_paused_connection_is_shown_and_closed_at_both_ends(void **state)
{
    struct world w = {0};
    (void)state;

    world_pair(&w);
    world_set(&w, "g/fs2>fs1", "msDFSR-Enabled", "FALSE");
    struct plan *plan = world_plan(&w);

    assert_false(world_share(plan, "fs1", "g/cad")->inbound[0].enabled);
    assert_false(world_share(plan, "fs2", "g/cad")->outbound[0].enabled);
    assert_true(world_share(plan, "fs2", "g/cad")->inbound[0].enabled);
    plan_free(plan);
    world_fini(&w);
}

static void nobody_is_told_to_talk_to_a_held_back_partner(void **state)
{
    struct world w = {0};
    (void)state;

    world_pair(&w);
    world_set(&w, "g/fs2/cad", "msDFSR-RootPath", NULL);
    struct plan *plan = world_plan(&w);

    assert_int_equal(world_share(plan, "fs1", "g/cad")->inbound_count, 0);
    assert_int_equal(world_share(plan, "fs1", "g/cad")->outbound_count, 0);
    assert_int_equal(world_share(plan, "fs2", "g/cad")->inbound_count, 0);
    assert_string_equal(world_share(plan, "fs1", "g/cad")->problem, "");
    plan_free(plan);
    world_fini(&w);
}

static void a_computer_in_the_group_twice_gets_each_folder_once(void **state)
{
    struct world w = {0};
    (void)state;

    world_pair(&w);
    world_member(&w, "g", "fs3");
    world_set(&w, "g/@fs3", "msDFSR-ComputerReference", "CN=fs1,OU=Servers,DC=corp,DC=example");
    world_subscription(&w, "g", "fs1", "cad");
    world_set(&w, "g/fs1/cad", "msDFSR-ReplicationGroupGuid", NULL);
    struct guid second = world_id("second");
    world_set_bytes(&w, "g/fs1/cad", "objectGUID", span_of(second.bytes, GUID_SIZE));
    struct plan *plan = world_plan(&w);

    assert_int_equal(world_planned(plan, "fs1")->assignment->folder_count, 1);
    assert_string_equal(world_share(plan, "fs1", "g/cad")->problem, "");
    plan_free(plan);
    world_fini(&w);
}

static void a_member_may_listen_elsewhere(void **state)
{
    struct world w = {0};
    (void)state;

    world_pair(&w);
    world_set(&w, "g/@fs2", "msDFSR-Keywords", "coterie-port=7799");
    struct plan *plan = world_plan(&w);

    assert_int_equal(world_share(plan, "fs1", "g/cad")->inbound[0].partner_port, 7799);
    plan_free(plan);
    world_fini(&w);
}

static void sysvol_is_in_no_assignment(void **state)
{
    struct world w = {0};
    (void)state;

    world_pair(&w);
    world_set(&w, "g", "msDFSR-ReplicationGroupType", "1");
    struct plan *plan = world_plan(&w);

    assert_int_equal(world_planned(plan, "fs1")->assignment->folder_count, 0);
    plan_free(plan);
    world_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pair_pulls_from_each_other),
        cmocka_unit_test(every_assignment_passes_the_agents_own_check),
        cmocka_unit_test(a_partner_is_known_by_host_services_and_account),
        cmocka_unit_test(a_principal_of_two_computers_is_nobody),
        cmocka_unit_test(without_a_realm_principals_have_none),
        cmocka_unit_test(the_schedule_is_the_connections_else_the_groups_else_always),
        cmocka_unit_test(a_read_only_member_only_receives),
        cmocka_unit_test(a_paused_connection_is_shown_and_closed_at_both_ends),
        cmocka_unit_test(nobody_is_told_to_talk_to_a_held_back_partner),
        cmocka_unit_test(a_computer_in_the_group_twice_gets_each_folder_once),
        cmocka_unit_test(a_member_may_listen_elsewhere),
        cmocka_unit_test(sysvol_is_in_no_assignment),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
