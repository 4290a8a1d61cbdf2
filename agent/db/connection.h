/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/db/connection.h: one SQLite connection, its prepared statements, and its first failure.
 *
 * The first failure is logged and kept; from then on every read answers "not there".
 */
#ifndef AGENT_DB_CONNECTION_H
#define AGENT_DB_CONNECTION_H

#include "agent/replica/store.h"
#include "common/base/buf.h"
#include "common/base/log.h"

#include <sqlite3.h>

#define KEY_SIZE 24 /* a file id or gvsn */

#define DB_STATEMENTS(X)                                                                         \
    X(GET, "SELECT " RECORD_COLUMNS " FROM records WHERE id = ?1")                               \
    X(GET_BY_NAME, "SELECT " RECORD_COLUMNS " FROM records"                                      \
                   " WHERE present = 1 AND place = 1 AND parent = ?1 AND name = ?2 LIMIT 1")     \
    X(GET_BY_OBJECT, "SELECT " RECORD_COLUMNS " FROM records"                                    \
                     " WHERE present = 1 AND place > 0 AND object = ?1 LIMIT 1")                 \
    X(FIND_CONTENT, "SELECT " RECORD_COLUMNS " FROM records WHERE content = ?1"                  \
                    " ORDER BY rowid LIMIT 1 OFFSET ?2")                                         \
    X(NEXT_CHILD, "SELECT " RECORD_COLUMNS " FROM records"                                       \
                  " WHERE present = 1 AND place > 0 AND parent = ?1 AND id > ?2"                 \
                  " ORDER BY id LIMIT 1")                                                        \
    X(NEXT_RECORD, "SELECT " RECORD_COLUMNS " FROM records WHERE id > ?1 ORDER BY id LIMIT 1")   \
    X(NEXT_VERSION, "SELECT " RECORD_COLUMNS " FROM records"                                     \
                    " WHERE gvsn > ?1 AND gvsn <= ?2 ORDER BY gvsn LIMIT 1")                     \
    X(COUNT_VERSIONS, "SELECT count(*) FROM (SELECT 1 FROM records"                              \
                      " WHERE gvsn > ?1 AND gvsn <= ?2 LIMIT ?3)")                               \
    X(NEXT_PARKED, "SELECT " RECORD_COLUMNS " FROM records"                                      \
                   " WHERE place = 2 AND id > ?1 ORDER BY id LIMIT 1")                           \
    X(NEXT_EXPIRED, "SELECT " RECORD_COLUMNS " FROM records"                                     \
                    " WHERE present = 0 AND clock < ?1 ORDER BY clock LIMIT 1")                  \
    X(NEXT_OBJECT, "SELECT " RECORD_COLUMNS " FROM records"                                      \
                   " WHERE object IS NOT NULL AND id > ?1 ORDER BY id LIMIT 1")                  \
    X(EACH_PRESENT, "SELECT " RECORD_COLUMNS " FROM records WHERE present = 1 ORDER BY id")      \
    X(GET_STATE, "SELECT body, sum FROM state")                                                  \
    X(GET_INTENT, "SELECT body, sum FROM intents WHERE position = ?1")                           \
    X(INTENT_COUNT, "SELECT count(*) FROM intents")                                              \
    X(GET_COUNTERS,                                                                              \
      "SELECT file_count, dir_count, tombstone_count, content_bytes FROM meta")                  \
    X(BEGIN, "BEGIN IMMEDIATE")                                                                  \
    X(COMMIT, "COMMIT")                                                                          \
    X(ROLLBACK, "ROLLBACK")                                                                      \
    X(PUT, "INSERT OR REPLACE INTO records"                                                      \
           " (id, parent, name, object, gvsn, present, place, kind, size, clock, body, sum,"     \
           " content) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)")          \
    X(COUNTED, "SELECT present, kind, size FROM records WHERE id = ?1")                          \
    X(FORGET, "DELETE FROM records WHERE id = ?1")                                               \
    X(PUT_STATE, "INSERT OR REPLACE INTO state (one, body, sum) VALUES (1, ?1, ?2)")             \
    X(PUT_INTENT, "INSERT INTO intents (position, body, sum) VALUES (?1, ?2, ?3)")               \
    X(CLEAR_INTENTS, "DELETE FROM intents")                                                      \
    X(PUT_COUNTERS, "UPDATE meta SET file_count = ?1, dir_count = ?2, tombstone_count = ?3,"     \
                    " content_bytes = ?4")                                                       \
    X(PUT_CLEAN, "UPDATE meta SET clean = ?1")

#define RECORD_COLUMNS "id, place, object, body, sum"

enum db_statement {
#define X(name, sql) DB_##name,
    DB_STATEMENTS(X)
#undef X
    DB_STATEMENT_COUNT
};

struct connection {
    sqlite3 *sqlite;
    sqlite3_stmt *statements[DB_STATEMENT_COUNT];
    char *path;
    const struct log_ctx *log;
    bool fold;
    enum status failure;
    struct buf scratch;
};

/* Open the file; statements are prepared by connection_prepare() when the tables stand. */
NODISCARD enum status connection_open(struct connection *c, const char *path, int flags,
                                      const struct log_ctx *log);
NODISCARD enum status connection_prepare(struct connection *c);
void connection_close(struct connection *c);

/* What a result code means to callers. */
enum status connection_status(int code);

/* Note and log a failure, the first only; returns what is noted. */
enum status connection_fail(struct connection *c, enum status st, const char *what);
/* The same for what SQLite just returned. */
enum status connection_fail_code(struct connection *c, int code, const char *what);

/* Run SQL without results; several statements may stand in one text. */
NODISCARD enum status connection_exec(struct connection *c, const char *sql);

/* A statement, reset and ready to bind; NULL when the connection has failed. */
sqlite3_stmt *connection_statement(struct connection *c, enum db_statement which);
/* Run one that gives no rows; false when it failed. */
bool connection_run(struct connection *c, sqlite3_stmt *statement, const char *what);
/* Step to a row; false when there is none or it failed. Reset it after use. */
bool connection_row(struct connection *c, sqlite3_stmt *statement, const char *what);

#endif
