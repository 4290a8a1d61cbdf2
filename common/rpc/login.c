/* SPDX-License-Identifier: Apache-2.0 */
#include "common/rpc/login.h"

#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/base/scope.h"
#include "common/rpc/handshaker.h"

#include <stdlib.h>

#define LOGIN_STATES(X)                                                                            \
    X(CONNECTING) /* until the server's initial metadata shows its certificate */                  \
    X(HANDSHAKING)                                                                                 \
    X(IN)

enum login_state {
#define X(name) LOGIN_##name,
    LOGIN_STATES(X)
#undef X
};

struct login {
    struct login_options options;
    enum login_state state;
    char *service;
    char *host;
    struct stream_list list; /* just our stream */
    struct rpc_stream *stream;
    struct handshaker *handshaker;
    struct loop_timer *timer; /* bounds the time until we are in */
};

static void login_free(struct login *login)
{
    handshaker_free(login->handshaker);
    loop_timer_free(login->timer);
    free(login->service);
    free(login->host);
    free(login);
}

void login_cancel(struct login *login)
{
    if (!login)
        return;
    rpc_stream_cancel(login->stream);
    login_free(login);
}

static void end(struct login *login, enum rpc_end why, const char *text)
{
    login->options.on_end(login, why, text, login->options.arg);
    login_free(login);
}

/* We end it, not the peer. */
static void give_up(struct login *login, enum rpc_end why, const char *text)
{
    rpc_stream_cancel(login->stream);
    end(login, why, text);
}

static void on_timeout(void *arg)
{
    struct login *login = arg;

    give_up(
        login, RPC_END_UNREACHABLE,
        login->state == LOGIN_CONNECTING
            ? "no answer; check that the service runs there and that no firewall blocks the port"
            : "the handshake takes too long; check the load of that machine and of the KDC");
}

static void get_in(struct login *login, const char *principal, uint32_t lifetime_s)
{
    login->state = LOGIN_IN;
    loop_timer_stop(login->timer);
    login->options.on_in(login, principal, lifetime_s, login->options.arg);
}

static void finish_handshake(struct login *login)
{
    const struct auth_handshake *handshake = handshaker_result(login->handshaker);
    scope_free char *principal = mem_copy_string(auth_handshake_peer(handshake));
    uint32_t lifetime_s = auth_handshake_lifetime_s(handshake);

    handshaker_free(login->handshaker);
    login->handshaker = NULL;
    get_in(login, principal, lifetime_s);
}

static void on_step(enum auth_step step, struct span out, void *arg)
{
    struct login *login = arg;

    switch (step) {
    case AUTH_SEND:
        stream_send_raw(login->stream, out);
        break;
    case AUTH_DONE:
        finish_handshake(login);
        break;
    case AUTH_FAILED: {
        scope_free char *text =
            mem_copy_string(auth_handshake_error(handshaker_result(login->handshaker)));
        give_up(login, RPC_END_UNAUTHENTIC, text);
        break;
    }
    }
}

static void begin_handshake(struct login *login, struct span server_certificate)
{
    const struct login_options *options = &login->options;
    struct auth_binding binding;

    if (!tls_certificate_hash(server_certificate, binding.server_certificate)) {
        give_up(login, RPC_END_BAD, "its TLS certificate is unusable: it is not one of ours");
        return;
    }
    memcpy(binding.client_certificate, options->identity->hash, sizeof(options->identity->hash));
    login->state = LOGIN_HANDSHAKING;
    login->handshaker = handshaker_new(
        options->rpc, RPC_LANE_INITIATE,
        auth_initiate(options->credentials, login->service, login->host, &binding), on_step, login);
    handshaker_feed(login->handshaker, (struct span){0});
}

static void on_connected(struct rpc_stream *stream, void *arg)
{
    struct login *login = arg;

    if (!login->options.identity)
        return; /* a local server greets with a message */
    struct tls_peer peer = tls_peer_of(stream_call(stream));
    /* without a certificate there is no connection: the end is on its way */
    if (peer.certificate_pem.size > 0)
        begin_handshake(login, peer.certificate_pem);
    tls_peer_fini(&peer);
}

static void on_bytes(struct rpc_stream *stream, struct span bytes, void *arg)
{
    struct login *login = arg;

    (void)stream;
    if (!login->options.identity && login->state == LOGIN_CONNECTING)
        get_in(login, "local", 0);
    else if (login->state != LOGIN_HANDSHAKING || handshaker_is_busy(login->handshaker))
        give_up(login, RPC_END_BAD, "it speaks out of turn while authenticating");
    else
        handshaker_feed(login->handshaker, bytes);
}

/* What an operator needs to know beyond the status of the call. */
static char *explain_end(const struct login *login, enum rpc_end why, const char *text)
{
    if (login->state == LOGIN_IN)
        return mem_format("%s%s", why == RPC_END_STOPPED ? "" : "connection lost: ", text);
    if (why == RPC_END_UNREACHABLE)
        return mem_format("cannot connect: %s; check that the service runs there and that no "
                          "firewall blocks the port",
                          text);
    if (why == RPC_END_UNAUTHENTIC && login->options.credentials)
        return mem_format("refuses our authentication as %s: %s; its log says why",
                          auth_credentials_principal(login->options.credentials), text);
    return mem_format("does not let us authenticate: %s", text);
}

static void on_end(struct rpc_stream *stream, enum rpc_end why, const char *text, void *arg)
{
    struct login *login = arg;
    scope_free char *explained = explain_end(login, why, text);

    (void)stream;
    /* a server that ends this stream in order stops serving us */
    end(login, why == RPC_END_OK ? RPC_END_STOPPED : why, explained);
}

struct login *login_start(const struct login_options *options)
{
    static const struct stream_raw_events events = {
        .on_connected = on_connected, .on_bytes = on_bytes, .on_end = on_end};
    struct login *login = MEM_NEW(struct login);
    struct loop *loop = rpc_loop(options->rpc);

    login->options = *options;
    login->service = mem_copy_string(options->service);
    login->host = mem_copy_string(options->host);
    login->timer = loop_timer_new(loop, on_timeout, login);
    loop_timer_start(login->timer, RPC_HANDSHAKE_MS_MAX);
    LIST_INIT(&login->list);
    const struct stream_options stream = {
        .rpc = options->rpc, .list = &login->list, .peer = options->target, .principal = ""};
    grpc_call *call = grpc_channel_create_call(options->channel, NULL, GRPC_PROPAGATE_DEFAULTS,
                                               rpc_queue(options->rpc),
                                               grpc_slice_from_static_string(AUTHENTICATE_PATH),
                                               NULL, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
    login->stream = stream_open_raw(&stream, call, &events, login);
    return login;
}
