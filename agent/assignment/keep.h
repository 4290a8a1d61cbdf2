/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/assignment/keep.h: the last good assignment, on disk, so that replication goes on when the
 * controller is away. The file holds the serialised proto/assignment.proto message.
 */
#ifndef AGENT_ASSIGNMENT_KEEP_H
#define AGENT_ASSIGNMENT_KEEP_H

#include "common/base/log.h"
#include "common/model/assignment.h"

/* ST_GONE: none was ever kept. A damaged file is reported once and counts as none. Blocks. */
NODISCARD enum status assignment_load(const struct log_ctx *log, const char *path,
                                      struct assignment **out_assignment);

/* @bytes as they came from the controller, already decoded once. Durable on ST_OK. Blocks. */
NODISCARD enum status assignment_keep(const struct log_ctx *log, const char *path,
                                      struct span bytes);

#endif
