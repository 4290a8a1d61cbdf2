/* SPDX-License-Identifier: Apache-2.0 */
#include "common/os/loop.h"

#include "common/base/mem.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <uv.h>

/*
 * libuv's own thread pool is process-wide and sized by an environment variable, so two loops in
 * one test process would share it. A queue of our own keeps a loop self-contained and ordered.
 */
struct job {
    struct job *next;
    loop_fn work;
    loop_fn done;
    void *arg;
};

struct queue {
    struct job *head;
    struct job **tail;
};

struct loop {
    uv_loop_t uv;
    uv_async_t wake;
    uv_signal_t sigterm;
    uv_signal_t sigint;
    uv_signal_t sighup;
    loop_fn on_terminate;
    void *terminate_arg;
    loop_fn on_hangup;
    void *hangup_arg;

    pthread_mutex_t lock; /* guards all below; a leaf lock */
    pthread_cond_t work_ready;
    struct queue posted; /* to run on the loop; done is unused */
    struct queue waiting; /* for a worker */
    unsigned running;     /* jobs handed to the pool and not yet back */
    bool ending;          /* workers leave when the queue is empty */
    bool stopping;

    unsigned worker_count;
    pthread_t *workers;
};

struct loop_timer {
    uv_timer_t uv;
    loop_fn fn;
    void *arg;
};

struct loop_fd {
    uv_poll_t uv;
    loop_fn fn;
    void *arg;
};

static void queue_init(struct queue *q)
{
    q->head = NULL;
    q->tail = &q->head;
}

static void queue_push(struct queue *q, struct job *job)
{
    job->next = NULL;
    *q->tail = job;
    q->tail = &job->next;
}

static struct job *queue_pop(struct queue *q)
{
    struct job *job = q->head;

    if (job) {
        q->head = job->next;
        if (!q->head)
            q->tail = &q->head;
    }
    return job;
}

static void post_job(struct loop *loop, struct job *job)
{
    pthread_mutex_lock(&loop->lock);
    queue_push(&loop->posted, job);
    pthread_mutex_unlock(&loop->lock);
    uv_async_send(&loop->wake);
}

static void *worker_main(void *arg)
{
    struct loop *loop = arg;

    pthread_mutex_lock(&loop->lock);
    for (;;) {
        struct job *job = queue_pop(&loop->waiting);

        if (!job) {
            if (loop->ending)
                break;
            pthread_cond_wait(&loop->work_ready, &loop->lock);
            continue;
        }
        pthread_mutex_unlock(&loop->lock);
        job->work(job->arg);
        post_job(loop, job);
        pthread_mutex_lock(&loop->lock);
    }
    pthread_mutex_unlock(&loop->lock);
    return NULL;
}

static void stop_if_quiet(struct loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    bool quiet = loop->stopping && loop->running == 0 && !loop->posted.head;
    pthread_mutex_unlock(&loop->lock);
    if (quiet)
        uv_stop(&loop->uv);
}

static void on_wake(uv_async_t *handle)
{
    struct loop *loop = handle->data;
    struct queue batch;

    /* only what is queued now: a job that posts again must not starve the sockets */
    pthread_mutex_lock(&loop->lock);
    batch = loop->posted;
    if (!batch.head)
        batch.tail = &batch.head;
    queue_init(&loop->posted);
    pthread_mutex_unlock(&loop->lock);

    for (struct job *job = batch.head, *next; job; job = next) {
        next = job->next;
        if (job->done) {
            pthread_mutex_lock(&loop->lock);
            loop->running--;
            pthread_mutex_unlock(&loop->lock);
            job->done(job->arg);
        } else {
            job->work(job->arg);
        }
        free(job);
    }
    stop_if_quiet(loop);
}

struct loop *loop_new(unsigned worker_count)
{
    struct loop *loop = MEM_NEW(struct loop);
    sigset_t all;
    sigset_t before;

    assert(worker_count > 0);
    signal(SIGPIPE, SIG_IGN);
    if (uv_loop_init(&loop->uv) != 0)
        abort();
    uv_async_init(&loop->uv, &loop->wake, on_wake);
    loop->wake.data = loop;
    uv_signal_init(&loop->uv, &loop->sigterm);
    uv_signal_init(&loop->uv, &loop->sigint);
    uv_signal_init(&loop->uv, &loop->sighup);
    pthread_mutex_init(&loop->lock, NULL);
    pthread_cond_init(&loop->work_ready, NULL);
    queue_init(&loop->posted);
    queue_init(&loop->waiting);

    /* signals belong to the loop thread */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    loop->worker_count = worker_count;
    loop->workers = mem_new(worker_count, sizeof(*loop->workers));
    for (unsigned i = 0; i < worker_count; i++)
        if (pthread_create(&loop->workers[i], NULL, worker_main, loop) != 0)
            abort();
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return loop;
}

static void drop_queue(struct queue *q)
{
    for (struct job *job; (job = queue_pop(q)) != NULL;)
        free(job);
}

void loop_free(struct loop *loop)
{
    if (!loop)
        return;
    pthread_mutex_lock(&loop->lock);
    loop->ending = true;
    pthread_cond_broadcast(&loop->work_ready);
    pthread_mutex_unlock(&loop->lock);
    for (unsigned i = 0; i < loop->worker_count; i++)
        pthread_join(loop->workers[i], NULL);
    uv_close((uv_handle_t *)&loop->wake, NULL);
    uv_close((uv_handle_t *)&loop->sigterm, NULL);
    uv_close((uv_handle_t *)&loop->sigint, NULL);
    uv_close((uv_handle_t *)&loop->sighup, NULL);
    /* lets the closes and the frees of timers and watches run */
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    int busy = uv_loop_close(&loop->uv);
    assert(busy == 0 && "a timer or watch was not freed before its loop");
    (void)busy;
    drop_queue(&loop->posted);
    drop_queue(&loop->waiting);
    pthread_cond_destroy(&loop->work_ready);
    pthread_mutex_destroy(&loop->lock);
    free(loop->workers);
    free(loop);
}

void loop_run(struct loop *loop)
{
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    pthread_mutex_lock(&loop->lock);
    loop->stopping = false; /* it may be run again */
    pthread_mutex_unlock(&loop->lock);
}

void loop_stop(struct loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    loop->stopping = true;
    pthread_mutex_unlock(&loop->lock);
    uv_async_send(&loop->wake);
}

struct instant loop_now(const struct loop *loop)
{
    (void)loop;
    return instant_now();
}

void loop_post(struct loop *loop, loop_fn fn, void *arg)
{
    struct job *job = MEM_NEW(struct job);

    job->work = fn;
    job->arg = arg;
    post_job(loop, job);
}

void loop_work(struct loop *loop, loop_fn work, loop_fn done, void *arg)
{
    struct job *job = MEM_NEW(struct job);

    job->work = work;
    job->done = done;
    job->arg = arg;
    pthread_mutex_lock(&loop->lock);
    loop->running++;
    queue_push(&loop->waiting, job);
    pthread_cond_signal(&loop->work_ready);
    pthread_mutex_unlock(&loop->lock);
}

static void on_timer(uv_timer_t *handle)
{
    struct loop_timer *timer = handle->data;

    timer->fn(timer->arg);
}

struct loop_timer *loop_timer_new(struct loop *loop, loop_fn fn, void *arg)
{
    struct loop_timer *timer = MEM_NEW(struct loop_timer);

    uv_timer_init(&loop->uv, &timer->uv);
    timer->uv.data = timer;
    timer->fn = fn;
    timer->arg = arg;
    return timer;
}

void loop_timer_start(struct loop_timer *timer, int64_t delay_ms)
{
    uv_update_time(timer->uv.loop);
    uv_timer_start(&timer->uv, on_timer, delay_ms > 0 ? (uint64_t)delay_ms : 0, 0);
}

void loop_timer_stop(struct loop_timer *timer)
{
    uv_timer_stop(&timer->uv);
}

static void free_handle(uv_handle_t *handle)
{
    free(handle->data);
}

void loop_timer_free(struct loop_timer *timer)
{
    if (timer)
        uv_close((uv_handle_t *)&timer->uv, free_handle);
}

static void on_readable(uv_poll_t *handle, int status, int events)
{
    struct loop_fd *watch = handle->data;

    (void)status;
    (void)events;
    watch->fn(watch->arg);
}

struct loop_fd *loop_fd_new(struct loop *loop, int fd, loop_fn fn, void *arg)
{
    struct loop_fd *watch = MEM_NEW(struct loop_fd);

    if (uv_poll_init(&loop->uv, &watch->uv, fd) != 0)
        abort();
    watch->uv.data = watch;
    watch->fn = fn;
    watch->arg = arg;
    uv_poll_start(&watch->uv, UV_READABLE, on_readable);
    return watch;
}

void loop_fd_free(struct loop_fd *watch)
{
    if (watch) {
        uv_poll_stop(&watch->uv);
        uv_close((uv_handle_t *)&watch->uv, free_handle);
    }
}

static void on_terminate_signal(uv_signal_t *handle, int signum)
{
    struct loop *loop = handle->loop->data;

    (void)signum;
    loop->on_terminate(loop->terminate_arg);
}

void loop_on_terminate(struct loop *loop, loop_fn fn, void *arg)
{
    loop->uv.data = loop;
    loop->on_terminate = fn;
    loop->terminate_arg = arg;
    uv_signal_start(&loop->sigterm, on_terminate_signal, SIGTERM);
    uv_signal_start(&loop->sigint, on_terminate_signal, SIGINT);
}

static void on_hangup_signal(uv_signal_t *handle, int signum)
{
    struct loop *loop = handle->loop->data;

    (void)signum;
    loop->on_hangup(loop->hangup_arg);
}

void loop_on_hangup(struct loop *loop, loop_fn fn, void *arg)
{
    loop->uv.data = loop;
    loop->on_hangup = fn;
    loop->hangup_arg = arg;
    uv_signal_start(&loop->sighup, on_hangup_signal, SIGHUP);
}
