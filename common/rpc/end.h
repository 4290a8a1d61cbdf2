/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/rpc/end.h: how a stream ended, as gRPC's status codes say it on the wire.
 */
#ifndef COMMON_RPC_END_H
#define COMMON_RPC_END_H

#include "common/rpc/rpc.h"

#include <grpc/status.h>

/* Every end has a code of its own: end_of_code(code_of_end(end)) == end. */
grpc_status_code code_of_end(enum rpc_end end);
/* Any number a peer may send has an end. */
enum rpc_end end_of_code(grpc_status_code code);

#endif
