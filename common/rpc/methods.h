/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/rpc/methods.h: the methods of proto/fleet.proto, replication.proto and admin.proto, one
 * definition for both ends.
 */
#ifndef COMMON_RPC_METHODS_H
#define COMMON_RPC_METHODS_H

#include "common/rpc/rpc.h"

extern const struct rpc_method fleet_attach_method;
extern const struct rpc_method replication_replicate_method;
extern const struct rpc_method replication_fetch_method;
extern const struct rpc_method admin_get_status_method;
extern const struct rpc_method admin_rescan_method;
extern const struct rpc_method admin_verify_method;

#endif
