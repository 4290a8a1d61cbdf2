/* SPDX-License-Identifier: Apache-2.0 */
#include "common/model/filter.h"

#include "common/base/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

static bool filtered(const char *list, const char *name)
{
    struct filter filter = {0};

    assert_true(filter_add_list(&filter, list));
    bool yes = filter_matches(&filter, span_of_string(name));
    filter_fini(&filter);
    return yes;
}

static void the_default_leaves_out_editors_leftovers(void **state)
{
    (void)state;

    assert_true(filtered(FILTER_FILE_DEFAULT, "~$report.docx"));
    assert_true(filtered(FILTER_FILE_DEFAULT, "a.bak"));
    assert_true(filtered(FILTER_FILE_DEFAULT, "A.TMP"));
    assert_true(filtered(FILTER_FILE_DEFAULT, ".tmp"));
    assert_false(filtered(FILTER_FILE_DEFAULT, "a.tmp2"));
    assert_false(filtered(FILTER_FILE_DEFAULT, "report~.docx"));
    assert_false(filtered(FILTER_FILE_DEFAULT, "tmp"));
}

static void a_pattern_must_match_the_whole_name(void **state)
{
    (void)state;

    assert_true(filtered("thumbs.db", "Thumbs.DB"));
    assert_false(filtered("thumbs.db", "thumbs.dbx"));
    assert_false(filtered("thumbs.db", "athumbs.db"));
    assert_true(filtered("*", "x"));
    assert_true(filtered("a*b*c", "a--b--bc"));
    assert_false(filtered("a*b*c", "a--b--b"));
}

static void a_question_mark_is_one_character_not_one_byte(void **state)
{
    (void)state;

    assert_true(filtered("?.txt", "\xc3\xa9.txt"));
    assert_true(filtered("?.txt", "\xe2\x82\xac.txt"));
    assert_true(filtered("*?.txt", "\xe2\x82\xac.txt"));
    assert_false(filtered("??.txt", "\xc3\xa9.txt"));
    assert_false(filtered("*??.txt", "\xe2\x82\xac.txt"));
    assert_true(filtered("?.txt", "\xa9.txt")); /* a stray byte still counts as one */
    assert_false(filtered("?", ""));
}

static void case_is_folded_for_ascii_only(void **state)
{
    (void)state;

    assert_true(filtered("AbC", "aBc"));
    assert_false(filtered("\xc3\x89", "\xc3\xa9"));
    assert_false(filtered("[", "{")); /* 0x5b and 0x7b lie beside the letters */
    assert_false(filtered("@", "`"));
}

static void blanks_around_commas_do_not_count(void **state)
{
    struct filter filter = {0};
    (void)state;

    assert_true(filter_add_list(&filter, "  a b ,\t*.x,, ,"));

    assert_int_equal(filter.pattern_count, 2);
    assert_string_equal(filter.patterns[0], "a b");
    assert_string_equal(filter.patterns[1], "*.x");
    filter_fini(&filter);
}

static void the_private_directory_is_always_left_out(void **state)
{
    struct filter none = {0};
    (void)state;

    assert_true(filter_matches(&none, span_of_string(".coterie")));
    assert_true(filter_matches(&none, span_of_string(".COTERIE")));
    assert_false(filter_matches(&none, span_of_string(".coterie2")));
    assert_false(filter_matches(&none, span_of_string("coterie")));
}

static void names_may_hold_any_bytes(void **state)
{
    struct filter filter = {0};
    (void)state;

    assert_true(filter_add(&filter, "a*c"));

    assert_true(filter_matches(&filter, span_of("a\0\xff"
                                                "c",
                                                4)));
    assert_false(filter_matches(&filter, span_of("a\0", 2)));
    filter_fini(&filter);
}

static void lists_beyond_the_limits_are_refused(void **state)
{
    struct filter filter = {0};
    char *long_list = malloc(FILTER_LIST_SIZE_MAX + 2);
    char long_pattern[FILTER_PATTERN_SIZE_MAX + 2];
    (void)state;

    memset(long_list, ',', FILTER_LIST_SIZE_MAX + 1);
    long_list[FILTER_LIST_SIZE_MAX + 1] = '\0';
    memset(long_pattern, 'x', sizeof(long_pattern) - 1);
    long_pattern[sizeof(long_pattern) - 1] = '\0';

    assert_false(filter_add_list(&filter, long_list));
    assert_false(filter_add(&filter, long_pattern));
    assert_false(filter_add(&filter, ""));
    assert_int_equal(filter.pattern_count, 0);
    for (unsigned i = 0; i < FILTER_PATTERN_COUNT_MAX; i++)
        assert_true(filter_add(&filter, "x"));
    assert_false(filter_add(&filter, "x"));
    filter_fini(&filter);
    free(long_list);
}

/* Two thousand stars against a long name: exponential matching would not come back. */
static void many_stars_cost_no_more_than_pattern_times_name(void **state)
{
    struct filter filter = {0};
    char pattern[FILTER_PATTERN_SIZE_MAX + 1];
    char name[NAME_SIZE_MAX + 1];
    (void)state;

    for (size_t i = 0; i + 2 < sizeof(pattern); i += 2) {
        pattern[i] = '*';
        pattern[i + 1] = 'a';
        pattern[i + 2] = '\0';
    }
    memset(name, 'a', NAME_SIZE_MAX);
    name[NAME_SIZE_MAX] = '\0';
    assert_true(filter_add(&filter, pattern));

    assert_false(filter_matches(&filter, span_of_string(name)));
    filter_fini(&filter);
}

/* The definition, word for word; exponential, so for short texts only. */
static bool matches_by_definition(const char *pattern, const char *name)
{
    if (*pattern == '\0')
        return *name == '\0';
    if (*pattern == '*')
        return matches_by_definition(pattern + 1, name) ||
               (*name && matches_by_definition(pattern, name + 1));
    return *name && (*pattern == '?' || *pattern == *name) &&
           matches_by_definition(pattern + 1, name + 1);
}

static void matching_agrees_with_the_definition(void **state)
{
    const char *given = getenv("COTERIE_SEED");
    unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL);
    (void)state;

    print_message("COTERIE_SEED=%u\n", seed);
    for (unsigned round = 0; round < 20000; round++) {
        char pattern[8] = {0};
        char name[8] = {0};

        for (unsigned i = 0; i < 1 + seed % 7; i++) {
            seed = seed * 1103515245u + 12345u;
            pattern[i] = "ab*?"[seed >> 16 & 3];
        }
        for (unsigned i = 0; i < (seed >> 8) % 8; i++) {
            seed = seed * 1103515245u + 12345u;
            name[i] = "ab"[seed >> 16 & 1];
        }
        if (filtered(pattern, name) != matches_by_definition(pattern, name))
            fail_msg("pattern=%s name=%s", pattern, name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_default_leaves_out_editors_leftovers),
        cmocka_unit_test(a_pattern_must_match_the_whole_name),
        cmocka_unit_test(a_question_mark_is_one_character_not_one_byte),
        cmocka_unit_test(case_is_folded_for_ascii_only),
        cmocka_unit_test(blanks_around_commas_do_not_count),
        cmocka_unit_test(the_private_directory_is_always_left_out),
        cmocka_unit_test(names_may_hold_any_bytes),
        cmocka_unit_test(lists_beyond_the_limits_are_refused),
        cmocka_unit_test(many_stars_cost_no_more_than_pattern_times_name),
        cmocka_unit_test(matching_agrees_with_the_definition),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
