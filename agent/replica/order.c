/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/replica/order.h"

#include "common/base/mem.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>

struct order_node {
    void *item;
    unsigned level_count;
    struct order_node *next[];
};

void order_init(struct order *order, int (*compare)(const void *a, const void *b))
{
    *order = (struct order){.compare = compare, .dice = 0x9e3779b9};
}

void order_fini(struct order *order)
{
    for (struct order_node *node = order->first[0]; node != NULL;) {
        struct order_node *next = node->next[0];

        free(node);
        node = next;
    }
    *order = (struct order){.compare = order->compare};
}

/* One level in four reaches the next. */
static unsigned roll(struct order *order)
{
    unsigned levels = 1;

    order->dice ^= order->dice << 13;
    order->dice ^= order->dice >> 17;
    order->dice ^= order->dice << 5;
    for (uint32_t bits = order->dice; levels < ORDER_LEVEL_COUNT && (bits & 3) == 0; bits >>= 2)
        levels++;
    return levels;
}

/*
 * Walk down to @key. @links[level], when asked for, becomes the pointer that leads to the first
 * node not below @key (or above it, with @above). Returns that node of the lowest level.
 */
static struct order_node *walk(const struct order *order, const void *key, bool above,
                               struct order_node **links[])
{
    struct order_node *before = NULL;
    struct order_node *next = NULL;

    for (unsigned level = order->level_count; level-- > 0;) {
        next = before != NULL ? before->next[level] : order->first[level];
        while (next != NULL && order->compare(next->item, key) < (above ? 1 : 0)) {
            before = next;
            next = before->next[level];
        }
        if (links != NULL && before != NULL)
            links[level] = &before->next[level];
    }
    return next;
}

void order_insert(struct order *order, void *item)
{
    struct order_node **links[ORDER_LEVEL_COUNT];
    unsigned level_count = roll(order);
    struct order_node *node = mem_new(1, sizeof(*node) + level_count * sizeof(node->next[0]));

    for (unsigned level = 0; level < ORDER_LEVEL_COUNT; level++)
        links[level] = &order->first[level];
    walk(order, item, false, links);
    node->item = item;
    node->level_count = level_count;
    if (level_count > order->level_count)
        order->level_count = level_count;
    for (unsigned level = 0; level < level_count; level++) {
        node->next[level] = *links[level];
        *links[level] = node;
    }
    order->count++;
}

void order_remove(struct order *order, const void *item)
{
    struct order_node **links[ORDER_LEVEL_COUNT];

    for (unsigned level = 0; level < ORDER_LEVEL_COUNT; level++)
        links[level] = &order->first[level];

    struct order_node *node = walk(order, item, false, links);

    assert(node != NULL && node->item == item);
    for (unsigned level = 0; level < node->level_count; level++)
        *links[level] = node->next[level];
    free(node);
    order->count--;
}

void *order_from(const struct order *order, const void *key)
{
    struct order_node *node = walk(order, key, false, NULL);

    return node != NULL ? node->item : NULL;
}

void *order_after(const struct order *order, const void *key)
{
    struct order_node *node = walk(order, key, true, NULL);

    return node != NULL ? node->item : NULL;
}

void *order_first(const struct order *order)
{
    return order->first[0] != NULL ? order->first[0]->item : NULL;
}
