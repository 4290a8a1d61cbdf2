/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/rpc/stream.h: one call, either side; the inside of struct rpc_stream.
 *
 * A stream's memory stays until gRPC has given back every batch it was handed, also after
 * rpc_stream_cancel(); only its callbacks end there.
 */
#ifndef COMMON_RPC_STREAM_H
#define COMMON_RPC_STREAM_H

#include "common/rpc/engine.h"

#include <sys/queue.h>

LIST_HEAD(stream_list, rpc_stream);

/* For streams of our own: bytes instead of messages. */
struct stream_raw_events {
    /* Client: the server's initial metadata came, or the call failed before it could. */
    void (*on_connected)(struct rpc_stream *stream, void *arg);
    void (*on_bytes)(struct rpc_stream *stream, struct span bytes, void *arg);
    /* As in rpc_stream_events. */
    void (*on_end)(struct rpc_stream *stream, enum rpc_end end, const char *text, void *arg);
};

struct stream_options {
    struct rpc *rpc;
    struct stream_list *list;  /* where it stands until it ends; outlives it */
    const char *peer;
    const char *principal;
    uint64_t session;          /* server: whose stream it is, 0 when nobody's */
    /* The memory is about to go. May be NULL. */
    loop_fn on_gone;
    void *gone_arg;
};

/* @take_call becomes the stream's. The client's call starts at once. */
struct rpc_stream *stream_open(const struct stream_options *options, grpc_call *take_call,
                               const struct rpc_method *method,
                               const struct rpc_stream_events *events, void *arg);
struct rpc_stream *stream_open_raw(const struct stream_options *options, grpc_call *take_call,
                                   const struct stream_raw_events *events, void *arg);
/* Server: the stream delivers nothing until it is accepted. */
struct rpc_stream *stream_incoming(const struct stream_options *options, grpc_call *take_call,
                                   const struct rpc_method *method);
void stream_accept_raw(struct rpc_stream *stream, const struct stream_raw_events *events,
                       void *arg);

bool stream_send_raw(struct rpc_stream *stream, struct span bytes);

/* End the call at once with this status, here and at the peer; on_end follows. */
void stream_abort(struct rpc_stream *stream, enum rpc_end end, const char *text);

grpc_call *stream_call(const struct rpc_stream *stream);

/* Every stream of the list, or of one session when it is not 0. */
void stream_list_abort(struct stream_list *list, uint64_t session, enum rpc_end end,
                       const char *text);
/* rpc_stream_cancel() on each. */
void stream_list_cancel(struct stream_list *list);

#endif
