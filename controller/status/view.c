/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/status/view.h"
#include "controller/status/view_build.h"

#include "common/base/mem.h"
#include "common/base/scope.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

struct view_text {
    struct view_text *next;
    char *text;
};

/* One agent's share in one folder: what the plan is cut into before it is grouped. */
struct share {
    const struct fleet_agent *agent;
    const struct folder_assignment *folder;
};

const char *directory_state_name(enum directory_state state)
{
    static const char *const names[] = {
#define NAME(name, text) [DIRECTORY_##name] = text,
        DIRECTORY_STATE_LIST(NAME)
#undef NAME
    };

    return names[state];
}

const char *connection_state_name(enum connection_state state)
{
    static const char *const names[] = {
#define NAME(name, text) [CONNECTION_##name] = text,
        CONNECTION_STATE_LIST(NAME)
#undef NAME
    };

    return names[state];
}

/* --- texts --- */

const char *view_format(struct view *view, const char *format, ...)
{
    struct view_text *text = MEM_NEW(struct view_text);
    va_list args;

    va_start(args, format);
    int size = vsnprintf(NULL, 0, format, args);
    va_end(args);
    text->text = mem_new((size_t)size + 1, 1);
    va_start(args, format);
    vsnprintf(text->text, (size_t)size + 1, format, args);
    va_end(args);
    text->next = view->texts;
    view->texts = text;
    return text->text;
}

const char *view_age(struct view *view, int64_t ms)
{
    int64_t s = ms > 0 ? ms / 1000 : 0;

    if (s < 100)
        return view_format(view, "%" PRId64 " s", s);
    if (s < 100 * INT64_C(60))
        return view_format(view, "%" PRId64 " min", s / 60);
    if (s < 48 * INT64_C(3600))
        return view_format(view, "%" PRId64 " h", s / 3600);
    return view_format(view, "%" PRId64 " days", s / 86400);
}

/* --- grouping --- */

static int compare_names(const char *left, const char *right, const struct guid *left_id,
                         const struct guid *right_id)
{
    int order = strcasecmp(left, right);

    return order != 0 ? order : guid_compare(left_id, right_id);
}

static int compare_shares(const void *a, const void *b)
{
    const struct share *left = a;
    const struct share *right = b;
    int order = compare_names(left->folder->group_name, right->folder->group_name,
                              &left->folder->group, &right->folder->group);

    if (order == 0)
        order = compare_names(left->folder->folder_name, right->folder->folder_name,
                              &left->folder->folder, &right->folder->folder);
    return order != 0 ? order
                      : strcasecmp(left->agent->computer->name, right->agent->computer->name);
}

static bool same_group(const struct share *a, const struct share *b)
{
    return guid_equal(&a->folder->group, &b->folder->group);
}

static bool same_folder(const struct share *a, const struct share *b)
{
    return same_group(a, b) && guid_equal(&a->folder->folder, &b->folder->folder);
}

static struct share *cut_shares(const struct fleet *fleet, size_t *out_count)
{
    size_t agent_count = fleet_agent_count(fleet);
    size_t count = 0;

    for (size_t i = 0; i < agent_count; i++) {
        const struct assignment *assignment = fleet_agent_at(fleet, i)->computer->assignment;

        count += assignment ? assignment->folder_count : 0;
    }
    struct share *shares = mem_new(count, sizeof(*shares));

    *out_count = count;
    count = 0;
    for (size_t i = 0; i < agent_count; i++) {
        const struct fleet_agent *agent = fleet_agent_at(fleet, i);
        const struct assignment *assignment = agent->computer->assignment;

        for (size_t f = 0; assignment && f < assignment->folder_count; f++)
            shares[count++] = (struct share){.agent = agent, .folder = &assignment->folders[f]};
    }
    qsort(shares, count, sizeof(*shares), compare_shares);
    return shares;
}

static int compare_members(const void *a, const void *b)
{
    const struct view_member *left = *(struct view_member *const *)a;
    const struct view_member *right = *(struct view_member *const *)b;

    return guid_compare(&left->folder->member, &right->folder->member);
}

static const struct view_member *find_member(struct view_member **by_id, size_t count,
                                             const struct guid *id)
{
    const struct folder_assignment folder = {.member = *id};
    const struct view_member probe = {.folder = &folder};
    const struct view_member *key = &probe;
    struct view_member **found = bsearch(&key, by_id, count, sizeof(*by_id), compare_members);

    return found ? *found : NULL;
}

/* One connection for each that a member of the folder receives over. */
static void add_connections(struct view *view, struct view_folder *folder)
{
    struct view_member **by_id = mem_new(folder->member_count, sizeof(*by_id));
    size_t count = 0;

    for (size_t m = 0; m < folder->member_count; m++) {
        by_id[m] = &folder->members[m];
        count += folder->members[m].folder->inbound_count;
    }
    qsort(by_id, folder->member_count, sizeof(*by_id), compare_members);
    folder->connections = mem_new(count, sizeof(*folder->connections));
    for (size_t m = 0; m < folder->member_count; m++) {
        const struct view_member *receiver = &folder->members[m];

        for (size_t i = 0; i < receiver->folder->inbound_count; i++) {
            const struct connection_assignment *inbound = &receiver->folder->inbound[i];
            struct view_connection *connection = &folder->connections[folder->connection_count++];

            connection->assignment = inbound;
            connection->receiver = receiver;
            connection->sender = find_member(by_id, folder->member_count, &inbound->partner_member);
            verdict_connection(view, connection);
        }
    }
    free(by_id);
}

static void add_folder(struct view *view, struct view_folder *folder, const struct share *shares,
                       size_t count)
{
    folder->id = shares[0].folder->folder;
    folder->name = shares[0].folder->folder_name;
    folder->member_count = count;
    folder->members = mem_new(count, sizeof(*folder->members));
    for (size_t i = 0; i < count; i++) {
        folder->members[i].agent = shares[i].agent;
        folder->members[i].folder = shares[i].folder;
        verdict_member(view, &folder->members[i]);
        folder->health = health_worse(folder->health, folder->members[i].health);
    }
    add_connections(view, folder);
    for (size_t i = 0; i < folder->connection_count; i++)
        folder->health = health_worse(folder->health, folder->connections[i].health);
}

/* The length of the run of shares from @at that are alike. */
static size_t run_length(const struct share *shares, size_t count, size_t at,
                         bool (*alike)(const struct share *, const struct share *))
{
    size_t end = at + 1;

    while (end < count && alike(&shares[at], &shares[end]))
        end++;
    return end - at;
}

static void add_group(struct view *view, struct view_group *group, const struct share *shares,
                      size_t count)
{
    group->id = shares[0].folder->group;
    group->name = shares[0].folder->group_name;
    for (size_t at = 0; at < count; at += run_length(shares, count, at, same_folder))
        group->folder_count++;
    group->folders = mem_new(group->folder_count, sizeof(*group->folders));
    for (size_t at = 0, f = 0; at < count; f++) {
        size_t run = run_length(shares, count, at, same_folder);

        add_folder(view, &group->folders[f], shares + at, run);
        group->health = health_worse(group->health, group->folders[f].health);
        at += run;
    }
}

static void add_groups(struct view *view)
{
    size_t count;
    scope_free struct share *shares = cut_shares(view->sources->fleet, &count);

    for (size_t at = 0; at < count; at += run_length(shares, count, at, same_group))
        view->group_count++;
    view->groups = mem_new(view->group_count, sizeof(*view->groups));
    for (size_t at = 0, g = 0; at < count; g++) {
        size_t run = run_length(shares, count, at, same_group);

        add_group(view, &view->groups[g], shares + at, run);
        at += run;
    }
}

/* --- the whole --- */

static void count_folder(struct view_counts *counts, const struct view_folder *folder)
{
    counts->folders++;
    for (size_t i = 0; i < folder->member_count; i++)
        if (folder->members[i].report)
            counts->conflicts += folder->members[i].report->conflict_count;
    for (size_t i = 0; i < folder->connection_count; i++) {
        const struct view_connection *connection = &folder->connections[i];

        if (connection->state == CONNECTION_DISABLED)
            continue;
        counts->connections++;
        counts->connections_in_sync += connection->state == CONNECTION_IN_SYNC;
        if (connection->backlog_known)
            counts->backlog_files += connection->backlog_files;
    }
}

static void count(struct view *view)
{
    const struct fleet *fleet = view->sources->fleet;
    struct view_counts *counts = &view->counts;

    counts->groups = view->group_count;
    for (size_t g = 0; g < view->group_count; g++)
        for (size_t f = 0; f < view->groups[g].folder_count; f++)
            count_folder(counts, &view->groups[g].folders[f]);
    counts->agents = fleet_agent_count(fleet);
    for (size_t i = 0; i < counts->agents; i++)
        counts->agents_attached += fleet_agent_at(fleet, i)->presence == FLEET_ATTACHED;
}

/* No green light beside a warning: the whole is at best as good as its worst finding allows. */
static void judge(struct view *view)
{
    if (view->sources->directory.state == DIRECTORY_NEVER_READ)
        view->health = HEALTH_UNKNOWN;
    for (size_t g = 0; g < view->group_count; g++)
        view->health = health_worse(view->health, view->groups[g].health);
    for (size_t i = 0; i < view->finding_count; i++)
        if (view->findings[i].severity != SEVERITY_NOTE)
            view->health = health_worse(view->health, HEALTH_DEGRADED);
}

static const char *plural(size_t n)
{
    return n == 1 ? "" : "s";
}

/* "2 errors, 1 warning"; "" when there are none. */
static const char *count_findings(struct view *view)
{
    size_t errors = 0;
    size_t warnings = 0;

    for (size_t i = 0; i < view->finding_count; i++) {
        errors += view->findings[i].severity == SEVERITY_ERROR;
        warnings += view->findings[i].severity == SEVERITY_WARNING;
    }
    const char *bad = errors > 0 ? view_format(view, "%zu error%s", errors, plural(errors)) : "";
    const char *doubtful =
        warnings > 0 ? view_format(view, "%zu warning%s", warnings, plural(warnings)) : "";

    return view_format(view, "%s%s%s", bad, errors > 0 && warnings > 0 ? ", " : "", doubtful);
}

static void summarise(struct view *view)
{
    const struct view_counts *c = &view->counts;
    const char *findings = count_findings(view);

    if (view->sources->directory.state == DIRECTORY_NEVER_READ)
        view->summary = "the directory has not been read yet";
    else if (findings[0] != '\0')
        view->summary = view_format(view, "%s; %zu of %zu connection%s in sync", findings,
                                    c->connections_in_sync, c->connections, plural(c->connections));
    else if (c->groups == 0)
        view->summary = "the directory holds no replication groups with members";
    else if (view->health == HEALTH_UNKNOWN)
        view->summary = view_format(view, "waiting for reports: %zu of %zu agent%s attached",
                                    c->agents_attached, c->agents, plural(c->agents));
    else if (c->connections_in_sync < c->connections)
        view->summary = view_format(
            view, "%zu of %zu connection%s in sync, %" PRIu64 " files to go",
            c->connections_in_sync, c->connections, plural(c->connections), c->backlog_files);
    else
        view->summary =
            view_format(view, "%zu folder%s on %zu agent%s, all %zu connection%s in sync",
                        c->folders, plural(c->folders), c->agents, plural(c->agents),
                        c->connections, plural(c->connections));
}

struct view *view_new(const struct view_sources *sources)
{
    struct view *view = MEM_NEW(struct view);

    view->sources = sources;
    add_groups(view);
    findings_collect(view);
    count(view);
    judge(view);
    summarise(view);
    return view;
}

void view_free(struct view *view)
{
    if (!view)
        return;
    for (size_t g = 0; g < view->group_count; g++) {
        for (size_t f = 0; f < view->groups[g].folder_count; f++) {
            free(view->groups[g].folders[f].members);
            free(view->groups[g].folders[f].connections);
        }
        free(view->groups[g].folders);
    }
    free(view->groups);
    free(view->findings);
    for (struct view_text *text = view->texts, *next; text; text = next) {
        next = text->next;
        free(text->text);
        free(text);
    }
    free(view);
}
