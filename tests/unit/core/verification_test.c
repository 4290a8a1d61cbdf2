/* SPDX-License-Identifier: Apache-2.0 */
/* Records that differ though both sides had processed them are found, and mended from either side. */
#include "agent/replica/verification.h"
#include "agent/session/sender.h"
#include "tests/support/member.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

enum { A, B, MEMBERS };

/* In sync: dir/file with content 1, edited (content 2, then 3), gone (deleted). */
static int set_up(void **state)
{
    static struct member members[MEMBERS];

    for (unsigned i = 0; i < MEMBERS; i++) {
        member_init(&members[i], i, i == A);
        member_scan(&members[i]);
    }
    member_create(&members[A], "dir", FILE_DIRECTORY, 0);
    member_create(&members[A], "dir/file", FILE_REGULAR, 1);
    member_create(&members[A], "edited", FILE_REGULAR, 2);
    member_create(&members[A], "gone", FILE_REGULAR, 4);
    assert_true(members_converge(members, MEMBERS, 10));
    assert_true(member_write(&members[A], "edited", 3));
    assert_true(members_converge(members, MEMBERS, 10));
    *state = members;
    return 0;
}

static int tear_down(void **state)
{
    struct member *members = *state;

    for (unsigned i = 0; i < MEMBERS; i++)
        member_fini(&members[i]);
    return 0;
}

/* @to holds the records of @from against its own, @part_count at a time; how many differ. */
static size_t verify(struct member *to, const struct member *from, size_t part_count)
{
    struct store store = memstore_port(from->store);
    struct verification *v = verification_begin(replica_vector(from->replica));
    bool is_last = false;

    while (!is_last) {
        struct named_record records[8];
        struct file_id upto = {0};
        size_t count = sender_name_records(&store, verification_after(v), records, part_count,
                                           &upto, &is_last);

        assert_null(verification_part(v, to->replica, records, count, is_last ? NULL : &upto));
    }
    size_t found = verification_found(v);
    assert_int_equal(verification_end(v, to->replica), ST_OK);
    verification_free(v);
    return found;
}

static void assert_mended(struct member *members)
{
    assert_true(members_converge(members, MEMBERS, 10));
    assert_null(member_difference(&members[A], &members[B]));
    assert_int_equal(verify(&members[A], &members[B], 8), 0);
    assert_int_equal(verify(&members[B], &members[A], 8), 0);
}

/* The record as if it had never been there, and the file with it. */
static void lose(struct member *member, const char *path)
{
    struct store store = memstore_port(member->store);
    struct record record = member_record(member, path);

    member_delete(member, path);
    store.ops->begin(store.arg);
    store.ops->forget(store.arg, &record.update.id);
    assert_int_equal(store.ops->commit(store.arg), ST_OK);
}

/* The record as its first version. */
static void make_old(struct member *member, const char *path)
{
    struct store store = memstore_port(member->store);
    struct record lent = member_record(member, path);
    struct record record = {0};

    record_copy(&record, &lent);
    record.update.gvsn = (struct gvsn){.database = record.update.id.database,
                                       .number = record.update.id.number};
    record.update.clock--;
    record.update.hash.bytes[0] ^= 0x55;
    store.ops->begin(store.arg);
    store.ops->put(store.arg, &record);
    assert_int_equal(store.ops->commit(store.arg), ST_OK);
    record_fini(&record);
}

static void equal_members_have_nothing_to_say(void **state)
{
    struct member *members = *state;

    for (size_t part_count = 1; part_count < 8; part_count++) {
        assert_int_equal(verify(&members[A], &members[B], part_count), 0);
        assert_int_equal(verify(&members[B], &members[A], part_count), 0);
    }
    assert_int_equal(member_pull(&members[B], &members[A], NULL), PULL_NOTHING);
}

static void what_is_on_its_way_is_no_difference(void **state)
{
    struct member *members = *state;

    assert_true(member_write(&members[A], "edited", 5));
    member_create(&members[A], "new", FILE_REGULAR, 6);
    member_scan(&members[A]);
    member_delete(&members[B], "gone");
    member_scan(&members[B]);
    assert_int_equal(verify(&members[B], &members[A], 2), 0);
    assert_int_equal(verify(&members[A], &members[B], 2), 0);
    assert_mended(members);
}

static void a_lost_record_comes_again(void **state)
{
    struct member *members = *state;

    lose(&members[B], "dir/file");
    assert_int_equal(member_pull(&members[B], &members[A], NULL), PULL_NOTHING);
    assert_int_equal(verify(&members[B], &members[A], 3), 1);
    assert_mended(members);
    assert_true(member_shows(&members[B], 1));
}

static void a_lost_directory_comes_again_with_what_is_in_it(void **state)
{
    struct member *members = *state;

    lose(&members[B], "dir/file");
    lose(&members[B], "dir");
    assert_int_equal(verify(&members[B], &members[A], 8), 2);
    assert_mended(members);
    assert_true(member_shows(&members[B], 1));
}

static void an_old_record_is_brought_up_to_date(void **state)
{
    struct member *members = *state;

    make_old(&members[B], "edited");
    assert_int_equal(verify(&members[B], &members[A], 8), 1);
    assert_int_equal(member_pull(&members[B], &members[A], NULL), PULL_JOINED);
    assert_mended(members);
}

static void the_side_that_is_wrong_may_be_the_one_that_names(void **state)
{
    struct member *members = *state;

    make_old(&members[A], "edited");
    assert_int_equal(verify(&members[B], &members[A], 8), 1);
    assert_mended(members);
}

static void a_file_that_others_deleted_goes(void **state)
{
    struct member *members = *state;
    struct member before;

    member_copy(&before, &members[B]);
    member_delete(&members[A], "gone");
    assert_true(members_converge(members, MEMBERS, 10));
    /* B's record of it, and the file, are back; its vector is not */
    struct record record = member_record(&before, "gone");
    struct store store = memstore_port(members[B].store);
    member_create(&members[B], "gone", FILE_REGULAR, 4);
    record.object = modeldisk_object(member_at(&members[B], "gone"));
    store.ops->begin(store.arg);
    store.ops->put(store.arg, &record);
    assert_int_equal(store.ops->commit(store.arg), ST_OK);
    member_fini(&before);

    assert_int_equal(verify(&members[B], &members[A], 8), 1);
    assert_mended(members);
    assert_int_equal(member_at(&members[B], "gone"), 0);
}

static void parts_must_be_in_order(void **state)
{
    struct member *members = *state;
    struct record dir = member_record(&members[A], "dir");
    struct record file = member_record(&members[A], "dir/file");
    struct named_record records[] = {{.id = file.update.id, .gvsn = file.update.gvsn},
                                     {.id = dir.update.id, .gvsn = dir.update.gvsn}};
    struct verification *v = verification_begin(replica_vector(members[A].replica));

    assert_true(file_id_compare(&dir.update.id, &file.update.id) < 0);
    assert_non_null(verification_part(v, members[B].replica, records, 2, NULL));
    verification_free(v);
    v = verification_begin(replica_vector(members[A].replica));
    assert_non_null(verification_part(v, members[B].replica, records, 1, &dir.update.id));
    verification_free(v);
    v = verification_begin(replica_vector(members[A].replica));
    assert_null(verification_part(v, members[B].replica, records, 1, &file.update.id));
    assert_non_null(verification_part(v, members[B].replica, NULL, 0, &file.update.id));
    verification_free(v);
}

static void its_moment_of_the_week_is_the_same_after_each_start(void **state)
{
    const struct guid connection = {.bytes = {1, 2, 3, 4, 5, 6, 7, 8}};
    const struct guid other = {.bytes = {8, 7, 6, 5, 4, 3, 2, 1}};
    const struct guid folder = {.bytes = {9}};
    const struct walltime now = {.ns = INT64_C(1800000000) * NS_PER_SEC};
    (void)state;

    int64_t wait = verification_due_in_ms(&connection, &folder, now);
    assert_true(wait > 0 && wait <= VERIFY_INTERVAL_MS);
    for (int64_t later = 1; later < wait; later += wait / 7 + 1) {
        struct walltime then = {.ns = now.ns + later * 1000000};
        assert_int_equal(verification_due_in_ms(&connection, &folder, then), wait - later);
    }
    struct walltime moment = {.ns = now.ns + wait * 1000000};
    assert_int_equal(verification_due_in_ms(&connection, &folder, moment), VERIFY_INTERVAL_MS);
    assert_int_not_equal(verification_due_in_ms(&other, &folder, now), wait);
    assert_int_not_equal(verification_due_in_ms(&connection, &other, now), wait);
    assert_true(verification_due_in_ms(&other, &folder, (struct walltime){.ns = -1}) > 0);
}

int main(void)
{
#define PROMISE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        PROMISE(equal_members_have_nothing_to_say),
        PROMISE(what_is_on_its_way_is_no_difference),
        PROMISE(a_lost_record_comes_again),
        PROMISE(a_lost_directory_comes_again_with_what_is_in_it),
        PROMISE(an_old_record_is_brought_up_to_date),
        PROMISE(the_side_that_is_wrong_may_be_the_one_that_names),
        PROMISE(a_file_that_others_deleted_goes),
        PROMISE(parts_must_be_in_order),
        PROMISE(its_moment_of_the_week_is_the_same_after_each_start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
