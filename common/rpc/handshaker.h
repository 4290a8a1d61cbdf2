/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/rpc/handshaker.h: steps of an auth_handshake on a worker, one at a time.
 */
#ifndef COMMON_RPC_HANDSHAKER_H
#define COMMON_RPC_HANDSHAKER_H

#include "common/auth/auth.h"
#include "common/rpc/engine.h"

struct handshaker;

/* @out is borrowed for the call. The callback may free the handshaker. */
typedef void (*handshaker_fn)(enum auth_step step, struct span out, void *arg);

struct handshaker *handshaker_new(struct rpc *rpc, enum rpc_lane lane,
                                  struct auth_handshake *take_handshake, handshaker_fn fn,
                                  void *arg);
void handshaker_free(struct handshaker *handshaker); /* NULL allowed; a step may be running */

/* Do the next step; @fn gets its result later. Not while one is running. */
void handshaker_feed(struct handshaker *handshaker, struct span in);
bool handshaker_is_busy(const struct handshaker *handshaker);

/* Not while a step is running. */
const struct auth_handshake *handshaker_result(const struct handshaker *handshaker);

#endif
