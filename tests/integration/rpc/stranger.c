/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/integration/rpc/stranger.h"

#include "common/base/mem.h"
#include "common/base/scope.h"
#include "common/rpc/settings.h"
#include "common/rpc/tls.h"

#include <stdio.h>
#include <stdlib.h>

/* --- a connection without a session --- */

struct stranger {
    struct world *w;
    struct tls_identity *identity;
    grpc_channel *channel;
    struct stream_list list;
    struct rpc_stream *stream;
    bool connected;
    struct relay *relay; /* NULL: a stranger on his own */
};

static void relay_back(struct relay *relay, struct span bytes);

static void on_connected(struct rpc_stream *stream, void *arg)
{
    struct stranger *stranger = arg;
    struct tls_peer peer = tls_peer_of(stream_call(stream));

    stranger->connected = peer.certificate_pem.size > 0;
    tls_peer_fini(&peer);
    world_wake(stranger->w);
}

static void on_bytes(struct rpc_stream *stream, struct span bytes, void *arg)
{
    struct stranger *stranger = arg;

    (void)stream;
    if (stranger->relay)
        relay_back(stranger->relay, bytes);
}

static void on_end(struct rpc_stream *stream, enum rpc_end end, const char *text, void *arg)
{
    struct stranger *stranger = arg;
    struct world *w = stranger->w;

    (void)stream;
    stranger->stream = NULL;
    w->ended = true;
    w->end = end;
    snprintf(w->end_text, sizeof(w->end_text), "%s", text);
    world_wake(w);
}

struct stranger *stranger_new(struct world *w, const char *path)
{
    static const struct stream_raw_events events = {
        .on_connected = on_connected, .on_bytes = on_bytes, .on_end = on_end};
    struct stranger *stranger = MEM_NEW(struct stranger);
    scope_free char *target = mem_format("ipv4:%s:%u", w->address, rpc_server_port(w->server));
    struct settings settings;

    stranger->w = w;
    stranger->identity = tls_identity_new();
    LIST_INIT(&stranger->list);
    settings_for_channel(&settings, w->rpc);
    grpc_channel_credentials *credentials = tls_channel_credentials(stranger->identity);
    stranger->channel = grpc_channel_create(target, credentials, &settings.list);
    grpc_channel_credentials_release(credentials);
    const struct stream_options options = {
        .rpc = w->rpc, .list = &stranger->list, .peer = target, .principal = ""};
    grpc_slice method = grpc_slice_from_copied_string(path);
    grpc_call *call = grpc_channel_create_call(stranger->channel, NULL, GRPC_PROPAGATE_DEFAULTS,
                                               rpc_queue(w->rpc), method, NULL,
                                               gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
    grpc_slice_unref(method);
    stranger->stream = stream_open_raw(&options, call, &events, stranger);
    return stranger;
}

void stranger_free(struct stranger *stranger)
{
    if (stranger->stream)
        rpc_stream_cancel(stranger->stream);
    grpc_channel_destroy(stranger->channel);
    tls_identity_free(stranger->identity);
    free(stranger);
}

void stranger_wait_connected(struct stranger *stranger)
{
    while (!stranger->connected && !stranger->w->ended)
        loop_run(stranger->w->loop);
    assert_true(stranger->connected);
}

void stranger_say(struct stranger *stranger, struct span bytes)
{
    if (stranger->stream)
        stream_send_raw(stranger->stream, bytes);
}

/* --- in the middle --- */

struct relay {
    struct world *w;
    struct tls_identity *identity;
    grpc_server *server;
    uint16_t port;
    struct rpc_op op_call;
    grpc_call *call;
    grpc_call_details details;
    grpc_metadata_array metadata;
    struct stream_list list;
    struct rpc_stream *victim;
    struct stranger *onward;
    struct rpc_op op_down;
    bool down;
    unsigned gone;
    unsigned passed;
};

static void relay_back(struct relay *relay, struct span bytes)
{
    relay->passed++;
    if (relay->victim)
        stream_send_raw(relay->victim, bytes);
}

static void on_victim_bytes(struct rpc_stream *stream, struct span bytes, void *arg)
{
    struct relay *relay = arg;

    (void)stream;
    relay->passed++;
    stranger_say(relay->onward, bytes);
}

static void on_victim_end(struct rpc_stream *stream, enum rpc_end end, const char *text, void *arg)
{
    struct relay *relay = arg;

    (void)stream;
    (void)end;
    (void)text;
    relay->victim = NULL;
}

static void on_victim_gone(void *arg)
{
    struct relay *relay = arg;

    relay->gone++;
    world_wake(relay->w);
}

static void on_call(struct rpc_op *op, bool ok)
{
    static const struct stream_raw_events events = {.on_bytes = on_victim_bytes,
                                                    .on_end = on_victim_end};
    struct relay *relay = RPC_OWNER(op, struct relay, op_call);
    const struct stream_options options = {.rpc = relay->w->rpc,
                                           .list = &relay->list,
                                           .peer = "victim",
                                           .principal = "",
                                           .on_gone = on_victim_gone,
                                           .gone_arg = relay};

    grpc_call_details_destroy(&relay->details);
    grpc_metadata_array_destroy(&relay->metadata);
    if (!ok) {
        relay->gone++;
        return;
    }
    relay->victim = stream_incoming(&options, relay->call, NULL);
    stream_accept_raw(relay->victim, &events, relay);
}

struct relay *relay_new(struct world *w)
{
    struct relay *relay = MEM_NEW(struct relay);
    struct settings settings;

    relay->w = w;
    relay->identity = tls_identity_new();
    LIST_INIT(&relay->list);
    relay->onward = stranger_new(w, AUTHENTICATE_PATH);
    relay->onward->relay = relay;
    settings_for_server(&settings, w->rpc);
    relay->server = grpc_server_create(&settings.list, NULL);
    grpc_server_register_completion_queue(relay->server, rpc_queue(w->rpc), NULL);
    grpc_server_credentials *credentials = tls_server_credentials(relay->identity);
    relay->port = (uint16_t)grpc_server_add_http2_port(relay->server, "127.0.0.1:0", credentials);
    grpc_server_credentials_release(credentials);
    grpc_server_start(relay->server);
    grpc_call_details_init(&relay->details);
    grpc_metadata_array_init(&relay->metadata);
    relay->op_call.fn = on_call;
    grpc_server_request_call(relay->server, &relay->call, &relay->details, &relay->metadata,
                             rpc_queue(w->rpc), rpc_queue(w->rpc), rpc_op_tag(&relay->op_call));
    return relay;
}

static void on_relay_down(struct rpc_op *op, bool ok)
{
    struct relay *relay = RPC_OWNER(op, struct relay, op_down);

    (void)ok;
    relay->down = true;
    world_wake(relay->w);
}

void relay_free(struct relay *relay)
{
    if (relay->victim)
        rpc_stream_cancel(relay->victim);
    relay->op_down.fn = on_relay_down;
    grpc_server_shutdown_and_notify(relay->server, rpc_queue(relay->w->rpc),
                                    rpc_op_tag(&relay->op_down));
    grpc_server_cancel_all_calls(relay->server);
    while (!relay->down || relay->gone == 0)
        loop_run(relay->w->loop);
    grpc_server_destroy(relay->server);
    stranger_free(relay->onward);
    tls_identity_free(relay->identity);
    free(relay);
}

uint16_t relay_port(const struct relay *relay)
{
    return relay->port;
}

unsigned relay_passed_count(const struct relay *relay)
{
    return relay->passed;
}
