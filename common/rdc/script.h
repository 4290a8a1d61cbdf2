/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/rdc/script.h: a segment's steps as they travel (frame.h). Private to the exchange.
 */
#ifndef COMMON_RDC_SCRIPT_H
#define COMMON_RDC_SCRIPT_H

#include "common/rdc/exchange.h"
#include "common/rdc/segment.h"

/* The steps of a push; @place is where they begin. */
void rdc_script_write_push(struct buf *script, const struct rdc_step *steps, size_t count,
                           struct rdc_place place);

/*
 * The steps of a pull.
 *
 * @goes_on    the run that the last step belongs to goes on in the next segment
 * @in_sliver  the sliver that would come next in the run under way; carried from segment to segment
 */
void rdc_script_write_pull(struct buf *script, const struct rdc_step *steps, size_t count,
                           struct rdc_place place, bool goes_on, uint64_t *in_sliver);

/* Does the step end with bytes that the plan of the receiver has? */
static inline bool rdc_step_ends_run(const struct rdc_step *step)
{
    return step->copy_length > 0 && !step->repeat && step->sliver_count == 0;
}

#endif
