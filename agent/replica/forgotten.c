/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that a partner had processed and knows nothing of any more: their deletion was forgotten.
 */
#include "agent/replica/plan.h"

#include "common/base/mem.h"
#include "common/base/scope.h"

#include <stdlib.h>

struct listing {
    struct vector sender_vector;
    struct vector ours;      /* when it began */
    struct ascent listed;
    bool overflowed;         /* more is missing than is remembered */
    bool planned;            /* since the last look at what is left */
    struct file_id *missing; /* ascending */
    size_t count;
    size_t capacity;
    size_t planned_count;    /* how many were left when the last plan was made */
    struct awaited *awaited; /* ascending */
    size_t awaited_count;
};

/* What was undone here and is to come again, if it is listed. */
struct awaited {
    struct file_id id;
    bool is_listed;
};

static int compare_awaited(const void *a, const void *b)
{
    const struct awaited *x = a;
    const struct awaited *y = b;

    return file_id_compare(&x->id, &y->id);
}

struct listing *listing_begin(const struct replica *replica, const struct vector *sender_vector)
{
    struct listing *listing = MEM_NEW(struct listing);

    vector_copy(&listing->sender_vector, sender_vector);
    vector_copy(&listing->ours, &replica->state.vector);
    listing->awaited = mem_new(replica->undone_count, sizeof(*listing->awaited));
    for (size_t i = 0; i < replica->undone_count; i++) {
        if (vector_contains(sender_vector, &replica->undone[i].version.gvsn))
            listing->awaited[listing->awaited_count++].id = replica->undone[i].version.id;
    }
    qsort(listing->awaited, listing->awaited_count, sizeof(*listing->awaited), compare_awaited);
    return listing;
}

void listing_free(struct listing *listing)
{
    if (listing == NULL)
        return;
    vector_fini(&listing->sender_vector);
    vector_fini(&listing->ours);
    free(listing->missing);
    free(listing->awaited);
    free(listing);
}

const struct file_id *listing_after(const struct listing *listing)
{
    return ascent_after(&listing->listed);
}

/* What a read-only member has changed is no version that anybody knows: the file is, by its first one. */
static bool is_missing(const struct listing *listing, const struct replica *replica,
                       const struct record *record)
{
    const struct update *u = &record->update;
    struct gvsn known = u->gvsn;

    if (replica->options.read_only && replica_yields(replica, record))
        known = (struct gvsn){.database = u->id.database, .number = u->id.number};
    return u->present && vector_contains(&listing->sender_vector, &known);
}

static void add_missing(struct listing *listing, const struct file_id *id)
{
    if (listing->count == LISTING_MISSING_COUNT_MAX) {
        listing->overflowed = true;
        return;
    }
    if (listing->count == listing->capacity) {
        listing->capacity = listing->capacity == 0 ? 64 : listing->capacity * 2;
        listing->missing =
            mem_resize(listing->missing, listing->capacity, sizeof(*listing->missing));
    }
    listing->missing[listing->count++] = *id;
}

/* What we hold between the last id and @below, both exclusive; NULL: all the rest. */
static void look_between(struct listing *listing, const struct replica *replica,
                         const struct file_id *below)
{
    const struct store *store = &replica->options.store;
    scope(record) struct record record = {0};

    while (store->ops->next_record(store->arg, listing_after(listing), &record) &&
           (below == NULL || file_id_compare(&record.update.id, below) < 0)) {
        if (is_missing(listing, replica, &record))
            add_missing(listing, &record.update.id);
        ascent_move(&listing->listed, &record.update.id);
    }
}

/* The end of a part, which is listed itself or not. */
static void look_at_end(struct listing *listing, const struct replica *replica,
                        const struct file_id *upto, bool is_listed)
{
    const struct store *store = &replica->options.store;
    scope(record) struct record record = {0};

    look_between(listing, replica, upto);
    if (!is_listed && store->ops->get(store->arg, upto, &record) &&
        is_missing(listing, replica, &record))
        add_missing(listing, upto);
    ascent_move(&listing->listed, upto);
}

static void mark_awaited(struct listing *listing, const struct file_id *id)
{
    struct awaited key = {.id = *id};
    struct awaited *found = bsearch(&key, listing->awaited, listing->awaited_count,
                                    sizeof(*listing->awaited), compare_awaited);

    if (found != NULL)
        found->is_listed = true;
}

/* The sender would have told what it lists; the rest it can not tell any more. */
static void drop_awaited(const struct listing *listing, struct replica *replica)
{
    for (size_t i = 0; i < listing->awaited_count; i++) {
        if (!listing->awaited[i].is_listed)
            replica_drop_undone(replica, &listing->awaited[i].id);
    }
}

const char *listing_part(struct listing *listing, const struct replica *replica,
                         const struct file_id *ids, size_t count, const struct file_id *upto)
{
    bool is_end_listed = false;

    if (upto != NULL && !ascent_is_above(&listing->listed, upto))
        return "a part of a listing ends where it began";
    for (size_t i = 0; i < count; i++) {
        if (!ascent_is_above(&listing->listed, &ids[i]))
            return "listed file ids do not ascend";
        look_between(listing, replica, &ids[i]);
        ascent_move(&listing->listed, &ids[i]);
        mark_awaited(listing, &ids[i]);
    }
    if (upto == NULL) {
        look_between(listing, replica, NULL);
        return NULL;
    }
    is_end_listed = count > 0 && file_id_equal(&ids[count - 1], upto);
    if (!is_end_listed && !ascent_is_above(&listing->listed, upto))
        return "listed file ids lie behind the end of their part";
    look_at_end(listing, replica, upto, is_end_listed);
    return NULL;
}

/* What has gone, or has been given a version that the sender does not know, is done with. */
static void prune(struct listing *listing, struct replica *replica)
{
    const struct store *store = &replica->options.store;
    size_t kept = 0;

    for (size_t i = 0; i < listing->count; i++) {
        scope(record) struct record record = {0};

        if (store->ops->get(store->arg, &listing->missing[i], &record) &&
            is_missing(listing, replica, &record))
            listing->missing[kept++] = listing->missing[i];
        else if (!store->ops->failed(store->arg))
            replica_drop_undone(replica, &listing->missing[i]);
    }
    listing->count = kept;
}

/* A clock just above the version that goes: whatever was made of that since is greater. */
static void stamp_least(struct plan *plan, struct update *u)
{
    uint64_t now = plan->stamper.now;

    plan->stamper.now = 0;
    plan_stamp(plan, u, 0);
    plan->stamper.now = now;
}

static void bury_missing(struct plan *plan, const struct record *ours)
{
    scope(record) struct record dead = {0};

    plan_remove(plan, ours, PRESERVE_DELETED);
    if (plan->replica->options.read_only) {
        plan_forget(plan, &ours->update.id);
        return;
    }
    update_copy(&dead.update, &ours->update);
    make_tombstone(&dead.update);
    stamp_least(plan, &dead.update);
    plan_put(plan, &dead);
}

/* A child that the sender does not know lives in it: it stays, and all hear of it anew. */
static void keep_missing(struct plan *plan, const struct record *ours)
{
    scope(record) struct record kept = {0};

    record_copy(&kept, ours);
    plan_stamp(plan, &kept.update, 0);
    plan_put(plan, &kept);
}

/* False: not now. */
static bool decide_missing(struct plan *plan, const struct listing *listing,
                           const struct file_id *id)
{
    scope(record) struct record ours = {0};
    scope(record) struct record child = {0};

    if (!view_get(&plan->view, id, &ours) || !is_missing(listing, plan->replica, &ours) ||
        !plan_knows_object(&ours))
        return false;
    if (ours.update.kind != FILE_DIRECTORY || !view_next_child(&plan->view, id, NULL, &child)) {
        bury_missing(plan, &ours);
        return true;
    }
    /* One child decides, the least, as for any tombstone; here the others only make it stay longer. */
    if (vector_contains(&listing->sender_vector, &child.update.gvsn) ||
        plan->replica->options.read_only || ours.place != PLACE_TREE)
        return false;
    keep_missing(plan, &ours);
    return true;
}

/* Children mostly have greater ids than their directories, so from the end; and again while that makes
 * room for directories. */
static void decide_all(struct plan *plan, const struct listing *listing)
{
    bool progress = true;

    while (progress) {
        progress = false;
        for (size_t i = listing->count; i-- > 0;) {
            if (plan->entry_count >= PLAN_OFFER_COUNT_MAX)
                return;
            progress = decide_missing(plan, listing, &listing->missing[i]) || progress;
        }
    }
}

/* Others told us of versions that the sender had processed: it may have forgotten those files too. */
static bool was_told_by_others(const struct listing *listing, const struct replica *replica)
{
    struct vector told = {0};

    vector_difference(&replica->state.vector, &listing->ours, &told);
    vector_meet(&told, &listing->sender_vector);

    bool any = !vector_is_empty(&told);

    vector_fini(&told);
    return any;
}

enum listing_next listing_next(struct listing *listing, struct replica *replica,
                               struct walltime now, struct plan **out_plan)
{
    const struct store *store = &replica->options.store;

    prune(listing, replica);
    if (store->ops->failed(store->arg))
        return LISTING_STORE_FAILED;
    if (was_told_by_others(listing, replica))
        return LISTING_VOID;
    if (listing->count == 0 && !listing->overflowed) {
        drop_awaited(listing, replica);
        return LISTING_JOIN;
    }
    if (listing->count == 0 || (listing->planned && listing->count == listing->planned_count))
        return LISTING_VOID;
    listing->planned = true;
    listing->planned_count = listing->count;

    struct plan *plan = plan_new(replica, now, NULL, 0);

    decide_all(plan, listing);
    if (store->ops->failed(store->arg)) {
        plan_free(plan);
        return LISTING_STORE_FAILED;
    }
    *out_plan = plan;
    return LISTING_PLAN;
}
