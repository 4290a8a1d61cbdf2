/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/db/schema.h: the database's format, version 3.
 *
 * A SQLite file with application_id DB_APPLICATION_ID and user_version DB_SCHEMA_VERSION.
 *
 *   meta     one row: whose database it is, whether it was closed cleanly, the counters
 *   state    one row: the replica's state
 *   records  one row for each file id, tombstones included
 *   intents  updates whose effect on the disk is under way, by position from 0
 *
 * A file id or gvsn is a key of 24 bytes: the guid, then the number big-endian, so that keys sort as
 * the values do. The columns beside `body` are what is looked up; `body` holds everything:
 *
 *   record  witness (3 x u64), update_encode()
 *   state   database guid, last number u64, flags u8 (1 initial scan done, 2 initial sync done),
 *           vector_encode(), member guid, vector_encode() of what is forgotten
 *   intent  object blob, update_encode()
 *
 * `sum` is xxh3-64 over key, place, object and body of a record, over the body of the others. `name`
 * is folded to lower case (ASCII) when meta.folded is 1. `clock` is the update's clock less 2^63, so
 * that SQLite's signed integers order it. `content` is db_content_key() of a file in the tree whose
 * content may be a seed (SEED_SIZE_MIN), else NULL; it is in no checksum: whoever finds by it looks at
 * the body. Version 1 had no `content`; it is added when such a database is opened. The state of
 * version 2 ended with the vector: its member is zero, whoever opens it.
 */
#ifndef AGENT_DB_SCHEMA_H
#define AGENT_DB_SCHEMA_H

#include "agent/db/connection.h"
#include "agent/db/db.h"

#define DB_APPLICATION_ID 0x436f7465 /* "Cote" */
#define DB_SCHEMA_VERSION 3
#define DB_PAGE_SIZE      4096

/* Create what is not there, and compare what is with @options. @out_created, @out_clean: as found. */
NODISCARD enum status schema_open(struct connection *c, const struct db_options *options,
                                  bool *out_created, bool *out_clean);
/* The same for a reader: compares only. */
NODISCARD enum status schema_check(struct connection *c, const struct db_options *options);

#endif
