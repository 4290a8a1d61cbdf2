/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/db/reads.h"

#include "agent/db/row.h"
#include "common/base/limits.h"

#include <string.h>

static void bind_key(sqlite3_stmt *statement, int index, struct key key)
{
    sqlite3_bind_blob(statement, index, key.bytes, KEY_SIZE, SQLITE_TRANSIENT);
}

static void bind_id(sqlite3_stmt *statement, int index, const struct file_id *id)
{
    bind_key(statement, index, key_of(&id->database, id->number));
}

/* Above @after, or all: a key is never empty, and nothing is less than an empty one. */
static void bind_after(sqlite3_stmt *statement, int index, const struct file_id *after)
{
    if (after)
        bind_id(statement, index, after);
    else
        sqlite3_bind_blob(statement, index, "", 0, SQLITE_STATIC);
}

int64_t reads_ordered(uint64_t value)
{
    return (int64_t)(value ^ UINT64_C(1) << 63);
}

bool reads_take(struct connection *c, sqlite3_stmt *statement, const char *what,
                struct record *out)
{
    bool good;

    if (!connection_row(c, statement, what))
        return false;
    good = row_take_record(statement, out);
    sqlite3_reset(statement);
    if (!good)
        connection_fail(c, ST_BADDATA, "a record's checksum is wrong");
    return good;
}

bool reads_get(void *arg, const struct file_id *id, struct record *out)
{
    struct connection *c = arg;
    sqlite3_stmt *s = connection_statement(c, DB_GET);

    if (!s)
        return false;
    bind_id(s, 1, id);
    return reads_take(c, s, "get", out);
}

bool reads_get_by_name(void *arg, const struct file_id *parent, struct span name,
                       struct record *out)
{
    struct connection *c = arg;
    sqlite3_stmt *s = connection_statement(c, DB_GET_BY_NAME);
    uint8_t folded[NAME_SIZE_MAX];

    if (!s || name.size > NAME_SIZE_MAX)
        return false;
    name = row_name(name, c->fold, folded);
    bind_id(s, 1, parent);
    sqlite3_bind_blob(s, 2, name.data, (int)name.size, SQLITE_TRANSIENT);
    return reads_take(c, s, "get by name", out);
}

bool reads_get_by_object(void *arg, const struct object *object, struct record *out)
{
    struct connection *c = arg;
    sqlite3_stmt *s = connection_statement(c, DB_GET_BY_OBJECT);

    if (!s || object->size == 0)
        return false;
    sqlite3_bind_blob(s, 1, object->bytes, object->size, SQLITE_TRANSIENT);
    return reads_take(c, s, "get by object", out);
}

bool reads_next_child(void *arg, const struct file_id *parent,
                      const struct file_id *after, struct record *out)
{
    struct connection *c = arg;
    sqlite3_stmt *s = connection_statement(c, DB_NEXT_CHILD);

    if (!s)
        return false;
    bind_id(s, 1, parent);
    bind_after(s, 2, after);
    return reads_take(c, s, "next child", out);
}

bool reads_next_record(void *arg, const struct file_id *after, struct record *out)
{
    struct connection *c = arg;
    sqlite3_stmt *s = connection_statement(c, DB_NEXT_RECORD);

    if (!s)
        return false;
    bind_after(s, 1, after);
    return reads_take(c, s, "next record", out);
}

bool reads_next_version(void *arg, const struct guid *database, struct interval numbers,
                        struct record *out)
{
    struct connection *c = arg;
    sqlite3_stmt *s = connection_statement(c, DB_NEXT_VERSION);

    if (!s)
        return false;
    bind_key(s, 1, key_of(database, numbers.low));
    bind_key(s, 2, key_of(database, numbers.high));
    return reads_take(c, s, "next version", out);
}

uint64_t reads_count_versions(struct connection *c, const struct guid *database,
                              struct interval numbers, uint64_t count_max)
{
    sqlite3_stmt *s = connection_statement(c, DB_COUNT_VERSIONS);
    uint64_t count = 0;

    if (!s)
        return 0;
    bind_key(s, 1, key_of(database, numbers.low));
    bind_key(s, 2, key_of(database, numbers.high));
    sqlite3_bind_int64(s, 3, (int64_t)count_max);
    if (connection_row(c, s, "count versions"))
        count = (uint64_t)sqlite3_column_int64(s, 0);
    sqlite3_reset(s);
    return count;
}

bool reads_next_parked(void *arg, const struct file_id *after, struct record *out)
{
    struct connection *c = arg;
    sqlite3_stmt *s = connection_statement(c, DB_NEXT_PARKED);

    if (!s)
        return false;
    bind_after(s, 1, after);
    return reads_take(c, s, "next parked", out);
}

bool reads_next_expired(void *arg, uint64_t clock, struct record *out)
{
    struct connection *c = arg;
    sqlite3_stmt *s = connection_statement(c, DB_NEXT_EXPIRED);

    if (!s)
        return false;
    sqlite3_bind_int64(s, 1, reads_ordered(clock));
    return reads_take(c, s, "next expired", out);
}

bool reads_get_state(void *arg, struct replica_state *out)
{
    struct connection *c = arg;
    sqlite3_stmt *s = connection_statement(c, DB_GET_STATE);
    struct span body;
    bool good;

    if (!s || !connection_row(c, s, "get state"))
        return false;
    good = row_take_body(s, &body) && row_read_state(body, out);
    sqlite3_reset(s);
    if (!good)
        connection_fail(c, ST_BADDATA, "the state's checksum is wrong");
    return good;
}

bool reads_get_intent(void *arg, size_t index, struct intent *out)
{
    struct connection *c = arg;
    sqlite3_stmt *s = connection_statement(c, DB_GET_INTENT);
    struct span body;
    bool good;

    if (!s)
        return false;
    sqlite3_bind_int64(s, 1, (int64_t)index);
    if (!connection_row(c, s, "get intent"))
        return false;
    good = row_take_body(s, &body) && row_read_intent(body, out);
    sqlite3_reset(s);
    if (!good)
        connection_fail(c, ST_BADDATA, "an intent's checksum is wrong");
    return good;
}

bool reads_failed(void *arg)
{
    const struct connection *c = arg;

    return c->failure != ST_OK;
}
