/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/os/loop.h: the loop thread, timers, wake-ups from other threads, and a pool of workers.
 *
 * One loop thread owns all of a program's state. Other threads hand it values with loop_post();
 * blocking file work and hashing run on the pool through loop_work(), on values handed over, and
 * come back as an event on the loop. Built on libuv, which no other folder includes.
 *
 * Threads: loop_post() from any thread; everything else on the loop thread only.
 * Order: stop and close every watch and timer before loop_free().
 */
#ifndef COMMON_OS_LOOP_H
#define COMMON_OS_LOOP_H

#include "common/base/instant.h"
#include "common/base/status.h"

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct loop_timer;
struct loop_fd;

typedef void (*loop_fn)(void *arg);

/* @worker_count threads serve loop_work(); at least 1. */
struct loop *loop_new(unsigned worker_count);
void loop_free(struct loop *loop);

/* Runs until loop_stop(); then returns when running work has come back. May be called again. */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop); /* any thread */

/* Time of the current loop iteration, monotonic. */
struct instant loop_now(const struct loop *loop);

/* Run @fn(@arg) on the loop thread, soon, in the order of the posts of one thread. Any thread.
 * Posts still queued at loop_free() are dropped: whoever posts ends first. */
void loop_post(struct loop *loop, loop_fn fn, void *arg);

/* One-shot timers; starting a running one moves it. The callback may start it again or free it. */
struct loop_timer *loop_timer_new(struct loop *loop, loop_fn fn, void *arg);
void loop_timer_start(struct loop_timer *timer, int64_t delay_ms);
void loop_timer_stop(struct loop_timer *timer);
void loop_timer_free(struct loop_timer *timer); /* NULL allowed */

/* Call @fn whenever @fd is readable. The descriptor stays the caller's. */
struct loop_fd *loop_fd_new(struct loop *loop, int fd, loop_fn fn, void *arg);
void loop_fd_free(struct loop_fd *watch); /* NULL allowed */

/* Run @work(@arg) on a worker, then @done(@arg) on the loop. @done comes exactly once, and never
 * before this call returns. The pool runs jobs in order of submission. */
void loop_work(struct loop *loop, loop_fn work, loop_fn done, void *arg);

/* SIGTERM and SIGINT call @fn on the loop thread; SIGPIPE is ignored. */
void loop_on_terminate(struct loop *loop, loop_fn fn, void *arg);
/* SIGHUP calls @fn on the loop thread. */
void loop_on_hangup(struct loop *loop, loop_fn fn, void *arg);

#endif
