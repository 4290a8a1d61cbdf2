/* SPDX-License-Identifier: Apache-2.0 */
/* Changes at a spot, and the trash: the parts of beneath.h that write. */
#include "agent/root/beneath.h"

#include "common/base/scope.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int spot_make_dir(const struct spot *spot, mode_t mode)
{
    return mkdirat(spot->dir_fd, spot->name, mode);
}

int spot_make_link(const struct spot *spot, const char *target)
{
    return symlinkat(target, spot->dir_fd, spot->name);
}

int spot_move(const struct spot *from, const struct spot *to)
{
    return renameat2(from->dir_fd, from->name, to->dir_fd, to->name, RENAME_NOREPLACE);
}

int spot_exchange(const struct spot *a, const struct spot *b)
{
    return renameat2(a->dir_fd, a->name, b->dir_fd, b->name, RENAME_EXCHANGE);
}

int spot_unlink(const struct spot *spot)
{
    return unlinkat(spot->dir_fd, spot->name, 0);
}

int spot_remove_dir(const struct spot *spot)
{
    return unlinkat(spot->dir_fd, spot->name, AT_REMOVEDIR);
}

/* --- the trash --- */

/* Move a non-empty directory into the trash under a name of its own. */
static int move_to_trash(int dir_fd, const char *name, int trash_fd)
{
    struct stat st;
    char trash_name[64];

    if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return -1;
    /* The inode number is unique among what stands there; a second try helps after a copy of the
     * private directory brought strangers along. */
    for (unsigned attempt = 0;; attempt++) {
        snprintf(trash_name, sizeof trash_name, "%llu.%u", (unsigned long long)st.st_ino, attempt);
        if (renameat2(dir_fd, name, trash_fd, trash_name, RENAME_NOREPLACE) == 0)
            return 0;
        if (errno != EEXIST || attempt == 1000)
            return -1;
    }
}

static int discard(int dir_fd, const char *name, int trash_fd)
{
    if (unlinkat(dir_fd, name, 0) == 0)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return -1;
    if (unlinkat(dir_fd, name, AT_REMOVEDIR) == 0)
        return 0;
    if (errno == ENOTDIR)
        errno = EPERM; /* the first refusal stands: an immutable file */
    if (errno != ENOTEMPTY && errno != EEXIST)
        return -1;
    return move_to_trash(dir_fd, name, trash_fd);
}

int spot_discard(const struct spot *spot, int trash_fd)
{
    return discard(spot->dir_fd, spot->name, trash_fd);
}

static void close_dir(DIR **dir)
{
    if (*dir)
        closedir(*dir);
}

/* Discard all entries of a directory. -1 when one could not be; the others are gone. */
static int discard_entries(int fd, int trash_fd)
{
    __attribute__((cleanup(close_dir))) DIR *dir = fdopendir(fd);
    int worst = 0;

    if (!dir) {
        close(fd);
        return -1;
    }
    for (struct dirent *entry; (errno = 0, entry = readdir(dir));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (discard(fd, entry->d_name, trash_fd) < 0 && errno != ENOENT)
            worst = errno;
    }
    if (errno)
        worst = errno;
    errno = worst;
    return worst ? -1 : 0;
}

/*
 * A tree is taken down from its top: the content of a directory in the trash is removed, or moved up
 * into the trash when it is a directory with content, until nothing is left. No recursion, no memory
 * for the depth, and a crash leaves only trash.
 */
int beneath_empty_trash(int trash_fd)
{
    for (;;) {
        int again_fd = openat(trash_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        __attribute__((cleanup(close_dir))) DIR *dir = again_fd < 0 ? NULL : fdopendir(again_fd);
        size_t entry_count = 0;
        int worst = 0;

        if (!dir) {
            scope_close_fd(&again_fd);
            return -1;
        }
        for (struct dirent *entry; (errno = 0, entry = readdir(dir));) {
            int fd;

            if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
                continue;
            entry_count++;
            fd = openat(trash_fd, entry->d_name,
                        O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
            if (fd >= 0 && discard_entries(fd, trash_fd) < 0)
                worst = errno;
            if (unlinkat(trash_fd, entry->d_name, fd >= 0 ? AT_REMOVEDIR : 0) < 0 &&
                errno != ENOENT)
                worst = errno;
        }
        if (entry_count == 0 || worst) {
            errno = worst;
            return worst ? -1 : 0;
        }
    }
}
