/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/db/db.h"

#include "agent/db/reads.h"
#include "agent/db/row.h"
#include "agent/db/schema.h"
#include "agent/db/writer.h"
#include "common/base/instant.h"
#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/base/scope.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- opening and closing --- */

/* The lock file stays: to unlink it would let a second opener lock a name that is gone. */
static enum status lock(const struct db_options *options, int *out_fd)
{
    scope_free char *path = mem_format("%s.lock", options->path);
    scope_fd int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0) {
        enum status st = status_from_errno(errno);

        log_error(options->log, "database not opened path=%s: %s", path, strerror(errno));
        return st;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        log_error(options->log, "database not opened path=%s: another process has it open",
                  options->path);
        return ST_AGAIN;
    }
    *out_fd = scope_move_fd(&fd);
    return ST_OK;
}

static enum status read_counters(struct db *db)
{
    sqlite3_stmt *s = connection_statement(&db->c, DB_GET_COUNTERS);

    if (!s || !connection_row(&db->c, s, "read counters"))
        return connection_fail(&db->c, ST_BADDATA, "the table meta is empty");
    db->committed = (struct db_counters){
        .file_count = (uint64_t)sqlite3_column_int64(s, 0),
        .dir_count = (uint64_t)sqlite3_column_int64(s, 1),
        .tombstone_count = (uint64_t)sqlite3_column_int64(s, 2),
        .content_bytes = (uint64_t)sqlite3_column_int64(s, 3),
    };
    sqlite3_reset(s);
    db->counters = db->committed;
    return ST_OK;
}

static bool mark_clean(struct db *db, bool clean)
{
    sqlite3_stmt *s = connection_statement(&db->c, DB_PUT_CLEAN);

    if (!s)
        return false;
    sqlite3_bind_int(s, 1, clean);
    return connection_run(&db->c, s, "mark");
}

static int note_log(void *arg, sqlite3 *sqlite, const char *name, int page_count)
{
    (void)sqlite;
    (void)name;
    ((struct db *)arg)->log_page_count = (uint64_t)page_count;
    return SQLITE_OK;
}

static enum status open_all(struct db *db, const struct db_options *options)
{
    bool clean = true;
    enum status st = lock(options, &db->lock_fd);

    if (st == ST_OK)
        st = connection_open(&db->c, options->path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                             options->log);
    if (st == ST_OK)
        st = schema_open(&db->c, options, &db->created, &clean);
    if (st == ST_OK)
        st = connection_prepare(&db->c);
    if (st == ST_OK)
        st = read_counters(db);
    if (st != ST_OK)
        return st;
    writer_count_intents(db);
    if (!clean)
        log_info(options->log, "database was not closed cleanly and is in order path=%s",
                 options->path);
    sqlite3_wal_hook(db->c.sqlite, note_log, db);
    mark_clean(db, false);
    return db->c.failure;
}

enum status db_open(const struct db_options *options, struct db **out_db)
{
    struct db *db = MEM_NEW(struct db);
    enum status st;

    db->lock_fd = -1;
    st = open_all(db, options);
    if (st != ST_OK) {
        connection_close(&db->c);
        scope_close_fd(&db->lock_fd);
        free(db);
        return st;
    }
    *out_db = db;
    return ST_OK;
}

void db_close(struct db *db)
{
    if (!db)
        return;
    assert(!db->in_transaction);
    /* The mark goes into the log first, then the whole log into the database. */
    if (db->c.failure == ST_OK && mark_clean(db, true))
        sqlite3_wal_checkpoint_v2(db->c.sqlite, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    connection_close(&db->c);
    scope_close_fd(&db->lock_fd);
    free(db);
}

bool db_created(const struct db *db)
{
    return db->created;
}

enum status db_failure(const struct db *db)
{
    return db->c.failure;
}

struct db_counters db_counters(const struct db *db)
{
    return db->committed;
}

/* --- upkeep --- */

enum status db_checkpoint(struct db *db, bool idle)
{
    int log_count;
    int moved_count;
    int code;

    assert(!db->in_transaction);
    if (db->c.failure != ST_OK)
        return db->c.failure;
    if (db->log_page_count == 0 ||
        (!idle && db->log_page_count * DB_PAGE_SIZE < DB_LOG_BYTES_MAX))
        return ST_OK;
    /* Passive: moves what no reader holds back, and waits for nobody. */
    code = sqlite3_wal_checkpoint_v2(db->c.sqlite, NULL, SQLITE_CHECKPOINT_PASSIVE, &log_count,
                                     &moved_count);
    if (code != SQLITE_OK && code != SQLITE_BUSY)
        return connection_fail_code(&db->c, code, "checkpoint");
    if (code == SQLITE_OK && log_count == moved_count)
        db->log_page_count = 0;
    return ST_OK;
}

enum status db_forget_objects(struct db *db)
{
    struct store store = db_store(db);
    struct record record = {0};
    struct key after = {0};

    store.ops->begin(store.arg);
    for (;;) {
        sqlite3_stmt *s = connection_statement(&db->c, DB_NEXT_OBJECT);

        if (!s)
            break;
        sqlite3_bind_blob(s, 1, after.bytes, KEY_SIZE, SQLITE_TRANSIENT);
        if (!reads_take(&db->c, s, "next object", &record))
            break;
        after = key_of(&record.update.id.database, record.update.id.number);
        record.object = (struct object){0};
        record.witness = (struct witness){0};
        store.ops->put(store.arg, &record);
    }
    update_fini(&record.update);
    return store.ops->commit(store.arg);
}

enum status db_copy(const struct db *db, const char *to_path)
{
    sqlite3_stmt *statement = NULL;
    enum status st = ST_OK;
    int code = sqlite3_prepare_v2(db->c.sqlite, "VACUUM INTO ?1", -1, &statement, NULL);

    if (code == SQLITE_OK) {
        sqlite3_bind_text(statement, 1, to_path, -1, SQLITE_STATIC);
        code = sqlite3_step(statement);
    }
    if (code != SQLITE_DONE) {
        st = connection_status(code);
        log_error(db->c.log, "database not copied path=%s to=%s: %s", db->c.path, to_path,
                  sqlite3_errmsg(db->c.sqlite));
    }
    sqlite3_finalize(statement);
    return st;
}

enum status db_move_aside(const char *path, const struct log_ctx *log)
{
    static const char *const parts[] = {"", "-wal", "-shm"};
    struct walltime_text now = walltime_format(walltime_now());

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        scope_free char *from = mem_format("%s%s", path, parts[i]);
        scope_free char *to = mem_format("%s.damaged-%s%s", path, now.text, parts[i]);

        if (rename(from, to) < 0 && errno != ENOENT) {
            enum status st = status_from_errno(errno);

            log_error(log, "database not moved aside path=%s: %s", from, strerror(errno));
            return st;
        }
    }
    log_warn(log, "damaged database moved aside path=%s to=%s.damaged-%s", path, path, now.text);
    return ST_OK;
}
