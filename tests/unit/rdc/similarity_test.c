/* SPDX-License-Identifier: Apache-2.0 */
#include "common/rdc/similarity.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define FILES 20000u

static uint64_t next(uint64_t *x)
{
    *x ^= *x << 13;
    *x ^= *x >> 7;
    *x ^= *x << 17;
    return *x * 0x2545f4914f6cdd1du;
}

static struct rdc_traits noise(uint64_t seed)
{
    struct rdc_traits traits;
    uint64_t x = (seed + 1) * 0x9e3779b97f4a7c15u;

    for (unsigned t = 0; t < RDC_TRAIT_COUNT; t++)
        traits.values[t] = (uint16_t)(next(&x) >> 40);
    return traits;
}

/* Traits of a set of identities: @shared of a common set, the rest its own. */
static struct rdc_traits traits_of_set(uint64_t own_seed, unsigned shared, unsigned own)
{
    struct rdc_sketch sketch;
    uint64_t common = 1;
    uint64_t x = own_seed;

    rdc_sketch_init(&sketch);
    for (unsigned i = 0; i < shared + own; i++) {
        uint64_t identity = i < shared ? next(&common) : next(&x);
        rdc_sketch_add(&sketch, rdc_kernel_best(), &identity, 1);
    }
    return rdc_sketch_traits(&sketch);
}

static void a_file_finds_its_like_among_many(void **state)
{
    struct rdc_similarity *x = rdc_similarity_new();
    struct rdc_likeness found[RDC_LIKENESSES_MAX];
    (void)state;
    for (uint64_t i = 0; i < FILES; i++) {
        struct rdc_traits traits = noise(i);
        rdc_similarity_put(x, i, &traits);
    }
    struct rdc_traits query = noise(777);
    query.values[3] ^= 1;
    query.values[9] ^= 1;

    unsigned count = rdc_similarity_find(x, &query, found);

    assert_int_equal(count, 1);
    assert_int_equal(found[0].file, 777);
    assert_int_equal(found[0].matches, RDC_TRAIT_COUNT - 2);
    rdc_similarity_free(x);
}

static void the_most_alike_come_first_and_only_a_few(void **state)
{
    struct rdc_similarity *x = rdc_similarity_new();
    struct rdc_likeness found[RDC_LIKENESSES_MAX];
    struct rdc_traits query = noise(1);
    (void)state;
    for (uint64_t i = 0; i < 40; i++) {
        struct rdc_traits traits = noise(100 + i);
        for (unsigned t = 0; t < i % 8; t++)
            traits.values[t] = query.values[t];
        rdc_similarity_put(x, i, &traits);
    }

    unsigned count = rdc_similarity_find(x, &query, found);

    assert_int_equal(count, RDC_LIKENESSES_MAX);
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(found[i].file, 7 + 8 * i);
        assert_int_equal(found[i].matches, 7);
    }
    rdc_similarity_free(x);
}

static void one_equal_trait_is_not_enough(void **state)
{
    struct rdc_similarity *x = rdc_similarity_new();
    struct rdc_likeness found[RDC_LIKENESSES_MAX];
    struct rdc_traits query = noise(1);
    struct rdc_traits other = noise(2);
    (void)state;
    other.values[0] = query.values[0];
    rdc_similarity_put(x, 5, &other);

    assert_int_equal(rdc_similarity_find(x, &query, found), 0);
    rdc_similarity_free(x);
}

static void removed_files_are_not_found_and_give_their_place_back(void **state)
{
    struct rdc_similarity *x = rdc_similarity_new();
    struct rdc_likeness found[RDC_LIKENESSES_MAX];
    (void)state;
    for (uint64_t i = 0; i < 100; i++) {
        struct rdc_traits traits = noise(i);
        rdc_similarity_put(x, i, &traits);
    }

    for (uint64_t i = 0; i < 100; i += 2)
        rdc_similarity_remove(x, i);

    assert_int_equal(rdc_similarity_count(x), 50);
    for (uint64_t i = 0; i < 100; i++) {
        struct rdc_traits query = noise(i);
        assert_int_equal(rdc_similarity_find(x, &query, found), i % 2);
    }
    rdc_similarity_free(x);
}

static void files_without_traits_match_nothing(void **state)
{
    struct rdc_similarity *x = rdc_similarity_new();
    struct rdc_likeness found[RDC_LIKENESSES_MAX];
    static const struct rdc_traits none = {0};
    (void)state;

    rdc_similarity_put(x, 1, &none);

    assert_int_equal(rdc_similarity_count(x), 0);
    assert_int_equal(rdc_similarity_find(x, &none, found), 0);
    assert_int_equal(rdc_traits_matches(&none, &none), 0);
    rdc_similarity_free(x);
}

/* Jaccard similarity .3: 95 of 100 must be found. The sets are fixed, so this is no matter of luck.
 */
static void files_alike_by_three_tenths_are_nearly_always_found(void **state)
{
    unsigned found = 0;
    (void)state;

    for (uint64_t i = 0; i < 400; i++) {
        /* 300 shared of 300 + 350 + 350 */
        struct rdc_traits a = traits_of_set(1000 + 2 * i, 300, 350);
        struct rdc_traits b = traits_of_set(1001 + 2 * i, 300, 350);
        found += rdc_traits_matches(&a, &b) >= RDC_TRAIT_MATCHES_MIN;
    }
    assert_in_range(found, 380, 400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_finds_its_like_among_many),
        cmocka_unit_test(the_most_alike_come_first_and_only_a_few),
        cmocka_unit_test(one_equal_trait_is_not_enough),
        cmocka_unit_test(removed_files_are_not_found_and_give_their_place_back),
        cmocka_unit_test(files_without_traits_match_nothing),
        cmocka_unit_test(files_alike_by_three_tenths_are_nearly_always_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
