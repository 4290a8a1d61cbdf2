/* SPDX-License-Identifier: Apache-2.0 */
/* Version vectors against a naive model: a bit for each number of each database. */
#include "agent/version/vector.h"
#include "tests/support/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

enum { DATABASES = 3, NUMBERS = 64, ROUNDS = 8000 };

/* Bit n - 1 of a word stands for number n. */
struct model {
    uint64_t words[DATABASES];
};

static struct guid database(unsigned index)
{
    return (struct guid){.bytes = {(uint8_t)(0x40 * (index + 1)), 7, (uint8_t)index}};
}

static uint64_t bits(struct interval numbers)
{
    uint64_t all = numbers.high == NUMBERS ? UINT64_MAX : (UINT64_C(1) << numbers.high) - 1;

    return all & ~((UINT64_C(1) << numbers.low) - 1);
}

static struct interval random_interval(struct random_source *random)
{
    uint64_t low = random_below(random, NUMBERS);
    uint64_t length = 1 + random_below(random, random_chance(random, 80) ? 3 : NUMBERS - low);

    return (struct interval){low, low + length > NUMBERS ? NUMBERS : low + length};
}

static void random_vector(struct random_source *random, struct vector *v, struct model *m)
{
    unsigned count = (unsigned)random_below(random, 24);

    *m = (struct model){0};
    for (unsigned i = 0; i < count; i++) {
        unsigned at = (unsigned)random_below(random, DATABASES);
        struct guid id = database(at);
        struct interval numbers = random_interval(random);

        if (random_chance(random, 50)) {
            vector_add_interval(v, &id, numbers);
            m->words[at] |= bits(numbers);
        } else {
            struct gvsn one = {.database = id, .number = numbers.high};
            uint64_t bit = UINT64_C(1) << (numbers.high - 1);

            assert_int_equal(vector_add(v, &one), (m->words[at] & bit) == 0);
            m->words[at] |= bit;
        }
    }
}

/* The vector holds the model's numbers in canonical form. */
static void assert_is(const struct vector *v, const struct model *m)
{
    uint64_t count = 0;

    for (unsigned i = 0; i < DATABASES; i++) {
        for (uint64_t n = 1; n <= NUMBERS; n++) {
            struct gvsn version = {.database = database(i), .number = n};
            bool expected = (m->words[i] >> (n - 1) & 1) != 0;

            assert_int_equal(vector_contains(v, &version), expected);
            count += expected;
        }
    }
    assert_int_equal(vector_number_count(v), count);
    for (size_t i = 0; i < v->entry_count; i++) {
        const struct vector_entry *e = &v->entries[i];

        assert_true(e->interval_count > 0);
        assert_true(i == 0 || guid_compare(&v->entries[i - 1].database, &e->database) < 0);
        for (size_t j = 0; j < e->interval_count; j++) {
            assert_true(e->intervals[j].low < e->intervals[j].high);
            assert_true(j == 0 || e->intervals[j - 1].high < e->intervals[j].low);
        }
    }
}

static void assert_round_trip(const struct vector *v)
{
    struct buf bytes = {0};
    struct vector back = {0};

    vector_encode(v, &bytes);
    struct reader r = reader_of(buf_span(&bytes));
    vector_decode(&r, &back);

    assert_true(reader_finished(&r));
    assert_true(vector_equal(v, &back));
    vector_fini(&back);
    buf_fini(&bytes);
}

static void vector_agrees_with_a_bitmap_and_its_laws_hold(void **state)
{
    struct random_source random = random_from(random_seed("vector"));
    (void)state;

    for (unsigned round = 0; round < ROUNDS; round++) {
        struct vector a = {0};
        struct vector b = {0};
        struct vector ab = {0};
        struct vector ba = {0};
        struct vector minus = {0};
        struct vector meet = {0};
        struct model ma;
        struct model mb;
        struct model both;
        struct model only_a;
        struct model in_both;

        random_vector(&random, &a, &ma);
        random_vector(&random, &b, &mb);
        vector_copy(&ab, &a);
        vector_join(&ab, &b);
        vector_copy(&ba, &b);
        vector_join(&ba, &a);
        vector_difference(&a, &b, &minus);
        vector_copy(&meet, &a);
        vector_meet(&meet, &b);

        bool covered = true;
        for (unsigned i = 0; i < DATABASES; i++) {
            both.words[i] = ma.words[i] | mb.words[i];
            only_a.words[i] = ma.words[i] & ~mb.words[i];
            in_both.words[i] = ma.words[i] & mb.words[i];
            covered = covered && only_a.words[i] == 0;
        }
        assert_is(&a, &ma);
        assert_is(&ab, &both);
        assert_is(&minus, &only_a);
        assert_is(&meet, &in_both);
        assert_true(vector_equal(&ab, &ba));
        assert_true(vector_covers(&ab, &a) && vector_covers(&ab, &b));
        assert_int_equal(vector_covers(&b, &a), covered);
        assert_int_equal(vector_is_empty(&minus), covered);
        vector_join(&ab, &ab);
        assert_true(vector_equal(&ab, &ba));
        vector_join(&minus, &b);
        assert_true(vector_equal(&minus, &ba));
        assert_round_trip(&a);

        struct gvsn one = {.database = database(1), .number = 1 + random_below(&random, NUMBERS)};
        vector_remove(&ab, &one);
        both.words[1] &= ~(UINT64_C(1) << (one.number - 1));
        assert_is(&ab, &both);

        struct guid first = database(0);
        vector_forget(&ab, &first);
        both.words[0] = 0;
        assert_is(&ab, &both);

        vector_fini(&a);
        vector_fini(&b);
        vector_fini(&ab);
        vector_fini(&ba);
        vector_fini(&meet);
        vector_fini(&minus);
    }
}

static void join_is_associative(void **state)
{
    struct random_source random = random_from(random_seed("vector join"));
    (void)state;

    for (unsigned round = 0; round < ROUNDS / 4; round++) {
        struct vector v[3] = {0};
        struct vector left = {0};
        struct vector right = {0};
        struct model unused;

        for (unsigned i = 0; i < 3; i++)
            random_vector(&random, &v[i], &unused);
        vector_copy(&left, &v[0]);
        vector_join(&left, &v[1]);
        vector_join(&left, &v[2]);
        vector_copy(&right, &v[1]);
        vector_join(&right, &v[2]);
        vector_join(&right, &v[0]);

        assert_true(vector_equal(&left, &right));
        for (unsigned i = 0; i < 3; i++)
            vector_fini(&v[i]);
        vector_fini(&left);
        vector_fini(&right);
    }
}

/* Whatever bytes come, decode ends in a refusal or in a vector that encodes to the same bytes. */
static void decode_takes_only_the_canonical_form(void **state)
{
    struct random_source random = random_from(random_seed("vector decode"));
    unsigned accepted = 0;
    (void)state;

    for (unsigned round = 0; round < ROUNDS; round++) {
        struct vector v = {0};
        struct vector back = {0};
        struct model unused;
        struct buf bytes = {0};
        struct buf again = {0};

        random_vector(&random, &v, &unused);
        vector_encode(&v, &bytes);
        if (bytes.size > 0)
            bytes.data[random_below(&random, bytes.size)] ^=
                (uint8_t)(1 + random_below(&random, 255));
        struct reader r = reader_of(buf_span(&bytes));
        vector_decode(&r, &back);

        if (reader_finished(&r)) {
            vector_encode(&back, &again);
            assert_true(span_equal(buf_span(&bytes), buf_span(&again)));
            accepted++;
        } else if (!reader_ok(&r)) {
            assert_true(vector_is_empty(&back));
        }
        vector_fini(&v);
        vector_fini(&back);
        buf_fini(&bytes);
        buf_fini(&again);
    }
    assert_true(accepted > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vector_agrees_with_a_bitmap_and_its_laws_hold),
        cmocka_unit_test(join_is_associative),
        cmocka_unit_test(decode_takes_only_the_canonical_form),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
