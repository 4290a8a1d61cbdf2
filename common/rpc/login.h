/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/rpc/login.h: a client's Authenticate stream (see proto/authentication.proto).
 *
 * The stream stays open while the session is wanted, so its end is also how a lost connection
 * shows.
 */
#ifndef COMMON_RPC_LOGIN_H
#define COMMON_RPC_LOGIN_H

#include "common/rpc/stream.h"
#include "common/rpc/tls.h"

#define AUTHENTICATE_PATH "/coterie.v1.Authentication/Authenticate"

struct login;

struct login_options {
    struct rpc *rpc;
    grpc_channel *channel;
    const char *target;
    const struct tls_identity *identity; /* NULL: a local socket, no handshake */
    struct auth_credentials *credentials;
    const char *service;
    const char *host;
    /* We are in. @lifetime_s is 0 on a local socket: for ever. */
    void (*on_in)(struct login *login, const char *principal, uint32_t lifetime_s, void *arg);
    /* Refused, failed or lost; cause and remedy in @text. The login is freed after the callback.
     * Comes once, unless cancelled. */
    void (*on_end)(struct login *login, enum rpc_end end, const char *text, void *arg);
    void *arg;
};

struct login *login_start(const struct login_options *options);
/* Ends the session if the login still holds it. NULL allowed; not within on_end. */
void login_cancel(struct login *login);

#endif
