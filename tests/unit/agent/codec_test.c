/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/transfer/codec.h"

#include "common/base/mem.h"
#include "tests/support/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define ROUND_COUNT 3000

static struct guid random_guid(struct random_source *r)
{
    struct guid id;

    for (size_t i = 0; i < GUID_SIZE; i++)
        id.bytes[i] = (uint8_t)random_next(r);
    return id;
}

static struct file_id random_id(struct random_source *r)
{
    return (struct file_id){.database = random_guid(r), .number = VERSION_NUMBER_FIRST + random_below(r, 1u << 30)};
}

static void random_bytes(struct random_source *r, uint8_t *out, size_t size)
{
    for (size_t i = 0; i < size; i++)
        out[i] = (uint8_t)(random_below(r, 255) + 1);
}

/* Any update that keeps the rules. */
static void random_update(struct random_source *r, struct update *u)
{
    static const enum file_kind kinds[] = {FILE_REGULAR, FILE_DIRECTORY, FILE_SYMLINK};
    uint8_t name[NAME_SIZE_MAX];
    uint8_t attributes[64];
    size_t name_size = 3 + random_below(r, NAME_SIZE_MAX - 2);

    *u = (struct update){.id = random_id(r), .parent = random_id(r)};
    u->gvsn = (struct gvsn){.database = random_guid(r),
                            .number = VERSION_NUMBER_FIRST + random_below(r, 1u << 30)};
    random_bytes(r, name, name_size);
    for (size_t i = 0; i < name_size; i++)
        name[i] = name[i] == '/' ? 'x' : name[i];
    update_set_name(u, span_of(name, name_size));
    u->kind = kinds[random_below(r, 3)];
    u->present = random_chance(r, 60);
    u->name_conflict = !u->present && random_chance(r, 50);
    u->merged = u->name_conflict && u->kind == FILE_DIRECTORY;
    if (u->merged)
        u->merged_into = random_id(r);
    u->fence = random_below(r, UPDATE_FENCE_MAX);
    u->clock = random_below(r, UPDATE_CLOCK_MAX);
    u->create_time = random_below(r, UPDATE_CLOCK_MAX);
    if (u->present && u->kind != FILE_DIRECTORY) {
        u->size = u->kind == FILE_SYMLINK ? 1 + random_below(r, 100) : random_below(r, 1u << 30);
        random_bytes(r, u->hash.bytes, CONTENT_HASH_SIZE);
    }
    if (u->present) {
        random_bytes(r, attributes, sizeof(attributes));
        update_set_attributes(u, span_of(attributes, random_below(r, sizeof(attributes))));
    }
}

static void assert_same_bytes(const struct update *a, const struct update *b)
{
    struct buf bytes_a = {0};
    struct buf bytes_b = {0};

    update_encode(a, &bytes_a);
    update_encode(b, &bytes_b);
    assert_true(span_equal(buf_span(&bytes_a), buf_span(&bytes_b)));
    buf_fini(&bytes_a);
    buf_fini(&bytes_b);
}

/* Through the bytes of the wire, not only through the structs. */
static Coterie__V1__Update *over_the_wire(const struct update *u)
{
    struct update_message message;

    update_to_message(u, &message);

    size_t size = coterie__v1__update__get_packed_size(&message.update);
    uint8_t *bytes = mem_new(size + 1, 1);

    coterie__v1__update__pack(&message.update, bytes);
    Coterie__V1__Update *read = coterie__v1__update__unpack(NULL, size, bytes);
    free(bytes);
    assert_non_null(read);
    return read;
}

static void an_update_comes_back_as_it_went(void **state)
{
    struct random_source random = random_from(random_seed("codec_test"));

    (void)state;
    for (int i = 0; i < ROUND_COUNT; i++) {
        struct update u;
        struct update back = {0};

        random_update(&random, &u);
        assert_null(update_problem(&u));
        Coterie__V1__Update *message = over_the_wire(&u);
        assert_null(update_from_message(message, &back));
        assert_same_bytes(&u, &back);
        coterie__v1__update__free_unpacked(message, NULL);
        update_fini(&u);
        update_fini(&back);
    }
}

/* --- each broken rule --- */

struct rule {
    const char *name;
    void (*break_it)(struct update_message *m);
};

static uint8_t bytes[NAME_SIZE_MAX + ATTRIBUTES_SIZE_MAX + 1];

static void no_file_id(struct update_message *m) { m->update.file_id = NULL; }
static void no_gvsn(struct update_message *m) { m->update.gvsn = NULL; }
static void no_parent(struct update_message *m) { m->update.parent_id = NULL; }
static void short_guid(struct update_message *m) { m->file_id.database_guid.len = 15; }
static void zero_number(struct update_message *m) { m->gvsn.number = 0; }
static void no_kind(struct update_message *m) { m->update.kind = COTERIE__V1__FILE_KIND__FILE_KIND_UNSPECIFIED; }
static void new_kind(struct update_message *m) { m->update.kind = (Coterie__V1__FileKind)77; }
static void no_name(struct update_message *m) { m->update.name.len = 0; }
static void set_name(struct update_message *m, const char *name)
{
    memcpy(bytes, name, strlen(name));
    m->update.name = (ProtobufCBinaryData){.data = bytes, .len = strlen(name)};
}
static void dot(struct update_message *m) { set_name(m, "."); }
static void dots(struct update_message *m) { set_name(m, ".."); }
static void slash(struct update_message *m) { set_name(m, "a/b"); }
static void nul(struct update_message *m)
{
    set_name(m, "abc");
    bytes[1] = '\0';
}
static void long_name(struct update_message *m)
{
    memset(bytes, 'x', sizeof(bytes));
    m->update.name = (ProtobufCBinaryData){.data = bytes, .len = NAME_SIZE_MAX + 1};
}
static void large_attributes(struct update_message *m)
{
    m->update.attributes = (ProtobufCBinaryData){.data = bytes, .len = ATTRIBUTES_SIZE_MAX + 1};
}
static void no_hash(struct update_message *m) { m->update.content_hash.len = 0; }
static void short_hash(struct update_message *m) { m->update.content_hash.len = 31; }
static void present_conflict(struct update_message *m) { m->update.name_conflict = true; }
static void present_merge(struct update_message *m)
{
    m->merged_into = m->parent_id;
    m->update.merged_into = &m->merged_into;
}
static void merge_into_nobody(struct update_message *m)
{
    present_merge(m);
    m->merged_into.number = 0;
}
static void fence_beyond(struct update_message *m) { m->update.fence = UPDATE_FENCE_MAX + 1; }
static void clock_beyond(struct update_message *m) { m->update.clock = UPDATE_CLOCK_MAX + 1; }

static const struct rule rules[] = {
    {"no file id", no_file_id},
    {"no gvsn", no_gvsn},
    {"no parent", no_parent},
    {"a guid of 15 bytes", short_guid},
    {"version number 0", zero_number},
    {"no kind", no_kind},
    {"a kind of the future", new_kind},
    {"no name", no_name},
    {"the name .", dot},
    {"the name ..", dots},
    {"a name with a slash", slash},
    {"a name with NUL", nul},
    {"a name that is too long", long_name},
    {"attributes that are too large", large_attributes},
    {"a file without a hash", no_hash},
    {"a hash of 31 bytes", short_hash},
    {"present, and a name conflict", present_conflict},
    {"present, and merged", present_merge},
    {"merged into nobody", merge_into_nobody},
    {"a fence beyond its limit", fence_beyond},
    {"a clock beyond its limit", clock_beyond},
};

static void every_broken_rule_is_refused(void **state)
{
    struct random_source random = random_from(1);
    struct update u = {0};

    (void)state;
    do {
        update_fini(&u);
        random_update(&random, &u);
    } while (!u.present || u.kind != FILE_REGULAR);
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        struct update_message message;
        struct update back = {0};

        update_to_message(&u, &message);
        rules[i].break_it(&message);
        if (!update_from_message(&message.update, &back))
            fail_msg("accepted: %s", rules[i].name);
        assert_int_equal(back.name_size, 0);
    }
    update_fini(&u);
}

/* --- vectors --- */

static void a_vector_comes_back_as_it_went(void **state)
{
    struct random_source random = random_from(random_seed("codec_test"));

    (void)state;
    for (int i = 0; i < ROUND_COUNT / 10; i++) {
        struct vector v = {0};
        struct vector back = {0};

        for (uint64_t n = random_below(&random, 20); n > 0; n--) {
            struct guid database = random_guid(&random);

            for (uint64_t k = 1 + random_below(&random, 5); k > 0; k--) {
                uint64_t low = random_below(&random, 1000);
                struct interval numbers = {.low = low, .high = low + 1 + random_below(&random, 50)};

                vector_add_interval(&v, &database, numbers);
            }
        }
        Coterie__V1__VersionVector *message = vector_to_message(&v);
        assert_null(vector_from_message(message, &back));
        assert_true(vector_covers(&v, &back));
        assert_true(vector_covers(&back, &v));
        vector_message_free(message);
        vector_fini(&v);
        vector_fini(&back);
    }
}

/* A vector of one database with these bounds, or of two when @other. */
static const char *read_vector(uint64_t *bounds, size_t bound_count, const struct guid *first,
                               const struct guid *second)
{
    Coterie__V1__VectorEntry entries[2];
    Coterie__V1__VectorEntry *pointers[2] = {&entries[0], &entries[1]};
    Coterie__V1__VersionVector message = COTERIE__V1__VERSION_VECTOR__INIT;
    struct vector out = {0};

    for (size_t i = 0; i < 2; i++) {
        coterie__v1__vector_entry__init(&entries[i]);
        entries[i].database_guid = guid_to_message(i == 0 ? first : second ? second : first);
        entries[i].bounds = bounds;
        entries[i].n_bounds = bound_count;
    }
    message.entries = pointers;
    message.n_entries = second ? 2 : 1;
    const char *problem = vector_from_message(&message, &out);
    assert_true(!problem || out.entry_count == 0);
    vector_fini(&out);
    return problem;
}

static void a_vector_out_of_order_is_refused(void **state)
{
    const struct guid low = {.bytes = {1}};
    const struct guid high = {.bytes = {2}};
    uint64_t good[] = {1, 2, 5, 9};
    uint64_t empty[] = {3, 3};
    uint64_t backward[] = {5, 9, 1, 2};
    uint64_t touching[] = {1, 2, 2, 3};

    (void)state;
    assert_null(read_vector(good, 4, &low, &high));
    assert_non_null(read_vector(good, 4, &high, &low));
    assert_non_null(read_vector(good, 4, &low, &low));
    assert_non_null(read_vector(good, 3, &low, NULL));
    assert_non_null(read_vector(good, 0, &low, NULL));
    assert_non_null(read_vector(empty, 2, &low, NULL));
    assert_non_null(read_vector(backward, 4, &low, NULL));
    assert_non_null(read_vector(touching, 4, &low, NULL));
}

static void no_vector_is_the_empty_one(void **state)
{
    struct vector out = {0};
    struct guid database = {.bytes = {1}};

    (void)state;
    vector_add_interval(&out, &database, (struct interval){.low = 1, .high = 2});
    assert_null(vector_from_message(NULL, &out));
    assert_int_equal(out.entry_count, 0);
}

static void traits_come_back_and_other_sizes_are_no_traits(void **state)
{
    struct rdc_traits in;
    struct rdc_traits out;
    uint8_t place[TRAITS_SIZE + 1];

    (void)state;
    for (unsigned i = 0; i < RDC_TRAIT_COUNT; i++)
        in.values[i] = (uint16_t)(i * 4099u + 1u);
    ProtobufCBinaryData field = traits_to_message(&in, place);

    assert_int_equal(field.len, TRAITS_SIZE);
    assert_true(traits_from_message(field, &out));
    assert_memory_equal(&in, &out, sizeof in);
    for (field.len = 0; field.len <= TRAITS_SIZE + 1; field.len++)
        assert_int_equal(traits_from_message(field, &out), field.len == TRAITS_SIZE);
}

static void a_list_of_file_ids_comes_back_as_it_went(void **state)
{
    struct random_source r = random_from(5);
    struct file_id in[3] = {random_id(&r), random_id(&r), random_id(&r)};
    struct listed_message message;
    struct list_message list;
    struct file_id *out = NULL;
    struct file_id upto = {0};
    struct buf packed = {0};
    size_t count = 0;
    bool flag;

    (void)state;
    listed_to_message(in, 3, &in[2], &packed, &message);
    assert_null(listed_from_message(&message.listed, &out, &count, &upto, &flag));
    assert_int_equal(count, 3);
    for (size_t i = 0; i < 3; i++)
        assert_true(file_id_equal(&in[i], &out[i]));
    assert_true(file_id_equal(&upto, &in[2]));
    assert_false(flag);
    free(out);
    out = NULL;
    message.listed.upto = NULL;
    message.listed.file_ids.len--;
    assert_non_null(listed_from_message(&message.listed, &out, &count, &upto, &flag));
    message.listed.file_ids.len = 0;
    assert_null(listed_from_message(&message.listed, &out, &count, &upto, &flag));
    assert_true(flag && count == 0);
    free(out);

    list_to_message(NULL, &list);
    assert_null(list_from_message(&list.list, &upto, &flag));
    assert_false(flag);
    list_to_message(&in[0], &list);
    assert_null(list_from_message(&list.list, &upto, &flag));
    assert_true(flag && file_id_equal(&upto, &in[0]));
    list.after.number = 0;
    assert_non_null(list_from_message(&list.list, &upto, &flag));
    buf_fini(&packed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_update_comes_back_as_it_went),
        cmocka_unit_test(every_broken_rule_is_refused),
        cmocka_unit_test(a_vector_comes_back_as_it_went),
        cmocka_unit_test(a_vector_out_of_order_is_refused),
        cmocka_unit_test(no_vector_is_the_empty_one),
        cmocka_unit_test(traits_come_back_and_other_sizes_are_no_traits),
        cmocka_unit_test(a_list_of_file_ids_comes_back_as_it_went),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
