/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/support/memstore.h: the store port in memory, with crashes and failing commits.
 *
 * What the last commit left is durable; memstore_crash() goes back to it. Cheap enough for millions of
 * simulated runs: a crash or abort undoes what was written since, nothing is ever copied as a whole.
 */
#ifndef TESTS_SUPPORT_MEMSTORE_H
#define TESTS_SUPPORT_MEMSTORE_H

#include "agent/replica/store.h"
#include "agent/replica/table.h"

struct memstore;

/* @fold: as replica_options.case_insensitive. */
struct memstore *memstore_new(bool fold);
void memstore_free(struct memstore *store);             /* NULL allowed */
/* A second one with the same durable state: a snapshot of a machine, a clone, a branch of a model. */
struct memstore *memstore_clone(const struct memstore *store);

/* The port; lives as long as @store. */
struct store memstore_port(struct memstore *store);

/* The process ends: what was not committed is gone, a failed store works again. */
void memstore_crash(struct memstore *store);

/* The @nth commit from now fails (1: the next), and with it the store. 0: none. */
void memstore_fail_commit(struct memstore *store, unsigned nth);

/* All records, for invariants. */
const struct table *memstore_table(const struct memstore *store);
uint64_t memstore_commit_count(const struct memstore *store);

#endif
