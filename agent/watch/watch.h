/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/watch/watch.h: hints that something changed beneath a root.
 *
 * A reader thread takes events from one fanotify mark on the whole file system (or, where the kernel
 * refuses that, from inotify watches on each directory), coalesces those of WATCH_BATCH_MS into a
 * set of dirty places, finds out where the directories stand now, drops what is outside the root or
 * private, and posts the set to the loop. Only one batch is under way at a time; what comes meanwhile
 * is coalesced further. A full set or a kernel overflow becomes "rescan": everything may have changed.
 *
 * Our own installs are seen like everybody's: the replica knows its results by their witness.
 * Not seen: stores through a mapping before it is unmapped, changes made while nobody watches,
 * changes below a nested mount. The scan is the truth.
 *
 * Threads: functions on the loop thread; the callback comes there too.
 */
#ifndef AGENT_WATCH_WATCH_H
#define AGENT_WATCH_WATCH_H

#include "agent/root/root.h"
#include "common/os/loop.h"

struct watch;

enum watch_kind { WATCH_VOLUME, WATCH_DIRECTORIES };

/* Something about this name in this directory, or about the directory itself. */
struct watch_place {
    struct object dir; /* of the directory */
    char *dir_path;    /* where it stands beneath the root, "" for the root */
    char *name;        /* "" for the directory itself */
};

struct watch_batch {
    bool rescan; /* events were lost: look at everything; places may be empty */
    struct watch_place *places;
    size_t place_count;
};
void watch_batch_free(struct watch_batch *batch); /* NULL allowed */

/* @batch is the callee's. */
typedef void (*watch_fn)(struct watch_batch *batch, void *arg);

struct watch_options {
    const struct root *root; /* outlives the watch */
    struct loop *loop;
    bool directories_only; /* do not try the volume's mark */
};

/*
 * Watch from now on: a change made after this returns is reported, or a rescan is.
 *
 * Errors: ST_REFUSED (neither way is permitted), ST_FULL (a kernel limit; the log names it), ST_IO.
 */
NODISCARD enum status watch_open(const struct watch_options *options, watch_fn fn, void *arg,
                                 struct watch **out_watch);
/* No callback comes afterwards. NULL allowed. Blocks for one batch at most. */
void watch_close(struct watch *watch);

enum watch_kind watch_kind(const struct watch *watch);

#endif
