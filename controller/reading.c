/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/reading.h"

#include "common/base/mem.h"
#include "controller/topology/diff.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

struct reading {
    struct topology *topology;
    struct plan *plan;
    struct fleet_computer *computers; /* as the plan's, in its order */
    struct buf *encoded;              /* likewise */
    uint64_t generation;
};

/* An error costs replication somewhere, so it is said each time it is new. */
static void log_findings(const struct findings *now, const struct findings *before,
                         const struct log_ctx *log)
{
    for (size_t i = 0; i < now->count; i++) {
        const struct finding *finding = &now->items[i];
        bool known = false;

        for (size_t b = 0; before && b < before->count && !known; b++)
            known = strcmp(before->items[b].object, finding->object) == 0 &&
                    strcmp(before->items[b].problem, finding->problem) == 0;
        if (known)
            continue;
        if (finding->severity == SEVERITY_NOTE)
            log_info(log, "object=\"%s\" %s; %s", finding->object, finding->problem,
                     finding->remedy);
        else
            log_warn(log, "object=\"%s\" %s; %s", finding->object, finding->problem,
                     finding->remedy);
    }
}

/* How many changes are told one by one; the first reading and a great change are only counted. */
#define CHANGES_TOLD_MAX 20

static void log_changes(const struct topology *before, const struct topology *now,
                        const struct log_ctx *log)
{
    struct changes changes = topology_diff(before, now);

    if (before && changes.count <= CHANGES_TOLD_MAX) {
        for (size_t i = 0; i < changes.count; i++)
            log_info(log, "%s %s \"%s\"%s%s", change_kind_name(changes.items[i].kind),
                     changes.items[i].what, changes.items[i].name,
                     changes.items[i].detail[0] != '\0' ? ": " : "", changes.items[i].detail);
    } else {
        log_info(log,
                 "directory has %zu changes: groups=%zu folders=%zu members=%zu "
                 "connections=%zu",
                 changes.count, now->group_count, now->folder_count, now->member_count,
                 now->connection_count);
    }
    changes_fini(&changes);
}

static bool same_computer(const struct plan_computer *a, const struct plan_computer *b)
{
    if (!guid_equal(&a->computer, &b->computer) || strcmp(a->name, b->name) != 0 ||
        a->principal_count != b->principal_count || !a->assignment != !b->assignment)
        return false;
    if (a->assignment &&
        memcmp(a->assignment->digest, b->assignment->digest, ASSIGNMENT_DIGEST_SIZE) != 0)
        return false;
    for (size_t i = 0; i < a->principal_count; i++)
        if (strcmp(a->principals[i], b->principals[i]) != 0)
            return false;
    return true;
}

static bool same_plan(const struct plan *a, const struct plan *b)
{
    if (a->computer_count != b->computer_count)
        return false;
    for (size_t i = 0; i < a->computer_count; i++)
        if (!same_computer(&a->computers[i], &b->computers[i]))
            return false;
    return true;
}

/* The plan with the generation that it deserves: it stands in each assignment. */
static void make_plan(struct reading *reading, const char *realm, const struct reading *previous)
{
    struct plan_options options = {.realm = realm, .generation = reading_generation(previous)};

    reading->plan = plan_make(reading->topology, &options);
    if (!previous || !same_plan(previous->plan, reading->plan)) {
        plan_free(reading->plan);
        options.generation++;
        reading->plan = plan_make(reading->topology, &options);
    }
    reading->generation = options.generation;
}

static void encode(struct reading *reading)
{
    size_t count = reading->plan->computer_count;

    reading->computers = mem_new(count, sizeof(*reading->computers));
    reading->encoded = mem_new(count, sizeof(*reading->encoded));
    for (size_t i = 0; i < count; i++) {
        struct plan_computer *computer = &reading->plan->computers[i];

        if (computer->assignment)
            assignment_encode(computer->assignment, &reading->encoded[i]);
        reading->computers[i] = (struct fleet_computer){
            .name = computer->name,
            .principals = computer->principals,
            .principal_count = computer->principal_count,
            .assignment = computer->assignment,
            .encoded = buf_span(&reading->encoded[i]),
        };
    }
}

struct reading *reading_new(const struct ad_entries *entries, const char *realm,
                            const struct reading *previous, const struct log_ctx *log)
{
    struct reading *reading = MEM_NEW(struct reading);

    reading->topology = topology_read(entries, previous ? previous->topology : NULL);
    topology_check(reading->topology);
    make_plan(reading, realm, previous);
    encode(reading);
    if (!previous || reading->generation != previous->generation) {
        log_changes(previous ? previous->topology : NULL, reading->topology, log);
        log_info(log, "plan generation=%" PRIu64 " computers=%zu", reading->generation,
                 reading->plan->computer_count);
    }
    log_findings(&reading->topology->findings, previous ? &previous->topology->findings : NULL,
                 log);
    log_findings(&reading->plan->findings, previous ? &previous->plan->findings : NULL, log);
    return reading;
}

void reading_free(struct reading *reading)
{
    if (!reading)
        return;
    for (size_t i = 0; i < reading->plan->computer_count; i++)
        buf_fini(&reading->encoded[i]);
    free(reading->encoded);
    free(reading->computers);
    plan_free(reading->plan);
    topology_free(reading->topology);
    free(reading);
}

const struct fleet_computer *reading_computers(const struct reading *reading, size_t *out_count)
{
    *out_count = reading->plan->computer_count;
    return reading->computers;
}

const struct findings *reading_findings(const struct reading *reading, size_t list)
{
    assert(list < READING_FINDINGS_COUNT);
    return list == 0 ? &reading->topology->findings : &reading->plan->findings;
}

uint64_t reading_generation(const struct reading *reading)
{
    return reading ? reading->generation : 0;
}
