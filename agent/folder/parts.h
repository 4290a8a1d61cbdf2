/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/folder/parts.h: private to agent/folder: what its files share.
 *
 *   folder.c   life of a folder: opens the parts, watches the root, closes
 *   local.c    disk to replica: scans, looks at places that changed, records
 *   pull.c     partners' updates in;  fetching.c  their content;  seeds.c  what helps to build it
 *   apply.c    intake to disk: fetches, plans, installs, settles
 *   serve.c    our records out to partners;  content.c  reading and staging
 *   listing.c  our file ids out, a partner's in
 *   report.c   what the status says
 */
#ifndef AGENT_FOLDER_PARTS_H
#define AGENT_FOLDER_PARTS_H

#include "agent/db/db.h"
#include "agent/folder/folder.h"
#include "agent/install/install.h"
#include "agent/replica/replica.h"
#include "agent/report/problems.h"
#include "agent/session/intake.h"
#include "agent/session/receiver.h"
#include "agent/session/sequence.h"
#include "agent/signatures/signatures.h"
#include "agent/stage/stage.h"
#include "agent/transfer/codec.h"
#include "agent/watch/watch.h"

#define BACKLOG_COUNT_MAX            10000u /* a longer backlog is shown as this */

/*
 *            parts open          first scan recorded      root or store in trouble
 *  OPENING -------------> SCANNING ---------------> RUNNING -------------------+
 *     ^                                                                        |
 *     '---------------------------- after a delay ------------------ TROUBLE <-'
 *  any of them: HELD while the assignment disables the folder or names a problem; CLOSING at the end
 */
#define FOLDER_STATES(X)                                                                           \
    X(OPENING, "opening") X(SCANNING, "scanning") X(RUNNING, "replicating") X(TROUBLE, "stopped")  \
    X(HELD, "held") X(CLOSING, "closing")
enum folder_state {
#define X(name, text) FOLDER_##name,
    FOLDER_STATES(X)
#undef X
};

struct pull;
struct serve;
struct served;
struct seeds;
struct fetch_seeds;
struct fetch_client;
struct serving;
struct local;

struct folder {
    const struct folder_services *services;
    const struct folder_assignment *assignment;
    struct guid guid;
    struct filter file_filter; /* the assignment's, as long as the folder is open */
    struct filter dir_filter;
    struct log_ctx log;
    enum folder_state state;
    struct problems problems;
    struct loop_timer *tick;
    unsigned job_count; /* worker jobs under way */
    bool store_broken;
    loop_fn closed;
    void *closed_arg;

    /* the parts; NULL until open */
    struct root *root;
    struct db *db;
    struct db_reader *db_reader; /* of the loop thread */
    struct store reader;
    struct replica *replica;
    struct stage *stage;
    struct preserve *preserve;
    struct install *install;
    struct signatures *signatures;
    struct seeds *seeds;
    struct watch *watch;
    struct local *local;
    struct intake *intake;

    struct pull *pulls;
    struct verify_waiter *verify_waiters; /* of pulls.c */
    struct serve *serves;
    struct serving *servings;
    struct served *served; /* what streams that have ended moved */
    intake_source source_last;

    /* apply.c */
    struct plan *plan; /* under way */
    intake_source listing_source; /* whose listing it carries out; 0: none */
    struct step_result *results;
    const struct step *steps;
    size_t step_count;
    size_t result_count;
    size_t offer_count;
    bool applying;
    bool apply_again;
    struct instant walk_due;       /* the whole tree is looked at once in a while */
    struct instant expired;        /* when tombstones were dropped last */
    struct instant stirred;        /* the last time that something was settled or recorded */
    bool return_tried;             /* what is parked had its try since the last tick */
    uint64_t plan_epoch;           /* counts settled plans */

    uint64_t conflict_count;
};

/* --- folder.c --- */
/* Run on a worker; the folder stays until @done has run. */
void folder_work(struct folder *f, loop_fn work, loop_fn done, void *arg);
/* For parts that use loop_work() themselves. */
void folder_job_begin(void *folder);
void folder_job_end(void *folder);
bool folder_is_running(const struct folder *f); /* serves and pulls */
void folder_store_failed(struct folder *f);
void folder_stage_trouble(struct folder *f, enum status status);
/* Our vector has grown; @except already knows. */
void folder_vector_grew(struct folder *f, const struct pull *except);
void folder_scanned(struct folder *f); /* the first scan is recorded */
void folder_root_lost(struct folder *f, enum status status, const char *problem);
void folder_problem(struct folder *f, const char *key, const char *object, const char *cause,
                    const char *remedy);
const char *folder_state_text(enum folder_state state);
const struct connection_assignment *folder_find_inbound(const struct folder *f,
                                                        const struct guid *connection);
const struct connection_assignment *folder_find_outbound(const struct folder *f,
                                                         const struct guid *connection);
/* Why the connection carries nothing now; NULL: it is open. */
const char *connection_closed_reason(const struct connection_assignment *connection);
/* The same as a word of ConnectionReport.state: "closed-by-schedule", "disabled"; NULL: it is open. */
const char *connection_closed_word(const struct connection_assignment *connection);

/* --- local.c --- */
struct local *local_new(struct folder *f);
void local_free(struct local *local); /* no job under way; NULL allowed */
void local_scan(struct local *local);
void local_watch(struct local *local, struct watch_batch *batch);
void local_look(struct local *local, const char *path);
void local_look_beneath(struct local *local, const char *path); /* and everything in it */
void local_rescan(struct local *local, loop_fn done, void *arg);
void local_resume(struct local *local); /* a plan has ended: what waited may be recorded */
bool local_is_busy(const struct local *local);
const char *local_activity(const struct local *local); /* while it is */
/* A walk is under way, or was until just now: what has moved may have slipped past it. */
bool local_walk_is_near(const struct local *local);
void local_stop(struct local *local); /* end running scans soon */

/* --- pulls.c --- */
void pull_check(struct folder *f); /* against assignment, schedule and state */
void pull_check_verifying(struct folder *f);
void pull_verify(struct folder *f, loop_fn done, void *arg); /* now */
void pull_close_all(struct folder *f);
void pull_settled(struct folder *f, intake_source source, const struct gvsn *gvsn, bool done);
void pull_vector_grew(struct folder *f, const struct pull *except);
void pull_try_joins(struct folder *f);
/* A plan that a listing led to has ended. */
void pull_planned(struct folder *f, intake_source source, bool failed);
struct fetch_client *pull_fetch_client(struct folder *f, intake_source source);
bool pull_is_busy(const struct folder *f);
/* Every partner that we receive from is there, and has nothing that we lack. */
bool pull_has_everything(const struct folder *f);
/* Keep of @held what every partner that we receive from has; false: one of them is away, or has something
 * that we lack. */
bool pull_held(const struct folder *f, struct vector *held);

struct pull_status {
    bool linked;
    bool open;
    bool in_sync;
    bool refused;
    bool comparing;    /* with the partner's list of files */
    bool partner_busy; /* it opens the folder, scans it, or waits for its own initial sync */
    uint64_t unsettled;
    const char *trouble;
    const char *held; /* the update that has waited longest to be put in place; NULL: none */
    int64_t held_ms;
    struct walltime last_sync;
    uint64_t updates_done;
    uint64_t bytes_sent;
    uint64_t bytes_received;
};
bool pull_status(const struct folder *f, const struct guid *connection, struct pull_status *out);

/* --- fetching.c --- */
struct fetch_client *fetching_open(struct folder *f, intake_source source,
                                   struct rpc_channel *channel,
                                   const struct connection_assignment *connection);
void fetching_start(struct folder *f, intake_source source, const struct update *update);
void fetching_serve(struct folder *f, struct rpc_stream *stream,
                    const struct connection_assignment *connection);
void fetching_close_all(struct folder *f);
/* Adds what the partner's open Fetch streams have moved. */
void fetching_add_bytes(const struct folder *f, const struct guid *connection, uint64_t *sent,
                        uint64_t *received);
void fetching_check(struct folder *f);

/* --- seeds.c --- */
struct seeds *seeds_new(struct folder *f); /* begins to look through the signatures */
void seeds_stop(struct seeds *seeds);      /* end that soon */
void seeds_free(struct seeds *seeds);      /* no job under way; NULL allowed */
/* Content that the folder has, or is about to have: it may help to build others. */
void seeds_note(struct folder *f, const struct content_hash *content,
                const struct rdc_traits *traits);
/* A partner says what the content of an update is like. */
void seeds_heard(struct folder *f, const struct gvsn *gvsn, const struct rdc_traits *traits);
/* Our files that may help to build the content of @update, best first. Without @deltas only one that
 * has just this content. */
void seeds_find(struct folder *f, const struct update *update, bool deltas,
                struct fetch_seeds *out);
/* A file in the tree with just this content. Free *out_path. */
bool seeds_find_content(struct folder *f, const struct content_hash *content,
                        struct record *out_record, char **out_path);

/* --- apply.c --- */
void apply_kick(struct folder *f);
/* No plan is under way. After LISTING_PLAN one is, or was; pull_planned() tells its end. */
enum listing_next apply_listing(struct folder *f, struct listing *listing, intake_source source);

/* --- listing.c --- */
void listing_ask(struct rpc_stream *stream, const struct file_id *after, struct sequence *sequence);
/* Answer one such request. False: the store failed. */
bool listing_send_part(struct folder *f, struct rpc_stream *stream, const struct file_id *after,
                       struct sequence *sequence);
/* Returns NULL, or the broken rule. */
const char *listing_take(struct listing *listing, struct folder *f,
                         const Coterie__V1__SessionListed *message, bool *out_is_last);

/* --- serve.c --- */
void serve_open(struct folder *f, struct rpc_stream *stream,
                const struct connection_assignment *connection);
void serve_kick(struct folder *f);
void serve_check(struct folder *f);
/* The same of the partners that we send to. */
bool serve_held(const struct folder *f, struct vector *held);
void serve_close_all(struct folder *f);

struct serve_status {
    bool in_sync;
    uint64_t backlog;
};
/* False while the partner has no session. */
bool serve_status(const struct folder *f, const struct guid *connection, struct serve_status *out);
/* A stream of the partner's, which is about to be forgotten, has moved this much. */
void serve_count(struct folder *f, const struct guid *connection, uint64_t bytes_sent,
                 uint64_t bytes_received);
/* Of all streams on a connection since the agent began, contents included. */
void serve_bytes(const struct folder *f, const struct guid *connection, uint64_t *out_sent,
                 uint64_t *out_received);
void serve_forget_counts(struct folder *f);

/* --- content.c; these block, for workers --- */
/* The content that @record claims, at most @size_max bytes; false when it is not there any more. */
bool content_read_whole(struct folder *f, const char *path, const struct record *record,
                        size_t size_max, struct buf *out);
/* Stage content that came inside an update. *out_problem is set when it is not what the update says. */
enum status content_stage_whole(struct folder *f, struct span content, const struct update *update,
                                uint64_t *out_stage, struct object *out_object,
                                const char **out_problem);
void content_drop(struct folder *f, uint64_t stage);

#endif
