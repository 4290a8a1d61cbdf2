/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/cursor.h"
#include "common/base/guid.h"
#include "common/base/instant.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void guid_text_keeps_microsofts_byte_order(void **state)
{
    struct guid id;
    (void)state;

    assert_true(guid_parse("{33221100-5544-7766-8899-AABBCCDDEEFF}", &id));

    for (unsigned i = 0; i < GUID_SIZE; i++)
        assert_int_equal(id.bytes[i], i * 0x11);
    assert_string_equal(guid_format(&id).text, "33221100-5544-7766-8899-aabbccddeeff");
}

static void guid_parse_refuses_what_is_not_a_guid(void **state)
{
    struct guid id;
    (void)state;

    assert_false(guid_parse("", &id));
    assert_false(guid_parse("33221100-5544-7766-8899-AABBCCDDEEF", &id));
    assert_false(guid_parse("33221100-5544-7766-8899-AABBCCDDEEFF0", &id));
    assert_false(guid_parse("{33221100-5544-7766-8899-AABBCCDDEEFF", &id));
    assert_false(guid_parse("3322110005544-7766-8899-AABBCCDDEEFF", &id));
}

static void varint_reads_back_what_was_written(void **state)
{
    static const uint64_t values[] = {0, 1, 127, 128, 300, UINT32_MAX, UINT64_MAX - 1, UINT64_MAX};
    (void)state;

    for (unsigned i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        struct buf b = {0};
        write_varint(&b, values[i]);
        struct reader r = reader_of(buf_span(&b));
        assert_int_equal(reader_varint(&r), values[i]);
        assert_true(reader_finished(&r));
        buf_fini(&b);
    }
}

static void varint_refuses_long_and_overflowing_forms(void **state)
{
    static const uint8_t padded[] = {0x81, 0x00};
    static const uint8_t overflow[] = {255, 255, 255, 255, 255, 255, 255, 255, 255, 2};
    (void)state;

    struct reader r = reader_of(span_of(padded, sizeof(padded)));
    reader_varint(&r);
    assert_false(reader_ok(&r));
    r = reader_of(span_of(overflow, sizeof(overflow)));
    reader_varint(&r);
    assert_false(reader_ok(&r));
}

static void reader_stays_failed_after_the_first_overrun(void **state)
{
    static const uint8_t bytes[] = {1, 2, 3};
    (void)state;

    struct reader r = reader_of(span_of(bytes, sizeof(bytes)));
    assert_int_equal(reader_u16(&r), 0x0201);
    assert_int_equal(reader_u32(&r), 0);
    assert_int_equal(reader_u8(&r), 0);
    assert_false(reader_ok(&r));
}

static void escaped_names_cannot_move_a_terminal(void **state)
{
    struct buf b = {0};
    (void)state;

    buf_append_escaped(&b, "a\n\x1b[2J\xc2\x9b\\z", 10);

    assert_string_equal(buf_text(&b), "a\\x0a\\x1b[2J\\xc2\\x9b\\x5cz");
    buf_fini(&b);
}

static void walltime_prints_before_and_after_the_epoch(void **state)
{
    (void)state;

    assert_string_equal(walltime_format((struct walltime){.ns = 1500000000}).text,
                        "1970-01-01T00:00:01.500Z");
    assert_string_equal(walltime_format((struct walltime){.ns = -1}).text,
                        "1969-12-31T23:59:59.999Z");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(guid_text_keeps_microsofts_byte_order),
        cmocka_unit_test(guid_parse_refuses_what_is_not_a_guid),
        cmocka_unit_test(varint_reads_back_what_was_written),
        cmocka_unit_test(varint_refuses_long_and_overflowing_forms),
        cmocka_unit_test(reader_stays_failed_after_the_first_overrun),
        cmocka_unit_test(escaped_names_cannot_move_a_terminal),
        cmocka_unit_test(walltime_prints_before_and_after_the_epoch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
