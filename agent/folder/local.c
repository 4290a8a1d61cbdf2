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
#include "agent/root/beneath.h"
#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/base/scope.h"

#include <stdlib.h>
#include <uthash.h>

/* A place that must be looked at, once for each path and directory. */
struct sight {
    struct named_place place;
    uint8_t *key;
    size_t key_size;
    UT_hash_handle hh;
};

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

    struct sight *places; /* to look at soon */
    struct sight *later;  /* to look at when EXAMINE_RETRY_MS have passed */
    bool scan_wanted;
    char **subtrees; /* new directories whose content was not seen by any event */
    size_t subtree_count;

    struct scan *scan; /* under way */
    bool scan_is_full;
    bool walked;
    struct instant walk_ended; /* the last one */
    bool first_scan_told;
    struct waiter *waiters;
    uint64_t plan_epoch; /* of the folder, when the gathering began */
};

static void kick(struct local *l);
static void on_timer(void *arg);

/* @dir: the object of the directory that holds it; NULL: not known. */
static void place_add(struct sight **places, const char *path, const struct object *dir)
{
    static const struct object unknown;
    const struct object *holder = dir ? dir : &unknown;
    size_t path_size = strlen(path);
    size_t key_size = path_size + 1 + holder->size;
    uint8_t *key = mem_new(key_size, 1);
    struct sight *sight;

    memcpy(key, path, path_size);
    memcpy(key + path_size + 1, holder->bytes, holder->size);
    HASH_FIND(hh, *places, key, key_size, sight);
    if (sight) {
        free(key);
        return;
    }
    sight = MEM_NEW(struct sight);
    *sight = (struct sight){
        .place = {.path = mem_copy_string(path), .dir = *holder}, .key = key, .key_size = key_size};
    HASH_ADD_KEYPTR(hh, *places, sight->key, sight->key_size, sight);
}

/* Takes it out of its set; the place is the caller's. */
static struct named_place place_take(struct sight **places, struct sight *sight)
{
    struct named_place place = sight->place;

    HASH_DEL(*places, sight);
    free(sight->key);
    free(sight);
    return place;
}

static void places_clear(struct sight **places)
{
    struct sight *place;
    struct sight *next;

    HASH_ITER(hh, *places, place, next)
    {
        struct named_place taken = place_take(places, place);

        free(taken.path);
    }
}

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
    places_clear(&l->places);
    places_clear(&l->later);
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

/* Ids of directories that this change made: not in the store yet. */
struct fresh_dir {
    struct object object;
    struct file_id id;
    UT_hash_handle hh;
};

struct recording {
    struct local *local;
    struct change *change; /* NULL: nothing PRESENT or GONE is to be recorded */
    struct fresh_dir *fresh;
    struct finding **later; /* their new name is still held, or their parent not recorded */
    size_t later_count;
};

static bool parent_of(struct recording *r, const struct object *object, struct file_id *out_id)
{
    struct folder *f = r->local->folder;
    struct object root = root_object(f->root);
    struct fresh_dir *fresh;
    struct record record = {0};

    if (object_equal(object, &root)) {
        *out_id = replica_root(f->replica);
        return true;
    }
    HASH_FIND(hh, r->fresh, object, sizeof(*object), fresh);
    if (fresh) {
        *out_id = fresh->id;
        return true;
    }
    if (!f->reader.ops->get_by_object(f->reader.arg, object, &record))
        return false;
    *out_id = record.update.id;
    record_fini(&record);
    return true;
}

static void remember_dir(struct recording *r, const struct object *object,
                         const struct file_id *id)
{
    struct fresh_dir *fresh = MEM_NEW(struct fresh_dir);

    fresh->object = *object;
    fresh->id = *id;
    HASH_ADD(hh, r->fresh, object, sizeof(fresh->object), fresh);
}

/* The directory above is not recorded either. Both in one batch: each may wait for the other, when a file
 * has moved into the directory that took its name. */
static void look_above(struct sight **places, const struct finding *found)
{
    scope_free char *above = mem_copy_string(found->path);
    char *slash = strrchr(above, '/');

    if (slash) {
        *slash = '\0';
        place_add(places, above, NULL);
    }
    place_add(places, found->path, &found->parent);
}

/*
 * What was recorded beneath a directory that another one has replaced must be looked for; and an event
 * for a new one may have come from a move into the tree. A walk goes on into it by itself, unless it
 * compared what is in it when it was known, and it was given up since. A walk misses what moves away
 * from before it.
 */
static void observed_dir(struct recording *r, const struct finding *found, enum observed observed,
                         const struct file_id *id)
{
    struct local *l = r->local;
    bool is_new = !found->known || observed == OBSERVED_NEW;

    if (found->content.kind != FILE_DIRECTORY)
        return;
    if (is_new)
        remember_dir(r, &found->content.object, id);
    if (is_new ? !l->gathering.scan || found->known
               : observed == OBSERVED_MOVED && local_walk_is_near(l))
        wants_subtree(l, found->path);
}

/* False: it can not be recorded before something else is. */
static bool record_present(struct recording *r, struct finding *found)
{
    struct observation seen = {
        .name = span_of_string(beneath_name(found->path)),
        .kind = found->content.kind,
        .object = found->content.object,
        .witness = found->content.witness,
        .size = found->content.size,
        .hash = found->content.hash,
        .attributes = buf_span(&found->content.attributes),
        .create_time = found->content.create_time,
    };
    struct file_id id;

    if (!parent_of(r, &found->parent, &seen.parent))
        return false;
    enum observed observed = replica_observe(r->change, &seen, found->holder_gone, &id);
    if (observed == OBSERVED_LATER)
        return false;
    if (found->newly_signed)
        seeds_note(r->local->folder, &seen.hash, &found->traits);
    observed_dir(r, found, observed, &id);
    return true;
}

/* Who is recorded at the place where @found now stands. */
static bool recorded_holder(struct recording *r, const struct finding *found, struct file_id *out_id)
{
    struct folder *f = r->local->folder;
    struct record holder = {0};
    struct file_id parent;

    if (!parent_of(r, &found->parent, &parent) ||
        !f->reader.ops->get_by_name(f->reader.arg, &parent, span_of_string(beneath_name(found->path)),
                                    &holder))
        return false;
    *out_id = holder.update.id;
    record_fini(&holder);
    return true;
}

/* The finding of this batch that has moved the file with this id; NULL: none that still counts. */
static struct finding *mover_of(struct recording *r, const struct file_id *id)
{
    for (size_t i = 0; i < r->later_count; i++) {
        struct finding *f = r->later[i];

        if (f->known && f->in_circle && file_id_equal(&f->id, id))
            return f;
    }
    return NULL;
}

static bool is_dir_of_circle(struct recording *r, const struct object *dir)
{
    for (size_t i = 0; i < r->later_count; i++)
        if (r->later[i]->in_circle && object_equal(&r->later[i]->content.object, dir))
            return true;
    return false;
}

/* One object at two places, or two at one: they were seen at different moments. The same object at the
 * same place is no contradiction: a place can be asked for twice, with its directory and without. */
static bool is_contradicted(const struct recording *r, const struct finding *f)
{
    for (size_t i = 0; i < r->later_count; i++) {
        const struct finding *other = r->later[i];
        bool same_object = object_equal(&other->content.object, &f->content.object);
        bool same_place = object_equal(&other->parent, &f->parent) &&
                          strcmp(beneath_name(other->path), beneath_name(f->path)) == 0;

        if (same_object != same_place)
            return true;
    }
    return false;
}

/* Nothing outside the circle stands in its way. */
static bool waits_within_circle(struct recording *r, const struct finding *f)
{
    struct file_id parent;
    struct file_id holder;

    if (is_contradicted(r, f))
        return false;
    if (!parent_of(r, &f->parent, &parent))
        return is_dir_of_circle(r, &f->parent);
    return !recorded_holder(r, f, &holder) || (f->known && file_id_equal(&f->id, &holder)) ||
           mover_of(r, &holder) != NULL;
}

/*
 * Mark those that wait for nobody but each other. Only among them may a place be given up: whoever gives
 * up its own and then can not be recorded would count as gone.
 */
static void find_circle(struct recording *r)
{
    bool changed = true;

    for (size_t i = 0; i < r->later_count; i++)
        r->later[i]->in_circle = true;
    while (changed) {
        changed = false;
        for (size_t i = 0; i < r->later_count; i++) {
            struct finding *f = r->later[i];

            if (f->in_circle && !waits_within_circle(r, f)) {
                f->in_circle = false;
                changed = true;
            }
        }
    }
}

/* Take one holder that has itself moved within this batch out of its place: names that were swapped
 * wait for each other. False when each has had its turn. */
static bool displace_one(struct recording *r)
{
    struct file_id holder;

    find_circle(r);
    for (size_t i = 0; i < r->later_count; i++) {
        struct finding *mover = NULL;

        if (r->later[i]->in_circle && recorded_holder(r, r->later[i], &holder))
            mover = mover_of(r, &holder);
        if (!mover || mover == r->later[i] || mover->displaced)
            continue;
        mover->displaced = true;
        replica_observe_displaced(r->change, &holder);
        return true;
    }
    return false;
}

/* Again and again while it helps. */
static void record_later(struct recording *r)
{
    bool progress = true;

    while (r->later_count > 0 && progress) {
        size_t left = 0;

        progress = false;
        for (size_t i = 0; i < r->later_count; i++) {
            if (record_present(r, r->later[i]))
                progress = true;
            else
                r->later[left++] = r->later[i];
        }
        r->later_count = left;
    }
}

static bool was_looked_at(const struct gathering *g, const char *path)
{
    for (size_t i = 0; i < g->finding_count; i++)
        if (g->findings[i].kind != FINDING_LOOK && strcmp(g->findings[i].path, path) == 0)
            return true;
    return false;
}

/* A holder stands where this batch has not looked. */
static bool leads_elsewhere(const struct gathering *g)
{
    for (size_t i = 0; i < g->finding_count; i++)
        if (g->findings[i].kind == FINDING_LOOK && !was_looked_at(g, g->findings[i].path))
            return true;
    return false;
}

/*
 * What can not be recorded now is looked at again: together with the place that it waits for when
 * that has not been looked at, since names that were swapped can only be recorded in one batch.
 */
static void look_later(struct recording *r)
{
    struct local *l = r->local;
    struct file_id parent;

    if (r->later_count == 0)
        return;
    struct sight **places = leads_elsewhere(&l->gathering) ? &l->places : &l->later;
    for (size_t i = 0; i < r->later_count; i++) {
        if (parent_of(r, &r->later[i]->parent, &parent))
            place_add(places, r->later[i]->path, &r->later[i]->parent);
        else
            look_above(places, r->later[i]);
    }
}

static void record_problem(struct local *l, const struct finding *found)
{
    scope(buf) struct buf name = {0};
    scope_free char *key = mem_format("file:%s", found->path);

    buf_append_escaped(&name, found->path, strlen(found->path));
    folder_problem(l->folder, key, buf_text(&name), found->problem,
                   found->kind == FINDING_SKIPPED
                       ? "it is left out; move it out of the folder to silence this"
                       : "correct the cause; it is tried again at the next scan");
}

static void record_finding(struct recording *r, struct finding *found)
{
    struct local *l = r->local;
    scope_free char *key = NULL;

    if (!finding_still_stands(l->folder->root, found, l->plan_epoch != l->folder->plan_epoch)) {
        place_add(&l->later, found->path, &found->parent);
        return;
    }
    switch (found->kind) {
    case FINDING_PRESENT:
        if (!record_present(r, found))
            r->later[r->later_count++] = found;
        break;
    case FINDING_GONE:
        replica_observe_gone(r->change, &found->id);
        break;
    case FINDING_LOOK:
        place_add(&l->places, found->path, &found->parent);
        break;
    case FINDING_WALK:
        wants_subtree(l, found->path);
        return;
    case FINDING_LATER:
        place_add(&l->later, found->path, &found->parent);
        break;
    case FINDING_SKIPPED:
    case FINDING_FAILED:
        record_problem(l, found);
        return;
    case FINDING_ABSENT:
        /* a plan that was under way may have recorded what it had put there before it went */
        if (l->plan_epoch != l->folder->plan_epoch)
            place_add(&l->later, found->path, &found->parent);
        break;
    case FINDING_FINE:
        break;
    }
    if (l->folder->problems.count > 0) {
        key = mem_format("file:%s", found->path);
        problem_clear(&l->folder->problems, key);
    }
}

/* A look that found everything as recorded changes nothing, and must not cost a durable commit. */
static bool finds_change(const struct gathering *g)
{
    for (size_t i = 0; i < g->finding_count; i++)
        if (g->findings[i].kind == FINDING_PRESENT || g->findings[i].kind == FINDING_GONE)
            return true;
    return false;
}

/* Known objects first: a move frees the name that a new object took. */
static void record_findings(struct local *l)
{
    struct folder *f = l->folder;
    bool changes = finds_change(&l->gathering);
    struct recording r = {
        .local = l, .change = changes ? replica_change_begin(f->replica, walltime_now()) : NULL};
    struct fresh_dir *fresh;
    struct fresh_dir *next;
    size_t count = 0;

    r.later = mem_new(l->gathering.finding_count, sizeof(struct finding *));
    for (int pass = 0; pass < 3; pass++) {
        for (size_t i = 0; i < l->gathering.finding_count; i++) {
            struct finding *found = &l->gathering.findings[i];
            bool is_new = found->kind == FINDING_PRESENT && !found->known;
            int mine = found->kind == FINDING_GONE ? 1 : is_new ? 2 : 0;

            if (mine == pass)
                record_finding(&r, found);
        }
        record_later(&r);
    }
    while (displace_one(&r))
        record_later(&r);
    look_later(&r);
    free(r.later);
    HASH_ITER(hh, r.fresh, fresh, next)
    {
        HASH_DEL(r.fresh, fresh);
        free(fresh);
    }
    if (!changes)
        return;
    if (replica_change_commit(r.change, &count) != ST_OK) {
        folder_store_failed(f);
        return;
    }
    if (count > 0) {
        log_debug(&f->log, "recorded local changes count=%zu", count);
        f->stirred = loop_now(f->services->loop);
        folder_vector_grew(f, NULL);
        intake_rejudge(f->intake);
        apply_kick(f);
    }
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
    l->gathering.tree_walked = true;
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
    record_findings(l);
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
        g->places[g->place_count++] = place_take(&l->places, place);
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
        problem_clear_prefix(&l->folder->problems, "file:");
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
    tell_waiters(l);
}

static void on_timer(void *arg)
{
    struct local *l = arg;
    struct sight *place;
    struct sight *next;

    l->timer_runs = false;
    HASH_ITER(hh, l->later, place, next)
    {
        struct named_place taken = place_take(&l->later, place);

        place_add(&l->places, taken.path, &taken.dir);
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
            place_add(&l->places, path, p->name[0] == '\0' ? NULL : &p->dir);
    }
    watch_batch_free(batch);
    kick(l);
}

void local_look(struct local *l, const char *path)
{
    place_add(&l->later, path, NULL);
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

bool local_is_busy(const struct local *l)
{
    return l->gathering_now || l->gathered || l->scan || l->scan_wanted || l->places || l->later ||
           l->subtree_count > 0;
}
