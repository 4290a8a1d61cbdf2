/* SPDX-License-Identifier: Apache-2.0 */
/* agent/admin.h: the Admin service on the local socket, for `coterie agent …`. */
#ifndef AGENT_ADMIN_H
#define AGENT_ADMIN_H

#include "common/rpc/rpc.h"

/* rpc_service_method.on_open; @agent is struct agent. */
void admin_on_get_status(struct rpc_stream *stream, void *agent);
void admin_on_rescan(struct rpc_stream *stream, void *agent);
void admin_on_verify(struct rpc_stream *stream, void *agent);

#endif
