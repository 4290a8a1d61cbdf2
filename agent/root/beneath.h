/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/root/beneath.h: every path that replication touches goes through here.
 *
 * Paths are names joined by '/', relative to a directory descriptor, without empty parts, "." or
 * ".."; "" is the directory itself. They are resolved by openat2 with RESOLVE_BENEATH, NO_SYMLINKS,
 * NO_MAGICLINKS and NO_XDEV: no symlink, mount or rename made while we look can lead out of the
 * directory or off its file system. Paths longer than PATH_MAX are walked in pieces.
 *
 * Whatever changes a directory works on a *spot*: a descriptor of the parent and one name, so that
 * nothing is resolved twice.
 *
 * These are system calls in all but name: -1 (or false) and errno. They log nothing. Blocking.
 * Threads: no state.
 */
#ifndef AGENT_ROOT_BENEATH_H
#define AGENT_ROOT_BENEATH_H

#include "agent/replica/store.h"
#include "common/base/status.h"

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

/* The last name of a path; points into it. */
const char *beneath_name(const char *path);
/* The path of the directory that holds it, "" for the root. Free the text. */
char *beneath_above(const char *path);

/* EINVAL for a path that breaks the rules above, ENAMETOOLONG for a name or depth above limits.h. */
int beneath_open(int dir_fd, const char *path, int flags);

/* A place: one name in one directory. */
struct spot {
    int dir_fd;                   /* O_PATH */
    char name[NAME_SIZE_MAX + 1]; /* "" never */
};

/* A spot of this parent and name; the descriptor is duplicated. */
int spot_of(int dir_fd, const char *name, struct spot *out_spot);
/* The spot of a path that is not "". */
int spot_open(int dir_fd, const char *path, struct spot *out_spot);
void spot_fini(struct spot *spot);

/* What stands somewhere. */
struct standing {
    enum file_kind kind; /* FILE_KIND_NONE: not replicated (device, FIFO, socket) */
    bool mount_point;
    struct object object;
    struct witness witness;
    uint32_t mode; /* the twelve permission bits */
    uid_t uid;
    gid_t gid;
    uint32_t link_count;
    uint64_t inode;
    uint64_t create_time; /* nanoseconds since 1970; the change time where there is no birth time */
};

/* What stands at a spot; a symlink is looked at, never followed. ENOENT: nothing. */
int spot_look(const struct spot *spot, struct standing *out_standing);
/* The same for a name in a directory and for an open descriptor. */
int beneath_look(int dir_fd, const char *name, struct standing *out_standing);
int beneath_look_fd(int fd, struct standing *out_standing);

/* Open what stands at the spot, without following it. */
int spot_openat(const struct spot *spot, int flags, mode_t mode);

/* Never replace: EEXIST when the spot is taken. */
int spot_make_dir(const struct spot *spot, mode_t mode);
int spot_make_link(const struct spot *spot, const char *target);
/* Never replaces: EEXIST when @to is taken. */
int spot_move(const struct spot *from, const struct spot *to);
/* Atomically; both must exist. */
int spot_exchange(const struct spot *a, const struct spot *b);
int spot_unlink(const struct spot *spot);
int spot_remove_dir(const struct spot *spot);

/*
 * Get rid of whatever stands at the spot, a tree of any depth included: it leaves the spot in one
 * rename into @trash_fd, a directory of the same file system. beneath_empty_trash() also finishes
 * what a crash interrupted.
 */
int spot_discard(const struct spot *spot, int trash_fd);
int beneath_empty_trash(int trash_fd);

/* Open an object by its handle through any descriptor of its file system; ESTALE when it is gone. */
int object_open(int mount_fd, const struct object *object, int flags);

#endif
