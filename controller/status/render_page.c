/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The page is made here and nowhere else: the script only fetches it again and puts the new parts
 * in place of the old. So it says the same without script, in a text browser, and in a test.
 */
#include "controller/status/render.h"

#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/base/scope.h"
#include "controller/status/page_parts.h"
#include "controller/status/text.h"
#include "controller/status/assets.h"

#include <inttypes.h>
#include <stdio.h>

/* --- small things --- */

/* The shapes are drawn, not typed: no font lacks them. */
static const char *const shapes[] = {
    [HEALTH_OK] = "<path d=\"M4 8.5l2.7 2.7L12 5.5\" class=\"stroke\"/>",
    [HEALTH_BUSY] = "<path d=\"M8 3a5 5 0 1 1-4.6 3\" class=\"stroke\"/>"
                    "<path d=\"M1.6 7.6L3.4 4.6l2.6 2.3\" class=\"stroke\"/>",
    [HEALTH_UNKNOWN] = "<path d=\"M5.6 6.2a2.4 2.4 0 1 1 3.4 2.2c-.7.4-1 .8-1 1.5\" "
                       "class=\"stroke\"/><circle cx=\"8\" cy=\"12.4\" r=\"1\"/>",
    [HEALTH_DEGRADED] = "<path d=\"M8 2.5L14.3 13.5H1.7z\" class=\"stroke\"/>"
                        "<path d=\"M8 6.5v3.2\" class=\"stroke\"/>"
                        "<circle cx=\"8\" cy=\"11.6\" r=\".8\"/>",
    [HEALTH_STOPPED] = "<path d=\"M5.4 2h5.2L14 5.4v5.2L10.6 14H5.4L2 10.6V5.4z\" "
                       "class=\"stroke\"/><path d=\"M5.8 5.8l4.4 4.4m0-4.4l-4.4 4.4\" "
                       "class=\"stroke\"/>",
};

static void icon(struct buf *out, enum health health)
{
    buf_printf(out, "<svg class=\"icon\" viewBox=\"0 0 16 16\" aria-hidden=\"true\">%s</svg>",
               shapes[health]);
}

void page_health(struct buf *out, enum health health, const char *word)
{
    buf_printf(out, "<span class=\"chip %s\">", health_name(health));
    icon(out, health);
    text_html(out, word);
    buf_append_string(out, "</span>");
}

void page_number(struct buf *out, uint64_t value)
{
    char digits[24];
    int size = snprintf(digits, sizeof(digits), "%" PRIu64, value);

    for (int i = 0; i < size; i++) {
        if (i > 0 && (size - i) % 3 == 0)
            buf_append_string(out, ",");
        buf_append(out, &digits[i], 1);
    }
}

void page_bytes(struct buf *out, uint64_t value)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double shown = (double)value;
    size_t unit = 0;

    while (shown >= 1024 && unit < sizeof(units) / sizeof(units[0]) - 1) {
        shown /= 1024;
        unit++;
    }
    buf_printf(out, unit > 0 && shown < 10 ? "%.1f %s" : "%.0f %s", shown, units[unit]);
}

void page_age(struct buf *out, int64_t ms)
{
    int64_t s = ms > 0 ? ms / 1000 : 0;

    if (s < 90)
        buf_printf(out, "%" PRId64 " s", s);
    else if (s < INT64_C(90) * 60)
        buf_printf(out, "%" PRId64 " min", s / 60);
    else if (s < INT64_C(48) * 3600)
        buf_printf(out, "%" PRId64 " h", s / 3600);
    else
        buf_printf(out, "%" PRId64 " days", s / 86400);
}

void page_time(struct buf *out, struct walltime then, struct walltime now)
{
    if (then.ns == 0) {
        buf_append_string(out, "<span class=\"faint\">never</span>");
        return;
    }
    struct walltime_text text = walltime_format(then);

    buf_printf(out, "<time datetime=\"%s\" title=\"%s\">", text.text, text.text);
    if (now.ns - then.ns < NS_PER_SEC) {
        buf_append_string(out, "now");
    } else {
        page_age(out, (now.ns - then.ns) / NS_PER_MS);
        buf_append_string(out, " ago");
    }
    buf_append_string(out, "</time>");
}

void page_short_name(struct buf *out, const char *name)
{
    /* an address has no short form */
    bool is_address = name[strspn(name, "0123456789.:")] == '\0';
    size_t size = is_address ? strlen(name) : strcspn(name, ".");
    scope_free char *part = mem_format("%.*s", (int)size, name);

    text_html(out, part);
}

/* --- the sections --- */

static const char *headline(const struct view *view)
{
    switch (view->health) {
    case HEALTH_OK:
        return view->counts.groups > 0 ? "All in sync" : "Nothing to replicate yet";
    case HEALTH_BUSY:
        return "Catching up";
    case HEALTH_UNKNOWN:
        return "Waiting for news";
    case HEALTH_DEGRADED:
        return "Needs a look";
    case HEALTH_STOPPED:
    case HEALTH_COUNT:
        break;
    }
    return "Something has stopped";
}

static void write_verdict(struct buf *out, const struct view *view)
{
    struct walltime_text now = walltime_format(view->sources->now.wall);

    buf_printf(out,
               "<section class=\"verdict %s\" id=\"verdict\" data-health=\"%s\" role=\"status\" "
               "aria-live=\"polite\"><div class=\"seal\">",
               health_name(view->health), health_name(view->health));
    icon(out, view->health);
    buf_printf(out, "</div><div><h1>%s</h1><p>", headline(view));
    text_html(out, view->summary);
    buf_printf(out,
               "</p></div><p class=\"asof\">as of <time datetime=\"%s\" data-clock>%.10s %.8s "
               "UTC</time></p></section>",
               now.text, now.text, now.text + 11);
}

static void figure_begin(struct buf *out, const char *label)
{
    buf_printf(out, "<div><dt>%s</dt><dd>", label);
}

static void figure_of(struct buf *out, uint64_t part, uint64_t whole)
{
    page_number(out, part);
    buf_append_string(out, "<small> of ");
    page_number(out, whole);
    buf_append_string(out, "</small></dd></div>");
}

static void write_figures(struct buf *out, const struct view *view)
{
    const struct view_counts *counts = &view->counts;
    const struct directory_status *directory = &view->sources->directory;

    buf_append_string(out, "<dl class=\"figures\" id=\"figures\">");
    figure_begin(out, "Connections in sync");
    figure_of(out, counts->connections_in_sync, counts->connections);
    figure_begin(out, "Files to go");
    page_number(out, counts->backlog_files);
    buf_append_string(out, "</dd></div>");
    figure_begin(out, "Agents attached");
    figure_of(out, counts->agents_attached, counts->agents);
    figure_begin(out, "Conflicts resolved");
    page_number(out, counts->conflicts);
    buf_append_string(out, "</dd></div>");
    figure_begin(out, "Directory read");
    page_time(out, directory->last_read, view->sources->now.wall);
    buf_append_string(out, "</dd></div></dl>");
}

static void write_findings(struct buf *out, const struct view *view)
{
    static const enum health looks[] = {[SEVERITY_ERROR] = HEALTH_STOPPED,
                                        [SEVERITY_WARNING] = HEALTH_DEGRADED,
                                        [SEVERITY_NOTE] = HEALTH_UNKNOWN};
    size_t shown =
        view->finding_count < PAGE_ROW_COUNT_MAX ? view->finding_count : PAGE_ROW_COUNT_MAX;

    buf_append_string(out, "<section id=\"findings\" aria-label=\"Findings\">");
    if (shown > 0)
        buf_append_string(out, "<h2>What to do</h2><ul class=\"findings\">");
    for (size_t i = 0; i < shown; i++) {
        const struct status_finding *finding = &view->findings[i];

        buf_printf(out, "<li class=\"%s\" data-find>", health_name(looks[finding->severity]));
        icon(out, looks[finding->severity]);
        buf_printf(out, "<div><p><span class=\"visually-hidden\">%s: </span><b>",
                   severity_name(finding->severity));
        text_html(out, finding->object);
        buf_append_string(out, "</b> <span class=\"cause\">");
        text_html(out, finding->cause);
        buf_append_string(out, "</span></p><p class=\"remedy\">");
        text_html(out, finding->remedy);
        buf_append_string(out, "</p></div><p class=\"since\">");
        if (finding->since.ns != 0)
            page_time(out, finding->since, view->sources->now.wall);
        buf_printf(out, "<code>%s</code></p></li>", finding->code);
    }
    if (shown > 0)
        buf_append_string(out, "</ul>");
    if (shown < view->finding_count)
        buf_printf(out,
                   "<p class=\"more\">and %zu more in <a href=\"/v1/status\">/v1/status</a></p>",
                   view->finding_count - shown);
    buf_append_string(out, "</section>");
}

static void write_groups(struct buf *out, const struct view *view)
{
    buf_append_string(out, "<section id=\"groups\" aria-label=\"Replication groups\">");
    for (size_t g = 0; g < view->group_count; g++)
        for (size_t f = 0; f < view->groups[g].folder_count; f++)
            page_folder(out, view, &view->groups[g], &view->groups[g].folders[f]);
    if (view->group_count == 0) {
        buf_append_string(out, "<div class=\"empty\"><h2>No replication group</h2><p>");
        buf_append_string(
            out, view->sources->directory.state == DIRECTORY_NEVER_READ
                     ? "The directory has not been read yet. Agents go on with the assignment they "
                       "have."
                     : "The directory holds no group with members. Create one beneath "
                       "CN=DFSR-GlobalSettings,CN=System; it appears here by itself.");
        buf_append_string(out, "</p></div>");
    }
    buf_append_string(out, "</section>");
}

static enum health agent_health(const struct view *view, const struct fleet_agent *agent)
{
    if (agent->acceptance == FLEET_ACCEPTANCE_REFUSED || !agent->computer)
        return HEALTH_DEGRADED;
    if (!fleet_agent_is_fresh(agent, view->sources->now.instant))
        return HEALTH_UNKNOWN;
    return agent->acceptance == FLEET_ACCEPTANCE_PENDING ? HEALTH_BUSY : HEALTH_OK;
}

static void write_agent(struct buf *out, const struct view *view, const struct fleet_agent *agent)
{
    const struct view_sources *sources = view->sources;

    buf_append_string(out, "<tr data-find><td>");
    page_health(out, agent_health(view, agent), fleet_presence_name(agent->presence));
    buf_append_string(out, "</td><th scope=\"row\">");
    text_html(out, agent->computer ? agent->computer->name : agent->principal);
    buf_append_string(out, "</th><td>");
    text_html(out, agent->computer ? fleet_acceptance_name(agent->acceptance) : "no member");
    buf_append_string(out, "</td><td>");
    if (agent->report) {
        page_age(out, instant_ms_since(agent->reported.instant, sources->now.instant));
        buf_append_string(out, " ago");
    } else {
        buf_append_string(out, "<span class=\"faint\">never</span>");
    }
    buf_append_string(out, "</td><td class=\"number\">");
    if (agent->report)
        page_bytes(out, agent->report->resident_bytes);
    buf_append_string(out, "</td><td>");
    text_html(out, agent->version);
    buf_append_string(out, "</td><td class=\"faint\">");
    text_html(out, agent->address);
    buf_append_string(out, "</td></tr>");
}

static void write_agents(struct buf *out, const struct view *view)
{
    const struct fleet *fleet = view->sources->fleet;
    size_t count = fleet_agent_count(fleet);
    size_t shown = 0;

    buf_append_string(out, "<section id=\"agents\" aria-label=\"Agents\">");
    if (count + fleet_stranger_count(fleet) > 0) {
        buf_append_string(
            out, "<details class=\"card\" data-keep=\"agents\"><summary><h2>Agents</h2></summary>"
                 "<div class=\"scroll\"><table><thead><tr><th>State</th><th>Server</th>"
                 "<th>Assignment</th><th>Last report</th><th class=\"number\">Memory</th>"
                 "<th>Version</th><th>Address</th></tr></thead><tbody>");
        for (size_t i = 0; i < fleet_stranger_count(fleet); i++)
            write_agent(out, view, fleet_stranger_at(fleet, i));
        /* the worst first, so that what is cut off is what is well */
        for (enum health health = HEALTH_COUNT; health-- > HEALTH_OK;)
            for (size_t i = 0; i < count && shown < PAGE_ROW_COUNT_MAX; i++)
                if (agent_health(view, fleet_agent_at(fleet, i)) == health) {
                    write_agent(out, view, fleet_agent_at(fleet, i));
                    shown++;
                }
        buf_append_string(out, "</tbody></table></div>");
        if (shown < count)
            buf_printf(out, "<p class=\"more\">and %zu more in /v1/status</p>", count - shown);
        buf_append_string(out, "</details>");
    }
    buf_append_string(out, "</section>");
}

static void write_footer(struct buf *out, const struct view *view)
{
    const struct view_sources *sources = view->sources;

    buf_append_string(out, "<footer id=\"footer\"><p>Directory <b>");
    text_html(out, sources->directory.uri);
    buf_append_string(out, "</b> ");
    text_html(out, sources->directory.base);
    buf_printf(out, " · %s · plan %" PRIu64 "</p><p>Controller <b>",
               directory_state_name(sources->directory.state), sources->directory.generation);
    text_html(out, sources->host_name);
    buf_append_string(out, "</b> as ");
    text_html(out, sources->principal);
    buf_append_string(out, " · up ");
    page_age(out, instant_ms_since(sources->started.instant, sources->now.instant));
    buf_append_string(out, " · Coterie " COTERIE_VERSION "</p><p><a href=\"/v1/status\">JSON</a> · "
                           "<a href=\"/metrics\">Metrics</a> · <a href=\"/healthz\">Health</a></p>"
                           "</footer>");
}

static void write_bar(struct buf *out)
{
    buf_append_string(
        out,
        "<header class=\"bar\"><a class=\"brand\" href=\"/\"><svg viewBox=\"0 0 32 32\" "
        "aria-hidden=\"true\"><circle cx=\"16\" cy=\"6\" r=\"4\"/><circle cx=\"6\" cy=\"24\" "
        "r=\"4\"/><circle cx=\"26\" cy=\"24\" r=\"4\"/><path d=\"M14 10L8 20m10-10l6 10M10 24h12\" "
        "class=\"stroke\"/></svg>Coterie</a><form class=\"tools\" role=\"search\" hidden>"
        "<input type=\"search\" id=\"filter\" placeholder=\"Filter  /\" "
        "aria-label=\"Filter rows\" autocomplete=\"off\"><button type=\"button\" id=\"pause\" "
        "aria-pressed=\"false\" title=\"Stop or go on refreshing (p)\">Live</button>"
        "<button type=\"button\" id=\"theme\" title=\"Light or dark (t)\">Theme</button>"
        "</form></header>");
}

void render_page(const struct view *view, const char *nonce, struct buf *out)
{
    buf_printf(out,
               "<!DOCTYPE html><html lang=\"en\" data-health=\"%s\"><head><meta charset=\"utf-8\">"
               "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
               "<meta name=\"color-scheme\" content=\"light dark\"><title>%s – Coterie</title>"
               "<style nonce=\"%s\">%s</style></head><body>",
               health_name(view->health), headline(view), nonce, asset_page_css);
    page_markers(out);
    write_bar(out);
    buf_append_string(out, "<main>");
    write_verdict(out, view);
    write_figures(out, view);
    write_findings(out, view);
    write_groups(out, view);
    write_agents(out, view);
    buf_append_string(out, "</main>");
    write_footer(out, view);
    buf_printf(out, "<script nonce=\"%s\">%s</script></body></html>\n", nonce, asset_page_js);
}
