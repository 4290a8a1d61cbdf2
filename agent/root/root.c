/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/root/root.h"

#include "agent/root/beneath.h"
#include "agent/root/marker.h"
#include "common/base/mem.h"
#include "common/base/scope.h"
#include "common/model/filter.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* Linux 6.9; not in Debian 12's headers. */
#ifndef FS_IOC_GETFSUUID
struct fsuuid2 {
    uint8_t len;
    uint8_t uuid[16];
};
#define FS_IOC_GETFSUUID _IOR(0x15, 0, struct fsuuid2)
#endif

struct root {
    char *path;
    const struct log_ctx *log;
    struct guid folder;
    struct guid token;
    struct guid volume;        /* of the file system below us */
    struct guid marker_volume; /* as the marker says */
    struct object object;
    dev_t device;
    ino_t inode;
    int fd;
    int private_fd;
    int purpose_fd[PRIVATE_DIR_COUNT];
};

static const char *const purpose_name[PRIVATE_DIR_COUNT] = {
    [PRIVATE_STAGE] = "stage",       [PRIVATE_SWAP] = "swap",   [PRIVATE_PARKED] = PARKED_NAME,
    [PRIVATE_PRESERVE] = PRESERVE_NAME, [PRIVATE_TRASH] = TRASH_NAME, [PRIVATE_DATABASE] = "database",
    [PRIVATE_SIGNATURES] = "signatures",
};

/* Say what is wrong with a root and give the status back. */
__attribute__((format(printf, 4, 5))) static enum status
say(struct buf *problem, enum status st, const char *path, const char *format, ...)
{
    scope_free char *text = NULL;
    va_list args;

    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        text = NULL;
    va_end(args);
    buf_clear(problem);
    buf_append_string(problem, "root ");
    buf_append_escaped(problem, path, strlen(path));
    buf_printf(problem, ": %s", text ? text : "no memory");
    return st;
}

static enum status say_errno(struct buf *problem, const char *path, const char *what, int err)
{
    enum status st = status_from_errno(err);
    const char *remedy = "see the kernel's log";

    if (st == ST_REFUSED)
        remedy = err == EROFS ? "mount it read-write" : "run the agent as root";
    else if (st == ST_FULL)
        remedy = "free space or inodes on its file system";
    return say(problem, st, path, "%s failed (%s): %s", what, strerror(err), remedy);
}

static struct guid read_volume(int fd)
{
    struct fsuuid2 id = {0};
    struct guid volume = {0};

    if (ioctl(fd, FS_IOC_GETFSUUID, &id) == 0 && id.len == GUID_SIZE)
        memcpy(volume.bytes, id.uuid, GUID_SIZE);
    return volume;
}

/* --- opening --- */

static enum status open_path(const struct root_options *options, struct buf *problem, int *out_fd)
{
    const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    const char *path = options->path;
    int fd = open(path, flags);

    if (fd < 0 && errno == ENOENT && options->create && guid_is_zero(&options->token)) {
        if (mkdir(path, 0755) < 0 && errno != EEXIST)
            return errno == ENOENT
                       ? say(problem, ST_GONE, path,
                             "the directory above it does not exist: create it, or mount its disk")
                       : say_errno(problem, path, "mkdir", errno);
        fd = open(path, flags);
    }
    if (fd >= 0) {
        *out_fd = fd;
        return ST_OK;
    }
    if (errno == ENOENT)
        return say(problem, ST_GONE, path, "does not exist: create the directory, or mount its disk");
    if (errno == ELOOP || errno == ENOTDIR)
        return say(problem, ST_BADDATA, path,
                   "is not a directory (a symlink is not followed): name the directory itself");
    return say_errno(problem, path, "open", errno);
}

static enum status open_private(struct root *root, bool first_use, struct buf *problem)
{
    struct stat st;
    int fd = beneath_open(root->fd, PRIVATE_DIR_NAME, O_RDONLY | O_DIRECTORY);

    if (fd < 0 && errno == ENOENT) {
        if (!first_use)
            return say(problem, ST_GONE, root->path,
                       "the private directory %s is missing: mount the right disk; if the tree was "
                       "replaced on purpose, make the agent forget this folder",
                       PRIVATE_DIR_NAME);
        if (mkdirat(root->fd, PRIVATE_DIR_NAME, 0700) < 0)
            return say_errno(problem, root->path, "mkdir " PRIVATE_DIR_NAME, errno);
        fd = beneath_open(root->fd, PRIVATE_DIR_NAME, O_RDONLY | O_DIRECTORY);
    }
    if (fd < 0 && (errno == ENOTDIR || errno == ELOOP || errno == EXDEV))
        return say(problem, ST_BADDATA, root->path,
                   "%s is not a directory on the same file system: remove it", PRIVATE_DIR_NAME);
    if (fd < 0)
        return say_errno(problem, root->path, "open " PRIVATE_DIR_NAME, errno);
    root->private_fd = fd;
    if (fstat(fd, &st) < 0)
        return say_errno(problem, root->path, "stat " PRIVATE_DIR_NAME, errno);
    if (st.st_uid != geteuid())
        return say(problem, ST_BADDATA, root->path,
                   "%s belongs to user %u and not to the agent: look who made it and remove it",
                   PRIVATE_DIR_NAME, (unsigned)st.st_uid);
    if ((st.st_mode & 07777) != 0700 && fchmod(fd, 0700) < 0)
        return say_errno(problem, root->path, "chmod " PRIVATE_DIR_NAME, errno);
    return ST_OK;
}

static enum status open_purposes(struct root *root, struct buf *problem)
{
    for (size_t i = 0; i < PRIVATE_DIR_COUNT; i++) {
        if (mkdirat(root->private_fd, purpose_name[i], 0700) < 0 && errno != EEXIST)
            return say_errno(problem, root->path, "mkdir in the private directory", errno);
        root->purpose_fd[i] =
            beneath_open(root->private_fd, purpose_name[i], O_RDONLY | O_DIRECTORY);
        if (root->purpose_fd[i] < 0)
            return say_errno(problem, root->path, "open in the private directory", errno);
    }
    return ST_OK;
}

/* Compare what a marker says with whom we are. */
static enum status judge_marker(const struct root *root, enum status read, int err,
                                const struct marker *marker, struct buf *problem)
{
    switch (read) {
    case ST_OK:
        break;
    case ST_GONE:
        return say(problem, ST_GONE, root->path,
                   "its marker is missing: mount the right disk; if the tree was replaced on "
                   "purpose, make the agent forget this folder");
    case ST_BADDATA:
        return say(problem, ST_BADDATA, root->path,
                   "its marker is damaged: restore %s/%s, or make the agent forget this folder",
                   PRIVATE_DIR_NAME, MARKER_NAME);
    case ST_AGAIN:
    case ST_REFUSED:
    case ST_FULL:
    case ST_IO:
    case ST_STOP:
        return say_errno(problem, root->path, "reading the marker", err);
    }
    if (!guid_equal(&marker->folder, &root->folder))
        return say(problem, ST_BADDATA, root->path,
                   "belongs to another replicated folder (%s): give each folder a root of its own",
                   guid_format(&marker->folder).text);
    if (!guid_is_zero(&root->token) && !guid_equal(&marker->token, &root->token))
        return say(problem, ST_GONE, root->path,
                   "another copy of this folder stands there (its marker's token differs): mount "
                   "the right disk, or make the agent forget this folder");
    return ST_OK;
}

static enum status open_marker(struct root *root, bool first_use, struct buf *problem)
{
    struct marker marker = {0};
    enum status st = marker_read(root->private_fd, &marker);
    int err = errno;

    if (st == ST_GONE && first_use) {
        marker = (struct marker){
            .folder = root->folder, .token = guid_random(), .volume = root->volume};
        if (marker_write(root->private_fd, &marker) != ST_OK)
            return say_errno(problem, root->path, "writing the marker", errno);
        /* The private directory itself must survive a power cut together with the marker in it. */
        if (fsync(root->fd) < 0)
            return say_errno(problem, root->path, "fsync", errno);
    } else {
        st = judge_marker(root, st, err, &marker, problem);
        if (st != ST_OK)
            return st;
    }
    root->token = marker.token;
    root->marker_volume = marker.volume;
    return ST_OK;
}

static enum status open_all(struct root *root, const struct root_options *options,
                            struct buf *problem)
{
    bool first_use = guid_is_zero(&options->token);
    struct standing standing;
    struct statvfs vfs;
    struct stat st;
    enum status result = open_path(options, problem, &root->fd);

    if (result != ST_OK)
        return result;
    if (fstat(root->fd, &st) < 0 || fstatvfs(root->fd, &vfs) < 0)
        return say_errno(problem, root->path, "stat", errno);
    if (vfs.f_flag & ST_RDONLY)
        return say(problem, ST_REFUSED, root->path, "is mounted read-only: mount it read-write");
    root->device = st.st_dev;
    root->inode = st.st_ino;
    if (beneath_look_fd(root->fd, &standing) < 0)
        return say(problem, ST_BADDATA, root->path,
                   "its file system has no file handles (%s): use ext4, xfs or btrfs",
                   strerror(errno));
    root->object = standing.object;
    root->volume = read_volume(root->fd);
    result = open_private(root, first_use, problem);
    if (result == ST_OK)
        result = open_marker(root, first_use, problem);
    if (result == ST_OK)
        result = open_purposes(root, problem);
    return result;
}

enum status root_open(const struct root_options *options, struct buf *problem,
                      struct root **out_root)
{
    struct root *root = MEM_NEW(struct root);
    enum status st;

    assert(options->path[0] == '/');
    root->path = mem_copy_string(options->path);
    root->log = options->log;
    root->folder = options->folder;
    root->token = options->token;
    root->fd = root->private_fd = -1;
    for (size_t i = 0; i < PRIVATE_DIR_COUNT; i++)
        root->purpose_fd[i] = -1;
    st = open_all(root, options, problem);
    if (st != ST_OK) {
        root_close(root);
        return st;
    }
    *out_root = root;
    return ST_OK;
}

void root_close(struct root *root)
{
    if (!root)
        return;
    for (size_t i = 0; i < PRIVATE_DIR_COUNT; i++)
        scope_close_fd(&root->purpose_fd[i]);
    scope_close_fd(&root->private_fd);
    scope_close_fd(&root->fd);
    free(root->path);
    free(root);
}

/* --- checking --- */

enum status root_check(const struct root *root, struct buf *problem)
{
    struct root_options options = {.path = root->path, .token = root->token};
    struct marker marker = {0};
    struct statvfs vfs;
    struct stat st;
    scope_fd int fd = -1;
    scope_fd int private_fd = -1;
    enum status result = open_path(&options, problem, &fd);

    if (result != ST_OK)
        return result;
    if (fstat(fd, &st) < 0 || fstatvfs(fd, &vfs) < 0)
        return say_errno(problem, root->path, "stat", errno);
    if (st.st_dev != root->device)
        return say(problem, ST_GONE, root->path,
                   "another file system stands there now: mount the folder's own disk");
    if (st.st_ino != root->inode)
        return say(problem, ST_GONE, root->path,
                   "another directory stands there now: put the folder's own back");
    if (vfs.f_flag & ST_RDONLY)
        return say(problem, ST_REFUSED, root->path,
                   "has become read-only: look for disk errors, then remount it read-write");
    private_fd = beneath_open(fd, PRIVATE_DIR_NAME, O_RDONLY | O_DIRECTORY);
    if (private_fd < 0)
        return say(problem, ST_GONE, root->path, "its private directory %s is missing (%s): "
                   "put it back", PRIVATE_DIR_NAME, strerror(errno));
    result = marker_read(private_fd, &marker);
    return judge_marker(root, result, errno, &marker, problem);
}

enum status root_adopt_volume(struct root *root)
{
    struct marker marker = {.folder = root->folder, .token = root->token, .volume = root->volume};
    enum status st = marker_write(root->private_fd, &marker);

    if (st != ST_OK) {
        log_error(root->log, "marker not written root=%s: %s", root->path, strerror(errno));
        return st;
    }
    root->marker_volume = root->volume;
    return ST_OK;
}

/* --- facts --- */

const char *root_path(const struct root *root)
{
    return root->path;
}

int root_fd(const struct root *root)
{
    return root->fd;
}

int root_private_fd(const struct root *root, enum private_dir purpose)
{
    return root->purpose_fd[purpose];
}

const struct log_ctx *root_log(const struct root *root)
{
    return root->log;
}

dev_t root_device(const struct root *root)
{
    return root->device;
}

struct guid root_token(const struct root *root)
{
    return root->token;
}

struct guid root_volume(const struct root *root)
{
    return root->volume;
}

bool root_volume_changed(const struct root *root)
{
    return !guid_is_zero(&root->volume) && !guid_is_zero(&root->marker_volume) &&
           !guid_equal(&root->volume, &root->marker_volume);
}

struct object root_object(const struct root *root)
{
    return root->object;
}

char *root_database_path(const struct root *root)
{
    return mem_format("%s/" PRIVATE_DIR_NAME "/%s/folder.db", root->path,
                      purpose_name[PRIVATE_DATABASE]);
}

uint64_t root_free_bytes(const struct root *root)
{
    struct statvfs vfs;

    if (fstatvfs(root->fd, &vfs) < 0)
        return 0;
    return (uint64_t)vfs.f_bavail * vfs.f_frsize;
}

enum status root_sync(const struct root *root)
{
    /* A descriptor of its own: syncfs tells each descriptor of an error once. */
    scope_fd int fd = openat(root->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd >= 0 && syncfs(fd) == 0)
        return ST_OK;
    log_error(root_log(root), "syncfs failed root=%s: %s", root_path(root), strerror(errno));
    return ST_IO;
}
