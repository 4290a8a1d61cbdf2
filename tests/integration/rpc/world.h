/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/integration/rpc/world.h: a client and an echo server in one process, under a real KDC.
 *
 * world_wait() runs the loop until a condition holds; every callback below wakes it. The
 * environment is that of tests/support/kdc.sh: $KDC_DIR holds the keytabs.
 */
#ifndef TESTS_INTEGRATION_RPC_WORLD_H
#define TESTS_INTEGRATION_RPC_WORLD_H

#include "common/auth/auth.h"
#include "common/base/buf.h"
#include "common/rpc/rpc.h"

#include "proto/replication.pb-c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define SERVER_HOST "127.0.0.1"

typedef Coterie__V1__FetchFrame Frame; /* a number and bytes: all that echoing needs */

struct world {
    struct loop *loop;
    struct rpc *rpc;
    struct loop_timer *timer;
    bool timed_out;
    struct loop_timer *test_timer;
    bool timer_fired;

    const char *address; /* of the server, SERVER_HOST */
    struct auth_credentials *server_credentials;
    struct rpc_server *server;
    bool server_closed;
    unsigned streams_opened; /* at the server */
    unsigned streams_ended;
    char opener[256];
    unsigned refused_count;
    char refused_principal[256];
    char refused_text[1024];

    struct auth_credentials *client_credentials;
    struct rpc_channel *channel;
    unsigned ups;
    unsigned downs;
    enum rpc_end down_end;
    char down_text[1024];

    struct rpc_stream *stream;
    unsigned messages;
    uint64_t payload_bytes;
    uint32_t last_number;
    unsigned writables;
    bool ended;
    enum rpc_end end;
    char end_text[1024];
};

/* "/coterie.test.Echo/Echo" and friends; served by world_serve(). */
extern const struct rpc_method echo_method;    /* sends each message back */
extern const struct rpc_method local_method;   /* the same, on the local socket only */
extern const struct rpc_method silent_method;  /* never reads: accepts and pauses */
extern const struct rpc_method unknown_method; /* not served */

struct world *world_new(void);
void world_free(struct world *w); /* closes all that is open, and waits for it */

/* "$KDC_SCRIPT rekey": the principal's keytab is old from now on. */
void world_rekey(const char *principal);
/* $KDC_DIR/name.keytab */
struct auth_credentials *world_credentials(const char *keytab_name);

/* An echo server as host/127.0.0.1, unless address and server_credentials are set before. */
void world_serve(struct world *w, uint16_t port, const char *local_socket);
void world_close_server(struct world *w, int64_t grace_ms);

/* A channel as host/client.test, unless client_credentials are set before. */
void world_connect(struct world *w, const char *host, uint16_t port);
void world_connect_local(struct world *w, const char *path);
void world_connect_to_server(struct world *w); /* and wait until it is up */

void world_open(struct world *w, const struct rpc_method *method);
bool world_send(struct world *w, uint32_t number, struct span payload);

/* Run the loop until the condition holds; fails the test after 30 s. */
typedef bool (*world_condition)(const struct world *w);
void world_wait(struct world *w, world_condition condition);
/* Sets timer_fired when the time has come. */
void world_start_timer(struct world *w, int64_t delay_ms);
/* Something happened: look at the condition again. */
void world_wake(struct world *w);

bool is_up(const struct world *w);
bool is_down(const struct world *w);
bool has_ended(const struct world *w);
bool has_message(const struct world *w);
bool server_stream_ended(const struct world *w);
bool is_refused(const struct world *w);

extern const struct rpc_stream_events world_stream_events;

#endif
