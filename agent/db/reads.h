/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/db/reads.h: the reads of store.h, shared by the writer and the readers.
 *
 * @arg of the ops is a struct connection, or something that begins with one.
 */
#ifndef AGENT_DB_READS_H
#define AGENT_DB_READS_H

#include "agent/db/connection.h"

bool reads_get(void *arg, const struct file_id *id, struct record *out);
bool reads_get_by_name(void *arg, const struct file_id *parent, struct span name,
                       struct record *out);
bool reads_get_by_object(void *arg, const struct object *object, struct record *out);
bool reads_next_child(void *arg, const struct file_id *parent,
                      const struct file_id *after, struct record *out);
bool reads_next_record(void *arg, const struct file_id *after, struct record *out);
bool reads_next_version(void *arg, const struct guid *database, struct interval numbers,
                        struct record *out);
uint64_t reads_count_versions(struct connection *c, const struct guid *database,
                              struct interval numbers, uint64_t count_max);
bool reads_next_parked(void *arg, const struct file_id *after, struct record *out);
bool reads_next_expired(void *arg, uint64_t clock, struct record *out);
bool reads_get_state(void *arg, struct replica_state *out);
bool reads_get_intent(void *arg, size_t index, struct intent *out);

bool reads_failed(void *arg);

/* The one row of RECORD_COLUMNS of a bound statement, tested; false when there is none. */
bool reads_take(struct connection *c, sqlite3_stmt *statement, const char *what,
                struct record *out);

/* SQLite's integers are signed: the order of unsigned ones, kept. */
int64_t reads_ordered(uint64_t value);

#endif
