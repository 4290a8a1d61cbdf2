/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/folder/flush.h"

#include "agent/root/beneath.h"
#include "common/base/instant.h"
#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/base/scope.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* One file or directory that was changed lately. */
struct fresh {
    char *path;
    struct finding *finding; /* that rests on it */
};

struct flushing {
    struct gathering *gathering;
    int64_t since_ns; /* what was changed before is on the disk */
    struct fresh fresh[FLUSH_SINGLE_COUNT_MAX];
    size_t count; /* one more than there is room for: all of it at once */
    char *last_dir; /* findings of one directory follow each other */
};

/* A clock that was set back since leaves times in the future: those are recent. */
static bool is_recent(const struct flushing *f, const struct witness *witness)
{
    return witness->changed_ns > f->since_ns;
}

static void add(struct flushing *f, const char *path, struct finding *finding)
{
    if (f->count < FLUSH_SINGLE_COUNT_MAX)
        f->fresh[f->count] = (struct fresh){.path = mem_copy_string(path), .finding = finding};
    if (f->count <= FLUSH_SINGLE_COUNT_MAX)
        f->count++;
}

/* The directory that names it, or did. What has no directory any more has an entry above that says so. */
static void add_dir(struct flushing *f, struct finding *finding)
{
    scope_free char *dir = beneath_above(finding->path);
    scope_fd int fd = -1;
    struct standing standing;

    if (f->last_dir && strcmp(f->last_dir, dir) == 0)
        return;
    fd = beneath_open(root_fd(f->gathering->root), dir, O_PATH | O_DIRECTORY);
    if (fd >= 0 && beneath_look_fd(fd, &standing) == 0 && is_recent(f, &standing.witness))
        add(f, dir, finding);
    free(f->last_dir);
    f->last_dir = mem_copy_string(dir);
}

static void collect(struct flushing *f)
{
    struct gathering *g = f->gathering;

    for (size_t i = 0; i < g->finding_count && f->count <= FLUSH_SINGLE_COUNT_MAX; i++) {
        struct finding *finding = &g->findings[i];

        if (finding->kind == FINDING_PRESENT && finding->content.kind != FILE_SYMLINK &&
            is_recent(f, &finding->content.witness))
            add(f, finding->path, finding);
        if (finding->kind == FINDING_PRESENT || finding->kind == FINDING_GONE)
            add_dir(f, finding);
    }
}

/* What has moved on since is not recorded: the last look finds that. */
static void flush_one(const struct flushing *f, const struct fresh *fresh)
{
    const struct root *root = f->gathering->root;
    scope_fd int fd = beneath_open(root_fd(root), fresh->path, O_RDONLY | O_NONBLOCK);

    if (fd < 0 || fsync(fd) == 0)
        return;
    log_error(root_log(root), "flush: fsync path=%s: %s", fresh->path, strerror(errno));
    fresh->finding->kind = FINDING_FAILED;
    fresh->finding->problem = "the disk reported an error when it was to be written there";
}

enum status flush_findings(struct gathering *gathering)
{
    struct flushing f = {.gathering = gathering,
                         .since_ns = walltime_now().ns - FLUSH_AGE_MS * NS_PER_MS};
    enum status st = ST_OK;

    collect(&f);
    if (f.count > FLUSH_SINGLE_COUNT_MAX)
        st = root_sync(gathering->root);
    for (size_t i = 0; i < f.count && i < FLUSH_SINGLE_COUNT_MAX; i++) {
        if (f.count <= FLUSH_SINGLE_COUNT_MAX)
            flush_one(&f, &f.fresh[i]);
        free(f.fresh[i].path);
    }
    free(f.last_dir);
    return st;
}
