/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/model/schedule.h: the weekly replication schedule, msDFSR-Schedule.
 *
 * 336 bytes: 7 days from Sunday, 24 hours, 2 bytes an hour, 4 bits a quarter of an hour. A nibble
 * is a bandwidth level: 0 closed, 15 unlimited, 1..14 as listed in reference of [MS-FRS2] 2.3.11.
 * The first quarter stands in the high nibble of the first byte (see docs/decisions for the doubt).
 * Pure: time comes as a value.
 */
#ifndef COMMON_MODEL_SCHEDULE_H
#define COMMON_MODEL_SCHEDULE_H

#include "common/base/instant.h"
#include "common/base/span.h"

#include <stdbool.h>
#include <stdint.h>

#define SCHEDULE_SIZE       336
#define SCHEDULE_SLOT_COUNT 672

struct schedule {
    uint8_t levels[SCHEDULE_SIZE];
    bool local_time; /* the receiver's zone; otherwise UTC */
};

/* Always open, unlimited. */
struct schedule schedule_always(void);
/* False unless @bytes is exactly 336 long. */
bool schedule_parse(struct span bytes, bool local_time, struct schedule *out_schedule);
/* 0 closed … 15 unlimited. */
unsigned schedule_level_at(const struct schedule *schedule, struct walltime now);
/* Kilobits per second of a level; 0 for closed, UINT64_MAX for unlimited. */
uint64_t schedule_level_kbits(unsigned level);
/* The first time after @now at which the level differs from that at @now; false when it never does.
 */
bool schedule_next_change(const struct schedule *schedule, struct walltime now,
                          struct walltime *out_when);

#endif
