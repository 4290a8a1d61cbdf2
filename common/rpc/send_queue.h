/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/rpc/send_queue.h: messages that wait for the one in flight, and when to say stop. Pure.
 *
 * The queue counts the bytes of all messages from push to done, including the one in flight.
 */
#ifndef COMMON_RPC_SEND_QUEUE_H
#define COMMON_RPC_SEND_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

struct send_item {
    STAILQ_ENTRY(send_item) link;
    size_t size;
};

struct send_queue {
    STAILQ_HEAD(, send_item) items;
    size_t bytes;
    bool full; /* said stop, and not yet go on */
};

void send_queue_init(struct send_queue *queue);

/* The queue links @item, it does not own it. Returns true while below the high mark. */
bool send_queue_push(struct send_queue *queue, struct send_item *item);

/* The next to send, or NULL; its bytes count until send_queue_done(). */
struct send_item *send_queue_pop(struct send_queue *queue);

/* A popped item of @size bytes has been sent. Returns true once for each time that push returned
 * false: when the queue has fallen to its low mark. */
bool send_queue_done(struct send_queue *queue, size_t size);

#endif
