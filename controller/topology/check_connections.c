/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/topology/check_rules.h"

#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/base/scope.h"

#include <stdlib.h>
#include <string.h>

/* --- each connection, and several between the same two --- */

static void check_ends(struct topology *t, struct topology_connection *c)
{
    if (c->sender == TOPOLOGY_NONE)
        check_hold(t, &c->object, "set fromServer to the sending member, or delete the connection",
                   "fromServer names no member");
    else if (c->sender == c->receiver)
        check_hold(t, &c->object, "delete the connection",
                   "the connection leads from a member to itself");
    else if (t->members[c->sender].group != t->members[c->receiver].group)
        check_hold(t, &c->object, "set fromServer to a member of the same group",
                   "fromServer names a member of another group");
}

/* Ends first, then the text form of the identity: the first of several counts, as [MS-FRS2] says.
 */
static int by_ends(const void *a, const void *b)
{
    struct topology_connection *const *left = a;
    struct topology_connection *const *right = b;

    if ((*left)->receiver != (*right)->receiver)
        return (*left)->receiver < (*right)->receiver ? -1 : 1;
    if ((*left)->sender != (*right)->sender)
        return (*left)->sender < (*right)->sender ? -1 : 1;
    return strcmp(guid_format(&(*left)->object.id).text, guid_format(&(*right)->object.id).text);
}

static void check_duplicates(struct topology *t)
{
    size_t count = 0;
    struct topology_connection **sorted = mem_new(t->connection_count, sizeof(*sorted));

    for (size_t i = 0; i < t->connection_count; i++) {
        if (!t->connections[i].object.problem)
            sorted[count++] = &t->connections[i];
    }
    if (count > 1)
        qsort(sorted, count, sizeof(struct topology_connection *), by_ends);
    for (size_t i = 1; i < count; i++) {
        struct topology_connection *c = sorted[i];

        if (c->receiver != sorted[i - 1]->receiver || c->sender != sorted[i - 1]->sender)
            continue;
        findings_add(&t->findings, SEVERITY_WARNING, c->object.dn, "delete one of the two",
                     "another connection has the same two ends and is used instead");
        c->object.problem =
            mem_copy_string("another connection has the same two ends; delete one of the two");
    }
    free(sorted);
}

/* --- folders that both ends subscribe to --- */

/* The live subscriptions, grouped by folder. */
struct shares {
    size_t *order; /* subscriptions, ascending by folder */
    size_t *start; /* first of each folder in @order; one more at the end */
};

static struct shares shares_new(const struct topology *t)
{
    struct shares s = {.order = mem_new(t->subscription_count, sizeof(*s.order)),
                       .start = mem_new(t->folder_count + 1, sizeof(*s.start))};
    size_t *next = mem_new(t->folder_count + 1, sizeof(*next));

    for (size_t i = 0; i < t->subscription_count; i++) {
        if (topology_subscription_live(t, i))
            s.start[t->subscriptions[i].folder + 1]++;
    }
    for (size_t f = 0; f < t->folder_count; f++) {
        s.start[f + 1] += s.start[f];
        next[f] = s.start[f];
    }
    for (size_t i = 0; i < t->subscription_count; i++) {
        if (topology_subscription_live(t, i))
            s.order[next[t->subscriptions[i].folder]++] = i;
    }
    free(next);
    return s;
}

static void shares_fini(struct shares *s)
{
    free(s->order);
    free(s->start);
}

/* --- reaching everybody --- */

/* Usable connections by one of their ends. */
struct graph {
    size_t *start; /* first of each member in @other; one more at the end */
    size_t *other; /* the member at the other end */
};

static bool usable(const struct topology_connection *c)
{
    return c->enabled && !c->object.problem;
}

static struct graph graph_new(const struct topology *t, bool from_sender)
{
    struct graph g = {.start = mem_new(t->member_count + 1, sizeof(*g.start)),
                      .other = mem_new(t->connection_count, sizeof(*g.other))};
    size_t *next = mem_new(t->member_count + 1, sizeof(*next));

    for (size_t i = 0; i < t->connection_count; i++) {
        const struct topology_connection *c = &t->connections[i];

        if (usable(c))
            g.start[(from_sender ? c->sender : c->receiver) + 1]++;
    }
    for (size_t m = 0; m < t->member_count; m++) {
        g.start[m + 1] += g.start[m];
        next[m] = g.start[m];
    }
    for (size_t i = 0; i < t->connection_count; i++) {
        const struct topology_connection *c = &t->connections[i];

        if (usable(c))
            g.other[next[from_sender ? c->sender : c->receiver]++] =
                from_sender ? c->receiver : c->sender;
    }
    free(next);
    return g;
}

static void graph_fini(struct graph *g)
{
    free(g->start);
    free(g->other);
}

/* What a walk over one folder's members needs; arrays by member. */
struct walk {
    const struct topology *t;
    bool *shares;    /* subscribes, live */
    bool *read_only; /* … and sends nothing on */
    bool *reached;
    size_t *queue;
};

/* Marks what changes made at @from reach; with @backwards, whose changes reach @from. */
static void walk_from(struct walk *w, const struct graph *g, size_t from, bool backwards)
{
    size_t head = 0;
    size_t tail = 0;

    memset(w->reached, 0, w->t->member_count * sizeof(*w->reached));
    w->reached[from] = true;
    w->queue[tail++] = from;
    while (head < tail) {
        size_t m = w->queue[head++];

        if (w->read_only[m] && !backwards)
            continue;
        for (size_t i = g->start[m]; i < g->start[m + 1]; i++) {
            size_t other = g->other[i];

            if (!w->shares[other] || w->reached[other] || (backwards && w->read_only[other]))
                continue;
            w->reached[other] = true;
            w->queue[tail++] = other;
        }
    }
}

static void report_cut(struct topology *t, size_t folder, size_t from, size_t to, size_t more_count)
{
    scope_free char *more = more_count > 0 ? mem_format(" and %zu more", more_count) : NULL;

    findings_add(&t->findings, SEVERITY_WARNING, t->folders[folder].object.dn,
                 "add or enable connections until every member is reached",
                 "changes at %s never reach %s%s", t->members[from].object.name,
                 t->members[to].object.name, more ? more : "");
}

static void check_reach(struct topology *t, struct walk *w, const struct shares *s, size_t folder,
                        const struct graph *down, const struct graph *up)
{
    size_t first = TOPOLOGY_NONE; /* a member whose changes everybody should get */
    size_t cut = TOPOLOGY_NONE;
    size_t cut_count = 0;

    for (size_t i = s->start[folder]; i < s->start[folder + 1] && first == TOPOLOGY_NONE; i++) {
        const struct topology_subscription *sub = &t->subscriptions[s->order[i]];

        if (!sub->read_only)
            first = sub->member;
    }
    if (first == TOPOLOGY_NONE)
        return;
    walk_from(w, down, first, false);
    for (size_t i = s->start[folder]; i < s->start[folder + 1]; i++) {
        size_t m = t->subscriptions[s->order[i]].member;

        if (!w->reached[m] && cut_count++ == 0)
            cut = m;
    }
    if (cut_count > 0)
        report_cut(t, folder, first, cut, cut_count - 1);
    walk_from(w, up, first, true);
    for (size_t i = s->start[folder]; i < s->start[folder + 1]; i++) {
        size_t m = t->subscriptions[s->order[i]].member;

        if (!w->reached[m] && !w->read_only[m])
            report_cut(t, folder, m, first, 0);
    }
}

static void check_folders_reach_everybody(struct topology *t, const struct shares *s)
{
    struct graph down = graph_new(t, true);
    struct graph up = graph_new(t, false);
    struct walk w = {.t = t,
                     .shares = mem_new(t->member_count, sizeof(bool)),
                     .read_only = mem_new(t->member_count, sizeof(bool)),
                     .reached = mem_new(t->member_count, sizeof(bool)),
                     .queue = mem_new(t->member_count, sizeof(size_t))};

    for (size_t f = 0; f < t->folder_count; f++) {
        for (size_t i = s->start[f]; i < s->start[f + 1]; i++) {
            const struct topology_subscription *sub = &t->subscriptions[s->order[i]];

            w.shares[sub->member] = true;
            w.read_only[sub->member] = sub->read_only;
        }
        check_reach(t, &w, s, f, &down, &up);
        for (size_t i = s->start[f]; i < s->start[f + 1]; i++) {
            w.shares[t->subscriptions[s->order[i]].member] = false;
            w.read_only[t->subscriptions[s->order[i]].member] = false;
        }
    }
    free(w.shares);
    free(w.read_only);
    free(w.reached);
    free(w.queue);
    graph_fini(&down);
    graph_fini(&up);
}

/* --- a connection without a folder --- */

struct share_key {
    size_t member;
    size_t folder;
};

static int by_member_and_folder(const void *a, const void *b)
{
    const struct share_key *left = a;
    const struct share_key *right = b;

    if (left->member != right->member)
        return left->member < right->member ? -1 : 1;
    return left->folder < right->folder ? -1 : left->folder > right->folder;
}

/* The subscriptions of members @a and @b, as ranges of @keys, ascending by folder. */
static bool have_common_folder(const struct share_key *keys, const size_t *start, size_t a,
                               size_t b)
{
    size_t i = start[a];
    size_t k = start[b];

    while (i < start[a + 1] && k < start[b + 1]) {
        if (keys[i].folder == keys[k].folder)
            return true;
        if (keys[i].folder < keys[k].folder)
            i++;
        else
            k++;
    }
    return false;
}

static void check_common_folders(struct topology *t)
{
    struct share_key *keys = mem_new(t->subscription_count, sizeof(*keys));
    size_t *start = mem_new(t->member_count + 1, sizeof(*start));
    size_t count = 0;

    for (size_t i = 0; i < t->subscription_count; i++) {
        const struct topology_subscription *s = &t->subscriptions[i];

        if (topology_subscription_live(t, i)) {
            keys[count++] = (struct share_key){s->member, s->folder};
            start[s->member + 1]++;
        }
    }
    if (count > 1)
        qsort(keys, count, sizeof(*keys), by_member_and_folder);
    for (size_t m = 0; m < t->member_count; m++)
        start[m + 1] += start[m];
    for (size_t i = 0; i < t->connection_count; i++) {
        const struct topology_connection *c = &t->connections[i];

        if (usable(c) && t->groups[t->members[c->receiver].group].type != GROUP_SYSVOL &&
            !have_common_folder(keys, start, c->sender, c->receiver))
            findings_add(&t->findings, SEVERITY_WARNING, c->object.dn,
                         "enable a subscription of the same folder at both members, or delete the "
                         "connection",
                         "%s and %s have no working folder in common",
                         t->members[c->sender].object.name, t->members[c->receiver].object.name);
    }
    free(start);
    free(keys);
}

/* More connections than an assignment can hold: the member is held back as a whole. */
static void count_connection(struct topology *t, size_t *counts, size_t member)
{
    if (++counts[member] == FOLDER_CONNECTION_COUNT_MAX + 1)
        check_hold(t, &t->members[member].object, "spread the connections over several hubs",
                   "the member has more than %u connections in one direction",
                   FOLDER_CONNECTION_COUNT_MAX);
}

static void check_counts(struct topology *t)
{
    size_t *in = mem_new(t->member_count, sizeof(*in));
    size_t *out = mem_new(t->member_count, sizeof(*out));

    for (size_t i = 0; i < t->connection_count; i++) {
        if (t->connections[i].object.problem)
            continue;
        count_connection(t, in, t->connections[i].receiver);
        count_connection(t, out, t->connections[i].sender);
    }
    free(in);
    free(out);
}

void check_connections(struct topology *topology)
{
    for (size_t i = 0; i < topology->connection_count; i++)
        check_ends(topology, &topology->connections[i]);
    check_duplicates(topology);
    check_counts(topology);
    struct shares s = shares_new(topology);
    check_folders_reach_everybody(topology, &s);
    check_common_folders(topology);
    shares_fini(&s);
}
