/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/preserve/preserve.h: losers and deleted files, kept with a record of who, when and why.
 *
 * An *entry* is one object (a file, a symlink, a directory with what was left in it) under its
 * number in the preserve directory, and one line in the *manifest* beside it (manifest.h), appended
 * as soon as the object stands there. An object without a line comes only from a crash between the
 * two: the next opening gives it one, with what is known. An entry lives as long as its object
 * stands there; lines of entries that have gone are dropped in time.
 *
 * Quota: the oldest go first, but none younger than PRESERVE_AGE_MS_MIN; rather than drop a young
 * one the area stays above its quota and says so.
 *
 * Threads: one at a time. Blocks (file I/O).
 */
#ifndef AGENT_PRESERVE_PRESERVE_H
#define AGENT_PRESERVE_PRESERVE_H

#include "agent/replica/replica.h"
#include "agent/root/beneath.h"
#include "agent/root/root.h"

struct preserve;

enum preserve_cause {
    PRESERVE_CAUSE_DELETED = PRESERVE_DELETED,             /* deleted by a partner's update */
    PRESERVE_CAUSE_CONFLICT = PRESERVE_CONFLICT,           /* lost against a concurrent change */
    PRESERVE_CAUSE_NAME_CONFLICT = PRESERVE_NAME_CONFLICT, /* lost its name */
    PRESERVE_CAUSE_INTERRUPTED, /* displaced, and the agent ended before it could say more */
    PRESERVE_CAUSE_UNKNOWN,     /* the manifest has no line for it */
};
/* "deleted", "conflict", …; never NULL. */
const char *preserve_cause_name(enum preserve_cause cause);

struct preserve_entry {
    uint64_t number;
    enum preserve_cause cause;
    struct walltime when;
    struct gvsn gvsn;    /* of the preserved version; its database is the member that made it */
    struct file_id id;
    enum file_kind kind;
    uint64_t size;       /* of its content; of all files of a directory */
    char *path;          /* where it stood beneath the root; "" when not known */
};
void preserve_entry_fini(struct preserve_entry *entry);

/* Errors: ST_IO, ST_FULL; logged. */
NODISCARD enum status preserve_open(const struct root *root, uint64_t bytes_max,
                                    struct preserve **out_preserve);
void preserve_close(struct preserve *preserve); /* NULL allowed */

/*
 * Take over what stands at @spot (in the same file system) as the entry described by @entry, whose
 * number and size are chosen here. Durable after preserve_sync(). On failure it stands where it stood.
 */
NODISCARD enum status preserve_take(struct preserve *preserve, const struct spot *spot,
                                    const struct preserve_entry *entry, uint64_t *out_number);
NODISCARD enum status preserve_sync(struct preserve *preserve);

struct preserve_usage {
    uint64_t entry_count;
    uint64_t bytes;
    uint64_t bytes_max;
    bool over_quota;        /* and what is there is too young to drop */
    struct walltime oldest; /* 0 when empty */
};
struct preserve_usage preserve_usage(const struct preserve *preserve);
void preserve_set_quota(struct preserve *preserve, uint64_t bytes_max);

/* Drop the oldest beyond the quota that are old enough; call when idle. @out_count: dropped. */
NODISCARD enum status preserve_trim(struct preserve *preserve, struct walltime now,
                                    size_t *out_count);

/* The first entry with a number above @after, in order of number, or false. Sequential reads of the
 * manifest are cheap. @out is finished first. */
bool preserve_next(struct preserve *preserve, uint64_t after, struct preserve_entry *out);

/*
 * Put an entry back beneath the root, never over anything.
 *
 * @path  where; NULL: where it stood. Missing directories above it are made.
 *
 * Errors: ST_GONE (no such entry), ST_AGAIN (the place is taken: name another), ST_BADDATA (not a
 * path beneath the root), ST_FULL, ST_IO.
 */
NODISCARD enum status preserve_restore(struct preserve *preserve, uint64_t number, const char *path);

#endif
