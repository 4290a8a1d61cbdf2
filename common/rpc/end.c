/* SPDX-License-Identifier: Apache-2.0 */
#include "common/rpc/end.h"

grpc_status_code code_of_end(enum rpc_end end)
{
    switch (end) {
    case RPC_END_OK:
        return GRPC_STATUS_OK;
    case RPC_END_UNREACHABLE:
        return GRPC_STATUS_UNAVAILABLE;
    case RPC_END_UNAUTHENTIC:
        return GRPC_STATUS_UNAUTHENTICATED;
    case RPC_END_DENIED:
        return GRPC_STATUS_PERMISSION_DENIED;
    case RPC_END_BAD:
        return GRPC_STATUS_INVALID_ARGUMENT;
    case RPC_END_BUSY:
        return GRPC_STATUS_RESOURCE_EXHAUSTED;
    case RPC_END_STOPPED:
        return GRPC_STATUS_ABORTED;
    case RPC_END_NOT_FOUND:
        return GRPC_STATUS_NOT_FOUND;
    }
    return GRPC_STATUS_UNKNOWN;
}

enum rpc_end end_of_code(grpc_status_code code)
{
    switch ((int)code) {
    case GRPC_STATUS_OK:
        return RPC_END_OK;
    case GRPC_STATUS_UNAVAILABLE:
    case GRPC_STATUS_DEADLINE_EXCEEDED:
        return RPC_END_UNREACHABLE;
    case GRPC_STATUS_UNAUTHENTICATED:
        return RPC_END_UNAUTHENTIC;
    case GRPC_STATUS_PERMISSION_DENIED:
        return RPC_END_DENIED;
    case GRPC_STATUS_RESOURCE_EXHAUSTED:
        return RPC_END_BUSY;
    case GRPC_STATUS_ABORTED:
    case GRPC_STATUS_CANCELLED:
        return RPC_END_STOPPED;
    case GRPC_STATUS_NOT_FOUND:
        return RPC_END_NOT_FOUND;
    default:
        return RPC_END_BAD;
    }
}

const char *rpc_end_name(enum rpc_end end)
{
    switch (end) {
    case RPC_END_OK:
        return "ok";
    case RPC_END_UNREACHABLE:
        return "unreachable";
    case RPC_END_UNAUTHENTIC:
        return "unauthentic";
    case RPC_END_DENIED:
        return "denied";
    case RPC_END_BAD:
        return "bad";
    case RPC_END_BUSY:
        return "busy";
    case RPC_END_STOPPED:
        return "stopped";
    case RPC_END_NOT_FOUND:
        return "not-found";
    }
    return "unknown";
}
