/* SPDX-License-Identifier: Apache-2.0 */
#include "common/rdc/nearest.h"

#include "common/base/cursor.h"
#include "common/base/mem.h"
#include "common/base/scope.h"
#include "tests/support/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#define LENGTH_MAX  258u
#define LETTERS_MAX 26u

/* @size letters of an alphabet of @count, and some more that no match runs into. */
static void letters(struct buf *out, size_t size, unsigned count, struct random_source *random)
{
    for (size_t i = 0; i < size; i++)
        write_u8(out, (uint8_t)('a' + random_below(random, count)));
    memset(buf_extend(out, LENGTH_MAX), '.', LENGTH_MAX);
}

/* The definition of nearest.h, word for word. */
static uint32_t nearest_by_definition(const uint8_t *text, uint64_t offset, unsigned length)
{
    for (uint32_t distance = 1; distance <= NEAREST_WINDOW && distance <= offset; distance++)
        if (memcmp(text - distance, text, length) == 0)
            return distance;
    return 0;
}

/* Find matches of a text as a compressor would, some literals between them. */
static void assert_found_by_definition(size_t size, unsigned count, struct random_source *random)
{
    struct nearest *n = MEM_NEW(struct nearest);
    scope(buf) struct buf text = {0};

    letters(&text, size, count, random);
    nearest_init(n);
    nearest_begin(n);
    for (uint64_t offset = 0; offset < size;) {
        unsigned length = 3 + (unsigned)random_below(random, 4);
        const uint8_t *at = text.data + offset;
        uint32_t distance = nearest_by_definition(at, offset, length);

        assert_int_equal(nearest_find(n, at, offset, length), distance);
        offset += distance > 0 && random_chance(random, 50) ? length : random_below(random, 3);
    }
    free(n);
}

/* Where few enough places begin alike. */
static void the_nearest_place_is_found(void **state)
{
    static const struct {
        size_t size;
        unsigned letters;
    } texts[] = {{3000, 2}, {10000, 3}, {40000, 4}, {100000, 8}};
    struct random_source random = random_from(random_seed(__func__));
    (void)state;

    for (unsigned i = 0; i < sizeof(texts) / sizeof(*texts); i++)
        assert_found_by_definition(texts[i].size, texts[i].letters, &random);
}

static void long_matches_are_found_and_what_differs_at_their_end_is_none(void **state)
{
    struct random_source random = random_from(random_seed(__func__));
    struct nearest *n = MEM_NEW(struct nearest);
    (void)state;
    nearest_init(n);

    for (unsigned length = 4; length <= LENGTH_MAX; length++) {
        scope(buf) struct buf pattern = {0};
        scope(buf) struct buf text = {0};

        letters(&pattern, LENGTH_MAX, LETTERS_MAX, &random);
        buf_append(&text, pattern.data, LENGTH_MAX);
        buf_append(&text, pattern.data, length);
        buf_append(&text, pattern.data, LENGTH_MAX);
        text.data[text.size - 1 - LENGTH_MAX] ^= 1;
        uint8_t *at = text.data + text.size - LENGTH_MAX;
        uint64_t offset = text.size - LENGTH_MAX;

        nearest_begin(n);
        assert_int_equal(nearest_find(n, at, offset, length - 1), length);
        assert_int_equal(nearest_find(n, at, offset, length), offset);
    }
    free(n);
}

static void a_match_may_run_into_itself(void **state)
{
    static const uint8_t zeros[1000] = {0};
    struct nearest *n = MEM_NEW(struct nearest);
    (void)state;
    nearest_init(n);
    nearest_begin(n);

    for (unsigned length = 3; length <= LENGTH_MAX; length++) {
        assert_int_equal(nearest_find(n, zeros, 0, length), 0);
        nearest_begin(n);
        assert_int_equal(nearest_find(n, zeros + 1, 1, length), 1);
        nearest_begin(n);
    }
    free(n);
}

/* A pattern, zeros, and the pattern again @distance behind it. What is found there. */
static uint32_t found_at(uint32_t distance, unsigned length)
{
    struct random_source random = random_from(1);
    struct nearest *n = MEM_NEW(struct nearest);
    scope(buf) struct buf pattern = {0};
    scope(buf) struct buf text = {0};

    letters(&pattern, length, LETTERS_MAX, &random);
    buf_append(&text, pattern.data, length);
    memset(buf_extend(&text, distance - length), 0, distance - length);
    buf_append(&text, pattern.data, pattern.size);
    nearest_init(n);
    nearest_begin(n);
    uint32_t found = nearest_find(n, text.data + distance, distance, length);
    free(n);
    return found;
}

static void the_window_ends_at_its_edge(void **state)
{
    (void)state;

    for (unsigned length = 3; length <= LENGTH_MAX; length += 51) {
        assert_int_equal(found_at(NEAREST_WINDOW - 1, length), NEAREST_WINDOW - 1);
        assert_int_equal(found_at(NEAREST_WINDOW, length), NEAREST_WINDOW);
        assert_int_equal(found_at(NEAREST_WINDOW + 1, length), 0);
        assert_int_equal(found_at(2 * NEAREST_WINDOW, length), 0);
    }
}

static void answers_do_not_depend_on_what_was_noted_early(void **state)
{
    struct random_source random = random_from(random_seed(__func__));
    struct nearest *late = MEM_NEW(struct nearest);
    struct nearest *early = MEM_NEW(struct nearest);
    scope(buf) struct buf text = {0};
    (void)state;
    letters(&text, 200000, 5, &random);
    nearest_init(late);
    nearest_init(early);
    nearest_begin(late);
    nearest_begin(early);

    for (uint64_t offset = 0; offset < 200000;) {
        unsigned length = 3 + (unsigned)random_below(&random, 8);
        uint64_t next = offset + random_below(&random, 300);
        uint64_t noted = offset + random_below(&random, next - offset + 1);
        const uint8_t *at = text.data + offset;

        assert_int_equal(nearest_find(early, at, offset, length),
                         nearest_find(late, at, offset, length));
        if (noted < 200000 && random_chance(&random, 70))
            nearest_note(early, text.data + noted, noted);
        offset = next;
    }
    free(late);
    free(early);
}

static void a_new_text_finds_nothing_of_the_old_one(void **state)
{
    struct random_source random = random_from(random_seed(__func__));
    struct nearest *n = MEM_NEW(struct nearest);
    scope(buf) struct buf text = {0};
    (void)state;
    letters(&text, 1000, LETTERS_MAX, &random);
    nearest_init(n);

    for (unsigned i = 0; i < 100; i++) {
        nearest_begin(n);
        for (uint64_t offset = 0; offset < 20; offset++)
            assert_int_equal(nearest_find(n, text.data + offset, offset, 3 + i), 0);
        nearest_note(n, text.data + 1000, 1000);
    }
    free(n);
}

/* Texts are told apart by where they begin in 32 bits, which end. */
static void answers_are_the_same_after_any_number_of_texts(void **state)
{
    struct random_source random = random_from(random_seed(__func__));
    struct nearest *fresh = MEM_NEW(struct nearest);
    struct nearest *used = MEM_NEW(struct nearest);
    scope(buf) struct buf text = {0};
    (void)state;
    letters(&text, 1000, 4, &random);
    nearest_init(used);
    used->noted = UINT32_MAX / 2 - 200000;

    for (unsigned i = 0; i < 10; i++) {
        nearest_init(fresh);
        nearest_begin(fresh);
        nearest_begin(used);
        for (uint64_t offset = 0; offset < 1000; offset += 3)
            assert_int_equal(nearest_find(used, text.data + offset, offset, 3 + i % 2),
                             nearest_find(fresh, text.data + offset, offset, 3 + i % 2));
    }
    assert_true(used->base < UINT32_MAX / 2); /* it began anew */
    free(fresh);
    free(used);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_nearest_place_is_found),
        cmocka_unit_test(long_matches_are_found_and_what_differs_at_their_end_is_none),
        cmocka_unit_test(a_match_may_run_into_itself),
        cmocka_unit_test(the_window_ends_at_its_edge),
        cmocka_unit_test(answers_do_not_depend_on_what_was_noted_early),
        cmocka_unit_test(a_new_text_finds_nothing_of_the_old_one),
        cmocka_unit_test(answers_are_the_same_after_any_number_of_texts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
