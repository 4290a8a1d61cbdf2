/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/rpc/grpc_log.h: what gRPC itself logs, in our log, at most a line now and then.
 */
#ifndef COMMON_RPC_GRPC_LOG_H
#define COMMON_RPC_GRPC_LOG_H

/* For the whole process; may be called again. */
void grpc_log_route(void);

#endif
