/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/status_show.h"

#include "cli/cli.h"
#include "cli/table.h"

#include <jansson.h>

/* A letter for each health, so that states can be found by eye and by grep. */
static const struct {
    const char *health;
    const char *letter;
    const char *headline;
} looks[] = {
    {"ok", ".", "ALL GOOD"},           {"busy", "~", "CATCHING UP"}, {"unknown", "?", "UNKNOWN"},
    {"degraded", "!", "NEEDS A LOOK"}, {"stopped", "x", "STOPPED"},
};

#define LOOK_COUNT (sizeof(looks) / sizeof(looks[0]))

static const char *text(const json_t *object, const char *key)
{
    const char *value = json_string_value(json_object_get(object, key));

    return value ? value : "";
}

static const char *letter(const json_t *object)
{
    for (size_t i = 0; i < LOOK_COUNT; i++)
        if (strcmp(text(object, "health"), looks[i].health) == 0)
            return looks[i].letter;
    return "?";
}

static bool number(const json_t *object, const char *key, uint64_t *out_value)
{
    const json_t *value = json_object_get(object, key);

    *out_value = 0;
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return false;
    *out_value = (uint64_t)json_integer_value(value);
    return true;
}

static void add_number(struct table *table, const json_t *object, const char *key)
{
    uint64_t value;
    bool known = number(object, key, &value);

    table_add_number(table, known, value);
}

static void print_line(const char *lead, const char *value, FILE *to)
{
    fputs(lead, to);
    table_print_text(value, to);
    fputc('\n', to);
}

static void print_findings(const json_t *findings, FILE *to)
{
    size_t i;
    json_t *finding;

    json_array_foreach(findings, i, finding)
    {
        const char *severity = text(finding, "severity");

        fprintf(to, "\n %s ",
                strcmp(severity, "error") == 0     ? "x"
                : strcmp(severity, "warning") == 0 ? "!"
                                                   : "-");
        table_print_text(text(finding, "object"), to);
        print_line(": ", text(finding, "cause"), to);
        print_line("   try: ", text(finding, "remedy"), to);
    }
}

static void print_connections(const json_t *connections, FILE *to)
{
    static const char *const headings[] = {"",      "FROM", "TO", "STATE", "FILES TO GO",
                                           "EQUAL", "WHY",  NULL};
    struct table table;
    size_t i;
    json_t *connection;

    table_init(&table, headings);
    json_array_foreach(connections, i, connection)
    {
        uint64_t age;
        bool known = number(connection, "last_sync_age_seconds", &age);

        table_add(&table, "%s", letter(connection));
        table_add(&table, "%s", text(connection, "from"));
        table_add(&table, "%s", text(connection, "to"));
        table_add(&table, "%s", text(connection, "state"));
        add_number(&table, connection, "backlog_files");
        table_add_age(&table, known, age);
        table_add(&table, "%s", text(connection, "reason"));
    }
    table_print(&table, 2, to);
    table_fini(&table);
}

static void print_members(const json_t *members, FILE *to)
{
    static const char *const headings[] = {"",          "SERVER",    "STATE", "FILES", "SIZE",
                                           "CONFLICTS", "PRESERVED", "PATH",  NULL};
    struct table table;
    size_t i;
    json_t *member;

    table_init(&table, headings);
    json_array_foreach(members, i, member)
    {
        uint64_t bytes;
        bool known = number(member, "content_bytes", &bytes);

        table_add(&table, "%s", letter(member));
        table_add(&table, "%s", text(member, "computer"));
        table_add(&table, "%s", text(member, "state"));
        add_number(&table, member, "files");
        table_add_bytes(&table, known, bytes);
        add_number(&table, member, "conflicts");
        add_number(&table, member, "preserved");
        table_add(&table, "%s", text(member, "root_path"));
    }
    table_print(&table, 2, to);
    table_fini(&table);
}

static void print_groups(const json_t *groups, FILE *to)
{
    size_t g;
    json_t *group;

    json_array_foreach(groups, g, group)
    {
        size_t f;
        json_t *folder;

        json_array_foreach(json_object_get(group, "folders"), f, folder)
        {
            fputc('\n', to);
            table_print_text(text(group, "name"), to);
            fputc('/', to);
            table_print_text(text(folder, "name"), to);
            fprintf(to, "  %s\n", text(folder, "health"));
            print_connections(json_object_get(folder, "connections"), to);
            fputc('\n', to);
            print_members(json_object_get(folder, "members"), to);
        }
    }
}

static void print_verdict(const json_t *document, FILE *to)
{
    const char *headline = "UNKNOWN";

    for (size_t i = 0; i < LOOK_COUNT; i++)
        if (strcmp(text(document, "health"), looks[i].health) == 0)
            headline = looks[i].headline;
    fprintf(to, "[%s] ", headline);
    print_line("", text(document, "summary"), to);
}

int status_show(struct span body, bool json, FILE *to)
{
    json_error_t error;
    json_t *document = json_loadb((const char *)body.data, body.size, 0, &error);

    if (!document || !json_is_string(json_object_get(document, "health"))) {
        json_decref(document);
        return cli_fail(CLI_UNREACHABLE, "the answer is no status document: is the URL that of a "
                                         "coterie-controller?");
    }
    const char *health = text(document, "health");
    int code = strcmp(health, "ok") == 0 || strcmp(health, "busy") == 0 ? CLI_WELL : CLI_UNHEALTHY;

    if (json) {
        fwrite(body.data, 1, body.size, to);
    } else {
        print_verdict(document, to);
        print_findings(json_object_get(document, "findings"), to);
        print_groups(json_object_get(document, "groups"), to);
    }
    json_decref(document);
    return code;
}
