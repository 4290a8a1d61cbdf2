/* SPDX-License-Identifier: Apache-2.0 */
/* agent/transfer/stage_scratch.h: room in the staging area, and of its quota, for what the RDC
 * engine unpacks. */
#ifndef AGENT_TRANSFER_STAGE_SCRATCH_H
#define AGENT_TRANSFER_STAGE_SCRATCH_H

#include "agent/stage/stage.h"
#include "common/rdc/scratch.h"

/* Borrows @stage. Any thread. */
struct rdc_scratches stage_scratches(struct stage *stage);

#endif
