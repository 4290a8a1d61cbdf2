/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/controller/status/scene.h: a small fleet to look at: group "Projects", folder "docs",
 * members fs1 and fs2, one connection each way.
 *
 * Each step of a test changes one thing and looks at the view again. Memory is the arena of
 * fleet/wire.h.
 */
#ifndef TESTS_UNIT_CONTROLLER_STATUS_SCENE_H
#define TESTS_UNIT_CONTROLLER_STATUS_SCENE_H

#include "controller/status/view.h"
#include "tests/unit/controller/fleet/wire.h"

#define SCENE_FOLDER 2
#define SCENE_TO_FS2 0x21 /* the connection from fs1 to fs2 */
#define SCENE_TO_FS1 0x22

struct scene {
    struct fleet *fleet;
    struct folder_assignment *fs1; /* change, then scene_plan() */
    struct folder_assignment *fs2;
    struct fleet_link *link1;
    struct fleet_link *link2;
    struct view_sources sources;
    struct view *view; /* of the last scene_look() */
};

/* Both agents attached, with equal vectors, reported just now, the clock at 100 s. */
void scene_begin(struct scene *scene);
void scene_end(struct scene *scene);

/* The plan again, after a change to @fs1 or @fs2. */
void scene_plan(struct scene *scene);
/* Report numbers 1..@own of the member's database and 1..@other of its partner's. */
Coterie__V1__Report *scene_report(int computer, uint64_t own, uint64_t other);
void scene_say(struct scene *scene, int computer, Coterie__V1__Report *report);
void scene_at(struct scene *scene, int64_t ms);

const struct view_folder *scene_look(struct scene *scene);
/* The connection of the last look. */
const struct view_connection *scene_connection(const struct scene *scene, uint8_t connection);
const struct status_finding *scene_finding(const struct scene *scene, const char *code);

#endif
