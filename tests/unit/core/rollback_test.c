/* SPDX-License-Identifier: Apache-2.0 */
/* Databases that go back or are copied, and deletions that are forgotten. */
#include "tests/support/member.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

enum { A, B, MEMBERS };

static const struct guid FOLDER = {.bytes = {0xf0}};
static const struct guid FRESH = {.bytes = {7, 6, 5, 4, 3, 2, 1}};
static const struct guid FRESH_TOO = {.bytes = {17, 16, 15, 14, 13, 12, 11}};
static const struct guid MEMBER = {.bytes = {1}};
static const struct guid OTHER_MEMBER = {.bytes = {2}};

/* --- one replica on its store --- */

struct fixture {
    struct memstore *memory;
    struct replica *replica;
};

static int set_up(void **state)
{
    static struct fixture f;

    f = (struct fixture){.memory = memstore_new(false)};
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    replica_close(f->replica);
    memstore_free(f->memory);
    return 0;
}

static void open_as(struct fixture *f, struct replica_options options)
{
    options.folder = FOLDER;
    options.store = memstore_port(f->memory);
    replica_close(f->replica);
    f->replica = NULL;
    assert_int_equal(replica_open(&options, &f->replica), ST_OK);
}

static void open_primary(struct fixture *f, int64_t now_s)
{
    open_as(f, (struct replica_options){.primary = true,
                                        .member = MEMBER,
                                        .fresh_database = FRESH,
                                        .now = {.ns = now_s * NS_PER_SEC}});
}

/* A file appears; its version. */
static struct gvsn create(struct fixture *f, const char *name, uint8_t object)
{
    struct change *change = replica_change_begin(f->replica, (struct walltime){.ns = 1});
    struct observation seen = {
        .parent = file_id_root(&FOLDER),
        .name = span_of_string(name),
        .kind = FILE_REGULAR,
        .object = {.size = 1, .bytes = {object}},
    };
    struct file_id id;
    size_t count;

    assert_int_equal(replica_observe(change, &seen, true, &id), OBSERVED_NEW);
    assert_int_equal(replica_change_commit(change, &count), ST_OK);
    return (struct gvsn){.database = id.database, .number = id.number};
}

static void a_number_is_not_issued_again_after_a_start(void **state)
{
    struct fixture *f = *state;

    open_primary(f, 1000000);
    struct gvsn first = create(f, "a", 1);
    struct memstore *snapshot = memstore_clone(f->memory);
    struct gvsn lost = create(f, "b", 2);

    replica_close(f->replica);
    f->replica = NULL;
    memstore_free(f->memory);
    f->memory = snapshot;
    open_primary(f, 1000);
    struct gvsn after = create(f, "c", 3);

    assert_int_equal(first.number + 1, lost.number);
    assert_true(after.number > lost.number);
    assert_true(vector_contains(replica_vector(f->replica), &first));
    assert_false(vector_contains(replica_vector(f->replica), &lost));
    assert_true(gvsn_succeeds(&lost, &first));
    assert_false(gvsn_succeeds(&after, &lost));
    assert_false(gvsn_succeeds(&first, &lost));
}

/* What the lost time line had issued came back, and the process died while it was put in place. */
static void a_start_does_not_number_on_from_what_comes_back(void **state)
{
    struct fixture *f = *state;

    open_primary(f, 1000);
    struct gvsn first = create(f, "a", 1);
    struct intent intent = {
        .update = {.id = {.database = first.database, .number = first.number},
                   .gvsn = {.database = first.database, .number = UINT64_C(1) << 50},
                   .parent = file_id_root(&FOLDER),
                   .kind = FILE_REGULAR,
                   .fence = FENCE_DEFAULT,
                   .clock = 1000000},
    };
    struct store store = memstore_port(f->memory);
    bool done = true;
    struct step_result result = {0};

    update_set_name(&intent.update, span_of_string("a"));
    store.ops->begin(store.arg);
    store.ops->put_intent(store.arg, &intent);
    assert_int_equal(store.ops->commit(store.arg), ST_OK);
    open_primary(f, 1000);
    assert_int_equal(replica_recover(f->replica, &done, &result, 1), ST_OK);

    assert_true(replica_state(f->replica)->number_last < intent.update.gvsn.number);
    assert_false(vector_contains(replica_vector(f->replica), &intent.update.gvsn));
    struct record dead = {0};
    assert_true(store.ops->get(store.arg, &intent.update.id, &dead));
    assert_false(dead.update.present);
    assert_int_equal(dead.update.gvsn.number, replica_state(f->replica)->number_last);
    record_fini(&dead);
}

static void a_later_start_numbers_above_an_earlier_one_that_is_lost(void **state)
{
    struct fixture *f = *state;

    open_primary(f, 1000);
    create(f, "a", 1);
    struct memstore *snapshot = memstore_clone(f->memory);

    open_primary(f, 100000000);
    struct gvsn lost = create(f, "b", 2);
    replica_close(f->replica);
    f->replica = NULL;
    memstore_free(f->memory);
    f->memory = snapshot;
    open_primary(f, 200000000);
    struct gvsn after = create(f, "c", 3);

    assert_true(after.number > lost.number);
}

static void numbers_of_ours_that_a_partner_has_are_left_out(void **state)
{
    struct fixture *f = *state;
    struct vector theirs = {0};

    open_primary(f, 1000);
    struct gvsn own = create(f, "a", 1);
    vector_add(&theirs, &own);
    replica_heard(f->replica, &theirs);
    assert_false(replica_went_back(f->replica));

    struct gvsn lost = {.database = own.database, .number = own.number + 5};
    vector_add(&theirs, &lost);
    replica_heard(f->replica, &theirs);
    assert_true(replica_went_back(f->replica));
    struct gvsn next = create(f, "b", 2);
    assert_true(next.number > lost.number);
    assert_false(gvsn_succeeds(&next, &lost));

    struct vector none = {0};
    assert_int_equal(replica_join(f->replica, &theirs, &none), ST_OK);
    assert_false(replica_went_back(f->replica));
    vector_fini(&theirs);
}

static void the_database_of_another_member_gets_a_guid_of_its_own(void **state)
{
    struct fixture *f = *state;

    open_primary(f, 1000);
    struct gvsn original = create(f, "a", 1);
    open_as(f, (struct replica_options){
                   .primary = true, .member = OTHER_MEMBER, .fresh_database = FRESH_TOO});
    struct gvsn own = create(f, "b", 2);

    assert_true(vector_contains(replica_vector(f->replica), &original));
    assert_true(guid_equal(&own.database, &FRESH_TOO));
    assert_true(guid_equal(&replica_state(f->replica)->member, &OTHER_MEMBER));
}

static void before_its_first_sync_a_member_renames_what_it_numbered(void **state)
{
    struct fixture *f = *state;
    struct record record = {0};
    struct store store = memstore_port(f->memory);

    open_as(f, (struct replica_options){.member = MEMBER, .fresh_database = FRESH});
    struct gvsn before = create(f, "a", 1);
    open_as(f, (struct replica_options){.member = MEMBER, .fresh_database = FRESH_TOO});
    struct file_id old = {.database = before.database, .number = before.number};
    struct file_id renamed = {.database = FRESH_TOO, .number = before.number};

    assert_false(store.ops->get(store.arg, &old, &record));
    assert_true(store.ops->get(store.arg, &renamed, &record));
    assert_true(guid_equal(&record.update.gvsn.database, &FRESH_TOO));
    assert_false(vector_contains(replica_vector(f->replica), &before));
    assert_true(vector_contains(replica_vector(f->replica), &record.update.gvsn));
    record_fini(&record);
}

/* --- two members --- */

static void begin(struct member *members)
{
    for (unsigned i = 0; i < MEMBERS; i++) {
        member_init(&members[i], i, i == A);
        member_scan(&members[i]);
    }
    member_create(&members[A], "dir", FILE_DIRECTORY, 0);
    member_create(&members[A], "dir/file", FILE_REGULAR, 1);
    member_create(&members[A], "other", FILE_REGULAR, 2);
    assert_true(members_converge(members, MEMBERS, 10));
}

static void end(struct member *members)
{
    for (size_t i = 0; i < MEMBERS; i++)
        member_fini(&members[i]);
}

/* The member's process starts on what @take_snapshot holds. */
static void go_back(struct member *member, struct member *take_snapshot)
{
    member_fini(member);
    *member = *take_snapshot;
    member_crash(member);
}

static bool is_anywhere(const struct member *members, uint64_t content)
{
    for (size_t i = 0; i < MEMBERS; i++) {
        if (member_shows(&members[i], content) || member_kept(&members[i], content))
            return true;
    }
    return false;
}

static void a_content_of_the_lost_time_line_is_preserved_against_the_new_one(void **state)
{
    struct member members[MEMBERS];
    struct member snapshot;
    (void)state;

    begin(members);
    member_copy(&snapshot, &members[A]);
    member_write(&members[A], "other", 3);
    assert_true(members_converge(members, MEMBERS, 10));
    go_back(&members[A], &snapshot);
    members[A].now.ns += 1000;
    member_write(&members[A], "other", 4);
    assert_true(members_converge(members, MEMBERS, 10));

    assert_null(member_difference(&members[A], &members[B]));
    assert_true(is_anywhere(members, 3));
    assert_true(is_anywhere(members, 4));
    end(members);
}

/* --- listings --- */

/* Carry out what the listing of @from says to @to, as one part for each id. */
static enum listing_next list(struct member *to, const struct file_id *ids, size_t count,
                              const struct vector *sender_vector)
{
    struct listing *listing = listing_begin(to->replica, sender_vector);
    enum listing_next next;
    struct plan *plan;

    for (size_t i = 0; i < count; i++)
        assert_null(listing_part(listing, to->replica, &ids[i], 1, &ids[i]));
    assert_null(listing_part(listing, to->replica, NULL, 0, NULL));
    while ((next = listing_next(listing, to->replica, to->now, &plan)) == LISTING_PLAN) {
        struct step_result results[16] = {0};
        enum settled settled[1];
        size_t step_count;
        size_t issued;
        const struct step *steps = replica_plan_steps(plan, &step_count);

        assert_true(step_count <= 16);
        assert_int_equal(replica_intend(plan), ST_OK);
        for (size_t i = 0; i < step_count; i++)
            results[i] = modeldisk_run(&to->disk, &steps[i]);
        assert_int_equal(replica_settle(plan, results, step_count, settled, &issued), ST_OK);
    }
    listing_free(listing);
    return next;
}

static void what_is_not_listed_goes_and_is_preserved(void **state)
{
    struct member members[MEMBERS];
    struct record other;
    (void)state;

    begin(members);
    other = member_record(&members[B], "other");
    assert_int_equal(list(&members[B], &other.update.id, 1, replica_vector(members[A].replica)),
                     LISTING_JOIN);

    assert_int_equal(member_at(&members[B], "dir"), 0);
    assert_true(member_at(&members[B], "other") != 0);
    assert_true(member_kept(&members[B], 1));
    end(members);
}

static void what_the_sender_has_not_heard_of_stays(void **state)
{
    struct member members[MEMBERS];
    struct vector before = {0};
    (void)state;

    begin(members);
    vector_copy(&before, replica_vector(members[A].replica));
    member_create(&members[B], "dir/new", FILE_REGULAR, 5);
    member_write(&members[B], "other", 6);
    member_scan(&members[B]);
    assert_int_equal(list(&members[B], NULL, 0, &before), LISTING_JOIN);

    assert_true(member_at(&members[B], "dir/new") != 0);
    assert_true(member_at(&members[B], "other") != 0);
    assert_int_equal(member_at(&members[B], "dir/file"), 0);
    struct record dir = member_record(&members[B], "dir");
    assert_false(vector_contains(&before, &dir.update.gvsn));
    vector_fini(&before);
    end(members);
}

static void a_round_is_not_joined_when_others_told_meanwhile(void **state)
{
    struct member members[MEMBERS];
    struct plan *plan;
    (void)state;

    begin(members);
    member_write(&members[A], "other", 3);
    member_scan(&members[A]);
    struct listing *listing =
        listing_begin(members[B].replica, replica_vector(members[A].replica));
    assert_int_equal(member_pull(&members[B], &members[A], NULL), PULL_JOINED);

    assert_int_equal(listing_next(listing, members[B].replica, members[B].now, &plan),
                     LISTING_VOID);
    listing_free(listing);
    end(members);
}

static void a_listing_out_of_order_is_refused(void **state)
{
    struct member members[MEMBERS];
    (void)state;

    begin(members);
    const struct guid *database = &replica_state(members[A].replica)->database;
    struct file_id ids[] = {{.database = *database, .number = 20},
                            {.database = *database, .number = 19}};
    for (unsigned way = 0; way < 4; way++) {
        struct listing *listing =
            listing_begin(members[B].replica, replica_vector(members[A].replica));
        const char *rule = NULL;

        switch (way) {
        case 0:
            rule = listing_part(listing, members[B].replica, ids, 2, NULL);
            break;
        case 1:
            rule = listing_part(listing, members[B].replica, ids, 1, &ids[1]);
            break;
        case 2:
            assert_null(listing_part(listing, members[B].replica, ids, 1, &ids[0]));
            rule = listing_part(listing, members[B].replica, NULL, 0, &ids[0]);
            break;
        case 3:
            assert_null(listing_part(listing, members[B].replica, NULL, 0, &ids[0]));
            rule = listing_part(listing, members[B].replica, ids, 1, NULL);
            break;
        }
        assert_non_null(rule);
        listing_free(listing);
    }
    end(members);
}

int main(void)
{
#define ALONE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        ALONE(a_number_is_not_issued_again_after_a_start),
        ALONE(a_start_does_not_number_on_from_what_comes_back),
        ALONE(a_later_start_numbers_above_an_earlier_one_that_is_lost),
        ALONE(numbers_of_ours_that_a_partner_has_are_left_out),
        ALONE(the_database_of_another_member_gets_a_guid_of_its_own),
        ALONE(before_its_first_sync_a_member_renames_what_it_numbered),
        cmocka_unit_test(a_content_of_the_lost_time_line_is_preserved_against_the_new_one),
        cmocka_unit_test(what_is_not_listed_goes_and_is_preserved),
        cmocka_unit_test(what_the_sender_has_not_heard_of_stays),
        cmocka_unit_test(a_round_is_not_joined_when_others_told_meanwhile),
        cmocka_unit_test(a_listing_out_of_order_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
