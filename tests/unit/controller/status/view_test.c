/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/controller/status/scene.h"

#include "common/base/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

static struct scene scene;

static int setup(void **state)
{
    (void)state;
    scene_begin(&scene);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    scene_end(&scene);
    return 0;
}

static void assert_connection(uint8_t id, enum connection_state state, enum health health)
{
    const struct view_connection *connection = scene_connection(&scene, id);

    assert_non_null(connection);
    assert_string_equal(connection_state_name(connection->state), connection_state_name(state));
    assert_string_equal(health_name(connection->health), health_name(health));
}

static void equal_vectors_and_fresh_reports_are_in_sync(void **state)
{
    (void)state;

    scene_look(&scene);

    assert_connection(SCENE_TO_FS1, CONNECTION_IN_SYNC, HEALTH_OK);
    assert_connection(SCENE_TO_FS2, CONNECTION_IN_SYNC, HEALTH_OK);
    assert_int_equal(scene.view->health, HEALTH_OK);
    assert_int_equal(scene.view->finding_count, 0);
    assert_int_equal(scene.view->counts.connections_in_sync, 2);
    assert_string_equal(scene.view->summary, "1 folder on 2 agents, all 2 connections in sync");
}

static void a_receiver_that_lacks_a_change_is_behind_whatever_it_says(void **state)
{
    Coterie__V1__Report *sender = scene_report(1, 13, 10);
    (void)state;

    sender->folders[0]->connections[1]->backlog_files = 3;
    scene_say(&scene, 1, sender);
    scene_look(&scene);

    assert_connection(SCENE_TO_FS2, CONNECTION_BEHIND, HEALTH_BUSY);
    assert_connection(SCENE_TO_FS1, CONNECTION_IN_SYNC, HEALTH_OK);
    assert_string_equal(scene_connection(&scene, SCENE_TO_FS2)->reason, "3 changes to go");
    assert_int_equal(scene.view->counts.backlog_files, 3);
    assert_int_equal(scene.view->health, HEALTH_BUSY);
    assert_int_equal(scene.view->finding_count, 0);
}

static void one_old_report_makes_both_directions_unknown(void **state)
{
    (void)state;

    scene_at(&scene, 100000 + REPORT_FRESH_MS + 1);
    scene_say(&scene, 1, scene_report(1, 10, 10));
    scene_look(&scene);

    assert_connection(SCENE_TO_FS1, CONNECTION_UNKNOWN, HEALTH_UNKNOWN);
    assert_connection(SCENE_TO_FS2, CONNECTION_UNKNOWN, HEALTH_UNKNOWN);
    assert_false(scene_connection(&scene, SCENE_TO_FS1)->backlog_known);
    assert_non_null(scene_finding(&scene, "agent-silent"));
    assert_string_equal(scene_finding(&scene, "agent-silent")->object, "fs2");
    assert_int_equal(scene.view->health, HEALTH_DEGRADED);
}

static void an_agent_that_went_away_is_named_with_a_remedy(void **state)
{
    (void)state;

    fleet_detach(scene.fleet, scene.link2, scene.sources.now);
    scene_look(&scene);
    assert_int_equal(scene.view->finding_count, 0);
    scene_at(&scene, 100000 + DETACHED_FRESH_MS + 1);
    scene_look(&scene);

    const struct status_finding *finding = scene_finding(&scene, "agent-detached");
    assert_non_null(finding);
    assert_int_equal(finding->severity, SEVERITY_ERROR);
    assert_string_equal(finding->object, "fs2");
    assert_true(strlen(finding->remedy) > 0);
    assert_connection(SCENE_TO_FS1, CONNECTION_UNKNOWN, HEALTH_UNKNOWN);
}

static void a_closed_schedule_is_no_fault_but_no_sync_either(void **state)
{
    struct schedule closed = {.local_time = false};
    (void)state;

    scene.fs2->inbound->schedule = closed;
    scene_plan(&scene);
    scene_look(&scene);
    assert_connection(SCENE_TO_FS2, CONNECTION_IN_SYNC, HEALTH_OK);
    scene_say(&scene, 1, scene_report(1, 11, 10));
    scene_look(&scene);

    assert_connection(SCENE_TO_FS2, CONNECTION_CLOSED, HEALTH_BUSY);
    assert_true(scene_connection(&scene, SCENE_TO_FS2)->schedule_known);
    assert_false(scene_connection(&scene, SCENE_TO_FS2)->schedule_open);
    assert_int_equal(scene.view->finding_count, 0);
}

static void a_schedule_in_the_receivers_zone_is_told_by_the_receiver(void **state)
{
    Coterie__V1__Report *report = scene_report(2, 10, 10);
    (void)state;

    scene.fs2->inbound->schedule.local_time = true;
    scene_plan(&scene);
    report->folders[0]->connections[0]->state = wire_text("closed-by-schedule");
    scene_say(&scene, 2, report);
    scene_say(&scene, 1, scene_report(1, 11, 10));
    scene_look(&scene);

    assert_connection(SCENE_TO_FS2, CONNECTION_CLOSED, HEALTH_BUSY);
}

static void a_link_that_fails_with_changes_to_go_is_interrupted(void **state)
{
    Coterie__V1__Report *report = scene_report(2, 10, 10);
    Coterie__V1__Problem *problem = wire_problem("fs1:7722", "connection refused", "start it");
    (void)state;

    report->folders[0]->connections[0]->health = COTERIE__V1__HEALTH__HEALTH_DEGRADED;
    report->folders[0]->connections[0]->problems = &problem;
    report->folders[0]->connections[0]->n_problems = 1;
    scene_say(&scene, 2, report);
    scene_say(&scene, 1, scene_report(1, 11, 10));
    scene_look(&scene);

    assert_connection(SCENE_TO_FS2, CONNECTION_INTERRUPTED, HEALTH_DEGRADED);
    assert_string_equal(scene_connection(&scene, SCENE_TO_FS2)->reason, "connection refused");
    const struct status_finding *finding = scene_finding(&scene, "connection-problem");
    assert_string_equal(finding->object, "docs from fs1 to fs2: fs1:7722");
    assert_string_equal(finding->remedy, "start it");
}

static void a_link_that_fails_with_nothing_to_go_is_in_sync_but_degraded(void **state)
{
    Coterie__V1__Report *report = scene_report(2, 10, 10);
    (void)state;

    report->folders[0]->connections[0]->health = COTERIE__V1__HEALTH__HEALTH_DEGRADED;
    report->folders[0]->connections[0]->state = wire_text("refused");
    scene_say(&scene, 2, report);
    scene_look(&scene);

    assert_connection(SCENE_TO_FS2, CONNECTION_IN_SYNC, HEALTH_DEGRADED);
    assert_string_equal(scene_connection(&scene, SCENE_TO_FS2)->reason, "fs1 is refused");
    assert_non_null(scene_finding(&scene, "connection-interrupted"));
}

static void a_sender_that_still_scans_proves_nothing(void **state)
{
    Coterie__V1__Report *report = scene_report(1, 10, 10);
    (void)state;

    report->folders[0]->state = wire_text("scanning");
    report->folders[0]->health = COTERIE__V1__HEALTH__HEALTH_BUSY;
    scene_say(&scene, 1, report);
    scene_look(&scene);

    assert_connection(SCENE_TO_FS2, CONNECTION_BEHIND, HEALTH_BUSY);
}

static void a_folder_held_back_holds_its_connections_and_says_why(void **state)
{
    (void)state;

    scene.fs1->problem = wire_text("no root path: set msDFSR-RootPath");
    scene_plan(&scene);
    scene_look(&scene);

    assert_connection(SCENE_TO_FS2, CONNECTION_HELD, HEALTH_STOPPED);
    assert_connection(SCENE_TO_FS1, CONNECTION_HELD, HEALTH_STOPPED);
    assert_string_equal(scene_connection(&scene, SCENE_TO_FS2)->reason,
                        "fs1: no root path: set msDFSR-RootPath");
    assert_int_equal(scene.view->health, HEALTH_STOPPED);
}

static void disabled_connections_and_members_are_left_out_of_the_counts(void **state)
{
    (void)state;

    scene.fs2->inbound->enabled = false;
    scene_plan(&scene);
    scene_look(&scene);
    assert_connection(SCENE_TO_FS2, CONNECTION_DISABLED, HEALTH_OK);
    assert_int_equal(scene.view->counts.connections, 1);

    scene.fs1->enabled = false;
    scene_plan(&scene);
    scene_look(&scene);
    assert_int_equal(scene.view->counts.connections, 0);
    assert_int_equal(scene.view->health, HEALTH_OK);
}

static void a_sender_without_subscription_is_named(void **state)
{
    (void)state;

    scene.fs1 = NULL;
    scene_plan(&scene);
    scene_look(&scene);

    assert_connection(SCENE_TO_FS2, CONNECTION_HELD, HEALTH_DEGRADED);
    assert_string_equal(scene_connection(&scene, SCENE_TO_FS2)->reason,
                        "fs1 has no subscription to this folder");
}

static void a_missing_agent_is_a_finding_only_after_a_while(void **state)
{
    struct fleet_computer plan = wire_computer("fs3", 3);
    (void)state;

    fleet_set_plan(scene.fleet, &plan, 1, scene.sources.now);
    scene_at(&scene, ATTACH_GRACE_MS);
    scene_look(&scene);
    assert_null(scene_finding(&scene, "agent-missing"));
    scene_at(&scene, ATTACH_GRACE_MS + 1);
    scene_look(&scene);

    assert_string_equal(scene_finding(&scene, "agent-missing")->object, "fs3");
}

static void an_agent_without_member_is_a_finding_that_names_it(void **state)
{
    struct fleet_link *link =
        fleet_attach(scene.fleet, "host/spy@R", "ipv4:127.0.0.9:1", NULL, scene.sources.now);
    (void)state;

    fleet_message(scene.fleet, link, wire_hello(NULL), scene.sources.now);
    scene_look(&scene);

    const struct status_finding *finding = scene_finding(&scene, "agent-without-member");
    assert_string_equal(finding->object, "host/spy@R");
    assert_non_null(strstr(finding->cause, "directory has no member"));
    assert_int_equal(scene.view->health, HEALTH_DEGRADED);
}

static void a_refused_assignment_is_a_finding_with_the_agents_reason(void **state)
{
    struct fleet_action action;
    uint8_t digest[ASSIGNMENT_DIGEST_SIZE];
    (void)state;

    /* fs1 attaches anew with nothing, is sent its assignment, and refuses it */
    struct fleet_link *link = fleet_attach(scene.fleet, "host/fs1@R", "x", NULL, scene.sources.now);
    fleet_message(scene.fleet, link, wire_hello(NULL), scene.sources.now);
    while (fleet_take_action(scene.fleet, &action))
        ;
    memset(digest, 1, sizeof(digest));
    fleet_message(scene.fleet, link, wire_result(digest, "/etc is no allowed root"),
                  scene.sources.now);
    scene_look(&scene);

    assert_string_equal(scene_finding(&scene, "assignment-refused")->cause,
                        "/etc is no allowed root");
}

static void an_unread_directory_is_unknown_and_an_empty_one_is_well(void **state)
{
    struct fleet *fleet = fleet_new(NULL);
    struct view_sources sources = scene.sources;
    (void)state;

    sources.fleet = fleet;
    sources.directory.state = DIRECTORY_NEVER_READ;
    struct view *view = view_new(&sources);
    assert_int_equal(view->health, HEALTH_UNKNOWN);
    assert_string_equal(view->summary, "the directory has not been read yet");
    view_free(view);

    sources.directory.problem = "connection refused";
    view = view_new(&sources);
    assert_int_equal(view->health, HEALTH_DEGRADED);
    assert_string_equal(view->findings[0].code, "directory-unreachable");
    assert_int_equal(view->findings[0].severity, SEVERITY_ERROR);
    view_free(view);

    fleet_set_plan(fleet, NULL, 0, sources.now);
    sources.directory = scene.sources.directory;
    view = view_new(&sources);
    assert_int_equal(view->health, HEALTH_OK);
    assert_non_null(strstr(view->summary, "no replication groups"));
    view_free(view);
    fleet_free(fleet);
}

static void the_worst_findings_come_first(void **state)
{
    const struct status_finding given[] = {
        {.severity = SEVERITY_NOTE, .code = "a", .object = "o", .cause = "c", .remedy = "r"},
        {.severity = SEVERITY_ERROR, .code = "z", .object = "o", .cause = "c", .remedy = "r"},
        {.severity = SEVERITY_WARNING, .code = "b", .object = "o", .cause = "c", .remedy = "r"},
    };
    (void)state;

    scene.sources.findings = given;
    scene.sources.finding_count = 3;
    scene_look(&scene);

    assert_string_equal(scene.view->findings[0].code, "z");
    assert_string_equal(scene.view->findings[1].code, "b");
    assert_string_equal(scene.view->findings[2].code, "a");
    assert_string_equal(scene.view->summary, "1 error, 1 warning; 2 of 2 connections in sync");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(equal_vectors_and_fresh_reports_are_in_sync),
        TEST(a_receiver_that_lacks_a_change_is_behind_whatever_it_says),
        TEST(one_old_report_makes_both_directions_unknown),
        TEST(an_agent_that_went_away_is_named_with_a_remedy),
        TEST(a_closed_schedule_is_no_fault_but_no_sync_either),
        TEST(a_schedule_in_the_receivers_zone_is_told_by_the_receiver),
        TEST(a_link_that_fails_with_changes_to_go_is_interrupted),
        TEST(a_link_that_fails_with_nothing_to_go_is_in_sync_but_degraded),
        TEST(a_sender_that_still_scans_proves_nothing),
        TEST(a_folder_held_back_holds_its_connections_and_says_why),
        TEST(disabled_connections_and_members_are_left_out_of_the_counts),
        TEST(a_sender_without_subscription_is_named),
        TEST(a_missing_agent_is_a_finding_only_after_a_while),
        TEST(an_agent_without_member_is_a_finding_that_names_it),
        TEST(a_refused_assignment_is_a_finding_with_the_agents_reason),
        TEST(an_unread_directory_is_unknown_and_an_empty_one_is_well),
        TEST(the_worst_findings_come_first),
    };
    log_start("view-test", LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
