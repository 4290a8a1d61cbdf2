/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/root/beneath.h"

#include "common/base/mem.h"
#include "common/base/scope.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* openat2 takes at most PATH_MAX bytes with the NUL; longer paths are walked in pieces. */
#define PIECE_SIZE_MAX 4000u

/* A file handle as the kernel fills it, with room for what struct object can hold. */
struct handle {
    struct file_handle head;
    unsigned char bytes[OBJECT_SIZE_MAX];
};

static_assert(offsetof(struct handle, bytes) == offsetof(struct file_handle, f_handle),
              "the handle's bytes follow its head");
static_assert(NAME_SIZE_MAX + 1 < PIECE_SIZE_MAX, "a piece holds a name");

static int fail(int err)
{
    errno = err;
    return -1;
}

static bool name_is_plain(const char *name, size_t size)
{
    return size > 0 && !(size == 1 && name[0] == '.') &&
           !(size == 2 && name[0] == '.' && name[1] == '.');
}

/* 0, EINVAL or ENAMETOOLONG. */
static int path_problem(const char *path)
{
    size_t depth = 0;

    if (*path == '\0')
        return 0;
    for (const char *name = path;; name++) {
        size_t size = strcspn(name, "/");

        if (!name_is_plain(name, size))
            return EINVAL;
        if (size > NAME_SIZE_MAX || ++depth > PATH_DEPTH_MAX)
            return ENAMETOOLONG;
        name += size;
        if (*name == '\0')
            return 0;
    }
}

static int open_piece(int dir_fd, const char *piece, int flags, mode_t mode)
{
    struct open_how how = {
        .flags = (uint64_t)(unsigned)(flags | O_CLOEXEC | O_NOFOLLOW),
        .mode = mode,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
    };

    return (int)syscall(SYS_openat2, dir_fd, piece, &how, sizeof how);
}

/* The longest head of @path that ends before a '/' and fits a piece. */
static size_t piece_size(const char *path, size_t size)
{
    size_t end = PIECE_SIZE_MAX;

    assert(size > PIECE_SIZE_MAX);
    while (path[end] != '/')
        end--;
    return end;
}

const char *beneath_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

char *beneath_above(const char *path)
{
    char *above = mem_copy_string(path);
    char *slash = strrchr(above, '/');

    *(slash ? slash : above) = '\0';
    return above;
}

int beneath_open(int dir_fd, const char *path, int flags)
{
    scope_fd int walked_fd = -1;
    int from_fd = dir_fd;
    size_t size = strlen(path);
    int problem = path_problem(path);

    assert((flags & O_CREAT) == 0);
    if (problem)
        return fail(problem);
    if (size == 0)
        return open_piece(dir_fd, ".", flags, 0);
    while (size > PIECE_SIZE_MAX) {
        char piece[PIECE_SIZE_MAX + 1];
        size_t head = piece_size(path, size);
        int next_fd;

        memcpy(piece, path, head);
        piece[head] = '\0';
        next_fd = open_piece(from_fd, piece, O_PATH | O_DIRECTORY, 0);
        if (next_fd < 0)
            return -1;
        scope_close_fd(&walked_fd);
        walked_fd = next_fd;
        from_fd = walked_fd;
        path += head + 1;
        size -= head + 1;
    }
    return open_piece(from_fd, path, flags, 0);
}

int spot_of(int dir_fd, const char *name, struct spot *out_spot)
{
    int problem = strchr(name, '/') || *name == '\0' ? EINVAL : path_problem(name);
    int fd;

    if (problem)
        return fail(problem);
    fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    out_spot->dir_fd = fd;
    memcpy(out_spot->name, name, strlen(name) + 1);
    return 0;
}

int spot_open(int dir_fd, const char *path, struct spot *out_spot)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    size_t parent_size = slash ? (size_t)(slash - path) : 0;
    int problem = *path == '\0' ? EINVAL : path_problem(path);
    char *parent;
    int fd;

    if (problem)
        return fail(problem);
    parent = strndup(path, parent_size);
    if (!parent)
        return -1;
    fd = beneath_open(dir_fd, parent, O_PATH | O_DIRECTORY);
    scope_free_pointer(&parent);
    if (fd < 0)
        return -1;
    out_spot->dir_fd = fd;
    memcpy(out_spot->name, name, strlen(name) + 1);
    return 0;
}

void spot_fini(struct spot *spot)
{
    scope_close_fd(&spot->dir_fd);
}

/* --- looking --- */

static int64_t nanoseconds(const struct statx_timestamp *t)
{
    /* Seconds that would overflow are far outside what any file system stores. */
    if (t->tv_sec > INT64_MAX / 1000000000 - 1)
        return INT64_MAX;
    if (t->tv_sec < INT64_MIN / 1000000000 + 1)
        return INT64_MIN;
    return t->tv_sec * 1000000000 + t->tv_nsec;
}

static enum file_kind kind_of(uint16_t mode)
{
    if (S_ISREG(mode))
        return FILE_REGULAR;
    if (S_ISDIR(mode))
        return FILE_DIRECTORY;
    if (S_ISLNK(mode))
        return FILE_SYMLINK;
    return FILE_KIND_NONE;
}

static void standing_fill(const struct statx *stx, struct standing *out)
{
    int64_t born =
        nanoseconds(stx->stx_mask & STATX_BTIME ? &stx->stx_btime : &stx->stx_ctime);

    *out = (struct standing){
        .kind = kind_of(stx->stx_mode),
        .mount_point = (stx->stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0,
        .witness = {.size = stx->stx_size,
                    .modified_ns = nanoseconds(&stx->stx_mtime),
                    .changed_ns = nanoseconds(&stx->stx_ctime)},
        .mode = stx->stx_mode & 07777u,
        .uid = stx->stx_uid,
        .gid = stx->stx_gid,
        .link_count = stx->stx_nlink,
        .inode = stx->stx_ino,
        .create_time = born > 0 ? (uint64_t)born : 0,
    };
}

static int read_object(int dir_fd, const char *name, int flags, struct object *out)
{
    struct handle handle = {.head.handle_bytes = OBJECT_SIZE_MAX - 2};
    int mount_id;

    if (name_to_handle_at(dir_fd, name, &handle.head, &mount_id, flags) < 0)
        return -1;
    if (handle.head.handle_type < 0 || handle.head.handle_type > UINT16_MAX)
        return fail(EOVERFLOW);
    *out = (struct object){.size = (uint8_t)(handle.head.handle_bytes + 2)};
    out->bytes[0] = (uint8_t)(handle.head.handle_type & 0xff);
    out->bytes[1] = (uint8_t)(handle.head.handle_type >> 8);
    memcpy(out->bytes + 2, handle.bytes, handle.head.handle_bytes);
    return 0;
}

static int look(int dir_fd, const char *name, int flags, struct standing *out)
{
    struct statx stx;

    if (statx(dir_fd, name, flags | AT_NO_AUTOMOUNT, STATX_BASIC_STATS | STATX_BTIME, &stx) < 0)
        return -1;
    standing_fill(&stx, out);
    /* What is not replicated needs no identity, and may stand where there are no handles. Only a
     * root, which is looked at open, may be a mount point. */
    if (out->kind == FILE_KIND_NONE || (out->mount_point && !(flags & AT_EMPTY_PATH)))
        return 0;
    return read_object(dir_fd, name, flags & AT_EMPTY_PATH, &out->object);
}

int beneath_look(int dir_fd, const char *name, struct standing *out_standing)
{
    return look(dir_fd, name, AT_SYMLINK_NOFOLLOW, out_standing);
}

int beneath_look_fd(int fd, struct standing *out_standing)
{
    return look(fd, "", AT_EMPTY_PATH, out_standing);
}

int spot_look(const struct spot *spot, struct standing *out_standing)
{
    scope_fd int fd = openat(spot->dir_fd, spot->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

    return fd < 0 ? -1 : beneath_look_fd(fd, out_standing);
}

int spot_openat(const struct spot *spot, int flags, mode_t mode)
{
    return open_piece(spot->dir_fd, spot->name, flags, mode);
}

/* --- objects --- */

int object_open(int mount_fd, const struct object *object, int flags)
{
    struct handle handle = {0};

    if (object->size < 2 || object->size > OBJECT_SIZE_MAX)
        return fail(ESTALE);
    handle.head.handle_bytes = object->size - 2u;
    handle.head.handle_type = object->bytes[0] | object->bytes[1] << 8;
    memcpy(handle.bytes, object->bytes + 2, object->size - 2u);
    return open_by_handle_at(mount_fd, &handle.head, flags | O_CLOEXEC | O_NOFOLLOW);
}
