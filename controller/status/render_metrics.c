/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Prometheus text format wants all samples of one metric together under its HELP and TYPE. So
 * each metric is one row of a table with a function that yields the value for one connection,
 * member or agent, or says that there is none: what is not known is left out, never a zero.
 */
#include "controller/status/render.h"

#include "controller/status/text.h"

#include <inttypes.h>

static void head(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void label(struct buf *out, const char *lead, const char *name, const char *value)
{
    buf_printf(out, "%s%s=\"", lead, name);
    text_label(out, value);
    buf_append_string(out, "\"");
}

static void number(struct buf *out, const char *name, const char *type, const char *help,
                   uint64_t value)
{
    head(out, name, type, help);
    buf_printf(out, "%s %" PRIu64 "\n", name, value);
}

static void folder_labels(struct buf *out, const char *metric, const struct view_group *group,
                          const struct view_folder *folder)
{
    buf_append_string(out, metric);
    label(out, "{", "group", group->name);
    label(out, ",", "folder", folder->name);
}

/* --- connections --- */

struct connection_metric {
    const char *name;
    const char *type;
    const char *help;
    bool (*value)(const struct view_connection *connection, uint64_t *out_value);
};

static bool in_sync(const struct view_connection *connection, uint64_t *out_value)
{
    *out_value = connection->state == CONNECTION_IN_SYNC;
    return true;
}

static bool backlog(const struct view_connection *connection, uint64_t *out_value)
{
    *out_value = connection->backlog_files;
    return connection->backlog_known;
}

static bool schedule_open(const struct view_connection *connection, uint64_t *out_value)
{
    *out_value = connection->schedule_open;
    return connection->schedule_known;
}

static bool last_sync(const struct view_connection *connection, uint64_t *out_value)
{
    *out_value = (uint64_t)(connection->last_sync.ns / NS_PER_SEC);
    return connection->last_sync.ns != 0;
}

static bool received(const struct view_connection *connection, uint64_t *out_value)
{
    *out_value = connection->inbound ? connection->inbound->bytes_received : 0;
    return connection->inbound;
}

static bool sent(const struct view_connection *connection, uint64_t *out_value)
{
    *out_value = connection->inbound ? connection->inbound->bytes_sent : 0;
    return connection->inbound;
}

static bool updates(const struct view_connection *connection, uint64_t *out_value)
{
    *out_value = connection->inbound ? connection->inbound->updates_done : 0;
    return connection->inbound;
}

static const struct connection_metric connection_metrics[] = {
    {"coterie_connection_in_sync", "gauge",
     "1 when the receiver has all that the sender has, by both ends' vectors.", in_sync},
    {"coterie_backlog_files", "gauge", "Records of the sender that the receiver lacks.", backlog},
    {"coterie_connection_schedule_open", "gauge", "1 while the schedule lets the connection work.",
     schedule_open},
    {"coterie_connection_last_sync_timestamp_seconds", "gauge",
     "When both ends were last equal, as they report it.", last_sync},
    {"coterie_connection_received_bytes_total", "counter",
     "Protocol bytes that the receiver got over the connection since its agent started.", received},
    {"coterie_connection_sent_bytes_total", "counter",
     "Protocol bytes that the receiver sent over the connection since its agent started.", sent},
    {"coterie_connection_updates_total", "counter",
     "Updates that the receiver took over the connection since its agent started.", updates},
};

static void write_connections(const struct view *view, const struct connection_metric *metric,
                              struct buf *out)
{
    head(out, metric->name, metric->type, metric->help);
    for (size_t g = 0; g < view->group_count; g++) {
        for (size_t f = 0; f < view->groups[g].folder_count; f++) {
            const struct view_folder *folder = &view->groups[g].folders[f];

            for (size_t i = 0; i < folder->connection_count; i++) {
                const struct view_connection *connection = &folder->connections[i];
                uint64_t value;

                if (connection->state == CONNECTION_DISABLED || !metric->value(connection, &value))
                    continue;
                folder_labels(out, metric->name, &view->groups[g], folder);
                label(out, ",", "from", connection->assignment->partner_name);
                label(out, ",", "to", connection->receiver->agent->computer->name);
                buf_printf(out, "} %" PRIu64 "\n", value);
            }
        }
    }
}

/* --- members --- */

struct member_metric {
    const char *name;
    const char *type;
    const char *help;
    uint64_t (*value)(const struct folder_report *report);
};

static uint64_t files(const struct folder_report *report)
{
    return report->file_count;
}

static uint64_t content_bytes(const struct folder_report *report)
{
    return report->content_bytes;
}

static uint64_t conflicts(const struct folder_report *report)
{
    return report->conflict_count;
}

static uint64_t preserved(const struct folder_report *report)
{
    return report->preserved_count;
}

static const struct member_metric member_metrics[] = {
    {"coterie_folder_files", "gauge", "Files, directories and links in the member's tree.", files},
    {"coterie_folder_content_bytes", "gauge", "Bytes of content in the member's tree.",
     content_bytes},
    {"coterie_folder_conflicts_total", "counter",
     "Conflicts the member resolved since its database was made.", conflicts},
    {"coterie_folder_preserved_files", "gauge", "Files in the member's preserve area.", preserved},
};

/* Calls @write for each member of each folder. */
static void each_member(const struct view *view, struct buf *out, const void *arg,
                        void (*write)(struct buf *out, const struct view_group *group,
                                      const struct view_folder *folder,
                                      const struct view_member *member, const void *arg))
{
    for (size_t g = 0; g < view->group_count; g++)
        for (size_t f = 0; f < view->groups[g].folder_count; f++)
            for (size_t i = 0; i < view->groups[g].folders[f].member_count; i++)
                write(out, &view->groups[g], &view->groups[g].folders[f],
                      &view->groups[g].folders[f].members[i], arg);
}

static void write_member(struct buf *out, const struct view_group *group,
                         const struct view_folder *folder, const struct view_member *member,
                         const void *arg)
{
    const struct member_metric *metric = arg;

    if (!member->report)
        return;
    folder_labels(out, metric->name, group, folder);
    label(out, ",", "member", member->agent->computer->name);
    buf_printf(out, "} %" PRIu64 "\n", metric->value(member->report));
}

static void write_health(struct buf *out, const struct view_group *group,
                         const struct view_folder *folder, const struct view_member *member,
                         const void *arg)
{
    (void)arg;
    for (enum health health = HEALTH_OK; health < HEALTH_COUNT; health++) {
        folder_labels(out, "coterie_folder_health", group, folder);
        label(out, ",", "member", member->agent->computer->name);
        label(out, ",", "health", health_name(health));
        buf_printf(out, "} %d\n", health == member->health);
    }
}

/* --- agents --- */

struct agent_metric {
    const char *name;
    const char *type;
    const char *help;
    bool (*value)(const struct fleet_agent *agent, struct moment now, double *out_value);
};

static bool attached(const struct fleet_agent *agent, struct moment now, double *out_value)
{
    (void)now;
    *out_value = agent->presence == FLEET_ATTACHED;
    return true;
}

static bool report_age(const struct fleet_agent *agent, struct moment now, double *out_value)
{
    *out_value = (double)instant_ms_since(agent->reported.instant, now.instant) / 1000;
    return agent->report;
}

static bool resident(const struct fleet_agent *agent, struct moment now, double *out_value)
{
    (void)now;
    *out_value = agent->report ? (double)agent->report->resident_bytes : 0;
    return agent->report;
}

static bool cpu(const struct fleet_agent *agent, struct moment now, double *out_value)
{
    (void)now;
    *out_value = agent->report ? (double)agent->report->cpu_ms / 1000 : 0;
    return agent->report;
}

static const struct agent_metric agent_metrics[] = {
    {"coterie_agent_attached", "gauge", "1 while the agent's stream to the controller is open.",
     attached},
    {"coterie_agent_last_report_seconds", "gauge", "Age of the agent's last report.", report_age},
    {"coterie_agent_resident_bytes", "gauge", "Resident memory of the agent.", resident},
    {"coterie_agent_cpu_seconds_total", "counter", "Processor time of the agent.", cpu},
};

static void write_agents(const struct view *view, const struct agent_metric *metric,
                         struct buf *out)
{
    const struct fleet *fleet = view->sources->fleet;

    head(out, metric->name, metric->type, metric->help);
    for (size_t i = 0; i < fleet_agent_count(fleet); i++) {
        const struct fleet_agent *agent = fleet_agent_at(fleet, i);
        double value;

        if (!metric->value(agent, view->sources->now, &value))
            continue;
        buf_append_string(out, metric->name);
        label(out, "{", "agent", agent->computer->name);
        buf_printf(out, "} %.15g\n", value);
    }
}

/* --- the whole --- */

static void write_findings(const struct view *view, struct buf *out)
{
    const char *name = "coterie_findings";

    head(out, name, "gauge", "Findings in the status, by severity.");
    for (enum severity s = SEVERITY_ERROR; s <= SEVERITY_NOTE; s++) {
        size_t count = 0;

        for (size_t i = 0; i < view->finding_count; i++)
            count += view->findings[i].severity == s;
        buf_printf(out, "%s{severity=\"%s\"} %zu\n", name, severity_name(s), count);
    }
}

static void write_controller(const struct view *view, struct buf *out)
{
    const struct directory_status *directory = &view->sources->directory;

    number(out, "coterie_up", "gauge", "1: the controller answers.", 1);
    head(out, "coterie_build_info", "gauge", "Constant 1; the version is a label.");
    buf_printf(out, "coterie_build_info{version=\"%s\"} 1\n", COTERIE_VERSION);
    number(out, "coterie_directory_up", "gauge", "1 while the directory is read and watched.",
           directory->state == DIRECTORY_CURRENT);
    if (directory->last_read.ns != 0)
        number(out, "coterie_directory_last_read_timestamp_seconds", "gauge",
               "When the directory was last read in full.",
               (uint64_t)(directory->last_read.ns / NS_PER_SEC));
    number(out, "coterie_plan_generation", "counter", "Plans made since the controller started.",
           directory->generation);
    number(out, "coterie_strangers", "gauge",
           "Agents that attached without a member in the directory.",
           fleet_stranger_count(view->sources->fleet));
}

void render_metrics(const struct view *view, struct buf *out)
{
    write_controller(view, out);
    write_findings(view, out);
    for (size_t i = 0; i < sizeof(connection_metrics) / sizeof(connection_metrics[0]); i++)
        write_connections(view, &connection_metrics[i], out);
    head(out, "coterie_folder_health", "gauge", "1 for the health that the member's folder has.");
    each_member(view, out, NULL, write_health);
    for (size_t i = 0; i < sizeof(member_metrics) / sizeof(member_metrics[0]); i++) {
        head(out, member_metrics[i].name, member_metrics[i].type, member_metrics[i].help);
        each_member(view, out, &member_metrics[i], write_member);
    }
    for (size_t i = 0; i < sizeof(agent_metrics) / sizeof(agent_metrics[0]); i++)
        write_agents(view, &agent_metrics[i], out);
}
