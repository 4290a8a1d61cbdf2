/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/status/render.h"

#include "controller/status/json.h"

static uint64_t age_s(struct instant then, struct instant now)
{
    int64_t ms = instant_ms_since(then, now);

    return ms > 0 ? (uint64_t)ms / 1000 : 0;
}

static uint64_t wall_age_s(struct walltime then, struct walltime now)
{
    return now.ns > then.ns ? (uint64_t)((now.ns - then.ns) / NS_PER_SEC) : 0;
}

static void write_controller(struct json *json, const struct view *view)
{
    const struct view_sources *sources = view->sources;

    json_object_begin(json, "controller");
    json_text(json, "version", COTERIE_VERSION);
    json_text(json, "host", sources->host_name);
    json_text_or_null(json, "principal", sources->principal);
    json_time(json, "started", sources->started.wall);
    json_number(json, "uptime_seconds", age_s(sources->started.instant, sources->now.instant));
    json_object_end(json);
}

static void write_directory(struct json *json, const struct view *view)
{
    const struct directory_status *directory = &view->sources->directory;

    json_object_begin(json, "directory");
    json_text(json, "state", directory_state_name(directory->state));
    json_text(json, "uri", directory->uri);
    json_text_or_null(json, "base_dn", directory->base);
    json_text_or_null(json, "problem", directory->problem);
    json_time(json, "failing_since", directory->failing_since);
    json_time(json, "last_read", directory->last_read);
    json_number(json, "generation", directory->generation);
    json_object_end(json);
}

static void write_counts(struct json *json, const struct view_counts *counts)
{
    json_object_begin(json, "counts");
    json_number(json, "groups", counts->groups);
    json_number(json, "folders", counts->folders);
    json_number(json, "agents", counts->agents);
    json_number(json, "agents_attached", counts->agents_attached);
    json_number(json, "connections", counts->connections);
    json_number(json, "connections_in_sync", counts->connections_in_sync);
    json_number(json, "backlog_files", counts->backlog_files);
    json_number(json, "conflicts", counts->conflicts);
    json_object_end(json);
}

static void write_member(struct json *json, const struct view_member *member)
{
    const struct folder_assignment *folder = member->folder;
    const struct folder_report *report = member->report;

    json_object_begin(json, NULL);
    json_guid(json, "guid", &folder->member);
    json_text(json, "computer", member->agent->computer->name);
    json_text(json, "root_path", folder->root_path);
    json_bool(json, "enabled", folder->enabled);
    json_bool(json, "read_only", folder->read_only);
    json_bool(json, "primary", folder->primary);
    json_text(json, "state", member->state);
    json_text(json, "health", health_name(member->health));
    json_text_or_null(json, "reason", member->reason);
    json_bool(json, "fresh", member->fresh);
    if (report) {
        json_number(json, "files", report->file_count);
        json_number(json, "content_bytes", report->content_bytes);
        json_number(json, "conflicts", report->conflict_count);
        json_number(json, "preserved", report->preserved_count);
        json_text_or_null(json, "activity", report->activity);
    } else {
        json_null(json, "files");
        json_null(json, "content_bytes");
        json_null(json, "conflicts");
        json_null(json, "preserved");
        json_null(json, "activity");
    }
    json_object_end(json);
}

static void write_connection(struct json *json, const struct view *view,
                             const struct view_connection *connection)
{
    json_object_begin(json, NULL);
    json_guid(json, "guid", &connection->assignment->connection);
    json_text(json, "from", connection->assignment->partner_name);
    json_text(json, "to", connection->receiver->agent->computer->name);
    json_bool(json, "enabled", connection->state != CONNECTION_DISABLED);
    json_text(json, "state", connection_state_name(connection->state));
    json_text(json, "health", health_name(connection->health));
    json_bool(json, "in_sync", connection->state == CONNECTION_IN_SYNC);
    json_text_or_null(json, "reason", connection->reason);
    if (connection->backlog_known)
        json_number(json, "backlog_files", connection->backlog_files);
    else
        json_null(json, "backlog_files");
    json_time(json, "last_sync", connection->last_sync);
    if (connection->last_sync.ns != 0)
        json_number(json, "last_sync_age_seconds",
                    wall_age_s(connection->last_sync, view->sources->now.wall));
    else
        json_null(json, "last_sync_age_seconds");
    if (connection->schedule_known)
        json_bool(json, "schedule_open", connection->schedule_open);
    else
        json_null(json, "schedule_open");
    json_time(json, "schedule_changes", connection->schedule_change);
    if (connection->inbound) {
        json_text(json, "link", connection->inbound->state);
        json_number(json, "bytes_received", connection->inbound->bytes_received);
        json_number(json, "bytes_sent", connection->inbound->bytes_sent);
        json_number(json, "updates", connection->inbound->updates_done);
    } else {
        json_null(json, "link");
        json_null(json, "bytes_received");
        json_null(json, "bytes_sent");
        json_null(json, "updates");
    }
    json_bool(json, "rdc", connection->assignment->rdc_enabled);
    json_object_end(json);
}

static void write_folder(struct json *json, const struct view *view,
                         const struct view_folder *folder)
{
    json_object_begin(json, NULL);
    json_guid(json, "guid", &folder->id);
    json_text(json, "name", folder->name);
    json_text(json, "health", health_name(folder->health));
    json_array_begin(json, "members");
    for (size_t i = 0; i < folder->member_count; i++)
        write_member(json, &folder->members[i]);
    json_array_end(json);
    json_array_begin(json, "connections");
    for (size_t i = 0; i < folder->connection_count; i++)
        write_connection(json, view, &folder->connections[i]);
    json_array_end(json);
    json_object_end(json);
}

static void write_groups(struct json *json, const struct view *view)
{
    json_array_begin(json, "groups");
    for (size_t g = 0; g < view->group_count; g++) {
        const struct view_group *group = &view->groups[g];

        json_object_begin(json, NULL);
        json_guid(json, "guid", &group->id);
        json_text(json, "name", group->name);
        json_text(json, "health", health_name(group->health));
        json_array_begin(json, "folders");
        for (size_t f = 0; f < group->folder_count; f++)
            write_folder(json, view, &group->folders[f]);
        json_array_end(json);
        json_object_end(json);
    }
    json_array_end(json);
}

static void write_agent(struct json *json, const struct view *view, const struct fleet_agent *agent)
{
    json_object_begin(json, NULL);
    json_text(json, "computer", agent->computer ? agent->computer->name : agent->principal);
    json_text(json, "state", fleet_presence_name(agent->presence));
    json_time(json, "since", agent->since.wall);
    json_text_or_null(json, "principal", agent->principal);
    json_text_or_null(json, "address", agent->address);
    json_text_or_null(json, "host_name", agent->host_name);
    json_text_or_null(json, "version", agent->version);
    json_time(json, "started", agent->started);
    json_text(json, "assignment", fleet_acceptance_name(agent->acceptance));
    json_text_or_null(json, "problem", agent->problem);
    if (agent->report) {
        json_number(json, "last_report_age_seconds",
                    age_s(agent->reported.instant, view->sources->now.instant));
        json_number(json, "resident_bytes", agent->report->resident_bytes);
        json_number(json, "cpu_ms", agent->report->cpu_ms);
    } else {
        json_null(json, "last_report_age_seconds");
        json_null(json, "resident_bytes");
        json_null(json, "cpu_ms");
    }
    json_object_end(json);
}

static void write_agents(struct json *json, const struct view *view)
{
    const struct fleet *fleet = view->sources->fleet;

    json_array_begin(json, "agents");
    for (size_t i = 0; i < fleet_agent_count(fleet); i++)
        write_agent(json, view, fleet_agent_at(fleet, i));
    json_array_end(json);
    json_array_begin(json, "strangers");
    for (size_t i = 0; i < fleet_stranger_count(fleet); i++)
        write_agent(json, view, fleet_stranger_at(fleet, i));
    json_array_end(json);
}

static void write_findings(struct json *json, const struct view *view)
{
    json_array_begin(json, "findings");
    for (size_t i = 0; i < view->finding_count; i++) {
        const struct status_finding *finding = &view->findings[i];

        json_object_begin(json, NULL);
        json_text(json, "severity", severity_name(finding->severity));
        json_text(json, "code", finding->code);
        json_text(json, "object", finding->object);
        json_text(json, "cause", finding->cause);
        json_text(json, "remedy", finding->remedy);
        json_time(json, "since", finding->since);
        json_object_end(json);
    }
    json_array_end(json);
}

void render_json(const struct view *view, struct buf *out)
{
    struct json json = {.out = out};

    json_object_begin(&json, NULL);
    json_number(&json, "format", STATUS_FORMAT);
    json_time(&json, "time", view->sources->now.wall);
    json_text(&json, "health", health_name(view->health));
    json_text(&json, "summary", view->summary);
    write_controller(&json, view);
    write_directory(&json, view);
    write_counts(&json, &view->counts);
    write_groups(&json, view);
    write_agents(&json, view);
    write_findings(&json, view);
    json_object_end(&json);
    buf_append_string(out, "\n");
}
