/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/scan/scan.h: what stands on disk: the truth that events only hint at.
 *
 * scan_begin() … scan_next() walks one directory or a whole tree and hands out its entries as
 * batches, each of one directory, a directory's own entry before its content. Names that the
 * filters match and the private directory are passed over; what is not replicated (FIFO, socket,
 * device, nested mount, unreadable directory) is reported once with the reason. Memory: the names of
 * the subdirectories still to visit along the current path, and one batch.
 *
 * scan_read() reads one object's content and attributes so that what it returns stood on disk at one
 * moment, or says that the object is changing.
 *
 * Threads: a scan belongs to one thread at a time; scan_read() from any. Blocks (file I/O).
 */
#ifndef AGENT_SCAN_SCAN_H
#define AGENT_SCAN_SCAN_H

#include "agent/root/root.h"
#include "common/model/filter.h"
#include "common/rdc/signature.h"

#include <stdatomic.h>

struct scan;

enum scan_skip {
    SCAN_SKIP_NONE,
    SCAN_SKIP_SPECIAL,    /* FIFO, socket or device */
    SCAN_SKIP_MOUNT,      /* another file system is mounted there */
    SCAN_SKIP_TOO_DEEP,   /* below PATH_DEPTH_MAX */
    SCAN_SKIP_UNREADABLE, /* could not be looked at; the cause is logged */
};
/* "special file", "nested mount", …; never NULL. */
const char *scan_skip_name(enum scan_skip skip);

struct scan_options {
    const struct root *root;
    const char *path; /* of the directory to begin with, "" for the root */
    bool recursive;   /* and everything below it */
    const struct filter *file_filter;
    const struct filter *dir_filter;
    const atomic_bool *stop; /* may be NULL; when it turns true the scan ends with ST_STOP */
};

struct scan_entry {
    char *name;
    enum scan_skip skip;
    enum file_kind kind; /* meaningless when skipped */
    struct object object;
    struct witness witness;
    uint32_t link_count;  /* hard links to it, here or elsewhere */
    uint64_t create_time; /* nanoseconds since 1970 */
};

/* Entries of one directory. */
struct scan_batch {
    char *path;        /* of the directory, beneath the root */
    struct object dir; /* the directory itself */
    struct scan_entry *entries;
    size_t entry_count;
    bool dir_done;     /* the last batch of this directory */
    bool dir_complete; /* with dir_done: every entry was seen; false: absence proves nothing */
    bool finished;     /* nothing follows; the batch is otherwise empty */
};
void scan_batch_fini(struct scan_batch *batch);

/* Errors come from scan_next(). @options is copied, what it points to outlives the scan. */
struct scan *scan_begin(const struct scan_options *options);
void scan_end(struct scan *scan); /* NULL allowed */

/*
 * The next batch, of at most SCAN_BATCH_COUNT_MAX entries. @out_batch is finished first.
 *
 * Errors: ST_GONE (the directory to begin with is not there), ST_STOP, ST_IO. A directory below it
 * that vanishes or can not be read is no error: its batch has dir_complete false.
 *
 * Every entry that stood in a directory during the whole scan of it, passes the filters and is not
 * reported by another name is handed out exactly once.
 */
NODISCARD enum status scan_next(struct scan *scan, struct scan_batch *out_batch);

/* One object's content and attributes. */
struct scan_content {
    enum file_kind kind;
    struct object object;
    struct witness witness; /* unchanged since before the content was read */
    uint64_t size;          /* of content; a symlink's target; 0 for directories */
    struct content_hash hash;
    struct buf attributes;
    uint64_t create_time;
    uint32_t link_count;
    struct rdc_signature *signature; /* NULL unless asked for and of a size that is signed */
};
void scan_content_fini(struct scan_content *content);

struct scan_read_options {
    const struct root *root;
    const char *path;
    struct span recorded;       /* its recorded attributes, may be empty (attributes_read()) */
    const struct rdc_key *sign; /* sign content of a size that is worth it; NULL: none */
    const atomic_bool *stop;    /* may be NULL; ends a long read with ST_STOP */
};

/*
 * Read what stands at a path; content is read once, however much is asked of it.
 *
 * Errors: ST_AGAIN (open for writing, mapped writable, or changed while it was read: come back
 * later), ST_GONE (nothing there), ST_BADDATA (not a kind that is replicated), ST_REFUSED, ST_FULL
 * (attributes above the limit), ST_STOP, ST_IO. @out_content is finished first, filled on ST_OK only.
 *
 * Never a mixture: hash and signature are of bytes that all stood in the file when the witness was taken.
 */
NODISCARD enum status scan_read(const struct scan_read_options *options,
                                struct scan_content *out_content);

/*
 * Open a regular file for reading its content to a partner, as the object and witness that a record
 * claims. ST_GONE: something else stands there by now; ask scan_check_open() again after the last
 * byte to know that all bytes were those of the record.
 */
NODISCARD enum status scan_open(const struct root *root, const char *path,
                                const struct object *object, const struct witness *witness,
                                int *out_fd);
/* The open file still shows this witness. */
bool scan_check_open(int fd, const struct witness *witness);

#endif
