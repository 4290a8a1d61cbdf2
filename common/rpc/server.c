/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every call comes in through one generic request, of which several stand ready; which method it
 * is, and whose, is looked up here: unknown ones are answered, not left hanging.
 *
 * Closing: gRPC stops listening at once; the streams of our users get their grace; then the
 * Authenticate streams are ended and what is left is cut. The memory goes when gRPC has given
 * everything back.
 */
#include "common/rpc/rpc.h"

#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/rpc/gate.h"
#include "common/rpc/listen.h"
#include "common/rpc/login.h"
#include "common/rpc/settings.h"

#include <assert.h>
#include <grpc/support/alloc.h>
#include <stdlib.h>
#include <unistd.h>

#define SLOT_COUNT 16

/* A request for the next call, standing ready at gRPC. */
struct slot {
    struct rpc_op op;
    struct rpc_server *server;
    grpc_call *call;
    grpc_call_details details;
    grpc_metadata_array metadata;
};

struct rpc_server {
    struct rpc *rpc;
    grpc_server *grpc;
    struct tls_identity *identity;
    struct sessions *sessions;
    struct gate *gate;
    const struct log_ctx *log;
    struct rpc_service_method *methods;
    size_t method_count;
    char *local_socket; /* NULL: none */
    uint16_t port;

    struct stream_list streams; /* of our users */
    struct stream_list own;     /* Authenticate, and those being refused */
    unsigned user_stream_count; /* memory not yet gone */
    unsigned own_stream_count;

    struct slot slots[SLOT_COUNT];
    unsigned slots_out; /* with gRPC */

    bool closing;
    bool cut; /* grace is over */
    bool shut_down;
    struct rpc_op op_shutdown;
    struct loop_timer *grace_timer;
    loop_fn done;
    void *done_arg;
};

static void close_advance(struct rpc_server *server);

/* --- calls --- */

static void on_user_stream_gone(void *arg)
{
    struct rpc_server *server = arg;

    server->user_stream_count--;
    close_advance(server);
}

static void on_own_stream_gone(void *arg)
{
    struct rpc_server *server = arg;

    server->own_stream_count--;
    close_advance(server);
}

static const struct rpc_service_method *find_method(const struct rpc_server *server,
                                                    grpc_slice path)
{
    for (size_t i = 0; i < server->method_count; i++)
        if (grpc_slice_str_cmp(path, server->methods[i].method->path) == 0)
            return &server->methods[i];
    return NULL;
}

static struct rpc_stream *own_stream(struct rpc_server *server, grpc_call *call, const char *peer)
{
    const struct stream_options options = {
        .rpc = server->rpc,
        .list = &server->own,
        .peer = peer,
        .principal = "",
        .on_gone = on_own_stream_gone,
        .gone_arg = server,
    };

    server->own_stream_count++;
    return stream_incoming(&options, call, NULL);
}

static void refuse(struct rpc_server *server, grpc_call *call, const char *peer, enum rpc_end end,
                   const char *text)
{
    rpc_stream_finish(own_stream(server, call, peer), end, text);
}

static void open_stream(struct rpc_server *server, grpc_call *call, const char *peer,
                        const struct rpc_service_method *method, const struct session *session)
{
    const struct stream_options options = {
        .rpc = server->rpc,
        .list = &server->streams,
        .peer = peer,
        .principal = session->principal,
        .session = session->id,
        .on_gone = on_user_stream_gone,
        .gone_arg = server,
    };

    server->user_stream_count++;
    method->on_open(stream_incoming(&options, call, method->method), method->arg);
}

/* Strangers may only authenticate; they do not even learn which methods there are. */
static void dispatch(struct rpc_server *server, grpc_call *call, grpc_slice path, const char *peer)
{
    static const struct session local_session = {.id = 0, .principal = "local"};
    struct tls_peer tls = tls_peer_of(call);
    /* the network port demands a certificate of everybody */
    bool local = server->local_socket && tls.certificate_pem.size == 0;
    const struct session *session = local ? &local_session
                                          : sessions_find(server->sessions, tls.certificate_pem,
                                                          loop_now(rpc_loop(server->rpc)));
    const struct rpc_service_method *method = find_method(server, path);

    if (server->closing)
        refuse(server, call, peer, RPC_END_STOPPED, "the server is shutting down");
    else if (grpc_slice_str_cmp(path, AUTHENTICATE_PATH) == 0 &&
             (local || tls.certificate_pem.size > 0))
        gate_admit(server->gate, own_stream(server, call, peer), tls.certificate_pem);
    else if (!session)
        refuse(server, call, peer, RPC_END_UNAUTHENTIC, "authenticate first");
    else if (!method)
        refuse(server, call, peer, RPC_END_BAD, "there is no such method here");
    else if (method->local_only && !local)
        refuse(server, call, peer, RPC_END_DENIED,
               "this method is served on the local socket only");
    else if (server->user_stream_count >= RPC_STREAMS_MAX)
        refuse(server, call, peer, RPC_END_BUSY, "too many streams are open here");
    else
        open_stream(server, call, peer, method, session);
    tls_peer_fini(&tls);
}

static void slot_request(struct slot *slot)
{
    struct rpc_server *server = slot->server;

    slot->call = NULL;
    grpc_call_details_init(&slot->details);
    grpc_metadata_array_init(&slot->metadata);
    grpc_call_error error = grpc_server_request_call(server->grpc, &slot->call, &slot->details,
                                                     &slot->metadata, rpc_queue(server->rpc),
                                                     rpc_queue(server->rpc), rpc_op_tag(&slot->op));
    assert(error == GRPC_CALL_OK);
    (void)error;
    server->slots_out++;
}

static void on_call(struct rpc_op *op, bool ok)
{
    struct slot *slot = RPC_OWNER(op, struct slot, op);
    struct rpc_server *server = slot->server;

    server->slots_out--;
    if (ok) {
        char *peer = grpc_call_get_peer(slot->call);
        dispatch(server, slot->call, slot->details.method, peer);
        gpr_free(peer);
    }
    grpc_call_details_destroy(&slot->details);
    grpc_metadata_array_destroy(&slot->metadata);
    if (ok && !server->closing)
        slot_request(slot);
    close_advance(server);
}

/* --- closing --- */

static void server_free(struct rpc_server *server)
{
    if (server->grpc)
        grpc_server_destroy(server->grpc);
    if (server->local_socket)
        unlink(server->local_socket);
    gate_free(server->gate);
    sessions_free(server->sessions);
    tls_identity_free(server->identity);
    loop_timer_free(server->grace_timer);
    free(server->local_socket);
    free(server->methods);
    free(server);
}

static void cut_everything(struct rpc_server *server)
{
    server->cut = true;
    gate_shut(server->gate);
    stream_list_abort(&server->streams, 0, RPC_END_STOPPED, "the server is shutting down");
}

static void close_advance(struct rpc_server *server)
{
    if (!server->closing)
        return;
    if (!server->cut && server->user_stream_count == 0)
        cut_everything(server);
    if (!server->shut_down || server->slots_out > 0 || server->user_stream_count > 0 ||
        server->own_stream_count > 0)
        return;
    loop_fn done = server->done;
    void *done_arg = server->done_arg;
    server_free(server);
    if (done)
        done(done_arg);
}

static void on_grace_over(void *arg)
{
    struct rpc_server *server = arg;

    if (!server->cut)
        cut_everything(server);
}

static void on_shut_down(struct rpc_op *op, bool ok)
{
    struct rpc_server *server = RPC_OWNER(op, struct rpc_server, op_shutdown);

    (void)ok;
    server->shut_down = true;
    close_advance(server);
}

void rpc_server_close(struct rpc_server *server, int64_t grace_ms, loop_fn done, void *arg)
{
    assert(!server->closing);
    server->closing = true;
    server->done = done;
    server->done_arg = arg;
    server->op_shutdown.fn = on_shut_down;
    grpc_server_shutdown_and_notify(server->grpc, rpc_queue(server->rpc),
                                    rpc_op_tag(&server->op_shutdown));
    loop_timer_start(server->grace_timer, grace_ms);
    close_advance(server);
}

/* --- opening --- */

static struct rpc_server *server_new(struct rpc *rpc, const struct rpc_server_options *options)
{
    struct rpc_server *server = MEM_NEW(struct rpc_server);
    struct settings settings;

    server->rpc = rpc;
    server->log = options->log ? options->log : rpc_log(rpc);
    server->identity = tls_identity_new();
    server->sessions = sessions_new();
    LIST_INIT(&server->streams);
    LIST_INIT(&server->own);
    server->methods = mem_copy(options->methods, options->method_count * sizeof(*options->methods));
    server->method_count = options->method_count;
    server->grace_timer = loop_timer_new(rpc_loop(rpc), on_grace_over, server);
    server->gate = gate_new(&(struct gate_options){
        .rpc = rpc,
        .credentials = options->credentials,
        .identity = server->identity,
        .sessions = server->sessions,
        .streams = &server->streams,
        .log = server->log,
        .on_refused = options->on_refused,
        .arg = options->arg,
    });
    settings_for_server(&settings, rpc);
    server->grpc = grpc_server_create(&settings.list, NULL);
    grpc_server_register_completion_queue(server->grpc, rpc_queue(rpc), NULL);
    return server;
}

static enum status listen_on_all(struct rpc_server *server,
                                 const struct rpc_server_options *options)
{
    enum status st = ST_OK;

    if (options->address)
        st = listen_network(server->grpc, server->identity, options->address, options->port,
                            server->log, &server->port);
    if (st == ST_OK && options->local_socket) {
        st = listen_local(server->grpc, options->local_socket, server->log);
        if (st == ST_OK)
            server->local_socket = mem_copy_string(options->local_socket);
    }
    return st;
}

enum status rpc_server_open(struct rpc *rpc, const struct rpc_server_options *options,
                            struct rpc_server **out_server)
{
    assert(options->credentials || !options->address);
    struct rpc_server *server = server_new(rpc, options);
    enum status st = listen_on_all(server, options);

    if (st != ST_OK) {
        /* gRPC frees a server that never started only after a shutdown */
        rpc_server_close(server, 0, NULL, NULL);
        return st;
    }
    grpc_server_start(server->grpc);
    for (size_t i = 0; i < SLOT_COUNT; i++) {
        server->slots[i].server = server;
        server->slots[i].op.fn = on_call;
        slot_request(&server->slots[i]);
    }
    *out_server = server;
    return ST_OK;
}

uint16_t rpc_server_port(const struct rpc_server *server)
{
    return server->port;
}
