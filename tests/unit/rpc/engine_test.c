/* SPDX-License-Identifier: Apache-2.0 */
#include "common/rpc/engine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdatomic.h>

struct tally {
    struct loop *loop;
    struct rpc *rpc;
    atomic_int running;
    atomic_int running_max;
    atomic_int worked;
    int done;
    int dropped;
    int expected;
    struct rpc_op op;
    struct rpc_job *other;
};

static void work(void *arg)
{
    struct tally *t = arg;
    int running = atomic_fetch_add(&t->running, 1) + 1;

    if (running > atomic_load(&t->running_max))
        atomic_store(&t->running_max, running);
    atomic_fetch_add(&t->worked, 1);
    atomic_fetch_sub(&t->running, 1);
}

static void count(struct tally *t)
{
    if (t->done + t->dropped == t->expected)
        loop_stop(t->loop);
}

static void done(void *arg)
{
    struct tally *t = arg;

    t->done++;
    count(t);
}

static void drop(void *arg)
{
    struct tally *t = arg;

    t->dropped++;
    count(t);
}

static void begin(struct tally *t, int expected)
{
    *t = (struct tally){.loop = loop_new(4), .expected = expected};
    t->rpc = rpc_new(t->loop, NULL);
}

static void end(struct tally *t)
{
    rpc_free(t->rpc);
    loop_free(t->loop);
}

static void strangers_hold_one_worker_at_a_time(void **state)
{
    struct tally t;
    (void)state;

    begin(&t, 200);
    for (int i = 0; i < 200; i++)
        rpc_job_start(t.rpc, RPC_LANE_ACCEPT, work, done, drop, &t);
    loop_run(t.loop);

    assert_int_equal(t.done, 200);
    assert_int_equal(t.running_max, 1);
    end(&t);
}

static void a_cancelled_job_is_dropped_once_and_never_done(void **state)
{
    struct tally t;
    struct rpc_job *jobs[20];
    (void)state;

    begin(&t, 20);
    for (int i = 0; i < 20; i++)
        jobs[i] = rpc_job_start(t.rpc, RPC_LANE_RESOLVE, work, done, drop, &t);
    for (int i = 0; i < 20; i += 2)
        rpc_job_cancel(jobs[i]);
    loop_run(t.loop);

    assert_int_equal(t.done, 10);
    assert_int_equal(t.dropped, 10);
    end(&t);
}

static void cancel_other(void *arg)
{
    struct tally *t = arg;

    t->done++;
    if (t->other)
        rpc_job_cancel(t->other);
    t->other = NULL;
    count(t);
}

static void a_job_may_cancel_the_next(void **state)
{
    struct tally t;
    (void)state;

    begin(&t, 2);
    rpc_job_start(t.rpc, RPC_LANE_ACCEPT, work, cancel_other, drop, &t);
    t.other = rpc_job_start(t.rpc, RPC_LANE_ACCEPT, work, done, drop, &t);
    loop_run(t.loop);

    assert_int_equal(t.worked, 1);
    assert_int_equal(t.dropped, 1);
    end(&t);
}

static void on_op(struct rpc_op *op, bool ok)
{
    struct tally *t = RPC_OWNER(op, struct tally, op);

    assert_true(ok);
    done(t);
}

static void a_deferred_op_runs_later_on_the_loop(void **state)
{
    struct tally t;
    (void)state;

    begin(&t, 1);
    t.op.fn = on_op;
    rpc_defer(t.rpc, &t.op);
    assert_int_equal(t.done, 0);
    loop_run(t.loop);

    assert_int_equal(t.done, 1);
    end(&t);
}

static void freeing_runs_what_is_still_deferred(void **state)
{
    struct tally t;
    (void)state;

    begin(&t, 1);
    t.op.fn = on_op;
    rpc_defer(t.rpc, &t.op);
    end(&t);

    assert_int_equal(t.done, 1);
}

static void free_rpc(void *arg)
{
    struct tally *t = arg;

    rpc_free(t->rpc);
    t->rpc = NULL;
}

static void a_job_may_outlive_the_rpc(void **state)
{
    struct tally t;
    (void)state;

    begin(&t, 1);
    struct rpc_job *job = rpc_job_start(t.rpc, RPC_LANE_RESOLVE, work, done, drop, &t);
    rpc_job_cancel(job);
    loop_post(t.loop, free_rpc, &t);
    loop_run(t.loop);

    assert_int_equal(t.dropped, 1);
    end(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strangers_hold_one_worker_at_a_time),
        cmocka_unit_test(a_cancelled_job_is_dropped_once_and_never_done),
        cmocka_unit_test(a_job_may_cancel_the_next),
        cmocka_unit_test(a_deferred_op_runs_later_on_the_loop),
        cmocka_unit_test(freeing_runs_what_is_still_deferred),
        cmocka_unit_test(a_job_may_outlive_the_rpc),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
