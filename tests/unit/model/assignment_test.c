/* SPDX-License-Identifier: Apache-2.0 */
#include "common/model/assignment.h"

#include "common/base/limits.h"
#include "common/base/mem.h"

#include "proto/assignment.pb-c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static struct guid id_of(uint8_t last)
{
    struct guid id = {.bytes = {0x10}};

    id.bytes[GUID_SIZE - 1] = last;
    return id;
}

static void connection_set(struct connection_assignment *c, uint8_t id, bool inbound)
{
    c->connection = id_of(id);
    c->partner_member = id_of((uint8_t)(id + 100));
    c->partner_name = mem_copy_string("fs2.corp.example");
    c->partner_host = mem_copy_string(inbound ? "fs2.corp.example" : "");
    c->partner_port = inbound ? 7722 : 0;
    c->partner_principal_count = 2;
    c->partner_principals = mem_new(2, sizeof(char *));
    c->partner_principals[0] = mem_copy_string("host/fs2.corp.example@CORP.EXAMPLE");
    c->partner_principals[1] = mem_copy_string("FS2$@CORP.EXAMPLE");
    c->schedule = schedule_always();
    c->schedule.levels[7] = 0x3c;
    c->schedule.local_time = inbound;
    c->enabled = true;
    c->rdc_enabled = true;
    c->rdc_size_min = 65536;
}

static void folder_set(struct folder_assignment *f, uint8_t id)
{
    f->group = id_of(1);
    f->folder = id_of(id);
    f->member = id_of(2);
    f->group_name = mem_copy_string("Projects");
    f->folder_name = mem_copy_string("cad");
    f->root_path = mem_copy_string("/srv/cad");
    f->staging_path = mem_copy_string("");
    f->preserve_path = mem_copy_string("/srv/preserve");
    f->problem = mem_copy_string("");
    f->staging_bytes_max = UINT64_C(4096) << 20;
    f->preserve_bytes_max = UINT64_C(660) << 20;
    f->tombstone_life_min = 86400;
    f->enabled = true;
    f->primary = true;
    f->case_insensitive = true;
    assert_true(filter_add_list(&f->file_filter, FILTER_FILE_DEFAULT));
    assert_true(filter_add(&f->directory_filter, "cache"));
    f->inbound_count = 2;
    f->inbound = mem_new(2, sizeof(*f->inbound));
    connection_set(&f->inbound[0], 21, true);
    connection_set(&f->inbound[1], 22, true);
    f->outbound_count = 1;
    f->outbound = mem_new(1, sizeof(*f->outbound));
    connection_set(&f->outbound[0], 23, false);
}

static struct assignment *example(void)
{
    struct assignment *a = MEM_NEW(struct assignment);

    a->generation = 7;
    a->computer_name = mem_copy_string("fs1.corp.example");
    a->folder_count = 2;
    a->folders = mem_new(2, sizeof(*a->folders));
    folder_set(&a->folders[0], 11);
    folder_set(&a->folders[1], 12);
    return a;
}

/* Encodes and frees @a, decodes, and expects a problem that contains @expected. */
static void expect_refused(struct assignment *a, const char *expected)
{
    struct buf bytes = {0};
    struct assignment *read = NULL;
    char *problem = NULL;

    assignment_encode(a, &bytes);
    assignment_free(a);
    if (assignment_decode(buf_span(&bytes), &read, &problem))
        fail_msg("accepted, though it should say: %s", expected);
    if (!strstr(problem, expected))
        fail_msg("says \"%s\" where \"%s\" was expected", problem, expected);
    assert_null(read);
    free(problem);
    buf_fini(&bytes);
}

static void replace(char **text, const char *with)
{
    free(*text);
    *text = mem_copy_string(with);
}

static void decoding_gives_back_what_was_encoded(void **state)
{
    struct assignment *a = example();
    struct assignment *b = NULL;
    struct buf bytes = {0};
    struct buf again = {0};
    char *problem = NULL;
    (void)state;

    assignment_encode(a, &bytes);
    if (!assignment_decode(buf_span(&bytes), &b, &problem))
        fail_msg("refused: %s", problem);
    assignment_encode(b, &again);

    assert_true(span_equal(buf_span(&bytes), buf_span(&again)));
    assert_int_equal(b->generation, 7);
    assert_int_equal(b->folder_count, 2);
    struct folder_assignment *f = &b->folders[1];
    assert_true(guid_equal(&f->folder, &a->folders[1].folder));
    assert_true(guid_equal(&f->member, &a->folders[1].member));
    assert_true(guid_equal(&f->group, &a->folders[1].group));
    assert_string_equal(f->preserve_path, "/srv/preserve");
    assert_true(f->enabled && f->primary && f->case_insensitive && !f->read_only);
    assert_int_equal(f->file_filter.pattern_count, 3);
    assert_string_equal(f->directory_filter.patterns[0], "cache");
    assert_int_equal(f->inbound_count, 2);
    struct connection_assignment *c = &f->inbound[1];
    assert_true(guid_equal(&c->connection, &a->folders[1].inbound[1].connection));
    assert_true(guid_equal(&c->partner_member, &a->folders[1].inbound[1].partner_member));
    assert_string_equal(c->partner_host, "fs2.corp.example");
    assert_int_equal(c->partner_port, 7722);
    assert_string_equal(c->partner_principals[1], "FS2$@CORP.EXAMPLE");
    assert_memory_equal(c->schedule.levels, a->folders[1].inbound[1].schedule.levels,
                        SCHEDULE_SIZE);
    assert_true(c->schedule.local_time && c->enabled && c->rdc_enabled);
    assert_int_equal(c->rdc_size_min, 65536);
    assert_string_equal(f->outbound[0].partner_host, "");
    assignment_free(a);
    assignment_free(b);
    buf_fini(&bytes);
    buf_fini(&again);
}

static void address_literals_survive_the_wire(void **state)
{
    struct assignment *a = example();
    struct assignment *b = NULL;
    struct buf bytes = {0};
    char *problem = NULL;
    (void)state;

    replace(&a->folders[0].inbound[0].partner_host, "fe80::7722");
    replace(&a->folders[0].inbound[1].partner_host, "127.77.0.1");
    a->folders[0].inbound[1].partner_port = 65535;

    assignment_encode(a, &bytes);
    assert_true(assignment_decode(buf_span(&bytes), &b, &problem));
    assert_string_equal(b->folders[0].inbound[0].partner_host, "fe80::7722");
    assert_int_equal(b->folders[0].inbound[0].partner_port, 7722);
    assert_string_equal(b->folders[0].inbound[1].partner_host, "127.77.0.1");
    assert_int_equal(b->folders[0].inbound[1].partner_port, 65535);
    assignment_free(a);
    assignment_free(b);
    buf_fini(&bytes);
}

static void the_digest_ignores_generation_and_order_and_nothing_else(void **state)
{
    struct assignment *a = example();
    struct assignment *b = example();
    struct buf first = {0};
    struct buf second = {0};
    (void)state;

    b->generation = 8;
    struct folder_assignment f = b->folders[0];
    b->folders[0] = b->folders[1];
    b->folders[1] = f;
    struct connection_assignment c = b->folders[0].inbound[0];
    b->folders[0].inbound[0] = b->folders[0].inbound[1];
    b->folders[0].inbound[1] = c;
    assignment_encode(a, &first);
    assignment_encode(b, &second);
    assert_memory_equal(a->digest, b->digest, ASSIGNMENT_DIGEST_SIZE);

    b->folders[1].outbound[0].schedule.levels[0] ^= 1;
    assignment_encode(b, &second);
    assert_memory_not_equal(a->digest, b->digest, ASSIGNMENT_DIGEST_SIZE);
    assignment_free(a);
    assignment_free(b);
    buf_fini(&first);
    buf_fini(&second);
}

/* Property: bytes with one bit flipped are refused, or mean the same but for the generation. */
static void no_flipped_or_missing_byte_goes_unseen(void **state)
{
    struct assignment *a = example();
    struct assignment *b = NULL;
    struct buf bytes = {0};
    struct buf again = {0};
    (void)state;

    assignment_encode(a, &bytes);
    uint8_t *copy = mem_copy(bytes.data, bytes.size);
    for (size_t i = 0; i < bytes.size; i++) {
        char *problem = NULL;

        copy[i] ^= 0x04;
        if (assignment_decode(span_of(copy, bytes.size), &b, &problem)) {
            b->generation = a->generation;
            buf_clear(&again);
            assignment_encode(b, &again);
            assert_true(span_equal(buf_span(&bytes), buf_span(&again)));
            assignment_free(b);
        } else {
            assert_non_null(problem);
            free(problem);
        }
        copy[i] = bytes.data[i];
        problem = NULL;
        assert_false(assignment_decode(span_of(copy, i), &b, &problem));
        free(problem);
    }
    free(copy);
    assignment_free(a);
    buf_fini(&bytes);
    buf_fini(&again);
}

static void a_broken_rule_is_named_with_its_object(void **state)
{
    struct assignment *a = example();
    (void)state;

    replace(&a->folders[1].folder_name, "draw\x1bings");
    expect_refused(a, "folder draw\\x1bings (00000010-0000-0000-0000-00000000000c): folder_name");
    a = example();
    a->folders[0].inbound[1].rdc_size_min = UINT64_MAX;
    expect_refused(a, "folder cad (00000010-0000-0000-0000-00000000000b): inbound connection "
                      "00000010-0000-0000-0000-000000000016: rdc_size_min");
}

static void paths_that_leave_their_place_are_refused(void **state)
{
    struct assignment *a = example();
    (void)state;

    replace(&a->folders[0].root_path, "/srv/../etc");
    expect_refused(a, "root_path is not");
    a = example();
    replace(&a->folders[0].root_path, "/");
    expect_refused(a, "root_path is not");
    a = example();
    replace(&a->folders[0].staging_path, "stage");
    expect_refused(a, "staging_path");
    a = example();
    replace(&a->folders[0].preserve_path, "/a/");
    expect_refused(a, "preserve_path");
    a = example();
    replace(&a->folders[0].root_path, "");
    expect_refused(a, "root_path is missing");
}

static void a_held_back_folder_may_lack_its_path(void **state)
{
    struct assignment *a = example();
    struct assignment *b = NULL;
    struct buf bytes = {0};
    char *problem = NULL;
    (void)state;

    replace(&a->folders[0].root_path, "");
    replace(&a->folders[0].problem, "the subscription has no root path");
    replace(&a->folders[1].root_path, "");
    a->folders[1].enabled = false;

    assignment_encode(a, &bytes);
    assert_true(assignment_decode(buf_span(&bytes), &b, &problem));
    assert_string_equal(b->folders[0].problem, "the subscription has no root path");
    assignment_free(a);
    assignment_free(b);
    buf_fini(&bytes);
}

static void connections_nobody_could_use_safely_are_refused(void **state)
{
    struct assignment *a = example();
    (void)state;

    replace(&a->folders[0].inbound[0].partner_host, "");
    expect_refused(a, "partner_address is missing");
    a = example();
    replace(&a->folders[0].inbound[0].partner_host, "host/with/path");
    expect_refused(a, "partner_address is not");
    a = example();
    a->folders[0].inbound[0].partner_port = 0;
    expect_refused(a, "partner_address is not");
    a = example();
    replace(&a->folders[0].outbound[0].partner_host, "fs9");
    expect_refused(a, "partner_address is set");
    a = example();
    replace(&a->folders[0].inbound[0].partner_principals[1], "");
    expect_refused(a, "partner_principals has");
    a = example();
    free(a->folders[0].outbound[0].partner_principals[1]);
    free(a->folders[0].outbound[0].partner_principals[0]);
    a->folders[0].outbound[0].partner_principal_count = 0;
    expect_refused(a, "no partner_principals");
}

static void the_same_object_twice_is_refused(void **state)
{
    struct assignment *a = example();
    (void)state;

    a->folders[1].folder = a->folders[0].folder;
    expect_refused(a, "folders are not in ascending order");
    a = example();
    a->folders[0].inbound[1].connection = a->folders[0].inbound[0].connection;
    expect_refused(a, "connections are not in ascending order");
    a = example();
    a->folders[0].folder = (struct guid){0};
    expect_refused(a, "folder_guid");
}

static void contradictions_and_senseless_numbers_are_refused(void **state)
{
    struct assignment *a = example();
    (void)state;

    a->folders[0].read_only = true;
    expect_refused(a, "both read_only and primary");
    a = example();
    a->folders[0].staging_bytes_max = 0;
    expect_refused(a, "staging_bytes_max");
    a = example();
    a->folders[0].preserve_bytes_max = UINT64_MAX;
    expect_refused(a, "preserve_bytes_max");
    a = example();
    a->folders[0].tombstone_life_min = 0;
    expect_refused(a, "tombstone_life_min");
    a = example();
    replace(&a->folders[0].file_filter.patterns[0], "");
    expect_refused(a, "a filter is empty");
    a = example();
    replace(&a->computer_name, "");
    expect_refused(a, "assignment: computer_name");
}

static void an_unknown_format_asks_for_an_upgrade(void **state)
{
    uint8_t bytes[2] = {0x08, 0x02}; /* format = 2 */
    struct assignment *a = NULL;
    char *problem = NULL;
    (void)state;

    assert_false(assignment_decode(span_of(bytes, sizeof(bytes)), &a, &problem));
    assert_non_null(strstr(problem, "upgrade"));
    free(problem);
}

/* Half a million empty folders in a megabyte would want over a hundred megabytes. */
static void a_small_message_cannot_take_much_memory(void **state)
{
    size_t size = 1u << 20;
    uint8_t *bytes = mem_new(size, 1);
    struct assignment *a = NULL;
    char *problem = NULL;
    (void)state;

    for (size_t i = 0; i < size; i += 2)
        bytes[i] = 0x2a; /* field 5, length 0 */
    assert_true(size / 2 * sizeof(Coterie__V1__Folder) > ASSIGNMENT_MEMORY_MAX);

    assert_false(assignment_decode(span_of(bytes, size), &a, &problem));
    assert_non_null(strstr(problem, "bigger than allowed"));
    free(problem);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decoding_gives_back_what_was_encoded),
        cmocka_unit_test(address_literals_survive_the_wire),
        cmocka_unit_test(the_digest_ignores_generation_and_order_and_nothing_else),
        cmocka_unit_test(no_flipped_or_missing_byte_goes_unseen),
        cmocka_unit_test(a_broken_rule_is_named_with_its_object),
        cmocka_unit_test(paths_that_leave_their_place_are_refused),
        cmocka_unit_test(a_held_back_folder_may_lack_its_path),
        cmocka_unit_test(connections_nobody_could_use_safely_are_refused),
        cmocka_unit_test(the_same_object_twice_is_refused),
        cmocka_unit_test(contradictions_and_senseless_numbers_are_refused),
        cmocka_unit_test(an_unknown_format_asks_for_an_upgrade),
        cmocka_unit_test(a_small_message_cannot_take_much_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
