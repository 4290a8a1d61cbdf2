/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A folder's members as points, its connections as arrows from sender to receiver.
 *
 * Members stand on an ellipse in the order of their names. Where few are partners of most, and the
 * rest know only them, those few stand inside: a hub looks like one. The two directions between a
 * pair bend apart, so each keeps its own state. State is colour and dash (page.css); who cannot see
 * either reads the table beside it, which says the same.
 */
#include "controller/status/page_parts.h"

#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/base/scope.h"
#include "controller/status/text.h"

#include <math.h>

#define WIDTH     420.0
#define HEIGHT    310.0
#define RADIUS_X  160.0
#define RADIUS_Y  112.0
#define NODE_SIZE 11.0 /* radius */
#define BEND      16.0 /* how far an arrow leaves the straight line */

struct point {
    double x;
    double y;
};

static size_t index_of(const struct view_folder *folder, const struct view_member *member)
{
    return (size_t)(member - folder->members);
}

/* With how many others each member is connected, either way. */
static void count_partners(const struct view_folder *folder, size_t *partners)
{
    size_t n = folder->member_count;
    scope_free bool *linked = mem_new(n * n, sizeof(bool));

    for (size_t i = 0; i < folder->connection_count; i++) {
        const struct view_connection *connection = &folder->connections[i];

        if (!connection->sender)
            continue;
        size_t a = index_of(folder, connection->sender);
        size_t b = index_of(folder, connection->receiver);

        linked[a * n + b] = linked[b * n + a] = true;
    }
    for (size_t a = 0; a < n; a++)
        for (size_t b = 0; b < n; b++)
            partners[a] += linked[a * n + b];
}

/* Marks hubs; none when everybody would be one, or somebody else has more partners than hubs. */
static size_t find_hubs(const struct view_folder *folder, bool *is_hub)
{
    size_t n = folder->member_count;
    scope_free size_t *partners = mem_new(n, sizeof(size_t));
    size_t hub_count = 0;

    if (n < 4)
        return 0;
    count_partners(folder, partners);
    for (size_t i = 0; i < n; i++) {
        is_hub[i] = partners[i] * 2 > n;
        hub_count += is_hub[i];
    }
    for (size_t i = 0; i < n; i++)
        if (hub_count * 3 > n || (!is_hub[i] && partners[i] > hub_count)) {
            memset(is_hub, 0, n * sizeof(bool));
            return 0;
        }
    return hub_count;
}

static struct point on_ellipse(size_t index, size_t count, double scale)
{
    /* two stand side by side, more begin at the top */
    double start = count == 2 ? M_PI : -M_PI / 2;
    double angle = start + 2 * M_PI * (double)index / (double)count;

    return (struct point){.x = WIDTH / 2 + scale * RADIUS_X * cos(angle),
                          .y = HEIGHT / 2 + scale * RADIUS_Y * sin(angle)};
}

static void place(const struct view_folder *folder, struct point *points)
{
    size_t n = folder->member_count;
    scope_free bool *is_hub = mem_new(n, sizeof(bool));
    size_t hub_count = find_hubs(folder, is_hub);
    size_t inside = 0;
    size_t outside = 0;

    for (size_t i = 0; i < n; i++) {
        if (is_hub[i])
            points[i] = on_ellipse(inside++, hub_count, hub_count == 1 ? 0 : 0.32);
        else
            points[i] = on_ellipse(outside++, n - hub_count, n == 1 ? 0 : 1);
    }
}

static void write_arrow(struct buf *out, const struct view_connection *connection,
                        struct point from, struct point to)
{
    double length = hypot(to.x - from.x, to.y - from.y);

    if (length < 1)
        return;
    struct point along = {(to.x - from.x) / length, (to.y - from.y) / length};
    struct point bend = {(from.x + to.x) / 2 - along.y * BEND,
                         (from.y + to.y) / 2 + along.x * BEND};
    double gap = NODE_SIZE + 3;
    struct point lift = {-along.y * 4, along.x * 4};

    buf_printf(out,
               "<path class=\"edge %s %s\" d=\"M%.1f %.1fQ%.1f %.1f %.1f %.1f\" "
               "marker-end=\"url(#arrow-%s)\"><title>",
               health_name(connection->health), connection_state_name(connection->state),
               from.x + along.x * gap + lift.x, from.y + along.y * gap + lift.y, bend.x, bend.y,
               to.x - along.x * (gap + 5) + lift.x, to.y - along.y * (gap + 5) + lift.y,
               health_name(connection->health));
    text_html(out, connection->assignment->partner_name);
    buf_append_string(out, " to ");
    text_html(out, connection->receiver->agent->computer->name);
    buf_printf(out, ": %s", connection_state_name(connection->state));
    if (connection->reason[0] != '\0') {
        buf_append_string(out, ", ");
        text_html(out, connection->reason);
    }
    buf_append_string(out, "</title></path>");
}

static void write_node(struct buf *out, const struct view_member *member, struct point at)
{
    buf_printf(out,
               "<g class=\"node %s\"><circle cx=\"%.1f\" cy=\"%.1f\" r=\"%.0f\"/>"
               "<text x=\"%.1f\" y=\"%.1f\">",
               health_name(member->health), at.x, at.y, NODE_SIZE, at.x,
               at.y < HEIGHT / 3 ? at.y - NODE_SIZE - 7 : at.y + NODE_SIZE + 15);
    page_short_name(out, member->agent->computer->name);
    buf_append_string(out, "</text><title>");
    text_html(out, member->agent->computer->name);
    buf_append_string(out, ": ");
    text_html(out, member->state);
    buf_append_string(out, "</title></g>");
}

void page_markers(struct buf *out)
{
    buf_append_string(out, "<svg class=\"visually-hidden\" aria-hidden=\"true\"><defs>");
    for (enum health health = HEALTH_OK; health < HEALTH_COUNT; health++)
        buf_printf(out,
                   "<marker id=\"arrow-%s\" class=\"%s\" viewBox=\"0 0 8 8\" refX=\"5\" "
                   "refY=\"4\" markerWidth=\"9\" markerHeight=\"9\" "
                   "markerUnits=\"userSpaceOnUse\" orient=\"auto\"><path d=\"M0 .5l7.5 3.5L0 "
                   "7.5z\" fill=\"currentColor\"/></marker>",
                   health_name(health), health_name(health));
    buf_append_string(out, "</defs></svg>");
}

void page_topology(struct buf *out, const struct view_folder *folder)
{
    size_t n = folder->member_count;

    if (n > PAGE_DRAWN_MEMBERS_MAX)
        return;
    scope_free struct point *points = mem_new(n, sizeof(*points));

    place(folder, points);
    buf_printf(out,
               "<svg class=\"topology\" viewBox=\"0 0 %.0f %.0f\" role=\"img\" "
               "aria-label=\"Topology; the tables say the same\">",
               WIDTH, HEIGHT);
    /* the worst last, so that nothing well covers it */
    for (enum health health = HEALTH_OK; health < HEALTH_COUNT; health++)
        for (size_t i = 0; i < folder->connection_count; i++) {
            const struct view_connection *connection = &folder->connections[i];

            if (connection->health == health && connection->sender)
                write_arrow(out, connection, points[index_of(folder, connection->sender)],
                            points[index_of(folder, connection->receiver)]);
        }
    for (size_t i = 0; i < n; i++)
        write_node(out, &folder->members[i], points[i]);
    buf_append_string(out, "</svg>");
}
