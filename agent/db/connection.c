/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/db/connection.h"

#include "common/base/limits.h"
#include "common/base/mem.h"

#include <stdlib.h>

#define BUSY_WAIT_MS 5000

enum status connection_status(int code)
{
    switch (code & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return ST_OK;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return ST_AGAIN;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_FORMAT:
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
        return ST_BADDATA;
    case SQLITE_FULL:
    case SQLITE_TOOBIG:
        return ST_FULL;
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_READONLY:
        return ST_REFUSED;
    default:
        return ST_IO;
    }
}

static const char *remedy(enum status st)
{
    switch (st) {
    case ST_BADDATA:
        return "it is moved aside and rebuilt by scanning";
    case ST_FULL:
        return "free space on its file system";
    case ST_REFUSED:
        return "look at its owner, mode and mount options";
    case ST_AGAIN:
        return "another process uses it";
    case ST_OK:
    case ST_GONE:
    case ST_IO:
    case ST_STOP:
        break;
    }
    return "look for disk errors";
}

enum status connection_fail(struct connection *c, enum status st, const char *what)
{
    if (c->failure == ST_OK) {
        c->failure = st;
        log_error(c->log, "database failed path=%s: %s; %s", c->path, what, remedy(st));
    }
    return c->failure;
}

enum status connection_fail_code(struct connection *c, int code, const char *what)
{
    struct buf text = {0};
    enum status st;

    buf_printf(&text, "%s: %s (%d)", what,
               c->sqlite ? sqlite3_errmsg(c->sqlite) : sqlite3_errstr(code), code);
    st = connection_fail(c, connection_status(code), buf_text(&text));
    buf_fini(&text);
    return st;
}

enum status connection_open(struct connection *c, const char *path, int flags,
                            const struct log_ctx *log)
{
    int code;

    *c = (struct connection){.path = mem_copy_string(path), .log = log};
    code = sqlite3_open_v2(path, &c->sqlite, flags | SQLITE_OPEN_NOMUTEX, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_busy_timeout(c->sqlite, BUSY_WAIT_MS);
    if (code != SQLITE_OK)
        return connection_fail_code(c, code, "open");
    sqlite3_extended_result_codes(c->sqlite, 1);
    return ST_OK;
}

enum status connection_prepare(struct connection *c)
{
    static const char *const sql[] = {
#define X(name, text) text,
        DB_STATEMENTS(X)
#undef X
    };

    for (size_t i = 0; i < DB_STATEMENT_COUNT; i++) {
        int code = sqlite3_prepare_v3(c->sqlite, sql[i], -1, SQLITE_PREPARE_PERSISTENT,
                                      &c->statements[i], NULL);

        if (code != SQLITE_OK)
            return connection_fail_code(c, code, "prepare");
    }
    return ST_OK;
}

void connection_close(struct connection *c)
{
    for (size_t i = 0; i < DB_STATEMENT_COUNT; i++)
        sqlite3_finalize(c->statements[i]);
    sqlite3_close(c->sqlite);
    free(c->path);
    buf_fini(&c->scratch);
    *c = (struct connection){0};
}

enum status connection_exec(struct connection *c, const char *sql)
{
    int code = sqlite3_exec(c->sqlite, sql, NULL, NULL, NULL);

    return code == SQLITE_OK ? ST_OK : connection_fail_code(c, code, sql);
}

sqlite3_stmt *connection_statement(struct connection *c, enum db_statement which)
{
    if (c->failure != ST_OK)
        return NULL;
    sqlite3_reset(c->statements[which]);
    return c->statements[which];
}

bool connection_run(struct connection *c, sqlite3_stmt *statement, const char *what)
{
    int code = sqlite3_step(statement);

    sqlite3_reset(statement);
    if (code == SQLITE_DONE)
        return true;
    connection_fail_code(c, code, what);
    return false;
}

bool connection_row(struct connection *c, sqlite3_stmt *statement, const char *what)
{
    int code = sqlite3_step(statement);

    if (code == SQLITE_ROW)
        return true;
    sqlite3_reset(statement);
    if (code != SQLITE_DONE)
        connection_fail_code(c, code, what);
    return false;
}
