/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/transfer/frames.h"

#include "common/base/mem.h"

#include <stdlib.h>

void frames_clear(struct frames *frames)
{
    while (frames->first)
        frames_drop_first(frames);
}

static struct buf *append(struct frames *frames)
{
    struct frame *frame = MEM_NEW(struct frame);

    if (frames->last)
        frames->last->next = frame;
    else
        frames->first = frame;
    frames->last = frame;
    frames->count++;
    return &frame->bytes;
}

void frames_add(struct frames *frames, struct span bytes)
{
    buf_append(append(frames), bytes.data, bytes.size);
}

void frames_take(struct frames *frames, struct buf *bytes)
{
    if (bytes->size == 0)
        return;
    *append(frames) = *bytes;
    *bytes = (struct buf){0};
}

void frames_drop_first(struct frames *frames)
{
    struct frame *frame = frames->first;

    frames->first = frame->next;
    if (!frames->first)
        frames->last = NULL;
    frames->count--;
    buf_fini(&frame->bytes);
    free(frame);
}

void frames_move(struct frames *to, struct frames *from)
{
    if (!from->first)
        return;
    from->last->next = to->first;
    if (!to->last)
        to->last = from->last;
    to->first = from->first;
    to->count += from->count;
    *from = (struct frames){0};
}
