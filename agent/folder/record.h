/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/folder/record.h: private to agent/folder: what a gathering has found goes into the replica.
 */
#ifndef AGENT_FOLDER_RECORD_H
#define AGENT_FOLDER_RECORD_H

#include "agent/folder/sights.h"

struct folder;
struct local;

struct record_task {
    struct folder *folder;       /* no plan is under way in it */
    struct gathering *gathering; /* its findings are changed */
    bool planned;                /* a plan has touched the disk since the gathering began */
    bool walk_is_near;           /* a walk is under way or has just ended: it may have missed what moved */

    /* where to look again: at once, and after a while */
    struct sight **soon;
    struct sight **later;
    /* everything beneath @path is to be looked at */
    void (*wants_subtree)(struct local *local, const char *path);
    struct local *local;
    bool *wants_walk; /* the whole tree is to be looked at: set, never cleared */
};

/* Each finding is looked at once more first. On the loop thread. */
void record_findings(const struct record_task *task);

#endif
