/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/replica/verification.h: do our records say what a partner's say?
 *
 * Members whose vectors are equal hold equal records (replica.h). A verification asks whether that is so:
 * the partner names the versions of all its records, live and dead, ascending by file id, and each is held
 * against ours. A difference between two versions that both sides have processed can only come from a
 * defect: of a disk, of a database, or of this program. Such a version leaves our vector. So the partner
 * tells it again, and judged by the rules as any other update it mends whichever side was wrong.
 *
 * What only we have the partner does not name: it finds that when it verifies against us.
 *
 * Pure, as the replica; one verification at a time needs no state beside its own. Threads: the replica's.
 */
#ifndef AGENT_REPLICA_VERIFICATION_H
#define AGENT_REPLICA_VERIFICATION_H

#include "agent/replica/replica.h"

/* What a partner says of one record. */
struct named_record {
    struct file_id id;
    struct gvsn gvsn;
    bool present; /* false: a tombstone */
};

struct verification;

/*
 * How long until the connection's next moment to verify the folder by itself: one a VERIFY_INTERVAL_MS,
 * at a time of the week that its guids draw. So a fleet does not verify at once, an agent needs not remember when
 * it did, and one that is started often still does. In milliseconds, above 0.
 */
int64_t verification_due_in_ms(const struct guid *connection, const struct guid *folder,
                               struct walltime now);

/* @sender_vector: what the partner had processed when it named the first of its records. */
struct verification *verification_begin(const struct vector *sender_vector);
void verification_free(struct verification *verification); /* NULL allowed */
/* Up to where it came; NULL: nowhere yet. */
const struct file_id *verification_after(const struct verification *verification);
/* The next part, which ends at @upto, or with NULL is the last one. Returns NULL, or the broken rule. */
const char *verification_part(struct verification *verification, const struct replica *replica,
                              const struct named_record *records, size_t count,
                              const struct file_id *upto);
/* How many records were held against ours, and how many of them differ (at most VERIFY_DOUBT_COUNT_MAX are
 * remembered; the rest is found the next time). */
uint64_t verification_compared(const struct verification *verification);
size_t verification_found(const struct verification *verification);
/* One that differs; only when some do. */
const struct file_id *verification_first(const struct verification *verification);

/* After the last part: what differs leaves our vector, durably. No change or plan is under way. */
NODISCARD enum status verification_end(const struct verification *verification,
                                       struct replica *replica);

#endif
