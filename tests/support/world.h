/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/support/world.h: a directory for tests, built of entries.
 *
 * Objects have short names; identities follow from them, so a test can say "the folder cad" and
 * mean the same object everywhere. Each function adds an entry; world_set() changes an attribute
 * of one that was added before.
 */
#ifndef TESTS_SUPPORT_WORLD_H
#define TESTS_SUPPORT_WORLD_H

#include "common/ad/entry.h"
#include "controller/plan/plan.h"
#include "controller/topology/topology.h"

struct world {
    struct ad_entries entries;
};

void world_fini(struct world *w);

void world_group(struct world *w, const char *group);
void world_folder(struct world *w, const char *group, const char *folder);
void world_computer(struct world *w, const char *computer); /* fs1 -> fs1.corp.example, FS1$ */
/* The member, and its subscriber beneath the computer. */
void world_member(struct world *w, const char *group, const char *computer);
/* The connection "GROUP/SENDER>RECEIVER", enabled. */
void world_connection(struct world *w, const char *group, const char *sender, const char *receiver);
/* The subscription "GROUP/COMPUTER/FOLDER" with root /srv/FOLDER, enabled. */
void world_subscription(struct world *w, const char *group, const char *computer,
                        const char *folder);

/* The group "g" with the folder "cad", members fs1 and fs2, connections both ways. */
void world_pair(struct world *w);

/* An object's entry by its key: "g", "g/cad", "fs1", "g/@fs1" (member), "g/fs1>fs2", "g/fs1/cad".
 */
struct ad_entry *world_entry(struct world *w, const char *key);
struct guid world_id(const char *key);
/* Replace, or with NULL remove, an attribute. */
void world_set(struct world *w, const char *key, const char *attribute, const char *value);
void world_set_bytes(struct world *w, const char *key, const char *attribute, struct span value);
/* A second value of an attribute. */
void world_also(struct world *w, const char *key, const char *attribute, const char *value);

/* Read and checked. */
struct topology *world_topology(const struct world *w);
struct plan *world_plan(const struct world *w);

/* Whether a finding about the object has this text in its problem. */
bool world_finds(const struct topology *t, const struct world *w, const char *key,
                 enum severity severity, const char *problem);

const struct plan_computer *world_planned(const struct plan *plan, const char *computer);
const struct folder_assignment *world_share(const struct plan *plan, const char *computer,
                                            const char *folder_key);

#endif
