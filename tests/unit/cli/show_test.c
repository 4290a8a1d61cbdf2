/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/agent_show.h"
#include "cli/cli.h"
#include "cli/status_show.h"
#include "cli/table.h"

#include "common/base/guid.h"

#include <jansson.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* What a function printed; the caller frees. */
struct printed {
    char *text;
    size_t size;
    FILE *to;
};

static void print_begin(struct printed *printed)
{
    printed->to = open_memstream(&printed->text, &printed->size);
    assert_non_null(printed->to);
}

static void print_end(struct printed *printed)
{
    fclose(printed->to);
}

/* --- an agent with one folder, one connection each way, all in sync --- */

struct answer {
    Coterie__V1__AgentStatus status;
    Coterie__V1__Assignment assignment;
    Coterie__V1__Folder folder;
    Coterie__V1__Folder *folders[1];
    Coterie__V1__Connection in;
    Coterie__V1__Connection out;
    Coterie__V1__Connection *ins[1];
    Coterie__V1__Connection *outs[1];
    Coterie__V1__Report report;
    Coterie__V1__FolderReport folder_report;
    Coterie__V1__FolderReport *folder_reports[1];
    Coterie__V1__ConnectionReport in_report;
    Coterie__V1__ConnectionReport out_report;
    Coterie__V1__ConnectionReport *connection_reports[2];
    uint8_t ids[3][GUID_SIZE];
};

static char *text(const char *literal)
{
    return (char *)(uintptr_t)literal;
}

static void make_report(Coterie__V1__ConnectionReport *report, ProtobufCBinaryData id, bool inbound)
{
    coterie__v1__connection_report__init(report);
    report->connection_guid = id;
    report->inbound = inbound;
    report->state = text("in-sync");
    report->health = COTERIE__V1__HEALTH__HEALTH_OK;
}

static void make_answer(struct answer *a)
{
    memset(a, 0, sizeof(*a));
    ProtobufCBinaryData folder_id = {.len = GUID_SIZE, .data = a->ids[0]};
    ProtobufCBinaryData in_id = {.len = GUID_SIZE, .data = a->ids[1]};
    ProtobufCBinaryData out_id = {.len = GUID_SIZE, .data = a->ids[2]};

    for (size_t i = 0; i < 3; i++)
        memset(a->ids[i], (int)i + 1, GUID_SIZE);
    coterie__v1__agent_status__init(&a->status);
    coterie__v1__assignment__init(&a->assignment);
    coterie__v1__folder__init(&a->folder);
    coterie__v1__connection__init(&a->in);
    coterie__v1__connection__init(&a->out);
    coterie__v1__report__init(&a->report);
    coterie__v1__folder_report__init(&a->folder_report);
    make_report(&a->in_report, in_id, true);
    make_report(&a->out_report, out_id, false);

    a->in.connection_guid = in_id;
    a->out.connection_guid = out_id;
    a->in.partner_name = a->out.partner_name = text("fs1.example");
    a->in.enabled = a->out.enabled = true;
    a->ins[0] = &a->in;
    a->outs[0] = &a->out;
    a->folder.folder_guid = folder_id;
    a->folder.group_name = text("Projects");
    a->folder.folder_name = text("docs");
    a->folder.root_path = text("/srv/docs");
    a->folder.enabled = true;
    a->folder.inbound = a->ins;
    a->folder.outbound = a->outs;
    a->folder.n_inbound = a->folder.n_outbound = 1;
    a->folders[0] = &a->folder;
    a->assignment.folders = a->folders;
    a->assignment.n_folders = 1;
    a->folder_report.folder_guid = folder_id;
    a->folder_report.state = text("replicating");
    a->folder_report.health = COTERIE__V1__HEALTH__HEALTH_OK;
    a->connection_reports[0] = &a->in_report;
    a->connection_reports[1] = &a->out_report;
    a->folder_report.connections = a->connection_reports;
    a->folder_report.n_connections = 2;
    a->folder_reports[0] = &a->folder_report;
    a->report.folders = a->folder_reports;
    a->report.n_folders = 1;
    a->status.assignment = &a->assignment;
    a->status.report = &a->report;
    a->status.agent_version = text("0.1.0");
    a->status.controller_attached = true;
}

static void assert_idle(const struct answer *a, int code, const char *words)
{
    struct printed printed;

    print_begin(&printed);
    assert_int_equal(agent_show_idle(&a->status, false, printed.to), code);
    print_end(&printed);
    if (!strstr(printed.text, words))
        fail_msg("\"%s\" does not say \"%s\"", printed.text, words);
    free(printed.text);
}

static void idle_means_both_directions_in_sync_and_nothing_under_way(void **state)
{
    struct answer a;
    (void)state;

    make_answer(&a);
    assert_idle(&a, CLI_WELL, "in sync");

    a.in_report.state = text("receiving");
    assert_idle(&a, CLI_UNHEALTHY, "Projects/docs: from fs1.example: receiving");

    make_answer(&a);
    a.out_report.backlog_files = 1;
    assert_idle(&a, CLI_UNHEALTHY, "to fs1.example");

    make_answer(&a);
    a.folder_report.health = COTERIE__V1__HEALTH__HEALTH_BUSY;
    assert_idle(&a, CLI_UNHEALTHY, "Projects/docs: replicating: busy");
}

static void what_is_not_reported_is_not_idle(void **state)
{
    struct answer a;
    (void)state;

    make_answer(&a);
    a.folder_report.n_connections = 1;
    assert_idle(&a, CLI_UNHEALTHY, "to fs1.example: not reported");

    make_answer(&a);
    a.report.n_folders = 0;
    assert_idle(&a, CLI_UNHEALTHY, "Projects/docs: not reported");

    make_answer(&a);
    a.status.report = NULL;
    assert_idle(&a, CLI_UNHEALTHY, "not reported");

    make_answer(&a);
    a.status.assignment = NULL;
    assert_idle(&a, CLI_UNHEALTHY, "no folder is assigned");

    make_answer(&a);
    a.folder.problem = text("no root path");
    assert_idle(&a, CLI_UNHEALTHY, "held back: no root path");
}

static void what_is_disabled_does_not_keep_from_idle_but_a_closed_schedule_does(void **state)
{
    struct answer a;
    (void)state;

    make_answer(&a);
    a.in.enabled = false;
    a.in_report.state = text("the connection is disabled in the directory");
    assert_idle(&a, CLI_WELL, "in sync");

    make_answer(&a);
    a.in_report.state = text("closed by schedule");
    assert_idle(&a, CLI_UNHEALTHY, "closed by schedule");
}

static void the_agents_json_holds_every_folder_and_connection(void **state)
{
    struct answer a;
    struct printed printed;
    (void)state;

    make_answer(&a);
    a.folder.folder_name = text("d\xff\"s");
    print_begin(&printed);
    assert_int_equal(agent_show_status(&a.status, true, printed.to), CLI_WELL);
    print_end(&printed);
    json_t *json = json_loads(printed.text, 0, NULL);

    assert_non_null(json);
    assert_true(json_is_true(json_object_get(json, "controller_attached")));
    assert_true(json_is_true(json_object_get(json, "idle")));
    const json_t *folder = json_array_get(json_object_get(json, "folders"), 0);
    assert_string_equal(json_string_value(json_object_get(folder, "name")), "d?\"s");
    assert_int_equal(json_array_size(json_object_get(folder, "connections")), 2);
    json_decref(json);
    free(printed.text);
}

static void a_problem_is_printed_with_its_remedy_and_makes_the_exit_code(void **state)
{
    struct answer a;
    struct printed printed;
    Coterie__V1__Problem problem;
    Coterie__V1__Problem *problems[] = {&problem};
    (void)state;

    make_answer(&a);
    coterie__v1__problem__init(&problem);
    problem.object = text("/srv/docs\x1b[2J");
    problem.cause = text("the folder's root is missing");
    problem.remedy = text("mount it again");
    a.folder_report.problems = problems;
    a.folder_report.n_problems = 1;
    a.folder_report.health = COTERIE__V1__HEALTH__HEALTH_STOPPED;
    print_begin(&printed);
    assert_int_equal(agent_show_status(&a.status, false, printed.to), CLI_UNHEALTHY);
    print_end(&printed);

    assert_non_null(strstr(printed.text, "/srv/docs?[2J: the folder's root is missing"));
    assert_non_null(strstr(printed.text, "try: mount it again"));
    free(printed.text);
}

/* --- the controller's document --- */

static int show(const char *document, struct printed *printed)
{
    print_begin(printed);
    int code = status_show(span_of_string(document), false, printed->to);

    print_end(printed);
    return code;
}

static void the_status_begins_with_a_verdict_and_what_to_do(void **state)
{
    struct printed printed;
    (void)state;

    int code =
        show("{\"health\":\"degraded\",\"summary\":\"1 warning\",\"findings\":[{\"severity\":"
             "\"warning\",\"object\":\"fs1\",\"cause\":\"is\\u001b gone\",\"remedy\":\"start "
             "it\"}],\"groups\":[]}",
             &printed);

    assert_int_equal(code, CLI_UNHEALTHY);
    assert_string_equal(printed.text, "[NEEDS A LOOK] 1 warning\n\n ! fs1: is? gone\n   try: start "
                                      "it\n");
    free(printed.text);
}

static void well_and_catching_up_are_no_failure(void **state)
{
    struct printed printed;
    (void)state;

    assert_int_equal(show("{\"health\":\"ok\",\"summary\":\"s\"}", &printed), CLI_WELL);
    assert_string_equal(printed.text, "[ALL GOOD] s\n");
    free(printed.text);
    assert_int_equal(show("{\"health\":\"busy\"}", &printed), CLI_WELL);
    free(printed.text);
    assert_int_equal(show("{\"health\":\"something new\"}", &printed), CLI_UNHEALTHY);
    free(printed.text);
}

static void what_is_no_status_document_is_refused(void **state)
{
    static const char *const documents[] = {"", "<html>", "[]", "{\"health\":1}", "{"};
    struct printed printed;
    (void)state;

    for (size_t i = 0; i < sizeof(documents) / sizeof(documents[0]); i++) {
        assert_int_equal(show(documents[i], &printed), CLI_UNREACHABLE);
        assert_int_equal(printed.size, 0);
        free(printed.text);
    }
}

static void columns_are_as_wide_as_their_characters(void **state)
{
    static const char *const headings[] = {"A", "B", NULL};
    struct table table;
    struct printed printed;
    (void)state;

    table_init(&table, headings);
    table_add(&table, "é");
    table_add_number(&table, false, 7);
    table_add(&table, "long");
    table_add_bytes(&table, true, 3u << 30);
    print_begin(&printed);
    table_print(&table, 1, printed.to);
    print_end(&printed);
    table_fini(&table);

    assert_string_equal(printed.text, " A     B\n é     -\n long  3.0 GiB\n");
    free(printed.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(idle_means_both_directions_in_sync_and_nothing_under_way),
        cmocka_unit_test(what_is_not_reported_is_not_idle),
        cmocka_unit_test(what_is_disabled_does_not_keep_from_idle_but_a_closed_schedule_does),
        cmocka_unit_test(the_agents_json_holds_every_folder_and_connection),
        cmocka_unit_test(a_problem_is_printed_with_its_remedy_and_makes_the_exit_code),
        cmocka_unit_test(the_status_begins_with_a_verdict_and_what_to_do),
        cmocka_unit_test(well_and_catching_up_are_no_failure),
        cmocka_unit_test(what_is_no_status_document_is_refused),
        cmocka_unit_test(columns_are_as_wide_as_their_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
