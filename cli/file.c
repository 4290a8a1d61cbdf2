/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/file.h"

#include "cli/cli.h"
#include "common/base/mem.h"
#include "common/base/scope.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>


int file_open(struct file *f, const char *path)
{
    struct stat st;

    *f = (struct file){.path = path, .fd = open(path, O_RDONLY | O_CLOEXEC)};
    if (f->fd < 0)
        return cli_fail(errno == ENOENT   ? CLI_NOT_FOUND
                        : errno == EACCES ? CLI_NOT_AUTHORISED
                                          : CLI_UNHEALTHY,
                        "cannot open %s: %s", path, strerror(errno));
    if (fstat(f->fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        file_fini(f);
        return cli_fail(CLI_USAGE, "%s is not a regular file", path);
    }
    f->size = (uint64_t)st.st_size;
    return CLI_WELL;
}

void file_fini(struct file *f)
{
    if (f->fd >= 0)
        close(f->fd);
    f->fd = -1;
}

static enum status read_file(void *arg, uint64_t offset, void *out, size_t size)
{
    struct file *f = arg;
    uint8_t *place = out;

    while (size > 0) {
        ssize_t got = pread(f->fd, place, size, (off_t)offset);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            cli_fail(CLI_UNHEALTHY, "cannot read %s at %llu: %s", f->path,
                     (unsigned long long)offset, got < 0 ? strerror(errno) : "it became shorter");
            return got < 0 ? ST_IO : ST_GONE;
        }
        place += got;
        offset += (uint64_t)got;
        size -= (size_t)got;
    }
    return ST_OK;
}

struct rdc_content file_content(struct file *f)
{
    return (struct rdc_content){.size = f->size, .read = read_file, .arg = f};
}

enum status file_hash(struct file *f, struct rdc_hash *out_hash)
{
    struct rdc_content content = file_content(f);

    return rdc_hash_of(&content, out_hash);
}

int file_load(const char *path, uint64_t size_max, struct buf *out)
{
    struct file f;
    int code = file_open(&f, path);

    if (code != CLI_WELL)
        return code;
    if (f.size > size_max) {
        file_fini(&f);
        return cli_fail(CLI_USAGE, "%s is too long for what it should be", path);
    }
    enum status st = read_file(&f, 0, buf_extend(out, (size_t)f.size), (size_t)f.size);
    file_fini(&f);
    return st == ST_OK ? CLI_WELL : CLI_UNHEALTHY;
}

/* For messages. */
static const char *result_name(const struct result *r)
{
    return r->part ? r->part : "a temporary file";
}

static int open_temporary(struct result *r)
{
    const char *dir = getenv("TMPDIR");

    dir = dir && *dir ? dir : "/tmp";
    r->fd = open(dir, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
    return r->fd >= 0 ? CLI_WELL
                      : cli_fail(CLI_UNHEALTHY, "cannot create a temporary file in %s: %s", dir,
                                 strerror(errno));
}

int result_open(struct result *r, const char *path)
{
    *r = (struct result){.path = path, .fd = -1};
    if (!path)
        return open_temporary(r);
    r->part = mem_format("%s.part", path);
    r->fd = open(r->part, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (r->fd < 0) {
        int code = cli_fail(CLI_UNHEALTHY, "cannot create %s: %s", r->part, strerror(errno));

        free(r->part);
        r->part = NULL;
        return code;
    }
    return CLI_WELL;
}

enum status result_write(struct result *r, uint64_t offset, struct span bytes)
{
    while (bytes.size > 0) {
        ssize_t put = pwrite(r->fd, bytes.data, bytes.size, (off_t)offset);

        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0) {
            cli_fail(CLI_UNHEALTHY, "cannot write %s: %s", result_name(r), strerror(errno));
            return status_from_errno(errno);
        }
        bytes = span_part(bytes, (size_t)put, bytes.size);
        offset += (uint64_t)put;
    }
    return ST_OK;
}

enum status result_restart(struct result *r)
{
    if (ftruncate(r->fd, 0) < 0) {
        cli_fail(CLI_UNHEALTHY, "cannot write %s: %s", result_name(r), strerror(errno));
        return status_from_errno(errno);
    }
    return ST_OK;
}

int result_commit(struct result *r)
{
    if (!r->path)
        return CLI_WELL;
    if (fsync(r->fd) < 0 || rename(r->part, r->path) < 0)
        return cli_fail(CLI_UNHEALTHY, "cannot write %s: %s", r->path, strerror(errno));
    free(r->part);
    r->part = NULL;
    return CLI_WELL;
}

void result_fini(struct result *r)
{
    if (r->fd >= 0)
        close(r->fd);
    if (r->part)
        unlink(r->part);
    free(r->part);
    *r = (struct result){.fd = -1};
}

static enum status sink_write(void *arg, uint64_t offset, struct span bytes)
{
    return result_write(arg, offset, bytes);
}

static enum status sink_read(void *arg, uint64_t offset, void *out, size_t size)
{
    struct result *r = arg;

    return read_file(&(struct file){.path = result_name(r), .fd = r->fd}, offset, out, size);
}

static enum status sink_restart(void *arg)
{
    return result_restart(arg);
}

struct rdc_sink result_sink(struct result *r)
{
    return (struct rdc_sink){
        .write = sink_write, .read = sink_read, .restart = sink_restart, .arg = r};
}

/* --- scratches -------------------------------------------------------------------------------*/

static void scratch_close(void *arg)
{
    result_fini(arg);
    free(arg);
}

static enum status open_scratch(void *arg, struct rdc_scratch *out_scratch)
{
    struct result *r = MEM_NEW(struct result);

    (void)arg;
    if (result_open(r, NULL) != CLI_WELL) {
        free(r);
        return ST_IO;
    }
    *out_scratch = (struct rdc_scratch){
        .write = sink_write, .read = sink_read, .close = scratch_close, .arg = r};
    return ST_OK;
}

struct rdc_scratches file_scratches(void)
{
    return (struct rdc_scratches){.open = open_scratch};
}
