/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/version/update.h: one change of one file, as members tell it to each other, and the total
 * order that decides between two changes.
 *
 * An update never alters once its gvsn is issued. A member keeps for each file id the greatest
 * update it knows.
 */
#ifndef AGENT_VERSION_UPDATE_H
#define AGENT_VERSION_UPDATE_H

#include "agent/version/version.h"
#include "common/base/buf.h"
#include "common/base/cursor.h"
#include "common/base/limits.h"
#include "common/base/span.h"

#include <string.h>

#define CONTENT_HASH_SIZE 32 /* SHA-256 */

#define UPDATE_CLOCK_MAX ((uint64_t)INT64_MAX)
#define UPDATE_FENCE_MAX ((uint64_t)INT64_MAX)

enum file_kind {
    FILE_KIND_NONE = 0, /* in no valid update */
    FILE_REGULAR = 1,
    FILE_DIRECTORY = 2,
    FILE_SYMLINK = 3,
};

/* Authority before time: initial sync is conflict resolution with fences ([MS-FRS2], WMI
 * DfsrIdRecordInfo). Higher wins. */
enum fence_class {
    FENCE_NONE = 0,
    FENCE_INITIAL = 1,         /* found on a non-primary member at its first scan */
    FENCE_INITIAL_PRIMARY = 2, /* found on the primary at its first scan */
    FENCE_DEFAULT = 3,         /* every later change */
    /* above: an administrator's explicit fence, a time stamp */
};

struct content_hash {
    uint8_t bytes[CONTENT_HASH_SIZE];
};

static inline bool content_hash_equal(const struct content_hash *a, const struct content_hash *b)
{
    return memcmp(a->bytes, b->bytes, CONTENT_HASH_SIZE) == 0;
}

struct update {
    struct file_id id;
    struct gvsn gvsn;
    struct file_id parent;
    uint8_t name[NAME_SIZE_MAX + 1]; /* bytes, NUL-terminated for convenience */
    size_t name_size;                /* 1 … NAME_SIZE_MAX; kept in tombstones */
    enum file_kind kind;
    bool present;                    /* false: tombstone */
    bool name_conflict;              /* tombstone of a name-clash loser; never with present */
    bool merged;                     /* name_conflict directory whose children went to merged_into */
    struct file_id merged_into;
    uint64_t fence;
    uint64_t clock;                  /* logical nanoseconds: max(what it saw + 1, now) */
    uint64_t create_time;            /* nanoseconds since 1970 */
    uint64_t size;
    struct content_hash hash;        /* of content, or of a symlink's target; zero for others */
    uint8_t *attributes;             /* opaque; owned; at most ATTRIBUTES_SIZE_MAX */
    size_t attributes_size;
};

void update_fini(struct update *u);
void update_copy(struct update *to, const struct update *from); /* @to is finished first */
void update_set_name(struct update *u, struct span name);
void update_set_attributes(struct update *u, struct span attributes);

static inline struct span update_name(const struct update *u)
{
    return span_of(u->name, u->name_size);
}

static inline struct span update_attributes(const struct update *u)
{
    return span_of(u->attributes, u->attributes_size);
}

/*
 * The total order: name-conflict tombstone before all else, fence, directory before others, create
 * time (later wins), clock, file id, gvsn; the first difference decides, higher wins ([MS-FRS2]
 * 3.3.1.1, reference dfsr section 2.5). Negative, 0 or positive; 0 only for the same update.
 *
 * Two versions of one file agree on kind and create time, so between them fence and clock decide,
 * and nothing that is present ever comes back over a name-conflict tombstone. That rule is the first
 * key, above plain tombstones too: as an exception between two of three it would not be an order.
 */
int update_compare(const struct update *a, const struct update *b);

/* Same content: kind, size and hash equal (a directory equals any directory). */
bool update_same_content(const struct update *a, const struct update *b);
/* Same place: parent and name. */
bool update_same_place(const struct update *a, const struct update *b);
bool update_same_attributes(const struct update *a, const struct update *b);

/*
 * Check what came from outside: name (not empty, ".", "..", no '/' or NUL), kind, sizes, flags that
 * exclude each other, reserved numbers, the folder's private directory. Returns NULL, or the broken
 * rule in one clause.
 */
const char *update_problem(const struct update *u);

/* Compact bytes for the database: see update.c. decode checks everything as update_problem() does;
 * *out_update is finished first, and empty when the reader has failed. */
void update_encode(const struct update *u, struct buf *out);
void update_decode(struct reader *r, struct update *out_update);

#endif
