/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/rpc/engine.h: gRPC's completion queue on the loop thread, and the lanes for blocking work.
 *
 * An *op* is the tag of one batch handed to gRPC. One poller thread takes completions off the
 * queue, links them into a list and wakes the loop by an event descriptor; op->fn runs on the loop
 * thread. Everything else in common/rpc runs there too.
 *
 * A *lane* runs blocking jobs on the loop's workers, a few at a time: a dead KDC or name server
 * may hold that many workers, never the whole pool.
 */
#ifndef COMMON_RPC_ENGINE_H
#define COMMON_RPC_ENGINE_H

#include "common/rpc/rpc.h"

#include <grpc/grpc.h>
#include <stdatomic.h>

struct rpc_op {
    void (*fn)(struct rpc_op *op, bool ok);
    atomic_uint handed_over; /* orders our writes before the completion; core does too, but a
                              * library without instrumentation can't show it to TSan */
    bool ok;
    struct rpc_op *next;
};

/* The tag for @op; from here until op->fn runs, the op belongs to gRPC. */
void *rpc_op_tag(struct rpc_op *op);

/* Run op->fn(@op, true) on the loop thread, never before this call returns. */
void rpc_defer(struct rpc *rpc, struct rpc_op *op);

#define RPC_OWNER(pointer, type, member)                                                           \
    ((type *)(void *)((char *)(pointer) - offsetof(type, member)))

enum rpc_lane {
    RPC_LANE_RESOLVE,  /* host names */
    RPC_LANE_INITIATE, /* our handshakes: may wait for the KDC */
    RPC_LANE_ACCEPT,   /* strangers' handshakes: one at a time, which bounds what they cost us */
    RPC_LANE_COUNT,
};

struct rpc_job;

/*
 * Run @work(@arg) on a worker, then @done(@arg) on the loop, never before this call returns.
 * @drop(@arg) takes the place of both when the job is cancelled before it ran, and of @done when
 * it is cancelled while it runs: it frees @arg. Exactly one of @done and @drop is called.
 */
struct rpc_job *rpc_job_start(struct rpc *rpc, enum rpc_lane lane, loop_fn work, loop_fn done,
                              loop_fn drop, void *arg);
void rpc_job_cancel(struct rpc_job *job);

struct loop *rpc_loop(const struct rpc *rpc);
const struct log_ctx *rpc_log(const struct rpc *rpc);
grpc_completion_queue *rpc_queue(const struct rpc *rpc);
grpc_resource_quota *rpc_quota(const struct rpc *rpc);

#endif
