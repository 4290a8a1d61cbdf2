/* SPDX-License-Identifier: Apache-2.0 */
/* Who pulls from whom. */
#include "tests/sim/member.h"

static struct edge *edge_between(struct world *world, unsigned from, unsigned to)
{
    for (size_t i = 0; i < world->edge_count; i++) {
        struct edge *edge = &world->edges[i];

        if (edge->from->index == from && edge->to->index == to)
            return edge;
    }

    struct edge *edge = &world->edges[world->edge_count++];
    *edge = (struct edge){.from = world->members[from], .to = world->members[to], .open = true};
    return edge;
}

static void lay(struct world *world, unsigned from, unsigned to)
{
    if (!member_is_reader(world->members[from]))
        edge_between(world, from, to)->laid = true;
}

static void lay_both(struct world *world, unsigned a, unsigned b)
{
    lay(world, a, b);
    lay(world, b, a);
}

static void lay_shape(struct world *world, struct random_source *random)
{
    unsigned count = world->plan.member_count;

    /* a read-only member passes nothing on, which a ring would need */
    switch (random_below(random, world->plan.reader ? 4 : 6)) {
    case 0:
    case 1: /* mesh */
        for (unsigned a = 0; a < count; a++) {
            for (unsigned b = a + 1; b < count; b++)
                lay_both(world, a, b);
        }
        return;
    case 2: /* hub */
        for (unsigned a = 1; a < count; a++)
            lay_both(world, 0, a);
        return;
    case 3: /* chain */
        for (unsigned a = 1; a < count; a++)
            lay_both(world, a - 1, a);
        return;
    case 4: /* ring */
        for (unsigned a = 0; a < count; a++) {
            if (count > 2 || a == 0)
                lay_both(world, a, (a + 1) % count);
        }
        return;
    default: /* ring, one way */
        for (unsigned a = 0; a < count; a++)
            lay(world, a, (a + 1) % count);
        return;
    }
}

void topology_lay(struct world *world, struct random_source *random)
{
    for (size_t i = 0; i < world->edge_count; i++)
        world->edges[i].laid = false;
    lay_shape(world, random);
    for (size_t i = 0; i < world->edge_count; i++) {
        struct edge *edge = &world->edges[i];

        if (!edge->laid && edge->stream)
            streams_cut(world, edge->stream);
        if (edge->laid && edge->to->up && !edge->stream)
            streams_connect_later(world, edge, world_delay(world, SECOND));
    }
}
