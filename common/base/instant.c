/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/instant.h"

#include <stdio.h>
#include <time.h>

static int64_t read_clock(clockid_t id)
{
    struct timespec ts;

    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * NS_PER_SEC + ts.tv_nsec;
}

struct instant instant_now(void)
{
    return (struct instant){.ns = read_clock(CLOCK_MONOTONIC)};
}

struct walltime walltime_now(void)
{
    return (struct walltime){.ns = read_clock(CLOCK_REALTIME)};
}

struct walltime_text walltime_format(struct walltime t)
{
    struct walltime_text out;
    time_t seconds = (time_t)(t.ns / NS_PER_SEC);
    int64_t rest = t.ns % NS_PER_SEC;
    struct tm tm;

    if (rest < 0) {
        rest += NS_PER_SEC;
        seconds--;
    }
    gmtime_r(&seconds, &tm);
    snprintf(out.text, sizeof(out.text), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
             tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
             tm.tm_sec, (int)(rest / NS_PER_MS));
    return out;
}
