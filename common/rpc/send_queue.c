/* SPDX-License-Identifier: Apache-2.0 */
#include "common/rpc/send_queue.h"

#include "common/base/limits.h"

#include <assert.h>

static_assert(RPC_SEND_QUEUE_BYTES_LOW < RPC_SEND_QUEUE_BYTES_HIGH, "low mark below high mark");
static_assert(RPC_SEND_QUEUE_BYTES_MAX > RPC_SEND_QUEUE_BYTES_HIGH + RPC_MESSAGE_SIZE_MAX,
              "who heeds the high mark never meets the limit");

void send_queue_init(struct send_queue *queue)
{
    STAILQ_INIT(&queue->items);
    queue->bytes = 0;
    queue->full = false;
}

bool send_queue_push(struct send_queue *queue, struct send_item *item)
{
    STAILQ_INSERT_TAIL(&queue->items, item, link);
    queue->bytes += item->size;
    if (queue->bytes >= RPC_SEND_QUEUE_BYTES_HIGH)
        queue->full = true;
    return !queue->full;
}

struct send_item *send_queue_pop(struct send_queue *queue)
{
    struct send_item *item = STAILQ_FIRST(&queue->items);

    if (item)
        STAILQ_REMOVE_HEAD(&queue->items, link);
    return item;
}

bool send_queue_done(struct send_queue *queue, size_t size)
{
    assert(size <= queue->bytes);
    queue->bytes -= size;
    if (!queue->full || queue->bytes > RPC_SEND_QUEUE_BYTES_LOW)
        return false;
    queue->full = false;
    return true;
}
