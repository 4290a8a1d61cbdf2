/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/model/filter.h: names that are not replicated.
 *
 * Comma-separated patterns with * and ?, matched against one bare name, ASCII case-insensitively,
 * blanks around commas ignored, no escape ([MS-FRS2] msDFSR-FileFilter). Default for files
 * "~*, *.bak, *.tmp". Our private directory's name is always filtered.
 */
#ifndef COMMON_MODEL_FILTER_H
#define COMMON_MODEL_FILTER_H

#include "common/base/limits.h"
#include "common/base/span.h"

#include <stdbool.h>
#include <stddef.h>

#define FILTER_FILE_DEFAULT "~*, *.bak, *.tmp"

struct filter {
    char **patterns;
    size_t pattern_count;
};

void filter_fini(struct filter *filter);
/* Adds the patterns of a comma-separated list, empty ones left out. False when the list, a pattern
 * or their number exceeds limits.h; the patterns before that one stay added. */
bool filter_add_list(struct filter *filter, const char *list);
/* Adds one pattern as it is. False when it is empty or exceeds limits.h. */
bool filter_add(struct filter *filter, const char *pattern);
/* Whether some pattern matches the whole of @name, or it is PRIVATE_DIR_NAME in any case. "?" takes
 * one character of UTF-8. At worst pattern times name steps, whatever the number of stars. */
bool filter_matches(const struct filter *filter, struct span name);

#endif
