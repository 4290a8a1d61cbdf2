/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/rpc/settings.h: what we tell gRPC of ourselves; the reasons stand beside each setting.
 */
#ifndef COMMON_RPC_SETTINGS_H
#define COMMON_RPC_SETTINGS_H

#include "common/rpc/engine.h"

#define SETTINGS_MAX 16

struct settings {
    grpc_arg args[SETTINGS_MAX];
    grpc_channel_args list; /* points to args: do not copy the struct */
};

void settings_for_channel(struct settings *settings, const struct rpc *rpc);
void settings_for_server(struct settings *settings, const struct rpc *rpc);

#endif
