/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Findings become records, in one durable commit: what frees a name before what takes it, parents before
 * what stands in them, and names that wait for each other alone by giving one up.
 */
#include "agent/folder/record.h"

#include "agent/folder/parts.h"
#include "agent/root/beneath.h"
#include "common/base/mem.h"
#include "common/base/scope.h"

#include <stdlib.h>

/* Ids of directories that this change made: not in the store yet. */
struct fresh_dir {
    struct object object;
    struct file_id id;
    UT_hash_handle hh;
};

struct recording {
    const struct record_task *task;
    struct change *change; /* NULL: nothing PRESENT or GONE is to be recorded */
    struct fresh_dir *fresh;
    struct finding **later; /* their new name is still held, or their parent not recorded */
    size_t later_count;
};

static bool parent_of(struct recording *r, const struct object *object, struct file_id *out_id)
{
    struct folder *f = r->task->folder;
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
    scope_free char *above = beneath_above(found->path);

    if (above[0] != '\0')
        sight_add(places, above, NULL, NULL);
    sight_add(places, found->path, &found->parent, NULL);
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
    const struct record_task *t = r->task;
    bool is_new = !found->known || observed == OBSERVED_NEW;

    if (found->content.kind != FILE_DIRECTORY)
        return;
    if (is_new)
        remember_dir(r, &found->content.object, id);
    if (is_new ? !t->gathering->scan || found->known
               : observed == OBSERVED_MOVED && t->walk_is_near)
        t->wants_subtree(t->local, found->path);
}

/* What was taken for gone because nothing leads to it may have had a further name in the tree, which was
 * left out as a second one. */
static void rest_on_nameless(struct recording *r, const struct finding *found)
{
    if (found->nameless)
        *r->task->wants_walk = true;
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

    if (found->parked) {
        if (replica_observe_parked(r->change, &seen) != OBSERVED_LATER && found->newly_signed)
            seeds_note(r->task->folder, &seen.hash, &found->traits);
        return true;
    }
    if (!parent_of(r, &found->parent, &seen.parent))
        return false;
    enum observed observed = replica_observe(r->change, &seen, found->holder_gone, &id);
    if (observed == OBSERVED_LATER)
        return false;
    rest_on_nameless(r, found);
    if (found->newly_signed)
        seeds_note(r->task->folder, &seen.hash, &found->traits);
    observed_dir(r, found, observed, &id);
    return true;
}

/* Who is recorded at the place where @found now stands. */
static bool recorded_holder(struct recording *r, const struct finding *found, struct file_id *out_id)
{
    struct folder *f = r->task->folder;
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
    const struct record_task *t = r->task;
    struct file_id parent;

    if (r->later_count == 0)
        return;
    struct sight **places = leads_elsewhere(t->gathering) ? t->soon : t->later;
    for (size_t i = 0; i < r->later_count; i++) {
        if (parent_of(r, &r->later[i]->parent, &parent))
            sight_add(places, r->later[i]->path, &r->later[i]->parent, NULL);
        else
            look_above(places, r->later[i]);
    }
}

static void record_problem(struct folder *f, const struct finding *found)
{
    scope(buf) struct buf name = {0};
    scope_free char *key = mem_format("file:%s", found->path);

    buf_append_escaped(&name, found->path, strlen(found->path));
    folder_problem(f, key, buf_text(&name), found->problem,
                   found->kind == FINDING_SKIPPED
                       ? "it is left out; move it out of the folder to silence this"
                       : "correct the cause; it is tried again at the next scan");
}

static void record_finding(struct recording *r, struct finding *found)
{
    const struct record_task *t = r->task;
    scope_free char *key = NULL;

    if ((t->planned && found->discarded) ||
        !finding_still_stands(t->folder->root, found, t->planned)) {
        sight_add(t->later, found->path, &found->parent, NULL);
        return;
    }
    switch (found->kind) {
    case FINDING_PRESENT:
        if (!record_present(r, found))
            r->later[r->later_count++] = found;
        break;
    case FINDING_GONE:
        replica_observe_gone(r->change, &found->id);
        rest_on_nameless(r, found);
        break;
    case FINDING_LOOK:
        sight_add(t->soon, found->path, &found->parent, &found->file);
        break;
    case FINDING_WALK:
        t->wants_subtree(t->local, found->path);
        return;
    case FINDING_LATER:
        sight_add(t->later, found->path, &found->parent, &found->file);
        break;
    case FINDING_SKIPPED:
    case FINDING_FAILED:
        record_problem(t->folder, found);
        return;
    case FINDING_ABSENT:
        /* a plan that was under way may have recorded what it had put there before it went */
        if (t->planned)
            sight_add(t->later, found->path, &found->parent, NULL);
        break;
    case FINDING_FINE:
        break;
    }
    if (t->folder->problems.count > 0) {
        key = mem_format("file:%s", found->path);
        problem_clear(&t->folder->problems, key);
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
void record_findings(const struct record_task *t)
{
    struct folder *f = t->folder;
    bool changes = finds_change(t->gathering);
    struct recording r = {
        .task = t, .change = changes ? replica_change_begin(f->replica, walltime_now()) : NULL};
    struct fresh_dir *fresh;
    struct fresh_dir *next;
    size_t count = 0;

    r.later = mem_new(t->gathering->finding_count, sizeof(struct finding *));
    for (int pass = 0; pass < 3; pass++) {
        for (size_t i = 0; i < t->gathering->finding_count; i++) {
            struct finding *found = &t->gathering->findings[i];
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
