/* SPDX-License-Identifier: Apache-2.0 */
/* The intake against a replica of which the test plays the two functions that the intake asks. */
#include "agent/session/intake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static const struct guid AUTHOR = {.bytes = {7}};

/* --- the replica's part --- */

static struct vector ours;
static enum verdict verdicts[1000]; /* by the number of the gvsn */
static enum verdict verdicts_in_vain[1000];
static const struct vector *only_for;

const struct vector *replica_vector(const struct replica *replica)
{
    (void)replica;
    return &ours;
}

enum verdict replica_judge(struct replica *replica, const struct update *update,
                           const struct vector *sender_vector, bool in_vain)
{
    (void)replica;
    if (in_vain)
        return verdicts_in_vain[update->gvsn.number];
    if (only_for && !vector_equal(only_for, sender_vector))
        return VERDICT_WAIT;
    return verdicts[update->gvsn.number];
}

/* --- builders --- */

struct fixture {
    struct intake *intake;
    struct vector sender;
    struct intake_next next;
};

static int set_up(void **state)
{
    static struct fixture f;

    f = (struct fixture){.intake = intake_new()};
    vector_add_interval(&f.sender, &AUTHOR, (struct interval){.low = 9, .high = 999});
    for (size_t i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++)
        verdicts[i] = verdicts_in_vain[i] = VERDICT_READY;
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    intake_free(f->intake);
    vector_fini(&f->sender);
    vector_fini(&ours);
    only_for = NULL;
    return 0;
}

/* Version @number of file @file, in the root unless @parent names another file. */
static struct update version_of(uint64_t file, uint64_t number, uint64_t parent)
{
    struct update update = {
        .id = {.database = AUTHOR, .number = file},
        .gvsn = {.database = AUTHOR, .number = number},
        .parent = {.database = AUTHOR, .number = parent},
        .kind = FILE_REGULAR,
        .present = true,
        .fence = FENCE_DEFAULT,
        .clock = number,
        .size = 100,
    };

    update_set_name(&update, span_of_string("name"));
    return update;
}

static void offer_update(struct fixture *f, intake_source source, const struct update *update,
                         uint64_t stage)
{
    struct object object = {.size = 1};

    intake_offer(f->intake, source, update, &f->sender, stage, stage ? &object : NULL);
}

static void offer(struct fixture *f, intake_source source, uint64_t number)
{
    struct update update = version_of(number, number, 1);

    offer_update(f, source, &update, 0);
}

static enum intake_next_kind next(struct fixture *f)
{
    intake_next(f->intake, NULL, (struct instant){0}, false, &f->next);
    return f->next.kind;
}

static void fetched(struct fixture *f, intake_source source, uint64_t number, bool ok)
{
    struct gvsn gvsn = {.database = AUTHOR, .number = number};
    struct object object = {.size = 1};

    intake_fetched(f->intake, source, &gvsn, ok, ok ? 1000 + number : 0, &object,
                   (struct instant){0});
}

/* Plan the announced batch, all with the same end. */
static size_t plan(struct fixture *f, enum settled end)
{
    enum settled settled[PLAN_OFFER_COUNT_MAX];
    size_t count;

    intake_batch(f->intake, &count);
    for (size_t i = 0; i < count; i++)
        settled[i] = end;
    intake_planned(f->intake, settled, (struct instant){0});
    return count;
}

static void assert_settled(struct fixture *f, intake_source source, uint64_t number, bool done)
{
    assert_int_equal(next(f), INTAKE_SETTLED);
    assert_int_equal(f->next.source, source);
    assert_int_equal(f->next.gvsn.number, number);
    assert_int_equal(f->next.done, done);
}

/* --- promises --- */

static void what_our_vector_contains_settles_at_once(void **state)
{
    struct fixture *f = *state;
    struct gvsn known = {.database = AUTHOR, .number = 20};

    vector_add(&ours, &known);
    offer(f, 1, 20);

    assert_settled(f, 1, 20, true);
    assert_int_equal(next(f), INTAKE_IDLE);
    assert_int_equal(intake_item_count(f->intake), 0);
}

static void a_known_update_is_planned_so_that_its_gvsn_is_claimed(void **state)
{
    struct fixture *f = *state;

    verdicts[20] = VERDICT_KNOWN;
    offer(f, 1, 20);

    assert_int_equal(next(f), INTAKE_PLAN);
    assert_int_equal(plan(f, SETTLED_DONE), 1);
    assert_settled(f, 1, 20, true);
}

static void one_change_of_several_partners_is_fetched_once_and_all_are_told(void **state)
{
    struct fixture *f = *state;

    verdicts[20] = VERDICT_FETCH;
    offer(f, 1, 20);
    offer(f, 2, 20);

    assert_int_equal(next(f), INTAKE_FETCH);
    intake_source from = f->next.source;
    assert_int_equal(next(f), INTAKE_IDLE);
    fetched(f, from, 20, true);
    assert_int_equal(next(f), INTAKE_PLAN);
    plan(f, SETTLED_DONE);
    assert_settled(f, 1, 20, true);
    assert_settled(f, 2, 20, true);
    assert_int_equal(next(f), INTAKE_DROP);
    assert_int_equal(next(f), INTAKE_IDLE);
}

static void a_failed_transfer_falls_back_on_the_other_partner(void **state)
{
    struct fixture *f = *state;

    verdicts[20] = VERDICT_FETCH;
    offer(f, 1, 20);
    offer(f, 2, 20);
    assert_int_equal(next(f), INTAKE_FETCH);
    intake_source first = f->next.source;
    fetched(f, first, 20, false);

    assert_int_equal(next(f), INTAKE_FETCH);
    assert_int_not_equal(f->next.source, first);
    fetched(f, f->next.source, 20, false);
    assert_settled(f, 1, 20, false);
    assert_settled(f, 2, 20, false);
    assert_int_equal(next(f), INTAKE_IDLE);
}

static void a_partner_that_fails_is_asked_last(void **state)
{
    struct fixture *f = *state;

    verdicts[20] = verdicts[21] = VERDICT_FETCH;
    offer(f, 1, 20);
    assert_int_equal(next(f), INTAKE_FETCH);
    fetched(f, 1, 20, false);
    offer(f, 1, 21);
    offer(f, 2, 21);

    assert_settled(f, 1, 20, false);
    assert_int_equal(next(f), INTAKE_FETCH);
    assert_int_equal(f->next.source, 2);
}

static void transfers_spread_over_partners(void **state)
{
    struct fixture *f = *state;
    unsigned by_source[3] = {0};

    for (uint64_t i = 20; i < 30; i++) {
        verdicts[i] = VERDICT_FETCH;
        offer(f, 1, i);
        offer(f, 2, i);
    }
    while (next(f) == INTAKE_FETCH)
        by_source[f->next.source]++;

    assert_int_equal(by_source[1], 5);
    assert_int_equal(by_source[2], 5);
}

static void transfers_at_a_time_are_bounded_and_large_ones_leave_room(void **state)
{
    struct fixture *f = *state;
    unsigned large = 0;
    unsigned small = 0;

    for (uint64_t i = 20; i < 120; i++) {
        struct update update = version_of(i, i, 1);

        verdicts[i] = VERDICT_FETCH;
        if (i < 60)
            update.size = FETCH_LARGE_SIZE_MIN;
        offer_update(f, 1, &update, 0);
        if (i == 59) {
            while (next(f) == INTAKE_FETCH)
                large++;
        }
    }
    while (next(f) == INTAKE_FETCH)
        small++;

    assert_int_equal(large, FETCH_LARGE_ACTIVE_MAX);
    assert_int_equal(large + small, FETCH_ACTIVE_MAX);
}

static void a_lesser_update_settles_with_the_greater_one(void **state)
{
    struct fixture *f = *state;
    struct update lesser = version_of(20, 20, 1);
    struct update greater = version_of(20, 21, 1);
    size_t count;

    offer_update(f, 1, &lesser, 0);
    offer_update(f, 2, &greater, 0);

    assert_int_equal(next(f), INTAKE_PLAN);
    const struct offer *batch = intake_batch(f->intake, &count);
    assert_int_equal(count, 1);
    assert_int_equal(batch[0].update->gvsn.number, 21);
    enum settled done = SETTLED_DONE;
    intake_planned(f->intake, &done, (struct instant){0});
    verdicts[20] = VERDICT_KNOWN;
    assert_settled(f, 2, 21, true);
    assert_int_equal(next(f), INTAKE_PLAN);
    plan(f, SETTLED_DONE);
    assert_settled(f, 1, 20, true);
}

static void a_lesser_update_goes_on_when_the_greater_one_fails(void **state)
{
    struct fixture *f = *state;
    struct update lesser = version_of(20, 20, 1);
    struct update greater = version_of(20, 21, 1);

    verdicts[21] = VERDICT_FETCH;
    offer_update(f, 1, &lesser, 0);
    offer_update(f, 2, &greater, 0);
    assert_int_equal(next(f), INTAKE_FETCH);
    fetched(f, 2, 21, false);

    assert_settled(f, 2, 21, false);
    assert_int_equal(next(f), INTAKE_PLAN);
}

static void a_child_is_planned_in_one_batch_after_its_new_parent(void **state)
{
    struct fixture *f = *state;
    struct update parent = version_of(20, 20, 1);
    struct update child = version_of(21, 21, 20);
    size_t count;

    parent.kind = FILE_DIRECTORY;
    verdicts[21] = VERDICT_WAIT;
    offer_update(f, 1, &parent, 0);
    offer_update(f, 1, &child, 500);

    assert_int_equal(next(f), INTAKE_PLAN);
    const struct offer *batch = intake_batch(f->intake, &count);
    assert_int_equal(count, 2);
    assert_int_equal(batch[0].update->gvsn.number, 20);
    assert_int_equal(batch[1].update->gvsn.number, 21);
    assert_true(batch[1].staged);
    const enum settled done[] = {SETTLED_DONE, SETTLED_DONE};
    intake_planned(f->intake, done, (struct instant){0});
}

static void what_waits_is_judged_again_after_a_settling(void **state)
{
    struct fixture *f = *state;

    verdicts[20] = VERDICT_WAIT;
    offer(f, 1, 20);
    offer(f, 1, 21);
    assert_int_equal(next(f), INTAKE_PLAN);
    verdicts[20] = VERDICT_READY;
    plan(f, SETTLED_DONE);

    assert_settled(f, 1, 21, true);
    assert_int_equal(next(f), INTAKE_PLAN);
}

static void what_waits_in_vain_settles_as_not_done_when_the_round_ends(void **state)
{
    struct fixture *f = *state;

    verdicts[20] = VERDICT_WAIT;
    verdicts[21] = VERDICT_FETCH;
    offer(f, 1, 20);
    offer(f, 1, 21);
    assert_int_equal(next(f), INTAKE_FETCH);
    intake_round_ended(f->intake, 1, false);
    assert_int_equal(next(f), INTAKE_IDLE); /* the transfer may bring what it waits for */

    fetched(f, 1, 21, true);
    assert_int_equal(next(f), INTAKE_PLAN);
    plan(f, SETTLED_DONE);
    assert_settled(f, 1, 21, true);
    assert_int_equal(next(f), INTAKE_DROP);
    assert_settled(f, 1, 20, false);
    assert_int_equal(intake_item_count(f->intake), 0);
}

static void what_waits_in_vain_for_long_is_judged_as_such_one_after_the_other(void **state)
{
    struct fixture *f = *state;
    size_t count;

    verdicts[20] = verdicts[21] = verdicts[22] = VERDICT_WAIT;
    verdicts_in_vain[20] = VERDICT_WAIT;
    for (uint64_t number = 20; number <= 22; number++)
        offer(f, 1, number);
    intake_round_ended(f->intake, 1, true);

    assert_int_equal(next(f), INTAKE_PLAN);
    const struct offer *offers = intake_batch(f->intake, &count);
    assert_int_equal(count, 1);
    assert_int_equal(offers[0].update->gvsn.number, 21);
    assert_true(offers[0].in_vain);
    enum settled done = SETTLED_DONE;
    intake_planned(f->intake, &done, (struct instant){0});

    assert_settled(f, 1, 21, true);
    assert_int_equal(next(f), INTAKE_PLAN);
    assert_int_equal(plan(f, SETTLED_DONE), 1);
    assert_settled(f, 1, 22, true);
    assert_settled(f, 1, 20, false);
    assert_int_equal(intake_item_count(f->intake), 0);
}

static void nothing_waits_in_vain_while_another_partner_tells_or_the_round_failed(void **state)
{
    struct fixture *f = *state;

    verdicts[20] = verdicts[21] = VERDICT_WAIT;
    offer(f, 1, 20);
    offer(f, 2, 20);
    intake_round_ended(f->intake, 1, true);
    assert_settled(f, 1, 20, false);
    intake_round_ended(f->intake, 2, true);
    assert_int_equal(next(f), INTAKE_PLAN); /* the last one, and it has told all */
    plan(f, SETTLED_DONE);
    assert_settled(f, 2, 20, true);

    verdicts[22] = VERDICT_FETCH;
    offer(f, 1, 21);
    offer(f, 1, 22);
    assert_int_equal(next(f), INTAKE_FETCH);
    fetched(f, 1, 22, false);
    intake_round_ended(f->intake, 1, true);
    assert_settled(f, 1, 22, false);
    assert_settled(f, 1, 21, false);
}

static void one_partners_transfer_does_not_keep_another_ones_round_open(void **state)
{
    struct fixture *f = *state;

    verdicts[20] = VERDICT_WAIT;
    verdicts[21] = VERDICT_FETCH;
    offer(f, 1, 20);
    offer(f, 2, 21);
    assert_int_equal(next(f), INTAKE_FETCH);
    intake_round_ended(f->intake, 1, false);

    assert_settled(f, 1, 20, false);
}

static void what_makes_a_plan_fail_does_not_hold_up_the_others(void **state)
{
    struct fixture *f = *state;
    size_t count;

    offer(f, 1, 20);
    offer(f, 1, 21);
    offer(f, 1, 22);
    assert_int_equal(next(f), INTAKE_PLAN);
    intake_batch(f->intake, &count);
    assert_int_equal(count, 3);
    const enum settled first_fails[] = {SETTLED_AGAIN, SETTLED_AGAIN, SETTLED_AGAIN};
    intake_planned(f->intake, first_fails, (struct instant){0});

    assert_int_equal(next(f), INTAKE_PLAN);
    assert_int_equal(plan(f, SETTLED_DONE), 2);
    assert_settled(f, 1, 21, true);
    assert_settled(f, 1, 22, true);
    assert_int_equal(next(f), INTAKE_IDLE);

    intake_rejudge(f->intake);
    assert_int_equal(next(f), INTAKE_PLAN);
    plan(f, SETTLED_DONE);
    assert_settled(f, 1, 20, true);
}

static void an_update_makes_plans_fail_a_bounded_number_of_times(void **state)
{
    struct fixture *f = *state;

    offer(f, 1, 20);
    for (unsigned i = 0; i < PLAN_ATTEMPT_COUNT_MAX; i++) {
        assert_int_equal(next(f), INTAKE_PLAN);
        plan(f, SETTLED_AGAIN);
        intake_rejudge(f->intake);
    }
    assert_settled(f, 1, 20, false);
    assert_int_equal(next(f), INTAKE_IDLE);
}

static void a_gone_partners_transfer_moves_to_another(void **state)
{
    struct fixture *f = *state;

    verdicts[20] = VERDICT_FETCH;
    offer(f, 1, 20);
    offer(f, 2, 20);
    assert_int_equal(next(f), INTAKE_FETCH);
    intake_source gone = f->next.source;
    intake_source_gone(f->intake, gone);

    assert_int_equal(next(f), INTAKE_FETCH);
    assert_int_not_equal(f->next.source, gone);
    intake_source other = f->next.source;
    fetched(f, gone, 20, true); /* late: nobody waits for it */
    assert_int_equal(next(f), INTAKE_DROP);
    fetched(f, other, 20, true);
    assert_int_equal(next(f), INTAKE_PLAN);
    plan(f, SETTLED_DONE);
    assert_settled(f, other, 20, true);
}

static void a_gone_partners_own_items_leave_with_their_stages(void **state)
{
    struct fixture *f = *state;
    struct update update = version_of(20, 20, 1);

    verdicts[20] = VERDICT_WAIT;
    offer_update(f, 1, &update, 500);
    assert_int_equal(next(f), INTAKE_IDLE);
    intake_source_gone(f->intake, 1);

    assert_int_equal(next(f), INTAKE_DROP);
    assert_int_equal(f->next.stage, 500);
    assert_int_equal(next(f), INTAKE_IDLE);
    assert_int_equal(intake_item_count(f->intake), 0);
}

static void a_partner_may_go_while_its_update_is_planned(void **state)
{
    struct fixture *f = *state;
    enum settled ends[] = {SETTLED_DONE, SETTLED_WAIT, SETTLED_BEHIND, SETTLED_AGAIN};

    for (size_t i = 0; i < 4; i++) {
        size_t count;

        offer(f, 1, 20);
        assert_int_equal(next(f), INTAKE_PLAN);
        intake_batch(f->intake, &count);
        intake_source_gone(f->intake, 1);
        intake_planned(f->intake, &ends[i], (struct instant){0});
        assert_int_equal(next(f), INTAKE_IDLE);
        assert_int_equal(intake_item_count(f->intake), 0);
    }
}

static void another_senders_vector_may_let_an_update_go_on(void **state)
{
    struct fixture *f = *state;
    struct vector other = {0};
    struct update update = version_of(20, 20, 1);

    vector_add_interval(&other, &AUTHOR, (struct interval){.low = 9, .high = 50});
    only_for = &other;
    offer(f, 1, 20);
    assert_int_equal(next(f), INTAKE_IDLE);
    intake_offer(f->intake, 2, &update, &other, 0, NULL);

    assert_int_equal(next(f), INTAKE_PLAN);
    assert_int_equal(plan(f, SETTLED_DONE), 1);
    vector_fini(&other);
}

static void a_round_is_judged_by_its_own_vector(void **state)
{
    struct fixture *f = *state;
    struct vector second = {0};
    struct update update = version_of(21, 21, 1);

    offer(f, 1, 20);
    assert_int_equal(next(f), INTAKE_PLAN);
    plan(f, SETTLED_DONE);
    assert_settled(f, 1, 20, true);
    intake_round_ended(f->intake, 1, false);
    vector_add_interval(&second, &AUTHOR, (struct interval){.low = 9, .high = 50});
    only_for = &second;
    intake_offer(f->intake, 1, &update, &second, 0, NULL);

    assert_int_equal(next(f), INTAKE_PLAN);
    plan(f, SETTLED_DONE);
    vector_fini(&second);
}

static void a_sender_that_is_behind_gets_its_offer_back_at_once(void **state)
{
    struct fixture *f = *state;

    verdicts[20] = VERDICT_BEHIND;
    offer(f, 1, 20);
    offer(f, 2, 20);
    assert_settled(f, 1, 20, false);
    assert_settled(f, 2, 20, false);
    assert_int_equal(intake_item_count(f->intake), 0);

    offer(f, 1, 21);
    assert_int_equal(next(f), INTAKE_PLAN);
    plan(f, SETTLED_BEHIND);
    assert_settled(f, 1, 21, false);
    assert_int_equal(next(f), INTAKE_IDLE);
}

static void every_offer_is_settled_once_under_random_ends(void **state)
{
    struct fixture *f = *state;
    unsigned seed = 1;
    unsigned told[3][1000] = {{0}};

    for (uint64_t i = 10; i < 900; i++) {
        seed = seed * 1103515245u + 12345u;
        verdicts[i] = (enum verdict)((seed >> 16) % 5);
        struct update update = version_of(10 + (seed >> 20) % 100, i, 1);
        for (intake_source source = 0; source < 3; source++)
            offer_update(f, source, &update, 0);
    }
    for (intake_source source = 0; source < 3; source++)
        intake_round_ended(f->intake, source, false);
    for (unsigned step = 0; step < 100000 && intake_item_count(f->intake) > 0; step++) {
        seed = seed * 1103515245u + 12345u;
        switch (next(f)) {
        case INTAKE_FETCH:
            fetched(f, f->next.source, f->next.gvsn.number, (seed >> 16) % 3 != 0);
            break;
        case INTAKE_SETTLED:
            told[f->next.source][f->next.gvsn.number]++;
            break;
        case INTAKE_PLAN:
            plan(f, (enum settled)((seed >> 16) % 4));
            break;
        case INTAKE_DROP:
            break;
        case INTAKE_IDLE:
            intake_rejudge(f->intake);
            break;
        }
    }
    while (next(f) != INTAKE_IDLE) {
        if (f->next.kind == INTAKE_SETTLED)
            told[f->next.source][f->next.gvsn.number]++;
    }

    assert_int_equal(intake_item_count(f->intake), 0);
    for (unsigned source = 0; source < 3; source++) {
        for (uint64_t i = 10; i < 900; i++)
            assert_int_equal(told[source][i], 1);
    }
}

int main(void)
{
#define PROMISE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        PROMISE(what_our_vector_contains_settles_at_once),
        PROMISE(a_known_update_is_planned_so_that_its_gvsn_is_claimed),
        PROMISE(one_change_of_several_partners_is_fetched_once_and_all_are_told),
        PROMISE(a_failed_transfer_falls_back_on_the_other_partner),
        PROMISE(a_partner_that_fails_is_asked_last),
        PROMISE(transfers_spread_over_partners),
        PROMISE(transfers_at_a_time_are_bounded_and_large_ones_leave_room),
        PROMISE(a_lesser_update_settles_with_the_greater_one),
        PROMISE(a_lesser_update_goes_on_when_the_greater_one_fails),
        PROMISE(a_child_is_planned_in_one_batch_after_its_new_parent),
        PROMISE(what_waits_is_judged_again_after_a_settling),
        PROMISE(what_waits_in_vain_settles_as_not_done_when_the_round_ends),
        PROMISE(what_waits_in_vain_for_long_is_judged_as_such_one_after_the_other),
        PROMISE(nothing_waits_in_vain_while_another_partner_tells_or_the_round_failed),
        PROMISE(one_partners_transfer_does_not_keep_another_ones_round_open),
        PROMISE(what_makes_a_plan_fail_does_not_hold_up_the_others),
        PROMISE(an_update_makes_plans_fail_a_bounded_number_of_times),
        PROMISE(a_gone_partners_transfer_moves_to_another),
        PROMISE(a_gone_partners_own_items_leave_with_their_stages),
        PROMISE(a_partner_may_go_while_its_update_is_planned),
        PROMISE(another_senders_vector_may_let_an_update_go_on),
        PROMISE(a_round_is_judged_by_its_own_vector),
        PROMISE(a_sender_that_is_behind_gets_its_offer_back_at_once),
        PROMISE(every_offer_is_settled_once_under_random_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
