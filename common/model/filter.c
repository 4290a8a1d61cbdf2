/* SPDX-License-Identifier: Apache-2.0 */
#include "common/model/filter.h"

#include "common/base/limits.h"
#include "common/base/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

void filter_fini(struct filter *filter)
{
    for (size_t i = 0; i < filter->pattern_count; i++)
        free(filter->patterns[i]);
    free(filter->patterns);
    *filter = (struct filter){0};
}

static bool add_pattern(struct filter *filter, struct span pattern)
{
    if (pattern.size == 0 || pattern.size > FILTER_PATTERN_SIZE_MAX ||
        filter->pattern_count >= FILTER_PATTERN_COUNT_MAX)
        return false;
    filter->patterns =
        mem_resize(filter->patterns, filter->pattern_count + 1, sizeof(*filter->patterns));
    char *copy = mem_new(pattern.size + 1, 1);
    memcpy(copy, pattern.data, pattern.size);
    filter->patterns[filter->pattern_count++] = copy;
    return true;
}

bool filter_add(struct filter *filter, const char *pattern)
{
    return add_pattern(filter, span_of_string(pattern));
}

static struct span without_blanks(struct span text)
{
    while (text.size > 0 && (text.data[0] == ' ' || text.data[0] == '\t'))
        text = span_part(text, 1, text.size);
    while (text.size > 0 && (text.data[text.size - 1] == ' ' || text.data[text.size - 1] == '\t'))
        text.size--;
    return text;
}

bool filter_add_list(struct filter *filter, const char *list)
{
    struct span rest = span_of_string(list);

    if (rest.size > FILTER_LIST_SIZE_MAX)
        return false;
    while (rest.size > 0) {
        const uint8_t *comma = memchr(rest.data, ',', rest.size);
        size_t size = comma ? (size_t)(comma - rest.data) : rest.size;
        struct span pattern = without_blanks(span_part(rest, 0, size));

        if (pattern.size > 0 && !add_pattern(filter, pattern))
            return false;
        rest = span_part(rest, size + 1, rest.size);
    }
    return true;
}

/* Bytes of the UTF-8 character that begins at @i; a stray byte counts as a character. */
static size_t character_size(struct span text, size_t i)
{
    size_t end = i + 1;

    if (text.data[i] >= 0xc0) {
        while (end < text.size && end < i + 4 && (text.data[end] & 0xc0) == 0x80)
            end++;
    }
    return end - i;
}

static uint8_t fold(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c - 'A' + 'a') : c;
}

/*
 * Greedy: on a mismatch only the latest star is widened, by one character. An earlier star never
 * needs to be, because whatever it could swallow the later one can swallow too. So every character
 * of the name is tried at most once per position of the pattern.
 */
static bool matches(struct span pattern, struct span name)
{
    size_t p = 0;
    size_t n = 0;
    bool starred = false;
    size_t after_star = 0;
    size_t star_end = 0; /* where in the name the part behind the star is tried */

    while (n < name.size) {
        if (p < pattern.size && pattern.data[p] == '*') {
            starred = true;
            after_star = ++p;
            star_end = n;
        } else if (p < pattern.size && pattern.data[p] == '?') {
            p++;
            n += character_size(name, n);
        } else if (p < pattern.size && fold(pattern.data[p]) == fold(name.data[n])) {
            p++;
            n++;
        } else if (starred) {
            star_end += character_size(name, star_end);
            p = after_star;
            n = star_end;
        } else {
            return false;
        }
    }
    while (p < pattern.size && pattern.data[p] == '*')
        p++;
    return p == pattern.size;
}

bool filter_matches(const struct filter *filter, struct span name)
{
    if (matches(span_of_string(PRIVATE_DIR_NAME), name))
        return true;
    for (size_t i = 0; i < filter->pattern_count; i++) {
        if (matches(span_of_string(filter->patterns[i]), name))
            return true;
    }
    return false;
}
