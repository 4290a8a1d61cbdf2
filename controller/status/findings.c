/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/status/view_build.h"

#include "common/base/limits.h"
#include "common/base/mem.h"

#include <stdlib.h>

#define REMEDY_AGENT                                                                               \
    "on that computer: systemctl status coterie-agent; journalctl -u coterie-agent -n 50"

struct collector {
    struct view *view;
    size_t capacity;
};

static void add(struct collector *to, struct status_finding finding)
{
    struct view *view = to->view;

    if (view->finding_count == to->capacity) {
        to->capacity = to->capacity > 0 ? to->capacity * 2 : 16;
        view->findings = mem_resize(view->findings, to->capacity, sizeof(*view->findings));
    }
    view->findings[view->finding_count++] = finding;
}

static void add_directory(struct collector *to, const struct directory_status *directory)
{
    if (directory->problem[0] == '\0')
        return;
    add(to, (struct status_finding){
                .severity =
                    directory->state == DIRECTORY_NEVER_READ ? SEVERITY_ERROR : SEVERITY_WARNING,
                .code = "directory-unreachable",
                .object = "directory",
                .cause = directory->problem,
                .remedy = directory->state == DIRECTORY_NEVER_READ
                              ? "correct the cause; agents go on with their last assignment, and "
                                "the controller keeps trying"
                              : "correct the cause; until then assignments stay as they were last "
                                "read",
                .since = directory->failing_since,
            });
}

/* What an agent complains of is as bad as what it suffers from. */
static enum severity severity_of(enum health health)
{
    if (health == HEALTH_STOPPED)
        return SEVERITY_ERROR;
    return health == HEALTH_DEGRADED ? SEVERITY_WARNING : SEVERITY_NOTE;
}

static void add_problems(struct collector *to, const char *code, enum health health,
                         const char *where, const struct report_problem *problems, size_t count)
{
    for (size_t i = 0; i < count; i++)
        add(to, (struct status_finding){
                    .severity = severity_of(health),
                    .code = code,
                    .object = problems[i].object[0] == '\0'
                                  ? where
                                  : view_format(to->view, "%s: %s", where, problems[i].object),
                    .cause = problems[i].cause,
                    .remedy = problems[i].remedy[0] == '\0' ? REMEDY_AGENT : problems[i].remedy,
                    .since = problems[i].since,
                });
}

/* One agent: is it there, does it speak, did it take its assignment, what does it complain of. */
static void add_agent(struct collector *to, const struct fleet_agent *agent)
{
    const struct view_sources *sources = to->view->sources;
    struct instant now = sources->now.instant;
    bool young = instant_ms_since(sources->started.instant, now) <= ATTACH_GRACE_MS;
    struct status_finding finding = {
        .severity = SEVERITY_ERROR,
        .object = agent->computer->name,
        .remedy = REMEDY_AGENT,
        .since = agent->since.wall,
    };

    if (agent->presence == FLEET_NEVER) {
        finding.code = "agent-missing";
        finding.cause = "has not attached since this controller started";
        finding.remedy = "install and start coterie-agent there, with this controller's address "
                         "in its agent.conf; its journal says why it cannot attach";
        finding.since = sources->started.wall;
        if (!young)
            add(to, finding);
        return;
    }
    if (agent->presence == FLEET_DETACHED &&
        instant_ms_since(agent->since.instant, now) > DETACHED_FRESH_MS) {
        finding.code = "agent-detached";
        finding.cause = "is not attached to the controller any more";
        add(to, finding);
        return;
    }
    if (agent->presence == FLEET_ATTACHED && !fleet_agent_is_fresh(agent, now) &&
        instant_ms_since(agent->since.instant, now) > REPORT_FRESH_MS) {
        finding.code = "agent-silent";
        finding.cause = "is attached but does not report";
        if (agent->report)
            finding.since = agent->reported.wall;
        add(to, finding);
    }
    if (agent->acceptance == FLEET_ACCEPTANCE_REFUSED) {
        finding.code = "assignment-refused";
        finding.cause = agent->problem[0] == '\0' ? "refused its assignment" : agent->problem;
        add(to, finding);
    }
    if (agent->report && fleet_agent_is_fresh(agent, now))
        add_problems(to, "agent-problem", HEALTH_DEGRADED, agent->computer->name,
                     agent->report->problems, agent->report->problem_count);
}

static void add_stranger(struct collector *to, const struct fleet_agent *agent)
{
    add(to, (struct status_finding){
                .severity = SEVERITY_WARNING,
                .code = "agent-without-member",
                .object = agent->principal,
                .cause = view_format(to->view,
                                     "an agent asked from %s, but the directory has no member for "
                                     "it",
                                     agent->address),
                .remedy = "add the computer to a replication group, correct the dNSHostName or "
                          "servicePrincipalName of its object, or stop the agent",
                .since = agent->since.wall,
            });
}

static void add_folder(struct collector *to, const struct view_folder *folder)
{
    struct view *view = to->view;

    for (size_t i = 0; i < folder->member_count; i++) {
        const struct view_member *member = &folder->members[i];

        if (member->fresh && member->report)
            add_problems(to, "folder-problem", member->report->health,
                         view_format(view, "%s on %s", folder->name, member->agent->computer->name),
                         member->report->problems, member->report->problem_count);
    }
    for (size_t i = 0; i < folder->connection_count; i++) {
        const struct view_connection *connection = &folder->connections[i];
        const char *where = view_format(view, "%s from %s to %s", folder->name,
                                        connection->assignment->partner_name,
                                        connection->receiver->agent->computer->name);

        if (connection->receiver->fresh && connection->inbound)
            add_problems(to, "connection-problem", connection->inbound->health, where,
                         connection->inbound->problems, connection->inbound->problem_count);
        if (connection->sender && connection->sender->fresh && connection->outbound)
            add_problems(to, "connection-problem", connection->outbound->health, where,
                         connection->outbound->problems, connection->outbound->problem_count);
        /* where an end is held or unheard, that end's own finding says so */
        if (connection->health >= HEALTH_DEGRADED && connection->inbound &&
            (connection->state == CONNECTION_INTERRUPTED ||
             connection->state == CONNECTION_IN_SYNC) &&
            connection->inbound->problem_count == 0)
            add(to, (struct status_finding){
                        .severity = SEVERITY_WARNING,
                        .code = "connection-interrupted",
                        .object = where,
                        .cause = connection->reason,
                        .remedy = "see the agents' journals on both computers",
                    });
    }
}

static int compare_findings(const void *a, const void *b)
{
    const struct status_finding *left = a;
    const struct status_finding *right = b;
    int order = (int)left->severity - (int)right->severity;

    if (order == 0)
        order = strcmp(left->code, right->code);
    if (order == 0)
        order = strcmp(left->object, right->object);
    return order != 0 ? order : strcmp(left->cause, right->cause);
}

void findings_collect(struct view *view)
{
    struct collector to = {.view = view};
    const struct view_sources *sources = view->sources;

    add_directory(&to, &sources->directory);
    for (size_t i = 0; i < sources->finding_count; i++)
        add(&to, sources->findings[i]);
    for (size_t i = 0; i < fleet_agent_count(sources->fleet); i++)
        add_agent(&to, fleet_agent_at(sources->fleet, i));
    for (size_t i = 0; i < fleet_stranger_count(sources->fleet); i++)
        add_stranger(&to, fleet_stranger_at(sources->fleet, i));
    for (size_t g = 0; g < view->group_count; g++)
        for (size_t f = 0; f < view->groups[g].folder_count; f++)
            add_folder(&to, &view->groups[g].folders[f]);
    if (view->finding_count > 0)
        qsort(view->findings, view->finding_count, sizeof(*view->findings), compare_findings);
}
