/* SPDX-License-Identifier: Apache-2.0 */
#include "common/rdc/match.h"

#include "common/base/limits.h"
#include "common/base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#define LENGTH 1000u /* of every chunk */

/* A file of chunks that are named by letters, and its moves. */
struct letters {
    struct rdc_signature signature;
    struct rdc_moves moves;
};

static void letters_init(struct letters *x, const char *text)
{
    x->signature.chunk_count = (uint32_t)strlen(text);
    x->signature.identities = mem_new(x->signature.chunk_count, sizeof(uint64_t));
    x->signature.lengths = mem_new(x->signature.chunk_count, sizeof(*x->signature.lengths));
    for (uint32_t i = 0; i < x->signature.chunk_count; i++) {
        x->signature.identities[i] = (uint64_t)(unsigned char)text[i];
        x->signature.lengths[i] = LENGTH;
    }
}

static void letters_fini(struct letters *x)
{
    rdc_moves_fini(&x->moves);
    free(x->signature.identities);
    free(x->signature.lengths);
}

static void assert_move(const struct letters *x, size_t i, uint32_t count, uint32_t first,
                        bool repeat)
{
    assert_true(i < x->moves.count);
    assert_int_equal(x->moves.items[i].chunk_count, count);
    assert_int_equal(x->moves.items[i].base_first, first);
    assert_int_equal(x->moves.items[i].repeat, repeat);
}

static void what_an_earlier_literal_holds_is_a_repeat(void **state)
{
    struct letters x = {0};
    (void)state;
    letters_init(&x, "abcdXabcdY");
    rdc_moves_add_literal(&x.moves, 10);

    rdc_moves_fold_repeats(&x.moves, &x.signature, 1);

    assert_int_equal(x.moves.count, 3);
    assert_move(&x, 0, 5, RDC_LITERAL, false);
    assert_move(&x, 1, 4, 0, true);
    assert_move(&x, 2, 1, RDC_LITERAL, false);
    letters_fini(&x);
}

static void a_repeat_runs_into_itself(void **state)
{
    struct letters x = {0};
    (void)state;
    letters_init(&x, "ababababab");
    rdc_moves_add_literal(&x.moves, 10);

    rdc_moves_fold_repeats(&x.moves, &x.signature, 1);

    assert_int_equal(x.moves.count, 2);
    assert_move(&x, 0, 2, RDC_LITERAL, false);
    assert_move(&x, 1, 8, 0, true);
    letters_fini(&x);
}

static void short_repeats_stay_literals(void **state)
{
    struct letters x = {0};
    (void)state;
    letters_init(&x, "abcdXabYabcdZ");
    rdc_moves_add_literal(&x.moves, 13);

    rdc_moves_fold_repeats(&x.moves, &x.signature, 3 * LENGTH);

    assert_int_equal(x.moves.count, 3);
    assert_move(&x, 0, 8, RDC_LITERAL, false);
    assert_move(&x, 1, 4, 0, true);
    assert_move(&x, 2, 1, RDC_LITERAL, false);
    letters_fini(&x);
}

static void copies_of_the_base_stay_and_are_not_repeated_from(void **state)
{
    struct letters x = {0};
    (void)state;
    letters_init(&x, "abXcXab");
    rdc_moves_add_copy(&x.moves, 2, 7);
    rdc_moves_add_literal(&x.moves, 3);
    rdc_moves_add_copy(&x.moves, 2, 7);

    rdc_moves_fold_repeats(&x.moves, &x.signature, 1);

    assert_int_equal(x.moves.count, 4);
    assert_move(&x, 0, 2, 7, false);
    assert_move(&x, 1, 2, RDC_LITERAL, false);
    assert_move(&x, 2, 1, 2, true);
    assert_move(&x, 3, 2, 7, false);
    letters_fini(&x);
}

static void chunks_of_equal_identity_and_other_length_are_no_repeat(void **state)
{
    struct letters x = {0};
    (void)state;
    letters_init(&x, "aa");
    x.signature.lengths[1] = LENGTH - 1;
    rdc_moves_add_literal(&x.moves, 2);

    rdc_moves_fold_repeats(&x.moves, &x.signature, 1);

    assert_int_equal(x.moves.count, 1);
    assert_move(&x, 0, 2, RDC_LITERAL, false);
    letters_fini(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_an_earlier_literal_holds_is_a_repeat),
        cmocka_unit_test(a_repeat_runs_into_itself),
        cmocka_unit_test(short_repeats_stay_literals),
        cmocka_unit_test(copies_of_the_base_stay_and_are_not_repeated_from),
        cmocka_unit_test(chunks_of_equal_identity_and_other_length_are_no_repeat),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
