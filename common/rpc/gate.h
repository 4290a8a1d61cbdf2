/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/rpc/gate.h: a server's side of Authenticate: strangers in, sessions out.
 *
 * A stranger may hold one of RPC_HANDSHAKES_MAX places for RPC_HANDSHAKE_MS_MAX, and costs one
 * worker at a time. He learns nothing but that he is refused; why stands in the log.
 */
#ifndef COMMON_RPC_GATE_H
#define COMMON_RPC_GATE_H

#include "common/rpc/sessions.h"
#include "common/rpc/stream.h"
#include "common/rpc/tls.h"

struct gate;

struct gate_options {
    struct rpc *rpc;
    struct auth_credentials *credentials;
    const struct tls_identity *identity;
    struct sessions *sessions;
    struct stream_list *streams; /* those of a session end with it */
    const struct log_ctx *log;
    void (*on_refused)(const char *peer, const char *principal, const char *text, void *arg);
    void *arg;
};

/* All of @options is borrowed for the gate's life. */
struct gate *gate_new(const struct gate_options *options);
/* After all of its streams have gone. NULL allowed. */
void gate_free(struct gate *gate);

/* Take an incoming Authenticate stream with the client's certificate; empty: the local socket. */
void gate_admit(struct gate *gate, struct rpc_stream *stream, struct span certificate_pem);

/* End every Authenticate stream, and so every session. */
void gate_shut(struct gate *gate);

#endif
