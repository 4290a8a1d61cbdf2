/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/topology/topology.h"

#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/model/filter.h"
#include "common/model/path.h"
#include "controller/topology/check_rules.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void check_hold(struct topology *t, struct topology_object *object, const char *remedy,
                const char *problem_format, ...)
{
    char problem[1024];
    va_list args;

    va_start(args, problem_format);
    (void)vsnprintf(problem, sizeof(problem), problem_format, args);
    va_end(args);
    findings_add(&t->findings, SEVERITY_ERROR, object->dn, remedy, "%s", problem);
    if (!object->problem) {
        object->problem = mem_format("%s; %s", problem, remedy);
        for (char *p = object->problem; *p; p++) {
            if ((uint8_t)*p < 0x20 || *p == 0x7f)
                *p = '?';
        }
    }
}

/* --- groups and folders --- */

static void check_groups(struct topology *t)
{
    if (t->group_count == 0)
        findings_add(&t->findings, SEVERITY_WARNING, "CN=DFSR-GlobalSettings",
                     "create a group, or give the controller's account the right to read there",
                     "the directory shows no replication group");
    for (size_t i = 0; i < t->group_count; i++) {
        struct topology_group *g = &t->groups[i];

        if (g->type != GROUP_SYSVOL)
            continue;
        /* the links of such a group are the connections of directory replication */
        findings_add(&t->findings, SEVERITY_NOTE, g->object.dn,
                     "leave it to the domain controllers' own replication",
                     "SYSVOL groups are planned separately");
        g->object.problem = mem_copy_string("SYSVOL groups are planned separately");
    }
}

static void check_filter(struct topology *t, struct topology_folder *f, const char *attribute,
                         const char *list)
{
    struct filter filter = {0};

    if (!filter_add_list(&filter, list))
        check_hold(t, &f->object, "shorten the list",
                   "%s has more than %u patterns, or one longer than %u bytes", attribute,
                   FILTER_PATTERN_COUNT_MAX, FILTER_PATTERN_SIZE_MAX);
    filter_fini(&filter);
}

static void check_folders(struct topology *t)
{
    for (size_t i = 0; i < t->folder_count; i++) {
        struct topology_folder *f = &t->folders[i];

        check_filter(t, f, "msDFSR-FileFilter", f->file_filter);
        check_filter(t, f, "msDFSR-DirectoryFilter", f->directory_filter);
    }
}

/* --- computers and members --- */

static int by_host(const void *a, const void *b)
{
    struct topology_computer *const *left = a;
    struct topology_computer *const *right = b;
    int order = strcasecmp((*left)->host, (*right)->host);

    return order != 0 ? order : guid_compare(&(*left)->object.id, &(*right)->object.id);
}

/* Two accounts with one host name could each pass for the other. */
static void check_host_names_are_unique(struct topology *t)
{
    struct topology_computer **sorted = mem_new(t->computer_count, sizeof(*sorted));

    for (size_t i = 0; i < t->computer_count; i++)
        sorted[i] = &t->computers[i];
    if (t->computer_count > 1)
        qsort(sorted, t->computer_count, sizeof(struct topology_computer *), by_host);
    for (size_t i = 1; i < t->computer_count; i++) {
        if (*sorted[i]->host && strcasecmp(sorted[i - 1]->host, sorted[i]->host) == 0)
            check_hold(t, &sorted[i]->object, "correct dNSHostName of one of the two",
                       "the computer has the same dNSHostName as %s", sorted[i - 1]->object.dn);
    }
    free(sorted);
}

static void check_computers(struct topology *t)
{
    for (size_t i = 0; i < t->computer_count; i++) {
        struct topology_computer *c = &t->computers[i];

        if (*c->host == '\0')
            check_hold(t, &c->object, "set dNSHostName to the name that partners connect to",
                       "the computer has no dNSHostName");
        else if (!model_host_ok(c->host))
            check_hold(t, &c->object, "correct dNSHostName", "dNSHostName is not a host name");
    }
    check_host_names_are_unique(t);
}

static void check_member_is_the_only_one(struct topology *t, size_t index, const size_t *first)
{
    struct topology_member *m = &t->members[index];

    if (first[index] != index)
        check_hold(t, &m->object, "delete one of the two members",
                   "the computer is a member of the group twice, also as %s",
                   t->members[first[index]].object.dn);
}

struct member_key {
    size_t group;
    size_t computer;
    bool idle; /* without a subscription: a forgotten one must not displace the one at work */
    size_t index;
};

static int by_group_and_computer(const void *a, const void *b)
{
    const struct member_key *left = a;
    const struct member_key *right = b;

    if (left->group != right->group)
        return left->group < right->group ? -1 : 1;
    if (left->computer != right->computer)
        return left->computer < right->computer ? -1 : 1;
    if (left->idle != right->idle)
        return left->idle ? 1 : -1;
    return left->index < right->index ? -1 : left->index > right->index;
}

/* For each member the one that counts of the same group and computer. */
static size_t *first_members(const struct topology *t, const bool *subscribed)
{
    struct member_key *keys = mem_new(t->member_count, sizeof(*keys));
    size_t *first = mem_new(t->member_count, sizeof(*first));

    for (size_t i = 0; i < t->member_count; i++)
        keys[i] =
            (struct member_key){t->members[i].group, t->members[i].computer, !subscribed[i], i};
    if (t->member_count > 1)
        qsort(keys, t->member_count, sizeof(*keys), by_group_and_computer);
    for (size_t i = 0; i < t->member_count; i++) {
        bool again = i > 0 && keys[i].computer != TOPOLOGY_NONE &&
                     keys[i].group == keys[i - 1].group && keys[i].computer == keys[i - 1].computer;

        first[keys[i].index] = again ? first[keys[i - 1].index] : keys[i].index;
    }
    free(keys);
    return first;
}

static void check_members(struct topology *t)
{
    bool *subscribed = mem_new(t->member_count, sizeof(*subscribed));

    for (size_t i = 0; i < t->subscription_count; i++)
        subscribed[t->subscriptions[i].member] = true;
    size_t *first = first_members(t, subscribed);
    for (size_t i = 0; i < t->member_count; i++) {
        struct topology_member *m = &t->members[i];

        check_member_is_the_only_one(t, i, first);
        if (m->computer == TOPOLOGY_NONE)
            check_hold(t, &m->object,
                       "correct msDFSR-ComputerReference, or let the controller's account read the "
                       "computer",
                       "the member's computer does not exist or cannot be read");
        else if (!subscribed[i] && t->groups[m->group].type != GROUP_SYSVOL)
            findings_add(&t->findings, SEVERITY_WARNING, m->object.dn,
                         "create the subscriptions beneath the computer, or delete the member",
                         "%s is a member of %s but subscribes to none of its folders",
                         m->object.name, t->groups[m->group].object.name);
    }
    free(subscribed);
    free(first);
}

/* --- primary members --- */

/*
 * With two primary members each would hold its own content for the only right one. Nobody is
 * primary then: whatever differs is kept, and an administrator decides.
 */
static void check_primary(struct topology *t)
{
    size_t *primary_count = mem_new(t->folder_count, sizeof(*primary_count));

    for (size_t i = 0; i < t->subscription_count; i++) {
        struct topology_subscription *s = &t->subscriptions[i];

        if (s->primary && s->read_only) {
            s->primary = false;
            findings_add(&t->findings, SEVERITY_WARNING, s->object.dn,
                         "set msDFSR-Options to 0 or msDFSR-ReadOnly to FALSE",
                         "the subscription is both primary and read-only; taken as read-only");
        }
        if (s->primary && topology_subscription_live(t, i))
            primary_count[s->folder]++;
    }
    for (size_t i = 0; i < t->subscription_count; i++) {
        struct topology_subscription *s = &t->subscriptions[i];

        if (!s->primary || primary_count[s->folder] < 2)
            continue;
        s->primary = false;
        findings_add(&t->findings, SEVERITY_ERROR, s->object.dn,
                     "leave bit 0 of msDFSR-Options on one of the folder's subscriptions",
                     "%zu subscriptions of the folder %s are primary; none is taken as such",
                     primary_count[s->folder], s->object.name);
    }
    free(primary_count);
}

/* --- numbers --- */

/* The same subscription count twice would exceed an assignment; what is beyond is held back. */
static void check_folder_counts(struct topology *t)
{
    size_t *counts = mem_new(t->computer_count, sizeof(*counts));

    for (size_t i = 0; i < t->subscription_count; i++) {
        size_t computer = t->members[t->subscriptions[i].member].computer;

        if (computer != TOPOLOGY_NONE && ++counts[computer] == ASSIGNMENT_FOLDER_COUNT_MAX + 1)
            check_hold(t, &t->computers[computer].object, "remove subscriptions",
                       "the computer subscribes to more than %u folders",
                       ASSIGNMENT_FOLDER_COUNT_MAX);
    }
    free(counts);
}

static int by_folder_and_member(const void *a, const void *b)
{
    struct topology_subscription *const *left = a;
    struct topology_subscription *const *right = b;

    if ((*left)->folder != (*right)->folder)
        return (*left)->folder < (*right)->folder ? -1 : 1;
    if ((*left)->member != (*right)->member)
        return (*left)->member < (*right)->member ? -1 : 1;
    if ((*left)->created != (*right)->created)
        return (*left)->created < (*right)->created ? -1 : 1;
    return guid_compare(&(*left)->object.id, &(*right)->object.id);
}

static void check_subscribed_once(struct topology *t)
{
    size_t count = t->subscription_count;
    struct topology_subscription **sorted = mem_new(count, sizeof(*sorted));

    for (size_t i = 0; i < count; i++)
        sorted[i] = &t->subscriptions[i];
    if (count > 1)
        qsort(sorted, count, sizeof(struct topology_subscription *), by_folder_and_member);
    for (size_t i = 1; i < count; i++) {
        if (sorted[i - 1]->folder == sorted[i]->folder &&
            sorted[i - 1]->member == sorted[i]->member)
            check_hold(t, &sorted[i]->object, "delete one of the two subscriptions",
                       "the member subscribes to the folder twice, also as %s",
                       sorted[i - 1]->object.dn);
    }
    free(sorted);
}

void topology_check(struct topology *topology)
{
    check_groups(topology);
    check_folders(topology);
    check_computers(topology);
    check_folder_counts(topology);
    check_members(topology);
    check_subscribed_once(topology);
    check_paths(topology);
    check_primary(topology);
    check_connections(topology);
    findings_sort(&topology->findings);
}
