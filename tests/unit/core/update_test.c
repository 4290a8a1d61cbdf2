/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/version/update.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static struct update file_update(void)
{
    struct update u = {
        .id = {.database = {{1}}, .number = 9},
        .gvsn = {.database = {{2}}, .number = 12},
        .parent = {.database = {{3}}, .number = VERSION_NUMBER_ROOT},
        .kind = FILE_REGULAR,
        .present = true,
        .fence = FENCE_DEFAULT,
        .clock = 1000,
        .create_time = 500,
        .size = 4,
        .hash = {{1, 2, 3}},
    };

    update_set_name(&u, span_of_string("report.txt"));
    return u;
}

/* @greater beats @lesser, and the order is antisymmetric. */
static void assert_beats(const struct update *greater, const struct update *lesser)
{
    assert_true(update_compare(greater, lesser) > 0);
    assert_true(update_compare(lesser, greater) < 0);
}

static void order_asks_fence_directory_create_time_clock_id_and_gvsn_in_turn(void **state)
{
    struct update base = file_update();
    struct update other = base;
    (void)state;

    assert_int_equal(update_compare(&base, &other), 0);
    other.gvsn.number++;
    assert_beats(&other, &base);
    base.id.number++;
    assert_beats(&base, &other);
    other.clock++;
    assert_beats(&other, &base);
    base.create_time++;
    assert_beats(&base, &other);
    other.kind = FILE_DIRECTORY;
    assert_beats(&other, &base);
    base.fence++;
    assert_beats(&base, &other);
}

static void name_conflict_tombstone_beats_everything_that_is_not_one(void **state)
{
    struct update dead = file_update();
    struct update live = file_update();
    (void)state;

    dead.present = false;
    dead.name_conflict = true;
    live.fence = FENCE_DEFAULT + 5;
    live.clock = UPDATE_CLOCK_MAX;

    assert_beats(&dead, &live);
    live.present = false;
    assert_beats(&dead, &live);
}

static void codec_returns_the_same_update(void **state)
{
    struct update u = file_update();
    struct update back = {0};
    struct buf bytes = {0};
    (void)state;

    update_set_attributes(&u, span_of_string("mode"));
    update_encode(&u, &bytes);
    struct reader r = reader_of(buf_span(&bytes));
    update_decode(&r, &back);

    assert_true(reader_finished(&r));
    assert_int_equal(update_compare(&u, &back), 0);
    assert_true(update_same_place(&u, &back));
    assert_true(update_same_content(&u, &back));
    assert_true(update_same_attributes(&u, &back));
    update_fini(&u);
    update_fini(&back);
    buf_fini(&bytes);
}

static void codec_keeps_where_a_directory_was_merged(void **state)
{
    struct update u = file_update();
    struct update back = {0};
    struct buf bytes = {0};
    (void)state;

    u.kind = FILE_DIRECTORY;
    u.size = 0;
    u.hash = (struct content_hash){{0}};
    u.present = false;
    u.name_conflict = true;
    u.merged = true;
    u.merged_into = (struct file_id){.database = {{9}}, .number = 77};
    update_encode(&u, &bytes);
    struct reader r = reader_of(buf_span(&bytes));
    update_decode(&r, &back);

    assert_true(reader_finished(&r));
    assert_true(back.merged && back.name_conflict && !back.present);
    assert_true(file_id_equal(&back.merged_into, &u.merged_into));
    update_fini(&back);
    buf_fini(&bytes);
}

static void every_truncation_and_every_flipped_byte_is_refused_or_canonical(void **state)
{
    struct update u = file_update();
    struct buf bytes = {0};
    (void)state;

    update_set_attributes(&u, span_of_string("mode"));
    update_encode(&u, &bytes);
    for (size_t size = 0; size < bytes.size; size++) {
        struct update back = {0};
        struct reader r = reader_of(span_of(bytes.data, size));

        update_decode(&r, &back);
        assert_false(reader_ok(&r));
        assert_null(back.attributes);
    }
    for (size_t i = 0; i < bytes.size * 8; i++) {
        struct update back = {0};
        struct buf again = {0};

        bytes.data[i / 8] ^= (uint8_t)(1u << i % 8);
        struct reader r = reader_of(buf_span(&bytes));
        update_decode(&r, &back);
        if (reader_finished(&r)) {
            assert_null(update_problem(&back));
            update_encode(&back, &again);
            assert_true(span_equal(buf_span(&bytes), buf_span(&again)));
        }
        bytes.data[i / 8] ^= (uint8_t)(1u << i % 8);
        update_fini(&back);
        buf_fini(&again);
    }
    update_fini(&u);
    buf_fini(&bytes);
}

static void assert_name_refused(const char *name, size_t size)
{
    struct update u = file_update();

    update_set_name(&u, span_of(name, size));
    assert_non_null(update_problem(&u));
}

static void names_that_leave_the_folder_are_refused(void **state)
{
    struct update u = file_update();
    (void)state;

    assert_name_refused("", 0);
    assert_name_refused(".", 1);
    assert_name_refused("..", 2);
    assert_name_refused("a/b", 3);
    assert_name_refused("a\0b", 3);
    assert_name_refused(PRIVATE_DIR_NAME, strlen(PRIVATE_DIR_NAME));
    update_set_name(&u, span_of_string("..."));
    assert_null(update_problem(&u));
    u.parent.number = 44;
    update_set_name(&u, span_of_string(PRIVATE_DIR_NAME));
    assert_null(update_problem(&u));
}

static void contradictions_are_refused(void **state)
{
    struct update base = file_update();
    struct update u = base;
    (void)state;

    assert_null(update_problem(&u));
    u.name_conflict = true;
    assert_non_null(update_problem(&u));
    u = base;
    u.present = false;
    assert_non_null(update_problem(&u)); /* a tombstone with content */
    u = base;
    u.merged = true;
    assert_non_null(update_problem(&u));
    u = base;
    u.parent = u.id;
    assert_non_null(update_problem(&u));
    u = base;
    u.id.number = VERSION_NUMBER_FIRST - 1;
    assert_non_null(update_problem(&u));
    u = base;
    u.gvsn.number = 0;
    assert_non_null(update_problem(&u));
    u = base;
    u.parent.number = 2;
    assert_non_null(update_problem(&u));
    u = base;
    u.kind = FILE_KIND_NONE;
    assert_non_null(update_problem(&u));
    u = base;
    u.clock = UPDATE_CLOCK_MAX + 1;
    assert_non_null(update_problem(&u));
    u = base;
    u.fence = UPDATE_FENCE_MAX + 1;
    assert_non_null(update_problem(&u));
    u = base;
    u.kind = FILE_SYMLINK;
    u.size = 0;
    assert_non_null(update_problem(&u));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_asks_fence_directory_create_time_clock_id_and_gvsn_in_turn),
        cmocka_unit_test(name_conflict_tombstone_beats_everything_that_is_not_one),
        cmocka_unit_test(codec_returns_the_same_update),
        cmocka_unit_test(codec_keeps_where_a_directory_was_merged),
        cmocka_unit_test(every_truncation_and_every_flipped_byte_is_refused_or_canonical),
        cmocka_unit_test(names_that_leave_the_folder_are_refused),
        cmocka_unit_test(contradictions_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
