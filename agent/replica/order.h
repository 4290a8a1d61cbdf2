/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/replica/order.h: pointers kept in an order of their own (a skip list).
 *
 * The order holds pointers, never what they point to. No two items compare as equal; an item is taken
 * out before what it is compared by changes. Levels come from a fixed generator: the same calls build
 * the same list, so a simulation repeats exactly.
 */
#ifndef AGENT_REPLICA_ORDER_H
#define AGENT_REPLICA_ORDER_H

#include <stddef.h>
#include <stdint.h>

#define ORDER_LEVEL_COUNT 16

struct order_node;

struct order {
    int (*compare)(const void *a, const void *b);
    struct order_node *first[ORDER_LEVEL_COUNT];
    unsigned level_count; /* the most that a node has had */
    uint32_t dice;
    size_t count;
};

void order_init(struct order *order, int (*compare)(const void *a, const void *b));
void order_fini(struct order *order);

void order_insert(struct order *order, void *item);
/* @item must be there. */
void order_remove(struct order *order, const void *item);

/* The first item that is not below @key, or NULL. @key is compared as an item. */
void *order_from(const struct order *order, const void *key);
/* The first item above @key, or NULL. */
void *order_after(const struct order *order, const void *key);
void *order_first(const struct order *order);

#endif
