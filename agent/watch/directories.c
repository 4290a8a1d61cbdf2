/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events by one inotify watch for each directory, for where a mark on the whole file system is not to
 * be had. A directory is watched before it is listed, so what is made in it meanwhile is either
 * listed or told.
 */
#include "agent/watch/source.h"

#include "agent/root/beneath.h"
#include "agent/scan/scan.h"
#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/base/scope.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#define READ_SIZE 65536u

struct watched {
    int wd;
    struct object object;
};

struct directories {
    const struct root *root;
    int fd;
    struct watched *items; /* ascending by wd */
    size_t count;
    size_t capacity;
    uint8_t *buffer;
};

/* The index of @wd, or where it belongs. */
static size_t find(const struct directories *d, int wd)
{
    size_t low = 0;
    size_t high = d->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (d->items[middle].wd < wd)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void remember(struct directories *d, int wd, const struct object *object)
{
    size_t at = find(d, wd);

    if (at == d->count || d->items[at].wd != wd) {
        if (d->count == d->capacity) {
            d->capacity = d->capacity ? 2 * d->capacity : 256;
            d->items = mem_resize(d->items, d->capacity, sizeof *d->items);
        }
        memmove(&d->items[at + 1], &d->items[at], (d->count - at) * sizeof *d->items);
        d->count++;
    }
    d->items[at] = (struct watched){.wd = wd, .object = *object};
}

static void forget(struct directories *d, int wd)
{
    size_t at = find(d, wd);

    if (at == d->count || d->items[at].wd != wd)
        return;
    d->count--;
    memmove(&d->items[at], &d->items[at + 1], (d->count - at) * sizeof *d->items);
}

/* Watch one directory. ST_GONE: it is not there any more. */
static enum status watch_dir(struct directories *d, const char *path)
{
    const uint32_t mask = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_MODIFY |
                          IN_CLOSE_WRITE | IN_ATTRIB | IN_ONLYDIR | IN_EXCL_UNLINK;
    scope_fd int fd = beneath_open(root_fd(d->root), path, O_PATH | O_DIRECTORY);
    struct standing standing;
    char link[32];
    int wd;

    if (fd < 0 || beneath_look_fd(fd, &standing) < 0)
        return ST_GONE;
    if (d->count >= WATCH_DIRECTORY_COUNT_MAX) {
        log_error(root_log(d->root), "watch: more directories than can be watched one by one root=%s "
                  "max=%u: give the agent CAP_SYS_ADMIN, so that it can watch the file system",
                  root_path(d->root), WATCH_DIRECTORY_COUNT_MAX);
        return ST_FULL;
    }
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    wd = inotify_add_watch(d->fd, link, mask);
    if (wd < 0) {
        enum status st = status_from_errno(errno);

        log_error(root_log(d->root), "watch: inotify_add_watch failed root=%s: %s%s",
                  root_path(d->root), strerror(errno),
                  errno == ENOSPC ? ": raise fs.inotify.max_user_watches" : "");
        return st;
    }
    remember(d, wd, &standing.object);
    return ST_OK;
}

/* Add the subdirectories of the directory at @path to @pending, NUL-separated. */
static void list_subdirs(struct directories *d, const char *path, struct buf *pending)
{
    struct scan_options options = {.root = d->root, .path = path};
    struct scan *scan = scan_begin(&options);
    scope(scan_batch) struct scan_batch batch = {0};

    while (scan_next(scan, &batch) == ST_OK && !batch.finished)
        for (size_t i = 0; i < batch.entry_count; i++) {
            const struct scan_entry *entry = &batch.entries[i];

            if (entry->skip != SCAN_SKIP_NONE || entry->kind != FILE_DIRECTORY)
                continue;
            buf_append_string(pending, path);
            if (*path)
                buf_append_string(pending, "/");
            buf_append(pending, entry->name, strlen(entry->name) + 1);
        }
    scan_end(scan);
}

/* Take the last path off @pending; false when there is none. */
static bool take_last(struct buf *pending, char **out)
{
    size_t at;

    if (pending->size == 0)
        return false;
    at = pending->size - 1;
    while (at > 0 && pending->data[at - 1] != '\0')
        at--;
    *out = mem_copy(pending->data + at, pending->size - at);
    pending->size = at;
    return true;
}

/* Watch a directory and all below it. */
static enum status watch_tree(struct directories *d, const char *path)
{
    scope(buf) struct buf pending = {0};
    char *dir = NULL;
    enum status st = ST_OK;

    buf_append(&pending, path, strlen(path) + 1);
    while ((st == ST_OK || st == ST_GONE) && take_last(&pending, &dir)) {
        st = watch_dir(d, dir);
        if (st == ST_OK)
            list_subdirs(d, dir, &pending);
        free(dir);
    }
    return st == ST_GONE ? ST_OK : st;
}

static void take_event(struct directories *d, const struct inotify_event *event,
                       struct places *places)
{
    size_t at = find(d, event->wd);
    bool came = (event->mask & (IN_CREATE | IN_MOVED_TO)) && (event->mask & IN_ISDIR);

    if (event->mask & IN_Q_OVERFLOW) {
        places_overflow(places);
        return;
    }
    if (event->mask & IN_IGNORED) {
        forget(d, event->wd);
        return;
    }
    if (at == d->count || d->items[at].wd != event->wd)
        return;
    places_add(places, &d->items[at].object,
               event->len > 0 ? span_of_string(event->name) : (struct span){0}, false, came);
}

static void drain(void *arg, struct places *places)
{
    struct directories *d = arg;

    for (;;) {
        ssize_t size = read(d->fd, d->buffer, READ_SIZE);

        if (size < 0 && errno == EINTR)
            continue;
        if (size <= 0) {
            if (size < 0 && errno != EAGAIN)
                places_overflow(places);
            return;
        }
        for (size_t at = 0; at + sizeof(struct inotify_event) <= (size_t)size;) {
            const struct inotify_event *event = (const void *)(d->buffer + at);

            take_event(d, event, places);
            at += sizeof *event + event->len;
        }
    }
}

static void new_dir(void *arg, const char *path, struct places *places)
{
    if (watch_tree(arg, path) != ST_OK)
        places_overflow(places);
}

static void close_directories(void *arg)
{
    struct directories *d = arg;

    if (d->fd >= 0)
        close(d->fd);
    free(d->items);
    free(d->buffer);
    free(d);
}

enum status directories_open(const struct root *root, struct source *out_source)
{
    static const struct source_ops ops = {
        .drain = drain, .new_dir = new_dir, .close = close_directories};
    struct directories *d = MEM_NEW(struct directories);
    enum status st = ST_OK;

    d->root = root;
    d->buffer = mem_new(1, READ_SIZE);
    d->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (d->fd < 0) {
        st = status_from_errno(errno);
        log_error(root_log(root), "watch: inotify_init failed root=%s: %s%s", root_path(root),
                  strerror(errno),
                  errno == EMFILE ? ": raise fs.inotify.max_user_instances" : "");
    }
    if (st == ST_OK)
        st = watch_tree(d, "");
    if (st != ST_OK) {
        close_directories(d);
        return st;
    }
    *out_source = (struct source){.ops = &ops, .arg = d, .fd = d->fd};
    return ST_OK;
}
