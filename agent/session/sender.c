/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/session/sender.h"

#include "common/base/mem.h"
#include "common/base/scope.h"

#include <assert.h>
#include <stdlib.h>

#define RECENT_COUNT 256u /* ancestors remembered as sent, so that siblings do not send them again */

enum phase {
    PHASE_RESTING,
    PHASE_TOMBSTONES,
    PHASE_LIVE,
};

/* A record that is due: found once, read again when its turn comes. */
struct due {
    struct file_id id;
    struct gvsn gvsn;
};

struct sender {
    struct guid own_database;
    struct file_id root;
    struct vector receiver_vector;
    bool wanted;
    uint64_t credit;
    bool resting; /* a deadline is set: updates of others wait, or a search rests */
    struct instant resume_at;

    uint32_t round;
    enum phase phase;
    struct vector vector;     /* ours when the round began */
    struct vector difference; /* what of it the receiver lacked then */
    struct vector forgotten;  /* what of that was dropped */
    bool skipped;             /* something of the difference could not be sent in this round */
    size_t entry;             /* the search through the difference: entry, */
    size_t interval;          /* interval in it, */
    uint64_t number;          /* and the last number seen in that */
    struct due *chain;        /* records to send next, the last one first */
    size_t chain_count;
    size_t chain_capacity;
    struct gvsn recent[RECENT_COUNT];
    size_t recent_next;
};

struct sender *sender_new(const struct guid *own_database, const struct file_id *root)
{
    struct sender *sender = MEM_NEW(struct sender);

    sender->own_database = *own_database;
    sender->root = *root;
    return sender;
}

void sender_free(struct sender *sender)
{
    if (!sender)
        return;
    vector_fini(&sender->receiver_vector);
    vector_fini(&sender->vector);
    vector_fini(&sender->difference);
    vector_fini(&sender->forgotten);
    free(sender->chain);
    free(sender);
}

const char *sender_want(struct sender *sender, const struct vector *receiver_vector,
                        bool start_round, struct instant now)
{
    (void)now;
    if (start_round && (sender->wanted || sender->phase != PHASE_RESTING))
        return "a round was asked for while one is due";
    vector_copy(&sender->receiver_vector, receiver_vector);
    if (start_round)
        sender->wanted = true;
    return NULL;
}

const char *sender_credit(struct sender *sender, uint32_t update_count)
{
    if (update_count == 0 || update_count > SESSION_CREDIT_COUNT_MAX ||
        sender->credit + update_count > SESSION_CREDIT_COUNT_MAX)
        return "more credit than a session may have";
    sender->credit += update_count;
    return NULL;
}

static void search_from_start(struct sender *s)
{
    s->entry = 0;
    s->interval = 0;
    s->number = 0;
    s->chain_count = 0;
}

static void begin_round(struct sender *s, const struct replica_state *ours)
{
    s->wanted = false;
    s->resting = false;
    s->round++;
    s->phase = PHASE_TOMBSTONES;
    s->skipped = false;
    vector_copy(&s->vector, &ours->vector);
    vector_copy(&s->forgotten, &ours->forgotten);
    vector_meet(&s->forgotten, &s->difference);
    memset(s->recent, 0, sizeof(s->recent));
    s->recent_next = 0;
    search_from_start(s);
}

static bool holds_own(const struct sender *s)
{
    for (size_t i = 0; i < s->difference.entry_count; i++) {
        if (guid_equal(&s->difference.entries[i].database, &s->own_database))
            return true;
    }
    return false;
}

/* Whether a round is due now. Sets the deadline while only others' updates are there. */
static bool round_is_due(struct sender *s, const struct vector *ours, struct instant now)
{
    if (!s->wanted) {
        s->resting = false;
        return false;
    }
    vector_difference(ours, &s->receiver_vector, &s->difference);
    if (vector_is_empty(&s->difference)) {
        s->resting = false;
        return s->round == 0;
    }
    if (holds_own(s))
        return true;
    if (!s->resting) {
        s->resting = true;
        s->resume_at = instant_after_ms(now, SESSION_FORWARD_DELAY_MS);
    }
    return now.ns >= s->resume_at.ns;
}

static bool was_sent(const struct sender *s, const struct gvsn *gvsn)
{
    const struct vector_entry *current = &s->difference.entries[s->entry];
    int order = guid_compare(&gvsn->database, &current->database);

    /* What lies before the place of the search has been sent. */
    if (order < 0 || (order == 0 && gvsn->number <= s->number))
        return true;
    for (size_t i = 0; i < RECENT_COUNT; i++) {
        if (gvsn_equal(&s->recent[i], gvsn))
            return true;
    }
    return false;
}

static void push_due(struct sender *s, const struct update *update)
{
    if (s->chain_count == s->chain_capacity) {
        s->chain_capacity = s->chain_capacity ? s->chain_capacity * 2 : 16;
        s->chain = mem_resize(s->chain, s->chain_capacity, sizeof(*s->chain));
    }
    s->chain[s->chain_count++] = (struct due){.id = update->id, .gvsn = update->gvsn};
}

static void leave_for_later(struct sender *s)
{
    s->chain_count = 0;
    s->skipped = true;
}

/*
 * Put a live record on the chain, and before it the ancestors that the receiver lacks and has not
 * been sent. An ancestor that changed since the round began is told in the next round only, one that
 * is parked when it is not any more; so is everything below it that the receiver could not place.
 */
static void push_with_ancestors(struct sender *s, const struct store *store,
                                const struct update *update)
{
    struct file_id parent = update->parent;
    scope(record) struct record ancestor = {0};

    push_due(s, update);
    for (size_t depth = 0; depth < PATH_DEPTH_MAX && !file_id_equal(&parent, &s->root); depth++) {
        if (!store->ops->get(store->arg, &parent, &ancestor))
            return;
        const struct gvsn *gvsn = &ancestor.update.gvsn;
        bool is_due = vector_contains(&s->difference, gvsn);
        bool is_had = is_due || vector_contains(&s->vector, gvsn) ||
                      vector_contains(&s->receiver_vector, gvsn);

        if (!is_had || (is_due && ancestor.place == PLACE_PARKED)) {
            leave_for_later(s);
            return;
        }
        if (is_due && ancestor.update.present && !was_sent(s, gvsn))
            push_due(s, &ancestor.update);
        parent = ancestor.update.parent;
    }
}

/* The next record of the difference in gvsn order, of either pass. */
static bool search(struct sender *s, const struct store *store, struct record *out_record)
{
    for (; s->entry < s->difference.entry_count; s->entry++, s->interval = 0, s->number = 0) {
        const struct vector_entry *entry = &s->difference.entries[s->entry];

        for (; s->interval < entry->interval_count; s->interval++) {
            struct interval rest = entry->intervals[s->interval];

            if (s->number > rest.low)
                rest.low = s->number;
            if (rest.low < rest.high &&
                store->ops->next_version(store->arg, &entry->database, rest, out_record)) {
                s->number = out_record->update.gvsn.number;
                return true;
            }
        }
    }
    return false;
}

enum found {
    FOUND_DUE,  /* the chain is not empty */
    FOUND_NONE, /* the pass is over */
    FOUND_REST, /* looked long enough for one call */
};

static enum found find_due(struct sender *s, const struct store *store)
{
    scope(record) struct record record = {0};

    for (unsigned i = 0; i < SESSION_SEARCH_COUNT_MAX; i++) {
        if (!search(s, store, &record))
            return FOUND_NONE;
        if (record.update.present != (s->phase == PHASE_LIVE))
            continue;
        if (record.place == PLACE_PARKED)
            leave_for_later(s);
        else if (record.update.present)
            push_with_ancestors(s, store, &record.update);
        else
            push_due(s, &record.update);
        if (s->chain_count > 0)
            return FOUND_DUE;
    }
    return FOUND_REST;
}

/* Take the next record from the chain, unless it changed since it was put there. */
static bool take_due(struct sender *s, const struct store *store, struct record *out_record)
{
    const struct due *due = &s->chain[--s->chain_count];

    if (!store->ops->get(store->arg, &due->id, out_record) ||
        !gvsn_equal(&out_record->update.gvsn, &due->gvsn) || out_record->place == PLACE_PARKED) {
        leave_for_later(s);
        return false;
    }
    if (s->chain_count > 0) { /* it is the ancestor of what follows */
        s->recent[s->recent_next] = due->gvsn;
        s->recent_next = (s->recent_next + 1) % RECENT_COUNT;
    }
    s->credit--;
    return true;
}

static enum sender_next next_in_round(struct sender *s, const struct store *store,
                                      const struct vector *ours, struct instant now,
                                      struct record *out_record, bool *out_complete)
{
    s->resting = false;
    for (;;) {
        while (s->chain_count > 0) {
            if (s->credit == 0)
                return SENDER_IDLE;
            if (take_due(s, store, out_record))
                return SENDER_UPDATE;
        }
        switch (find_due(s, store)) {
        case FOUND_DUE:
            break;
        case FOUND_REST:
            s->resting = true;
            s->resume_at = now;
            return SENDER_IDLE;
        case FOUND_NONE:
            if (s->phase == PHASE_TOMBSTONES) {
                s->phase = PHASE_LIVE;
                search_from_start(s);
                break;
            }
            s->phase = PHASE_RESTING;
            /* Whatever grew our vector since may have replaced a record of the difference. */
            *out_complete = !s->skipped && vector_equal(ours, &s->vector);
            return SENDER_ROUND_DONE;
        }
    }
}

enum sender_next sender_next(struct sender *sender, const struct store *store,
                             const struct replica_state *ours, struct instant now,
                             struct record *out_record, bool *out_complete)
{
    enum sender_next next = SENDER_IDLE;

    if (sender->phase != PHASE_RESTING) {
        next = next_in_round(sender, store, &ours->vector, now, out_record, out_complete);
    } else if (round_is_due(sender, &ours->vector, now)) {
        begin_round(sender, ours);
        next = SENDER_ROUND_START;
    }
    return store->ops->failed(store->arg) ? SENDER_STORE_FAILED : next;
}

size_t sender_list(const struct store *store, const struct file_id *after, struct file_id *out_ids,
                   size_t count_max, struct file_id *out_upto, bool *out_is_last)
{
    scope(record) struct record record = {0};
    size_t count = 0;

    *out_is_last = false;
    for (unsigned i = 0; i < SESSION_SEARCH_COUNT_MAX && count < count_max; i++) {
        if (!store->ops->next_record(store->arg, after, &record)) {
            *out_is_last = true;
            break;
        }
        *out_upto = record.update.id;
        after = out_upto;
        if (record.update.present)
            out_ids[count++] = record.update.id;
    }
    return count;
}

size_t sender_name_records(const struct store *store, const struct file_id *after,
                           struct named_record *out_records, size_t count_max,
                           struct file_id *out_upto, bool *out_is_last)
{
    scope(record) struct record record = {0};
    size_t count = 0;

    *out_is_last = false;
    while (count < count_max) {
        if (!store->ops->next_record(store->arg, after, &record)) {
            *out_is_last = true;
            break;
        }
        *out_upto = record.update.id;
        after = out_upto;
        out_records[count++] = (struct named_record){
            .id = record.update.id, .gvsn = record.update.gvsn, .present = record.update.present};
    }
    return count;
}

uint32_t sender_round(const struct sender *sender)
{
    return sender->round;
}

const struct vector *sender_vector(const struct sender *sender)
{
    return &sender->vector;
}

const struct vector *sender_forgotten(const struct sender *sender)
{
    return &sender->forgotten;
}

const struct vector *sender_receiver_vector(const struct sender *sender)
{
    return &sender->receiver_vector;
}

bool sender_deadline(const struct sender *sender, struct instant *out_when)
{
    if (!sender->resting)
        return false;
    *out_when = sender->resume_at;
    return true;
}
