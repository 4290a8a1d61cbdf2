/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/plan/plan.h"

#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/base/scope.h"
#include "common/model/path.h"
#include "controller/plan/principals.h"

#include <stdlib.h>
#include <string.h>

/* Subscriptions and connections by the object they belong to, so that no step searches. */
struct index {
    size_t *start; /* first of each owner in @items; one more at the end */
    size_t *items;
};

struct planner {
    const struct topology *t;
    struct plan *plan;
    struct index by_computer; /* subscriptions of each computer */
    struct index by_receiver; /* usable connections */
    struct index by_sender;
    size_t *share;          /* of each member, in the folder at hand: its live subscription */
    struct index by_folder; /* live subscriptions of each folder */
};

/* --- indexes --- */

/* @owner_of returns TOPOLOGY_NONE for an item that is left out. */
static struct index index_new(const struct topology *t, size_t owner_count, size_t item_count,
                              size_t (*owner_of)(const struct topology *t, size_t item))
{
    struct index x = {.start = mem_new(owner_count + 1, sizeof(*x.start)),
                      .items = mem_new(item_count, sizeof(*x.items))};
    size_t *next = mem_new(owner_count, sizeof(*next));

    for (size_t i = 0; i < item_count; i++) {
        if (owner_of(t, i) != TOPOLOGY_NONE)
            x.start[owner_of(t, i) + 1]++;
    }
    for (size_t o = 0; o < owner_count; o++) {
        x.start[o + 1] += x.start[o];
        next[o] = x.start[o];
    }
    for (size_t i = 0; i < item_count; i++) {
        if (owner_of(t, i) != TOPOLOGY_NONE)
            x.items[next[owner_of(t, i)]++] = i;
    }
    free(next);
    return x;
}

static void index_fini(struct index *x)
{
    free(x->start);
    free(x->items);
}

static size_t computer_of_subscription(const struct topology *t, size_t i)
{
    const struct topology_member *m = &t->members[t->subscriptions[i].member];

    return t->groups[m->group].type == GROUP_SYSVOL ? TOPOLOGY_NONE : m->computer;
}

static size_t folder_of_live_subscription(const struct topology *t, size_t i)
{
    return topology_subscription_live(t, i) ? t->subscriptions[i].folder : TOPOLOGY_NONE;
}

static size_t receiver_of_usable(const struct topology *t, size_t i)
{
    return t->connections[i].object.problem ? TOPOLOGY_NONE : t->connections[i].receiver;
}

static size_t sender_of_usable(const struct topology *t, size_t i)
{
    return t->connections[i].object.problem ? TOPOLOGY_NONE : t->connections[i].sender;
}

/* --- connections --- */

static struct schedule effective_schedule(const struct topology *t,
                                          const struct topology_connection *c)
{
    const struct topology_group *g = &t->groups[t->members[c->receiver].group];

    if (c->has_schedule)
        return c->schedule;
    return g->has_schedule ? g->schedule : schedule_always();
}

static char **copy_principals(char *const *principals, size_t count)
{
    char **copy = mem_new(count, sizeof(*copy));

    for (size_t i = 0; i < count; i++)
        copy[i] = mem_copy_string(principals[i]);
    return copy;
}

static void plan_connection(const struct planner *p, const struct topology_connection *c,
                            size_t partner, bool inbound, struct connection_assignment *out)
{
    const struct topology_member *m = &p->t->members[partner];
    const struct topology_computer *computer = &p->t->computers[m->computer];
    const struct plan_computer *planned = &p->plan->computers[m->computer];

    out->connection = c->object.id;
    out->partner_member = m->object.id;
    out->partner_name = mem_copy_string(computer->host);
    out->partner_host = mem_copy_string(inbound ? computer->host : "");
    out->partner_port = inbound ? m->port : 0;
    out->partner_principals = copy_principals(planned->principals, planned->principal_count);
    out->partner_principal_count = planned->principal_count;
    out->schedule = effective_schedule(p->t, c);
    /* without a name to trust nobody is the partner */
    out->enabled = c->enabled && planned->principal_count > 0;
    out->rdc_enabled = c->rdc_enabled;
    out->rdc_size_min = c->rdc_size_min;
}

/*
 * The connections of @member in the folder at hand, one way. Both ends must be live in it, and a
 * read-only sender has nothing to send.
 */
static struct connection_assignment *plan_connections(const struct planner *p, size_t member,
                                                      bool inbound, size_t *out_count)
{
    const struct index *x = inbound ? &p->by_receiver : &p->by_sender;
    size_t first = x->start[member];
    size_t end = x->start[member + 1];
    struct connection_assignment *list = mem_new(end - first, sizeof(*list));
    size_t count = 0;

    for (size_t i = first; i < end; i++) {
        const struct topology_connection *c = &p->t->connections[x->items[i]];
        size_t partner = inbound ? c->sender : c->receiver;
        size_t sender_share = p->share[c->sender];

        if (p->share[partner] != TOPOLOGY_NONE && !p->t->subscriptions[sender_share].read_only)
            plan_connection(p, c, partner, inbound, &list[count++]);
    }
    *out_count = count;
    return list;
}

/* --- folders --- */

/* The first reason that holds, as the agent will show it; "" for none. */
static const char *problem_of(const struct topology *t, const struct topology_subscription *s)
{
    const struct topology_member *m = &t->members[s->member];
    const char *const problems[] = {s->object.problem, t->folders[s->folder].object.problem,
                                    t->groups[m->group].object.problem, m->object.problem,
                                    t->computers[m->computer].object.problem};

    for (size_t i = 0; i < sizeof(problems) / sizeof(problems[0]); i++) {
        if (problems[i])
            return problems[i];
    }
    return "";
}

static char *usable_path(const char *path)
{
    return mem_copy_string(model_path_ok(path) ? path : "");
}

static void plan_filter(struct filter *filter, const char *list)
{
    /* a list beyond the limits holds its folder back: what fits is only shown */
    (void)!filter_add_list(filter, list);
}

static void plan_folder(const struct planner *p, size_t subscription, struct folder_assignment *out)
{
    const struct topology *t = p->t;
    const struct topology_subscription *s = &t->subscriptions[subscription];
    const struct topology_folder *f = &t->folders[s->folder];
    const struct topology_group *g = &t->groups[f->group];

    out->group = g->object.id;
    out->folder = f->object.id;
    out->member = t->members[s->member].object.id;
    out->group_name = mem_copy_string(g->object.name);
    out->folder_name = mem_copy_string(f->object.name);
    out->root_path = usable_path(s->root_path);
    out->staging_path = usable_path(s->staging_path);
    out->preserve_path = usable_path(s->preserve_path);
    out->problem = mem_copy_string(s->enabled ? problem_of(t, s) : "");
    out->staging_bytes_max = s->staging_bytes_max;
    out->preserve_bytes_max = s->preserve_bytes_max;
    out->tombstone_life_min = g->tombstone_life_min;
    out->enabled = s->enabled;
    out->read_only = s->read_only;
    out->primary = s->primary;
    out->case_insensitive = f->case_insensitive;
    plan_filter(&out->file_filter, f->file_filter);
    plan_filter(&out->directory_filter, f->directory_filter);
    if (topology_subscription_live(t, subscription)) {
        out->inbound = plan_connections(p, s->member, true, &out->inbound_count);
        out->outbound = plan_connections(p, s->member, false, &out->outbound_count);
    }
}

/* Which subscription of a member counts in the folder at hand. */
static void set_shares(struct planner *p, size_t folder, bool set)
{
    for (size_t i = p->by_folder.start[folder]; i < p->by_folder.start[folder + 1]; i++) {
        size_t subscription = p->by_folder.items[i];

        p->share[p->t->subscriptions[subscription].member] = set ? subscription : TOPOLOGY_NONE;
    }
}

static bool has_folder(const struct assignment *a, const struct guid *folder)
{
    for (size_t i = 0; i < a->folder_count; i++) {
        if (guid_equal(&a->folders[i].folder, folder))
            return true;
    }
    return false;
}

/* Takes the subscriptions of a computer: those that are live first, so that of two for the same
 * folder the healthy one counts. */
static void plan_folders(struct planner *p, size_t computer, bool live, struct assignment *a)
{
    for (size_t i = p->by_computer.start[computer]; i < p->by_computer.start[computer + 1]; i++) {
        size_t subscription = p->by_computer.items[i];
        size_t folder = p->t->subscriptions[subscription].folder;

        if (topology_subscription_live(p->t, subscription) != live ||
            has_folder(a, &p->t->folders[folder].object.id) ||
            a->folder_count >= ASSIGNMENT_FOLDER_COUNT_MAX)
            continue;
        set_shares(p, folder, true);
        plan_folder(p, subscription, &a->folders[a->folder_count++]);
        set_shares(p, folder, false);
    }
}

/* --- computers --- */

static void plan_identity(struct planner *p, size_t computer, const char *realm)
{
    const struct topology_computer *c = &p->t->computers[computer];
    struct plan_computer *out = &p->plan->computers[computer];
    bool left_out = false;

    out->computer = c->object.id;
    out->name = mem_copy_string(model_host_ok(c->host) ? c->host : c->object.name);
    out->principal_count = principals_of(c, realm, &out->principals, &left_out);
    if (left_out)
        findings_add(&p->plan->findings, SEVERITY_WARNING, c->object.dn,
                     "remove service principal names of class host that are not in use",
                     "the computer has more host principals than an assignment can hold");
}

/* An assignment that is too big to send tells so, and lets the computer serve what it has. */
static void check_size(struct planner *p, size_t computer, size_t size)
{
    struct assignment *a = p->plan->computers[computer].assignment;

    if (size <= ASSIGNMENT_SIZE_MAX)
        return;
    findings_add(&p->plan->findings, SEVERITY_ERROR, p->t->computers[computer].object.dn,
                 "spread its folders or connections over several servers",
                 "the assignment has %zu bytes, more than the %u that can be sent; the computer "
                 "keeps its last one",
                 size, ASSIGNMENT_SIZE_MAX);
    assignment_free(a);
    p->plan->computers[computer].assignment = NULL;
}

static void plan_assignment(struct planner *p, size_t computer, uint64_t generation)
{
    size_t count = p->by_computer.start[computer + 1] - p->by_computer.start[computer];
    struct assignment *a = MEM_NEW(struct assignment);
    scope(buf) struct buf bytes = {0};

    a->generation = generation;
    a->computer_name = mem_copy_string(p->plan->computers[computer].name);
    a->folders = mem_new(count, sizeof(*a->folders));
    plan_folders(p, computer, true, a);
    plan_folders(p, computer, false, a);
    p->plan->computers[computer].assignment = a;
    assignment_encode(a, &bytes);
    check_size(p, computer, bytes.size);
}

struct plan *plan_make(const struct topology *topology, const struct plan_options *options)
{
    const struct topology *t = topology;
    const char *realm = options->realm ? options->realm : "";
    struct planner p = {
        .t = t,
        .plan = MEM_NEW(struct plan),
        .by_computer =
            index_new(t, t->computer_count, t->subscription_count, computer_of_subscription),
        .by_receiver = index_new(t, t->member_count, t->connection_count, receiver_of_usable),
        .by_sender = index_new(t, t->member_count, t->connection_count, sender_of_usable),
        .by_folder =
            index_new(t, t->folder_count, t->subscription_count, folder_of_live_subscription),
        .share = mem_new(t->member_count, sizeof(size_t))};

    for (size_t m = 0; m < t->member_count; m++)
        p.share[m] = TOPOLOGY_NONE;
    p.plan->computers = mem_new(t->computer_count, sizeof(*p.plan->computers));
    p.plan->computer_count = t->computer_count;
    for (size_t c = 0; c < t->computer_count; c++)
        plan_identity(&p, c, realm);
    for (size_t c = 0; c < t->computer_count; c++)
        plan_assignment(&p, c, options->generation);
    findings_sort(&p.plan->findings);
    index_fini(&p.by_computer);
    index_fini(&p.by_receiver);
    index_fini(&p.by_sender);
    index_fini(&p.by_folder);
    free(p.share);
    return p.plan;
}

void plan_free(struct plan *plan)
{
    if (!plan)
        return;
    for (size_t i = 0; i < plan->computer_count; i++) {
        struct plan_computer *c = &plan->computers[i];

        free(c->name);
        for (size_t k = 0; k < c->principal_count; k++)
            free(c->principals[k]);
        free(c->principals);
        assignment_free(c->assignment);
    }
    free(plan->computers);
    findings_fini(&plan->findings);
    free(plan);
}

const struct plan_computer *plan_find(const struct plan *plan, const char *principal)
{
    const struct plan_computer *found = NULL;

    for (size_t i = 0; i < plan->computer_count; i++) {
        const struct plan_computer *c = &plan->computers[i];

        for (size_t k = 0; k < c->principal_count; k++) {
            if (strcmp(c->principals[k], principal) != 0)
                continue;
            if (found)
                return NULL;
            found = c;
            break;
        }
    }
    return found;
}
