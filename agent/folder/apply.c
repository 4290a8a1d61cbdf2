/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the intake to the disk: what to fetch, what to plan, the steps on a worker, the results back
 * into the replica. One plan is under way at a time.
 */
#include "agent/folder/parts.h"

#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/base/scope.h"

#include <assert.h>
#include <stdlib.h>

static void run_steps(void *arg)
{
    struct folder *f = arg;

    f->result_count = install_run(f->install, f->steps, f->step_count, f->results);
}

/* One line and one problem for what could not be put on disk. */
static void step_failed(struct folder *f, const struct step *step, enum status status)
{
    scope(buf) struct buf name = {0};
    scope_free char *key = mem_format("file:%s", step->path);

    buf_append_escaped(&name, step->path, strlen(step->path));
    switch (status) {
    case ST_AGAIN:
    case ST_GONE:
        local_look(f->local, step->path);
        /* a directory that is to go holds something that we have not seen */
        if (step->kind == STEP_REMOVE && step->file_kind == FILE_DIRECTORY)
            local_look_beneath(f->local, step->path);
        if (step->kind == STEP_MOVE && step->from_path)
            local_look(f->local, step->from_path);
        return;
    case ST_FULL:
        folder_problem(f, "space", buf_text(&name), "no space left on the folder's file system",
                       "free space, or enlarge the file system or its quota");
        return;
    case ST_REFUSED:
    case ST_BADDATA:
        folder_problem(f, key, buf_text(&name), "the file system refuses this change",
                       "see the log for the cause; immutable files and full attribute space are the "
                       "usual ones");
        return;
    case ST_IO:
    case ST_OK:
    case ST_STOP:
        folder_problem(f, "io", buf_text(&name), "the disk reported an error",
                       "check the disk and the kernel's log");
        return;
    }
}

/* What is preserved, by the name that people know. */
static void append_name(struct buf *name, const struct step *step)
{
    const char *path = step->known_as ? step->known_as : step->path;

    buf_append_escaped(name, path, strlen(path));
}

static void count_conflicts(struct folder *f)
{
    for (size_t i = 0; i < f->result_count; i++) {
        const struct step *step = &f->steps[i];

        if (f->results[i].status == ST_OK && (step->preserve == PRESERVE_CONFLICT ||
                                              step->preserve == PRESERVE_NAME_CONFLICT)) {
            scope(buf) struct buf name = {0};

            f->conflict_count++;
            append_name(&name, step);
            log_info(&f->log, "conflict: the losing version was preserved file=%s", buf_text(&name));
        }
    }
}

/* What was done in a directory while it was parked told no event; and a walk may have missed it. */
static void look_into_returned(struct folder *f)
{
    for (size_t i = 0; i < f->result_count; i++) {
        const struct step *step = &f->steps[i];

        if (f->results[i].status == ST_OK && step->kind == STEP_MOVE &&
            step->file_kind == FILE_DIRECTORY &&
            (local_walk_is_near(f->local) ||
             strncmp(step->from_path, PARKED_DIR "/", strlen(PARKED_DIR "/")) == 0))
            local_look_beneath(f->local, step->path);
    }
}

/* What was moved or changed in a state that nobody had read: whether an event tells of it depends on whether
 * the disk had to be changed. */
static void look_at_unread(struct folder *f)
{
    static const struct witness unread;

    for (size_t i = 0; i < f->result_count; i++) {
        const struct step *step = &f->steps[i];

        if (f->results[i].status == ST_OK && f->results[i].object.size > 0 &&
            step->kind != STEP_PARK && witness_equal(&f->results[i].witness, &unread))
            local_look(f->local, step->path);
    }
}

static void clear_problems(struct folder *f)
{
    if (f->problems.count == 0)
        return;
    for (size_t i = 0; i < f->result_count; i++) {
        scope_free char *key = mem_format("file:%s", f->steps[i].path);

        if (f->results[i].status == ST_OK)
            problem_clear(&f->problems, key);
    }
    if (f->result_count == f->step_count && f->step_count > 0) {
        problem_clear(&f->problems, "space");
        problem_clear(&f->problems, "io");
    }
}

/* --- what may be left parked --- */

/* The step that failed, when it was to remove what stands parked. Outlives the plan. */
struct left {
    struct step step;
    char *path; /* NULL: it was another one, or none */
    char *known_as;
};

static void left_fini(struct left *left)
{
    free(left->path);
    free(left->known_as);
}

static void note_left(const struct folder *f, struct left *out)
{
    const struct step *step = &f->steps[f->result_count - 1];

    if (!step->known_as)
        return;
    out->step = *step;
    out->step.path = out->path = mem_copy_string(step->path);
    out->step.known_as = out->known_as = mem_copy_string(step->known_as);
}

/* The plan is settled. If the file is not parked any more, nothing leads to what still is. */
static void keep_left(struct folder *f, const struct left *left)
{
    const struct step *step = &left->step;
    struct record record = {0};
    scope(buf) struct buf name = {0};

    if (!left->path || f->store_broken)
        return;
    bool is_parked = f->reader.ops->get(f->reader.arg, &step->id, &record) &&
                     record.place == PLACE_PARKED;
    record_fini(&record);
    if (is_parked || f->reader.ops->failed(f->reader.arg) ||
        install_keep_parked(f->install, step) != ST_OK)
        return;
    f->conflict_count++;
    append_name(&name, step);
    log_info(&f->log, "conflict: what was written to a file while it was replaced was preserved file=%s",
             buf_text(&name));
}

/* --- settling --- */

static void settle(struct folder *f)
{
    enum settled *settled = mem_new(f->offer_count, sizeof(*settled));
    struct plan *plan = f->plan;
    size_t issued = 0;
    intake_source listing = f->listing_source;
    bool failed = f->result_count > 0 && f->results[f->result_count - 1].status != ST_OK;
    scope(left) struct left left = {0};

    count_conflicts(f);
    clear_problems(f);
    look_into_returned(f);
    look_at_unread(f);
    /* the steps belong to the plan: look at the failed one first */
    if (failed) {
        step_failed(f, &f->steps[f->result_count - 1], f->results[f->result_count - 1].status);
        note_left(f, &left);
    }
    f->plan = NULL;
    f->listing_source = 0;
    f->plan_epoch++;
    if (replica_settle(plan, f->results, f->result_count, settled, &issued) != ST_OK) {
        for (size_t i = 0; i < f->offer_count; i++)
            settled[i] = SETTLED_AGAIN;
        folder_store_failed(f);
    }
    for (size_t i = 0; i < f->offer_count; i++) {
        if (settled[i] == SETTLED_DONE)
            f->stirred = loop_now(f->services->loop);
    }
    keep_left(f, &left);
    free(f->results);
    f->results = NULL;
    f->steps = NULL;
    if (f->offer_count > 0)
        intake_planned(f->intake, settled, loop_now(f->services->loop));
    free(settled);
    folder_vector_grew(f, NULL);
    if (listing != 0)
        pull_planned(f, listing, failed);
    pull_try_joins(f);
    local_resume(f->local);
}

static void steps_done(void *arg)
{
    struct folder *f = arg;

    settle(f);
    apply_kick(f);
}

/* The plan is made: carry it out. */
static void carry_out(struct folder *f, struct plan *plan, size_t offer_count)
{
    f->plan = plan;
    f->offer_count = offer_count;
    f->steps = replica_plan_steps(plan, &f->step_count);
    f->result_count = 0;
    f->results = mem_new(f->step_count, sizeof(*f->results));
    if (f->step_count == 0) {
        settle(f);
        return;
    }
    if (replica_intend(plan) != ST_OK) {
        /* nothing was done: settling with no results drops the plan */
        settle(f);
        folder_store_failed(f);
        return;
    }
    folder_work(f, run_steps, steps_done, f);
}

enum listing_next apply_listing(struct folder *f, struct listing *listing, intake_source source)
{
    struct plan *plan;
    enum listing_next next = listing_next(listing, f->replica, walltime_now(), &plan);

    if (next == LISTING_PLAN) {
        f->listing_source = source;
        carry_out(f, plan, 0);
    }
    return next;
}

static void make_plan(struct folder *f)
{
    size_t count;
    const struct offer *offers = intake_batch(f->intake, &count);
    struct plan *plan;

    if (replica_plan(f->replica, walltime_now(), offers, count, &plan) != ST_OK) {
        enum settled *settled = mem_new(count, sizeof(*settled));

        for (size_t i = 0; i < count; i++)
            settled[i] = SETTLED_AGAIN;
        intake_planned(f->intake, settled, loop_now(f->services->loop));
        free(settled);
        folder_store_failed(f);
        return;
    }
    carry_out(f, plan, count);
}

static void unpark(struct folder *f)
{
    struct plan *plan;

    if (replica_plan_unpark(f->replica, walltime_now(), &plan) != ST_OK)
        folder_store_failed(f);
    else
        carry_out(f, plan, 0);
}

/* Parked files whose name has become free go back. After a step that failed, only at the next tick:
 * the folder looks first. */
static void return_parked(struct folder *f)
{
    struct plan *plan;

    f->return_tried = true;
    if (replica_plan(f->replica, walltime_now(), NULL, 0, &plan) != ST_OK)
        folder_store_failed(f);
    else
        carry_out(f, plan, 0);
}

/* What is parked waits for the update that moves it on, but not for ever: partners may wait for us. */
static bool unpark_when_still(struct folder *f)
{
    struct instant now = loop_now(f->services->loop);
    int64_t wait_ms = pull_has_everything(f) ? PARKED_WAIT_IN_SYNC_MS : PARKED_WAIT_MS;

    if (instant_ms_since(f->stirred, now) <= wait_ms || !replica_has_parked(f->replica))
        return false;
    f->stirred = now;
    unpark(f);
    return true;
}

/* The intake asks for nothing: what is parked may go back. */
static bool idle_thing(struct folder *f)
{
    if (f->plan || intake_item_count(f->intake) > 0)
        return false;
    if (f->return_tried || local_is_busy(f->local))
        return false;
    if (replica_can_return(f->replica)) {
        return_parked(f);
        return true;
    }
    return unpark_when_still(f);
}

/* One thing the intake asks for; false when there is nothing. */
static bool next_thing(struct folder *f)
{
    struct intake_next next;

    intake_next(f->intake, f->replica, loop_now(f->services->loop), f->plan != NULL, &next);
    switch (next.kind) {
    case INTAKE_FETCH:
        fetching_start(f, next.source, next.update);
        return true;
    case INTAKE_SETTLED:
        pull_settled(f, next.source, &next.gvsn, next.done);
        return true;
    case INTAKE_PLAN:
        make_plan(f);
        return true;
    case INTAKE_DROP:
        content_drop(f, next.stage);
        return true;
    case INTAKE_IDLE:
        return idle_thing(f);
    }
    return false;
}

void apply_kick(struct folder *f)
{
    if (f->applying) {
        f->apply_again = true;
        return;
    }
    f->applying = true;
    do {
        f->apply_again = false;
        while (f->intake && !f->store_broken && f->state != FOLDER_CLOSING && next_thing(f))
            ;
    } while (f->apply_again);
    f->applying = false;
}
