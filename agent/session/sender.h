/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/session/sender.h: the offering side of one session.
 *
 * Pure: reads records through the store port, decides what goes out and in which order.
 *
 * A round begins when the receiver has asked for one and our vector holds something that its vector
 * lacks; the first round of a session begins in any case, so that the receiver learns what we have.
 * Updates that only others made wait SESSION_FORWARD_DELAY_MS first: in a mesh the receiver
 * has them from their author by then and tells so. The round's vector is our vector at its start;
 * records changed since are left for the next round, which makes this one incomplete. So does a
 * parked record, which is never told: its name belongs to another one here.
 *
 * @store and @ours of one call must show the same commit.
 *
 * Order within a round: tombstones in gvsn order, then live records in gvsn order, each preceded by
 * those of its ancestors that the receiver lacks too. A record may be sent twice in a round, never a
 * child before a parent that is in the difference. Memory is bounded whatever the difference.
 */
#ifndef AGENT_SESSION_SENDER_H
#define AGENT_SESSION_SENDER_H

#include "agent/replica/store.h"
#include "agent/replica/verification.h"
#include "common/base/instant.h"

struct sender;

struct sender *sender_new(const struct guid *own_database, const struct file_id *root);
void sender_free(struct sender *sender); /* NULL allowed */

/* Messages of the receiver. Both return NULL, or the broken rule. */
const char *sender_want(struct sender *sender, const struct vector *receiver_vector,
                        bool start_round, struct instant now);
const char *sender_credit(struct sender *sender, uint32_t update_count);

enum sender_next {
    SENDER_ROUND_START, /* send RoundStart{sender_round(), sender_vector(), sender_forgotten()} */
    SENDER_UPDATE,      /* send *out_record's update */
    SENDER_ROUND_DONE,  /* send RoundDone{sender_round(), *out_complete} */
    SENDER_IDLE,        /* nothing now: call again after a want, a credit, our commit, or at the
                           deadline (a long search through the store rests with deadline = now) */
    SENDER_STORE_FAILED,
};

/* The next message; call until SENDER_IDLE or until the stream is full. @out_record is filled only
 * for SENDER_UPDATE and is the caller's. @ours is our current state. */
enum sender_next sender_next(struct sender *sender, const struct store *store,
                             const struct replica_state *ours, struct instant now,
                             struct record *out_record, bool *out_complete);

/* The receiver asks for the ids of our live files above @after (NULL: from the first), at most @count_max.
 * Returns how many. They are all up to *out_upto, from where it asks again, or up to the end: *out_is_last. */
size_t sender_list(const struct store *store, const struct file_id *after, struct file_id *out_ids,
                   size_t count_max, struct file_id *out_upto, bool *out_is_last);

/* The same of all our records, tombstones too: what the receiver holds against its own
 * (agent/replica/verification.h). */
size_t sender_name_records(const struct store *store, const struct file_id *after,
                           struct named_record *out_records, size_t count_max,
                           struct file_id *out_upto, bool *out_is_last);

uint32_t sender_round(const struct sender *sender);
const struct vector *sender_vector(const struct sender *sender);
/* Versions of the round that were tombstones perhaps, have been dropped here, and are lacking there. */
const struct vector *sender_forgotten(const struct sender *sender);
/* What the receiver last said it has. */
const struct vector *sender_receiver_vector(const struct sender *sender);
bool sender_deadline(const struct sender *sender, struct instant *out_when);

#endif
