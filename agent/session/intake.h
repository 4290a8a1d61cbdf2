/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/session/intake.h: updates that arrived and are not settled yet, from all partners of one
 * folder: what to fetch, from whom, and what to plan next.
 *
 * Pure. Several partners may offer the same change: it is fetched once, from the best (least
 * loaded, least failing), and the others are fallbacks; when it is settled, all who offered it are
 * told. A greater update of the same file makes a lesser one settle as soon as the greater is.
 * Order: what needs no content and small content first, large transfers beside them, at most
 * FETCH_ACTIVE_MAX at a time. Memory is bounded by the sessions' credits.
 *
 * Life of an item:   JUDGE -> (FETCH -> FETCHING ->) READY -> PLANNED -> settled
 *                      ^---- WAIT (judged again after the next settling) ----'
 */
#ifndef AGENT_SESSION_INTAKE_H
#define AGENT_SESSION_INTAKE_H

#include "agent/replica/replica.h"

struct intake;
typedef uint32_t intake_source; /* a receiver session, chosen by the folder, never reused */

struct intake *intake_new(void);
void intake_free(struct intake *intake); /* NULL allowed */

/* A session's update. @sender_vector is copied by reference count inside the intake for the round:
 * the caller passes the same pointer for all updates of a round. @staged content that came inline
 * is handed over by its stage name and object (stage 0: none came). */
void intake_offer(struct intake *intake, intake_source source, const struct update *update,
                  const struct vector *sender_vector, uint64_t stage, const struct object *object);
/* The session is gone: items that only it offered are dropped, its transfers move to others. Stages
 * of dropped items come back through intake_next_dropped_stage(). */
void intake_source_gone(struct intake *intake, intake_source source);

/* Judge what is new or was waiting, then tell the next thing to do. */
enum intake_next_kind {
    INTAKE_FETCH,   /* start a transfer: source, update */
    INTAKE_SETTLED, /* tell the session: source, gvsn, done */
    INTAKE_PLAN,    /* a batch is ready: intake_batch() */
    INTAKE_DROP,    /* a staged file is not needed any more: stage */
    INTAKE_IDLE,
};
struct intake_next {
    enum intake_next_kind kind;
    intake_source source;
    const struct update *update; /* FETCH: borrowed until intake_fetched() */
    struct gvsn gvsn;
    bool done;
    uint64_t stage;
};
/* Call until INTAKE_IDLE. @planning: a plan is under way, so no INTAKE_PLAN now. */
void intake_next(struct intake *intake, struct replica *replica, struct instant now, bool planning,
                 struct intake_next *out_next);

/* A transfer ended; on failure another source is tried, then the item settles as not done. */
void intake_fetched(struct intake *intake, intake_source source, const struct gvsn *gvsn, bool ok,
                    uint64_t stage, const struct object *object, struct instant now);

/* The batch announced by INTAKE_PLAN; borrowed until intake_planned(). */
const struct offer *intake_batch(struct intake *intake, size_t *out_count);
/* What replica_settle() said of each offer of the batch. */
void intake_planned(struct intake *intake, const enum settled *settled, struct instant now);

/* Something changed locally: waiting items are judged again. */
void intake_rejudge(struct intake *intake);
/* A session's round has ended: items of @source that still wait for another update settle as not
 * done once nothing under way can free them. */
void intake_round_ended(struct intake *intake, intake_source source);

size_t intake_item_count(const struct intake *intake);

#endif
