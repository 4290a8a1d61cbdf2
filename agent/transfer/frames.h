/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/transfer/frames.h: frames of one transfer, in their order, on their way between the loop and
 * a worker. A plain value, handed over as a whole: frames_move().
 */
#ifndef AGENT_TRANSFER_FRAMES_H
#define AGENT_TRANSFER_FRAMES_H

#include "common/base/buf.h"

struct frame {
    struct frame *next;
    struct buf bytes;
};

/* Zero-initialised is empty. */
struct frames {
    struct frame *first;
    struct frame *last;
    size_t count;
};

void frames_clear(struct frames *frames);
void frames_add(struct frames *frames, struct span bytes); /* copied */
/* The buffer's memory becomes the frame's; an empty buffer adds nothing. */
void frames_take(struct frames *frames, struct buf *bytes);
void frames_drop_first(struct frames *frames); /* not when empty */
/* All of @from, which becomes empty, in front of what is in @to. */
void frames_move(struct frames *to, struct frames *from);

#endif
