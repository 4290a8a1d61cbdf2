/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/version/vector.h: version vectors: what a member has processed.
 *
 * For each database a set of numbers, kept as disjoint half-open intervals (low, high]. Being a
 * set and not a maximum, it records an interrupted exchange honestly ([MS-FRS2] 2.2.1.4; Bjoerner,
 * MSR-TR-2007-75). A plain value: copies own their memory.
 *
 * Laws (tests/property): join is associative, commutative and idempotent; covers(join(a,b),a);
 * difference(a,b) holds exactly what a contains and b does not; decode(encode(x)) equals x.
 */
#ifndef AGENT_VERSION_VECTOR_H
#define AGENT_VERSION_VECTOR_H

#include "agent/version/version.h"
#include "common/base/buf.h"
#include "common/base/cursor.h"

#include <stddef.h>

struct interval {
    uint64_t low;  /* not contained */
    uint64_t high; /* contained; above low */
};

struct vector_entry {
    struct guid database;
    struct interval *intervals; /* ascending, not touching, never empty */
    size_t interval_count;
    size_t interval_capacity;
};

/* Zero-initialised is the empty vector. */
struct vector {
    struct vector_entry *entries; /* ascending by database, none empty */
    size_t entry_count;
    size_t entry_capacity;
};

void vector_fini(struct vector *v);
void vector_copy(struct vector *to, const struct vector *from); /* @to is finished first */

/* Add one number; adding what is there changes nothing. Returns whether it was new. */
bool vector_add(struct vector *v, const struct gvsn *version);
void vector_add_interval(struct vector *v, const struct guid *database, struct interval numbers);
/* Take one number out; what is not there changes nothing. */
void vector_remove(struct vector *v, const struct gvsn *version);
void vector_join(struct vector *v, const struct vector *other);
/* Drop all of one database (vector garbage collection). */
void vector_forget(struct vector *v, const struct guid *database);

bool vector_contains(const struct vector *v, const struct gvsn *version);
bool vector_covers(const struct vector *v, const struct vector *other); /* v is a superset */
bool vector_equal(const struct vector *a, const struct vector *b);
bool vector_is_empty(const struct vector *v);
uint64_t vector_number_count(const struct vector *v);

/* Fill the smallest gaps between numbers of one database until at most @count_max intervals are left, or
 * one for each database. */
void vector_coalesce(struct vector *v, size_t count_max);

/* Keep only what @other contains too. */
void vector_meet(struct vector *v, const struct vector *other);

/* What @a contains and @b does not; @out_difference is finished first. */
void vector_difference(const struct vector *a, const struct vector *b,
                       struct vector *out_difference);

/* Compact bytes: see vector.c. decode checks every rule and the limits VECTOR_DATABASE_COUNT_MAX
 * and VECTOR_INTERVAL_COUNT_MAX, and fails the reader when one is broken. *out_vector is finished
 * first, and empty when the reader has failed. */
void vector_encode(const struct vector *v, struct buf *out);
void vector_decode(struct reader *r, struct vector *out_vector);

#endif
