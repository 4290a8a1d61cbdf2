/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/session/receiver.h"

#include "agent/session/version_map.h"
#include "common/base/mem.h"

#include <assert.h>
#include <stdlib.h>

#define CREDIT_PORTION (SESSION_CREDIT_COUNT / 8)

static_assert(CREDIT_PORTION > 0, "credits must go back before all are used");

struct receiver {
    enum receiver_state state;
    struct vector sender_vector;
    struct vector forgotten;
    struct version_map unsettled;
    uint32_t round;       /* the last one begun; 0: none yet */
    uint32_t credit_left; /* updates that the sender may still send */
    uint32_t credit_owed; /* settled, not given back yet */
    bool complete;        /* what RoundDone said */
    bool lossy;           /* an update of the round was not done */
    bool progressed;      /* one was */
    bool joining;
    int64_t retry_ms;
    struct instant retry_at;
    bool is_standing_off; /* rounds end, and are not joined, */
    struct instant standoff_since;
};

const char *receiver_state_name(enum receiver_state state)
{
    static const char *const names[] = {
#define X(name) #name,
        RECEIVER_STATES(X)
#undef X
    };

    return names[state];
}

struct receiver *receiver_new(void)
{
    struct receiver *receiver = MEM_NEW(struct receiver);

    receiver->state = RECEIVER_OPENING;
    receiver->retry_ms = SESSION_RETRY_MS_FIRST;
    return receiver;
}

void receiver_free(struct receiver *receiver)
{
    if (!receiver)
        return;
    vector_fini(&receiver->sender_vector);
    vector_fini(&receiver->forgotten);
    version_map_fini(&receiver->unsettled);
    free(receiver);
}

static void move(struct receiver *r, enum receiver_state to)
{
    static const unsigned legal[] = {
        [RECEIVER_OPENING] = 1u << RECEIVER_WAITING | 1u << RECEIVER_FAILED,
        [RECEIVER_WAITING] = 1u << RECEIVER_RECEIVING | 1u << RECEIVER_FAILED,
        [RECEIVER_RECEIVING] = 1u << RECEIVER_SETTLING | 1u << RECEIVER_FAILED,
        [RECEIVER_SETTLING] = 1u << RECEIVER_WAITING | 1u << RECEIVER_LISTING |
                              1u << RECEIVER_PAUSED | 1u << RECEIVER_FAILED,
        [RECEIVER_LISTING] =
            1u << RECEIVER_WAITING | 1u << RECEIVER_PAUSED | 1u << RECEIVER_FAILED,
        [RECEIVER_PAUSED] = 1u << RECEIVER_WAITING | 1u << RECEIVER_FAILED,
        [RECEIVER_FAILED] = 0,
    };

    assert(legal[r->state] & 1u << to);
    r->state = to;
}

static void fail(struct receiver *r, struct receiver_actions *out, const char *rule)
{
    move(r, RECEIVER_FAILED);
    *out = (struct receiver_actions){.fail = rule};
}

static void give_credit(struct receiver *r, struct receiver_actions *out)
{
    out->credit = r->credit_owed;
    r->credit_left += r->credit_owed;
    r->credit_owed = 0;
}

static void wait_for_round(struct receiver *r, struct receiver_actions *out)
{
    move(r, RECEIVER_WAITING);
    out->send_want = true;
    out->start_round = true;
    give_credit(r, out);
}

static void pause(struct receiver *r, struct instant now, struct receiver_actions *out)
{
    move(r, RECEIVER_PAUSED);
    r->retry_at = instant_after_ms(now, r->retry_ms);
    r->retry_ms =
        r->retry_ms * 2 < SESSION_RETRY_MS_MAX ? r->retry_ms * 2 : SESSION_RETRY_MS_MAX;
    out->round_failed = true;
    if (!r->is_standing_off)
        r->standoff_since = now;
    r->is_standing_off = true;
}

static void join(struct receiver *r, struct receiver_actions *out)
{
    r->joining = true;
    out->join = true;
}

/* The round is over and everything of it is settled: what follows from how it went. */
static void conclude(struct receiver *r, struct instant now, struct receiver_actions *out)
{
    bool idle = !r->complete && !r->progressed; /* asking again at once would bring the same */

    if (r->progressed || (r->complete && !r->lossy))
        r->retry_ms = SESSION_RETRY_MS_FIRST;
    if (r->complete && !vector_is_empty(&r->forgotten)) {
        /* also when updates wait: perhaps for deletions that are forgotten */
        move(r, RECEIVER_LISTING);
        out->list = true;
        out->first = true;
    } else if (r->lossy || idle) {
        pause(r, now, out);
    } else if (r->complete) {
        join(r, out);
    } else {
        wait_for_round(r, out);
    }
}

static void on_round_start(struct receiver *r, const struct receiver_event *event,
                           struct receiver_actions *out)
{
    if (r->state != RECEIVER_WAITING) {
        fail(r, out, "a round was started that was not asked for");
        return;
    }
    if (event->round != r->round + 1) {
        fail(r, out, "rounds are not numbered in sequence");
        return;
    }
    r->round = event->round;
    vector_copy(&r->sender_vector, event->vector);
    vector_copy(&r->forgotten, event->forgotten);
    r->lossy = false;
    r->progressed = false;
    move(r, RECEIVER_RECEIVING);
}

static void on_update(struct receiver *r, const struct receiver_event *event,
                      struct receiver_actions *out)
{
    if (r->state != RECEIVER_RECEIVING) {
        fail(r, out, "an update came outside a round");
        return;
    }
    if (r->credit_left == 0) {
        fail(r, out, "an update came without credit");
        return;
    }
    if (!vector_contains(&r->sender_vector, &event->gvsn)) {
        fail(r, out, "an update lies outside the round's vector");
        return;
    }
    r->credit_left--;
    if (version_map_get(&r->unsettled, &event->gvsn)) {
        r->credit_owed++;
    } else {
        version_map_put(&r->unsettled, &event->gvsn, NULL);
        out->deliver = true;
    }
    if (r->credit_owed >= CREDIT_PORTION)
        give_credit(r, out);
    out->no_more = r->credit_left == 0;
}

static void on_round_done(struct receiver *r, const struct receiver_event *event,
                          struct receiver_actions *out)
{
    if (r->state != RECEIVER_RECEIVING || event->round != r->round) {
        fail(r, out, "a round ended that does not run");
        return;
    }
    r->complete = event->complete;
    move(r, RECEIVER_SETTLING);
    out->no_more = true;
    out->in_vain = r->complete && r->is_standing_off &&
                   instant_ms_since(r->standoff_since, event->now) >= SESSION_STANDOFF_MS;
    if (r->unsettled.count == 0)
        conclude(r, event->now, out);
}

static void on_settled(struct receiver *r, const struct receiver_event *event,
                       struct receiver_actions *out)
{
    bool was_unsettled = version_map_remove(&r->unsettled, &event->gvsn);

    assert(was_unsettled);
    if (event->done)
        r->progressed = true;
    else
        r->lossy = true;
    r->credit_owed++;
    if (r->credit_owed >= CREDIT_PORTION)
        give_credit(r, out);
    if (r->state == RECEIVER_SETTLING && r->unsettled.count == 0)
        conclude(r, event->now, out);
}

static void on_listed(struct receiver *r, const struct receiver_event *event,
                      struct receiver_actions *out)
{
    if (r->state != RECEIVER_LISTING || r->joining)
        fail(r, out, "file ids came that were not asked for");
    else if (event->is_last)
        join(r, out);
    else
        out->list = true;
}

void receiver_step(struct receiver *receiver, const struct receiver_event *event,
                   struct receiver_actions *out_actions)
{
    *out_actions = (struct receiver_actions){0};
    if (receiver->state == RECEIVER_FAILED)
        return;

    switch (event->kind) {
    case RECEIVER_EVENT_OPENED:
        if (receiver->state != RECEIVER_OPENING) {
            fail(receiver, out_actions, "the session was opened twice");
            return;
        }
        receiver->credit_owed = SESSION_CREDIT_COUNT;
        wait_for_round(receiver, out_actions);
        return;
    case RECEIVER_EVENT_ROUND_START:
        on_round_start(receiver, event, out_actions);
        return;
    case RECEIVER_EVENT_UPDATE:
        on_update(receiver, event, out_actions);
        return;
    case RECEIVER_EVENT_ROUND_DONE:
        on_round_done(receiver, event, out_actions);
        return;
    case RECEIVER_EVENT_SETTLED:
        on_settled(receiver, event, out_actions);
        return;
    case RECEIVER_EVENT_JOINED:
        assert(receiver->joining);
        receiver->joining = false;
        receiver->is_standing_off = false;
        wait_for_round(receiver, out_actions);
        return;
    case RECEIVER_EVENT_NOT_JOINED:
        assert(receiver->joining);
        receiver->joining = false;
        pause(receiver, event->now, out_actions);
        return;
    case RECEIVER_EVENT_LISTED:
        on_listed(receiver, event, out_actions);
        return;
    case RECEIVER_EVENT_VECTOR_GREW:
        out_actions->send_want = receiver->state == RECEIVER_WAITING;
        return;
    case RECEIVER_EVENT_TICK:
        if (receiver->state == RECEIVER_PAUSED && event->now.ns >= receiver->retry_at.ns)
            wait_for_round(receiver, out_actions);
        return;
    }
}

enum receiver_state receiver_state(const struct receiver *receiver)
{
    return receiver->state;
}

const struct vector *receiver_sender_vector(const struct receiver *receiver)
{
    return &receiver->sender_vector;
}

bool receiver_may_join(const struct receiver *receiver)
{
    return receiver->joining && !receiver->lossy;
}

const struct vector *receiver_forgotten(const struct receiver *receiver)
{
    return &receiver->forgotten;
}

bool receiver_deadline(const struct receiver *receiver, struct instant *out_when)
{
    if (receiver->state != RECEIVER_PAUSED)
        return false;
    *out_when = receiver->retry_at;
    return true;
}

bool receiver_in_sync(const struct receiver *receiver, const struct vector *ours)
{
    return receiver->state == RECEIVER_WAITING && receiver->round > 0 &&
           vector_covers(ours, &receiver->sender_vector);
}

uint64_t receiver_unsettled_count(const struct receiver *receiver)
{
    return receiver->unsettled.count;
}
