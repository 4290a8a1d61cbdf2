/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/watch/source.h: where events come from: fanotify (volume.c) or inotify (directories.c).
 *
 * A source is drained on the reader thread only, after it was opened on another.
 */
#ifndef AGENT_WATCH_SOURCE_H
#define AGENT_WATCH_SOURCE_H

#include "agent/root/root.h"
#include "agent/watch/places.h"

struct source_ops {
    /* Take all events that wait, into the set; never blocks. */
    void (*drain)(void *arg, struct places *places);
    /* A directory has come to stand at @path: events below it are wanted before it is reported. */
    void (*new_dir)(void *arg, const char *path, struct places *places);
    void (*close)(void *arg);
};

struct source {
    const struct source_ops *ops;
    void *arg;
    int fd; /* readable when events wait */
};

/* One mark on the file system. ST_REFUSED: the kernel does not allow it here (no CAP_SYS_ADMIN, a
 * btrfs subvolume, an old kernel); the cause is logged. */
NODISCARD enum status volume_open(const struct root *root, struct source *out_source);

/* One watch for each directory. ST_FULL: more directories than WATCH_DIRECTORY_COUNT_MAX or than the
 * kernel allows. */
NODISCARD enum status directories_open(const struct root *root, struct source *out_source);

/* --- shared --- */

/* Objects of the private directories, whose events are nobody's business. */
struct private_objects {
    struct object objects[PRIVATE_DIR_COUNT];
};
void private_objects_fill(const struct root *root, struct private_objects *out);
bool private_objects_contain(const struct private_objects *p, const struct object *object);

#endif
