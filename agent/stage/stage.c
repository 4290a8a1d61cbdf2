/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/stage/stage.h"

#include "agent/root/beneath.h"
#include "common/base/mem.h"
#include "common/base/scope.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

struct stage {
    const struct root *root;
    int dir_fd;
    _Atomic uint64_t bytes_max;
    _Atomic uint64_t bytes_used;
    _Atomic uint64_t number_last;
};

struct stage_file {
    struct stage *stage;
    int fd;
    uint64_t number;
    uint64_t reserved; /* of the quota */
    bool failed;
};

struct number_name {
    char text[24];
};

static struct number_name name_of(uint64_t number)
{
    struct number_name name;

    snprintf(name.text, sizeof name.text, "%" PRIu64, number);
    return name;
}

static enum status report(const struct stage *stage, uint64_t number, const char *what)
{
    enum status st = status_from_errno(errno);

    log_warn(root_log(stage->root), "staged file: %s failed root=%s stage=%" PRIu64 ": %s", what,
             root_path(stage->root), number, strerror(errno));
    return st;
}

/* --- the area --- */

static void close_dir(DIR **dir)
{
    if (*dir)
        closedir(*dir);
}

/* Nothing that stands here at a start is of use: a fetch begins anew. */
static enum status drop_leftovers(const struct stage *stage, size_t *out_count)
{
    int fd = openat(stage->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    __attribute__((cleanup(close_dir))) DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    int trash_fd = root_private_fd(stage->root, PRIVATE_TRASH);
    size_t count = 0;

    if (!dir) {
        scope_close_fd(&fd);
        return report(stage, 0, "listing the area");
    }
    for (struct dirent *entry; (errno = 0, entry = readdir(dir));) {
        struct spot spot = {.dir_fd = stage->dir_fd};

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        memcpy(spot.name, entry->d_name, strlen(entry->d_name) + 1);
        if (spot_discard(&spot, trash_fd) < 0)
            return report(stage, 0, "dropping a leftover");
        count++;
    }
    if (errno)
        return report(stage, 0, "listing the area");
    if (beneath_empty_trash(trash_fd) < 0)
        return report(stage, 0, "emptying the trash");
    *out_count = count;
    return ST_OK;
}

enum status stage_open(const struct root *root, uint64_t bytes_max, struct stage **out_stage,
                       size_t *out_left_count)
{
    struct stage *stage = MEM_NEW(struct stage);
    enum status st;

    stage->root = root;
    stage->dir_fd = root_private_fd(root, PRIVATE_STAGE);
    atomic_init(&stage->bytes_max, bytes_max);
    st = drop_leftovers(stage, out_left_count);
    if (st != ST_OK) {
        stage_close(stage);
        return st;
    }
    *out_stage = stage;
    return ST_OK;
}

void stage_close(struct stage *stage)
{
    free(stage);
}

void stage_set_quota(struct stage *stage, uint64_t bytes_max)
{
    atomic_store(&stage->bytes_max, bytes_max);
}

uint64_t stage_bytes_used(const struct stage *stage)
{
    return atomic_load(&stage->bytes_used);
}

/* Take @more bytes for a file that holds @held of the quota already. */
static bool reserve(struct stage *stage, uint64_t held, uint64_t more)
{
    uint64_t used = atomic_load(&stage->bytes_used);

    do {
        uint64_t max = atomic_load(&stage->bytes_max);
        bool alone = used == held;

        if (more > UINT64_MAX - used)
            return false;
        /* A file above the whole quota passes when it is the only one. */
        if (!alone && (used > max || more > max - used))
            return false;
    } while (!atomic_compare_exchange_weak(&stage->bytes_used, &used, used + more));
    return true;
}

static void release(struct stage *stage, uint64_t bytes)
{
    uint64_t before = atomic_fetch_sub(&stage->bytes_used, bytes);

    assert(before >= bytes);
    (void)before;
}

/* --- a file being written --- */

enum status stage_create(struct stage *stage, uint64_t size, struct stage_file **out_file)
{
    uint64_t number = atomic_fetch_add(&stage->number_last, 1) + 1;
    struct stage_file *file;
    int fd;

    if (!reserve(stage, 0, size))
        return ST_FULL;
    fd = openat(stage->dir_fd, name_of(number).text,
                O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        enum status st = report(stage, number, "create");

        release(stage, size);
        return st;
    }
    file = MEM_NEW(struct stage_file);
    *file = (struct stage_file){.stage = stage, .fd = fd, .number = number, .reserved = size};
    *out_file = file;
    return ST_OK;
}

uint64_t stage_file_number(const struct stage_file *file)
{
    return file->number;
}

int stage_file_fd(const struct stage_file *file)
{
    return file->fd;
}

static enum status fail(struct stage_file *file, const char *what)
{
    file->failed = true;
    return report(file->stage, file->number, what);
}

/* The file is about to reach to @offset + @size. */
static enum status reach(struct stage_file *file, uint64_t offset, uint64_t size)
{
    uint64_t end = offset + size;

    assert(!file->failed);
    if (offset > INT64_MAX || size > INT64_MAX - offset) {
        file->failed = true;
        return ST_BADDATA;
    }
    if (end <= file->reserved)
        return ST_OK;
    if (!reserve(file->stage, file->reserved, end - file->reserved)) {
        file->failed = true;
        return ST_FULL;
    }
    file->reserved = end;
    return ST_OK;
}

enum status stage_write(struct stage_file *file, uint64_t offset, struct span bytes)
{
    enum status st = reach(file, offset, bytes.size);

    while (st == ST_OK && bytes.size > 0) {
        ssize_t size = pwrite(file->fd, bytes.data, bytes.size, (off_t)offset);

        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0)
            return fail(file, "write");
        bytes = span_part(bytes, (size_t)size, SIZE_MAX);
        offset += (uint64_t)size;
    }
    return st;
}

enum status stage_read(struct stage_file *file, uint64_t offset, void *out, size_t size)
{
    uint8_t *place = out;

    while (size > 0) {
        ssize_t got = pread(file->fd, place, size, (off_t)offset);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            errno = got < 0 ? errno : EIO;
            return fail(file, "read back");
        }
        place += got;
        offset += (uint64_t)got;
        size -= (size_t)got;
    }
    return ST_OK;
}

/* Share the seed's blocks. Works for whole blocks on file systems that can; else nothing happened. */
static bool clone(const struct stage_file *file, uint64_t offset, int seed_fd, uint64_t seed_offset,
                  uint64_t size)
{
    struct file_clone_range range = {
        .src_fd = seed_fd,
        .src_offset = seed_offset,
        .src_length = size,
        .dest_offset = offset,
    };

    /* 0 would mean "to the end". */
    return size > 0 && ioctl(file->fd, FICLONERANGE, &range) == 0;
}

static enum status copy_through_memory(struct stage_file *file, uint64_t offset, int seed_fd,
                                       uint64_t seed_offset, uint64_t size)
{
    scope_free uint8_t *block = mem_new(1, READ_BLOCK_SIZE);

    while (size > 0) {
        size_t want = size < READ_BLOCK_SIZE ? (size_t)size : READ_BLOCK_SIZE;
        ssize_t got = pread(seed_fd, block, want, (off_t)seed_offset);
        enum status st;

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fail(file, "reading the seed");
        if (got == 0) {
            file->failed = true;
            return ST_GONE;
        }
        st = stage_write(file, offset, span_of(block, (size_t)got));
        if (st != ST_OK)
            return st;
        offset += (uint64_t)got;
        seed_offset += (uint64_t)got;
        size -= (uint64_t)got;
    }
    return ST_OK;
}

enum status stage_copy(struct stage_file *file, uint64_t offset, int seed_fd, uint64_t seed_offset,
                       uint64_t size)
{
    enum status st;

    if (seed_offset > INT64_MAX || size > INT64_MAX - seed_offset) {
        file->failed = true;
        return ST_BADDATA;
    }
    st = reach(file, offset, size);
    if (st != ST_OK || clone(file, offset, seed_fd, seed_offset, size))
        return st;
    while (size > 0) {
        loff_t from = (loff_t)seed_offset;
        loff_t to = (loff_t)offset;
        size_t want = size < SSIZE_MAX ? (size_t)size : SSIZE_MAX;
        ssize_t got = copy_file_range(seed_fd, &from, file->fd, &to, want, 0);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && (errno == EXDEV || errno == EOPNOTSUPP || errno == ENOSYS ||
                        errno == EINVAL))
            return copy_through_memory(file, offset, seed_fd, seed_offset, size);
        if (got < 0)
            return fail(file, "copying from the seed");
        if (got == 0) {
            file->failed = true;
            return ST_GONE;
        }
        offset += (uint64_t)got;
        seed_offset += (uint64_t)got;
        size -= (uint64_t)got;
    }
    return ST_OK;
}

enum status stage_resize(struct stage_file *file, uint64_t size)
{
    enum status st = reach(file, 0, size);

    if (st != ST_OK)
        return st;
    if (ftruncate(file->fd, (off_t)size) < 0)
        return fail(file, "truncate");
    release(file->stage, file->reserved - size);
    file->reserved = size;
    return ST_OK;
}

enum status stage_finish(struct stage_file *file, struct staged *out_staged)
{
    struct standing standing;
    struct staged staged;

    assert(!file->failed);
    if (beneath_look_fd(file->fd, &standing) < 0) {
        enum status st = fail(file, "stat");

        stage_abandon(file);
        return st;
    }
    staged = (struct staged){
        .number = file->number, .size = standing.witness.size, .object = standing.object};
    /* What a finished file holds of the quota is its size, so that dropping it can tell. */
    release(file->stage, file->reserved - staged.size);
    close(file->fd);
    free(file);
    *out_staged = staged;
    return ST_OK;
}

void stage_abandon(struct stage_file *file)
{
    if (!file)
        return;
    if (unlinkat(file->stage->dir_fd, name_of(file->number).text, 0) < 0)
        (void)report(file->stage, file->number, "unlink");
    release(file->stage, file->reserved);
    close(file->fd);
    free(file);
}

/* --- finished files --- */

enum status stage_open_finished(const struct stage *stage, uint64_t number, int *out_fd)
{
    int fd = beneath_open(stage->dir_fd, name_of(number).text, O_RDWR);

    if (fd < 0)
        return report(stage, number, "open");
    *out_fd = fd;
    return ST_OK;
}

/* The quota that a finished file holds; false when it is not there. */
static bool held(const struct stage *stage, uint64_t number, uint64_t *out_bytes)
{
    struct standing standing;

    if (beneath_look(stage->dir_fd, name_of(number).text, &standing) < 0)
        return false;
    *out_bytes = standing.witness.size;
    return true;
}

void stage_drop(struct stage *stage, uint64_t number)
{
    uint64_t bytes;

    if (!held(stage, number, &bytes))
        return;
    if (unlinkat(stage->dir_fd, name_of(number).text, 0) < 0) {
        (void)report(stage, number, "unlink");
        return;
    }
    release(stage, bytes);
}

enum status stage_move_out(struct stage *stage, uint64_t number, const struct spot *to)
{
    struct number_name name = name_of(number);
    struct spot from = {.dir_fd = stage->dir_fd};
    uint64_t bytes;

    memcpy(from.name, name.text, sizeof name.text);
    if (!held(stage, number, &bytes) || spot_move(&from, to) < 0)
        return report(stage, number, "move");
    release(stage, bytes);
    return ST_OK;
}

enum status stage_move_back(struct stage *stage, uint64_t number, const struct spot *from)
{
    struct number_name name = name_of(number);
    struct spot to = {.dir_fd = stage->dir_fd};
    struct standing standing;

    memcpy(to.name, name.text, sizeof name.text);
    if (spot_look(from, &standing) < 0 || spot_move(from, &to) < 0)
        return report(stage, number, "move back");
    atomic_fetch_add(&stage->bytes_used, standing.witness.size);
    return ST_OK;
}
