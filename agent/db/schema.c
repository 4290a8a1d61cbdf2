/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/db/schema.h"

#include "agent/db/row.h"
#include "common/base/limits.h"

#include <stdio.h>
#include <string.h>

#define STRING(x)      #x
#define STRING_OF(x)   STRING(x)
#define INDEXED_TREE   "present = 1 AND place = 1"
#define INDEXED_ANY    "present = 1 AND place > 0"

#define CONTENT_INDEX_SQL                                                                          \
    "CREATE INDEX record_contents ON records (content) WHERE content IS NOT NULL;"

/* records keeps its rowid: the indices then hold a few bytes for a record instead of its key, and
 * loading 100,000 is a tenth faster than WITHOUT ROWID. */
static const char tables_sql[] =
    "CREATE TABLE meta (one INTEGER PRIMARY KEY CHECK (one = 1), folder BLOB NOT NULL,"
    " token BLOB NOT NULL, folded INTEGER NOT NULL, clean INTEGER NOT NULL,"
    " file_count INTEGER NOT NULL, dir_count INTEGER NOT NULL, tombstone_count INTEGER NOT NULL,"
    " content_bytes INTEGER NOT NULL);"
    "CREATE TABLE state (one INTEGER PRIMARY KEY CHECK (one = 1), body BLOB NOT NULL,"
    " sum INTEGER NOT NULL);"
    "CREATE TABLE records (id BLOB NOT NULL PRIMARY KEY, parent BLOB NOT NULL, name BLOB NOT NULL,"
    " object BLOB, gvsn BLOB NOT NULL, present INTEGER NOT NULL, place INTEGER NOT NULL,"
    " kind INTEGER NOT NULL, size INTEGER NOT NULL, clock INTEGER NOT NULL, body BLOB NOT NULL,"
    " sum INTEGER NOT NULL, content INTEGER);"
    "CREATE INDEX record_names ON records (parent, name) WHERE " INDEXED_TREE ";"
    "CREATE INDEX record_children ON records (parent, id) WHERE " INDEXED_ANY ";"
    "CREATE INDEX record_objects ON records (object) WHERE " INDEXED_ANY ";"
    "CREATE INDEX record_versions ON records (gvsn);"
    "CREATE INDEX record_parked ON records (id) WHERE place = 2;"
    "CREATE INDEX record_tombstones ON records (clock) WHERE present = 0;"
    CONTENT_INDEX_SQL
    "CREATE TABLE intents (position INTEGER PRIMARY KEY, body BLOB NOT NULL,"
    " sum INTEGER NOT NULL);";

/* A single integer; false when it can not be had. */
static bool ask_number(struct connection *c, const char *sql, int64_t *out)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(c->sqlite, sql, -1, &statement, NULL);

    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        *out = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    if (code == SQLITE_ROW)
        return true;
    connection_fail_code(c, code, sql);
    return false;
}

/* WAL must be what we get, and each commit must reach the disk. */
static enum status set_up_writer(struct connection *c)
{
    enum status st = connection_exec(
        c, "PRAGMA page_size = " STRING_OF(DB_PAGE_SIZE) "; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;"
           "PRAGMA temp_store = MEMORY; PRAGMA cell_size_check = ON; PRAGMA trusted_schema = OFF");
    char cache[64];

    if (st != ST_OK)
        return st;
    snprintf(cache, sizeof cache, "PRAGMA cache_size = -%u", DB_CACHE_BYTES / 1024);
    return connection_exec(c, cache);
}

static enum status create(struct connection *c, const struct db_options *options)
{
    sqlite3_stmt *statement = NULL;
    enum status st = connection_exec(c, "BEGIN IMMEDIATE");
    int code;

    if (st == ST_OK)
        st = connection_exec(c, tables_sql);
    if (st != ST_OK)
        return st;
    code = sqlite3_prepare_v2(c->sqlite, "INSERT INTO meta VALUES (1, ?1, ?2, ?3, 0, 0, 0, 0, 0)",
                              -1, &statement, NULL);
    if (code == SQLITE_OK) {
        sqlite3_bind_blob(statement, 1, options->folder.bytes, GUID_SIZE, SQLITE_STATIC);
        sqlite3_bind_blob(statement, 2, options->token.bytes, GUID_SIZE, SQLITE_STATIC);
        sqlite3_bind_int(statement, 3, options->case_insensitive);
        code = sqlite3_step(statement);
    }
    sqlite3_finalize(statement);
    if (code != SQLITE_DONE)
        return connection_fail_code(c, code, "create");
    return connection_exec(c, "PRAGMA application_id = " STRING_OF(DB_APPLICATION_ID) ";"
                              "PRAGMA user_version = " STRING_OF(DB_SCHEMA_VERSION) ";"
                              "COMMIT");
}

static bool read_body(sqlite3_context *context, sqlite3_value *value, struct record *out)
{
    const void *data = sqlite3_value_blob(value);

    if (row_read_record(span_of(data, (size_t)sqlite3_value_bytes(value)), out))
        return true;
    sqlite3_result_error_code(context, SQLITE_CORRUPT);
    return false;
}

/* name_of(body, fold): what the column `name` shall hold. */
static void sql_name_of(sqlite3_context *context, int count, sqlite3_value **values)
{
    uint8_t folded[NAME_SIZE_MAX];
    struct record record = {0};
    struct span name;

    (void)count;
    if (!read_body(context, values[0], &record))
        return;
    name = row_name(update_name(&record.update), sqlite3_value_int(values[1]) != 0, folded);
    sqlite3_result_blob(context, name.data, (int)name.size, SQLITE_TRANSIENT);
    update_fini(&record.update);
}

static enum status add_function(struct connection *c, const char *name, int argument_count,
                                void (*fn)(sqlite3_context *, int, sqlite3_value **))
{
    int code = sqlite3_create_function_v2(c->sqlite, name, argument_count,
                                          SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY,
                                          NULL, fn, NULL, NULL, NULL);

    return code == SQLITE_OK ? ST_OK : connection_fail_code(c, code, name);
}

/* content_of(body, place): what the column `content` shall hold. */
static void sql_content_of(sqlite3_context *context, int count, sqlite3_value **values)
{
    struct record record = {.place = (enum place)sqlite3_value_int(values[1])};
    int64_t content;

    (void)count;
    if (!read_body(context, values[0], &record))
        return;
    if (row_content(&record, &content))
        sqlite3_result_int64(context, content);
    update_fini(&record.update);
}

static enum status upgrade_from_1(struct connection *c)
{
    enum status st = add_function(c, "content_of", 2, sql_content_of);

    if (st != ST_OK)
        return st;
    return connection_exec(c, "BEGIN IMMEDIATE;"
                              "ALTER TABLE records ADD COLUMN content INTEGER;"
                              "UPDATE records SET content = content_of(body, place)"
                              " WHERE " INDEXED_TREE ";" CONTENT_INDEX_SQL
                              "PRAGMA user_version = " STRING_OF(DB_SCHEMA_VERSION) ";"
                              "COMMIT");
}

/* The state's body tells by its length; the number keeps older programs away. */
static enum status upgrade_from_2(struct connection *c)
{
    return connection_exec(c, "PRAGMA user_version = " STRING_OF(DB_SCHEMA_VERSION));
}

/* The folder has become case-insensitive, or sensitive again. */
static enum status refold(struct connection *c, bool fold)
{
    enum status st = add_function(c, "name_of", 2, sql_name_of);

    if (st != ST_OK)
        return st;
    return connection_exec(c, fold ? "BEGIN IMMEDIATE; UPDATE records SET name = name_of(body, 1);"
                                     "UPDATE meta SET folded = 1; COMMIT"
                                   : "BEGIN IMMEDIATE; UPDATE records SET name = name_of(body, 0);"
                                     "UPDATE meta SET folded = 0; COMMIT");
}

static bool guid_column_is(sqlite3_stmt *row, int index, const struct guid *guid)
{
    const void *data = sqlite3_column_blob(row, index);

    return data && sqlite3_column_bytes(row, index) == GUID_SIZE &&
           memcmp(data, guid->bytes, GUID_SIZE) == 0;
}

static enum status read_meta(struct connection *c, const struct db_options *options, bool *out_fold,
                             bool *out_clean)
{
    sqlite3_stmt *row = NULL;
    int code = sqlite3_prepare_v2(c->sqlite, "SELECT folder, token, folded, clean FROM meta", -1,
                                  &row, NULL);
    enum status st = ST_OK;

    if (code == SQLITE_OK)
        code = sqlite3_step(row);
    if (code == SQLITE_DONE)
        st = connection_fail(c, ST_BADDATA, "the table meta is empty");
    else if (code != SQLITE_ROW)
        st = connection_fail_code(c, code, "read meta");
    else if (!guid_column_is(row, 0, &options->folder))
        st = connection_fail(c, ST_BADDATA, "it is the database of another folder");
    else if (!guid_column_is(row, 1, &options->token))
        st = connection_fail(c, ST_BADDATA, "it is the database of another root");
    else {
        *out_fold = sqlite3_column_int(row, 2) != 0;
        *out_clean = sqlite3_column_int(row, 3) != 0;
    }
    sqlite3_finalize(row);
    return st;
}

static enum status quick_check(struct connection *c)
{
    sqlite3_stmt *row = NULL;
    int code = sqlite3_prepare_v2(c->sqlite, "PRAGMA quick_check(1)", -1, &row, NULL);
    enum status st = ST_OK;

    if (code == SQLITE_OK)
        code = sqlite3_step(row);
    if (code != SQLITE_ROW)
        st = connection_fail_code(c, code, "quick_check");
    else if (strcmp((const char *)sqlite3_column_text(row, 0), "ok") != 0)
        st = connection_fail(c, ST_BADDATA, (const char *)sqlite3_column_text(row, 0));
    sqlite3_finalize(row);
    return st;
}

/* What the file says it is. */
static enum status check_format(struct connection *c, bool *out_empty, int64_t *out_version)
{
    int64_t application = 0;
    int64_t table_count = 0;

    if (!ask_number(c, "PRAGMA application_id", &application) ||
        !ask_number(c, "PRAGMA user_version", out_version) ||
        !ask_number(c, "SELECT count(*) FROM sqlite_schema", &table_count))
        return c->failure;
    *out_empty = application == 0 && *out_version == 0 && table_count == 0;
    if (*out_empty)
        return ST_OK;
    if (application != DB_APPLICATION_ID)
        return connection_fail(c, ST_BADDATA, "it is no database of this program");
    if (*out_version < 1 || *out_version > DB_SCHEMA_VERSION)
        return connection_fail(c, ST_BADDATA, "it was written by a newer version");
    return ST_OK;
}

enum status schema_open(struct connection *c, const struct db_options *options, bool *out_created,
                        bool *out_clean)
{
    bool fold = options->case_insensitive;
    int64_t version = 0;
    enum status st;

    *out_clean = true;
    st = check_format(c, out_created, &version);
    if (st == ST_OK)
        st = set_up_writer(c);
    if (st == ST_OK && *out_created)
        st = create(c, options);
    else if (st == ST_OK) {
        st = read_meta(c, options, &fold, out_clean);
        if (st == ST_OK && !*out_clean)
            st = quick_check(c);
        if (st == ST_OK && version == 1)
            st = upgrade_from_1(c);
        else if (st == ST_OK && version == 2)
            st = upgrade_from_2(c);
    }
    if (st == ST_OK && fold != options->case_insensitive)
        st = refold(c, options->case_insensitive);
    c->fold = options->case_insensitive;
    return st;
}

enum status schema_check(struct connection *c, const struct db_options *options)
{
    int64_t version = 0;
    bool empty;
    bool clean;
    enum status st = check_format(c, &empty, &version);

    if (st == ST_OK && empty)
        st = connection_fail(c, ST_BADDATA, "it is empty");
    if (st == ST_OK && version != DB_SCHEMA_VERSION)
        st = connection_fail(c, ST_BADDATA, "its writer has not brought it up to date");
    return st == ST_OK ? read_meta(c, options, &c->fold, &clean) : st;
}
