/* SPDX-License-Identifier: Apache-2.0 */
/* Readers: what is committed, for senders. They never write and never checkpoint. */
#include "agent/db/db.h"

#include "agent/db/reads.h"
#include "agent/db/row.h"
#include "agent/db/schema.h"
#include "common/base/limits.h"
#include "common/base/mem.h"

#include <assert.h>
#include <endian.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct db_reader {
    struct connection c;
};

static enum status open_all(struct db_reader *reader, const struct db_options *options)
{
    struct connection *c = &reader->c;
    char cache[64];
    enum status st = connection_open(c, options->path, SQLITE_OPEN_READWRITE, options->log);

    if (st != ST_OK)
        return st;
    /* The last connection to close would otherwise checkpoint: the writer alone does that. */
    if (sqlite3_db_config(c->sqlite, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL) != SQLITE_OK)
        return connection_fail(c, ST_IO, "configure");
    snprintf(cache, sizeof cache, "PRAGMA cache_size = -%u", DB_READER_CACHE_BYTES / 1024);
    st = connection_exec(c, "PRAGMA query_only = ON; PRAGMA wal_autocheckpoint = 0;"
                            "PRAGMA cell_size_check = ON; PRAGMA trusted_schema = OFF");
    if (st == ST_OK)
        st = connection_exec(c, cache);
    if (st == ST_OK)
        st = schema_check(c, options);
    return st == ST_OK ? connection_prepare(c) : st;
}

enum status db_reader_open(const struct db_options *options, struct db_reader **out_reader)
{
    struct db_reader *reader = MEM_NEW(struct db_reader);
    enum status st = open_all(reader, options);

    if (st != ST_OK) {
        db_reader_close(reader);
        return st;
    }
    *out_reader = reader;
    return ST_OK;
}

void db_reader_close(struct db_reader *reader)
{
    if (!reader)
        return;
    connection_close(&reader->c);
    free(reader);
}

uint64_t db_content_key(const struct content_hash *hash)
{
    uint64_t key;

    memcpy(&key, hash->bytes, sizeof key);
    return le64toh(key) >> 1;
}

bool db_reader_find_content(struct db_reader *reader, uint64_t content_key, unsigned nth,
                            struct record *out)
{
    sqlite3_stmt *s = connection_statement(&reader->c, DB_FIND_CONTENT);

    if (!s)
        return false;
    sqlite3_bind_int64(s, 1, (int64_t)content_key);
    sqlite3_bind_int64(s, 2, nth);
    return reads_take(&reader->c, s, "find content", out);
}

uint64_t db_reader_count_versions(struct db_reader *reader, const struct vector *versions,
                                  uint64_t count_max)
{
    uint64_t count = 0;

    for (size_t i = 0; i < versions->entry_count; i++) {
        const struct vector_entry *entry = &versions->entries[i];

        for (size_t k = 0; k < entry->interval_count && count < count_max; k++)
            count += reads_count_versions(&reader->c, &entry->database, entry->intervals[k],
                                          count_max - count);
    }
    return count;
}

enum status db_reader_each(struct db_reader *reader,
                           bool (*fn)(const struct record *record, void *arg), void *arg)
{
    struct connection *c = &reader->c;
    sqlite3_stmt *s = connection_statement(c, DB_EACH_PRESENT);
    struct record record = {0};
    bool more = true;

    if (!s)
        return c->failure;
    while (more && connection_row(c, s, "each")) {
        if (!row_take_record(s, &record)) {
            connection_fail(c, ST_BADDATA, "a record's checksum is wrong");
            break;
        }
        more = fn(&record, arg);
    }
    sqlite3_reset(s);
    update_fini(&record.update);
    return c->failure;
}

struct store db_reader_store(struct db_reader *reader)
{
    /* The writes are absent: to call one is a defect of the caller. */
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
        .failed = reads_failed,
    };

    static_assert(offsetof(struct db_reader, c) == 0, "reads.h takes it for its connection");
    return (struct store){.ops = &ops, .arg = reader};
}
