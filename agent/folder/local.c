/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the disk to the replica: scans and events become observations, in one durable commit a
 * batch.
 *
 * One gathering (gather.c) is under way at a time, on a worker. Its findings are recorded when no
 * plan is under way, each after a last look; what does not stand any more, or can not be recorded
 * yet, is looked at again.
 */
#include "agent/folder/local.h"

#include "agent/folder/parts.h"
#include "agent/folder/record.h"
#include "agent/folder/sights.h"
#include "agent/root/beneath.h"
#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/base/scope.h"

#include <stdlib.h>
#include <uthash.h>

struct waiter {
    struct waiter *next;
    loop_fn done;
    void *arg;
};

struct local {
    struct folder *folder;
    struct gathering gathering;
    struct loop_timer *timer;
    atomic_bool stop;
    bool gathering_now; /* a worker has it */
    bool gathered;      /* findings wait to be recorded */
    bool timer_runs;
    unsigned later_count; /* how often in a row something was to be looked at again */

    struct sight *places; /* to look at soon */
    struct sight *later;  /* to look at when EXAMINE_RETRY_MS have passed */
    bool scan_wanted;
    char **subtrees; /* new directories whose content was not seen by any event */
    size_t subtree_count;

    struct scan *scan; /* under way */
    bool scan_is_full;
    struct walltime scan_began; /* the last full one */
    bool tree_walked; /* whole, since this began */
    bool walked;
    struct instant walk_ended; /* the last one */
    bool first_scan_told;
    struct waiter *waiters;
    uint64_t plan_epoch; /* of the folder, when the gathering began */
};

static void kick(struct local *l);
static void on_timer(void *arg);

struct local *local_new(struct folder *f)
{
    struct local *l = MEM_NEW(struct local);
    struct db_options options = {
        .folder = f->guid,
        .token = root_token(f->root),
        .case_insensitive = f->assignment->case_insensitive,
        .log = &f->log,
    };
    scope_free char *path = root_database_path(f->root);

    l->folder = f;
    l->timer = loop_timer_new(f->services->loop, on_timer, l);
    options.path = path;
    if (db_reader_open(&options, &l->gathering.reader) != ST_OK) {
        loop_timer_free(l->timer);
        free(l);
        return NULL;
    }
    l->gathering.root = f->root;
    l->gathering.signatures = f->signatures;
    l->gathering.file_filter = &f->file_filter;
    l->gathering.dir_filter = &f->dir_filter;
    l->gathering.root_id = replica_root(f->replica);
    l->gathering.stop = &l->stop;
    l->gathering.left_out_wait_ms = LEFT_OUT_WAIT_MS;
    return l;
}

static void tell_waiters(struct local *l)
{
    struct waiter *list = l->waiters;

    l->waiters = NULL;
    for (struct waiter *next; list; list = next) {
        next = list->next;
        list->done(list->arg);
        free(list);
    }
}

void local_free(struct local *l)
{
    if (!l)
        return;
    tell_waiters(l);
    scan_end(l->scan);
    gathering_clear(&l->gathering);
    db_reader_close(l->gathering.reader);
    sights_clear(&l->places);
    sights_clear(&l->later);
    for (size_t i = 0; i < l->subtree_count; i++)
        free(l->subtrees[i]);
    free(l->subtrees);
    loop_timer_free(l->timer);
    free(l);
}

void local_stop(struct local *l)
{
    atomic_store(&l->stop, true);
    loop_timer_stop(l->timer);
}

/* --- recording --- */

bool local_walk_is_near(const struct local *l)
{
    return l->scan || (l->walked && instant_ms_since(l->walk_ended, loop_now(l->folder->services->loop)) <
                                        WALK_ECHO_MS);
}

static void wants_subtree(struct local *l, const char *path)
{
    l->subtrees = mem_resize(l->subtrees, l->subtree_count + 1, sizeof(*l->subtrees));
    l->subtrees[l->subtree_count++] = mem_copy_string(path);
}

/* What a scan of everything has not met again is over. Not before its end: nobody is to see a problem go
 * and come back. */
static void forget_old_problems(struct local *l)
{
    struct walltime now = walltime_now();

    problem_expire(&l->folder->problems, "file:", now, (now.ns - l->scan_began.ns) / NS_PER_MS + 1);
}

static void scan_over(struct local *l)
{
    scan_end(l->scan);
    l->scan = NULL;
    l->gathering.scan = NULL;
    l->walked = true;
    l->walk_ended = loop_now(l->folder->services->loop);
    if (!l->scan_is_full)
        return;
    l->tree_walked = true;
    forget_old_problems(l);
    log_info(&l->folder->log, "scan finished");
    if (!l->first_scan_told) {
        l->first_scan_told = true;
        folder_scanned(l->folder);
    }
}

static void record(struct local *l)
{
    struct folder *f = l->folder;
    enum status status = l->gathering.status;

    l->gathered = false;
    if (status != ST_OK) {
        scope_free char *problem = mem_copy_string(buf_text(&l->gathering.problem));

        gathering_clear(&l->gathering);
        if (l->scan_is_full)
            l->scan_wanted = true;
        folder_root_lost(f, status, problem);
        return;
    }
    bool over = l->gathering.scan_finished;
    record_findings(&(struct record_task){
        .folder = f,
        .gathering = &l->gathering,
        .planned = l->plan_epoch != f->plan_epoch,
        .walk_is_near = local_walk_is_near(l),
        .soon = &l->places,
        .later = &l->later,
        .wants_subtree = wants_subtree,
        .wants_walk = &l->scan_wanted,
        .local = l,
    });
    gathering_clear(&l->gathering);
    if (over && l->scan)
        scan_over(l);
    kick(l);
}

static void gather_done(void *arg)
{
    struct local *l = arg;

    l->gathering_now = false;
    l->gathered = true;
    local_resume(l);
}

void local_resume(struct local *l)
{
    struct folder *f = l->folder;

    if (!l->gathered || f->plan || f->store_broken || f->state == FOLDER_CLOSING ||
        f->state == FOLDER_TROUBLE)
        return;
    record(l);
}

/* --- gathering --- */

static void run_gather(void *arg)
{
    struct local *l = arg;

    gather(&l->gathering);
}

static void start_gathering(struct local *l)
{
    l->gathering_now = true;
    l->gathering.tree_known = l->tree_walked && !l->scan && !l->scan_wanted && !l->places;
    /* a plan that runs now will have settled before the findings are recorded */
    l->plan_epoch = l->folder->plan ? l->folder->plan_epoch - 1 : l->folder->plan_epoch;
    folder_work(l->folder, run_gather, gather_done, l);
}

static int compare_paths(const void *a, const void *b)
{
    return strcmp(((const struct named_place *)a)->path, ((const struct named_place *)b)->path);
}

static void take_places(struct local *l)
{
    struct gathering *g = &l->gathering;
    struct sight *place;
    struct sight *next;

    g->places = mem_new(EXAMINE_BATCH_COUNT, sizeof(*g->places));
    HASH_ITER(hh, l->places, place, next)
    {
        if (g->place_count == EXAMINE_BATCH_COUNT)
            break;
        g->places[g->place_count++] = sight_take(&l->places, place);
    }
    /* parents before what stands in them */
    qsort(g->places, g->place_count, sizeof(*g->places), compare_paths);
}

static void begin_scan(struct local *l, const char *path, bool full)
{
    struct folder *f = l->folder;
    struct scan_options options = {
        .root = f->root,
        .path = path,
        .recursive = true,
        .file_filter = &f->file_filter,
        .dir_filter = &f->dir_filter,
        .stop = &l->stop,
    };

    l->scan = scan_begin(&options);
    l->scan_is_full = full;
    if (full)
        log_info(&f->log, "scan begins");
}

static void kick(struct local *l)
{
    if (l->gathering_now || l->gathered || atomic_load(&l->stop))
        return;
    if (l->places) {
        /* events first: they are what somebody waits for */
        l->gathering.scan = NULL;
        take_places(l);
        start_gathering(l);
        return;
    }
    if (!l->scan && l->scan_wanted) {
        l->scan_wanted = false;
        l->scan_began = walltime_now();
        begin_scan(l, "", true);
    }
    if (!l->scan && l->subtree_count > 0) {
        scope_free char *path = l->subtrees[--l->subtree_count];

        begin_scan(l, path, false);
    }
    if (l->scan) {
        l->gathering.scan = l->scan;
        start_gathering(l);
        return;
    }
    if (l->later) {
        if (!l->timer_runs) {
            l->timer_runs = true;
            loop_timer_start(l->timer, EXAMINE_RETRY_MS);
        }
        return;
    }
    if (l->later_count >= EXAMINE_PROBLEM_COUNT)
        problem_clear(&l->folder->problems, "look");
    l->later_count = 0;
    tell_waiters(l);
}

/* What is looked at again and again keeps the folder busy: say which place it is. Something may have been
 * missed that it waits for: that is in the tree. */
static void tell_later(struct local *l)
{
    scope(buf) struct buf name = {0};

    if (++l->later_count != EXAMINE_PROBLEM_COUNT)
        return;
    buf_append_escaped(&name, l->later->place.path, strlen(l->later->place.path));
    log_info(&l->folder->log, "still to be looked at, trying again: path=%s", buf_text(&name));
    folder_problem(l->folder, "look", buf_text(&name), "it could not be looked at to the end yet",
                   "it is tried again by itself; if it stays, close the programs that write to it");
    l->scan_wanted = true;
}

static void on_timer(void *arg)
{
    struct local *l = arg;
    struct sight *place;
    struct sight *next;

    l->timer_runs = false;
    if (l->later)
        tell_later(l);
    HASH_ITER(hh, l->later, place, next)
    {
        struct named_place taken = sight_take(&l->later, place);

        sight_add(&l->places, taken.path, &taken.dir, &taken.file);
        free(taken.path);
    }
    kick(l);
}

/* --- asked from outside --- */

void local_scan(struct local *l)
{
    l->scan_wanted = true;
    kick(l);
}

void local_watch(struct local *l, struct watch_batch *batch)
{
    if (batch->rescan) {
        log_info(&l->folder->log, "events were lost, looking at the whole tree");
        l->scan_wanted = true;
    }
    for (size_t i = 0; i < batch->place_count; i++) {
        const struct watch_place *p = &batch->places[i];
        scope_free char *path = p->name[0] == '\0'     ? mem_copy_string(p->dir_path)
                                : p->dir_path[0] == '\0' ? mem_copy_string(p->name)
                                                         : mem_format("%s/%s", p->dir_path, p->name);

        if (path[0] != '\0')
            sight_add(&l->places, path, p->name[0] == '\0' ? NULL : &p->dir, NULL);
    }
    watch_batch_free(batch);
    kick(l);
}

void local_look(struct local *l, const char *path)
{
    sight_add(&l->later, path, NULL, NULL);
    kick(l);
}

void local_rescan(struct local *l, loop_fn done, void *arg)
{
    struct waiter *waiter = MEM_NEW(struct waiter);

    waiter->done = done;
    waiter->arg = arg;
    waiter->next = l->waiters;
    l->waiters = waiter;
    l->scan_wanted = true;
    kick(l);
}

void local_look_beneath(struct local *l, const char *path)
{
    wants_subtree(l, path);
    kick(l);
}

const char *local_activity(const struct local *l)
{
    if (l->gathered)
        return "changes wait to be recorded";
    if (l->scan || l->scan_wanted || l->subtree_count > 0)
        return "looking at the tree";
    return l->gathering_now || l->places ? "looking at changes"
                                         : "files that are being changed are looked at again soon";
}

bool local_is_busy(const struct local *l)
{
    return l->gathering_now || l->gathered || l->scan || l->scan_wanted || l->places || l->later ||
           l->subtree_count > 0;
}
