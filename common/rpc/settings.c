/* SPDX-License-Identifier: Apache-2.0 */
#include "common/rpc/settings.h"

#include "common/base/limits.h"
#include "common/rpc/tls.h"

#include <assert.h>
#include <grpc/compression.h>

static grpc_arg *next_arg(struct settings *settings, grpc_arg_type type, const char *key)
{
    assert(settings->list.num_args < SETTINGS_MAX);
    grpc_arg *arg = &settings->args[settings->list.num_args++];

    arg->type = type;
    arg->key = (char *)(uintptr_t)key; /* gRPC copies it */
    return arg;
}

static void set_number(struct settings *settings, const char *key, int value)
{
    next_arg(settings, GRPC_ARG_INTEGER, key)->value.integer = value;
}

static void set_common(struct settings *settings, const struct rpc *rpc)
{
    settings->list = (grpc_channel_args){.num_args = 0, .args = settings->args};
    set_number(settings, GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, RPC_MESSAGE_SIZE_MAX);
    /* a compressed message may be a bomb: stream.c refuses those that are left compressed */
    set_number(settings, GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0);
    /* a dead peer is found, on idle connections too */
    set_number(settings, GRPC_ARG_KEEPALIVE_TIME_MS, RPC_KEEPALIVE_MS);
    set_number(settings, GRPC_ARG_KEEPALIVE_TIMEOUT_MS, RPC_KEEPALIVE_REPLY_MS_MAX);
    set_number(settings, GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
    set_number(settings, GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0); /* no end after two */
    grpc_arg *quota = next_arg(settings, GRPC_ARG_POINTER, GRPC_ARG_RESOURCE_QUOTA);
    quota->value.pointer.p = rpc_quota(rpc);
    quota->value.pointer.vtable = grpc_resource_quota_arg_vtable();
}

void settings_for_channel(struct settings *settings, const struct rpc *rpc)
{
    set_common(settings, rpc);
    set_number(settings, GRPC_ARG_ENABLE_RETRIES, 0); /* would keep copies of messages */
    /* otherwise channels to one address share their connections, and with them their pins */
    set_number(settings, GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    set_number(settings, GRPC_ARG_ENABLE_HTTP_PROXY, 0); /* the environment's proxy is not ours */
    set_number(settings, GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1); /* no TXT look-ups */
    /* also bounds one connection attempt */
    set_number(settings, GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, RPC_TLS_HANDSHAKE_MS_MAX);
    /* the name in every certificate; without it each connection logs an error on the server */
    grpc_arg *name = next_arg(settings, GRPC_ARG_STRING, GRPC_SSL_TARGET_NAME_OVERRIDE_ARG);
    name->value.string = (char *)(uintptr_t)TLS_COMMON_NAME;
}

void settings_for_server(struct settings *settings, const struct rpc *rpc)
{
    set_common(settings, rpc);
    set_number(settings, GRPC_ARG_MAX_CONCURRENT_STREAMS, RPC_STREAMS_PER_CONNECTION_MAX);
    set_number(settings, GRPC_ARG_ALLOW_REUSEPORT, 0); /* two servers must not share a port */
    /* the default of five minutes drops clients whose keepalive is ours */
    set_number(settings, GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
               RPC_PING_INTERVAL_MS_MIN);
    /* the default of two minutes lets strangers hold descriptors */
    set_number(settings, GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, RPC_TLS_HANDSHAKE_MS_MAX);
}
