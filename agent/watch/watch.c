/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/watch/watch.h"

#include "agent/watch/dirty.h"
#include "agent/watch/volume.h"
#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/base/scope.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* A batch on its way to the loop. Outlives the watch when that is closed meanwhile. */
struct delivery {
    struct watch *watch; /* NULL: closed; loop thread only */
    struct watch_batch *batch;
};

struct watch {
    const struct root *root;
    struct loop *loop;
    watch_fn fn;
    void *arg;
    enum watch_kind kind;
    int fd;
    int wake_fd; /* ends waiting: to stop, or because a delivery has arrived */
    pthread_t reader;
    atomic_bool stop;
    atomic_bool under_way; /* a delivery is */
    _Atomic(struct delivery *) delivery;
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

static void wake(struct watch *w)
{
    uint64_t one = 1;

    (void)!write(w->wake_fd, &one, sizeof(one));
}

static void deliver(void *arg)
{
    struct delivery *delivery = arg;
    struct watch *w = delivery->watch;
    struct watch_batch *batch = delivery->batch;

    free(delivery);
    if (!w) {
        watch_batch_free(batch);
        return;
    }
    atomic_store(&w->delivery, NULL);
    atomic_store(&w->under_way, false);
    wake(w);
    w->fn(batch, w->arg);
}

static void send(struct watch *w, struct watch_batch *batch)
{
    struct delivery *delivery = MEM_NEW(struct delivery);

    delivery->watch = w;
    delivery->batch = batch;
    atomic_store(&w->under_way, true);
    atomic_store(&w->delivery, delivery);
    loop_post(w->loop, deliver, delivery);
}

static void wait_for_events(struct watch *w, int timeout_ms, bool events)
{
    struct pollfd fds[2] = {{.fd = w->wake_fd, .events = POLLIN},
                            {.fd = events ? w->fd : -1, .events = POLLIN}};
    uint64_t count;

    if (poll(fds, 2, timeout_ms) > 0 && (fds[0].revents & POLLIN))
        (void)!read(w->wake_fd, &count, sizeof(count));
}

/* The kernel's queue is short: whatever else happens, it is drained every WATCH_BATCH_MS. */
static void *reader_main(void *arg)
{
    struct watch *w = arg;
    struct dirty dirty = {0};

    while (!atomic_load(&w->stop)) {
        bool waiting = !dirty_is_empty(&dirty);

        wait_for_events(w, waiting ? WATCH_BATCH_MS : -1, !waiting);
        if (!waiting)
            wait_for_events(w, WATCH_BATCH_MS, false);
        volume_drain(w->fd, &dirty);
        if (!dirty_is_empty(&dirty) && !atomic_load(&w->under_way)) {
            struct watch_batch *batch = dirty_resolve(&dirty, w->root);

            if (batch)
                send(w, batch);
        }
    }
    dirty_clear(&dirty);
    return NULL;
}

static enum status refused(const struct root *root, const char *what)
{
    int err = errno;

    log_error(root_log(root), "cannot watch the folder root=%s (%s): %s", root_path(root), what,
              strerror(err));
    return status_from_errno(err);
}

static bool start_reader(struct watch *w)
{
    sigset_t all;
    sigset_t before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int err = pthread_create(&w->reader, NULL, reader_main, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return err == 0;
}

enum status watch_open(const struct watch_options *options, watch_fn fn, void *arg,
                       struct watch **out_watch)
{
    scope_fd int fd = volume_open(options->root);
    scope_fd int wake_fd = -1;

    if (fd < 0)
        return refused(options->root, "fanotify mark on the file system");
    wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (wake_fd < 0)
        return refused(options->root, "event descriptor");
    struct watch *w = MEM_NEW(struct watch);
    w->root = options->root;
    w->loop = options->loop;
    w->fn = fn;
    w->arg = arg;
    w->kind = WATCH_VOLUME;
    w->fd = scope_move_fd(&fd);
    w->wake_fd = scope_move_fd(&wake_fd);
    if (!start_reader(w))
        abort();
    *out_watch = w;
    return ST_OK;
}

void watch_close(struct watch *w)
{
    if (!w)
        return;
    atomic_store(&w->stop, true);
    wake(w);
    pthread_join(w->reader, NULL);
    struct delivery *delivery = atomic_load(&w->delivery);
    if (delivery)
        delivery->watch = NULL;
    close(w->fd);
    close(w->wake_fd);
    free(w);
}

enum watch_kind watch_kind(const struct watch *w)
{
    return w->kind;
}
