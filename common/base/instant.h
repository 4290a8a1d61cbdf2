/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/base/instant.h: points in time that must not be mixed.
 *
 * struct instant  monotonic, for timers and delays; meaningless in another process
 * struct walltime since 1970-01-01 UTC, for records and people; may jump
 *
 * Only shells read the clocks; the pure core is handed values.
 */
#ifndef COMMON_BASE_INSTANT_H
#define COMMON_BASE_INSTANT_H

#include <stdint.h>

#define NS_PER_MS  INT64_C(1000000)
#define NS_PER_SEC INT64_C(1000000000)

struct instant {
    int64_t ns;
};

struct walltime {
    int64_t ns;
};

#define WALLTIME_TEXT_SIZE 72 /* what the format could need at most, for any struct tm */
struct walltime_text {
    char text[WALLTIME_TEXT_SIZE];
};

struct instant instant_now(void);
struct walltime walltime_now(void);

/* RFC 3339 in UTC with milliseconds: 2026-11-22T18:40:36.123Z. */
struct walltime_text walltime_format(struct walltime t);

static inline int64_t instant_ms_since(struct instant earlier, struct instant later)
{
    return (later.ns - earlier.ns) / NS_PER_MS;
}

static inline struct instant instant_after_ms(struct instant t, int64_t ms)
{
    return (struct instant){.ns = t.ns + ms * NS_PER_MS};
}

#endif
