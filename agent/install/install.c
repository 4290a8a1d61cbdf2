/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/install/install.h"

#include "agent/install/batch.h"
#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/base/scope.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct install *install_new(const struct install_options *options)
{
    struct install *install = MEM_NEW(struct install);

    install->options = *options;
    install->root = options->root;
    install->log = root_log(options->root);
    install->swap_fd = root_private_fd(options->root, PRIVATE_SWAP);
    return install;
}

void install_free(struct install *install)
{
    free(install);
}

/* --- failures --- */

enum status step_report(const struct install *install, const struct step *step, const char *what,
                        enum status st)
{
    scope(buf) struct buf path = {0};
    int err = errno;

    buf_append_escaped(&path, step->path, strlen(step->path));
    log_at(install->log, st == ST_AGAIN ? LOG_DEBUG : LOG_WARN, "install: %s root=%s path=\"%s\": %s",
           what, root_path(install->root), buf_text(&path), strerror(err));
    return st;
}

enum status step_status(int err)
{
    switch (err) {
    case ENOENT:
    case ENOTDIR:
    case EEXIST:
    case ENOTEMPTY:
    case ELOOP:
    case EISDIR:
    case ESTALE:
        return ST_AGAIN;
    case EXDEV: /* a file system is mounted in the way */
        return ST_REFUSED;
    default:
        return status_from_errno(err);
    }
}

/* --- attributes --- */

enum status batch_attributes(const struct install *install, const struct step *step, int fd,
                             const struct spot *place)
{
    struct attributes_fallback fallback;
    struct stat st;

    if (step->attributes.size == 0)
        return ST_OK;
    if (fstat(place->dir_fd, &st) < 0)
        return step_report(install, step, "stat failed", step_status(errno));
    fallback = (struct attributes_fallback){.uid = st.st_uid, .gid = st.st_gid};
    return attributes_apply(fd, step->attributes, &fallback, step->path, install->log);
}

/* --- durability --- */

void batch_touch(struct batch *batch, const struct spot *spot)
{
    struct stat st;
    int fd;

    if (batch->sync_everything)
        return;
    if (fstat(spot->dir_fd, &st) == 0) {
        for (size_t i = 0; i < batch->dir_count; i++)
            if (batch->dir_inodes[i] == st.st_ino)
                return;
        if (batch->dir_count < INSTALL_DIR_SYNC_COUNT_MAX) {
            fd = beneath_open(spot->dir_fd, "", O_RDONLY | O_DIRECTORY);
            if (fd >= 0) {
                batch->dir_fds[batch->dir_count] = fd;
                batch->dir_inodes[batch->dir_count++] = st.st_ino;
                return;
            }
        }
    }
    batch->sync_everything = true;
}

enum status install_sync(const struct install *install)
{
    return root_sync(install->root);
}

static enum status sync_dirs(struct batch *batch)
{
    if (batch->sync_everything)
        return root_sync(batch->install->root);
    for (size_t i = 0; i < batch->dir_count; i++)
        if (fsync(batch->dir_fds[i]) < 0) {
            log_error(batch->install->log, "install: fsync of a directory failed root=%s: %s",
                      root_path(batch->install->root), strerror(errno));
            return ST_IO;
        }
    return ST_OK;
}

/* --- preparing --- */

/* Apply one staged file's attributes; false when that has to wait for its turn. */
static bool prepare_one(struct batch *batch, const struct step *step, struct prepared *prepared)
{
    struct install *install = batch->install;
    scope(spot) struct spot place = {.dir_fd = -1};
    scope_fd int fd = -1;
    enum status st;

    if (step->kind != STEP_INSTALL || !root_is_place(step->path))
        return false;
    /* A directory that an earlier step makes is not there yet. */
    if (spot_open(root_fd(install->root), step->path, &place) < 0)
        return false;
    st = stage_open_finished(install->options.stage, step->stage, &fd);
    if (st == ST_OK)
        st = batch_attributes(install, step, fd, &place);
    prepared->status = st;
    if (st != ST_OK)
        return false;
    /* Get the disk to work on all of them before the first one is waited for. */
    sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
    return true;
}

static enum status sync_one(const struct batch *batch, const struct step *step)
{
    struct install *install = batch->install;
    scope_fd int fd = -1;
    enum status st = stage_open_finished(install->options.stage, step->stage, &fd);

    if (st == ST_OK && fsync(fd) < 0) {
        /* The kernel has dropped the bytes it could not write: a second try would "succeed". */
        st = step_report(install, step, "fsync of a staged file failed", ST_IO);
        stage_drop(install->options.stage, step->stage);
    }
    return st;
}

/* Attributes and content of all staged files, durable before any of them is shown. */
static enum status prepare(struct batch *batch, size_t count)
{
    size_t waiting_count = 0;
    bool *waiting = mem_new(count, sizeof *waiting);
    bool together;
    enum status st = ST_OK;

    for (size_t i = 0; i < count; i++) {
        waiting[i] = prepare_one(batch, &batch->steps[i], &batch->prepared[i]);
        waiting_count += waiting[i];
    }
    together = waiting_count >= INSTALL_SYNCFS_COUNT_MIN;
    if (together)
        st = root_sync(batch->install->root);
    for (size_t i = 0; i < count; i++) {
        if (!waiting[i])
            continue;
        if (!together)
            batch->prepared[i].status = sync_one(batch, &batch->steps[i]);
        else if (st != ST_OK)
            stage_drop(batch->install->options.stage, batch->steps[i].stage);
        batch->prepared[i].done = batch->prepared[i].status == ST_OK;
    }
    free(waiting);
    return st;
}

/* --- running --- */

static size_t run(struct batch *batch, size_t count)
{
    struct install *install = batch->install;
    enum status st = prepare(batch, count);

    if (st == ST_OK) {
        while (batch->done_count < count && st == ST_OK) {
            struct step_result *result = &batch->results[batch->done_count];

            *result = (struct step_result){0};
            st = step_run(batch, batch->done_count, result);
            result->status = st;
            batch->done_count++;
        }
        if (sync_dirs(batch) == ST_OK && preserve_sync(install->options.preserve) == ST_OK)
            return batch->done_count;
    }
    batch->results[0] = (struct step_result){.status = ST_IO};
    return 1;
}

size_t install_run(struct install *install, const struct step *steps, size_t count,
                   struct step_result *out_results)
{
    int dir_fds[INSTALL_DIR_SYNC_COUNT_MAX];
    uint64_t dir_inodes[INSTALL_DIR_SYNC_COUNT_MAX];
    struct batch batch = {
        .install = install,
        .steps = steps,
        .results = out_results,
        .prepared = mem_new(count ? count : 1, sizeof *batch.prepared),
        .dir_fds = dir_fds,
        .dir_inodes = dir_inodes,
    };
    size_t done_count = count > 0 ? run(&batch, count) : 0;

    for (size_t i = 0; i < batch.dir_count; i++)
        close(dir_fds[i]);
    free(batch.prepared);
    return done_count;
}
