/* SPDX-License-Identifier: Apache-2.0 */
/*
 * controller/reading.h: one complete reading of the directory, worked out: the topology, what is
 * wrong with it, the plan, and each assignment as it travels.
 *
 * Pure but for the log, which tells what changed since the reading before.
 */
#ifndef CONTROLLER_READING_H
#define CONTROLLER_READING_H

#include "controller/fleet/fleet.h"
#include "controller/plan/plan.h"
#include "controller/topology/topology.h"

#define READING_FINDINGS_COUNT 2 /* lists: of the topology, of the plan */

struct reading;

/*
 * @realm completes principals that the directory gives without one. @previous may be NULL; it is
 * read, not kept. The generation is one more than that of @previous if any assignment or principal
 * differs, and the same if none does.
 */
struct reading *reading_new(const struct ad_entries *entries, const char *realm,
                            const struct reading *previous, const struct log_ctx *log);
void reading_free(struct reading *reading); /* NULL allowed */

/* One for each computer of the plan. Borrowed until reading_free(). */
const struct fleet_computer *reading_computers(const struct reading *reading, size_t *out_count);
const struct findings *reading_findings(const struct reading *reading, size_t list);
uint64_t reading_generation(const struct reading *reading); /* NULL: 0 */

#endif
