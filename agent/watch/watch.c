/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reader thread. It waits for the source, lets events gather for WATCH_BATCH_MS, drains them into
 * the set, and when the loop has taken the last batch, resolves the set and posts it.
 *
 * Shared with the loop thread: `delivery` (the loop's from the post until it clears it) and `stop`.
 * Both are atomics; `wake` tells the reader that one of them has changed.
 */
#include "agent/watch/watch.h"

#include "agent/root/beneath.h"
#include "agent/watch/source.h"
#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/base/scope.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* One batch on its way to the loop. It outlives a watch that is closed meanwhile. */
struct delivery {
    struct watch *watch; /* NULL: closed; the loop thread's alone once posted */
    struct watch_batch *batch;
};

struct watch {
    const struct root *root;
    struct loop *loop;
    watch_fn fn;
    void *arg;
    enum watch_kind kind;
    struct source source;
    struct places places; /* the reader's */
    pthread_t reader;
    int wake_fd;
    atomic_bool stop;
    _Atomic(struct delivery *) delivery; /* NULL: the loop has taken the last one */
};

void watch_batch_free(struct watch_batch *batch)
{
    if (!batch)
        return;
    for (size_t i = 0; i < batch->place_count; i++) {
        free(batch->places[i].dir_path);
        free(batch->places[i].name);
    }
    free(batch->places);
    free(batch);
}

/* --- private directories --- */

void private_objects_fill(const struct root *root, struct private_objects *out)
{
    for (int i = 0; i < PRIVATE_DIR_COUNT; i++) {
        struct standing standing = {0};

        if (beneath_look_fd(root_private_fd(root, (enum private_dir)i), &standing) < 0)
            standing.object = (struct object){0};
        out->objects[i] = standing.object;
    }
}

bool private_objects_contain(const struct private_objects *p, const struct object *object)
{
    for (size_t i = 0; i < PRIVATE_DIR_COUNT; i++)
        if (object_equal(&p->objects[i], object))
            return true;
    return false;
}

/* --- resolving --- */

/* Where the directory of a group of items stands; false when it is none of ours. */
static bool resolve_dir(struct watch *watch, const struct object *dir, char **out_path)
{
    switch (root_locate(watch->root, dir, out_path)) {
    case ROOT_LOCATED_INSIDE:
        return true;
    case ROOT_LOCATED_PRIVATE:
    case ROOT_LOCATED_IN_PARKED:
    case ROOT_LOCATED_DISCARDED:
    case ROOT_LOCATED_OUTSIDE:
    case ROOT_LOCATED_GONE: /* its parent's event tells */
        return false;
    case ROOT_LOCATED_NAMELESS:
    case ROOT_LOCATED_UNKNOWN:
        break;
    }
    places_overflow(&watch->places);
    return false;
}

static void add_place(struct watch_batch *batch, const struct object *dir, const char *dir_path,
                      const char *name)
{
    struct watch_place *place = &batch->places[batch->place_count];

    if (*dir_path == '\0' && strcmp(name, PRIVATE_DIR_NAME) == 0)
        return;
    place->dir = *dir;
    place->dir_path = mem_copy_string(dir_path);
    place->name = mem_copy_string(name);
    batch->place_count++;
}

/* An event that told only the object: its directory and name are those of where it stands. */
static void add_self(struct watch *watch, struct watch_batch *batch, char *path)
{
    scope_free char *dir_path = beneath_above(path);
    scope_fd int fd = beneath_open(root_fd(watch->root), dir_path, O_PATH | O_DIRECTORY);
    struct standing standing;

    if (fd < 0 || beneath_look_fd(fd, &standing) < 0)
        return; /* it has moved on: another event tells */
    add_place(batch, &standing.object, dir_path, beneath_name(path));
}

static void tell_new_dir(struct watch *watch, const char *dir_path, const char *name)
{
    scope_free char *path = mem_format("%s%s%s", dir_path, *dir_path ? "/" : "", name);

    watch->source.ops->new_dir(watch->source.arg, path, &watch->places);
}

/* Turn the set into a batch; NULL when nothing in it is ours. */
static struct watch_batch *resolve(struct watch *watch)
{
    struct places *places = &watch->places;
    struct watch_batch *batch = MEM_NEW(struct watch_batch);
    scope_free char *path = NULL;
    const struct object *resolved = NULL;
    bool inside = false;

    batch->places = mem_new(places->count + 1, sizeof *batch->places);
    places_group(places);
    for (size_t i = 0; i < places->count && !places->rescan; i++) {
        const struct place_item *item = &places->items[i];

        if (!resolved || !object_equal(resolved, &item->object)) {
            free(path);
            path = NULL;
            inside = resolve_dir(watch, &item->object, &path);
            resolved = &item->object;
            if (places->rescan)
                break; /* the items are gone */
        }
        if (!inside)
            continue;
        if (item->is_self && *path)
            add_self(watch, batch, path);
        else
            add_place(batch, &item->object, path, item->name);
        if (item->is_new_dir)
            tell_new_dir(watch, path, item->name);
    }
    batch->rescan = places->rescan;
    places_clear(places);
    if (batch->place_count > 0 || batch->rescan)
        return batch;
    watch_batch_free(batch);
    return NULL;
}

/* --- the way to the loop --- */

static void wake_reader(struct watch *watch)
{
    uint64_t one = 1;
    ssize_t size = write(watch->wake_fd, &one, sizeof one);

    /* A full counter wakes as well. */
    (void)size;
}

static void deliver(void *arg)
{
    struct delivery *delivery = arg;
    struct watch *watch = delivery->watch;
    struct watch_batch *batch = delivery->batch;

    free(delivery);
    if (!watch) {
        watch_batch_free(batch);
        return;
    }
    atomic_store(&watch->delivery, NULL);
    wake_reader(watch);
    watch->fn(batch, watch->arg);
}

static void post(struct watch *watch, struct watch_batch *batch)
{
    struct delivery *delivery = MEM_NEW(struct delivery);

    *delivery = (struct delivery){.watch = watch, .batch = batch};
    atomic_store(&watch->delivery, delivery);
    loop_post(watch->loop, deliver, delivery);
}

/* --- the reader --- */

static bool stopping(const struct watch *watch)
{
    return atomic_load(&watch->stop);
}

/* Until events wait or the loop thread calls; false when events do not. */
static bool wait_for_events(struct watch *watch)
{
    struct pollfd fds[] = {{.fd = watch->wake_fd, .events = POLLIN},
                           {.fd = watch->source.fd, .events = POLLIN}};
    uint64_t count;

    if (poll(fds, 2, -1) < 0)
        return false;
    if (fds[0].revents && read(watch->wake_fd, &count, sizeof count) < 0 && errno != EAGAIN)
        places_overflow(&watch->places);
    return fds[1].revents != 0;
}

/* Let more events come: each batch costs a wake-up here and one on the loop. */
static void gather(struct watch *watch)
{
    struct pollfd none = {.fd = -1};

    if (!stopping(watch))
        (void)poll(&none, 1, WATCH_BATCH_MS);
}

static void *reader_main(void *arg)
{
    struct watch *watch = arg;

    while (!stopping(watch)) {
        if (wait_for_events(watch)) {
            gather(watch);
            watch->source.ops->drain(watch->source.arg, &watch->places);
        }
        if (!stopping(watch) && !places_is_empty(&watch->places) &&
            !atomic_load(&watch->delivery)) {
            struct watch_batch *batch = resolve(watch);

            if (batch)
                post(watch, batch);
        }
    }
    return NULL;
}

/* --- life --- */

/* Signals are the loop thread's. */
static int start_reader(struct watch *watch)
{
    sigset_t all;
    sigset_t before;
    int err;

    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    err = pthread_create(&watch->reader, NULL, reader_main, watch);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return err;
}

static void dispose(struct watch *watch)
{
    if (watch->source.ops)
        watch->source.ops->close(watch->source.arg);
    scope_close_fd(&watch->wake_fd);
    places_fini(&watch->places);
    free(watch);
}

static enum status open_source(struct watch *watch, bool directories_only)
{
    enum status st = directories_only ? ST_REFUSED : volume_open(watch->root, &watch->source);

    if (st != ST_REFUSED)
        return st;
    watch->kind = WATCH_DIRECTORIES;
    return directories_open(watch->root, &watch->source);
}

enum status watch_open(const struct watch_options *options, watch_fn fn, void *arg,
                       struct watch **out_watch)
{
    struct watch *watch = MEM_NEW(struct watch);
    enum status st;

    *watch = (struct watch){
        .root = options->root, .loop = options->loop, .fn = fn, .arg = arg, .kind = WATCH_VOLUME};
    watch->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    st = watch->wake_fd < 0 ? status_from_errno(errno)
                            : open_source(watch, options->directories_only);
    if (st == ST_OK && start_reader(watch) != 0)
        st = ST_FULL;
    if (st != ST_OK) {
        log_error(root_log(options->root), "watch: not watching root=%s: %s",
                  root_path(options->root), status_name(st));
        dispose(watch);
        return st;
    }
    log_info(root_log(options->root), "watching root=%s by=%s", root_path(options->root),
             watch->kind == WATCH_VOLUME ? "file-system" : "directories");
    *out_watch = watch;
    return ST_OK;
}

void watch_close(struct watch *watch)
{
    struct delivery *delivery;

    if (!watch)
        return;
    atomic_store(&watch->stop, true);
    wake_reader(watch);
    pthread_join(watch->reader, NULL);
    /* What is posted and has not run yet will find itself without a watch. */
    delivery = atomic_load(&watch->delivery);
    if (delivery)
        delivery->watch = NULL;
    dispose(watch);
}

enum watch_kind watch_kind(const struct watch *watch)
{
    return watch->kind;
}
