/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/root/root.h: a folder's root on this machine: opened once, checked often, never followed
 * out of.
 *
 * The *root* is the directory whose tree is replicated. Beneath it stands the *private directory*
 * (PRIVATE_DIR_NAME, mode 0700), on the same file system and never replicated, with one directory
 * for each purpose and the *marker*: a file that carries the folder's guid, a random *token* and
 * the *volume*, the file system's own identifier. The database and the agent's own state remember
 * the token too. So a disk that is not mounted, another disk at the same path and a tree that was
 * wiped with its marker are told from "everything was deleted".
 *
 * Descriptors stay open from root_open() to root_close(): what is renamed or mounted over the path
 * meanwhile can not redirect anything.
 *
 * Threads: immutable after root_open(), any number of threads may use one root. Blocks (file I/O).
 */
#ifndef AGENT_ROOT_ROOT_H
#define AGENT_ROOT_ROOT_H

#include "agent/replica/store.h"
#include "common/base/buf.h"
#include "common/base/guid.h"
#include "common/base/log.h"

#include <sys/types.h>

struct root;

/* The purposes of the directories in the private directory. */
enum private_dir {
    PRIVATE_STAGE,    /* staged files, by number */
    PRIVATE_SWAP,     /* what an install is about to show, or has just displaced */
    PRIVATE_PARKED,   /* parked objects, by file id */
    PRIVATE_PRESERVE, /* the preserve area */
    PRIVATE_TRASH,    /* trees on their way out */
    PRIVATE_DATABASE,
    PRIVATE_SIGNATURES, /* of contents, by their hashes */
};
#define PRIVATE_DIR_COUNT 7

struct root_options {
    const char *path;          /* absolute */
    struct guid folder;
    struct guid token;         /* as remembered from the first time; zero: not known yet */
    bool create;               /* make the last component of the path when it is missing; only
                                  without a token */
    const struct log_ctx *log; /* outlives the root */
};

/*
 * Open a root. Without a token, a root without marker is set up (first use) and the marker of one
 * that has it is adopted; with a token, a root without just that token is refused.
 *
 * @problem  receives, on failure, the cause and the remedy in one line for people
 *
 * Errors: ST_GONE (missing, not mounted, or another disk: look again later), ST_BADDATA (not a
 * directory; marker of another folder; a file system without file handles), ST_REFUSED (permission,
 * read-only), ST_FULL, ST_IO. A root that was refused is left as it was.
 */
NODISCARD enum status root_open(const struct root_options *options, struct buf *problem,
                                struct root **out_root);
void root_close(struct root *root); /* NULL allowed */

/*
 * Look whether the path still leads to this root, with its marker, writable. Cheap: before and after
 * every scan, and before a batch of deletes is believed.
 *
 * Returns ST_OK or what root_open() would; @problem receives cause and remedy. Never ST_OK when the
 * path leads to another file system, another directory or a directory without our marker.
 */
NODISCARD enum status root_check(const struct root *root, struct buf *problem);

/* Borrowed until root_close(). */
const char *root_path(const struct root *root);
int root_fd(const struct root *root); /* the root itself, O_RDONLY | O_DIRECTORY */
int root_private_fd(const struct root *root, enum private_dir purpose);
const struct log_ctx *root_log(const struct root *root);

dev_t root_device(const struct root *root);
struct guid root_token(const struct root *root);
/* Zero where the file system has no identifier that we can read. */
struct guid root_volume(const struct root *root);
/* The volume in the marker is not the one below us: the tree was copied to another file system, so
 * no object in the database means what it meant. root_adopt_volume() writes the marker anew. */
bool root_volume_changed(const struct root *root);
NODISCARD enum status root_adopt_volume(struct root *root);
struct object root_object(const struct root *root);

/* Absolute path of the folder's database in the private directory. Free the text. */
char *root_database_path(const struct root *root);

/* Bytes free for us on the file system; 0 when that can not be told. */
uint64_t root_free_bytes(const struct root *root);

#define PRESERVE_NAME "preserve" /* in the private directory */
#define TRASH_NAME    "trash"
#define PARKED_NAME   "parked"

/* Whether a path beneath the root is a place for files that replicate: not "", nor the private directory or
 * what is in it, but for what is parked. */
bool root_is_place(const char *path);

/* Bring all of the file system to the disk. ST_IO: it refuses, which is logged. Blocks. */
NODISCARD enum status root_sync(const struct root *root);

enum root_located {
    ROOT_LOCATED_INSIDE,  /* in the tree: *out_path is its path beneath the root */
    ROOT_LOCATED_PRIVATE, /* in the private directory */
    ROOT_LOCATED_IN_PARKED, /* there in a directory that is parked: *out_path is its path beneath the root */
    ROOT_LOCATED_DISCARDED, /* there in the preserve area or the trash */
    ROOT_LOCATED_OUTSIDE, /* alive, elsewhere on the volume */
    ROOT_LOCATED_GONE,    /* no such object any more */
    ROOT_LOCATED_NAMELESS, /* alive, but the kernel remembers no name of it: see below */
    ROOT_LOCATED_UNKNOWN, /* could not be told: permission or I/O, logged */
};

/*
 * Where an object stands now. Of several hard links the answer is one of them. NAMELESS, never of a
 * directory: a handle leads to the inode, and the kernel holds no name that leads there, since it was
 * not looked up since the mount or has been forgotten under memory pressure. Looking its name up makes it
 * known again. So when every name of the tree was looked at after its last change, and this object was
 * not met, NAMELESS means outside.
 *
 * @out_path set only for INSIDE ("" for the root itself) and IN_PARKED; free the text
 *
 * An answer is true at some moment of the call; what is done with it is checked again.
 */
enum root_located root_locate(const struct root *root, const struct object *object,
                              char **out_path);

#endif
