/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/world.h"

#include "common/base/mem.h"

static bool is_before(const struct event *a, const struct event *b)
{
    return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->order < b->order;
}

static void swap(struct event *a, struct event *b)
{
    struct event held = *a;

    *a = *b;
    *b = held;
}

void world_queue(struct world *world, int64_t delay_ms, struct event event)
{
    if (world->queued_count == world->queued_capacity) {
        world->queued_capacity = world->queued_capacity ? world->queued_capacity * 2 : 256;
        world->events = mem_resize(world->events, world->queued_capacity, sizeof(*world->events));
    }
    event.at_ms = world->now_ms + delay_ms;
    event.order = ++world->event_last;
    if (event.kind == EVENT_CONNECT)
        world->polling_count++;

    size_t at = world->queued_count++;
    world->events[at] = event;
    while (at > 0 && is_before(&world->events[at], &world->events[(at - 1) / 2])) {
        swap(&world->events[at], &world->events[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
}

bool world_next_event(struct world *world, struct event *out_event)
{
    if (world->queued_count == 0)
        return false;
    *out_event = world->events[0];
    world->events[0] = world->events[--world->queued_count];
    for (size_t at = 0;;) {
        size_t least = at;

        for (size_t child = 2 * at + 1; child <= 2 * at + 2; child++) {
            if (child < world->queued_count &&
                is_before(&world->events[child], &world->events[least]))
                least = child;
        }
        if (least == at)
            break;
        swap(&world->events[at], &world->events[least]);
        at = least;
    }
    if (out_event->kind == EVENT_CONNECT)
        world->polling_count--;
    return true;
}

bool world_is_quiet(const struct world *world)
{
    return world->queued_count == world->polling_count;
}
