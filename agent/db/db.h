/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/db/db.h: a folder's database: the port of agent/replica/store.h on SQLite.
 *
 * One writer (struct db) that is also the only one to checkpoint, and any number of readers (struct
 * db_reader), which see what is committed. WAL, synchronous=FULL: a commit that returned is on
 * disk. Each record carries an xxh3 checksum, made when it is written and tested when it is read; a
 * record that fails it fails the store, and the folder rebuilds the database by scanning.
 *
 * The format is described in agent/db/schema.h.
 *
 * Threads: a db belongs to one thread, a reader to one thread. Blocks (file I/O).
 */
#ifndef AGENT_DB_DB_H
#define AGENT_DB_DB_H

#include "agent/replica/store.h"
#include "common/base/log.h"

struct db;
struct db_reader;

struct db_options {
    const char *path;
    struct guid folder;
    struct guid token;     /* of the root's marker */
    bool case_insensitive; /* get_by_name folds ASCII case */
    const struct log_ctx *log;
};

/*
 * Open, or create when there is none. After an unclean end every page is checked first.
 *
 * Errors: ST_BADDATA (damaged, not a database of ours, of another folder or token, or written by a
 * newer version: move it aside with db_move_aside() and rebuild), ST_REFUSED, ST_FULL, ST_IO,
 * ST_AGAIN (another process has it open). Logged with the remedy.
 */
NODISCARD enum status db_open(const struct db_options *options, struct db **out_db);
/* Checkpoints and marks the database as cleanly closed. NULL allowed. */
void db_close(struct db *db);

/* The replica's port; valid until db_close(). */
struct store db_store(struct db *db);

/* The database was made by this db_open(). */
bool db_created(const struct db *db);
/* Why the store has failed; ST_OK while it has not. */
enum status db_failure(const struct db *db);

struct db_counters {
    uint64_t file_count; /* present regular files and symlinks */
    uint64_t dir_count;
    uint64_t tombstone_count;
    uint64_t content_bytes; /* of present files */
};
/* As of the last commit. */
struct db_counters db_counters(const struct db *db);

/* Move the log into the database when it is above DB_LOG_BYTES_MAX, or, when @idle, not empty. The
 * writer does it in quiet moments; nothing else does. */
NODISCARD enum status db_checkpoint(struct db *db, bool idle);

/* Objects of another file system mean nothing here (root_volume_changed()): forget them all. */
NODISCARD enum status db_forget_objects(struct db *db);

/* A consistent copy of a live database at @to_path, which must not exist. */
NODISCARD enum status db_copy(const struct db *db, const char *to_path);

/* Rename a damaged database (with its log) to "<path>.damaged-<time>". No db is open on it. */
NODISCARD enum status db_move_aside(const char *path, const struct log_ctx *log);

/* --- readers --- */

NODISCARD enum status db_reader_open(const struct db_options *options, struct db_reader **out_reader);
void db_reader_close(struct db_reader *reader); /* NULL allowed */

/* A store whose ops for writing are NULL. Each call sees the last commit. */
struct store db_reader_store(struct db_reader *reader);

/* 63 bits of a content's hash: the name under which a file's content is looked for. */
uint64_t db_content_key(const struct content_hash *hash);

/*
 * A file in the tree with such content, of at least SEED_SIZE_MIN bytes, the @nth from 0. False: there
 * are not so many. The key is short: whoever needs just this content compares the record's hash.
 */
bool db_reader_find_content(struct db_reader *reader, uint64_t content_key, unsigned nth,
                            struct record *out);

/* All present records in the order of their file ids, as one table scan; @fn returns false to end it.
 * Errors: ST_BADDATA, ST_IO. */
NODISCARD enum status db_reader_each(struct db_reader *reader,
                                     bool (*fn)(const struct record *record, void *arg), void *arg);

#endif
