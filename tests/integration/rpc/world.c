/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/integration/rpc/world.h"

#include "common/base/mem.h"
#include "common/base/scope.h"

#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define WAIT_MS_MAX  30000
#define WORKER_COUNT 4

#define ECHO_METHOD(name)                                                                          \
    {                                                                                              \
        .path = "/coterie.test.Echo/" name, .request = &coterie__v1__fetch_frame__descriptor,      \
        .response = &coterie__v1__fetch_frame__descriptor                                          \
    }

const struct rpc_method echo_method = ECHO_METHOD("Echo");
const struct rpc_method local_method = ECHO_METHOD("Local");
const struct rpc_method silent_method = ECHO_METHOD("Silent");
const struct rpc_method unknown_method = ECHO_METHOD("Unknown");

/* --- running --- */

static void on_timeout(void *arg)
{
    struct world *w = arg;

    w->timed_out = true;
    world_wake(w);
}

static void on_test_timer(void *arg)
{
    struct world *w = arg;

    w->timer_fired = true;
    world_wake(w);
}

void world_start_timer(struct world *w, int64_t delay_ms)
{
    loop_timer_start(w->test_timer, delay_ms);
}

void world_wake(struct world *w)
{
    loop_stop(w->loop);
}

void world_wait(struct world *w, world_condition condition)
{
    loop_timer_start(w->timer, WAIT_MS_MAX);
    while (!condition(w) && !w->timed_out)
        loop_run(w->loop);
    loop_timer_stop(w->timer);
    if (w->timed_out)
        print_error("waited in vain: ups=%u downs=%u (%s) ended=%d (%s) refused=%u (%s)\n", w->ups,
                    w->downs, w->down_text, w->ended, w->end_text, w->refused_count,
                    w->refused_text);
    assert_false(w->timed_out);
}

bool is_up(const struct world *w)
{
    return rpc_channel_is_up(w->channel);
}

bool is_down(const struct world *w)
{
    return w->downs > 0;
}

bool has_ended(const struct world *w)
{
    return w->ended;
}

bool has_message(const struct world *w)
{
    return w->messages > 0;
}

bool server_stream_ended(const struct world *w)
{
    return w->streams_ended > 0;
}

bool is_refused(const struct world *w)
{
    return w->refused_count > 0;
}

/* --- the echo server --- */

static void echo_message(struct rpc_stream *stream, ProtobufCMessage **message, void *arg)
{
    (void)arg;
    if (!rpc_stream_send(stream, *message))
        rpc_stream_pause(stream);
}

static void echo_writable(struct rpc_stream *stream, void *arg)
{
    (void)arg;
    rpc_stream_resume(stream);
}

static void echo_close_send(struct rpc_stream *stream, void *arg)
{
    (void)arg;
    rpc_stream_finish(stream, RPC_END_OK, "");
}

static void echo_end(struct rpc_stream *stream, enum rpc_end end, const char *text, void *arg)
{
    struct world *w = arg;

    (void)stream;
    (void)end;
    (void)text;
    w->streams_ended++;
    world_wake(w);
}

static const struct rpc_stream_events echo_events = {
    .on_message = echo_message,
    .on_writable = echo_writable,
    .on_close_send = echo_close_send,
    .on_end = echo_end,
};

static void note_opened(struct world *w, const struct rpc_stream *stream)
{
    w->streams_opened++;
    snprintf(w->opener, sizeof(w->opener), "%s", rpc_stream_principal(stream));
    world_wake(w);
}

static void on_open_echo(struct rpc_stream *stream, void *arg)
{
    note_opened(arg, stream);
    rpc_stream_accept(stream, &echo_events, arg);
}

static void on_open_silent(struct rpc_stream *stream, void *arg)
{
    note_opened(arg, stream);
    rpc_stream_pause(stream);
    rpc_stream_accept(stream, &echo_events, arg);
}

static void on_refused(const char *peer, const char *principal, const char *text, void *arg)
{
    struct world *w = arg;

    (void)peer;
    w->refused_count++;
    snprintf(w->refused_principal, sizeof(w->refused_principal), "%s", principal);
    snprintf(w->refused_text, sizeof(w->refused_text), "%s", text);
    world_wake(w);
}

void world_rekey(const char *principal)
{
    const char *const arguments[] = {
        "bash", getenv("KDC_SCRIPT"), "rekey", getenv("KDC_DIR"), principal, NULL};
    pid_t child;
    int status = -1;

    assert_int_equal(
        posix_spawnp(&child, arguments[0], NULL, NULL, (char **)(uintptr_t)arguments, environ), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

struct auth_credentials *world_credentials(const char *keytab_name)
{
    struct auth_credentials *credentials = NULL;
    const char *dir = getenv("KDC_DIR");

    assert_non_null(dir);
    scope_free char *path = mem_format("%s/%s.keytab", dir, keytab_name);
    const struct auth_options options = {.keytab = path};
    assert_int_equal(auth_credentials_open(&options, &credentials), ST_OK);
    return credentials;
}

void world_serve(struct world *w, uint16_t port, const char *local_socket)
{
    const struct rpc_service_method methods[] = {
        {.method = &echo_method, .on_open = on_open_echo, .arg = w},
        {.method = &local_method, .local_only = true, .on_open = on_open_echo, .arg = w},
        {.method = &silent_method, .on_open = on_open_silent, .arg = w},
    };

    if (!w->server_credentials)
        w->server_credentials = world_credentials("host_127.0.0.1");
    const struct rpc_server_options options = {
        .address = w->address,
        .port = port,
        .local_socket = local_socket,
        .credentials = w->server_credentials,
        .methods = methods,
        .method_count = sizeof(methods) / sizeof(methods[0]),
        .on_refused = on_refused,
        .arg = w,
    };
    w->server_closed = false;
    assert_int_equal(rpc_server_open(w->rpc, &options, &w->server), ST_OK);
}

static void on_closed(void *arg)
{
    struct world *w = arg;

    w->server_closed = true;
    world_wake(w);
}

static bool server_closed(const struct world *w)
{
    return w->server_closed;
}

void world_close_server(struct world *w, int64_t grace_ms)
{
    rpc_server_close(w->server, grace_ms, on_closed, w);
    w->server = NULL;
    world_wait(w, server_closed);
}

/* --- the client --- */

static void on_up(struct rpc_channel *channel, void *arg)
{
    struct world *w = arg;

    (void)channel;
    w->ups++;
    world_wake(w);
}

static void on_down(struct rpc_channel *channel, enum rpc_end why, const char *text, void *arg)
{
    struct world *w = arg;

    (void)channel;
    w->downs++;
    w->down_end = why;
    snprintf(w->down_text, sizeof(w->down_text), "%s", text);
    world_wake(w);
}

void world_connect(struct world *w, const char *host, uint16_t port)
{
    if (!w->client_credentials)
        w->client_credentials = world_credentials("host_client.test");
    w->channel = rpc_channel_open(w->rpc, &(struct rpc_channel_options){
                                              .host = host,
                                              .port = port,
                                              .credentials = w->client_credentials,
                                              .on_up = on_up,
                                              .on_down = on_down,
                                              .arg = w,
                                          });
}

void world_connect_local(struct world *w, const char *path)
{
    w->channel = rpc_channel_open(w->rpc, &(struct rpc_channel_options){
                                              .local_socket = path,
                                              .on_up = on_up,
                                              .on_down = on_down,
                                              .arg = w,
                                          });
}

void world_connect_to_server(struct world *w)
{
    world_connect(w, w->address, rpc_server_port(w->server));
    world_wait(w, is_up);
}

static void on_message(struct rpc_stream *stream, ProtobufCMessage **message, void *arg)
{
    struct world *w = arg;
    const Frame *frame = (const Frame *)*message;

    (void)stream;
    w->messages++;
    w->payload_bytes += frame->data.len;
    w->last_number = frame->transfer;
    world_wake(w);
}

static void on_writable(struct rpc_stream *stream, void *arg)
{
    struct world *w = arg;

    (void)stream;
    w->writables++;
    world_wake(w);
}

static void on_end(struct rpc_stream *stream, enum rpc_end end, const char *text, void *arg)
{
    struct world *w = arg;

    (void)stream;
    w->stream = NULL;
    w->ended = true;
    w->end = end;
    snprintf(w->end_text, sizeof(w->end_text), "%s", text);
    world_wake(w);
}

const struct rpc_stream_events world_stream_events = {
    .on_message = on_message, .on_writable = on_writable, .on_end = on_end};

void world_open(struct world *w, const struct rpc_method *method)
{
    w->ended = false;
    w->messages = 0;
    w->payload_bytes = 0;
    w->stream = rpc_stream_open(w->channel, method, &world_stream_events, w);
    assert_non_null(w->stream);
}

bool world_send(struct world *w, uint32_t number, struct span payload)
{
    Frame head = COTERIE__V1__FETCH_FRAME__INIT;

    head.transfer = number;
    return rpc_stream_send_payload(w->stream, &head.base, 2, payload);
}

/* --- */

struct world *world_new(void)
{
    struct world *w = MEM_NEW(struct world);

    w->address = SERVER_HOST;
    w->loop = loop_new(WORKER_COUNT);
    w->rpc = rpc_new(w->loop, NULL);
    w->timer = loop_timer_new(w->loop, on_timeout, w);
    w->test_timer = loop_timer_new(w->loop, on_test_timer, w);
    return w;
}

void world_free(struct world *w)
{
    rpc_channel_close(w->channel);
    if (w->server)
        world_close_server(w, 0);
    rpc_free(w->rpc);
    auth_credentials_close(w->client_credentials);
    auth_credentials_close(w->server_credentials);
    loop_timer_free(w->timer);
    loop_timer_free(w->test_timer);
    loop_free(w->loop);
    free(w);
}
