/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What state a member or a connection is in. The questions are asked in order of what overrules
 * what, and the first that applies answers: what the directory says, whether we know enough to
 * judge, what both vectors show, and only then why they differ.
 */
#include "controller/status/view_build.h"

#include "common/base/limits.h"

#include <inttypes.h>

#define STATE_SCANNING "scanning" /* a folder that has not numbered all its files yet */
#define STATE_CLOSED   "closed" /* how the state of a connection that waits for its window begins */

static bool is_set(const char *text)
{
    return text[0] != '\0';
}

/* --- members --- */

static const char *silence(struct view *view, const struct fleet_agent *agent)
{
    struct instant now = view->sources->now.instant;

    if (agent->presence == FLEET_NEVER)
        return view_format(view, "the agent of %s has not attached to this controller yet",
                           agent->computer->name);
    if (agent->presence == FLEET_DETACHED)
        return view_format(view, "the agent of %s went away %s ago", agent->computer->name,
                           view_age(view, instant_ms_since(agent->since.instant, now)));
    if (!agent->report)
        return view_format(view, "the agent of %s is attached but has not reported yet",
                           agent->computer->name);
    return view_format(view, "the agent of %s is attached but has not reported for %s",
                       agent->computer->name,
                       view_age(view, instant_ms_since(agent->reported.instant, now)));
}

static void set_member(struct view_member *member, enum health health, const char *state,
                       const char *reason)
{
    member->health = health;
    member->state = state;
    member->reason = reason;
}

void verdict_member(struct view *view, struct view_member *member)
{
    const struct fleet_agent *agent = member->agent;

    member->report = report_folder(agent->report, &member->folder->folder);
    member->fresh = fleet_agent_is_fresh(agent, view->sources->now.instant);
    if (!member->folder->enabled)
        set_member(member, HEALTH_OK, "disabled", "");
    else if (is_set(member->folder->problem))
        set_member(member, HEALTH_STOPPED, "held", member->folder->problem);
    else if (agent->acceptance == FLEET_ACCEPTANCE_REFUSED)
        set_member(member, HEALTH_DEGRADED, "assignment-refused", agent->problem);
    else if (!member->fresh)
        set_member(member, HEALTH_UNKNOWN,
                   agent->presence == FLEET_ATTACHED ? "silent"
                                                     : fleet_presence_name(agent->presence),
                   silence(view, agent));
    else if (!member->report)
        set_member(member, HEALTH_BUSY, "assigned", "the agent does not report this folder yet");
    else
        set_member(member, member->report->health, member->report->state,
                   member->report->problem_count > 0 ? member->report->problems[0].cause : "");
}

/* --- connections --- */

static void set_connection(struct view_connection *connection, enum connection_state state,
                           enum health health, const char *reason)
{
    connection->state = state;
    connection->health = health;
    connection->reason = reason;
}

static void read_schedule(struct view *view, struct view_connection *connection)
{
    const struct schedule *schedule = &connection->assignment->schedule;
    struct walltime now = view->sources->now.wall;

    if (schedule->local_time) {
        /* the receiver's zone is known only there */
        connection->schedule_known = connection->inbound && connection->receiver->fresh;
        connection->schedule_open =
            connection->schedule_known &&
            strncmp(connection->inbound->state, STATE_CLOSED, strlen(STATE_CLOSED)) != 0;
        return;
    }
    connection->schedule_known = true;
    connection->schedule_open = schedule_level_at(schedule, now) != 0;
    if (!schedule_next_change(schedule, now, &connection->schedule_change))
        connection->schedule_change.ns = 0;
}

/* Whether what stands in the directory settles it. */
static bool decided_by_directory(struct view *view, struct view_connection *connection)
{
    const struct view_member *receiver = connection->receiver;
    const struct view_member *sender = connection->sender;

    if (!connection->assignment->enabled || !receiver->folder->enabled ||
        (sender && !sender->folder->enabled)) {
        set_connection(connection, CONNECTION_DISABLED, HEALTH_OK, "");
        return true;
    }
    if (!sender) {
        set_connection(connection, CONNECTION_HELD, HEALTH_DEGRADED,
                       view_format(view, "%s has no subscription to this folder",
                                   connection->assignment->partner_name));
        return true;
    }
    return false;
}

/* An end that we do not hear, or that does not replicate. */
static bool decided_by_member(struct view *view, struct view_connection *connection,
                              const struct view_member *member)
{
    const char *name = member->agent->computer->name;

    if (is_set(member->folder->problem)) {
        set_connection(connection, CONNECTION_HELD, HEALTH_STOPPED,
                       view_format(view, "%s: %s", name, member->folder->problem));
        return true;
    }
    if (!member->fresh) {
        set_connection(connection, CONNECTION_UNKNOWN, HEALTH_UNKNOWN,
                       silence(view, member->agent));
        return true;
    }
    if (!member->report) {
        set_connection(connection, CONNECTION_UNKNOWN, HEALTH_BUSY,
                       view_format(view, "%s does not report this folder yet", name));
        return true;
    }
    if (member->report->health == HEALTH_STOPPED) {
        const struct folder_report *report = member->report;

        set_connection(
            connection, CONNECTION_HELD, HEALTH_STOPPED,
            view_format(view, "%s: %s", name,
                        report->problem_count > 0 ? report->problems[0].cause : report->state));
        return true;
    }
    return false;
}

/* What the receiver says of its link can only make it worse. */
static void worsen(struct view *view, struct view_connection *connection)
{
    const struct connection_report *inbound = connection->inbound;

    if (!inbound || inbound->health < HEALTH_DEGRADED)
        return;
    connection->health = health_worse(connection->health, inbound->health);
    if (connection->state == CONNECTION_BEHIND)
        connection->state = CONNECTION_INTERRUPTED;
    connection->reason =
        inbound->problem_count > 0
            ? inbound->problems[0].cause
            : view_format(view, "%s is %s", connection->assignment->partner_name, inbound->state);
}

void verdict_connection(struct view *view, struct view_connection *connection)
{
    const struct guid *id = &connection->assignment->connection;
    const struct view_member *receiver = connection->receiver;
    const struct view_member *sender = connection->sender;

    connection->inbound = folder_report_connection(receiver->report, id, true);
    connection->outbound = sender ? folder_report_connection(sender->report, id, false) : NULL;
    if (connection->inbound)
        connection->last_sync = connection->inbound->last_sync;
    if (connection->outbound && connection->outbound->last_sync.ns > connection->last_sync.ns)
        connection->last_sync = connection->outbound->last_sync;
    read_schedule(view, connection);
    if (decided_by_directory(view, connection) || decided_by_member(view, connection, receiver) ||
        decided_by_member(view, connection, sender))
        return;

    uint64_t lacking = report_vector_lacks(&receiver->report->vector, &sender->report->vector);

    if (strcmp(sender->report->state, STATE_SCANNING) == 0)
        set_connection(connection, CONNECTION_BEHIND, HEALTH_BUSY,
                       view_format(view, "%s is still scanning", sender->agent->computer->name));
    else if (lacking == 0)
        set_connection(connection, CONNECTION_IN_SYNC, HEALTH_OK, "");
    else if (connection->schedule_known && !connection->schedule_open)
        set_connection(connection, CONNECTION_CLOSED, HEALTH_BUSY, "the schedule is closed");
    else
        set_connection(
            connection, CONNECTION_BEHIND, HEALTH_BUSY,
            view_format(view, "%" PRIu64 " change%s to go", lacking, lacking == 1 ? "" : "s"));
    connection->backlog_known = connection->state == CONNECTION_IN_SYNC || connection->outbound;
    if (connection->state != CONNECTION_IN_SYNC && connection->outbound)
        connection->backlog_files = connection->outbound->backlog_files;
    if (connection->state != CONNECTION_CLOSED)
        worsen(view, connection);
}
