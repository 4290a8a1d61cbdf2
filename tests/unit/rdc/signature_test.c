/* SPDX-License-Identifier: Apache-2.0 */
#include "common/rdc/signature.h"

#include "common/base/cursor.h"
#include "common/base/scope.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void fill(struct buf *out, size_t size)
{
    uint64_t x = 88172645463325252u;

    for (size_t i = 0; i < size; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        write_u8(out, (uint8_t)(x >> 20));
    }
}

static struct rdc_signature *sign(const struct buf *data, uint64_t key, uint32_t horizon)
{
    struct span span = buf_span(data);
    struct rdc_content content = rdc_content_of(&span);
    struct rdc_signature_options options = {.key.seed = key, .horizon = horizon};
    struct rdc_signature *s;

    assert_int_equal(rdc_signature_of(&content, &options, &s), ST_OK);
    return s;
}

static void stored_signature_reads_back_equal(void **state)
{
    (void)state;

    for (size_t size = 0; size <= 300000; size += size < 10 ? 1 : 60000) {
        scope(buf) struct buf data = {0};
        scope(buf) struct buf stored = {0};
        scope(buf) struct buf again = {0};
        struct rdc_signature *back = NULL;
        fill(&data, size);
        struct rdc_signature *s = sign(&data, 5, 0);

        rdc_signature_encode(s, &stored);
        assert_int_equal(rdc_signature_decode(buf_span(&stored), &back), ST_OK);
        rdc_signature_encode(back, &again);

        assert_true(span_equal(buf_span(&stored), buf_span(&again)));
        assert_int_equal(back->size, size);
        rdc_signature_free(s);
        rdc_signature_free(back);
    }
}

static void stored_signature_is_about_one_percent_of_the_file(void **state)
{
    scope(buf) struct buf data = {0};
    scope(buf) struct buf stored = {0};
    (void)state;
    fill(&data, 4u << 20);
    struct rdc_signature *s = sign(&data, 5, 0);

    rdc_signature_encode(s, &stored);

    assert_in_range(stored.size, data.size / 100, data.size / 70);
    rdc_signature_free(s);
}

static void any_single_damage_to_a_stored_signature_is_noticed(void **state)
{
    scope(buf) struct buf data = {0};
    scope(buf) struct buf stored = {0};
    struct rdc_signature *back = NULL;
    (void)state;
    fill(&data, 30000);
    struct rdc_signature *s = sign(&data, 5, 0);
    rdc_signature_encode(s, &stored);

    for (size_t i = 0; i < stored.size; i++) {
        stored.data[i] ^= 0x10;
        assert_int_equal(rdc_signature_decode(buf_span(&stored), &back), ST_BADDATA);
        stored.data[i] ^= 0x10;
        assert_int_equal(rdc_signature_decode(span_of(stored.data, i), &back), ST_BADDATA);
    }
    assert_null(back);
    rdc_signature_free(s);
}

static void offsets_are_sums_of_lengths(void **state)
{
    scope(buf) struct buf data = {0};
    uint64_t offset = 0;
    (void)state;
    fill(&data, 500000);
    struct rdc_signature *s = sign(&data, 5, 256);

    for (uint32_t i = 0; i < s->chunk_count; i++) {
        assert_int_equal(rdc_signature_offset(s, i), offset);
        offset += s->lengths[i];
    }
    assert_int_equal(rdc_signature_offset(s, s->chunk_count), offset);
    assert_int_equal(offset, data.size);
    rdc_signature_free(s);
}

static void another_key_makes_other_identities_of_the_same_chunks(void **state)
{
    scope(buf) struct buf data = {0};
    (void)state;
    fill(&data, 100000);
    struct rdc_signature *a = sign(&data, 1, 0);
    struct rdc_signature *b = sign(&data, 2, 0);

    assert_int_equal(a->chunk_count, b->chunk_count);
    assert_memory_equal(a->lengths, b->lengths, a->chunk_count * sizeof(*a->lengths));
    for (uint32_t i = 0; i < a->chunk_count; i++)
        assert_int_not_equal(a->identities[i], b->identities[i]);
    assert_int_not_equal(a->key_check, b->key_check);
    rdc_signature_free(a);
    rdc_signature_free(b);
}

static enum status read_fails(void *arg, uint64_t offset, void *out, size_t size)
{
    (void)arg;
    memset(out, 0, size);
    return offset > 200000 ? ST_GONE : ST_OK;
}

static void content_that_vanishes_ends_the_signing(void **state)
{
    struct rdc_content content = {.size = 1u << 20, .read = read_fails};
    struct rdc_signature_options options = {0};
    struct rdc_signature *s = NULL;
    (void)state;

    assert_int_equal(rdc_signature_of(&content, &options, &s), ST_GONE);
    assert_null(s);
}

static void traits_tell_alike_from_unlike(void **state)
{
    scope(buf) struct buf data = {0};
    scope(buf) struct buf alike = {0};
    scope(buf) struct buf unlike = {0};
    (void)state;
    fill(&data, 4000000);
    buf_append(&alike, data.data, 2500000);
    buf_append(&unlike, data.data + 2000000, 20000);
    for (size_t i = 0; i < 2000000; i++)
        write_u8(&unlike, (uint8_t)(data.data[i] + i));
    struct rdc_signature *a = sign(&data, 1, 0);
    struct rdc_signature *b = sign(&alike, 1, 0);
    struct rdc_signature *c = sign(&unlike, 1, 0);

    assert_int_equal(rdc_traits_matches(&a->traits, &a->traits), RDC_TRAIT_COUNT);
    assert_in_range(rdc_traits_matches(&a->traits, &b->traits), 4, 15);
    assert_in_range(rdc_traits_matches(&a->traits, &c->traits), 0, 1);
    rdc_signature_free(a);
    rdc_signature_free(b);
    rdc_signature_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stored_signature_reads_back_equal),
        cmocka_unit_test(stored_signature_is_about_one_percent_of_the_file),
        cmocka_unit_test(any_single_damage_to_a_stored_signature_is_noticed),
        cmocka_unit_test(offsets_are_sums_of_lengths),
        cmocka_unit_test(another_key_makes_other_identities_of_the_same_chunks),
        cmocka_unit_test(content_that_vanishes_ends_the_signing),
        cmocka_unit_test(traits_tell_alike_from_unlike),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
