/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/rpc/listen.h: opening a server's port and local socket, with errors that say why: gRPC
 * itself only says that it could not.
 */
#ifndef COMMON_RPC_LISTEN_H
#define COMMON_RPC_LISTEN_H

#include "common/base/log.h"
#include "common/base/status.h"
#include "common/rpc/tls.h"

#include <grpc/grpc.h>

/* @port 0: any. Errors, with one log line: ST_REFUSED or ST_IO. */
NODISCARD enum status listen_network(grpc_server *server, const struct tls_identity *identity,
                                     const char *address, uint16_t port,
                                     const struct log_ctx *log, uint16_t *out_port);

/* A socket file of mode 0600 that nobody else can have connected to before it had that mode. */
NODISCARD enum status listen_local(grpc_server *server, const char *path,
                                   const struct log_ctx *log);

#endif
