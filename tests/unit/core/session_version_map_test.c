/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/session/version_map.h"

#include "tests/support/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define KEY_COUNT 64

static struct gvsn key(uint64_t number)
{
    return (struct gvsn){.database = {.bytes = {1}}, .number = number};
}

static void it_agrees_with_an_array_after_random_changes(void **state)
{
    struct random_source random = random_from(random_seed("version_map"));
    struct version_map map = {0};
    static char values[KEY_COUNT];
    void *expected[KEY_COUNT] = {NULL};
    size_t count = 0;
    (void)state;

    for (int i = 0; i < 100000; i++) {
        uint64_t at = random_below(&random, KEY_COUNT);
        struct gvsn k = key(at);

        if (random_chance(&random, 50)) {
            version_map_put(&map, &k, &values[at]);
            count += expected[at] == NULL;
            expected[at] = &values[at];
        } else {
            assert_int_equal(version_map_remove(&map, &k), expected[at] != NULL);
            count -= expected[at] != NULL;
            expected[at] = NULL;
        }
        at = random_below(&random, KEY_COUNT);
        k = key(at);
        const struct version_slot *slot = version_map_get(&map, &k);
        assert_ptr_equal(slot ? slot->value : NULL, expected[at]);
        assert_int_equal(map.count, count);
    }
    version_map_fini(&map);
}

static void an_empty_map_holds_nothing(void **state)
{
    struct version_map map = {0};
    struct gvsn k = key(1);
    (void)state;

    assert_null(version_map_get(&map, &k));
    assert_false(version_map_remove(&map, &k));
    version_map_put(&map, &k, NULL);
    assert_non_null(version_map_get(&map, &k));
    version_map_fini(&map);
    assert_null(version_map_get(&map, &k));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_agrees_with_an_array_after_random_changes),
        cmocka_unit_test(an_empty_map_holds_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
