/* SPDX-License-Identifier: Apache-2.0 */
#include "common/ad/entry.h"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

static void names_of_attributes_have_no_case(void **state)
{
    struct ad_entries entries = {0};
    (void)state;

    struct ad_entry *e = ad_entries_add(&entries, "CN=a");
    ad_entries_add_value(&entries, "objectClass", span_of_string("top"));
    ad_entries_add_value(&entries, "OBJECTCLASS", span_of_string("msDFSR-Member"));

    assert_int_equal(e->attribute_count, 1);
    assert_true(ad_entry_has_class(e, "MSDFSR-member"));
    assert_false(ad_entry_has_class(e, "msDFSR"));
    assert_null(ad_entry_attribute(e, "cn"));
    ad_entries_fini(&entries);
}

static void values_are_bytes_and_text_only_without_nul(void **state)
{
    struct ad_entries entries = {0};
    struct span value;
    (void)state;

    struct ad_entry *e = ad_entries_add(&entries, "CN=a");
    ad_entries_add_value(&entries, "blob", span_of("a\0b", 3));
    ad_entries_add_value(&entries, "text", span_of_string("ab"));
    ad_entries_add_value(&entries, "empty", span_of(NULL, 0));

    assert_true(ad_entry_value(e, "blob", &value));
    assert_int_equal(value.size, 3);
    assert_null(ad_entry_text(e, "blob"));
    assert_string_equal(ad_entry_text(e, "text"), "ab");
    assert_string_equal(ad_entry_text(e, "empty"), "");
    assert_null(ad_entry_text(e, "absent"));
    assert_int_equal(entries.bytes, strlen("CN=a") + 3 + 2);
    ad_entries_fini(&entries);
}

static void identity_is_the_objectguid_else_the_entryuuid(void **state)
{
    static const char uuid[] = "33221100-5544-7766-8899-aabbccddeeff";
    struct ad_entries entries = {0};
    uint8_t raw[GUID_SIZE];
    struct guid id;
    (void)state;

    for (unsigned i = 0; i < GUID_SIZE; i++)
        raw[i] = (uint8_t)(i * 0x11);
    struct ad_entry *e = ad_entries_add(&entries, "CN=a");
    assert_false(ad_entry_guid(e, &id));
    ad_entries_add_value(&entries, "entryUUID", span_of_string(uuid));
    assert_true(ad_entry_guid(e, &id));
    assert_memory_equal(id.bytes, raw, GUID_SIZE);
    raw[0] = 0x77;
    ad_entries_add_value(&entries, "objectGUID", span_of(raw, GUID_SIZE));
    assert_true(ad_entry_guid(e, &id));
    assert_int_equal(id.bytes[0], 0x77);
    ad_entries_fini(&entries);
}

static void a_malformed_identity_is_none(void **state)
{
    struct ad_entries entries = {0};
    uint8_t zero[GUID_SIZE] = {0};
    struct guid id;
    (void)state;

    struct ad_entry *e = ad_entries_add(&entries, "CN=a");
    ad_entries_add_value(&entries, "objectGUID", span_of(zero, GUID_SIZE - 1));
    assert_false(ad_entry_guid(e, &id));
    e = ad_entries_add(&entries, "CN=b");
    ad_entries_add_value(&entries, "objectGUID", span_of(zero, GUID_SIZE));
    assert_false(ad_entry_guid(e, &id));
    e = ad_entries_add(&entries, "CN=c");
    ad_entries_add_value(&entries, "entryUUID", span_of_string("33221100"));
    assert_false(ad_entry_guid(e, &id));
    ad_entries_fini(&entries);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_attributes_have_no_case),
        cmocka_unit_test(values_are_bytes_and_text_only_without_nul),
        cmocka_unit_test(identity_is_the_objectguid_else_the_entryuuid),
        cmocka_unit_test(a_malformed_identity_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
