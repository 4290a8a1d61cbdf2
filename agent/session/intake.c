/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/session/intake.h"

#include "agent/session/items.h"
#include "common/base/limits.h"
#include "common/base/mem.h"

#include <assert.h>
#include <stdlib.h>

/* Something to tell the folder. */
struct notice {
    struct notice *next;
    struct intake_next what;
};

struct intake {
    struct items items;
    struct notice *notices; /* oldest first */
    struct notice **notices_end;
    uint32_t fetching_count;
    uint32_t fetching_large_count;
    struct item *batch_items[PLAN_OFFER_COUNT_MAX];
    struct offer batch[PLAN_OFFER_COUNT_MAX];
    size_t batch_count;
};

struct intake *intake_new(void)
{
    struct intake *intake = MEM_NEW(struct intake);

    intake->notices_end = &intake->notices;
    return intake;
}

void intake_free(struct intake *intake)
{
    if (!intake)
        return;
    while (intake->notices) {
        struct notice *notice = intake->notices;
        intake->notices = notice->next;
        free(notice);
    }
    items_fini(&intake->items);
    free(intake);
}

size_t intake_item_count(const struct intake *intake)
{
    return intake->items.by_gvsn.count;
}

/* --- notices --- */

static void tell(struct intake *intake, const struct intake_next *what)
{
    struct notice *notice = MEM_NEW(struct notice);

    notice->what = *what;
    *intake->notices_end = notice;
    intake->notices_end = &notice->next;
}

static void tell_settled(struct intake *intake, const struct source *source,
                         const struct gvsn *gvsn, bool done)
{
    tell(intake, &(struct intake_next){
                     .kind = INTAKE_SETTLED, .source = source->name, .gvsn = *gvsn, .done = done});
}

static void tell_drop(struct intake *intake, uint64_t stage)
{
    if (stage != 0)
        tell(intake, &(struct intake_next){.kind = INTAKE_DROP, .stage = stage});
}

static void forget_notices_to(struct intake *intake, intake_source source)
{
    struct notice **place = &intake->notices;

    while (*place) {
        struct notice *notice = *place;
        if (notice->what.kind == INTAKE_SETTLED && notice->what.source == source) {
            *place = notice->next;
            free(notice);
        } else {
            place = &notice->next;
        }
    }
    intake->notices_end = place;
}

/* --- ends of items --- */

static bool is_large(const struct item *item)
{
    return item->update.size >= FETCH_LARGE_SIZE_MIN;
}

static void stop_fetching(struct intake *intake, struct item *item)
{
    item->fetch_source->active_count--;
    item->fetch_source = NULL;
    intake->fetching_count--;
    if (is_large(item))
        intake->fetching_large_count--;
}

static void rejudge_state(struct intake *intake, enum item_state state)
{
    while (intake->items.lists[state].first)
        items_move(&intake->items, intake->items.lists[state].first, ITEM_JUDGE);
}

static void leave(struct intake *intake, struct item *item)
{
    struct file_id file = item->update.id;

    if (item->state == ITEM_FETCHING)
        stop_fetching(intake, item);
    tell_drop(intake, item->stage);
    items_remove(&intake->items, item);
    for (struct item *other = items_of_file(&intake->items, &file); other; other = other->sibling) {
        if (other->state == ITEM_HELD)
            items_move(&intake->items, other, ITEM_JUDGE);
    }
}

static void settle(struct intake *intake, struct item *item, bool done)
{
    for (size_t i = 0; i < item->bid_count; i++)
        tell_settled(intake, item->bids[i].source, &item->update.gvsn, done);
    leave(intake, item);
}

/* --- offers --- */

static bool has_greater_sibling(const struct intake *intake, const struct item *item)
{
    const struct item *other = items_of_file(&intake->items, &item->update.id);

    for (; other; other = other->sibling) {
        if (update_compare(&other->update, &item->update) > 0)
            return true;
    }
    return false;
}

static void hold_lesser_siblings(struct intake *intake, const struct item *item)
{
    struct item *other = items_of_file(&intake->items, &item->update.id);

    for (; other; other = other->sibling) {
        if (other->state != ITEM_FETCHING && other->state != ITEM_PLANNED &&
            update_compare(&other->update, &item->update) < 0)
            items_move(&intake->items, other, ITEM_HELD);
    }
}

static struct source *offering(struct intake *intake, intake_source name,
                               const struct vector *sender_vector)
{
    struct source *source = items_source(&intake->items, name);

    if (!source)
        source = items_add_source(&intake->items, name);
    if (!source->vector) {
        source->vector = MEM_NEW(struct round_vector);
        source->vector->reference_count = 1;
        vector_copy(&source->vector->vector, sender_vector);
        source->failed = false;
    }
    source->ended = false;
    return source;
}

void intake_offer(struct intake *intake, intake_source name, const struct update *update,
                  const struct vector *sender_vector, uint64_t stage, const struct object *object)
{
    struct source *source = offering(intake, name, sender_vector);
    struct item *item = items_get(&intake->items, &update->gvsn);

    if (!item) {
        item = items_add(&intake->items, update);
        hold_lesser_siblings(intake, item);
    }
    if (!item_bid(item, source))
        item_add_bid(item, source);
    if (stage != 0 && item->stage == 0 && item->state != ITEM_FETCHING &&
        item->state != ITEM_PLANNED) {
        item->stage = stage;
        item->object = *object;
    } else {
        tell_drop(intake, stage);
    }
    /* Another sender's vector or the content may be what it waited for. */
    if (item->state == ITEM_FETCH || item->state == ITEM_FETCH_LARGE ||
        (item->state == ITEM_WAIT && !item->failed))
        items_move(&intake->items, item, ITEM_JUDGE);
}

void intake_source_gone(struct intake *intake, intake_source name)
{
    struct source *source = items_source(&intake->items, name);

    forget_notices_to(intake, name);
    if (!source)
        return;
    for (int state = 0; state < ITEM_STATE_COUNT; state++) {
        struct item *next;

        for (struct item *item = intake->items.lists[state].first; item; item = next) {
            next = item->next;
            if (!item_bid(item, source))
                continue;
            bool was_fetching = item->fetch_source == source;
            if (was_fetching)
                stop_fetching(intake, item);
            item_remove_bid(item, source);
            if (was_fetching || (item->bid_count == 0 && item->state != ITEM_PLANNED))
                items_move(&intake->items, item, ITEM_JUDGE);
        }
    }
    items_remove_source(&intake->items, source);
}

void intake_round_ended(struct intake *intake, intake_source name, bool in_vain)
{
    struct source *source = items_source(&intake->items, name);

    if (!source)
        return;
    source->ended = true;
    source->is_standing_off = in_vain;
    round_vector_release(source->vector);
    source->vector = NULL;
}

void intake_rejudge(struct intake *intake)
{
    for (struct item *item = intake->items.lists[ITEM_WAIT].first; item; item = item->next)
        item->failed = false;
    rejudge_state(intake, ITEM_WAIT);
}

/* --- judging --- */

static void judge_by(struct item *item, struct round_vector *vector)
{
    round_vector_release(item->vector);
    item->vector = round_vector_share(vector);
}

/*
 * Each sender's offer stands for itself: the first one that can go on does. A sender that must learn
 * of something first gets its offer back. VERDICT_BEHIND: that was the last one, the item has left.
 */
static enum verdict judge_bids(struct intake *intake, struct replica *replica, struct item *item)
{
    for (size_t i = 0; i < item->bid_count;) {
        struct bid *bid = &item->bids[i];
        enum verdict verdict =
            replica_judge(replica, &item->update, &bid->vector->vector, item->in_vain);

        switch (verdict) {
        case VERDICT_KNOWN:
        case VERDICT_READY:
        case VERDICT_FETCH:
            judge_by(item, bid->vector);
            return verdict;
        case VERDICT_WAIT:
            i++;
            break;
        case VERDICT_BEHIND:
            tell_settled(intake, bid->source, &item->update.gvsn, false);
            item_remove_bid(item, bid->source);
            break;
        }
    }
    if (item->bid_count == 0) {
        leave(intake, item);
        return VERDICT_BEHIND;
    }
    judge_by(item, item->bids[0].vector);
    return VERDICT_WAIT;
}

static bool has_source_left(const struct item *item)
{
    for (size_t i = 0; i < item->bid_count; i++) {
        if (!item->bids[i].failed)
            return true;
    }
    return false;
}

static void judge(struct intake *intake, struct replica *replica, struct item *item)
{
    if (item->bid_count == 0) {
        leave(intake, item);
        return;
    }
    if (vector_contains(replica_vector(replica), &item->update.gvsn)) {
        settle(intake, item, true);
        return;
    }
    if (has_greater_sibling(intake, item)) {
        items_move(&intake->items, item, ITEM_HELD);
        return;
    }
    switch (judge_bids(intake, replica, item)) {
    case VERDICT_BEHIND:
        return;
    case VERDICT_WAIT:
        items_move(&intake->items, item, ITEM_WAIT);
        return;
    case VERDICT_FETCH:
        if (item->stage == 0) {
            if (has_source_left(item))
                items_move(&intake->items, item, is_large(item) ? ITEM_FETCH_LARGE : ITEM_FETCH);
            else
                settle(intake, item, false);
            return;
        }
        break;
    case VERDICT_KNOWN:
    case VERDICT_READY:
        break;
    }
    items_move(&intake->items, item, ITEM_READY);
}

static bool is_in_vain(const struct item *item)
{
    for (size_t i = 0; i < item->bid_count; i++) {
        const struct source *source = item->bids[i].source;

        if (!source->ended || !source->is_standing_off || source->failed)
            return false;
    }
    return !item->failed && !item->in_vain;
}

/* The next item that is not to wait any longer; NULL: there is none. */
static struct item *next_in_vain(struct intake *intake, const struct source *source)
{
    struct item *item = intake->items.lists[ITEM_WAIT].first;

    while (item && !(item_bid(item, source) && is_in_vain(item)))
        item = item->next;
    return item;
}

/* Give back what waits in vain for others of @source. */
static void give_up_waiting(struct intake *intake, struct source *source)
{
    static const enum item_state waiting[] = {ITEM_WAIT, ITEM_HELD};
    struct item *last_try = next_in_vain(intake, source);

    if (last_try) {
        last_try->in_vain = true;
        items_move(&intake->items, last_try, ITEM_JUDGE);
        return;
    }
    for (size_t i = 0; i < sizeof(waiting) / sizeof(waiting[0]); i++) {
        struct item *next;

        for (struct item *item = intake->items.lists[waiting[i]].first; item; item = next) {
            next = item->next;
            if (!item_bid(item, source))
                continue;
            tell_settled(intake, source, &item->update.gvsn, false);
            item_remove_bid(item, source);
            if (item->bid_count == 0)
                items_move(&intake->items, item, ITEM_JUDGE); /* where it leaves */
        }
    }
}

static void judge_all(struct intake *intake, struct replica *replica)
{
    struct item_list *list = &intake->items.lists[ITEM_JUDGE];

    do {
        while (list->first)
            judge(intake, replica, list->first);
        for (struct source *source = intake->items.sources; source; source = source->next) {
            if (source->ended && source->busy_count == 0 && source->waiting_count > 0)
                give_up_waiting(intake, source);
        }
    } while (list->first);
}

/* --- transfers --- */

/* The item has a source left. */
static struct source *best_source(const struct item *item)
{
    const struct bid *best = NULL;

    for (size_t i = 0; i < item->bid_count; i++) {
        const struct bid *bid = &item->bids[i];

        if (bid->failed)
            continue;
        if (!best || bid->source->failure_count < best->source->failure_count ||
            (bid->source->failure_count == best->source->failure_count &&
             bid->source->active_count < best->source->active_count))
            best = bid;
    }
    assert(best);
    return best->source;
}

static struct item *next_to_fetch(const struct intake *intake)
{
    if (intake->fetching_count >= FETCH_ACTIVE_MAX)
        return NULL;
    if (intake->items.lists[ITEM_FETCH].first)
        return intake->items.lists[ITEM_FETCH].first;
    if (intake->fetching_large_count < FETCH_LARGE_ACTIVE_MAX)
        return intake->items.lists[ITEM_FETCH_LARGE].first;
    return NULL;
}

static void start_fetching(struct intake *intake, struct item *item, struct intake_next *out_next)
{
    item->fetch_source = best_source(item);
    item->fetch_source->active_count++;
    intake->fetching_count++;
    if (is_large(item))
        intake->fetching_large_count++;
    items_move(&intake->items, item, ITEM_FETCHING);
    *out_next = (struct intake_next){
        .kind = INTAKE_FETCH,
        .source = item->fetch_source->name,
        .update = &item->update,
        .gvsn = item->update.gvsn,
    };
}

void intake_fetched(struct intake *intake, intake_source name, const struct gvsn *gvsn, bool ok,
                    uint64_t stage, const struct object *object, struct instant now)
{
    struct item *item = items_get(&intake->items, gvsn);
    (void)now;

    if (!item || item->state != ITEM_FETCHING || item->fetch_source->name != name) {
        if (ok)
            tell_drop(intake, stage);
        return;
    }
    struct source *source = item->fetch_source;
    stop_fetching(intake, item);
    if (ok) {
        source->failure_count = 0;
        item->stage = stage;
        item->object = *object;
    } else {
        source->failure_count++;
        source->failed = true;
        item_bid(item, source)->failed = true;
    }
    items_move(&intake->items, item, ITEM_JUDGE);
}

/* --- next --- */

void intake_next(struct intake *intake, struct replica *replica, struct instant now, bool planning,
                 struct intake_next *out_next)
{
    (void)now;
    judge_all(intake, replica);

    if (intake->notices) {
        struct notice *notice = intake->notices;
        *out_next = notice->what;
        intake->notices = notice->next;
        if (!intake->notices)
            intake->notices_end = &intake->notices;
        free(notice);
        return;
    }
    struct item *item = next_to_fetch(intake);
    if (item) {
        start_fetching(intake, item, out_next);
        return;
    }
    bool plan = !planning && intake->batch_count == 0 && intake->items.lists[ITEM_READY].first;
    *out_next = (struct intake_next){.kind = plan ? INTAKE_PLAN : INTAKE_IDLE};
}

/* --- batches --- */

static int by_arrival(const void *a, const void *b)
{
    const struct item *const *x = a;
    const struct item *const *y = b;

    return (*x)->arrival < (*y)->arrival ? -1 : (*x)->arrival > (*y)->arrival;
}

static void batch_add(struct intake *intake, struct item *item)
{
    item->batched = true;
    intake->batch_items[intake->batch_count++] = item;
}

/* Whether an update that waits may find in this batch what it waits for: its parent, or the going
 * of the directory's children. */
static bool may_follow(const struct intake *intake, const struct item *item)
{
    if (item->failed)
        return false;
    if (!item->update.present)
        return item->update.kind == FILE_DIRECTORY;
    if (item->update.kind != FILE_DIRECTORY && item->stage == 0)
        return false;
    const struct item *parent = items_of_file(&intake->items, &item->update.parent);
    for (; parent; parent = parent->sibling) {
        if (parent->batched)
            return true;
    }
    return false;
}

const struct offer *intake_batch(struct intake *intake, size_t *out_count)
{
    assert(intake->batch_count == 0);
    struct item *item = intake->items.lists[ITEM_READY].first;
    for (; item && intake->batch_count < PLAN_OFFER_COUNT_MAX; item = item->next)
        batch_add(intake, item);
    item = intake->items.lists[ITEM_WAIT].first;
    for (; item && intake->batch_count < PLAN_OFFER_COUNT_MAX; item = item->next) {
        if (may_follow(intake, item))
            batch_add(intake, item);
    }

    qsort(intake->batch_items, intake->batch_count, sizeof(intake->batch_items[0]), by_arrival);
    for (size_t i = 0; i < intake->batch_count; i++) {
        item = intake->batch_items[i];
        item->batched = false;
        items_move(&intake->items, item, ITEM_PLANNED);
        intake->batch[i] = (struct offer){
            .update = &item->update,
            .sender_vector = &item->vector->vector,
            .in_vain = item->in_vain,
            .staged = item->stage != 0,
            .object = item->object,
            .stage = item->stage,
        };
    }
    *out_count = intake->batch_count;
    return intake->batch;
}

void intake_planned(struct intake *intake, const enum settled *settled, struct instant now)
{
    bool any_done = false;
    bool failure_found = false;
    (void)now;

    for (size_t i = 0; i < intake->batch_count; i++) {
        struct item *item = intake->batch_items[i];

        switch (settled[i]) {
        case SETTLED_DONE:
            any_done = true;
            settle(intake, item, true);
            break;
        case SETTLED_WAIT:
            items_move(&intake->items, item, item->bid_count > 0 ? ITEM_WAIT : ITEM_JUDGE);
            break;
        case SETTLED_BEHIND:
            settle(intake, item, false);
            break;
        case SETTLED_AGAIN:
            /* Steps run in the order of the offers, so the first one failed, the others were not
             * reached. */
            item->failed = !failure_found && item->bid_count > 0;
            failure_found = true;
            for (size_t k = 0; item->failed && k < item->bid_count; k++)
                item->bids[k].source->failed = true;
            if (item->failed && ++item->attempt_count >= PLAN_ATTEMPT_COUNT_MAX)
                settle(intake, item, false);
            else
                items_move(&intake->items, item, item->failed ? ITEM_WAIT : ITEM_JUDGE);
            break;
        }
    }
    intake->batch_count = 0;
    if (!any_done)
        return;
    struct item *next;
    for (struct item *item = intake->items.lists[ITEM_WAIT].first; item; item = next) {
        next = item->next;
        if (!item->failed)
            items_move(&intake->items, item, ITEM_JUDGE);
    }
}
