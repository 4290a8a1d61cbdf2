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
 *                      ^---- HELD (a greater update of the file is under way) ----'
 *
 * An update whose gvsn our vector contains settles at once. One that is otherwise known goes
 * through a plan without steps, which claims its gvsn. An update that made a plan fail waits until
 * something changed locally (intake_rejudge) and does not hold up the rest of its batch. An update
 * whose sender is behind settles as not done at once.
 *
 * The end of a round: an item that waits, of a source from which nothing more comes and of which
 * nothing else is under way, settles as not done. So every offer is settled after a bounded time,
 * and no session waits for another.
 */
#ifndef AGENT_SESSION_INTAKE_H
#define AGENT_SESSION_INTAKE_H

#include "agent/replica/replica.h"

struct intake;
typedef uint32_t intake_source; /* a receiver session, chosen by the folder, never reused */

struct intake *intake_new(void);
void intake_free(struct intake *intake); /* NULL allowed */

/*
 * A session's update. @sender_vector is the round's and is copied once for the round (until
 * intake_round_ended). Content that came inline is handed over by its stage name and object
 * (@stage 0: none came; @object may then be NULL). Stage names are never used twice.
 */
void intake_offer(struct intake *intake, intake_source source, const struct update *update,
                  const struct vector *sender_vector, uint64_t stage, const struct object *object);
/* The session is gone: items that only it offered are dropped, its transfers move to others. */
void intake_source_gone(struct intake *intake, intake_source source);

/* Judge what is new or was waiting, then tell the next thing to do. */
enum intake_next_kind {
    INTAKE_FETCH,   /* start a transfer: source, update */
    INTAKE_SETTLED, /* tell the session: source, gvsn, done */
    INTAKE_PLAN,    /* a batch is ready: intake_batch() */
    INTAKE_DROP,    /* a staged file is not needed any more: stage. Also told when a plan has
                       installed it: dropping what is not there is nothing */
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
/* Call until INTAKE_IDLE, after anything below was called or the replica committed. @planning: a
 * plan or a change is open, so no INTAKE_PLAN now. */
void intake_next(struct intake *intake, struct replica *replica, struct instant now, bool planning,
                 struct intake_next *out_next);

/* A transfer ended; on failure another source is tried, then the item settles as not done. A result
 * that nobody waits for any more is dropped (INTAKE_DROP). */
void intake_fetched(struct intake *intake, intake_source source, const struct gvsn *gvsn, bool ok,
                    uint64_t stage, const struct object *object, struct instant now);

/* The batch announced by INTAKE_PLAN, in order of arrival; borrowed until intake_planned(). It may
 * hold updates that still wait for one before them in the batch: the plan decides. */
const struct offer *intake_batch(struct intake *intake, size_t *out_count);
/* What replica_settle() said of each offer of the batch. */
void intake_planned(struct intake *intake, const enum settled *settled, struct instant now);

/* Something changed locally: waiting items are judged again. */
void intake_rejudge(struct intake *intake);
/* A session's round has ended, or its credits are used up (receiver_actions.no_more): items of
 * @source that still wait for another update settle as not done once nothing of @source is under
 * way. Lasts until the source's next offer. @in_vain (receiver_actions.in_vain): before that, each of
 * those that waits, one after the other, is judged as an update that does so in vain (struct offer), unless
 * another source has not ended its round, or the round failed otherwise, as on a full disk. */
void intake_round_ended(struct intake *intake, intake_source source, bool in_vain);

size_t intake_item_count(const struct intake *intake);

#endif
