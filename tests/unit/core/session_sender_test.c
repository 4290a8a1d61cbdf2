/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/session/sender.h"

#include "tests/support/memstore.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

static const struct guid FOLDER = {.bytes = {0xf0}};
static const struct guid OWN = {.bytes = {5}};
static const struct guid OTHER = {.bytes = {6}};

struct fixture {
    struct memstore *memory;
    struct store store;
    struct sender *sender;
    struct replica_state ours;
    struct vector theirs;
    struct record record;
    bool complete;
    int64_t now_ms;
};

static int set_up(void **state)
{
    static struct fixture f;
    struct file_id root = file_id_root(&FOLDER);

    f = (struct fixture){.memory = memstore_new(false), .sender = sender_new(&OWN, &root)};
    f.store = memstore_port(f.memory);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    sender_free(f->sender);
    memstore_free(f->memory);
    vector_fini(&f->ours.vector);
    vector_fini(&f->theirs);
    record_fini(&f->record);
    return 0;
}

/* Our record of file @file in version @number of @database; parent 1 is the root. */
struct version {
    const struct guid *database;
    uint64_t file;
    uint64_t number;
    uint64_t parent;
    bool dir;
    bool dead;
    bool parked;
};

static void put(struct fixture *f, struct version v)
{
    struct record record = {
        .update = {.id = {.database = OTHER, .number = v.file},
                   .gvsn = {.database = *v.database, .number = v.number},
                   .parent = {.database = OTHER, .number = v.parent},
                   .kind = v.dir ? FILE_DIRECTORY : FILE_REGULAR,
                   .present = !v.dead,
                   .fence = FENCE_DEFAULT,
                   .clock = 1},
        .place = v.dead ? PLACE_NOWHERE : v.parked ? PLACE_PARKED : PLACE_TREE,
        .object = {.size = v.dead ? 0 : 1, .bytes = {v.dead ? 0 : (uint8_t)v.file}},
    };
    char name[24];

    if (v.parent == 1)
        record.update.parent = file_id_root(&FOLDER);
    snprintf(name, sizeof(name), "%llu", (unsigned long long)v.file);
    update_set_name(&record.update, span_of_string(name));
    f->store.ops->begin(f->store.arg);
    f->store.ops->put(f->store.arg, &record);
    assert_int_equal(f->store.ops->commit(f->store.arg), ST_OK);
    vector_add(&f->ours.vector, &record.update.gvsn);
    record_fini(&record);
}

static enum sender_next next(struct fixture *f)
{
    return sender_next(f->sender, &f->store, &f->ours,
                       instant_after_ms((struct instant){0}, f->now_ms), &f->record, &f->complete);
}

static void want(struct fixture *f)
{
    assert_null(sender_want(f->sender, &f->theirs, true, (struct instant){0}));
}

static void open_session(struct fixture *f)
{
    want(f);
    assert_null(sender_credit(f->sender, SESSION_CREDIT_COUNT));
}

static void assert_sent(struct fixture *f, uint64_t number)
{
    assert_int_equal(next(f), SENDER_UPDATE);
    assert_int_equal(f->record.update.gvsn.number, number);
}

static void assert_round(struct fixture *f, uint32_t round)
{
    assert_int_equal(next(f), SENDER_ROUND_START);
    assert_int_equal(sender_round(f->sender), round);
}

static void assert_done(struct fixture *f, bool complete)
{
    assert_int_equal(next(f), SENDER_ROUND_DONE);
    assert_int_equal(f->complete, complete);
    assert_int_equal(next(f), SENDER_IDLE);
}

static void nothing_is_sent_unasked(void **state)
{
    struct fixture *f = *state;

    put(f, (struct version){&OWN, 20, 20, 1, false, false, false});
    assert_int_equal(next(f), SENDER_IDLE);
    assert_null(sender_want(f->sender, &f->theirs, false, (struct instant){0}));
    assert_int_equal(next(f), SENDER_IDLE);
}

static void the_first_round_tells_our_vector_even_when_nothing_is_to_be_sent(void **state)
{
    struct fixture *f = *state;

    put(f, (struct version){&OWN, 20, 20, 1, false, false, false});
    vector_copy(&f->theirs, &f->ours.vector);
    open_session(f);

    assert_round(f, 1);
    assert_true(vector_equal(sender_vector(f->sender), &f->ours.vector));
    assert_done(f, true);
    want(f);
    assert_int_equal(next(f), SENDER_IDLE);
}

static void a_round_sends_the_difference_and_no_more(void **state)
{
    struct fixture *f = *state;

    put(f, (struct version){&OWN, 20, 20, 1, false, false, false});
    vector_copy(&f->theirs, &f->ours.vector);
    put(f, (struct version){&OWN, 21, 21, 1, false, false, false});
    put(f, (struct version){&OTHER, 22, 15, 1, false, false, false});
    open_session(f);

    assert_round(f, 1);
    assert_sent(f, 21);
    assert_sent(f, 15);
    assert_done(f, true);
}

static void tombstones_go_before_live_records(void **state)
{
    struct fixture *f = *state;

    put(f, (struct version){&OWN, 20, 20, 1, false, false, false});
    put(f, (struct version){&OWN, 21, 21, 1, false, true, false});
    put(f, (struct version){&OWN, 22, 22, 1, false, false, false});
    put(f, (struct version){&OTHER, 23, 16, 1, false, true, false});
    open_session(f);

    assert_round(f, 1);
    assert_sent(f, 21);
    assert_sent(f, 16);
    assert_sent(f, 20);
    assert_sent(f, 22);
    assert_done(f, true);
}

static void a_parent_with_a_later_version_goes_before_its_children(void **state)
{
    struct fixture *f = *state;

    put(f, (struct version){&OWN, 20, 20, 40, false, false, false});
    put(f, (struct version){&OWN, 21, 21, 40, false, false, false});
    put(f, (struct version){&OWN, 40, 22, 41, true, false, false});
    put(f, (struct version){&OWN, 41, 23, 1, true, false, false});
    open_session(f);

    assert_round(f, 1);
    assert_sent(f, 23);
    assert_sent(f, 22);
    assert_sent(f, 20);
    assert_sent(f, 21); /* its parent is known to be sent */
    assert_sent(f, 22); /* again, at its place in the order */
    assert_sent(f, 23);
    assert_done(f, true);
}

static void a_parent_that_the_receiver_has_is_not_sent(void **state)
{
    struct fixture *f = *state;

    put(f, (struct version){&OWN, 40, 40, 1, true, false, false});
    vector_copy(&f->theirs, &f->ours.vector);
    put(f, (struct version){&OWN, 20, 41, 40, false, false, false});
    open_session(f);

    assert_round(f, 1);
    assert_sent(f, 41);
    assert_done(f, true);
}

static void a_change_in_the_middle_makes_the_round_incomplete(void **state)
{
    struct fixture *f = *state;

    put(f, (struct version){&OWN, 20, 20, 1, false, false, false});
    put(f, (struct version){&OWN, 21, 21, 1, false, false, false});
    open_session(f);
    assert_round(f, 1);
    assert_sent(f, 20);
    put(f, (struct version){&OWN, 21, 22, 1, false, false, false}); /* replaces number 21 */

    assert_done(f, false);
    vector_add(&f->theirs, &(struct gvsn){.database = OWN, .number = 20});
    want(f);
    assert_round(f, 2);
    assert_sent(f, 22);
    assert_done(f, true);
}

static void a_child_of_a_parent_that_changed_is_left_for_the_next_round(void **state)
{
    struct fixture *f = *state;

    put(f, (struct version){&OWN, 40, 20, 1, true, false, false});
    put(f, (struct version){&OWN, 30, 21, 40, false, false, false});
    open_session(f);
    assert_round(f, 1);
    put(f, (struct version){&OWN, 40, 22, 1, true, false, false}); /* the parent, before it was sent */

    assert_done(f, false);
    want(f);
    assert_round(f, 2);
    assert_sent(f, 22);
    assert_sent(f, 21);
    assert_sent(f, 22);
    assert_done(f, true);
}

static void a_parked_record_and_what_is_below_it_wait_for_a_later_round(void **state)
{
    struct fixture *f = *state;

    put(f, (struct version){&OWN, 40, 40, 1, true, false, true});
    put(f, (struct version){&OWN, 41, 41, 40, false, false, false});
    put(f, (struct version){&OWN, 42, 42, 1, false, false, false});
    open_session(f);
    assert_round(f, 1);
    assert_sent(f, 42);
    assert_done(f, false);
}

static void updates_stop_when_credits_are_used_up(void **state)
{
    struct fixture *f = *state;

    put(f, (struct version){&OWN, 20, 20, 1, false, false, false});
    put(f, (struct version){&OWN, 21, 21, 1, false, false, false});
    want(f);
    assert_round(f, 1);
    assert_int_equal(next(f), SENDER_IDLE);
    assert_null(sender_credit(f->sender, 1));
    assert_sent(f, 20);
    assert_int_equal(next(f), SENDER_IDLE);
    assert_null(sender_credit(f->sender, 1));
    assert_sent(f, 21);
    assert_done(f, true);
}

static void updates_of_others_wait_in_case_the_receiver_gets_them_from_their_author(void **state)
{
    struct fixture *f = *state;
    struct instant when;

    open_session(f);
    assert_round(f, 1);
    assert_done(f, true);
    want(f);
    put(f, (struct version){&OTHER, 20, 20, 1, false, false, false});
    assert_int_equal(next(f), SENDER_IDLE);
    assert_true(sender_deadline(f->sender, &when));
    assert_int_equal(when.ns, SESSION_FORWARD_DELAY_MS * NS_PER_MS);

    assert_null(sender_want(f->sender, &f->ours.vector, false, (struct instant){0}));
    f->now_ms = SESSION_FORWARD_DELAY_MS;
    assert_int_equal(next(f), SENDER_IDLE);
    assert_false(sender_deadline(f->sender, &when));

    put(f, (struct version){&OTHER, 21, 21, 1, false, false, false});
    assert_int_equal(next(f), SENDER_IDLE);
    f->now_ms += SESSION_FORWARD_DELAY_MS;
    assert_round(f, 2);
    assert_sent(f, 21);
}

static void our_own_updates_do_not_wait(void **state)
{
    struct fixture *f = *state;

    open_session(f);
    assert_round(f, 1);
    assert_done(f, true);
    want(f);
    put(f, (struct version){&OWN, 20, 20, 1, false, false, false});
    assert_round(f, 2);
    assert_sent(f, 20);
}

static void a_long_search_rests_between_calls(void **state)
{
    struct fixture *f = *state;
    struct instant when;
    unsigned rests = 0;

    for (uint64_t i = 0; i < SESSION_SEARCH_COUNT_MAX + 10; i++)
        put(f, (struct version){&OWN, 100 + i, 100 + i, 1, false, false, false});
    put(f, (struct version){&OWN, 50, 100000, 1, false, true, false});
    open_session(f);
    assert_round(f, 1);
    while (next(f) == SENDER_IDLE) {
        assert_true(sender_deadline(f->sender, &when));
        assert_int_equal(when.ns, f->now_ms * NS_PER_MS);
        rests++;
    }

    assert_int_equal(rests, 1);
    assert_int_equal(f->record.update.gvsn.number, 100000);
}

static void broken_rules_of_the_receiver_are_named(void **state)
{
    struct fixture *f = *state;

    assert_non_null(sender_credit(f->sender, 0));
    assert_non_null(sender_credit(f->sender, SESSION_CREDIT_COUNT_MAX + 1));
    want(f);
    assert_non_null(sender_want(f->sender, &f->theirs, true, (struct instant){0}));
    assert_null(sender_credit(f->sender, SESSION_CREDIT_COUNT_MAX));
    assert_non_null(sender_credit(f->sender, 1));
}

static void a_failed_store_is_told_and_ends_no_round(void **state)
{
    struct fixture *f = *state;

    put(f, (struct version){&OWN, 20, 20, 1, false, false, false});
    open_session(f);
    assert_round(f, 1);
    memstore_fail_commit(f->memory, 1);
    f->store.ops->begin(f->store.arg);
    assert_int_not_equal(f->store.ops->commit(f->store.arg), ST_OK);

    assert_int_equal(next(f), SENDER_STORE_FAILED);
}

static void what_was_dropped_and_is_lacking_there_is_told_with_the_round(void **state)
{
    struct fixture *f = *state;

    put(f, (struct version){&OWN, 20, 20, 1, false, false, false});
    vector_add_interval(&f->ours.vector, &OWN, (struct interval){20, 30});
    vector_add_interval(&f->ours.forgotten, &OWN, (struct interval){21, 24});
    vector_add_interval(&f->theirs, &OWN, (struct interval){19, 23});
    open_session(f);
    assert_int_equal(next(f), SENDER_ROUND_START);

    assert_int_equal(vector_number_count(sender_forgotten(f->sender)), 1);
    assert_true(vector_contains(sender_forgotten(f->sender),
                                &(struct gvsn){.database = OWN, .number = 24}));
    vector_fini(&f->ours.forgotten);
}

static void live_files_are_listed_in_parts(void **state)
{
    struct fixture *f = *state;
    struct file_id ids[2];
    struct file_id upto = {0};
    bool is_last;

    put(f, (struct version){&OWN, 20, 20, 1, false, false, false});
    put(f, (struct version){&OWN, 21, 21, 1, false, true, false});
    put(f, (struct version){&OWN, 22, 22, 1, false, false, false});
    put(f, (struct version){&OWN, 23, 23, 1, false, false, false});

    assert_int_equal(sender_list(&f->store, NULL, ids, 2, &upto, &is_last), 2);
    assert_false(is_last);
    assert_int_equal(ids[0].number, 20);
    assert_int_equal(ids[1].number, 22);
    assert_int_equal(upto.number, 22);
    assert_int_equal(sender_list(&f->store, &upto, ids, 2, &upto, &is_last), 1);
    assert_true(is_last);
    assert_int_equal(ids[0].number, 23);
}

int main(void)
{
#define PROMISE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        PROMISE(nothing_is_sent_unasked),
        PROMISE(the_first_round_tells_our_vector_even_when_nothing_is_to_be_sent),
        PROMISE(a_round_sends_the_difference_and_no_more),
        PROMISE(tombstones_go_before_live_records),
        PROMISE(a_parent_with_a_later_version_goes_before_its_children),
        PROMISE(a_parent_that_the_receiver_has_is_not_sent),
        PROMISE(a_change_in_the_middle_makes_the_round_incomplete),
        PROMISE(a_child_of_a_parent_that_changed_is_left_for_the_next_round),
        PROMISE(a_parked_record_and_what_is_below_it_wait_for_a_later_round),
        PROMISE(updates_stop_when_credits_are_used_up),
        PROMISE(updates_of_others_wait_in_case_the_receiver_gets_them_from_their_author),
        PROMISE(our_own_updates_do_not_wait),
        PROMISE(a_long_search_rests_between_calls),
        PROMISE(broken_rules_of_the_receiver_are_named),
        PROMISE(a_failed_store_is_told_and_ends_no_round),
        PROMISE(what_was_dropped_and_is_lacking_there_is_told_with_the_round),
        PROMISE(live_files_are_listed_in_parts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
