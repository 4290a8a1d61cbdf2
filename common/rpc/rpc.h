/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/rpc/rpc.h: message streams between our programs, over gRPC's C core, for the loop thread.
 *
 * Words. A *channel* is a client's lasting wish to reach one address: it connects, authenticates
 * both ways by Kerberos (common/auth), tells when it is up or down, and tries again by itself. A
 * *stream* is one bidirectional call, either side. A *server* accepts streams.
 *
 * Threads: every function and every callback runs on the loop thread. gRPC's completion threads
 * only enqueue. No callback runs before the call that set it up has returned.
 * Lifetime: rpc_free() after all channels, servers and streams have ended.
 */
#ifndef COMMON_RPC_RPC_H
#define COMMON_RPC_RPC_H

#include "common/base/log.h"
#include "common/base/span.h"
#include "common/base/status.h"
#include "common/os/loop.h"

#include <protobuf-c/protobuf-c.h>

struct rpc;
struct rpc_channel;
struct rpc_stream;
struct rpc_server;
struct auth_credentials; /* common/auth/auth.h */

/* @log is borrowed for rpc's life. Also sets malloc's thresholds for the whole process: gRPC reads
 * into large blocks that live for moments. */
struct rpc *rpc_new(struct loop *loop, const struct log_ctx *log);
void rpc_free(struct rpc *rpc); /* NULL allowed */

/* How a stream or channel ended, as a caller can act on it. */
enum rpc_end {
    RPC_END_OK,           /* finished in order */
    RPC_END_UNREACHABLE,  /* no connection: refused, timed out, name unknown, went away */
    RPC_END_UNAUTHENTIC,  /* Kerberos failed; the text says how and what to do */
    RPC_END_DENIED,       /* authentic, but not allowed here */
    RPC_END_BAD,          /* the peer broke the protocol, or says that we did */
    RPC_END_BUSY,         /* the peer is at a limit */
    RPC_END_STOPPED,      /* we or the peer are shutting down */
    RPC_END_NOT_FOUND,    /* the peer does not know the object */
};
const char *rpc_end_name(enum rpc_end end);

/* --- streams --- */

struct rpc_stream_events {
    /* One message. @message is of the method's input (server) or output (client) type and is freed
     * after the callback; the callback may take it by setting *message to NULL. */
    void (*on_message)(struct rpc_stream *stream, ProtobufCMessage **message, void *arg);
    /* The send queue has drained below its low mark after rpc_stream_send() returned false. */
    void (*on_writable)(struct rpc_stream *stream, void *arg);
    /* Server: the client sends no more (it closed its side, as after a single request). May be
     * NULL. */
    void (*on_close_send)(struct rpc_stream *stream, void *arg);
    /* The stream is over; @stream is freed after the callback. Comes exactly once, unless the
     * stream was released before by rpc_stream_cancel(). @text is for people, never NULL. */
    void (*on_end)(struct rpc_stream *stream, enum rpc_end end, const char *text, void *arg);
};

/* Serialise @message now and queue it. Returns true while the queue is below the high mark
 * (RPC_SEND_QUEUE_BYTES_HIGH); false: the message is still queued, but wait for on_writable before
 * sending more. A message over RPC_MESSAGE_SIZE_MAX, or a queue over RPC_SEND_QUEUE_BYTES_MAX, ends
 * the stream. On a stream that is ending the message is dropped: on_end is on its way. */
bool rpc_stream_send(struct rpc_stream *stream, const ProtobufCMessage *message);

/* Like send, for a message whose last field is bytes: @head is serialised with that field empty,
 * then field number @field of @head's own type with @payload follows, without another copy of the
 * payload. (Not for a field of a message inside @head.) */
bool rpc_stream_send_payload(struct rpc_stream *stream, const ProtobufCMessage *head, uint32_t field,
                             struct span payload);

size_t rpc_stream_queued_bytes(const struct rpc_stream *stream);

/* Stop and resume the delivery of messages: back-pressure to the peer. Starts resumed. While
 * paused an end in order waits for the messages before it; an error does not. */
void rpc_stream_pause(struct rpc_stream *stream);
void rpc_stream_resume(struct rpc_stream *stream);

/* Client: no more messages from us. */
void rpc_stream_close_send(struct rpc_stream *stream);
/* Server: end in order or with an error, after what is queued; on_end follows. */
void rpc_stream_finish(struct rpc_stream *stream, enum rpc_end end, const char *text);
/* Abandon at once; no callback comes any more and the stream is gone. Either side. */
void rpc_stream_cancel(struct rpc_stream *stream);

/* Server: who opened it, as Kerberos says ("host/a.example.org@EXAMPLE.ORG"; "local" on a local
 * socket); client: the server's principal. Borrowed. */
const char *rpc_stream_principal(const struct rpc_stream *stream);
/* "ipv4:127.0.0.1:4711", for logs only: never authorise by it. Borrowed. */
const char *rpc_stream_peer(const struct rpc_stream *stream);
/* Bytes of messages in both directions so far. */
void rpc_stream_bytes(const struct rpc_stream *stream, uint64_t *out_sent, uint64_t *out_received);

/* --- client --- */

struct rpc_channel_options {
    const char *host;             /* name or address; also the default for the service principal */
    uint16_t port;
    const char *local_socket;     /* instead of host and port: a path, no authentication */
    const char *service;          /* Kerberos service class, "host" */
    struct auth_credentials *credentials; /* borrowed for the channel's life */
    const struct log_ctx *log;    /* borrowed for the channel's life; NULL: that of rpc */
    /* The channel is authenticated and streams may be opened. Again after each reconnect. */
    void (*on_up)(struct rpc_channel *channel, void *arg);
    /* Lost or not reached; it retries by itself with growing delays. Called for each failed try
     * whose reason differs from the last one, and for each loss. @text names the partner as
     * host:port, the cause and the remedy, and is already in the log. */
    void (*on_down)(struct rpc_channel *channel, enum rpc_end why, const char *text, void *arg);
    void *arg;
};

struct rpc_channel *rpc_channel_open(struct rpc *rpc, const struct rpc_channel_options *options);
/* Ends its streams without callbacks. NULL allowed; at any time, also within any callback. */
void rpc_channel_close(struct rpc_channel *channel);
bool rpc_channel_is_up(const struct rpc_channel *channel);
/* Try now instead of at the end of the delay. */
void rpc_channel_hurry(struct rpc_channel *channel);

/* A method of the .proto: "/coterie.v1.Replication/Replicate". */
struct rpc_method {
    const char *path;
    const ProtobufCMessageDescriptor *request;  /* what the client sends */
    const ProtobufCMessageDescriptor *response; /* what the server sends */
};

/* Open a stream on a channel that is up; NULL when it is not. */
struct rpc_stream *rpc_stream_open(struct rpc_channel *channel, const struct rpc_method *method,
                                   const struct rpc_stream_events *events, void *arg);

/* --- server --- */

struct rpc_service_method {
    const struct rpc_method *method;
    bool local_only; /* only on the local socket */
    /* A client opened a stream: set its events with rpc_stream_accept(), or finish it. */
    void (*on_open)(struct rpc_stream *stream, void *arg);
    void *arg;
};

struct rpc_server_options {
    const char *address;          /* numeric address to listen on; NULL: no network */
    uint16_t port;                /* 0: any; see rpc_server_port() */
    const char *local_socket;     /* path of a local socket, mode 0600; NULL: none */
    struct auth_credentials *credentials; /* acceptor's key, borrowed; may be NULL without address */
    const struct rpc_service_method *methods; /* copied */
    size_t method_count;
    const struct log_ctx *log;    /* borrowed for the server's life; NULL: that of rpc */
    /* Told of each refused authentication: @principal is "" when unknown. May be NULL. */
    void (*on_refused)(const char *peer, const char *principal, const char *text, void *arg);
    void *arg;
};

/* Errors: ST_REFUSED or ST_IO with one clear log line naming the address and the remedy. */
NODISCARD enum status rpc_server_open(struct rpc *rpc, const struct rpc_server_options *options,
                                      struct rpc_server **out_server);
/* Refuses new streams, lets running ones end for @grace_ms, cancels the rest, then calls @done. */
void rpc_server_close(struct rpc_server *server, int64_t grace_ms, loop_fn done, void *arg);
uint16_t rpc_server_port(const struct rpc_server *server);

/* Take a stream over. Again later, also in a callback, to hand it to another owner: only the events
 * and @arg change. */
void rpc_stream_accept(struct rpc_stream *stream, const struct rpc_stream_events *events, void *arg);

#endif
