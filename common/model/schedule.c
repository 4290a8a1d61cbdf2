/* SPDX-License-Identifier: Apache-2.0 */
#include "common/model/schedule.h"

#include <assert.h>
#include <string.h>
#include <time.h>

#define SLOT_SECONDS  900
#define SLOTS_PER_DAY 96
#define LEVEL_OPEN    15u

struct schedule schedule_always(void)
{
    struct schedule schedule = {.local_time = false};

    memset(schedule.levels, 0xff, sizeof(schedule.levels));
    return schedule;
}

bool schedule_parse(struct span bytes, bool local_time, struct schedule *out_schedule)
{
    if (bytes.size != SCHEDULE_SIZE)
        return false;
    memcpy(out_schedule->levels, bytes.data, SCHEDULE_SIZE);
    out_schedule->local_time = local_time;
    return true;
}

static int64_t seconds_of(struct walltime t)
{
    int64_t seconds = t.ns / NS_PER_SEC;

    return t.ns % NS_PER_SEC < 0 ? seconds - 1 : seconds;
}

static struct tm civil_time(const struct schedule *schedule, int64_t seconds)
{
    time_t t = (time_t)seconds;
    struct tm tm = {0};

    if (schedule->local_time)
        localtime_r(&t, &tm);
    else
        gmtime_r(&t, &tm);
    return tm;
}

static unsigned level_of(const struct schedule *schedule, const struct tm *tm)
{
    unsigned slot = (unsigned)(tm->tm_wday * SLOTS_PER_DAY + tm->tm_hour * 4 + tm->tm_min / 15);

    assert(slot < SCHEDULE_SLOT_COUNT);
    uint8_t pair = schedule->levels[slot / 2];
    return slot % 2 == 0 ? pair >> 4 : pair & 0x0f;
}

unsigned schedule_level_at(const struct schedule *schedule, struct walltime now)
{
    struct tm tm = civil_time(schedule, seconds_of(now));

    return level_of(schedule, &tm);
}

uint64_t schedule_level_kbits(unsigned level)
{
    static const uint64_t kbits[] = {0,    16,   64,    128,   256,   512,    1024,   2048,
                                     4096, 8192, 16384, 32768, 65536, 131072, 262144, UINT64_MAX};

    assert(level <= LEVEL_OPEN);
    return kbits[level];
}

static bool never_changes(const struct schedule *schedule)
{
    uint8_t first = schedule->levels[0];

    return first >> 4 == (first & 0x0f) &&
           memcmp(schedule->levels, schedule->levels + 1, SCHEDULE_SIZE - 1) == 0;
}

bool schedule_next_change(const struct schedule *schedule, struct walltime now,
                          struct walltime *out_when)
{
    /* Two weeks, not one: an hour that the clock change skips is met again a week later. */
    const unsigned slot_count_max = 2 * SCHEDULE_SLOT_COUNT;

    if (never_changes(schedule))
        return false;
    int64_t seconds = seconds_of(now);
    struct tm tm = civil_time(schedule, seconds);
    unsigned level = level_of(schedule, &tm);
    for (unsigned i = 0; i < slot_count_max; i++) {
        /* tm_sec may be 60 in a leap second: still at least one second forward */
        int into_slot = tm.tm_min % 15 * 60 + (tm.tm_sec < 60 ? tm.tm_sec : 59);

        seconds += SLOT_SECONDS - into_slot;
        tm = civil_time(schedule, seconds);
        if (level_of(schedule, &tm) != level) {
            out_when->ns = seconds * NS_PER_SEC;
            return true;
        }
    }
    return false;
}
