/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The page in the states that people meet. With COTERIE_PAGES=DIRECTORY each is also written there,
 * to be looked at in a browser.
 */
#include "controller/status/render.h"
#include "tests/unit/controller/fleet/wire.h"

#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/base/scope.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define MEMBER_COUNT_MAX 64

/* --- a fleet of many members --- */

struct world {
    struct fleet *fleet;
    struct fleet_computer computers[MEMBER_COUNT_MAX];
    struct folder_assignment folders[MEMBER_COUNT_MAX][2];
    size_t count;
    bool hub; /* everybody with the first one only; else everybody with everybody */
    struct view_sources sources;
};

static void connect(struct world *world, size_t receiver, size_t sender, size_t folder)
{
    struct folder_assignment *to = &world->folders[receiver][folder];
    struct connection_assignment *connection = &to->inbound[to->inbound_count++];

    connection->connection = wire_guid(0);
    connection->connection.bytes[1] = (uint8_t)receiver;
    connection->connection.bytes[2] = (uint8_t)sender;
    connection->partner_member = wire_guid((uint8_t)(100 + sender));
    connection->partner_name = wire_text(world->computers[sender].name);
    connection->schedule = schedule_always();
    connection->enabled = true;
    connection->rdc_enabled = true;
}

static void add_folder(struct world *world, size_t member, size_t folder, const char *name)
{
    struct folder_assignment *to = &world->folders[member][folder];

    to->group = wire_guid(1);
    to->group_name = wire_text("Projects");
    to->folder = wire_guid((uint8_t)(2 + folder));
    to->folder_name = wire_text(name);
    to->member = wire_guid((uint8_t)(100 + member));
    to->root_path = wire_text(folder == 0 ? "/srv/projects/drawings" : "/srv/projects/media");
    to->problem = wire_text("");
    to->enabled = true;
    to->inbound = wire_alloc(world->count * sizeof(*to->inbound));
}

static void world_begin(struct world *world, size_t count, bool hub)
{
    memset(world, 0, sizeof(*world));
    world->count = count;
    world->hub = hub;
    world->fleet = fleet_new(NULL);
    for (size_t i = 0; i < count; i++) {
        char name[48];
        struct assignment *assignment = wire_alloc(sizeof(*assignment));

        snprintf(name, sizeof(name), "fs%02zu.corp.example", i + 1);
        world->computers[i] = wire_computer(name, (uint8_t)(i + 1));
        *assignment = *world->computers[i].assignment;
        assignment->folders = world->folders[i];
        assignment->folder_count = 2;
        world->computers[i].assignment = assignment;
        add_folder(world, i, 0, "drawings");
        add_folder(world, i, 1, "media");
    }
    for (size_t folder = 0; folder < 2; folder++)
        for (size_t receiver = 0; receiver < count; receiver++)
            for (size_t sender = 0; sender < count; sender++)
                if (receiver != sender && (!hub || receiver == 0 || sender == 0))
                    connect(world, receiver, sender, folder);
    world->sources = (struct view_sources){
        .now = wire_moment(7200000),
        .started = wire_moment(0),
        .host_name = "dc1",
        .principal = "host/dc1.corp.example@CORP.EXAMPLE",
        .directory = {.state = DIRECTORY_CURRENT,
                      .uri = "ldap://dc1.corp.example",
                      .base = "DC=corp,DC=example",
                      .problem = "",
                      .last_read = wire_moment(7186000).wall,
                      .generation = 4},
        .fleet = world->fleet,
    };
    fleet_set_plan(world->fleet, world->computers, count, wire_moment(0));
}

static void world_end(struct world *world)
{
    fleet_free(world->fleet);
    wire_reset();
}

/* What a member says; @number is how far its vector of the one database goes. */
static Coterie__V1__Report *say(struct world *world, size_t member, uint64_t number)
{
    Coterie__V1__Report *report = wire_report();

    report->resident_bytes = UINT64_C(23) << 20;
    for (size_t folder = 0; folder < 2; folder++) {
        Coterie__V1__FolderReport *row = wire_folder((uint8_t)(2 + folder));

        row->file_count = folder == 0 ? 48211 : 1204;
        row->content_bytes = folder == 0 ? UINT64_C(31) << 30 : UINT64_C(812) << 30;
        row->conflict_count = folder == 0 ? 2 : 0;
        row->preserved_count = folder == 0 ? 5 : 1;
        row->vector = wire_vector((struct wire_interval[]){{1, 0, number}}, 1);
        for (size_t receiver = 0; receiver < world->count; receiver++)
            for (size_t i = 0; i < world->folders[receiver][folder].inbound_count; i++) {
                const struct connection_assignment *connection =
                    &world->folders[receiver][folder].inbound[i];
                bool inbound = receiver == member;
                Coterie__V1__ConnectionReport *end;

                if (!inbound && connection->connection.bytes[2] != member)
                    continue;
                end = wire_connection(0, inbound);
                memcpy(end->connection_guid.data, connection->connection.bytes, GUID_SIZE);
                end->last_sync_ns = (uint64_t)wire_moment(7198000).wall.ns;
                end->bytes_received = UINT64_C(7) << 28;
                end->backlog_files = inbound ? 0 : 1204;
                wire_add_connection(row, end);
            }
        wire_add_folder(report, row);
    }
    return report;
}

static struct fleet_link *attach(struct world *world, size_t member, Coterie__V1__Report *report)
{
    char address[40];
    uint8_t digest[ASSIGNMENT_DIGEST_SIZE];

    snprintf(address, sizeof(address), "ipv4:10.0.0.%zu:50212", member + 11);
    memset(digest, (int)member + 1, sizeof(digest));
    struct fleet_link *link = fleet_attach(world->fleet, world->computers[member].principals[0],
                                           address, NULL, wire_moment(100000));

    fleet_message(world->fleet, link, wire_hello(digest), wire_moment(100000));
    if (report)
        fleet_message(world->fleet, link, wire_report_message(report), wire_moment(7199000));
    return link;
}

/* Renders, and checks what must hold for each page. The caller frees. */
static char *look(struct world *world, const char *name)
{
    struct view *view = view_new(&world->sources);
    scope(buf) struct buf out = {0};
    const char *directory = getenv("COTERIE_PAGES");

    render_page(view, "nonce", &out);
    view_free(view);
    if (directory) {
        scope_free char *path = mem_format("%s/%s.html", directory, name);
        scope_file FILE *file = fopen(path, "w");

        assert_non_null(file);
        fwrite(out.data, 1, out.size, file);
    }
    char *page = mem_copy_string(buf_text(&out));

    assert_non_null(strstr(page, "</html>"));
    assert_null(strstr(page, "style=\"")); /* the policy would not let it */
    assert_null(strstr(page, "http://"));  /* nothing comes from elsewhere */
    return page;
}

static void a_healthy_fleet_says_so_and_has_nothing_to_do(void **state)
{
    struct world world;
    (void)state;

    world_begin(&world, 3, false);
    for (size_t i = 0; i < 3; i++)
        attach(&world, i, say(&world, i, 100));
    scope_free char *page = look(&world, "healthy");

    assert_non_null(strstr(page, "<h1>All in sync</h1>"));
    assert_null(strstr(page, "What to do"));
    assert_non_null(strstr(page, "fs01"));
    world_end(&world);
}

static void a_member_that_is_at_work_says_with_what(void **state)
{
    struct world world;
    char activity[] = "records are compared with a partner's <now>";
    (void)state;

    world_begin(&world, 3, false);
    Coterie__V1__Report *report = say(&world, 0, 100);
    report->folders[0]->activity = activity;
    attach(&world, 0, report);
    attach(&world, 1, say(&world, 1, 100));
    attach(&world, 2, say(&world, 2, 100));
    scope_free char *page = look(&world, "at-work");

    assert_non_null(strstr(page, "at work: records are compared with a partner&#39;s &lt;now&gt;"));
    world_end(&world);
}

static void a_sick_fleet_shows_each_finding_with_its_remedy(void **state)
{
    struct world world;
    const struct status_finding broken = {
        .severity = SEVERITY_ERROR,
        .code = "directory-object",
        .object = "CN=c1,CN=FS03,CN=Topology,CN=Projects",
        .cause = "msDFSR-Schedule is 335 bytes long, not 336; the connection is closed",
        .remedy = "set the schedule again with Set-DfsrConnectionSchedule",
    };
    (void)state;

    world_begin(&world, 5, false);
    world.sources.findings = &broken;
    world.sources.finding_count = 1;
    attach(&world, 0, say(&world, 0, 130));
    Coterie__V1__Report *report = say(&world, 1, 100);
    Coterie__V1__Problem *problem =
        wire_problem("/srv/projects/drawings", "no space left on device: needs 1.2 GiB",
                     "free space on the file system, or move the folder");
    report->folders[0]->health = COTERIE__V1__HEALTH__HEALTH_STOPPED;
    report->folders[0]->state = wire_text("trouble");
    report->folders[0]->problems = &problem;
    report->folders[0]->n_problems = 1;
    attach(&world, 1, report);
    attach(&world, 2, say(&world, 2, 130));
    struct fleet_link *gone = attach(&world, 3, say(&world, 3, 100));
    fleet_detach(world.fleet, gone, wire_moment(7000000));
    fleet_message(world.fleet,
                  fleet_attach(world.fleet, "host/laptop7.corp.example@CORP.EXAMPLE",
                               "ipv4:10.0.9.77:41000", NULL, wire_moment(7100000)),
                  wire_hello(NULL), wire_moment(7100000));
    scope_free char *page = look(&world, "degraded");

    assert_non_null(strstr(page, "<h1>Something has stopped</h1>"));
    assert_non_null(strstr(page, "no space left on device: needs 1.2 GiB"));
    assert_non_null(strstr(page, "free space on the file system"));
    assert_non_null(strstr(page, "host/laptop7.corp.example@CORP.EXAMPLE"));
    assert_non_null(strstr(page, "335 bytes long"));
    world_end(&world);
}

static void an_initial_sync_shows_how_far_it_is(void **state)
{
    struct world world;
    (void)state;

    world_begin(&world, 12, true);
    for (size_t i = 0; i < 12; i++)
        attach(&world, i, say(&world, i, i == 0 ? 130 : 100 + (i % 4 == 0 ? 0 : 30)));
    scope_free char *page = look(&world, "hub");

    assert_non_null(strstr(page, "<h1>Catching up</h1>"));
    assert_non_null(strstr(page, "30 changes to go"));
    world_end(&world);
}

static void an_unread_directory_is_the_first_thing_that_is_said(void **state)
{
    struct world world;
    (void)state;

    world_begin(&world, 0, false);
    world.sources.fleet = fleet_new(NULL);
    world.sources.directory.state = DIRECTORY_NEVER_READ;
    world.sources.directory.problem = "connection refused";
    world.sources.directory.last_read.ns = 0;
    world.sources.directory.failing_since = wire_moment(7000000).wall;
    scope_free char *unread = look(&world, "unread");
    fleet_free((struct fleet *)(uintptr_t)world.sources.fleet);
    world.sources.fleet = world.fleet;
    world.sources.directory.state = DIRECTORY_CURRENT;
    world.sources.directory.problem = "";
    scope_free char *empty = look(&world, "empty");

    assert_non_null(strstr(unread, "has not been read yet"));
    assert_non_null(strstr(unread, "connection refused"));
    assert_non_null(strstr(empty, "<h1>Nothing to replicate yet</h1>"));
    world_end(&world);
}

static void many_members_are_cut_to_the_worst_and_counted(void **state)
{
    struct world world;
    (void)state;

    world_begin(&world, MEMBER_COUNT_MAX, false);
    for (size_t i = 0; i < MEMBER_COUNT_MAX - 1; i++)
        attach(&world, i, say(&world, i, 100));
    scope_free char *page = look(&world, "many");

    /* 64 x 63 connections; those of the missing member come first */
    assert_non_null(strstr(page, "and 3832 more in /v1/status"));
    assert_null(strstr(page, "<svg class=\"topology\""));
    const char *row = strstr(page, "<caption>Connections");
    assert_non_null(strstr(row, "never attached") ? row : strstr(row, "has not attached"));
    world_end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_healthy_fleet_says_so_and_has_nothing_to_do),
        cmocka_unit_test(a_member_that_is_at_work_says_with_what),
        cmocka_unit_test(a_sick_fleet_shows_each_finding_with_its_remedy),
        cmocka_unit_test(an_initial_sync_shows_how_far_it_is),
        cmocka_unit_test(an_unread_directory_is_the_first_thing_that_is_said),
        cmocka_unit_test(many_members_are_cut_to_the_worst_and_counted),
    };
    log_start("page-test", LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
