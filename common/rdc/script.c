/* SPDX-License-Identifier: Apache-2.0 */
#include "common/rdc/script.h"

#include "common/rdc/frame.h"

void rdc_script_write_push(struct buf *script, const struct rdc_step *steps, size_t count,
                           struct rdc_place place)
{
    for (size_t i = 0; i < count; i++) {
        const struct rdc_step *step = &steps[i];
        uint64_t expected = place.base_offset + step->literal_length;
        uint64_t offset = step->base_offset + (step->repeat ? place.base_size : 0);

        write_varint(script, step->literal_length);
        write_varint(script, step->copy_length);
        if (step->copy_length > 0)
            write_varint(script, zigzag((int64_t)(offset - expected)));
        rdc_place_advance(&place, step);
    }
}

/* @more: after this step there is more of the run that the receiver asked for. */
static void write_pull_step(struct buf *script, const struct rdc_step *step, uint64_t offset,
                            bool more, uint64_t *sliver)
{
    uint64_t head = step->literal_length * PULL_STEP_ROOM;

    if (step->sliver_count > 0) {
        write_varint(script, head + PULL_SLIVERS);
        *sliver += step->literal_length > 0;
        write_varint(script, zigzag((int64_t)(step->sliver_first - *sliver)));
        write_varint(script, (uint64_t)step->sliver_count * 2 + more);
        *sliver = (uint64_t)step->sliver_first + step->sliver_count;
    } else if (step->repeat) {
        write_varint(script, head + PULL_REPEAT);
        write_varint(script, step->copy_length * 2 + more);
        write_varint(script, offset + step->literal_length - step->base_offset);
    } else if (step->literal_length > 0) {
        write_varint(script, head + (more ? PULL_RUN_GOES_ON : PULL_RUN_ENDS));
    }
    if (!more)
        *sliver = 0;
}

void rdc_script_write_pull(struct buf *script, const struct rdc_step *steps, size_t count,
                           struct rdc_place place, bool goes_on, uint64_t *in_sliver)
{
    for (size_t i = 0; i < count; i++) {
        const struct rdc_step *step = &steps[i];
        const struct rdc_step *next = i + 1 < count ? step + 1 : NULL;
        bool more =
            next ? next->literal_length > 0 || next->repeat || next->sliver_count > 0 : goes_on;

        write_pull_step(script, step, place.offset, more && !rdc_step_ends_run(step), in_sliver);
        rdc_place_advance(&place, step);
    }
}
