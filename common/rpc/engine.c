/* SPDX-License-Identifier: Apache-2.0 */
#include "common/rpc/engine.h"

#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/rpc/grpc_log.h"

#include <assert.h>
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <unistd.h>

struct rpc_job {
    STAILQ_ENTRY(rpc_job) link;
    struct rpc *rpc;
    enum rpc_lane lane;
    loop_fn work;
    loop_fn done;
    loop_fn drop;
    void *arg;
    bool running;
    bool cancelled;
};

struct lane {
    unsigned running;
    STAILQ_HEAD(, rpc_job) waiting;
};

static const unsigned lane_width[RPC_LANE_COUNT] = {
    [RPC_LANE_RESOLVE] = 2,
    [RPC_LANE_INITIATE] = 2,
    [RPC_LANE_ACCEPT] = 1,
};

struct rpc {
    struct loop *loop;
    struct log_ctx log;
    grpc_completion_queue *queue;
    grpc_resource_quota *quota;
    pthread_t poller;
    int wake_fd;
    struct loop_fd *wake;
    struct lane lanes[RPC_LANE_COUNT];
    unsigned jobs_running;
    bool freed; /* the last running job's return frees the memory */

    pthread_mutex_t lock; /* guards the list; a leaf lock */
    struct rpc_op *completed;
    struct rpc_op **completed_tail;
};

void *rpc_op_tag(struct rpc_op *op)
{
    atomic_fetch_add_explicit(&op->handed_over, 1, memory_order_release);
    return op;
}

/* --- completions --- */

static void push_completed(struct rpc *rpc, struct rpc_op *op)
{
    uint64_t one = 1;

    op->next = NULL;
    pthread_mutex_lock(&rpc->lock);
    bool was_empty = rpc->completed == NULL;
    *rpc->completed_tail = op;
    rpc->completed_tail = &op->next;
    pthread_mutex_unlock(&rpc->lock);
    if (was_empty && write(rpc->wake_fd, &one, sizeof(one)) != (ssize_t)sizeof(one))
        abort();
}

void rpc_defer(struct rpc *rpc, struct rpc_op *op)
{
    op->ok = true;
    push_completed(rpc, op);
}

static void *poller_main(void *arg)
{
    struct rpc *rpc = arg;

    for (;;) {
        grpc_event event =
            grpc_completion_queue_next(rpc->queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
        if (event.type == GRPC_QUEUE_SHUTDOWN)
            return NULL;
        struct rpc_op *op = event.tag;
        (void)atomic_load_explicit(&op->handed_over, memory_order_acquire);
        op->ok = event.success != 0;
        push_completed(rpc, op);
    }
}

static void run_completed(struct rpc *rpc)
{
    pthread_mutex_lock(&rpc->lock);
    struct rpc_op *op = rpc->completed;
    rpc->completed = NULL;
    rpc->completed_tail = &rpc->completed;
    pthread_mutex_unlock(&rpc->lock);

    while (op) {
        struct rpc_op *next = op->next;
        op->fn(op, op->ok);
        op = next;
    }
}

static void on_wake(void *arg)
{
    struct rpc *rpc = arg;
    uint64_t count;

    if (read(rpc->wake_fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
        abort();
    run_completed(rpc);
}

/* --- lanes --- */

static void lane_advance(struct rpc *rpc, enum rpc_lane lane);

static void work_on_job(void *arg)
{
    struct rpc_job *job = arg;

    job->work(job->arg);
}

static void rpc_release(struct rpc *rpc)
{
    pthread_mutex_destroy(&rpc->lock);
    free(rpc);
}

static void finish_job(void *arg)
{
    struct rpc_job *job = arg;
    struct rpc *rpc = job->rpc;
    enum rpc_lane lane = job->lane;
    loop_fn then = job->cancelled ? job->drop : job->done;
    void *then_arg = job->arg;

    free(job);
    then(then_arg);
    rpc->lanes[lane].running--;
    rpc->jobs_running--;
    if (!rpc->freed)
        lane_advance(rpc, lane);
    else if (rpc->jobs_running == 0)
        rpc_release(rpc);
}

static void lane_advance(struct rpc *rpc, enum rpc_lane lane)
{
    struct lane *l = &rpc->lanes[lane];

    while (l->running < lane_width[lane] && !STAILQ_EMPTY(&l->waiting)) {
        struct rpc_job *job = STAILQ_FIRST(&l->waiting);
        STAILQ_REMOVE_HEAD(&l->waiting, link);
        job->running = true;
        l->running++;
        rpc->jobs_running++;
        loop_work(rpc->loop, work_on_job, finish_job, job);
    }
}

struct rpc_job *rpc_job_start(struct rpc *rpc, enum rpc_lane lane, loop_fn work, loop_fn done,
                              loop_fn drop, void *arg)
{
    struct rpc_job *job = MEM_NEW(struct rpc_job);

    job->rpc = rpc;
    job->lane = lane;
    job->work = work;
    job->done = done;
    job->drop = drop;
    job->arg = arg;
    STAILQ_INSERT_TAIL(&rpc->lanes[lane].waiting, job, link);
    lane_advance(rpc, lane);
    return job;
}

void rpc_job_cancel(struct rpc_job *job)
{
    if (job->running) {
        job->cancelled = true;
        return;
    }
    STAILQ_REMOVE(&job->rpc->lanes[job->lane].waiting, job, rpc_job, link);
    job->drop(job->arg);
    free(job);
}

/* --- life --- */

static void start_poller(struct rpc *rpc)
{
    sigset_t all;
    sigset_t before;

    /* signals belong to the loop thread; gRPC's own threads inherit the mask as well */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    grpc_init();
    rpc->queue = grpc_completion_queue_create_for_next(NULL);
    if (pthread_create(&rpc->poller, NULL, poller_main, rpc) != 0)
        abort();
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

struct rpc *rpc_new(struct loop *loop, const struct log_ctx *log)
{
    struct rpc *rpc = MEM_NEW(struct rpc);

    /* gRPC reads into large blocks that live for moments: with the default thresholds each costs
     * a system call and its page faults */
    mallopt(M_MMAP_THRESHOLD, 64 << 20);
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
    grpc_log_route();
    rpc->loop = loop;
    log_ctx_init(&rpc->log, log, "%s", "");
    rpc->completed_tail = &rpc->completed;
    pthread_mutex_init(&rpc->lock, NULL);
    for (enum rpc_lane lane = 0; lane < RPC_LANE_COUNT; lane++)
        STAILQ_INIT(&rpc->lanes[lane].waiting);
    rpc->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (rpc->wake_fd < 0)
        abort();
    rpc->wake = loop_fd_new(loop, rpc->wake_fd, on_wake, rpc);
    start_poller(rpc);
    rpc->quota = grpc_resource_quota_create("coterie");
    grpc_resource_quota_resize(rpc->quota, RPC_MEMORY_BYTES_MAX);
    return rpc;
}

void rpc_free(struct rpc *rpc)
{
    if (!rpc)
        return;
    for (enum rpc_lane lane = 0; lane < RPC_LANE_COUNT; lane++)
        assert(STAILQ_EMPTY(&rpc->lanes[lane].waiting) && "close channels and servers first");
    /* the queue ends when all that was started has completed: calls were cancelled before */
    grpc_completion_queue_shutdown(rpc->queue);
    pthread_join(rpc->poller, NULL);
    while (rpc->completed)
        run_completed(rpc);
    grpc_completion_queue_destroy(rpc->queue);
    grpc_resource_quota_unref(rpc->quota);
    grpc_shutdown();
    loop_fd_free(rpc->wake);
    close(rpc->wake_fd);
    rpc->freed = true;
    if (rpc->jobs_running == 0)
        rpc_release(rpc);
}

struct loop *rpc_loop(const struct rpc *rpc)
{
    return rpc->loop;
}

const struct log_ctx *rpc_log(const struct rpc *rpc)
{
    return &rpc->log;
}

grpc_completion_queue *rpc_queue(const struct rpc *rpc)
{
    return rpc->queue;
}

grpc_resource_quota *rpc_quota(const struct rpc *rpc)
{
    return rpc->quota;
}
