/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/agent_show.h"

#include "cli/cli.h"
#include "cli/table.h"

#include "common/base/guid.h"
#include "common/base/instant.h"
#include "common/base/mem.h"
#include "common/base/scope.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define STATE_IN_SYNC "in-sync" /* the agent's word for it */

typedef Coterie__V1__AgentStatus agent_status;
typedef Coterie__V1__Folder folder_assigned;
typedef Coterie__V1__Connection connection_assigned;
typedef Coterie__V1__FolderReport folder_report;
typedef Coterie__V1__ConnectionReport connection_report;

static bool same_bytes(ProtobufCBinaryData a, ProtobufCBinaryData b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static const folder_report *find_folder(const agent_status *status, const folder_assigned *folder)
{
    for (size_t i = 0; status->report && i < status->report->n_folders; i++)
        if (same_bytes(status->report->folders[i]->folder_guid, folder->folder_guid))
            return status->report->folders[i];
    return NULL;
}

static const connection_report *find_connection(const folder_report *report,
                                                const connection_assigned *connection, bool inbound)
{
    for (size_t i = 0; report && i < report->n_connections; i++)
        if (report->connections[i]->inbound == inbound &&
            same_bytes(report->connections[i]->connection_guid, connection->connection_guid))
            return report->connections[i];
    return NULL;
}

static const char *health_word(Coterie__V1__Health health)
{
    if (health == COTERIE__V1__HEALTH__HEALTH_OK)
        return "ok";
    if (health == COTERIE__V1__HEALTH__HEALTH_BUSY)
        return "busy";
    if (health == COTERIE__V1__HEALTH__HEALTH_DEGRADED)
        return "degraded";
    if (health == COTERIE__V1__HEALTH__HEALTH_STOPPED)
        return "stopped";
    return "unknown";
}

static bool is_well(Coterie__V1__Health health)
{
    return health == COTERIE__V1__HEALTH__HEALTH_OK || health == COTERIE__V1__HEALTH__HEALTH_BUSY;
}

static const char *letter(Coterie__V1__Health health)
{
    if (health == COTERIE__V1__HEALTH__HEALTH_OK)
        return ".";
    if (health == COTERIE__V1__HEALTH__HEALTH_BUSY)
        return "~";
    return health == COTERIE__V1__HEALTH__HEALTH_STOPPED ? "x" : "!";
}

/* --- idle --- */

/* Reasons go to @to as they are found; with @count alone they are only counted. */
struct reasons {
    size_t count;
    FILE *to;
};

static void reason(struct reasons *reasons, const folder_assigned *folder, const char *text,
                   const char *detail)
{
    scope_free char *line = mem_format("%s/%s: %s%s%s", folder->group_name, folder->folder_name,
                                       text, detail[0] != '\0' ? ": " : "", detail);

    reasons->count++;
    if (!reasons->to)
        return;
    table_print_text(line, reasons->to);
    fputc('\n', reasons->to);
}

static void check_connections(struct reasons *reasons, const folder_assigned *folder,
                              const folder_report *report, bool inbound)
{
    connection_assigned *const *connections = inbound ? folder->inbound : folder->outbound;
    size_t count = inbound ? folder->n_inbound : folder->n_outbound;

    for (size_t i = 0; i < count; i++) {
        const connection_report *state = find_connection(report, connections[i], inbound);

        if (!connections[i]->enabled)
            continue;
        scope_free char *name =
            mem_format("%s %s", inbound ? "from" : "to", connections[i]->partner_name);

        if (!state)
            reason(reasons, folder, name, "not reported");
        else if (strcmp(state->state, STATE_IN_SYNC) != 0 || state->backlog_files > 0 ||
                 state->health != COTERIE__V1__HEALTH__HEALTH_OK)
            reason(reasons, folder, name, state->state);
    }
}

static size_t count_reasons(const agent_status *status, FILE *to)
{
    struct reasons reasons = {.to = to};
    size_t enabled = 0;

    for (size_t i = 0; status->assignment && i < status->assignment->n_folders; i++) {
        const folder_assigned *folder = status->assignment->folders[i];
        const folder_report *report = find_folder(status, folder);

        if (!folder->enabled)
            continue;
        enabled++;
        if (folder->problem[0] != '\0')
            reason(&reasons, folder, "held back", folder->problem);
        else if (!report)
            reason(&reasons, folder, "not reported", "");
        else if (report->health != COTERIE__V1__HEALTH__HEALTH_OK &&
                 report->health != COTERIE__V1__HEALTH__HEALTH_DEGRADED)
            /* a problem that somebody should look at is no work that is left to do */
            reason(&reasons, folder, report->state,
                   report->activity[0] != '\0' ? report->activity : health_word(report->health));
        else if (report->activity[0] != '\0')
            reason(&reasons, folder, report->state, report->activity);
        check_connections(&reasons, folder, report, true);
        check_connections(&reasons, folder, report, false);
    }
    if (enabled == 0) {
        reasons.count++;
        if (to)
            fputs("no folder is assigned to this agent\n", to);
    }
    return reasons.count;
}

int agent_show_idle(const agent_status *status, bool json, FILE *to)
{
    size_t count = count_reasons(status, json ? NULL : to);

    if (json)
        fprintf(to, "{\"idle\": %s, \"reasons\": %zu}\n", count == 0 ? "true" : "false", count);
    else if (count == 0)
        fputs("in sync, nothing to do\n", to);
    return count == 0 ? CLI_WELL : CLI_UNHEALTHY;
}

/* --- status as JSON --- */

/* Bytes that are no UTF-8 become '?': JSON cannot carry them. */
static json_t *json_of_text(const char *text)
{
    json_t *value = json_string(text);

    if (value)
        return value;
    scope_free char *copy = mem_copy_string(text);

    for (char *c = copy; *c != '\0'; c++)
        if ((unsigned char)*c >= 0x80)
            *c = '?';
    return json_string(copy);
}

static json_t *json_of_guid(ProtobufCBinaryData bytes)
{
    struct guid id;

    if (bytes.len != GUID_SIZE)
        return json_null();
    memcpy(id.bytes, bytes.data, GUID_SIZE);
    return json_string(guid_format(&id).text);
}

static json_t *json_of_time(uint64_t ns)
{
    if (ns == 0 || ns > INT64_MAX)
        return json_null();
    return json_string(walltime_format((struct walltime){.ns = (int64_t)ns}).text);
}

static json_t *json_of_problems(Coterie__V1__Problem *const *problems, size_t count)
{
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_pack("{s:o, s:o, s:o, s:o, s:I}", "object",
                                              json_of_text(problems[i]->object), "cause",
                                              json_of_text(problems[i]->cause), "remedy",
                                              json_of_text(problems[i]->remedy), "since",
                                              json_of_time(problems[i]->since_ns), "count",
                                              (json_int_t)problems[i]->count));
    return list;
}

static void append_connections(json_t *list, const folder_assigned *folder,
                               const folder_report *report, bool inbound)
{
    connection_assigned *const *connections = inbound ? folder->inbound : folder->outbound;
    size_t count = inbound ? folder->n_inbound : folder->n_outbound;

    for (size_t i = 0; i < count; i++) {
        const connection_report *state = find_connection(report, connections[i], inbound);
        json_t *row =
            json_pack("{s:o, s:o, s:s, s:b}", "guid", json_of_guid(connections[i]->connection_guid),
                      "partner", json_of_text(connections[i]->partner_name), "direction",
                      inbound ? "inbound" : "outbound", "enabled", connections[i]->enabled);

        if (state) {
            json_object_set_new(row, "state", json_of_text(state->state));
            json_object_set_new(row, "health", json_string(health_word(state->health)));
            json_object_set_new(row, "backlog_files",
                                json_integer((json_int_t)state->backlog_files));
            json_object_set_new(row, "bytes_received",
                                json_integer((json_int_t)state->bytes_received));
            json_object_set_new(row, "bytes_sent", json_integer((json_int_t)state->bytes_sent));
            json_object_set_new(row, "updates", json_integer((json_int_t)state->updates_done));
            json_object_set_new(row, "last_sync", json_of_time(state->last_sync_ns));
            json_object_set_new(row, "problems",
                                json_of_problems(state->problems, state->n_problems));
        }
        json_array_append_new(list, row);
    }
}

static json_t *json_of_folder(const agent_status *status, const folder_assigned *folder)
{
    const folder_report *report = find_folder(status, folder);
    json_t *connections = json_array();
    json_t *row = json_pack(
        "{s:o, s:o, s:o, s:o, s:b, s:b, s:o}", "guid", json_of_guid(folder->folder_guid), "group",
        json_of_text(folder->group_name), "name", json_of_text(folder->folder_name), "root_path",
        json_of_text(folder->root_path), "enabled", folder->enabled, "read_only", folder->read_only,
        "held_back", folder->problem[0] != '\0' ? json_of_text(folder->problem) : json_null());

    if (report) {
        json_object_set_new(row, "state", json_of_text(report->state));
        json_object_set_new(row, "health", json_string(health_word(report->health)));
        json_object_set_new(row, "activity", json_of_text(report->activity));
        json_object_set_new(row, "files", json_integer((json_int_t)report->file_count));
        json_object_set_new(row, "content_bytes", json_integer((json_int_t)report->content_bytes));
        json_object_set_new(row, "conflicts", json_integer((json_int_t)report->conflict_count));
        json_object_set_new(row, "preserved", json_integer((json_int_t)report->preserved_count));
        json_object_set_new(row, "problems",
                            json_of_problems(report->problems, report->n_problems));
    }
    append_connections(connections, folder, report, true);
    append_connections(connections, folder, report, false);
    json_object_set_new(row, "connections", connections);
    return row;
}

static void print_json(const agent_status *status, FILE *to)
{
    json_t *folders = json_array();

    for (size_t i = 0; status->assignment && i < status->assignment->n_folders; i++)
        json_array_append_new(folders, json_of_folder(status, status->assignment->folders[i]));
    json_t *document = json_pack(
        "{s:i, s:o, s:b, s:b, s:o, s:o}", "format", 1, "version",
        json_of_text(status->agent_version), "controller_attached", status->controller_attached,
        "idle", count_reasons(status, NULL) == 0, "folders", folders, "problems",
        status->report ? json_of_problems(status->report->problems, status->report->n_problems)
                       : json_array());

    json_dumpf(document, to, JSON_INDENT(2));
    fputc('\n', to);
    json_decref(document);
}

/* --- status for people --- */

static void print_problems(Coterie__V1__Problem *const *problems, size_t count, FILE *to)
{
    for (size_t i = 0; i < count; i++) {
        scope_free char *what = mem_format("%s: %s", problems[i]->object, problems[i]->cause);

        fputs("  ! ", to);
        table_print_text(what, to);
        fputs("\n    try: ", to);
        table_print_text(problems[i]->remedy, to);
        fputc('\n', to);
    }
}

static void add_rows(struct table *table, const folder_assigned *folder,
                     const folder_report *report, bool inbound)
{
    connection_assigned *const *connections = inbound ? folder->inbound : folder->outbound;
    size_t count = inbound ? folder->n_inbound : folder->n_outbound;

    for (size_t i = 0; i < count; i++) {
        const connection_report *state = find_connection(report, connections[i], inbound);
        uint64_t age = 0;

        if (state && state->last_sync_ns > 0 && walltime_now().ns > (int64_t)state->last_sync_ns)
            age = (uint64_t)(walltime_now().ns - (int64_t)state->last_sync_ns) / NS_PER_SEC;
        table_add(table, "%s", state ? letter(state->health) : "?");
        table_add(table, "%s %s", inbound ? "from" : "to", connections[i]->partner_name);
        table_add(table, "%s", state ? state->state : "not reported");
        table_add_number(table, state && !inbound, state ? state->backlog_files : 0);
        if (inbound)
            table_add_age(table, state && state->last_sync_ns > 0, age);
        else
            table_add(table, "-");
        table_add_bytes(table, state != NULL, state ? state->bytes_received : 0);
        table_add_bytes(table, state != NULL, state ? state->bytes_sent : 0);
    }
}

static void print_folder(const agent_status *status, const folder_assigned *folder, FILE *to)
{
    static const char *const headings[] = {"",      "PARTNER",  "STATE", "FILES TO GO",
                                           "EQUAL", "RECEIVED", "SENT",  NULL};
    const folder_report *report = find_folder(status, folder);
    struct table table;
    scope_free char *title =
        mem_format("%s/%s at %s: %s", folder->group_name, folder->folder_name, folder->root_path,
                   !folder->enabled             ? "disabled"
                   : folder->problem[0] != '\0' ? folder->problem
                   : report                     ? report->state
                                                : "not reported");

    fputc('\n', to);
    table_print_text(title, to);
    if (report)
        fprintf(to, ", %llu files, %llu conflicts, %llu preserved",
                (unsigned long long)report->file_count, (unsigned long long)report->conflict_count,
                (unsigned long long)report->preserved_count);
    fputc('\n', to);
    table_init(&table, headings);
    add_rows(&table, folder, report, true);
    add_rows(&table, folder, report, false);
    table_print(&table, 2, to);
    table_fini(&table);
    if (!report)
        return;
    print_problems(report->problems, report->n_problems, to);
    for (size_t i = 0; i < report->n_connections; i++)
        print_problems(report->connections[i]->problems, report->connections[i]->n_problems, to);
}

static bool all_well(const agent_status *status)
{
    bool well = !status->report || status->report->n_problems == 0;

    for (size_t i = 0; status->report && i < status->report->n_folders; i++) {
        const folder_report *report = status->report->folders[i];

        well = well && is_well(report->health);
        for (size_t c = 0; c < report->n_connections; c++)
            well = well && is_well(report->connections[c]->health);
    }
    return well;
}

int agent_show_status(const agent_status *status, bool json, FILE *to)
{
    size_t folder_count = status->assignment ? status->assignment->n_folders : 0;

    if (json) {
        print_json(status, to);
        return all_well(status) ? CLI_WELL : CLI_UNHEALTHY;
    }
    fprintf(to, "coterie-agent %s, %s, %zu folder%s\n", status->agent_version,
            status->controller_attached ? "attached to the controller"
                                        : "no controller: goes on with the last assignment",
            folder_count, folder_count == 1 ? "" : "s");
    if (status->report)
        print_problems(status->report->problems, status->report->n_problems, to);
    for (size_t i = 0; i < folder_count; i++)
        print_folder(status, status->assignment->folders[i], to);
    return all_well(status) ? CLI_WELL : CLI_UNHEALTHY;
}
