/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/folder/folder.h: one replicated folder on this machine: the shell around the pure core.
 *
 * The only place that sees all parts of a folder: it feeds the replica with what scan and watch
 * see, the partners' receivers with messages, carries out on disk what the replica plans, and
 * serves partners from committed records. A change's way is one line: disk, local.c, replica, db,
 * serve.c, the partner's pull.c, transfer, stage, apply.c, install, disk.
 *
 * Threads: loop thread only. File and database work that may take long runs on workers.
 */
#ifndef AGENT_FOLDER_FOLDER_H
#define AGENT_FOLDER_FOLDER_H

#include "agent/transfer/partners.h"
#include "common/model/assignment.h"

#include "proto/fleet.pb-c.h"
#include "proto/replication.pb-c.h"

struct folder;

/* What all folders of the agent share; outlives them. */
struct folder_services {
    struct loop *loop;
    struct partners *partners;
    const struct log_ctx *log;
    const char *state_dir; /* remembers each root's token */
    bool (*path_allowed)(const char *path, void *arg);
    void *arg;
};

/* @assignment is borrowed until folder_change() or the end of folder_close(). Never fails: a folder
 * that cannot run says so in its report and tries again by itself. */
struct folder *folder_open(const struct folder_services *services,
                           const struct folder_assignment *assignment);

/* A newer assignment of the same folder. Returns false when it cannot be changed in place (another
 * root or staging path): close and open it again. */
bool folder_change(struct folder *folder, const struct folder_assignment *assignment);

/* Ends sessions, waits for running work, then calls @done; nothing is called afterwards. */
void folder_close(struct folder *folder, loop_fn done, void *arg);

const struct guid *folder_guid(const struct folder *folder);

/*
 * A partner opened a Replicate or Fetch stream and said @open. Takes the stream over: accepts it,
 * or finishes it with the reason (not a member, connection closed by schedule, not ready).
 */
void folder_serve(struct folder *folder, struct rpc_stream *stream,
                  const Coterie__V1__SessionOpen *open);

/* Look at the whole tree again; @done comes when it has been looked at and recorded. */
void folder_rescan(struct folder *folder, loop_fn done, void *arg);
/* Hold the records of all partners against ours; @done comes when all that have a session were compared. */
void folder_verify(struct folder *folder, loop_fn done, void *arg);

/* In sync with every partner, nothing under way, nothing waiting. */
bool folder_is_idle(const struct folder *folder);
/* What is under way, in a clause; NULL: it is idle. */
const char *folder_activity(const struct folder *folder);

/* Free with folder_report_free(). */
Coterie__V1__FolderReport *folder_report(struct folder *folder);
void folder_report_free(Coterie__V1__FolderReport *report);

#endif
