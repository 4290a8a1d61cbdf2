/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/folder/folder.h"

#include "agent/folder/opening.h"
#include "agent/folder/parts.h"
#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/base/scope.h"

#include <assert.h>
#include <stdlib.h>

const char *folder_state_text(enum folder_state state)
{
    switch (state) {
#define X(name, text)                                                                              \
    case FOLDER_##name:                                                                            \
        return text;
        FOLDER_STATES(X)
#undef X
    }
    return "unknown";
}

/* A stopped folder that is tried again says nothing until that succeeds. */
static void set_state(struct folder *f, enum folder_state state)
{
    assert(f->state != FOLDER_CLOSING);
    bool retries = f->problems.count > 0 &&
                   (state == FOLDER_OPENING || (f->state == FOLDER_OPENING && state == FOLDER_TROUBLE));
    if (f->state != state && !retries)
        log_info(&f->log, "folder is %s", folder_state_text(state));
    f->state = state;
}

const struct guid *folder_guid(const struct folder *f)
{
    return &f->guid;
}

bool folder_is_running(const struct folder *f)
{
    return f->state == FOLDER_RUNNING && !f->store_broken;
}

void folder_problem(struct folder *f, const char *key, const char *object, const char *cause,
                    const char *remedy)
{
    if (problem_set(&f->problems, walltime_now(), key, object, cause, remedy))
        log_warn(&f->log, "problem object=\"%s\": %s: %s", object, cause, remedy);
}

/* --- connections --- */

static const struct connection_assignment *find_connection(const struct connection_assignment *list,
                                                           size_t count, const struct guid *id)
{
    for (size_t i = 0; i < count; i++)
        if (guid_equal(&list[i].connection, id))
            return &list[i];
    return NULL;
}

const struct connection_assignment *folder_find_inbound(const struct folder *f,
                                                        const struct guid *connection)
{
    return find_connection(f->assignment->inbound, f->assignment->inbound_count, connection);
}

const struct connection_assignment *folder_find_outbound(const struct folder *f,
                                                         const struct guid *connection)
{
    return find_connection(f->assignment->outbound, f->assignment->outbound_count, connection);
}

const char *connection_closed_reason(const struct connection_assignment *connection)
{
    if (!connection)
        return "the connection is not in the assignment any more";
    if (!connection->enabled)
        return "the connection is disabled in the directory";
    if (schedule_level_at(&connection->schedule, walltime_now()) == 0)
        return "closed by schedule";
    return NULL;
}

const char *connection_closed_word(const struct connection_assignment *connection)
{
    if (!connection_closed_reason(connection))
        return NULL;
    return connection && connection->enabled ? "closed-by-schedule" : "disabled";
}

/* --- jobs --- */

struct job {
    struct folder *folder;
    loop_fn work;
    loop_fn done;
    void *arg;
};

static void maybe_torn_down(struct folder *f);

static void job_work(void *arg)
{
    struct job *job = arg;

    job->work(job->arg);
}

static void job_done(void *arg)
{
    struct job *job = arg;
    struct folder *f = job->folder;

    job->done(job->arg);
    free(job);
    folder_job_end(f);
}

void folder_work(struct folder *f, loop_fn work, loop_fn done, void *arg)
{
    struct job *job = MEM_NEW(struct job);

    *job = (struct job){.folder = f, .work = work, .done = done, .arg = arg};
    folder_job_begin(f);
    loop_work(f->services->loop, job_work, job_done, job);
}

void folder_job_begin(void *folder)
{
    ((struct folder *)folder)->job_count++;
}

/* Not torn down here: the caller is still inside one of the parts. Where nothing is open there is nothing to
 * tear down, and a folder in trouble waits before it tries again. */
void folder_job_end(void *folder)
{
    struct folder *f = folder;
    bool is_open = f->root || f->watch;

    assert(f->job_count > 0);
    f->job_count--;
    if (f->job_count == 0 && (f->state == FOLDER_CLOSING || f->state == FOLDER_HELD ||
                              (f->state == FOLDER_TROUBLE && is_open)))
        loop_timer_start(f->tick, 0);
}

/* --- opening --- */

struct opening {
    struct folder *folder;
    struct parts parts;
    struct buf problem;
    enum status status;
};

static void run_opening(void *arg)
{
    struct opening *o = arg;

    o->status = parts_open(o->folder, &o->parts, &o->problem);
}

static void on_watch(struct watch_batch *batch, void *arg)
{
    struct folder *f = arg;

    if (f->local)
        local_watch(f->local, batch);
    else
        watch_batch_free(batch);
}

static void trouble(struct folder *f, const char *key, const char *cause, const char *remedy)
{
    folder_problem(f, key, f->assignment->root_path, cause, remedy);
    if (f->state != FOLDER_CLOSING)
        set_state(f, FOLDER_TROUBLE);
    /* what is open is torn down at once; what did not open is tried again after a while */
    loop_timer_start(f->tick, f->root ? 0 : ROOT_RETRY_MS);
}

static void take_parts(struct folder *f, const struct parts *parts)
{
    f->root = parts->root;
    f->db = parts->db;
    f->db_reader = parts->db_reader;
    f->reader = db_reader_store(f->db_reader);
    f->replica = parts->replica;
    f->stage = parts->stage;
    f->preserve = parts->preserve;
    f->install = parts->install;
    f->signatures = parts->signatures;
    f->intake = intake_new();
    f->store_broken = false;
}

static void start(struct folder *f)
{
    struct watch_options options = {.root = f->root, .loop = f->services->loop};

    if (watch_open(&options, on_watch, f, &f->watch) != ST_OK) {
        trouble(f, "watch", "changes in the folder cannot be watched",
                "see the log; fanotify needs CAP_SYS_ADMIN, inotify a higher "
                "fs.inotify.max_user_watches");
        return;
    }
    f->local = local_new(f);
    if (!f->local) {
        trouble(f, "database", "the folder's database cannot be read", "see the log");
        return;
    }
    f->seeds = seeds_new(f);
    problem_clear(&f->problems, "watch");
    problem_clear(&f->problems, "database");
    set_state(f, replica_state(f->replica)->initial_scan_done ? FOLDER_RUNNING : FOLDER_SCANNING);
    local_scan(f->local);
    f->walk_due = instant_after_ms(loop_now(f->services->loop), VERIFY_INTERVAL_MS);
    pull_check(f);
}

static void opened(void *arg)
{
    struct opening *o = arg;
    struct folder *f = o->folder;

    if (o->status == ST_OK) {
        take_parts(f, &o->parts);
        problem_clear(&f->problems, "root");
        if (f->state == FOLDER_OPENING)
            start(f);
    } else if (f->state == FOLDER_OPENING) {
        trouble(f, "root", buf_text(&o->problem), "replication of this folder starts by itself when "
                                                  "the cause is gone");
    }
    buf_fini(&o->problem);
    free(o);
}

static void begin_opening(struct folder *f)
{
    struct opening *o = MEM_NEW(struct opening);

    set_state(f, FOLDER_OPENING);
    o->folder = f;
    folder_work(f, run_opening, opened, o);
}

/* --- teardown --- */

static void end_sessions(struct folder *f)
{
    pull_close_all(f);
    serve_close_all(f);
    fetching_close_all(f);
    watch_close(f->watch);
    f->watch = NULL;
    if (f->local)
        local_stop(f->local);
    if (f->seeds)
        seeds_stop(f->seeds);
}

static void close_parts(struct folder *f)
{
    struct parts parts = {
        .root = f->root,
        .db = f->db,
        .db_reader = f->db_reader,
        .replica = f->replica,
        .stage = f->stage,
        .preserve = f->preserve,
        .install = f->install,
        .signatures = f->signatures,
    };

    local_free(f->local);
    f->local = NULL;
    seeds_free(f->seeds);
    f->seeds = NULL;
    intake_free(f->intake);
    f->intake = NULL;
    parts_close(&parts);
    f->root = NULL;
    f->db = NULL;
    f->db_reader = NULL;
    f->replica = NULL;
    f->stage = NULL;
    f->preserve = NULL;
    f->install = NULL;
    f->signatures = NULL;
}

static void folder_free(struct folder *f)
{
    loop_fn closed = f->closed;
    void *arg = f->closed_arg;

    loop_timer_free(f->tick);
    problems_fini(&f->problems);
    serve_forget_counts(f);
    filter_fini(&f->file_filter);
    filter_fini(&f->dir_filter);
    free(f);
    closed(arg);
}

/* Everything has come back: close, and go on to what the state says. */
static void maybe_torn_down(struct folder *f)
{
    end_sessions(f);
    if (f->job_count > 0)
        return;
    close_parts(f);
    if (f->state == FOLDER_CLOSING)
        folder_free(f);
    else if (f->state == FOLDER_TROUBLE)
        loop_timer_start(f->tick, ROOT_RETRY_MS);
}

void folder_store_failed(struct folder *f)
{
    if (f->store_broken)
        return;
    f->store_broken = true;
    trouble(f, "database", "the folder's database failed: it is opened and checked again",
            "check the disk, its free space and the log");
}

void folder_root_lost(struct folder *f, enum status status, const char *problem)
{
    (void)status;
    trouble(f, "root", problem[0] ? problem : "the folder's root cannot be read",
            "nothing was deleted elsewhere; replication goes on by itself when it is back");
}

void folder_stage_trouble(struct folder *f, enum status status)
{
    if (status == ST_FULL)
        folder_problem(f, "space", f->assignment->root_path,
                       "no space left for staging what partners send",
                       "free space on the folder's file system, or raise its staging quota");
    else
        folder_problem(f, "io", f->assignment->root_path, "the disk reported an error while staging",
                       "check the disk and the kernel's log");
}

void folder_vector_grew(struct folder *f, const struct pull *except)
{
    pull_vector_grew(f, except);
    serve_kick(f);
}

void folder_scanned(struct folder *f)
{
    if (f->state != FOLDER_SCANNING)
        return;
    if (replica_initial_scan_done(f->replica) != ST_OK) {
        folder_store_failed(f);
        return;
    }
    set_state(f, FOLDER_RUNNING);
    pull_check(f);
}

/* --- the tick --- */

static bool is_held(const struct folder *f)
{
    return !f->assignment->enabled || f->assignment->problem[0] != '\0';
}

static void check_held(struct folder *f)
{
    if (f->assignment->problem[0] != '\0')
        folder_problem(f, "assignment", f->assignment->folder_name, f->assignment->problem,
                       "correct it in the directory");
    else
        problem_clear(&f->problems, "assignment");
}

static void check_root(struct folder *f)
{
    scope(buf) struct buf problem = {0};
    enum status st = root_check(f->root, &problem);

    if (st != ST_OK)
        folder_root_lost(f, st, buf_text(&problem));
}

/* Deletions that are old, and that every partner has. */
static void expire_tombstones(struct folder *f)
{
    scope(vector) struct vector held = {0};
    struct instant now = loop_now(f->services->loop);
    int64_t life_ms = (int64_t)f->assignment->tombstone_life_min * 60 * 1000;
    size_t count = 0;

    if (instant_ms_since(f->expired, now) < EXPIRE_INTERVAL_MS)
        return;
    f->expired = now;
    vector_copy(&held, replica_vector(f->replica));
    if (!pull_held(f, &held) || !serve_held(f, &held))
        return;
    if (replica_expire(f->replica, walltime_now(), life_ms, &held, &count) != ST_OK)
        folder_store_failed(f);
    else if (count > 0)
        log_info(&f->log, "forgot deletions that everybody knows count=%zu", count);
}

static void quiet_work(struct folder *f)
{
    size_t count;

    if (f->plan || local_is_busy(f->local) || intake_item_count(f->intake) > 0)
        return;
    if (db_checkpoint(f->db, true) != ST_OK)
        folder_store_failed(f);
    if (preserve_trim(f->preserve, walltime_now(), &count) != ST_OK)
        log_warn(&f->log, "the preserve area could not be trimmed");
    if (f->state == FOLDER_RUNNING)
        expire_tombstones(f);
}

/* The database went back to what it was; nobody needs to do anything, but should know. */
static void check_database(struct folder *f)
{
    if (!replica_went_back(f->replica)) {
        problem_clear(&f->problems, "went-back");
        return;
    }
    folder_problem(f, "went-back", f->assignment->root_path,
                   "partners know of newer changes by this member than its database: the machine or the "
                   "database was restored from a snapshot",
                   "nothing: what is missing comes from the partners; if nobody restored it, look for "
                   "disk errors");
}

/* What no event told: stores through a mapping, and what the kernel or we have missed. */
static void check_walk(struct folder *f)
{
    struct instant now = loop_now(f->services->loop);

    if (instant_ms_since(f->walk_due, now) < 0)
        return;
    f->walk_due = instant_after_ms(now, VERIFY_INTERVAL_MS);
    local_scan(f->local);
}

static void run_tick(struct folder *f)
{
    check_root(f);
    if (f->state != FOLDER_RUNNING && f->state != FOLDER_SCANNING)
        return;
    check_database(f);
    problem_expire(&f->problems, "refused:", walltime_now(), REFUSAL_SHOWN_MS);
    pull_check(f);
    serve_check(f);
    fetching_check(f);
    pull_try_joins(f);
    pull_check_verifying(f);
    check_walk(f);
    f->return_tried = false;
    apply_kick(f);
    quiet_work(f);
}

static void on_tick(void *arg)
{
    struct folder *f = arg;

    switch (f->state) {
    case FOLDER_CLOSING:
        maybe_torn_down(f); /* may free the folder */
        return;
    case FOLDER_HELD:
        if (f->root || f->job_count > 0)
            maybe_torn_down(f);
        else if (!is_held(f))
            begin_opening(f);
        break;
    case FOLDER_TROUBLE:
        if (f->root || f->job_count > 0 || f->watch) {
            maybe_torn_down(f);
            return;
        }
        begin_opening(f);
        break;
    case FOLDER_SCANNING:
    case FOLDER_RUNNING:
        run_tick(f);
        break;
    case FOLDER_OPENING:
        break;
    }
    /* a state that began above may have asked for an earlier tick */
    if (f->state != FOLDER_TROUBLE)
        loop_timer_start(f->tick, FOLDER_TICK_MS);
}

/* --- life --- */

static void copy_filter(struct filter *to, const struct filter *from)
{
    for (size_t i = 0; i < from->pattern_count; i++)
        (void)filter_add(to, from->patterns[i]); /* it was within limits where it came from */
}

struct folder *folder_open(const struct folder_services *services,
                           const struct folder_assignment *assignment)
{
    struct folder *f = MEM_NEW(struct folder);

    copy_filter(&f->file_filter, &assignment->file_filter);
    copy_filter(&f->dir_filter, &assignment->directory_filter);

    f->services = services;
    f->assignment = assignment;
    f->guid = assignment->folder;
    log_ctx_init(&f->log, services->log, "folder=%s/%s", assignment->group_name,
                 assignment->folder_name);
    f->tick = loop_timer_new(services->loop, on_tick, f);
    f->state = FOLDER_HELD;
    check_held(f);
    if (!is_held(f))
        begin_opening(f);
    loop_timer_start(f->tick, FOLDER_TICK_MS);
    return f;
}

static bool same_filter(const struct filter *a, const struct filter *b)
{
    if (a->pattern_count != b->pattern_count)
        return false;
    for (size_t i = 0; i < a->pattern_count; i++)
        if (strcmp(a->patterns[i], b->patterns[i]) != 0)
            return false;
    return true;
}

bool folder_change(struct folder *f, const struct folder_assignment *assignment)
{
    const struct folder_assignment *old = f->assignment;

    /* paths and rules that running scans and the database rely on */
    if (strcmp(old->root_path, assignment->root_path) != 0 ||
        strcmp(old->staging_path, assignment->staging_path) != 0 ||
        strcmp(old->preserve_path, assignment->preserve_path) != 0 ||
        old->case_insensitive != assignment->case_insensitive ||
        old->read_only != assignment->read_only ||
        !same_filter(&old->file_filter, &assignment->file_filter) ||
        !same_filter(&old->directory_filter, &assignment->directory_filter))
        return false;
    /* a worker reads the old one */
    if (f->state == FOLDER_OPENING)
        return false;
    f->assignment = assignment;
    if (f->stage)
        stage_set_quota(f->stage, assignment->staging_bytes_max);
    if (f->preserve)
        preserve_set_quota(f->preserve, assignment->preserve_bytes_max);
    check_held(f);
    if (is_held(f) && f->state != FOLDER_HELD) {
        set_state(f, FOLDER_HELD);
        loop_timer_start(f->tick, 0);
    } else if (f->state == FOLDER_RUNNING) {
        pull_check(f);
        serve_check(f);
        fetching_check(f);
    }
    return true;
}

void folder_close(struct folder *f, loop_fn done, void *arg)
{
    f->closed = done;
    f->closed_arg = arg;
    set_state(f, FOLDER_CLOSING);
    loop_timer_start(f->tick, 0);
}

void folder_rescan(struct folder *f, loop_fn done, void *arg)
{
    if (f->local && f->state != FOLDER_CLOSING)
        local_rescan(f->local, done, arg);
    else
        loop_post(f->services->loop, done, arg);
}

void folder_verify(struct folder *f, loop_fn done, void *arg)
{
    if (folder_is_running(f))
        pull_verify(f, done, arg);
    else
        loop_post(f->services->loop, done, arg);
}

static bool senders_have_all(const struct folder *f)
{
    for (size_t i = 0; i < f->assignment->outbound_count; i++) {
        const struct connection_assignment *c = &f->assignment->outbound[i];
        struct serve_status status;

        if (connection_closed_reason(c))
            continue;
        if (!serve_status(f, &c->connection, &status) || !status.in_sync)
            return false;
    }
    return true;
}

const char *folder_activity(const struct folder *f)
{
    if (f->state == FOLDER_HELD)
        return NULL;
    if (!folder_is_running(f))
        return "not ready";
    if (f->plan)
        return "putting updates in place";
    if (local_is_busy(f->local))
        return local_activity(f->local);
    if (intake_item_count(f->intake) > 0)
        return "updates in hand";
    if (pull_is_busy(f))
        return "receiving from partners";
    if (replica_has_parked(f->replica) || replica_can_return(f->replica))
        return "parked files wait for their place";
    return senders_have_all(f) ? NULL : "sending to partners";
}

bool folder_is_idle(const struct folder *f)
{
    return folder_activity(f) == NULL;
}

/* --- partners --- */

static bool is_partner(const struct connection_assignment *c, const char *principal)
{
    for (size_t i = 0; i < c->partner_principal_count; i++)
        if (strcmp(c->partner_principals[i], principal) == 0)
            return true;
    return false;
}

void folder_serve(struct folder *f, struct rpc_stream *stream,
                  const Coterie__V1__SessionOpen *open)
{
    struct guid connection;
    const struct connection_assignment *c = NULL;
    const char *principal = rpc_stream_principal(stream);

    if (guid_from_message(open->connection_guid, &connection))
        c = folder_find_outbound(f, &connection);
    if (!c || !is_partner(c, principal)) {
        /* one answer for both: a stranger learns nothing about which connections exist */
        scope_free char *key = mem_format("refused:%s", principal);

        folder_problem(f, key, principal, "asked for this folder but is not its partner",
                       "if it should be, add its member and connection in the directory");
        rpc_stream_finish(stream, RPC_END_DENIED, "not a partner on this folder");
        return;
    }
    const char *reason = connection_closed_reason(c);
    if (reason) {
        rpc_stream_finish(stream, RPC_END_BUSY, reason);
    } else if (open->protocol_version != REPLICATION_PROTOCOL_VERSION) {
        rpc_stream_finish(stream, RPC_END_BAD, "unknown protocol version: update the older agent");
    } else if (!folder_is_running(f)) {
        rpc_stream_finish(stream, RPC_END_BUSY, "the folder is not ready here yet");
    } else if (!replica_state(f->replica)->initial_sync_done) {
        rpc_stream_finish(stream, RPC_END_BUSY, "the folder waits here for its initial sync");
    } else if (open->fetch_only) {
        fetching_serve(f, stream, c);
    } else {
        serve_open(f, stream, c);
    }
}
