/* SPDX-License-Identifier: Apache-2.0 */
/*
 * controller/fleet/report.h: what an agent last said about itself, as a checked plain value.
 *
 * report_decode() is the only way from the wire to here: counts are bounded, long texts are cut,
 * identifiers have their size, wire enums become ours. Texts may still hold any bytes: whoever
 * prints them escapes them.
 *
 * A vector in a report says which changes the member has processed. Comparing the vectors of both
 * ends of a connection is how the controller knows whether they are in sync; it never asks one end.
 */
#ifndef CONTROLLER_FLEET_REPORT_H
#define CONTROLLER_FLEET_REPORT_H

#include "common/base/guid.h"
#include "common/base/instant.h"

#include "proto/fleet.pb-c.h"

/* From best to worst: the worse of two is the greater. */
#define HEALTH_LIST(X)                                                                             \
    X(OK, "ok")             /* works, and has nothing to do */                                     \
    X(BUSY, "busy")         /* works towards ok by itself */                                       \
    X(UNKNOWN, "unknown")   /* cannot be said: a report is missing or old */                       \
    X(DEGRADED, "degraded") /* works, but somebody should look */                                  \
    X(STOPPED, "stopped")   /* does not replicate */

enum health {
#define HEALTH_ENUM(name, text) HEALTH_##name,
    HEALTH_LIST(HEALTH_ENUM)
#undef HEALTH_ENUM
        HEALTH_COUNT,
};

const char *health_name(enum health health);
static inline enum health health_worse(enum health a, enum health b)
{
    return a > b ? a : b;
}

struct report_problem {
    char *object;
    char *cause;
    char *remedy;
    struct walltime since;
    uint64_t count;
};

struct report_interval {
    uint64_t low;  /* not contained */
    uint64_t high; /* contained */
};

struct report_vector_entry {
    struct guid database;
    struct report_interval *intervals; /* ascending, neither touching nor empty */
    size_t interval_count;
};

struct report_vector {
    struct report_vector_entry *entries; /* ascending by database */
    size_t entry_count;
};

struct connection_report {
    struct guid connection;
    bool inbound;
    char *state;
    enum health health;
    struct report_problem *problems;
    size_t problem_count;
    uint64_t backlog_files; /* of an outbound connection only */
    uint64_t bytes_received;
    uint64_t bytes_sent;
    uint64_t updates_done;
    struct walltime last_sync; /* 0: never */
};

struct folder_report {
    struct guid folder;
    struct guid database;
    char *state;
    enum health health;
    struct report_problem *problems;
    size_t problem_count;
    uint64_t file_count;
    uint64_t content_bytes;
    uint64_t conflict_count;
    uint64_t preserved_count;
    char *activity; /* what is under way, in a clause; "": idle */
    struct report_vector vector;
    struct connection_report *connections; /* ascending by connection, outbound before inbound */
    size_t connection_count;
};

struct report {
    struct walltime made;
    struct folder_report *folders; /* ascending by folder */
    size_t folder_count;
    struct report_problem *problems; /* of the agent as a whole */
    size_t problem_count;
    uint64_t resident_bytes;
    uint64_t cpu_ms;
};

/*
 * Check and copy a report from the wire. On failure *out_problem (caller frees) says which rule it
 * breaks and *out_report is untouched.
 */
bool report_decode(const Coterie__V1__Report *wire, struct report **out_report, char **out_problem);
void report_free(struct report *report); /* NULL allowed */

/* NULL when the report does not speak of it. Borrowed. */
const struct folder_report *report_folder(const struct report *report, const struct guid *folder);
const struct connection_report *folder_report_connection(const struct folder_report *folder,
                                                         const struct guid *connection,
                                                         bool inbound);

/*
 * How many changes @have contains that @got lacks; 0 exactly when @got covers @have. Saturates.
 */
uint64_t report_vector_lacks(const struct report_vector *got, const struct report_vector *have);

#endif
