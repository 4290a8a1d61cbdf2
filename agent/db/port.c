/* SPDX-License-Identifier: Apache-2.0 */
/* The replica's port on the writer: store_ops. */
#include "agent/db/writer.h"

#include "agent/db/reads.h"
#include "agent/db/row.h"
#include "common/base/limits.h"

#include <assert.h>
#include <stddef.h>

static void op_begin(void *arg)
{
    struct db *db = arg;
    sqlite3_stmt *s = connection_statement(&db->c, DB_BEGIN);

    assert(!db->in_transaction);
    db->in_transaction = true;
    if (s)
        connection_run(&db->c, s, "begin");
}

/* Add (@sign 1) or take away (-1) one record in the counters. */
static void count(struct db_counters *counters, bool present, enum file_kind kind, uint64_t size,
                  int sign)
{
    uint64_t one = sign > 0 ? 1 : UINT64_MAX; /* arithmetic is modulo 2^64 */

    if (!present) {
        counters->tombstone_count += one;
    } else if (kind == FILE_DIRECTORY) {
        counters->dir_count += one;
    } else {
        counters->file_count += one;
        counters->content_bytes += sign > 0 ? size : (uint64_t)0 - size;
    }
}

/* Take the stored record with this id, if there is one, out of the counters. */
static void uncount(struct db *db, const struct key *id)
{
    sqlite3_stmt *s = connection_statement(&db->c, DB_COUNTED);

    if (!s)
        return;
    sqlite3_bind_blob(s, 1, id->bytes, KEY_SIZE, SQLITE_STATIC);
    if (!connection_row(&db->c, s, "count"))
        return;
    count(&db->counters, sqlite3_column_int(s, 0) != 0, (enum file_kind)sqlite3_column_int(s, 1),
          (uint64_t)sqlite3_column_int64(s, 2), -1);
    sqlite3_reset(s);
}

static void op_put(void *arg, const struct record *record)
{
    struct db *db = arg;
    const struct update *u = &record->update;
    struct key id = key_of(&u->id.database, u->id.number);
    struct key parent = key_of(&u->parent.database, u->parent.number);
    struct key gvsn = key_of(&u->gvsn.database, u->gvsn.number);
    uint8_t folded[NAME_SIZE_MAX];
    struct span name = row_name(update_name(u), db->c.fold, folded);
    struct span body;
    int64_t content;
    sqlite3_stmt *s;

    assert(db->in_transaction);
    assert(u->present || record->place == PLACE_NOWHERE);
    uncount(db, &id);
    s = connection_statement(&db->c, DB_PUT);
    if (!s)
        return;
    buf_clear(&db->c.scratch);
    row_write_record(record, &db->c.scratch);
    body = buf_span(&db->c.scratch);
    sqlite3_bind_blob(s, 1, id.bytes, KEY_SIZE, SQLITE_STATIC);
    sqlite3_bind_blob(s, 2, parent.bytes, KEY_SIZE, SQLITE_STATIC);
    sqlite3_bind_blob(s, 3, name.data, (int)name.size, SQLITE_STATIC);
    if (record->object.size > 0)
        sqlite3_bind_blob(s, 4, record->object.bytes, record->object.size, SQLITE_STATIC);
    else
        sqlite3_bind_null(s, 4);
    sqlite3_bind_blob(s, 5, gvsn.bytes, KEY_SIZE, SQLITE_STATIC);
    sqlite3_bind_int(s, 6, u->present);
    sqlite3_bind_int(s, 7, (int)record->place);
    sqlite3_bind_int(s, 8, (int)u->kind);
    sqlite3_bind_int64(s, 9, (int64_t)u->size);
    sqlite3_bind_int64(s, 10, reads_ordered(u->clock));
    sqlite3_bind_blob(s, 11, body.data, (int)body.size, SQLITE_STATIC);
    sqlite3_bind_int64(s, 12,
                       (int64_t)row_record_sum(&id, record->place, &record->object, body));
    if (row_content(record, &content))
        sqlite3_bind_int64(s, 13, content);
    else
        sqlite3_bind_null(s, 13);
    if (connection_run(&db->c, s, "put"))
        count(&db->counters, u->present, u->kind, u->size, 1);
    sqlite3_clear_bindings(s);
}

static void op_forget(void *arg, const struct file_id *id)
{
    struct db *db = arg;
    struct key key = key_of(&id->database, id->number);
    sqlite3_stmt *s;

    assert(db->in_transaction);
    uncount(db, &key);
    s = connection_statement(&db->c, DB_FORGET);
    if (!s)
        return;
    sqlite3_bind_blob(s, 1, key.bytes, KEY_SIZE, SQLITE_TRANSIENT);
    connection_run(&db->c, s, "forget");
}

/* Bind the scratch buffer as body and sum, from @index. */
static void bind_body(struct db *db, sqlite3_stmt *s, int index)
{
    struct span body = buf_span(&db->c.scratch);

    sqlite3_bind_blob(s, index, body.data, (int)body.size, SQLITE_TRANSIENT);
    sqlite3_bind_int64(s, index + 1, (int64_t)row_sum(body));
}

static void op_put_state(void *arg, const struct replica_state *state)
{
    struct db *db = arg;
    sqlite3_stmt *s = connection_statement(&db->c, DB_PUT_STATE);

    assert(db->in_transaction);
    if (!s)
        return;
    buf_clear(&db->c.scratch);
    row_write_state(state, &db->c.scratch);
    bind_body(db, s, 1);
    connection_run(&db->c, s, "put state");
}

static void op_put_intent(void *arg, const struct intent *intent)
{
    struct db *db = arg;
    sqlite3_stmt *s = connection_statement(&db->c, DB_PUT_INTENT);

    assert(db->in_transaction);
    if (!s)
        return;
    buf_clear(&db->c.scratch);
    row_write_intent(intent, &db->c.scratch);
    sqlite3_bind_int64(s, 1, db->intent_count);
    bind_body(db, s, 2);
    if (connection_run(&db->c, s, "put intent"))
        db->intent_count++;
}

static void op_clear_intents(void *arg)
{
    struct db *db = arg;
    sqlite3_stmt *s = connection_statement(&db->c, DB_CLEAR_INTENTS);

    assert(db->in_transaction);
    if (s && connection_run(&db->c, s, "clear intents"))
        db->intent_count = 0;
}

void writer_count_intents(struct db *db)
{
    sqlite3_stmt *s = connection_statement(&db->c, DB_INTENT_COUNT);

    if (s && connection_row(&db->c, s, "count intents")) {
        db->intent_count = sqlite3_column_int64(s, 0);
        sqlite3_reset(s);
    }
}

static void roll_back(struct db *db)
{
    /* Directly: a failed connection hands out no statements. */
    if (!sqlite3_get_autocommit(db->c.sqlite)) {
        sqlite3_reset(db->c.statements[DB_ROLLBACK]);
        sqlite3_step(db->c.statements[DB_ROLLBACK]);
        sqlite3_reset(db->c.statements[DB_ROLLBACK]);
    }
    db->in_transaction = false;
    db->counters = db->committed;
    writer_count_intents(db);
}

static enum status op_commit(void *arg)
{
    struct db *db = arg;
    sqlite3_stmt *s = connection_statement(&db->c, DB_PUT_COUNTERS);

    assert(db->in_transaction);
    if (s) {
        sqlite3_bind_int64(s, 1, (int64_t)db->counters.file_count);
        sqlite3_bind_int64(s, 2, (int64_t)db->counters.dir_count);
        sqlite3_bind_int64(s, 3, (int64_t)db->counters.tombstone_count);
        sqlite3_bind_int64(s, 4, (int64_t)db->counters.content_bytes);
        connection_run(&db->c, s, "put counters");
    }
    s = connection_statement(&db->c, DB_COMMIT);
    if (!s || !connection_run(&db->c, s, "commit")) {
        roll_back(db);
        return db->c.failure;
    }
    db->in_transaction = false;
    db->committed = db->counters;
    return ST_OK;
}

static void op_abort(void *arg)
{
    struct db *db = arg;

    assert(db->in_transaction);
    roll_back(db);
}

struct store db_store(struct db *db)
{
    static const struct store_ops ops = {
        .get = reads_get,
        .get_by_name = reads_get_by_name,
        .get_by_object = reads_get_by_object,
        .next_child = reads_next_child,
        .next_record = reads_next_record,
        .next_version = reads_next_version,
        .next_parked = reads_next_parked,
        .next_expired = reads_next_expired,
        .get_state = reads_get_state,
        .get_intent = reads_get_intent,
        .begin = op_begin,
        .put = op_put,
        .forget = op_forget,
        .put_state = op_put_state,
        .put_intent = op_put_intent,
        .clear_intents = op_clear_intents,
        .commit = op_commit,
        .abort = op_abort,
        .failed = reads_failed,
    };

    static_assert(offsetof(struct db, c) == 0, "reads.h takes it for its connection");
    return (struct store){.ops = &ops, .arg = db};
}
