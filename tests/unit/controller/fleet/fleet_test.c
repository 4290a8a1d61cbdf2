/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/fleet/fleet.h"
#include "tests/unit/controller/fleet/wire.h"

#include "common/base/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static uint8_t digest_one[ASSIGNMENT_DIGEST_SIZE]; /* as wire_computer() fills them */
static uint8_t digest_two[ASSIGNMENT_DIGEST_SIZE];

static int stream_a, stream_b; /* only their addresses matter */

/* A fleet whose plan is one computer "a" with assignment 1, and the clock at 0. */
static struct fleet *fleet_of_a(void)
{
    struct fleet *fleet = fleet_new(NULL);
    struct fleet_computer *plan = wire_alloc(sizeof(*plan));

    *plan = wire_computer("a", 1);
    fleet_set_plan(fleet, plan, 1, wire_moment(0));
    return fleet;
}

static void plan_a(struct fleet *fleet, uint8_t digest, int64_t at_ms)
{
    struct fleet_computer *plan = wire_alloc(sizeof(*plan));

    *plan = wire_computer("a", digest);
    fleet_set_plan(fleet, plan, 1, wire_moment(at_ms));
}

static struct fleet_link *attach(struct fleet *fleet, const char *principal, void *stream,
                                 const uint8_t *digest)
{
    struct fleet_link *link =
        fleet_attach(fleet, principal, "ipv4:127.0.0.1:9", stream, wire_moment(1));

    fleet_message(fleet, link, wire_hello(digest), wire_moment(2));
    return link;
}

static void assert_next(struct fleet *fleet, enum fleet_action_kind kind, const void *stream)
{
    struct fleet_action action;

    assert_true(fleet_take_action(fleet, &action));
    assert_int_equal(action.kind, kind);
    assert_ptr_equal(action.stream, stream);
}

static void assert_quiet(struct fleet *fleet)
{
    struct fleet_action action;

    assert_false(fleet_take_action(fleet, &action));
}

static void an_agent_is_sent_its_assignment_when_its_digest_differs(void **state)
{
    struct fleet *fleet = fleet_of_a();
    (void)state;

    attach(fleet, "host/a@R", &stream_a, digest_two);

    struct fleet_action action;
    assert_true(fleet_take_action(fleet, &action));
    assert_int_equal(action.kind, FLEET_SEND_ASSIGNMENT);
    assert_ptr_equal(action.stream, &stream_a);
    assert_int_equal(action.assignment.size, 1);
    assert_quiet(fleet);
    assert_int_equal(fleet_agent_at(fleet, 0)->acceptance, FLEET_ACCEPTANCE_PENDING);
    fleet_free(fleet);
}

static void an_agent_that_has_its_assignment_is_left_alone(void **state)
{
    struct fleet *fleet = fleet_of_a();
    (void)state;

    attach(fleet, "HOST/A@r", &stream_a, digest_one);

    assert_quiet(fleet);
    assert_int_equal(fleet_agent_at(fleet, 0)->acceptance, FLEET_ACCEPTANCE_APPLIED);
    assert_int_equal(fleet_agent_at(fleet, 0)->presence, FLEET_ATTACHED);
    fleet_free(fleet);
}

static void before_the_first_plan_nobody_is_told_anything(void **state)
{
    struct fleet *fleet = fleet_new(NULL);
    (void)state;

    attach(fleet, "host/a@R", &stream_a, NULL);
    attach(fleet, "host/stranger@R", &stream_b, NULL);
    assert_quiet(fleet);
    plan_a(fleet, 1, 10);

    assert_next(fleet, FLEET_SEND_ASSIGNMENT, &stream_a);
    assert_next(fleet, FLEET_SEND_NONE, &stream_b);
    assert_quiet(fleet);
    fleet_free(fleet);
}

static void a_stranger_gets_the_reason_once_and_an_assignment_when_it_becomes_a_member(void **state)
{
    struct fleet *fleet = fleet_of_a();
    struct fleet_action action;
    (void)state;

    attach(fleet, "host/b@R", &stream_b, NULL);
    assert_true(fleet_take_action(fleet, &action));
    assert_int_equal(action.kind, FLEET_SEND_NONE);
    assert_non_null(strstr(action.text, "host/b@R"));
    assert_int_equal(fleet_stranger_count(fleet), 1);
    plan_a(fleet, 2, 10);
    assert_quiet(fleet);

    struct fleet_computer plan[] = {wire_computer("a", 1), wire_computer("b", 2)};
    fleet_set_plan(fleet, plan, 2, wire_moment(20));

    assert_next(fleet, FLEET_SEND_ASSIGNMENT, &stream_b);
    assert_quiet(fleet);
    assert_int_equal(fleet_stranger_count(fleet), 0);
    assert_string_equal(fleet_agent_at(fleet, 1)->version, "0.1.0");
    fleet_free(fleet);
}

static void an_agent_whose_assignment_cannot_be_made_keeps_the_one_it_has(void **state)
{
    struct fleet *fleet = fleet_of_a();
    struct fleet_computer broken = wire_computer("a", 1);
    (void)state;

    attach(fleet, "host/a@R", &stream_a, digest_one);
    broken.assignment = NULL;
    fleet_set_plan(fleet, &broken, 1, wire_moment(10));
    assert_quiet(fleet);
    plan_a(fleet, 1, 20);

    assert_quiet(fleet);
    assert_int_equal(fleet_agent_at(fleet, 0)->acceptance, FLEET_ACCEPTANCE_APPLIED);
    fleet_free(fleet);
}

static void a_principal_of_two_computers_means_neither(void **state)
{
    struct fleet *fleet = fleet_new(NULL);
    struct fleet_computer plan[] = {wire_computer("a", 1), wire_computer("b", 2)};
    (void)state;

    plan[1].principals = plan[0].principals;
    fleet_set_plan(fleet, plan, 2, wire_moment(0));
    attach(fleet, "host/a@R", &stream_a, NULL);

    assert_next(fleet, FLEET_SEND_NONE, &stream_a);
    assert_quiet(fleet);
    fleet_free(fleet);
}

static void a_member_that_leaves_the_directory_is_told_so(void **state)
{
    struct fleet *fleet = fleet_of_a();
    (void)state;

    attach(fleet, "host/a@R", &stream_a, digest_one);
    fleet_set_plan(fleet, NULL, 0, wire_moment(10));

    assert_next(fleet, FLEET_SEND_NONE, &stream_a);
    assert_int_equal(fleet_agent_count(fleet), 0);
    assert_int_equal(fleet_stranger_count(fleet), 1);
    fleet_free(fleet);
}

static void only_the_last_of_many_plans_is_sent(void **state)
{
    struct fleet *fleet = fleet_of_a();
    (void)state;

    attach(fleet, "host/a@R", &stream_a, digest_one);
    for (uint8_t i = 2; i < 9; i++)
        plan_a(fleet, i, i);

    assert_next(fleet, FLEET_SEND_ASSIGNMENT, &stream_a);
    assert_quiet(fleet);
    fleet_free(fleet);
}

static void a_refused_assignment_is_recorded_and_not_sent_again(void **state)
{
    struct fleet *fleet = fleet_of_a();
    struct fleet_link *link = attach(fleet, "host/a@R", &stream_a, NULL);
    (void)state;

    assert_next(fleet, FLEET_SEND_ASSIGNMENT, &stream_a);
    fleet_message(fleet, link, wire_result(digest_one, "path /etc is not allowed"), wire_moment(3));
    plan_a(fleet, 1, 10);

    assert_quiet(fleet);
    assert_int_equal(fleet_agent_at(fleet, 0)->acceptance, FLEET_ACCEPTANCE_REFUSED);
    assert_string_equal(fleet_agent_at(fleet, 0)->problem, "path /etc is not allowed");

    plan_a(fleet, 2, 20);
    assert_next(fleet, FLEET_SEND_ASSIGNMENT, &stream_a);
    assert_int_equal(fleet_agent_at(fleet, 0)->acceptance, FLEET_ACCEPTANCE_PENDING);
    assert_string_equal(fleet_agent_at(fleet, 0)->problem, "");
    fleet_free(fleet);
}

static void an_answer_to_an_older_assignment_counts_for_nothing(void **state)
{
    struct fleet *fleet = fleet_of_a();
    struct fleet_link *link = attach(fleet, "host/a@R", &stream_a, NULL);
    (void)state;

    assert_next(fleet, FLEET_SEND_ASSIGNMENT, &stream_a);
    plan_a(fleet, 2, 10);
    assert_next(fleet, FLEET_SEND_ASSIGNMENT, &stream_a);
    fleet_message(fleet, link, wire_result(digest_one, ""), wire_moment(11));
    assert_int_equal(fleet_agent_at(fleet, 0)->acceptance, FLEET_ACCEPTANCE_PENDING);

    fleet_message(fleet, link, wire_result(digest_two, ""), wire_moment(12));
    assert_int_equal(fleet_agent_at(fleet, 0)->acceptance, FLEET_ACCEPTANCE_APPLIED);
    fleet_free(fleet);
}

static void the_newest_stream_of_a_computer_replaces_the_older(void **state)
{
    struct fleet *fleet = fleet_of_a();
    struct fleet_link *old = attach(fleet, "host/a@R", &stream_a, digest_one);
    (void)state;

    attach(fleet, "host/a@R", &stream_b, digest_one);
    fleet_message(fleet, old, wire_report_message(wire_report()), wire_moment(5));

    assert_next(fleet, FLEET_END_REPLACED, &stream_a);
    assert_quiet(fleet);
    assert_int_equal(fleet_agent_at(fleet, 0)->presence, FLEET_ATTACHED);
    assert_null(fleet_agent_at(fleet, 0)->report);
    fleet_free(fleet);
}

static void a_stream_that_ends_before_its_end_was_sent_is_forgotten(void **state)
{
    struct fleet *fleet = fleet_of_a();
    struct fleet_link *old = attach(fleet, "host/a@R", &stream_a, digest_one);
    (void)state;

    attach(fleet, "host/a@R", &stream_b, digest_one);
    fleet_detach(fleet, old, wire_moment(6));

    assert_quiet(fleet);
    assert_int_equal(fleet_agent_at(fleet, 0)->presence, FLEET_ATTACHED);
    fleet_free(fleet);
}

static void a_stream_that_breaks_the_protocol_is_ended_and_nothing_else(void **state)
{
    struct fleet *fleet = fleet_of_a();
    struct fleet_link *link;
    (void)state;

    link = fleet_attach(fleet, "host/a@R", "x", &stream_a, wire_moment(1));
    fleet_message(fleet, link, wire_report_message(wire_report()), wire_moment(2));
    assert_next(fleet, FLEET_END_BAD, &stream_a);

    link = attach(fleet, "host/a@R", &stream_a, digest_one);
    fleet_message(fleet, link, wire_hello(digest_one), wire_moment(3));
    assert_next(fleet, FLEET_END_BAD, &stream_a);

    link = attach(fleet, "host/a@R", &stream_a, digest_one);
    Coterie__V1__Report *bad = wire_report();
    wire_add_folder(bad, wire_folder(1));
    bad->folders[0]->folder_guid.len = 3;
    fleet_message(fleet, link, wire_report_message(bad), wire_moment(4));
    assert_next(fleet, FLEET_END_BAD, &stream_a);

    assert_quiet(fleet);
    assert_int_equal(fleet_agent_at(fleet, 0)->presence, FLEET_DETACHED);
    fleet_free(fleet);
}

static void an_agent_that_never_says_hello_is_ended_in_time(void **state)
{
    struct fleet *fleet = fleet_of_a();
    (void)state;

    fleet_attach(fleet, "host/a@R", "x", &stream_a, wire_moment(0));
    fleet_tick(fleet, wire_moment(HELLO_WAIT_MS));
    assert_quiet(fleet);
    fleet_tick(fleet, wire_moment(HELLO_WAIT_MS + 1));

    assert_next(fleet, FLEET_END_BAD, &stream_a);
    assert_quiet(fleet);
    fleet_free(fleet);
}

static void a_report_stays_with_its_computer_through_plans_and_grows_stale(void **state)
{
    struct fleet *fleet = fleet_of_a();
    struct fleet_link *link = attach(fleet, "host/a@R", &stream_a, digest_one);
    (void)state;

    fleet_message(fleet, link, wire_report_message(wire_report()), wire_moment(100));
    struct fleet_computer plan[] = {wire_computer("0", 3), wire_computer("A", 4)};
    fleet_set_plan(fleet, plan, 2, wire_moment(200));
    const struct fleet_agent *agent = fleet_agent_at(fleet, 1);

    assert_non_null(agent->report);
    assert_true(fleet_agent_is_fresh(agent, wire_moment(100 + REPORT_FRESH_MS).instant));
    assert_false(fleet_agent_is_fresh(agent, wire_moment(101 + REPORT_FRESH_MS).instant));
    assert_false(fleet_agent_is_fresh(fleet_agent_at(fleet, 0), wire_moment(100).instant));
    fleet_free(fleet);
}

static void a_report_outlives_its_stream_only_for_a_moment(void **state)
{
    struct fleet *fleet = fleet_of_a();
    struct fleet_link *link = attach(fleet, "host/a@R", &stream_a, digest_one);
    (void)state;

    fleet_message(fleet, link, wire_report_message(wire_report()), wire_moment(100));
    fleet_detach(fleet, link, wire_moment(200));
    const struct fleet_agent *agent = fleet_agent_at(fleet, 0);

    assert_int_equal(agent->presence, FLEET_DETACHED);
    assert_true(fleet_agent_is_fresh(agent, wire_moment(200 + DETACHED_FRESH_MS).instant));
    assert_false(fleet_agent_is_fresh(agent, wire_moment(201 + DETACHED_FRESH_MS).instant));
    fleet_free(fleet);
}

static void strangers_are_remembered_up_to_a_limit_and_forgotten_after_a_while(void **state)
{
    struct fleet *fleet = fleet_of_a();
    struct fleet_action action;
    struct fleet_link *first = NULL;
    (void)state;

    for (unsigned i = 0; i < STRANGER_COUNT_MAX; i++) {
        char principal[32];

        snprintf(principal, sizeof(principal), "host/s%u@R", i);
        struct fleet_link *link = fleet_attach(fleet, principal, "x", &stream_a, wire_moment(i));
        first = first ? first : link;
    }
    fleet_attach(fleet, "host/one-too-many@R", "x", &stream_b, wire_moment(999));
    assert_next(fleet, FLEET_END_FULL, &stream_b);

    fleet_detach(fleet, first, wire_moment(1000));
    fleet_attach(fleet, "host/fits@R", "x", &stream_b, wire_moment(1001));
    assert_false(fleet_take_action(fleet, &action));
    assert_int_equal(fleet_stranger_count(fleet), STRANGER_COUNT_MAX);
    assert_string_equal(fleet_stranger_at(fleet, STRANGER_COUNT_MAX - 1)->principal, "host/fits@R");
    fleet_free(fleet);

    fleet = fleet_of_a();
    first = attach(fleet, "host/b@R", &stream_b, NULL);
    assert_next(fleet, FLEET_SEND_NONE, &stream_b);
    fleet_detach(fleet, first, wire_moment(1000));
    fleet_tick(fleet, wire_moment(1000 + STRANGER_KEPT_MS));
    assert_int_equal(fleet_stranger_count(fleet), 1);
    fleet_tick(fleet, wire_moment(1001 + STRANGER_KEPT_MS));
    assert_int_equal(fleet_stranger_count(fleet), 0);
    fleet_free(fleet);
}

static int teardown(void **state)
{
    (void)state;
    wire_reset();
    return 0;
}

#define TEST(name) cmocka_unit_test_teardown(name, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_agent_is_sent_its_assignment_when_its_digest_differs),
        TEST(an_agent_that_has_its_assignment_is_left_alone),
        TEST(before_the_first_plan_nobody_is_told_anything),
        TEST(a_stranger_gets_the_reason_once_and_an_assignment_when_it_becomes_a_member),
        TEST(an_agent_whose_assignment_cannot_be_made_keeps_the_one_it_has),
        TEST(a_principal_of_two_computers_means_neither),
        TEST(a_member_that_leaves_the_directory_is_told_so),
        TEST(only_the_last_of_many_plans_is_sent),
        TEST(a_refused_assignment_is_recorded_and_not_sent_again),
        TEST(an_answer_to_an_older_assignment_counts_for_nothing),
        TEST(the_newest_stream_of_a_computer_replaces_the_older),
        TEST(a_stream_that_ends_before_its_end_was_sent_is_forgotten),
        TEST(a_stream_that_breaks_the_protocol_is_ended_and_nothing_else),
        TEST(an_agent_that_never_says_hello_is_ended_in_time),
        TEST(a_report_stays_with_its_computer_through_plans_and_grows_stale),
        TEST(a_report_outlives_its_stream_only_for_a_moment),
        TEST(strangers_are_remembered_up_to_a_limit_and_forgotten_after_a_while),
    };
    memset(digest_one, 1, sizeof(digest_one));
    memset(digest_two, 2, sizeof(digest_two));
    log_start("fleet-test", LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
