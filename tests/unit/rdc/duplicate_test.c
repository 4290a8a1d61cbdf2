/* SPDX-License-Identifier: Apache-2.0 */
#include "common/rdc/duplicate.h"

#include "tests/support/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define FILES 3000u

/* Contents 0..: a few of them share the slot that they best stand in. */
static struct rdc_hash hash_of(uint64_t content)
{
    struct rdc_hash hash = {{0}};

    hash.bytes[0] = (uint8_t)(content % 3);
    memcpy(hash.bytes + 8, &content, sizeof(content));
    return hash;
}

static void a_content_is_found_and_others_are_not(void **state)
{
    struct rdc_duplicates *x = rdc_duplicates_new();
    struct rdc_hash one = hash_of(1);
    struct rdc_hash four = hash_of(4);
    uint64_t file = 0;
    (void)state;

    rdc_duplicates_put(x, &one, 17);

    assert_true(rdc_duplicates_find(x, &one, &file));
    assert_int_equal(file, 17);
    assert_false(rdc_duplicates_find(x, &four, &file));
    rdc_duplicates_free(x);
}

static void the_last_of_equal_files_keeps_the_content(void **state)
{
    struct rdc_duplicates *x = rdc_duplicates_new();
    struct rdc_hash one = hash_of(1);
    uint64_t file = 0;
    (void)state;
    rdc_duplicates_put(x, &one, 17);
    rdc_duplicates_put(x, &one, 18);

    rdc_duplicates_remove(x, &one, 17);
    rdc_duplicates_remove(x, &one, 99);

    assert_true(rdc_duplicates_find(x, &one, &file));
    assert_int_equal(file, 18);
    rdc_duplicates_remove(x, &one, 18);
    assert_false(rdc_duplicates_find(x, &one, &file));
    rdc_duplicates_free(x);
}

static void what_is_put_and_not_removed_is_found_whatever_the_order(void **state)
{
    struct random_source random = random_from(random_seed(__func__));
    struct rdc_duplicates *x = rdc_duplicates_new();
    bool there[FILES] = {false};
    size_t count = 0;
    (void)state;

    for (unsigned i = 0; i < 20 * FILES; i++) {
        uint64_t content = random_below(&random, i < 10 * FILES ? FILES : 200);
        struct rdc_hash hash = hash_of(content);

        if (there[content])
            rdc_duplicates_remove(x, &hash, content);
        else
            rdc_duplicates_put(x, &hash, content);
        there[content] = !there[content];
        count += there[content] ? 1 : (size_t)-1;
    }
    assert_int_equal(rdc_duplicates_count(x), count);
    for (uint64_t content = 0; content < FILES; content++) {
        struct rdc_hash hash = hash_of(content);
        uint64_t file = 0;

        assert_int_equal(rdc_duplicates_find(x, &hash, &file), there[content]);
        assert_true(!there[content] || file == content);
    }
    rdc_duplicates_free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_content_is_found_and_others_are_not),
        cmocka_unit_test(the_last_of_equal_files_keeps_the_content),
        cmocka_unit_test(what_is_put_and_not_removed_is_found_whatever_the_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
