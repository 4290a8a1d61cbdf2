/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/rpc/resolve.h: host names to gRPC targets, by the system's resolver on a worker. gRPC's
 * own resolvers would read their environment and do look-ups of their own.
 */
#ifndef COMMON_RPC_RESOLVE_H
#define COMMON_RPC_RESOLVE_H

#include "common/base/limits.h"
#include "common/rpc/engine.h"

struct resolve;

struct resolved {
    char *targets[RPC_ADDRESSES_MAX]; /* "ipv4:192.0.2.1:4711", "ipv6:[2001:db8::1]:4711" */
    size_t count;      /* 0: there is no address */
    const char *error; /* why, then */
};

typedef void (*resolve_fn)(const struct resolved *resolved, void *arg);

/* Calls @fn once on the loop thread, never before this call returns, unless cancelled. */
struct resolve *resolve_start(struct rpc *rpc, const char *host, uint16_t port, resolve_fn fn,
                              void *arg);
void resolve_cancel(struct resolve *resolve);

#endif
