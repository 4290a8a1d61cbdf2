/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/version/vector.h"
#include "common/base/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static const struct guid one = {.bytes = {1}};

static bool decodes(const struct buf *bytes)
{
    struct vector v = {0};
    struct reader r = reader_of(buf_span(bytes));

    vector_decode(&r, &v);
    bool ok = reader_finished(&r);
    assert_true(ok || vector_is_empty(&v));
    vector_fini(&v);
    return ok;
}

static void the_largest_number_fits(void **state)
{
    struct vector v = {0};
    struct buf bytes = {0};
    struct gvsn last = {.database = one, .number = UINT64_MAX};
    (void)state;

    vector_add_interval(&v, &one, (struct interval){0, 5});
    assert_true(vector_add(&v, &last));
    vector_encode(&v, &bytes);

    assert_true(vector_contains(&v, &last));
    assert_true(decodes(&bytes));
    vector_fini(&v);
    buf_fini(&bytes);
}

static void decode_refuses_more_databases_than_the_limit(void **state)
{
    struct buf bytes = {0};
    (void)state;

    write_varint(&bytes, VECTOR_DATABASE_COUNT_MAX + 1);
    for (uint32_t i = 0; i <= VECTOR_DATABASE_COUNT_MAX; i++) {
        struct guid id = {.bytes = {(uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i}};
        buf_append(&bytes, id.bytes, GUID_SIZE);
        write_varint(&bytes, 1);
        write_varint(&bytes, 0);
        write_varint(&bytes, 1);
    }

    assert_false(decodes(&bytes));
    buf_fini(&bytes);
}

static void decode_refuses_more_intervals_than_the_limit(void **state)
{
    struct buf bytes = {0};
    (void)state;

    write_varint(&bytes, 1);
    buf_append(&bytes, one.bytes, GUID_SIZE);
    write_varint(&bytes, VECTOR_INTERVAL_COUNT_MAX + 1);
    for (uint32_t i = 0; i <= VECTOR_INTERVAL_COUNT_MAX; i++) {
        write_varint(&bytes, 1);
        write_varint(&bytes, 1);
    }

    assert_false(decodes(&bytes));
    buf_fini(&bytes);
}

static void decode_refuses_an_interval_beyond_the_last_number(void **state)
{
    struct buf bytes = {0};
    (void)state;

    write_varint(&bytes, 1);
    buf_append(&bytes, one.bytes, GUID_SIZE);
    write_varint(&bytes, 1);
    write_varint(&bytes, UINT64_MAX);
    write_varint(&bytes, 1);

    assert_false(decodes(&bytes));
    buf_fini(&bytes);
}

static void coalescing_fills_the_smallest_gaps_only(void **state)
{
    struct vector v = {0};
    struct gvsn in_small = {.database = one, .number = 25};
    struct gvsn in_large = {.database = one, .number = 500};
    (void)state;

    vector_add_interval(&v, &one, (struct interval){9, 20});
    vector_add_interval(&v, &one, (struct interval){30, 40});
    vector_add_interval(&v, &one, (struct interval){1000, 1010});
    vector_coalesce(&v, 3);
    assert_false(vector_contains(&v, &in_small));
    vector_coalesce(&v, 2);
    assert_true(vector_contains(&v, &in_small));
    assert_false(vector_contains(&v, &in_large));
    vector_coalesce(&v, 0);
    assert_int_equal(v.entries[0].interval_count, 1);
    vector_fini(&v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_largest_number_fits),
        cmocka_unit_test(decode_refuses_more_databases_than_the_limit),
        cmocka_unit_test(decode_refuses_more_intervals_than_the_limit),
        cmocka_unit_test(decode_refuses_an_interval_beyond_the_last_number),
        cmocka_unit_test(coalescing_fills_the_smallest_gaps_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
