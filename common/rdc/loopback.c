/* SPDX-License-Identifier: Apache-2.0 */
#include "common/rdc/loopback.h"

#include "common/base/scope.h"

/* Frames one way, each behind its size, oldest first. */
static void put(struct buf *queue, const struct buf *frame)
{
    if (frame->size == 0)
        return;
    buf_append(queue, &frame->size, sizeof(frame->size));
    buf_append(queue, frame->data, frame->size);
}

static struct span take(struct buf *queue, size_t *at)
{
    size_t size;

    if (*at == queue->size) {
        buf_clear(queue);
        *at = 0;
        return (struct span){0};
    }
    memcpy(&size, queue->data + *at, sizeof(size));
    struct span frame = span_of(queue->data + *at + sizeof(size), size);
    *at += sizeof(size) + size;
    return frame;
}

enum rdc_progress rdc_loopback(struct rdc_receiver *receiver, struct rdc_sender *sender)
{
    scope(buf) struct buf to_receiver = {0};
    scope(buf) struct buf to_sender = {0};
    scope(buf) struct buf frame = {0};
    size_t receiver_at = 0;
    size_t sender_at = 0;
    enum rdc_progress r = RDC_MORE_OUTPUT;
    enum rdc_progress s = RDC_WAIT;

    for (bool moved = true; moved;) {
        moved = false;
        struct span in = r == RDC_WAIT ? take(&to_receiver, &receiver_at) : (struct span){0};
        if (r == RDC_MORE_OUTPUT || (r == RDC_WAIT && in.size > 0)) {
            r = rdc_receive_step(receiver, in, &frame);
            put(&to_sender, &frame);
            moved = true;
            continue;
        }
        in = s == RDC_WAIT ? take(&to_sender, &sender_at) : (struct span){0};
        if (s == RDC_MORE_OUTPUT || (s == RDC_WAIT && in.size > 0)) {
            s = rdc_send_step(sender, in, &frame);
            put(&to_receiver, &frame);
            moved = true;
        }
    }
    /* content that was there already is never asked for */
    bool local = r == RDC_DONE && rdc_receive_stats(receiver)->way == RDC_WAY_LOCAL;
    return r == RDC_DONE && (s == RDC_DONE || local) ? RDC_DONE : RDC_FAILED;
}
