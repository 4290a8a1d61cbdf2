/* SPDX-License-Identifier: Apache-2.0 */
/* Where an object stands now: its handle, opened, asked for its path; and what is a place at all. */
#include "agent/root/root.h"

#include "agent/root/beneath.h"
#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/base/scope.h"
#include "common/model/filter.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* The kernel answers with at most one page. */
#define LINK_SIZE_MAX 4096

/* What it adds to a name that is not there any more. */
#define REMOVED_MARK " (deleted)"

#define OPEN_TRY_COUNT 20
#define OPEN_TRY_NS    50000 /* between the first two, then twice as long … */
#define OPEN_TRY_TIMES 128   /* … up to so many times that: 0.1 s in all, if a process is held up in there */

/* False with errno when the kernel can not tell; ENAMETOOLONG for what does not fit. */
static bool path_of(int fd, char out[LINK_SIZE_MAX])
{
    char link[64];
    ssize_t size;

    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    size = readlink(link, out, LINK_SIZE_MAX);
    if (size < 0)
        return false;
    if (size >= LINK_SIZE_MAX) {
        errno = ENAMETOOLONG;
        return false;
    }
    out[size] = '\0';
    return true;
}

static bool leads_to(const struct root *root, const char *path, const struct object *object)
{
    struct standing standing;
    scope_fd int fd = beneath_open(root_fd(root), path, O_PATH);

    return fd >= 0 && beneath_look_fd(fd, &standing) == 0 &&
           object_equal(&standing.object, object);
}

/* Opening a handle whose inode is just being removed or made again ends with ENOMEM, though there is memory;
 * a moment later it is there or gone. Taken for lost events it would cost a look at the whole tree. */
static int open_object(const struct root *root, const struct object *object)
{
    int fd = object_open(root_fd(root), object, O_PATH);
    long times = 1;

    for (int try = 1; fd < 0 && errno == ENOMEM && try < OPEN_TRY_COUNT; try++) {
        (void)nanosleep(&(struct timespec){.tv_nsec = OPEN_TRY_NS * times}, NULL);
        times = times < OPEN_TRY_TIMES ? times * 2 : times;
        fd = object_open(root_fd(root), object, O_PATH);
    }
    return fd;
}

/*
 * For a path that the kernel can not tell because it is too long: climb. Bounded by the depth that a
 * folder may have. False: it stands beneath the root, or nobody knows.
 */
static bool stands_outside(const struct root *root, int dir_fd)
{
    struct object own = root_object(root);
    scope_fd int at_fd = openat(dir_fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct standing last = {0};
    struct standing standing;

    for (unsigned depth = 0; at_fd >= 0 && depth <= PATH_DEPTH_MAX; depth++) {
        if (beneath_look_fd(at_fd, &standing) < 0 || object_equal(&standing.object, &own))
            return false;
        if (standing.mount_point || object_equal(&standing.object, &last.object))
            return true; /* the top of the file system */
        last = standing;

        int above_fd = openat(at_fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
        scope_close_fd(&at_fd);
        at_fd = above_fd;
    }
    return at_fd >= 0; /* deeper than anything that is replicated */
}

static enum root_located unknown(const struct root *root, int err)
{
    log_warn(root_log(root), "an object could not be located root=%s: %s", root_path(root),
             strerror(err));
    return ROOT_LOCATED_UNKNOWN;
}

/* The part of @path below the directory @top, or NULL. */
static const char *below(const char *path, const char *top)
{
    size_t size = strcmp(top, "/") == 0 ? 0 : strlen(top);

    if (strncmp(path, top, size) != 0 || path[size] != '/')
        return NULL;
    return path + size + 1;
}

static bool is_marked_removed(const char *path)
{
    size_t size = strlen(path);
    size_t mark_size = strlen(REMOVED_MARK);

    return size > mark_size && strcmp(path + size - mark_size, REMOVED_MARK) == 0;
}

enum root_located root_locate(const struct root *root, const struct object *object,
                              char **out_path)
{
    struct object own = root_object(root);
    char top[LINK_SIZE_MAX];
    char path[LINK_SIZE_MAX];
    const char *inside;
    struct stat st;
    scope_fd int fd = -1;

    if (object_equal(object, &own)) {
        *out_path = mem_copy_string("");
        return ROOT_LOCATED_INSIDE;
    }
    fd = open_object(root, object);
    if (fd < 0)
        return errno == ESTALE || errno == ENOENT ? ROOT_LOCATED_GONE : unknown(root, errno);
    if (fstat(fd, &st) < 0)
        return unknown(root, errno);
    /* Unlinked, and kept alive by somebody who has it open. */
    if (st.st_nlink == 0)
        return ROOT_LOCATED_GONE;
    if (!path_of(root_fd(root), top))
        return unknown(root, errno);
    if (!path_of(fd, path)) {
        int err = errno;

        if (err == ENAMETOOLONG && S_ISDIR(st.st_mode) && stands_outside(root, fd))
            return ROOT_LOCATED_OUTSIDE;
        return unknown(root, err);
    }
    inside = below(path, top);
    /* A file that was opened by its handle alone hangs in the air: its path reads "/". */
    if (!inside)
        return strcmp(path, "/") == 0 ? ROOT_LOCATED_NAMELESS : ROOT_LOCATED_OUTSIDE;
    if (below(inside, PRIVATE_DIR_NAME "/" PRESERVE_NAME) ||
        below(inside, PRIVATE_DIR_NAME "/" TRASH_NAME))
        return ROOT_LOCATED_DISCARDED;
    const char *parked = below(inside, PRIVATE_DIR_NAME "/" PARKED_NAME);
    bool in_parked = parked && strchr(parked, '/') != NULL;
    if (!in_parked && (strcmp(inside, PRIVATE_DIR_NAME) == 0 || below(inside, PRIVATE_DIR_NAME)))
        return ROOT_LOCATED_PRIVATE;
    /* Text from /proc can mislead (a name that ends in " (deleted)", a mount in between): believe it
     * only when the path leads back to the object. */
    if (!leads_to(root, inside, object)) {
        /* of several links one was removed, and somebody keeps it open */
        return is_marked_removed(inside) && !S_ISDIR(st.st_mode) ? ROOT_LOCATED_NAMELESS
                                                                 : unknown(root, ESTALE);
    }
    *out_path = mem_copy_string(inside);
    return in_parked ? ROOT_LOCATED_IN_PARKED : ROOT_LOCATED_INSIDE;
}

bool root_is_place(const char *path)
{
    const char *parked = below(path, PRIVATE_DIR_NAME "/" PARKED_NAME);

    if (parked)
        return *parked != '\0';
    return *path != '\0' && strcmp(path, PRIVATE_DIR_NAME) != 0 && !below(path, PRIVATE_DIR_NAME);
}
