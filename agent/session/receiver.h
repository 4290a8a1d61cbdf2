/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/session/receiver.h: the pulling side of one session: one folder over one connection.
 *
 * Pure: events in, actions out; the folder turns actions into messages of proto/replication.proto
 * (PROTOCOL.md, Replicate) and messages into events.
 *
 *            opened                round start
 *  OPENING ----------> WAITING ------------------> RECEIVING
 *                      ^  ^  \ want                  | round done
 *          all settled |  |   (vector grew)          v
 *          and joined  |  '--------------------- SETTLING
 *                      |                       |     | something is forgotten
 *                      |  retry delay over     |     v
 *                      '-------- PAUSED <------+- LISTING --- joined, to WAITING
 *                              something could not be settled, or joined
 *
 * Rules. A Want with start_round goes out on entering WAITING; in WAITING, a grown vector sends a
 * Want without it. An update counts against the credits (SESSION_CREDIT_COUNT) until it is settled;
 * credits go back in portions. A repeat of an update that is not settled yet is not handed on.
 * When all credits are used the sender is as silent as after a round, so updates that wait for
 * another one are given back then too (no_more): the round goes on and they come in the next one.
 * The sender's vector is joined when the round was complete and every update of it was settled as
 * done; first, when the sender has forgotten versions that we lack, it is asked for its file ids
 * (docs/decisions/0012), one part after the other, also when some were not. When some were not done, or an incomplete round brought nothing: PAUSED for the retry delay (1 s, doubling to SESSION_RETRY_MS_MAX, reset
 * by progress), then a new round; nothing is remembered but the vector, so any loss of the stream
 * resumes from the database alone. Any message out of order is a violation: FAIL with the reason.
 */
#ifndef AGENT_SESSION_RECEIVER_H
#define AGENT_SESSION_RECEIVER_H

#include "agent/replica/replica.h"
#include "agent/version/update.h"
#include "agent/version/vector.h"
#include "common/base/instant.h"

#define RECEIVER_STATES(X)                                                                         \
    X(OPENING) X(WAITING) X(RECEIVING) X(SETTLING) X(LISTING)          \
    X(PAUSED) X(FAILED)
enum receiver_state {
#define X(name) RECEIVER_##name,
    RECEIVER_STATES(X)
#undef X
};
const char *receiver_state_name(enum receiver_state state);

enum receiver_event_kind {
    RECEIVER_EVENT_OPENED,
    RECEIVER_EVENT_ROUND_START, /* vector, forgotten, round */
    RECEIVER_EVENT_UPDATE,      /* gvsn */
    RECEIVER_EVENT_ROUND_DONE,  /* round, complete */
    RECEIVER_EVENT_SETTLED,     /* gvsn, done: an update handed out before */
    RECEIVER_EVENT_LISTED,      /* is_last: a part of the listing */
    RECEIVER_EVENT_JOINED,      /* the JOIN action is durable */
    RECEIVER_EVENT_NOT_JOINED,  /* it can not be: what the sender lacks here could not be removed */
    RECEIVER_EVENT_VECTOR_GREW, /* our own vector, from elsewhere; or it gave something up */
    RECEIVER_EVENT_TICK,        /* now has reached receiver_deadline() */
};

struct receiver_event {
    enum receiver_event_kind kind;
    struct instant now;
    uint32_t round;
    const struct vector *vector;
    const struct vector *forgotten;
    struct gvsn gvsn;
    bool complete;
    bool done;
    bool is_last;
};

struct receiver_actions {
    bool send_want;    /* with our current vector */
    bool start_round;  /* in that want */
    uint32_t credit;   /* send so many credits; 0: none */
    bool deliver;      /* the update of this event goes to the intake; else it is a repeat */
    bool no_more;      /* nothing comes before something settles: intake_round_ended() */
    bool in_vain;      /* with no_more: the sender has told all it has, and rounds were not joined for SESSION_STANDOFF_MS */
    bool list;         /* ask for the next part of the listing; the first one in this round if @first */
    bool first;
    bool join;         /* make the listing true, if there was one; then, if receiver_may_join(), join
                          receiver_sender_vector() and receiver_forgotten() to ours, durably. Then JOINED, or
                          NOT_JOINED */
    bool round_failed; /* a round ended in PAUSED */
    const char *fail;  /* end the session: the broken rule */
};

struct receiver;

struct receiver *receiver_new(void);
void receiver_free(struct receiver *receiver); /* NULL allowed */
void receiver_step(struct receiver *receiver, const struct receiver_event *event,
                   struct receiver_actions *out_actions);

enum receiver_state receiver_state(const struct receiver *receiver);
/* The sender's vector of the running or last round; empty before the first. Borrowed. */
const struct vector *receiver_sender_vector(const struct receiver *receiver);
/* All of the round was settled as done. */
bool receiver_may_join(const struct receiver *receiver);
/* What of it the sender has forgotten and we lacked. Borrowed. */
const struct vector *receiver_forgotten(const struct receiver *receiver);
/* When a TICK is due; false: never. */
bool receiver_deadline(const struct receiver *receiver, struct instant *out_when);
/* True comparison of both sides: our vector covers the sender's latest and no round runs. False
 * before the session's first round, which every sender makes even when it has nothing to send. */
bool receiver_in_sync(const struct receiver *receiver, const struct vector *ours);
uint64_t receiver_unsettled_count(const struct receiver *receiver);

#endif
