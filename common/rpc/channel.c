/* SPDX-License-Identifier: Apache-2.0 */
/*
 *             +-----------------------------------------------+
 *             v                                               | lost, refused, unreachable
 *   WAITING --delay over--> RESOLVING --addresses--> LOGGING_IN --in--> UP
 *      ^                        |                      |    ^           |
 *      +------- no address -----+                      +----+           | before the session ends:
 *                                                  next address         | a second login, the
 * renewal
 *
 * Each attempt has a gRPC channel of its own, so gRPC's reconnecting, its pin and its back-off
 * never matter for longer than one connection: a server that was restarted has another
 * certificate, and must prove itself again.
 */
#include "common/rpc/rpc.h"

#include "common/auth/auth.h"
#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/base/scope.h"
#include "common/rpc/login.h"
#include "common/rpc/resolve.h"
#include "common/rpc/settings.h"

#include <assert.h>
#include <stdlib.h>

#define SERVICE_DEFAULT "host"
#define MS_PER_S        1000

#define CHANNEL_STATES(X)                                                                          \
    X(WAITING)                                                                                     \
    X(RESOLVING)                                                                                   \
    X(LOGGING_IN)                                                                                  \
    X(UP)                                                                                          \
    X(CLOSED) /* by its user, in a callback */

enum channel_state {
#define X(name) CHANNEL_##name,
    CHANNEL_STATES(X)
#undef X
};

static const char *const state_name[] = {
#define X(name) #name,
    CHANNEL_STATES(X)
#undef X
};

struct rpc_channel {
    struct rpc *rpc;
    struct log_ctx log;
    struct rpc_channel_options options; /* its strings are ours */
    char *name;                         /* "host:port" or the socket's path, for people */
    enum channel_state state;
    unsigned callbacks; /* running: the memory must stay */

    struct tls_identity *identity; /* NULL: local */
    struct resolve *resolve;
    char *targets[RPC_ADDRESSES_MAX];
    size_t target_count;
    size_t target_next;

    grpc_channel *grpc; /* of the attempt or connection */
    struct login *login;
    struct login *renewal;
    struct instant session_ends;
    char *renewal_text;       /* why the last renewal failed; NULL: it did not */
    struct loop_timer *timer; /* WAITING: the delay; UP: the next renewal */
    int64_t delay_ms;
    char *principal; /* the server's */
    struct stream_list streams;

    bool down_told; /* what was told last; nothing yet, or up since */
    enum rpc_end down_end;
    char *down_text;
};

static void set_state(struct rpc_channel *channel, enum channel_state state)
{
    if (channel->state == state)
        return;
    log_debug(&channel->log, "channel %s -> %s", state_name[channel->state], state_name[state]);
    channel->state = state;
}

/* --- attempts --- */

static void attempt(struct rpc_channel *channel);
static void lose(struct rpc_channel *channel, enum rpc_end why, const char *text);

static void free_targets(struct rpc_channel *channel)
{
    for (size_t i = 0; i < channel->target_count; i++)
        free(channel->targets[i]);
    channel->target_count = 0;
    channel->target_next = 0;
}

static void drop_connection(struct rpc_channel *channel)
{
    login_cancel(channel->renewal);
    channel->renewal = NULL;
    login_cancel(channel->login);
    channel->login = NULL;
    if (channel->grpc)
        grpc_channel_destroy(channel->grpc);
    channel->grpc = NULL;
}

static grpc_channel *new_grpc_channel(const struct rpc_channel *channel, const char *target)
{
    struct settings settings;
    grpc_channel_credentials *credentials = channel->identity
                                                ? tls_channel_credentials(channel->identity)
                                                : grpc_insecure_credentials_create();

    settings_for_channel(&settings, channel->rpc);
    grpc_channel *grpc = grpc_channel_create(target, credentials, &settings.list);
    grpc_channel_credentials_release(credentials);
    return grpc;
}

static void on_login_in(struct login *login, const char *principal, uint32_t lifetime_s, void *arg);
static void on_login_end(struct login *login, enum rpc_end end, const char *text, void *arg);

static struct login *new_login(struct rpc_channel *channel)
{
    return login_start(&(struct login_options){
        .rpc = channel->rpc,
        .channel = channel->grpc,
        .target = channel->name,
        .identity = channel->identity,
        .credentials = channel->options.credentials,
        .service = channel->options.service,
        .host = channel->options.host,
        .on_in = on_login_in,
        .on_end = on_login_end,
        .arg = channel,
    });
}

static void try_next_target(struct rpc_channel *channel)
{
    set_state(channel, CHANNEL_LOGGING_IN);
    channel->grpc = new_grpc_channel(channel, channel->targets[channel->target_next++]);
    channel->login = new_login(channel);
}

static void on_resolved(const struct resolved *resolved, void *arg)
{
    struct rpc_channel *channel = arg;

    channel->resolve = NULL;
    if (resolved->count == 0) {
        scope_free char *text =
            mem_format("cannot find its address: %s; check DNS and the host name", resolved->error);
        lose(channel, RPC_END_UNREACHABLE, text);
        return;
    }
    for (size_t i = 0; i < resolved->count; i++)
        channel->targets[i] = mem_copy_string(resolved->targets[i]);
    channel->target_count = resolved->count;
    try_next_target(channel);
}

static void attempt(struct rpc_channel *channel)
{
    free_targets(channel);
    if (channel->options.local_socket) {
        channel->targets[0] = mem_format("unix:%s", channel->options.local_socket);
        channel->target_count = 1;
        try_next_target(channel);
        return;
    }
    set_state(channel, CHANNEL_RESOLVING);
    channel->resolve = resolve_start(channel->rpc, channel->options.host, channel->options.port,
                                     on_resolved, channel);
}

/* --- up and down --- */

static void channel_free(struct rpc_channel *channel)
{
    free_targets(channel);
    tls_identity_free(channel->identity);
    free((char *)(uintptr_t)channel->options.host);
    free((char *)(uintptr_t)channel->options.service);
    free((char *)(uintptr_t)channel->options.local_socket);
    free(channel->name);
    free(channel->principal);
    free(channel->renewal_text);
    free(channel->down_text);
    free(channel);
}

/* Around each callback: its user may close the channel there. */
static void callback_begin(struct rpc_channel *channel)
{
    channel->callbacks++;
}

static void callback_end(struct rpc_channel *channel)
{
    channel->callbacks--;
    if (channel->state == CHANNEL_CLOSED && channel->callbacks == 0)
        channel_free(channel);
}

/* Half to one and a half times the delay: a fleet must not return in step. */
static int64_t spread(int64_t delay_ms)
{
    return delay_ms / 2 + (int64_t)arc4random_uniform((uint32_t)delay_ms);
}

static bool is_news(const struct rpc_channel *channel, enum rpc_end why, const char *text)
{
    return !channel->down_told || channel->down_end != why || strcmp(channel->down_text, text) != 0;
}

static void tell_down(struct rpc_channel *channel, enum rpc_end why, const char *text)
{
    channel->down_told = true;
    channel->down_end = why;
    free(channel->down_text);
    channel->down_text = mem_copy_string(text);
    log_warn(&channel->log, "%s reason=%s", text, rpc_end_name(why));
    callback_begin(channel);
    channel->options.on_down(channel, why, text, channel->options.arg);
    callback_end(channel);
}

/* The connection, or the attempt at one, is over: try again later. */
static void lose(struct rpc_channel *channel, enum rpc_end why, const char *text)
{
    scope_free char *named = mem_format("%s: %s", channel->name, text);
    bool was_up = channel->state == CHANNEL_UP;

    drop_connection(channel);
    stream_list_abort(&channel->streams, 0, why, named);
    set_state(channel, CHANNEL_WAITING);
    loop_timer_start(channel->timer, spread(channel->delay_ms));
    channel->delay_ms *= 2;
    if (channel->delay_ms > RPC_RECONNECT_DELAY_MS_MAX)
        channel->delay_ms = RPC_RECONNECT_DELAY_MS_MAX;
    if (was_up || is_news(channel, why, named))
        tell_down(channel, why, named);
}

/* At three quarters of the session; after a failure at a quarter of what is left. */
static void plan_renewal(struct rpc_channel *channel, int64_t delay_ms)
{
    if (delay_ms < RPC_RENEWAL_RETRY_MS_MIN)
        delay_ms = RPC_RENEWAL_RETRY_MS_MIN;
    loop_timer_start(channel->timer, delay_ms);
}

static void begin_session(struct rpc_channel *channel, uint32_t lifetime_s)
{
    int64_t lifetime_ms = (int64_t)lifetime_s * MS_PER_S;

    free(channel->renewal_text);
    channel->renewal_text = NULL;
    if (lifetime_s == 0)
        return;
    channel->session_ends = instant_after_ms(loop_now(rpc_loop(channel->rpc)), lifetime_ms);
    plan_renewal(channel, lifetime_ms / 4 * 3);
}

static void come_up(struct rpc_channel *channel, const char *principal)
{
    free(channel->principal);
    channel->principal = mem_copy_string(principal);
    channel->delay_ms = RPC_RECONNECT_DELAY_MS_MIN;
    channel->down_told = false;
    set_state(channel, CHANNEL_UP);
    log_info(&channel->log, "connected to %s principal=%s", channel->name, principal);
    callback_begin(channel);
    channel->options.on_up(channel, channel->options.arg);
    callback_end(channel);
}

static void on_login_in(struct login *login, const char *principal, uint32_t lifetime_s, void *arg)
{
    struct rpc_channel *channel = arg;

    begin_session(channel, lifetime_s);
    if (login == channel->login) {
        come_up(channel, principal);
        return;
    }
    /* the server has handed the session to the renewal before it said so */
    login_cancel(channel->login);
    channel->login = channel->renewal;
    channel->renewal = NULL;
}

static void on_renewal_end(struct rpc_channel *channel, const char *text)
{
    int64_t left_ms = instant_ms_since(loop_now(rpc_loop(channel->rpc)), channel->session_ends);

    channel->renewal = NULL;
    free(channel->renewal_text);
    channel->renewal_text = mem_copy_string(text);
    log_warn(&channel->log, "cannot renew the session with %s, which ends in %lld s: %s",
             channel->name, (long long)(left_ms / MS_PER_S), text);
    plan_renewal(channel, left_ms / 4);
}

static void on_login_end(struct login *login, enum rpc_end end, const char *text, void *arg)
{
    struct rpc_channel *channel = arg;

    if (login == channel->renewal) {
        on_renewal_end(channel, text);
        return;
    }
    channel->login = NULL;
    if (channel->state == CHANNEL_LOGGING_IN && end == RPC_END_UNREACHABLE &&
        channel->target_next < channel->target_count) {
        drop_connection(channel);
        try_next_target(channel);
        return;
    }
    if (channel->state == CHANNEL_UP && end == RPC_END_UNAUTHENTIC && channel->renewal_text) {
        scope_free char *why =
            mem_format("the session could not be renewed: %s", channel->renewal_text);
        lose(channel, end, why);
        return;
    }
    lose(channel, end, text);
}

static void on_timer(void *arg)
{
    struct rpc_channel *channel = arg;

    if (channel->state == CHANNEL_WAITING)
        attempt(channel);
    else if (channel->state == CHANNEL_UP && !channel->renewal)
        channel->renewal = new_login(channel);
}

/* --- for users --- */

static char *copy_or_null(const char *text)
{
    return text ? mem_copy_string(text) : NULL;
}

struct rpc_channel *rpc_channel_open(struct rpc *rpc, const struct rpc_channel_options *options)
{
    struct rpc_channel *channel = MEM_NEW(struct rpc_channel);

    assert(options->local_socket || (options->host && options->port && options->credentials));
    channel->rpc = rpc;
    channel->options = *options;
    channel->options.host = copy_or_null(options->host);
    channel->options.service =
        mem_copy_string(options->service ? options->service : SERVICE_DEFAULT);
    channel->options.local_socket = copy_or_null(options->local_socket);
    log_ctx_init(&channel->log, options->log ? options->log : rpc_log(rpc), "%s", "");
    channel->delay_ms = RPC_RECONNECT_DELAY_MS_MIN;
    channel->timer = loop_timer_new(rpc_loop(rpc), on_timer, channel);
    LIST_INIT(&channel->streams);
    if (options->local_socket) {
        channel->name = mem_copy_string(options->local_socket);
    } else {
        channel->name = mem_format("%s:%u", options->host, (unsigned)options->port);
        channel->identity = tls_identity_new();
    }
    loop_timer_start(channel->timer, 0);
    return channel;
}

void rpc_channel_close(struct rpc_channel *channel)
{
    if (!channel)
        return;
    assert(channel->state != CHANNEL_CLOSED);
    if (channel->resolve)
        resolve_cancel(channel->resolve);
    stream_list_cancel(&channel->streams);
    drop_connection(channel);
    loop_timer_free(channel->timer);
    set_state(channel, CHANNEL_CLOSED);
    if (channel->callbacks == 0)
        channel_free(channel);
}

bool rpc_channel_is_up(const struct rpc_channel *channel)
{
    return channel->state == CHANNEL_UP;
}

void rpc_channel_hurry(struct rpc_channel *channel)
{
    if (channel->state == CHANNEL_WAITING)
        loop_timer_start(channel->timer, 0);
}

struct rpc_stream *rpc_stream_open(struct rpc_channel *channel, const struct rpc_method *method,
                                   const struct rpc_stream_events *events, void *arg)
{
    if (channel->state != CHANNEL_UP)
        return NULL;
    const struct stream_options options = {
        .rpc = channel->rpc,
        .list = &channel->streams,
        .peer = channel->name,
        .principal = channel->principal,
    };
    grpc_slice path = grpc_slice_from_copied_string(method->path);
    grpc_call *call = grpc_channel_create_call(channel->grpc, NULL, GRPC_PROPAGATE_DEFAULTS,
                                               rpc_queue(channel->rpc), path, NULL,
                                               gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
    grpc_slice_unref(path);
    return stream_open(&options, call, method, events, arg);
}
