/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/controller/status/scene.h"

#include <string.h>

static struct connection_assignment *connection(uint8_t id, uint8_t partner, const char *name)
{
    struct connection_assignment *connection = wire_alloc(sizeof(*connection));

    connection->connection = wire_guid(id);
    connection->partner_member = wire_guid(partner);
    connection->partner_name = wire_text(name);
    connection->schedule = schedule_always();
    connection->enabled = true;
    return connection;
}

static struct folder_assignment *folder(uint8_t member)
{
    struct folder_assignment *folder = wire_alloc(sizeof(*folder));

    folder->group = wire_guid(1);
    folder->group_name = wire_text("Projects");
    folder->folder = wire_guid(SCENE_FOLDER);
    folder->folder_name = wire_text("docs");
    folder->member = wire_guid(member);
    folder->root_path = wire_text("/srv/docs");
    folder->problem = wire_text("");
    folder->enabled = true;
    return folder;
}

void scene_begin(struct scene *scene)
{
    memset(scene, 0, sizeof(*scene));
    scene->fs1 = folder(0x11);
    scene->fs2 = folder(0x12);
    scene->fs2->inbound = connection(SCENE_TO_FS2, 0x11, "fs1");
    scene->fs2->inbound_count = 1;
    scene->fs1->inbound = connection(SCENE_TO_FS1, 0x12, "fs2");
    scene->fs1->inbound_count = 1;
    scene->fleet = fleet_new(NULL);
    scene->sources = (struct view_sources){
        .started = wire_moment(0),
        .host_name = "dc1.example.org",
        .principal = "host/dc1@R",
        .directory = {.state = DIRECTORY_CURRENT,
                      .uri = "ldap://dc1.example.org",
                      .base = "DC=example,DC=org",
                      .problem = "",
                      .last_read = wire_moment(0).wall,
                      .generation = 1},
        .fleet = scene->fleet,
    };
    scene_at(scene, 100000);
    scene_plan(scene);
    scene->link1 =
        fleet_attach(scene->fleet, "host/fs1@R", "ipv4:127.0.0.1:1", NULL, scene->sources.now);
    scene->link2 =
        fleet_attach(scene->fleet, "host/fs2@R", "ipv4:127.0.0.2:1", NULL, scene->sources.now);
    for (int i = 1; i <= 2; i++) {
        uint8_t digest[ASSIGNMENT_DIGEST_SIZE];

        memset(digest, i, sizeof(digest));
        fleet_message(scene->fleet, i == 1 ? scene->link1 : scene->link2, wire_hello(digest),
                      scene->sources.now);
        scene_say(scene, i, scene_report(i, 10, 10));
    }
}

void scene_end(struct scene *scene)
{
    view_free(scene->view);
    fleet_free(scene->fleet);
    wire_reset();
}

void scene_plan(struct scene *scene)
{
    struct fleet_computer *plan = wire_alloc(2 * sizeof(*plan));
    struct folder_assignment *folders[] = {scene->fs1, scene->fs2};
    const char *const names[] = {"fs1", "fs2"};

    for (size_t i = 0; i < 2; i++) {
        struct assignment *assignment = wire_alloc(sizeof(*assignment));

        plan[i] = wire_computer(names[i], (uint8_t)(i + 1));
        *assignment = *plan[i].assignment;
        assignment->folders = folders[i];
        assignment->folder_count = folders[i] ? 1 : 0;
        plan[i].assignment = assignment;
    }
    fleet_set_plan(scene->fleet, plan, 2, scene->sources.now);
}

Coterie__V1__Report *scene_report(int computer, uint64_t own, uint64_t other)
{
    struct wire_interval vector[] = {{1, 0, computer == 1 ? own : other},
                                     {2, 0, computer == 1 ? other : own}};
    Coterie__V1__Report *report = wire_report();
    Coterie__V1__FolderReport *folder_report = wire_folder(SCENE_FOLDER);

    folder_report->vector = wire_vector(vector, 2);
    folder_report->file_count = 5;
    folder_report->content_bytes = 4096;
    folder_report->conflict_count = 1;
    wire_add_connection(folder_report,
                        wire_connection(computer == 1 ? SCENE_TO_FS1 : SCENE_TO_FS2, true));
    wire_add_connection(folder_report,
                        wire_connection(computer == 1 ? SCENE_TO_FS2 : SCENE_TO_FS1, false));
    wire_add_folder(report, folder_report);
    return report;
}

void scene_say(struct scene *scene, int computer, Coterie__V1__Report *report)
{
    fleet_message(scene->fleet, computer == 1 ? scene->link1 : scene->link2,
                  wire_report_message(report), scene->sources.now);
}

void scene_at(struct scene *scene, int64_t ms)
{
    scene->sources.now = wire_moment(ms);
}

const struct view_folder *scene_look(struct scene *scene)
{
    view_free(scene->view);
    scene->view = view_new(&scene->sources);
    return scene->view->group_count > 0 ? &scene->view->groups[0].folders[0] : NULL;
}

const struct view_connection *scene_connection(const struct scene *scene, uint8_t id)
{
    const struct view_folder *shown = &scene->view->groups[0].folders[0];
    struct guid wanted = wire_guid(id);

    for (size_t i = 0; i < shown->connection_count; i++)
        if (guid_equal(&shown->connections[i].assignment->connection, &wanted))
            return &shown->connections[i];
    return NULL;
}

const struct status_finding *scene_finding(const struct scene *scene, const char *code)
{
    for (size_t i = 0; i < scene->view->finding_count; i++)
        if (strcmp(scene->view->findings[i].code, code) == 0)
            return &scene->view->findings[i];
    return NULL;
}
