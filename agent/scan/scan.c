/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The walk. A frame is a directory whose subdirectories are being visited: its path's length and the
 * names still to come. One directory at a time is open and being listed; when it is done and has
 * subdirectories, it becomes the top frame. So the depth costs names, not descriptors.
 */
#include "agent/scan/scan.h"

#include "agent/root/beneath.h"
#include "common/base/mem.h"
#include "common/base/scope.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct frame {
    size_t path_size;  /* of the directory, within scan.path */
    struct buf names;  /* subdirectories, each with its NUL */
    size_t names_next; /* offset of the next to visit */
};

struct scan {
    struct scan_options options;
    struct buf path; /* of the directory being listed */
    size_t depth;    /* components in it */
    DIR *dir;        /* NULL: none open */
    struct object dir_object;
    bool dir_complete;
    struct buf subdirs; /* of the directory being listed, to visit afterwards */
    struct frame *frames;
    size_t frame_count;
    size_t frame_capacity;
    bool started;
};

const char *scan_skip_name(enum scan_skip skip)
{
    switch (skip) {
    case SCAN_SKIP_NONE:
        return "not skipped";
    case SCAN_SKIP_SPECIAL:
        return "special file";
    case SCAN_SKIP_MOUNT:
        return "nested mount";
    case SCAN_SKIP_TOO_DEEP:
        return "too deep";
    case SCAN_SKIP_UNREADABLE:
        return "unreadable";
    }
    return "unknown";
}

void scan_batch_fini(struct scan_batch *batch)
{
    for (size_t i = 0; i < batch->entry_count; i++)
        free(batch->entries[i].name);
    free(batch->entries);
    free(batch->path);
    *batch = (struct scan_batch){0};
}

struct scan *scan_begin(const struct scan_options *options)
{
    struct scan *scan = MEM_NEW(struct scan);

    scan->options = *options;
    buf_append_string(&scan->path, options->path);
    scan->options.path = NULL; /* borrowed for this call only */
    for (const char *c = options->path; *c; c++)
        scan->depth += *c == '/';
    scan->depth += *options->path != '\0';
    return scan;
}

void scan_end(struct scan *scan)
{
    if (!scan)
        return;
    if (scan->dir)
        closedir(scan->dir);
    for (size_t i = 0; i < scan->frame_count; i++)
        buf_fini(&scan->frames[i].names);
    free(scan->frames);
    buf_fini(&scan->subdirs);
    buf_fini(&scan->path);
    free(scan);
}

static void report(struct scan *scan, const char *what, const char *name, int err)
{
    scope(buf) struct buf escaped = {0};

    buf_append_escaped(&escaped, scan->path.data, scan->path.size);
    if (name) {
        buf_append_string(&escaped, "/");
        buf_append_escaped(&escaped, name, strlen(name));
    }
    log_warn(root_log(scan->options.root), "%s failed root=%s path=\"%s\": %s", what,
             root_path(scan->options.root), buf_text(&escaped), strerror(err));
}

/* --- from directory to directory --- */

/* Nothing stands there, or something else than a directory: a symbolic link, perhaps, on the way. */
static bool has_gone(int err)
{
    return err == ENOENT || err == ENOTDIR || err == ELOOP;
}

/* Open the directory at scan->path for listing. False with errno. */
static bool open_dir(struct scan *scan)
{
    struct standing standing;
    int fd = beneath_open(root_fd(scan->options.root), buf_text(&scan->path),
                          O_RDONLY | O_DIRECTORY | O_NOATIME);

    if (fd < 0 && errno == EPERM) /* O_NOATIME is for owners */
        fd = beneath_open(root_fd(scan->options.root), buf_text(&scan->path),
                          O_RDONLY | O_DIRECTORY);
    if (fd < 0)
        return false;
    if (beneath_look_fd(fd, &standing) < 0 || !(scan->dir = fdopendir(fd))) {
        scope_close_fd(&fd);
        return false;
    }
    scan->dir_object = standing.object;
    scan->dir_complete = true;
    return true;
}

/* The listed directory has subdirectories to visit: they become the top frame. */
static void push_frame(struct scan *scan)
{
    if (scan->frame_count == scan->frame_capacity) {
        scan->frame_capacity = scan->frame_capacity ? 2 * scan->frame_capacity : 16;
        scan->frames = mem_resize(scan->frames, scan->frame_capacity, sizeof *scan->frames);
    }
    scan->frames[scan->frame_count++] =
        (struct frame){.path_size = scan->path.size, .names = scan->subdirs};
    scan->subdirs = (struct buf){0};
}

/* Set the path to the next directory to visit; false when there is none. */
static bool next_dir(struct scan *scan)
{
    while (scan->frame_count > 0) {
        struct frame *top = &scan->frames[scan->frame_count - 1];

        scan->path.size = top->path_size;
        if (top->names_next < top->names.size) {
            const char *name = (const char *)top->names.data + top->names_next;

            top->names_next += strlen(name) + 1;
            if (scan->path.size > 0)
                buf_append_string(&scan->path, "/");
            buf_append_string(&scan->path, name);
            scan->depth++;
            return true;
        }
        buf_fini(&top->names);
        scan->frame_count--;
        scan->depth = scan->depth > 0 ? scan->depth - 1 : 0;
    }
    return false;
}

/* --- entries --- */

static bool is_filtered(const struct scan *scan, const char *name, enum file_kind kind)
{
    const struct filter *filter =
        kind == FILE_DIRECTORY ? scan->options.dir_filter : scan->options.file_filter;

    if (scan->path.size == 0 && strcmp(name, PRIVATE_DIR_NAME) == 0)
        return true;
    return filter && filter_matches(filter, span_of_string(name));
}

static void add_entry(struct scan *scan, const char *name, struct scan_batch *batch)
{
    struct standing standing = {0};
    struct scan_entry entry = {0};

    if (beneath_look(dirfd(scan->dir), name, &standing) < 0) {
        if (errno == ENOENT)
            return; /* it went while we looked: an event tells */
        report(scan, "stat", name, errno);
        entry.skip = SCAN_SKIP_UNREADABLE;
    }
    if (is_filtered(scan, name, standing.kind))
        return;
    if (entry.skip == SCAN_SKIP_NONE)
        entry.skip = standing.mount_point                ? SCAN_SKIP_MOUNT
                     : standing.kind == FILE_KIND_NONE                ? SCAN_SKIP_SPECIAL
                     : scan->depth + 1 > PATH_DEPTH_MAX ? SCAN_SKIP_TOO_DEEP
                                                         : SCAN_SKIP_NONE;
    entry.name = mem_copy_string(name);
    entry.kind = standing.kind;
    entry.object = standing.object;
    entry.witness = standing.witness;
    entry.link_count = standing.link_count;
    entry.create_time = standing.create_time;
    batch->entries[batch->entry_count++] = entry;
    if (scan->options.recursive && entry.skip == SCAN_SKIP_NONE && entry.kind == FILE_DIRECTORY)
        buf_append(&scan->subdirs, name, strlen(name) + 1);
}

/* List on from where the last batch ended. */
static void fill(struct scan *scan, struct scan_batch *batch)
{
    batch->entries = mem_new(SCAN_BATCH_COUNT_MAX, sizeof *batch->entries);
    while (batch->entry_count < SCAN_BATCH_COUNT_MAX) {
        struct dirent *entry;

        errno = 0;
        entry = readdir(scan->dir);
        if (!entry) {
            if (errno) {
                report(scan, "listing a directory", NULL, errno);
                scan->dir_complete = false;
            }
            batch->dir_done = true;
            batch->dir_complete = scan->dir_complete;
            return;
        }
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            add_entry(scan, entry->d_name, batch);
    }
}

static bool stopped(const struct scan *scan)
{
    return scan->options.stop && atomic_load(scan->options.stop);
}

enum status scan_next(struct scan *scan, struct scan_batch *out_batch)
{
    bool first = !scan->started;

    scan_batch_fini(out_batch);
    if (stopped(scan))
        return ST_STOP;
    scan->started = true;
    if (!scan->dir) {
        if (!first && !next_dir(scan)) {
            out_batch->finished = true;
            return ST_OK;
        }
        if (!open_dir(scan)) {
            int err = errno;

            if (!has_gone(err))
                report(scan, "opening a directory", NULL, err);
            if (first)
                return has_gone(err) ? ST_GONE : status_from_errno(err);
            out_batch->path = mem_copy_string(buf_text(&scan->path));
            out_batch->dir_done = true;
            push_frame(scan);
            return ST_OK;
        }
    }
    out_batch->path = mem_copy_string(buf_text(&scan->path));
    out_batch->dir = scan->dir_object;
    fill(scan, out_batch);
    if (out_batch->dir_done) {
        closedir(scan->dir);
        scan->dir = NULL;
        push_frame(scan);
    }
    return ST_OK;
}
