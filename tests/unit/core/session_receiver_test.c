/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/session/receiver.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static const struct guid SENDER = {.bytes = {1}};

static struct gvsn version(uint64_t number)
{
    return (struct gvsn){.database = SENDER, .number = number};
}

/* A receiver and what its last step asked for. */
struct fixture {
    struct receiver *receiver;
    struct vector sender;    /* holds 10 … 10000 */
    struct vector forgotten; /* what of that it says it has forgotten */
    struct receiver_actions did;
    int64_t now_ms;
};

static int set_up(void **state)
{
    static struct fixture f;

    f = (struct fixture){.receiver = receiver_new()};
    vector_add_interval(&f.sender, &SENDER, (struct interval){.low = 9, .high = 10000});
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    receiver_free(f->receiver);
    vector_fini(&f->sender);
    vector_fini(&f->forgotten);
    return 0;
}

static void step(struct fixture *f, struct receiver_event event)
{
    event.now = instant_after_ms((struct instant){0}, f->now_ms);
    receiver_step(f->receiver, &event, &f->did);
}

static void opened(struct fixture *f)
{
    step(f, (struct receiver_event){.kind = RECEIVER_EVENT_OPENED});
}

static void round_start(struct fixture *f, uint32_t round)
{
    step(f, (struct receiver_event){
                .kind = RECEIVER_EVENT_ROUND_START, .round = round, .vector = &f->sender, .forgotten = &f->forgotten});
}

static void update(struct fixture *f, uint64_t number)
{
    step(f, (struct receiver_event){.kind = RECEIVER_EVENT_UPDATE, .gvsn = version(number)});
}

static void round_done(struct fixture *f, uint32_t round, bool complete)
{
    step(f, (struct receiver_event){
                .kind = RECEIVER_EVENT_ROUND_DONE, .round = round, .complete = complete});
}

static void settled(struct fixture *f, uint64_t number, bool done)
{
    step(f, (struct receiver_event){
                .kind = RECEIVER_EVENT_SETTLED, .gvsn = version(number), .done = done});
}

static void a_session_begins_with_our_vector_and_all_credits(void **state)
{
    struct fixture *f = *state;

    opened(f);

    assert_int_equal(receiver_state(f->receiver), RECEIVER_WAITING);
    assert_true(f->did.send_want);
    assert_true(f->did.start_round);
    assert_int_equal(f->did.credit, SESSION_CREDIT_COUNT);
}

static void the_senders_vector_is_joined_after_all_was_settled(void **state)
{
    struct fixture *f = *state;

    opened(f);
    round_start(f, 1);
    update(f, 10);
    assert_true(f->did.deliver);
    update(f, 11);
    settled(f, 10, true);
    assert_false(f->did.join);
    round_done(f, 1, true);
    assert_false(f->did.join);
    assert_int_equal(receiver_state(f->receiver), RECEIVER_SETTLING);
    settled(f, 11, true);

    assert_true(f->did.join);
    assert_true(vector_equal(receiver_sender_vector(f->receiver), &f->sender));
    assert_false(f->did.send_want);
    step(f, (struct receiver_event){.kind = RECEIVER_EVENT_JOINED});
    assert_int_equal(receiver_state(f->receiver), RECEIVER_WAITING);
    assert_true(f->did.send_want && f->did.start_round);
}

static void an_incomplete_round_joins_nothing_and_asks_again(void **state)
{
    struct fixture *f = *state;

    opened(f);
    round_start(f, 1);
    update(f, 10);
    settled(f, 10, true);
    round_done(f, 1, false);

    assert_false(f->did.join);
    assert_true(f->did.send_want && f->did.start_round);
    assert_int_equal(receiver_state(f->receiver), RECEIVER_WAITING);
}

static void an_incomplete_round_that_brought_nothing_pauses(void **state)
{
    struct fixture *f = *state;

    opened(f);
    round_start(f, 1);
    round_done(f, 1, false);

    assert_int_equal(receiver_state(f->receiver), RECEIVER_PAUSED);
    assert_false(f->did.send_want);
}

static void an_unsettled_update_pauses_and_joins_nothing(void **state)
{
    struct fixture *f = *state;
    struct instant when;

    opened(f);
    round_start(f, 1);
    update(f, 10);
    round_done(f, 1, true);
    settled(f, 10, false);

    assert_int_equal(receiver_state(f->receiver), RECEIVER_PAUSED);
    assert_false(f->did.join);
    assert_true(f->did.round_failed);
    assert_false(f->did.send_want);
    assert_true(receiver_deadline(f->receiver, &when));
    assert_int_equal(when.ns, SESSION_RETRY_MS_FIRST * NS_PER_MS);

    f->now_ms = SESSION_RETRY_MS_FIRST;
    step(f, (struct receiver_event){.kind = RECEIVER_EVENT_TICK});
    assert_int_equal(receiver_state(f->receiver), RECEIVER_WAITING);
    assert_true(f->did.send_want && f->did.start_round);
}

/* Fails one round from WAITING, ticks, and returns the pause in ms. */
static int64_t fail_round(struct fixture *f, uint32_t round, bool with_progress)
{
    struct instant when;

    round_start(f, round);
    update(f, 10);
    update(f, 11);
    settled(f, 10, false);
    settled(f, 11, with_progress);
    round_done(f, round, true);
    assert_true(receiver_deadline(f->receiver, &when));
    int64_t pause_ms = when.ns / NS_PER_MS - f->now_ms;
    f->now_ms += pause_ms;
    step(f, (struct receiver_event){.kind = RECEIVER_EVENT_TICK});
    return pause_ms;
}

static void pauses_double_to_a_bound_and_progress_resets_them(void **state)
{
    struct fixture *f = *state;
    int64_t expected_ms = SESSION_RETRY_MS_FIRST;
    uint32_t round = 0;

    opened(f);
    for (int i = 0; i < 12; i++) {
        assert_int_equal(fail_round(f, ++round, false), expected_ms);
        expected_ms = expected_ms * 2 < SESSION_RETRY_MS_MAX ? expected_ms * 2
                                                             : SESSION_RETRY_MS_MAX;
    }
    assert_int_equal(fail_round(f, ++round, true), SESSION_RETRY_MS_FIRST);
}

static void a_tick_before_the_deadline_changes_nothing(void **state)
{
    struct fixture *f = *state;

    opened(f);
    round_start(f, 1);
    update(f, 10);
    round_done(f, 1, true);
    settled(f, 10, false);
    f->now_ms = SESSION_RETRY_MS_FIRST - 1;
    step(f, (struct receiver_event){.kind = RECEIVER_EVENT_TICK});

    assert_int_equal(receiver_state(f->receiver), RECEIVER_PAUSED);
    assert_false(f->did.send_want);
}

static void a_grown_vector_is_told_while_waiting_only(void **state)
{
    struct fixture *f = *state;

    opened(f);
    step(f, (struct receiver_event){.kind = RECEIVER_EVENT_VECTOR_GREW});
    assert_true(f->did.send_want);
    assert_false(f->did.start_round);

    round_start(f, 1);
    step(f, (struct receiver_event){.kind = RECEIVER_EVENT_VECTOR_GREW});
    assert_false(f->did.send_want);
}

static void a_repeat_is_not_handed_on_and_its_credit_comes_back(void **state)
{
    struct fixture *f = *state;
    uint32_t given = SESSION_CREDIT_COUNT;

    opened(f);
    round_start(f, 1);
    update(f, 10);
    for (uint32_t i = 1; i < given; i++) {
        update(f, 10);
        assert_false(f->did.deliver);
        assert_null(f->did.fail);
    }
    assert_int_equal(receiver_unsettled_count(f->receiver), 1);
    settled(f, 10, true);
    round_done(f, 1, true);
    assert_true(f->did.join);
}

static void credits_in_use_never_exceed_the_window(void **state)
{
    struct fixture *f = *state;
    uint32_t in_hand = 0;
    uint32_t sent = 0;
    uint32_t done = 0;

    opened(f);
    in_hand = f->did.credit;
    round_start(f, 1);
    while (sent < 9000) {
        if (in_hand > 0 && sent - done < SESSION_CREDIT_COUNT) {
            update(f, 10 + sent++);
            in_hand--;
        } else {
            settled(f, 10 + done++, true);
        }
        in_hand += f->did.credit;
        assert_null(f->did.fail);
        assert_true(in_hand + receiver_unsettled_count(f->receiver) <= SESSION_CREDIT_COUNT);
    }
}

static void used_up_credits_release_what_waits(void **state)
{
    struct fixture *f = *state;

    opened(f);
    round_start(f, 1);
    for (uint64_t i = 0; i < SESSION_CREDIT_COUNT; i++) {
        assert_false(f->did.no_more);
        update(f, 10 + i);
    }
    assert_true(f->did.no_more);
    update(f, 9000);
    assert_non_null(f->did.fail);
}

static void in_sync_compares_both_vectors_and_never_guesses(void **state)
{
    struct fixture *f = *state;
    struct vector nothing = {0};

    assert_false(receiver_in_sync(f->receiver, &nothing));
    opened(f);
    assert_false(receiver_in_sync(f->receiver, &nothing));
    round_start(f, 1);
    assert_false(receiver_in_sync(f->receiver, &f->sender));
    round_done(f, 1, true);
    assert_false(receiver_in_sync(f->receiver, &f->sender));
    step(f, (struct receiver_event){.kind = RECEIVER_EVENT_JOINED});
    assert_true(receiver_in_sync(f->receiver, &f->sender));
    assert_false(receiver_in_sync(f->receiver, &nothing));
}

static void messages_out_of_order_end_the_session(void **state)
{
    struct fixture *f = *state;

    for (int violation = 0; violation < 9; violation++) {
        receiver_free(f->receiver);
        f->receiver = receiver_new();
        if (violation > 0)
            opened(f);
        if (violation >= 4)
            round_start(f, 1);
        switch (violation) {
        case 0:
            round_start(f, 1);
            break;
        case 1:
            opened(f);
            break;
        case 2:
            round_start(f, 2);
            break;
        case 3:
            update(f, 10);
            break;
        case 4:
            update(f, 10001); /* outside the vector */
            break;
        case 5:
            round_start(f, 2);
            break;
        case 6:
            round_done(f, 2, true);
            break;
        case 7:
            round_done(f, 1, false);
            round_done(f, 1, false);
            break;
        case 8:
            update(f, 10);
            round_done(f, 1, true);
            update(f, 11);
            break;
        }
        assert_non_null(f->did.fail);
        assert_int_equal(receiver_state(f->receiver), RECEIVER_FAILED);
        opened(f);
        assert_false(f->did.send_want);
        assert_null(f->did.fail);
    }
}

static void a_round_with_something_forgotten_lists_before_it_joins(void **state)
{
    struct fixture *f = *state;

    vector_add_interval(&f->forgotten, &SENDER, (struct interval){9, 10});
    opened(f);
    round_start(f, 1);
    round_done(f, 1, true);
    assert_true(f->did.list && f->did.first && !f->did.join);
    assert_int_equal(receiver_state(f->receiver), RECEIVER_LISTING);
    step(f, (struct receiver_event){.kind = RECEIVER_EVENT_LISTED});
    assert_true(f->did.list && !f->did.first && !f->did.join);
    step(f, (struct receiver_event){.kind = RECEIVER_EVENT_LISTED, .is_last = true});
    assert_true(f->did.join && receiver_may_join(f->receiver));
    assert_true(vector_equal(receiver_forgotten(f->receiver), &f->forgotten));
    step(f, (struct receiver_event){.kind = RECEIVER_EVENT_JOINED});
    assert_int_equal(receiver_state(f->receiver), RECEIVER_WAITING);
}

static void a_round_that_was_not_all_done_lists_and_does_not_join(void **state)
{
    struct fixture *f = *state;

    vector_add_interval(&f->forgotten, &SENDER, (struct interval){9, 10});
    opened(f);
    round_start(f, 1);
    update(f, 10);
    round_done(f, 1, true);
    step(f, (struct receiver_event){.kind = RECEIVER_EVENT_SETTLED, .gvsn = version(10)});
    assert_true(f->did.list);
    step(f, (struct receiver_event){.kind = RECEIVER_EVENT_LISTED, .is_last = true});
    assert_true(f->did.join);
    assert_false(receiver_may_join(f->receiver));
    step(f, (struct receiver_event){.kind = RECEIVER_EVENT_NOT_JOINED});
    assert_true(f->did.round_failed);
    assert_int_equal(receiver_state(f->receiver), RECEIVER_PAUSED);
}

static void a_list_that_was_not_asked_for_ends_the_session(void **state)
{
    struct fixture *f = *state;

    opened(f);
    step(f, (struct receiver_event){.kind = RECEIVER_EVENT_LISTED, .is_last = true});
    assert_non_null(f->did.fail);
}

/* A round with one update that can not be settled, up to its end, and a new one asked for. */
static void round_of_one_that_waits(struct fixture *f, uint32_t round, bool complete)
{
    round_start(f, round);
    update(f, 10);
    round_done(f, round, complete);
}

static void give_back_and_retry(struct fixture *f)
{
    settled(f, 10, false);
    f->now_ms += SESSION_RETRY_MS_MAX;
    step(f, (struct receiver_event){.kind = RECEIVER_EVENT_TICK});
    assert_true(f->did.start_round);
}

static void what_waits_in_rounds_for_long_waits_in_vain(void **state)
{
    struct fixture *f = *state;
    uint32_t round = 1;

    opened(f);
    for (; f->now_ms < SESSION_STANDOFF_MS; round++) {
        round_of_one_that_waits(f, round, true);
        assert_true(f->did.no_more);
        assert_false(f->did.in_vain);
        give_back_and_retry(f);
    }
    round_of_one_that_waits(f, round, false);
    assert_false(f->did.in_vain); /* more was to come */
    give_back_and_retry(f);
    round_of_one_that_waits(f, round + 1, true);
    assert_true(f->did.in_vain);

    settled(f, 10, true);
    step(f, (struct receiver_event){.kind = RECEIVER_EVENT_JOINED});
    round_of_one_that_waits(f, round + 2, true);
    assert_false(f->did.in_vain);
}

int main(void)
{
#define PROMISE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        PROMISE(a_session_begins_with_our_vector_and_all_credits),
        PROMISE(the_senders_vector_is_joined_after_all_was_settled),
        PROMISE(an_incomplete_round_joins_nothing_and_asks_again),
        PROMISE(an_incomplete_round_that_brought_nothing_pauses),
        PROMISE(an_unsettled_update_pauses_and_joins_nothing),
        PROMISE(pauses_double_to_a_bound_and_progress_resets_them),
        PROMISE(a_tick_before_the_deadline_changes_nothing),
        PROMISE(a_grown_vector_is_told_while_waiting_only),
        PROMISE(a_repeat_is_not_handed_on_and_its_credit_comes_back),
        PROMISE(credits_in_use_never_exceed_the_window),
        PROMISE(used_up_credits_release_what_waits),
        PROMISE(in_sync_compares_both_vectors_and_never_guesses),
        PROMISE(messages_out_of_order_end_the_session),
        PROMISE(a_round_with_something_forgotten_lists_before_it_joins),
        PROMISE(a_round_that_was_not_all_done_lists_and_does_not_join),
        PROMISE(a_list_that_was_not_asked_for_ends_the_session),
        PROMISE(what_waits_in_rounds_for_long_waits_in_vain),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
