/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/agent.h: the agent as a whole: its folders against its assignment, its server, its link to
 * the controllers.
 */
#ifndef AGENT_AGENT_H
#define AGENT_AGENT_H

#include "agent/config.h"
#include "common/base/guid.h"
#include "common/os/loop.h"

#include "proto/admin.pb-c.h"

struct agent;

/* @config is borrowed. Errors are logged, each with its remedy. */
NODISCARD enum status agent_start(struct loop *loop, const struct agent_config *config,
                                  const struct log_ctx *log, struct agent **out_agent);
/* Ends everything in order, then stops the loop. agent_free() after loop_run() has returned. */
void agent_stop(struct agent *agent);
void agent_free(struct agent *agent);

/* Free with agent_status_free(). */
Coterie__V1__AgentStatus *agent_status(struct agent *agent);
void agent_status_free(Coterie__V1__AgentStatus *status);

/* Look at all folders' trees again, or at one's (@folder not NULL); @done when all are recorded. */
void agent_rescan(struct agent *agent, const struct guid *folder, loop_fn done, void *arg);
/* The same, and begin to hold the records of all partners against ours. */
void agent_verify(struct agent *agent, const struct guid *folder, loop_fn done, void *arg);

#endif
