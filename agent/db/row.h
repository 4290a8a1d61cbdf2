/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/db/row.h: rows to values and back, with their checksums (schema.h).
 */
#ifndef AGENT_DB_ROW_H
#define AGENT_DB_ROW_H

#include "agent/db/connection.h"

struct key {
    uint8_t bytes[KEY_SIZE];
};

struct key key_of(const struct guid *database, uint64_t number);

/* The column `name` of a record: as it is, or folded. @out holds NAME_SIZE_MAX bytes. */
struct span row_name(struct span name, bool fold, uint8_t *out);

/* The column `content` of a record; false: NULL. */
bool row_content(const struct record *record, int64_t *out_content);

/* Bodies are appended to @out. */
void row_write_record(const struct record *record, struct buf *out);
void row_write_state(const struct replica_state *state, struct buf *out);
void row_write_intent(const struct intent *intent, struct buf *out);

/* False when the bytes break a rule. @out is finished first. */
bool row_read_record(struct span body, struct record *out);
bool row_read_state(struct span body, struct replica_state *out);
bool row_read_intent(struct span body, struct intent *out);

uint64_t row_sum(struct span body);
uint64_t row_record_sum(const struct key *id, enum place place, const struct object *object,
                        struct span body);

/* A record from a row of RECORD_COLUMNS: checksum, body and identity tested. False: damaged. */
bool row_take_record(sqlite3_stmt *row, struct record *out);
/* Body and checksum of a row "body, sum". False: damaged. */
bool row_take_body(sqlite3_stmt *row, struct span *out_body);

#endif
