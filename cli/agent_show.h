/* SPDX-License-Identifier: Apache-2.0 */
/* cli/agent_show.h: an agent's answer for people and programs. */
#ifndef CLI_AGENT_SHOW_H
#define CLI_AGENT_SHOW_H

#include "proto/admin.pb-c.h"

#include <stdbool.h>
#include <stdio.h>

/* Both return the exit code. */

/* Folders, connections, problems. CLI_UNHEALTHY when a folder or connection is not well. */
int agent_show_status(const Coterie__V1__AgentStatus *status, bool json, FILE *to);

/*
 * CLI_WELL when at least one folder is assigned, and in each enabled one all enabled connections
 * of both directions are in sync and nothing is under way; else CLI_UNHEALTHY with each reason.
 * What the agent does not report counts as not in sync.
 */
int agent_show_idle(const Coterie__V1__AgentStatus *status, bool json, FILE *to);

#endif
