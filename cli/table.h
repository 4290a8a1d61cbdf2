/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/table.h: columns for people.
 *
 * Rows are collected and printed at the end, each column as wide as its widest cell; nothing is
 * ever cut. Bytes that would move the cursor are printed as '?'.
 */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include "common/base/status.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define TABLE_COLUMN_COUNT_MAX 8

struct table {
    size_t column_count;
    char **cells; /* row after row; the first row is the heading */
    size_t cell_count;
};

/* @headings ends with NULL. */
void table_init(struct table *table, const char *const *headings);
void table_fini(struct table *table);

/* The next cell, from left to right; rows follow by themselves. */
void table_add(struct table *table, const char *format, ...) PRINTF_LIKE(2, 3);
/* "1204"; "-" when it is not known. */
void table_add_number(struct table *table, bool known, uint64_t value);
/* "3.1 GiB" */
void table_add_bytes(struct table *table, bool known, uint64_t value);
/* "5 min"; "never" when it is not known. */
void table_add_age(struct table *table, bool known, uint64_t seconds);

/* Each line begins with @indent blanks. */
void table_print(const struct table *table, int indent, FILE *to);

/* One line of text from outside, made safe for the terminal. */
void table_print_text(const char *text, FILE *to);

#endif
