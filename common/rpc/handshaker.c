/* SPDX-License-Identifier: Apache-2.0 */
#include "common/rpc/handshaker.h"

#include "common/base/mem.h"

#include <assert.h>
#include <stdlib.h>

struct handshaker {
    struct rpc *rpc;
    enum rpc_lane lane;
    struct auth_handshake *handshake;
    struct rpc_job *job; /* NULL: no step is running */
    struct buf in;
    struct buf out;
    enum auth_step step;
    handshaker_fn fn;
    void *arg;
};

struct handshaker *handshaker_new(struct rpc *rpc, enum rpc_lane lane,
                                  struct auth_handshake *take_handshake, handshaker_fn fn,
                                  void *arg)
{
    struct handshaker *handshaker = MEM_NEW(struct handshaker);

    handshaker->rpc = rpc;
    handshaker->lane = lane;
    handshaker->handshake = take_handshake;
    handshaker->fn = fn;
    handshaker->arg = arg;
    return handshaker;
}

static void destroy(void *arg)
{
    struct handshaker *handshaker = arg;

    auth_handshake_free(handshaker->handshake);
    buf_fini(&handshaker->in);
    buf_fini(&handshaker->out);
    free(handshaker);
}

void handshaker_free(struct handshaker *handshaker)
{
    if (!handshaker)
        return;
    if (handshaker->job)
        rpc_job_cancel(handshaker->job); /* destroys when the worker has let go of it */
    else
        destroy(handshaker);
}

static void step_work(void *arg)
{
    struct handshaker *handshaker = arg;

    handshaker->step =
        auth_handshake_step(handshaker->handshake, buf_span(&handshaker->in), &handshaker->out);
}

static void step_done(void *arg)
{
    struct handshaker *handshaker = arg;
    struct buf out = handshaker->out;

    /* the callback may free the handshaker */
    handshaker->job = NULL;
    handshaker->out = (struct buf){0};
    handshaker->fn(handshaker->step, buf_span(&out), handshaker->arg);
    buf_fini(&out);
}

void handshaker_feed(struct handshaker *handshaker, struct span in)
{
    assert(!handshaker->job);
    buf_clear(&handshaker->in);
    buf_append(&handshaker->in, in.data, in.size);
    handshaker->job =
        rpc_job_start(handshaker->rpc, handshaker->lane, step_work, step_done, destroy, handshaker);
}

bool handshaker_is_busy(const struct handshaker *handshaker)
{
    return handshaker->job != NULL;
}

const struct auth_handshake *handshaker_result(const struct handshaker *handshaker)
{
    return handshaker->handshake;
}
