/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/status/page_parts.h"

#include "common/base/limits.h"
#include "controller/status/text.h"

/*
 * A table of rows that come from the worst to the best. What is well is folded away when it is
 * much, and what is beyond PAGE_ROW_COUNT_MAX is only counted.
 */
struct listing {
    const char *caption;
    const char *well; /* what rows with HEALTH_OK are */
    const char *head;
    char key; /* with the folder's identity, by which the browser keeps it open */
};

struct list {
    struct buf *out;
    const struct listing *listing;
    struct guid folder;
    size_t count;
    size_t shown;
    bool folded;
};

static void table_begin(const struct list *list)
{
    buf_printf(
        list->out,
        "<div class=\"scroll\"><table><caption>%s</caption><thead><tr>%s</tr></thead><tbody>",
        list->listing->caption, list->listing->head);
}

static void table_end(const struct list *list)
{
    buf_append_string(list->out, "</tbody></table></div>");
}

static struct list list_begin(struct buf *out, const struct listing *listing,
                              const struct view_folder *folder, size_t count)
{
    struct list list = {.out = out, .listing = listing, .folder = folder->id, .count = count};

    table_begin(&list);
    return list;
}

/* Whether the next row, of this health, is to be written. */
static bool list_next(struct list *list, enum health health)
{
    size_t left = list->count - list->shown;

    if (list->shown == PAGE_ROW_COUNT_MAX)
        return false;
    if (health == HEALTH_OK && !list->folded && left > PAGE_WELL_COUNT_MAX) {
        table_end(list);
        buf_printf(list->out,
                   "<details data-keep=\"%c-%s\"><summary class=\"faint\">%zu %s</summary>",
                   list->listing->key, guid_format(&list->folder).text, left, list->listing->well);
        table_begin(list);
        list->folded = true;
    }
    list->shown++;
    return true;
}

static void list_end(const struct list *list)
{
    table_end(list);
    if (list->shown < list->count)
        buf_printf(list->out, "<p class=\"more\">and %zu more in /v1/status</p>",
                   list->count - list->shown);
    if (list->folded)
        buf_append_string(list->out, "</details>");
}

static void write_member(struct buf *out, const struct view_member *member)
{
    const struct folder_report *report = member->report;

    buf_append_string(out, "<tr data-find><td>");
    page_health(out, member->health, member->state);
    buf_append_string(out, "</td><th scope=\"row\" title=\"");
    text_html(out, member->agent->computer->name);
    buf_append_string(out, "\">");
    page_short_name(out, member->agent->computer->name);
    if (member->folder->read_only)
        buf_append_string(out, " <span class=\"tag\">read-only</span>");
    if (member->folder->primary)
        buf_append_string(out, " <span class=\"tag\">primary</span>");
    buf_append_string(out, "</th><td class=\"path\">");
    text_html(out, member->folder->root_path);
    if (member->reason[0] != '\0') {
        buf_append_string(out, "<p class=\"reason\">");
        text_html(out, member->reason);
        buf_append_string(out, "</p>");
    }
    if (report && member->fresh && report->activity[0] != '\0') {
        buf_append_string(out, "<p class=\"reason\">at work: ");
        text_html(out, report->activity);
        buf_append_string(out, "</p>");
    }
    buf_append_string(out, "</td><td class=\"number\">");
    if (report)
        page_number(out, report->file_count);
    buf_append_string(out, "</td><td class=\"number\">");
    if (report)
        page_bytes(out, report->content_bytes);
    buf_append_string(out, "</td><td class=\"number\">");
    if (report)
        page_number(out, report->conflict_count);
    buf_append_string(out, "</td><td class=\"number\">");
    if (report)
        page_number(out, report->preserved_count);
    buf_append_string(out, "</td></tr>");
}

static const struct listing members = {
    .caption = "Members",
    .well = "well",
    .key = 'm',
    .head = "<th>State</th><th>Server</th><th>Path</th><th class=\"number\">Files</th>"
            "<th class=\"number\">Size</th><th class=\"number\">Conflicts</th>"
            "<th class=\"number\">Preserved</th>",
};

static void write_members(struct buf *out, const struct view_folder *folder)
{
    struct list list = list_begin(out, &members, folder, folder->member_count);

    for (enum health health = HEALTH_COUNT; health-- > HEALTH_OK;)
        for (size_t i = 0; i < folder->member_count; i++)
            if (folder->members[i].health == health && list_next(&list, health))
                write_member(out, &folder->members[i]);
    list_end(&list);
}

static void write_schedule(struct buf *out, const struct view *view,
                           const struct view_connection *connection)
{
    struct walltime now = view->sources->now.wall;

    if (!connection->schedule_known)
        return;
    buf_append_string(out, connection->schedule_open ? "open" : "closed");
    if (connection->schedule_change.ns == 0)
        return;
    buf_append_string(out, connection->schedule_open ? ", closes in " : ", opens in ");
    page_age(out, (connection->schedule_change.ns - now.ns) / NS_PER_MS);
}

static void write_connection(struct buf *out, const struct view *view,
                             const struct view_connection *connection)
{
    const struct connection_report *inbound = connection->inbound;

    buf_append_string(out, "<tr data-find><td>");
    page_health(out, connection->health, connection_state_name(connection->state));
    buf_append_string(out, "</td><th scope=\"row\">");
    page_short_name(out, connection->assignment->partner_name);
    buf_append_string(out, " <span class=\"arrow\" aria-label=\"to\">→</span> ");
    page_short_name(out, connection->receiver->agent->computer->name);
    if (connection->reason[0] != '\0') {
        buf_append_string(out, "<p class=\"reason\">");
        text_html(out, connection->reason);
        buf_append_string(out, "</p>");
    }
    buf_append_string(out, "</th><td class=\"number\">");
    if (connection->backlog_known)
        page_number(out, connection->backlog_files);
    else
        buf_append_string(out, "<span class=\"faint\">?</span>");
    buf_append_string(out, "</td><td>");
    page_time(out, connection->last_sync, view->sources->now.wall);
    buf_append_string(out, "</td><td>");
    write_schedule(out, view, connection);
    buf_append_string(out, "</td><td>");
    text_html(out, inbound ? inbound->state : "");
    buf_append_string(out, "</td><td class=\"number\">");
    if (inbound)
        page_bytes(out, inbound->bytes_received);
    buf_append_string(out, "</td></tr>");
}

static const struct listing connections = {
    .caption = "Connections",
    .well = "in sync",
    .key = 'c',
    .head = "<th>State</th><th>From → to</th><th class=\"number\">Files to go</th>"
            "<th>Last equal</th><th>Schedule</th><th>Link</th><th class=\"number\">Received</th>",
};

static void write_connections(struct buf *out, const struct view *view,
                              const struct view_folder *folder)
{
    struct list list = list_begin(out, &connections, folder, folder->connection_count);

    for (enum health health = HEALTH_COUNT; health-- > HEALTH_OK;)
        for (size_t i = 0; i < folder->connection_count; i++)
            if (folder->connections[i].health == health && list_next(&list, health))
                write_connection(out, view, &folder->connections[i]);
    list_end(&list);
}

void page_folder(struct buf *out, const struct view *view, const struct view_group *group,
                 const struct view_folder *folder)
{
    struct guid_text id = guid_format(&folder->id);

    buf_printf(out,
               "<article class=\"card folder\" aria-labelledby=\"f-%s\"><div class=\"title\">"
               "<h2 id=\"f-%s\"><span class=\"group\">",
               id.text, id.text);
    text_html(out, group->name);
    buf_append_string(out, " /</span> ");
    text_html(out, folder->name);
    buf_append_string(out, "</h2>");
    page_health(out, folder->health, health_name(folder->health));
    buf_append_string(out, "</div><div class=\"body\">");
    page_topology(out, folder);
    buf_append_string(out, "<div class=\"tables\">");
    write_connections(out, view, folder);
    write_members(out, folder);
    buf_append_string(out, "</div></div></article>");
}
