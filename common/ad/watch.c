/* SPDX-License-Identifier: Apache-2.0 */
#include "common/ad/watch.h"

#include "common/ad/trigger.h"
#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/base/scope.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

/*
 * Two pipes join the thread with the loop, so that neither shares state with the other: orders go
 * down as single bytes, results come up as pointers to messages that change hands.
 */
enum order { ORDER_REFRESH = 'r', ORDER_STOP = 's' };

struct message {
    char *problem; /* NULL: a complete read */
    struct ad_entries entries;
    char *uri;
    char *base;
    const char *notification;
};

struct ad_watch {
    /* the loop's */
    struct loop *loop;
    struct loop_fd *news;
    struct ad_watch_callbacks callbacks;
    void *arg;
    pthread_t thread;
    int news_read;
    int orders_write;

    /* set before the thread starts, only read afterwards */
    struct ad_options directory;
    char *uris;
    char *base_dn;
    const struct ad_query *queries;
    size_t query_count;
    int64_t poll_interval_ms;

    /* the thread's */
    int news_write;
    int orders_read;
    struct ad_connection *connection; /* NULL while not connected */
    struct ad_trigger trigger;
    int64_t retry_delay_ms;
    char *problem; /* as reported last; NULL when the last read was complete */
    bool stopping;
};

static void message_free(struct message *m)
{
    ad_entries_fini(&m->entries);
    free(m->problem);
    free(m->uri);
    free(m->base);
    free(m);
}

/* --- the thread --- */

/* A loop that has not listened for thousands of messages loses this one; the next poll repeats it.
 */
static void send_up(struct ad_watch *w, struct message *m)
{
    if (write(w->news_write, &m, sizeof(m)) != (ssize_t)sizeof(m))
        message_free(m);
}

static void disconnect(struct ad_watch *w)
{
    ad_connection_close(w->connection);
    w->connection = NULL;
    w->trigger = (struct ad_trigger){0};
}

static void report_problem(struct ad_watch *w, const char *problem)
{
    if (w->problem && strcmp(w->problem, problem) == 0)
        return;
    free(w->problem);
    w->problem = mem_copy_string(problem);
    log_warn(w->directory.log, "the directory cannot be read, will retry: %s", problem);
    struct message *m = MEM_NEW(struct message);
    m->problem = mem_copy_string(problem);
    send_up(w, m);
}

static void report_read(struct ad_watch *w, struct ad_entries *entries)
{
    if (w->problem)
        log_info(w->directory.log, "the directory can be read again server=%s",
                 ad_connection_uri(w->connection));
    free(w->problem);
    w->problem = NULL;
    w->retry_delay_ms = AD_RETRY_DELAY_MS_MIN;
    struct message *m = MEM_NEW(struct message);
    m->entries = *entries;
    *entries = (struct ad_entries){0};
    m->uri = mem_copy_string(ad_connection_uri(w->connection));
    m->base = mem_copy_string(ad_connection_base(w->connection));
    m->notification = ad_trigger_name(&w->trigger);
    send_up(w, m);
}

static bool connected(struct ad_watch *w)
{
    scope_free char *problem = NULL;

    if (w->connection)
        return true;
    if (ad_connect(&w->directory, &w->connection, &problem) != ST_OK) {
        w->connection = NULL;
        report_problem(w, problem);
        return false;
    }
    enum ad_trigger_event event =
        ad_trigger_start(&w->trigger, w->connection, w->queries, w->query_count);
    if (event == AD_TRIGGER_LOST) {
        problem = mem_format("%s: the server did not answer; check that it runs",
                             ad_connection_uri(w->connection));
        report_problem(w, problem);
        disconnect(w);
        return false;
    }
    log_info(w->directory.log, "connected to the directory server=%s base=%s changes=%s",
             ad_connection_uri(w->connection), ad_connection_base(w->connection),
             ad_trigger_name(&w->trigger));
    return true;
}

static bool read_all(struct ad_watch *w)
{
    struct ad_entries entries = {0};
    scope_free char *problem = NULL;
    enum status st = ad_read(w->connection, w->queries, w->query_count, &entries, &problem);

    if (st == ST_OK) {
        report_read(w, &entries);
    } else {
        report_problem(w, problem);
        disconnect(w);
    }
    ad_entries_fini(&entries);
    return st == ST_OK;
}

/* True when an order came in: then the wait is over. */
static bool take_orders(struct ad_watch *w)
{
    char orders[64];
    ssize_t size = read(w->orders_read, orders, sizeof(orders));

    for (ssize_t i = 0; i < size; i++) {
        if (orders[i] == ORDER_STOP)
            w->stopping = true;
    }
    return size > 0;
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Ends after @wait_ms at the latest; sooner on an order, or when changes have come in and settled.
 */
static void wait_for_reason(struct ad_watch *w, int64_t wait_ms)
{
    struct instant start = instant_now();
    int64_t due_ms = wait_ms;
    int64_t fired_ms = -1; /* since @start */

    while (!take_orders(w)) {
        int64_t now_ms = instant_ms_since(start, instant_now());

        switch (ad_trigger_check(&w->trigger)) {
        case AD_TRIGGER_QUIET:
            break;
        case AD_TRIGGER_FIRED:
            if (fired_ms < 0)
                fired_ms = now_ms;
            due_ms = smaller(
                due_ms, smaller(now_ms + AD_SETTLE_DELAY_MS, fired_ms + AD_SETTLE_DELAY_MS_MAX));
            break;
        case AD_TRIGGER_ENDED:
            log_info(w->directory.log, "the server ended its change notification, polling remains");
            break;
        case AD_TRIGGER_LOST:
            disconnect(w);
            return;
        }
        if (now_ms >= due_ms)
            return;
        struct pollfd fds[] = {{.fd = w->orders_read, .events = POLLIN},
                               {.fd = ad_trigger_fd(&w->trigger), .events = POLLIN}};
        (void)poll(fds, 2, (int)(due_ms - now_ms));
    }
}

static void *watch_main(void *arg)
{
    struct ad_watch *w = arg;

    while (!w->stopping) {
        if (connected(w) && read_all(w)) {
            wait_for_reason(w, w->poll_interval_ms);
        } else {
            wait_for_reason(w, w->retry_delay_ms);
            w->retry_delay_ms = smaller(w->retry_delay_ms * 2, AD_RETRY_DELAY_MS_MAX);
        }
    }
    disconnect(w);
    return NULL;
}

/* --- the loop --- */

static struct message *next_message(struct ad_watch *w)
{
    struct message *m;

    return read(w->news_read, &m, sizeof(m)) == (ssize_t)sizeof(m) ? m : NULL;
}

static void on_news(void *arg)
{
    struct ad_watch *w = arg;
    struct message *m = next_message(w);

    if (!m)
        return;
    /* the callback may stop the watch: do not touch it afterwards */
    if (m->problem) {
        w->callbacks.on_problem(m->problem, w->arg);
    } else {
        struct ad_watch_news news = {.entries = &m->entries,
                                     .uri = m->uri,
                                     .base = m->base,
                                     .notification = m->notification};
        w->callbacks.on_read(&news, w->arg);
    }
    message_free(m);
}

static void open_pipe(int *out_read, int *out_write)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
        abort(); /* only when descriptors have run out */
    *out_read = ends[0];
    *out_write = ends[1];
}

/* Signals belong to the loop thread. */
static void start_thread(struct ad_watch *w)
{
    sigset_t all;
    sigset_t before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&w->thread, NULL, watch_main, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error != 0)
        abort();
}

struct ad_watch *ad_watch_start(const struct ad_watch_options *options,
                                const struct ad_watch_callbacks *callbacks, void *arg)
{
    struct ad_watch *w = MEM_NEW(struct ad_watch);

    assert(options->query_count > 0);
    w->loop = options->loop;
    w->callbacks = *callbacks;
    w->arg = arg;
    w->uris = mem_copy_string(options->directory.uris);
    w->base_dn = mem_copy_string(options->directory.base_dn);
    w->directory = options->directory;
    w->directory.uris = w->uris;
    w->directory.base_dn = w->base_dn;
    w->queries = options->queries;
    w->query_count = options->query_count;
    w->poll_interval_ms =
        options->poll_interval_ms ? options->poll_interval_ms : AD_POLL_INTERVAL_MS_DEFAULT;
    w->retry_delay_ms = AD_RETRY_DELAY_MS_MIN;
    open_pipe(&w->news_read, &w->news_write);
    open_pipe(&w->orders_read, &w->orders_write);
    w->news = loop_fd_new(w->loop, w->news_read, on_news, w);
    start_thread(w);
    return w;
}

/* A full pipe holds the same order already. */
static void send_order(struct ad_watch *w, enum order order)
{
    char byte = (char)order;

    (void)!write(w->orders_write, &byte, 1);
}

void ad_watch_refresh(struct ad_watch *watch)
{
    send_order(watch, ORDER_REFRESH);
}

void ad_watch_stop(struct ad_watch *watch)
{
    if (!watch)
        return;
    send_order(watch, ORDER_STOP);
    pthread_join(watch->thread, NULL);
    loop_fd_free(watch->news);
    for (struct message *m; (m = next_message(watch));)
        message_free(m);
    close(watch->news_read);
    close(watch->news_write);
    close(watch->orders_read);
    close(watch->orders_write);
    free(watch->problem);
    free(watch->uris);
    free(watch->base_dn);
    free(watch);
}
