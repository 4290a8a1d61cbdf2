/* SPDX-License-Identifier: Apache-2.0 */
#include "common/os/fileio.h"

#include "common/base/mem.h"
#include "common/base/scope.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_SIZE 65536

static enum status fail(const struct log_ctx *log, const char *verb, const char *path)
{
    int err = errno;

    log_error(log, "cannot %s file path=%s: %s", verb, path, strerror(err));
    return status_from_errno(err);
}

enum status file_read(const struct log_ctx *log, const char *path, size_t size_max,
                      struct buf *out)
{
    scope_fd int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return errno == ENOENT ? ST_GONE : fail(log, "open", path);
    buf_clear(out);
    for (;;) {
        uint8_t *place = buf_extend(out, READ_SIZE);
        ssize_t got = read(fd, place, READ_SIZE);

        out->size -= READ_SIZE;
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fail(log, "read", path);
        if (got == 0)
            return ST_OK;
        out->size += (size_t)got;
        if (out->size > size_max) {
            log_error(log, "file is larger than its limit path=%s limit=%zu", path, size_max);
            return ST_FULL;
        }
    }
}

static bool write_all(int fd, struct span content)
{
    while (content.size > 0) {
        ssize_t done = write(fd, content.data, content.size);

        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return false;
        content = span_part(content, (size_t)done, content.size);
    }
    return true;
}

enum status file_write(const struct log_ctx *log, const char *path, struct span content,
                       mode_t mode)
{
    scope_free char *temporary = mem_format("%s.new", path);
    scope_free char *copy = mem_copy_string(path);
    scope_fd int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

    if (fd < 0)
        return fail(log, "create", temporary);
    if (!write_all(fd, content) || fsync(fd) != 0 || rename(temporary, path) != 0) {
        enum status st = fail(log, "write", path);

        unlink(temporary);
        return st;
    }
    scope_fd int dir = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0 || fsync(dir) != 0)
        return fail(log, "make durable", path);
    return ST_OK;
}

enum status file_make_dirs(const struct log_ctx *log, const char *path, mode_t mode)
{
    scope_free char *copy = mem_copy_string(path);

    for (char *p = copy + 1;; p++) {
        if (*p != '/' && *p != '\0')
            continue;
        char kept = *p;
        *p = '\0';
        if (mkdir(copy, mode) != 0 && errno != EEXIST)
            return fail(log, "make directory", copy);
        *p = kept;
        if (kept == '\0')
            return ST_OK;
    }
}
