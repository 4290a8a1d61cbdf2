/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/replica/table.h: records in memory, found in all the ways of the store port.
 *
 * The overlay of a plan (view.h), and the whole store in tests. Records that a call returns are
 * borrowed until the table changes.
 */
#ifndef AGENT_REPLICA_TABLE_H
#define AGENT_REPLICA_TABLE_H

#include "agent/replica/store.h"

struct table;

/* @fold: names that differ only in ASCII case are one name. */
struct table *table_new(bool fold);
void table_free(struct table *table); /* NULL allowed */

void table_put(struct table *table, const struct record *record); /* by file id, replaces */
void table_remove(struct table *table, const struct file_id *id); /* nothing if it is not there */
size_t table_count(const struct table *table);

/* NULL: none. See store_ops for what each finds. */
const struct record *table_get(const struct table *table, const struct file_id *id);
const struct record *table_by_name(const struct table *table, const struct file_id *parent,
                                   struct span name);
const struct record *table_by_object(const struct table *table, const struct object *object);
const struct record *table_next_child(const struct table *table, const struct file_id *parent,
                                      const struct file_id *after);
const struct record *table_next_version(const struct table *table, const struct guid *database,
                                        struct interval numbers);
const struct record *table_next_parked(const struct table *table, const struct file_id *after);
/* All records, ascending by file id; NULL: from the first. */
const struct record *table_next(const struct table *table, const struct file_id *after);

/* The order of names in one directory: bytes, or ASCII letters as if they were small. 0: one name. */
int name_compare(struct span a, struct span b, bool fold);

#endif
