/* SPDX-License-Identifier: Apache-2.0 */
#include "common/rpc/gate.h"

#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/base/scope.h"
#include "common/rpc/handshaker.h"

#include <assert.h>
#include <stdlib.h>

#define REFUSAL_LOG_EVERY_MS 1000
#define MS_PER_S             1000

struct gate {
    struct gate_options options;
    LIST_HEAD(, visitor) visitors;
    unsigned handshake_count;
    struct log_rate refusal_rate;
};

/* One Authenticate stream. */
struct visitor {
    LIST_ENTRY(visitor) link;
    struct gate *gate;
    struct rpc_stream *stream;
    struct buf certificate;        /* PEM; empty on the local socket */
    struct handshaker *handshaker; /* NULL: not a stranger any more */
    struct loop_timer *timer;      /* the handshake's end, then the session's */
};

struct gate *gate_new(const struct gate_options *options)
{
    struct gate *gate = MEM_NEW(struct gate);

    gate->options = *options;
    LIST_INIT(&gate->visitors);
    return gate;
}

void gate_free(struct gate *gate)
{
    assert(!gate || LIST_EMPTY(&gate->visitors));
    free(gate);
}

void gate_shut(struct gate *gate)
{
    for (struct visitor *visitor = LIST_FIRST(&gate->visitors); visitor;
         visitor = LIST_NEXT(visitor, link))
        stream_abort(visitor->stream, RPC_END_STOPPED, "the server is shutting down");
}

/* --- refusing --- */

static void tell_refused(struct gate *gate, const char *peer, const char *principal,
                         const char *text)
{
    uint64_t swallowed = gate->refusal_rate.swallowed;

    if (log_rate_ok(&gate->refusal_rate, REFUSAL_LOG_EVERY_MS))
        log_warn(gate->options.log, "refused a client peer=%s principal=%s not-shown=%llu: %s",
                 peer, principal[0] ? principal : "unknown", (unsigned long long)swallowed, text);
    if (gate->options.on_refused)
        gate->options.on_refused(peer, principal, text, gate->options.arg);
}

static void end_handshake(struct visitor *visitor)
{
    if (!visitor->handshaker)
        return;
    handshaker_free(visitor->handshaker);
    visitor->handshaker = NULL;
    visitor->gate->handshake_count--;
}

/* Always the same words to the peer. @principal and @text may belong to the handshaker. */
static void refuse(struct visitor *visitor, const char *principal, const char *text)
{
    tell_refused(visitor->gate, rpc_stream_peer(visitor->stream), principal, text);
    end_handshake(visitor);
    loop_timer_stop(visitor->timer);
    rpc_stream_finish(visitor->stream, RPC_END_UNAUTHENTIC, "authentication refused");
}

/* --- the handshake --- */

static void on_timeout(void *arg)
{
    struct visitor *visitor = arg;

    if (visitor->handshaker)
        refuse(visitor, "", "it did not finish the handshake in time");
    else
        stream_abort(visitor->stream, RPC_END_UNAUTHENTIC,
                     "the session has expired: authenticate again");
}

static void let_in(struct visitor *visitor, struct span last_message)
{
    struct gate *gate = visitor->gate;
    const struct auth_handshake *handshake = handshaker_result(visitor->handshaker);
    int64_t lifetime_ms = (int64_t)auth_handshake_lifetime_s(handshake) * MS_PER_S;
    scope_free char *principal = mem_copy_string(auth_handshake_peer(handshake));
    const struct session session = {
        .principal = principal,
        .expires = instant_after_ms(loop_now(rpc_loop(gate->options.rpc)), lifetime_ms),
        .holder = visitor,
    };

    switch (sessions_put(gate->options.sessions, buf_span(&visitor->certificate), &session)) {
    case SESSION_NEW:
        log_debug(gate->options.log, "client authenticated peer=%s principal=%s",
                  rpc_stream_peer(visitor->stream), principal);
        break;
    case SESSION_RENEWED:
        break;
    case SESSION_OTHER_PRINCIPAL:
        refuse(visitor, principal, "its certificate belongs to another principal's session");
        return;
    case SESSION_TABLE_FULL:
        refuse(visitor, principal, "too many clients are authenticated here");
        return;
    }
    end_handshake(visitor);
    loop_timer_start(visitor->timer, lifetime_ms);
    stream_send_raw(visitor->stream, last_message);
}

static void on_step(enum auth_step step, struct span out, void *arg)
{
    struct visitor *visitor = arg;
    const struct auth_handshake *handshake = handshaker_result(visitor->handshaker);

    switch (step) {
    case AUTH_SEND:
        stream_send_raw(visitor->stream, out);
        break;
    case AUTH_DONE:
        let_in(visitor, out);
        break;
    case AUTH_FAILED:
        refuse(visitor, auth_handshake_peer(handshake), auth_handshake_error(handshake));
        break;
    }
}

static void on_bytes(struct rpc_stream *stream, struct span bytes, void *arg)
{
    struct visitor *visitor = arg;

    if (!visitor->handshaker)
        stream_abort(stream, RPC_END_BAD, "nothing may follow the handshake");
    else if (handshaker_is_busy(visitor->handshaker))
        refuse(visitor, "", "it speaks out of turn");
    else if (bytes.size > AUTH_MESSAGE_SIZE_MAX)
        refuse(visitor, "", "its message is too long");
    else
        handshaker_feed(visitor->handshaker, bytes);
}

static void on_end(struct rpc_stream *stream, enum rpc_end end, const char *text, void *arg)
{
    struct visitor *visitor = arg;
    struct gate *gate = visitor->gate;

    (void)stream;
    (void)end;
    (void)text;
    if (visitor->certificate.size > 0) {
        uint64_t session =
            sessions_remove(gate->options.sessions, buf_span(&visitor->certificate), visitor);
        if (session != 0)
            stream_list_abort(gate->options.streams, session, RPC_END_UNAUTHENTIC,
                              "the session has ended");
    }
    end_handshake(visitor);
    LIST_REMOVE(visitor, link);
    loop_timer_free(visitor->timer);
    buf_fini(&visitor->certificate);
    free(visitor);
}

static const struct stream_raw_events visitor_events = {.on_bytes = on_bytes, .on_end = on_end};

static struct visitor *visitor_new(struct gate *gate, struct rpc_stream *stream,
                                   struct span certificate_pem)
{
    struct visitor *visitor = MEM_NEW(struct visitor);

    visitor->gate = gate;
    visitor->stream = stream;
    buf_append(&visitor->certificate, certificate_pem.data, certificate_pem.size);
    visitor->timer = loop_timer_new(rpc_loop(gate->options.rpc), on_timeout, visitor);
    LIST_INSERT_HEAD(&gate->visitors, visitor, link);
    stream_accept_raw(stream, &visitor_events, visitor);
    return visitor;
}

void gate_admit(struct gate *gate, struct rpc_stream *stream, struct span certificate_pem)
{
    struct auth_binding binding;

    if (certificate_pem.size == 0) {
        /* on the local socket the file's mode is the authentication: greet, and stay */
        visitor_new(gate, stream, certificate_pem);
        stream_send_raw(stream, (struct span){0});
        return;
    }
    if (gate->handshake_count == RPC_HANDSHAKES_MAX) {
        tell_refused(gate, rpc_stream_peer(stream), "", "too many handshakes at once");
        rpc_stream_finish(stream, RPC_END_BUSY, "too many handshakes at once: try again");
        return;
    }
    if (!tls_certificate_hash(certificate_pem, binding.client_certificate)) {
        tell_refused(gate, rpc_stream_peer(stream), "", "its TLS certificate is unusable");
        rpc_stream_finish(stream, RPC_END_UNAUTHENTIC, "authentication refused");
        return;
    }
    memcpy(binding.server_certificate, gate->options.identity->hash,
           sizeof(gate->options.identity->hash));
    struct visitor *visitor = visitor_new(gate, stream, certificate_pem);
    visitor->handshaker =
        handshaker_new(gate->options.rpc, RPC_LANE_ACCEPT,
                       auth_accept(gate->options.credentials, &binding), on_step, visitor);
    gate->handshake_count++;
    loop_timer_start(visitor->timer, RPC_HANDSHAKE_MS_MAX);
}
