/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/ad/watch.h: the directory's content now, and again whenever it may have changed.
 *
 * A thread of its own connects, reads, and waits for the server's notification (trigger.h), the
 * poll interval, or ad_watch_refresh(); then it reads everything again. Each complete read comes
 * to the loop thread; a failed one never does, so what was read last stays good. After a failure
 * it connects anew, with growing delays up to AD_RETRY_DELAY_MS_MAX, for ever.
 *
 * Threads: every function on the loop thread; callbacks on the loop thread.
 */
#ifndef COMMON_AD_WATCH_H
#define COMMON_AD_WATCH_H

#include "common/ad/connection.h"
#include "common/os/loop.h"

struct ad_watch;

struct ad_watch_options {
    struct loop *loop;
    /* The strings are copied. The credentials belong to the watch until it has stopped: no one
     * else may use them meanwhile. */
    struct ad_options directory;
    const struct ad_query *queries; /* outlives the watch */
    size_t query_count;             /* at least 1 */
    int64_t poll_interval_ms;       /* 0: AD_POLL_INTERVAL_MS_DEFAULT */
};

/* One complete read. The strings are borrowed for the call. */
struct ad_watch_news {
    struct ad_entries
        *entries;     /* the callback may move them out: *entries = (struct ad_entries){0} */
    const char *uri;  /* the server that was read */
    const char *base; /* its base DN */
    const char *notification; /* "sync", "notification" or "polling" */
};

struct ad_watch_callbacks {
    /* A complete read, changed or not. Ends whatever on_problem() said before. */
    void (*on_read)(const struct ad_watch_news *news, void *arg);
    /* The directory cannot be read now; the cause and the remedy. Called when that begins and when
     * the cause changes. It has been logged already. */
    void (*on_problem)(const char *problem, void *arg);
};

struct ad_watch *ad_watch_start(const struct ad_watch_options *options,
                                const struct ad_watch_callbacks *callbacks, void *arg);

/* Read now; also cuts a retry delay short. */
void ad_watch_refresh(struct ad_watch *watch);

/* No callback comes afterwards. Waits for a request that is under way, at most its time-out.
 * NULL allowed. */
void ad_watch_stop(struct ad_watch *watch);

#endif
