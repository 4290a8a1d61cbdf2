/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/fleet/report.h"

#include "common/base/limits.h"
#include "common/base/mem.h"

#include <assert.h>
#include <stdlib.h>

/* The first rule that is broken, in words; sticky: later checks do not replace it. */
struct verdict {
    char *problem;
};

static void refuse(struct verdict *verdict, const char *object, const char *rule)
{
    if (!verdict->problem)
        verdict->problem = mem_format("%s %s", object, rule);
}

const char *health_name(enum health health)
{
    static const char *const names[] = {
#define HEALTH_NAME(name, text) [HEALTH_##name] = text,
        HEALTH_LIST(HEALTH_NAME)
#undef HEALTH_NAME
    };

    assert(health < HEALTH_COUNT);
    return names[health];
}

static struct walltime walltime_from_wire(uint64_t ns)
{
    /* beyond the year 2262 a time is nonsense; it must not become negative */
    return (struct walltime){.ns = ns > INT64_MAX ? 0 : (int64_t)ns};
}

static char *read_text(const char *text)
{
    size_t size = strnlen(text, REPORT_TEXT_SIZE_MAX);
    char *copy = mem_new(size + 1, 1);

    memcpy(copy, text, size);
    return copy;
}

static struct guid read_guid(ProtobufCBinaryData bytes, struct verdict *verdict, const char *object)
{
    struct guid id = {{0}};

    if (bytes.len == GUID_SIZE)
        memcpy(id.bytes, bytes.data, GUID_SIZE);
    else
        refuse(verdict, object, "is not 16 bytes long");
    return id;
}

static enum health read_health(Coterie__V1__Health wire, struct verdict *verdict)
{
    if (wire == COTERIE__V1__HEALTH__HEALTH_OK)
        return HEALTH_OK;
    if (wire == COTERIE__V1__HEALTH__HEALTH_BUSY)
        return HEALTH_BUSY;
    if (wire == COTERIE__V1__HEALTH__HEALTH_DEGRADED)
        return HEALTH_DEGRADED;
    if (wire == COTERIE__V1__HEALTH__HEALTH_STOPPED)
        return HEALTH_STOPPED;
    refuse(verdict, "a health", "has an unknown value");
    return HEALTH_UNKNOWN;
}

/* Problems beyond the limit are cut, not refused: a sick agent must still be heard. */
static size_t read_problems(Coterie__V1__Problem *const *wire, size_t count,
                            struct report_problem **out_problems)
{
    if (count > REPORT_PROBLEM_COUNT_MAX)
        count = REPORT_PROBLEM_COUNT_MAX;
    struct report_problem *problems = mem_new(count, sizeof(*problems));

    for (size_t i = 0; i < count; i++) {
        problems[i].object = read_text(wire[i]->object);
        problems[i].cause = read_text(wire[i]->cause);
        problems[i].remedy = read_text(wire[i]->remedy);
        problems[i].since = walltime_from_wire(wire[i]->since_ns);
        problems[i].count = wire[i]->count;
    }
    *out_problems = problems;
    return count;
}

static void free_problems(struct report_problem *problems, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(problems[i].object);
        free(problems[i].cause);
        free(problems[i].remedy);
    }
    free(problems);
}

static void read_entry(const Coterie__V1__VectorEntry *wire, struct report_vector_entry *entry,
                       struct verdict *verdict)
{
    size_t count = wire->n_bounds / 2;

    entry->database = read_guid(wire->database_guid, verdict, "a vector's database");
    if (wire->n_bounds % 2 != 0 || count == 0)
        refuse(verdict, "a vector's entry", "does not hold pairs of bounds");
    entry->intervals = mem_new(count, sizeof(*entry->intervals));
    entry->interval_count = count;
    for (size_t i = 0; i < count; i++) {
        struct report_interval interval = {.low = wire->bounds[2 * i],
                                           .high = wire->bounds[2 * i + 1]};

        if (interval.low >= interval.high ||
            (i > 0 && interval.low <= entry->intervals[i - 1].high))
            refuse(verdict, "a vector's entry", "is not ascending");
        entry->intervals[i] = interval;
    }
}

static void read_vector(const Coterie__V1__VersionVector *wire, struct report_vector *vector,
                        struct verdict *verdict)
{
    size_t interval_count = 0;

    if (!wire)
        return;
    for (size_t i = 0; i < wire->n_entries; i++)
        interval_count += wire->entries[i]->n_bounds / 2;
    if (wire->n_entries > VECTOR_DATABASE_COUNT_MAX || interval_count > VECTOR_INTERVAL_COUNT_MAX) {
        refuse(verdict, "a vector", "has more entries than allowed");
        return;
    }
    vector->entries = mem_new(wire->n_entries, sizeof(*vector->entries));
    vector->entry_count = wire->n_entries;
    for (size_t i = 0; i < wire->n_entries; i++) {
        read_entry(wire->entries[i], &vector->entries[i], verdict);
        if (i > 0 &&
            guid_compare(&vector->entries[i - 1].database, &vector->entries[i].database) >= 0)
            refuse(verdict, "a vector", "is not ascending by database");
    }
}

static void free_vector(struct report_vector *vector)
{
    for (size_t i = 0; i < vector->entry_count; i++)
        free(vector->entries[i].intervals);
    free(vector->entries);
}

static int compare_connections(const void *a, const void *b)
{
    const struct connection_report *left = a;
    const struct connection_report *right = b;
    int order = guid_compare(&left->connection, &right->connection);

    return order != 0 ? order : (int)left->inbound - (int)right->inbound;
}

static void read_connection(const Coterie__V1__ConnectionReport *wire,
                            struct connection_report *connection, struct verdict *verdict)
{
    connection->connection = read_guid(wire->connection_guid, verdict, "a connection");
    connection->inbound = wire->inbound;
    connection->state = read_text(wire->state);
    connection->health = read_health(wire->health, verdict);
    connection->problem_count =
        read_problems(wire->problems, wire->n_problems, &connection->problems);
    connection->backlog_files = wire->backlog_files;
    connection->bytes_received = wire->bytes_received;
    connection->bytes_sent = wire->bytes_sent;
    connection->updates_done = wire->updates_done;
    connection->last_sync = walltime_from_wire(wire->last_sync_ns);
}

static int compare_folders(const void *a, const void *b)
{
    const struct folder_report *left = a;
    const struct folder_report *right = b;

    return guid_compare(&left->folder, &right->folder);
}

static void read_folder(const Coterie__V1__FolderReport *wire, struct folder_report *folder,
                        struct verdict *verdict)
{
    folder->folder = read_guid(wire->folder_guid, verdict, "a folder");
    if (wire->database_guid.len != 0) /* absent until the folder has a database */
        folder->database = read_guid(wire->database_guid, verdict, "a folder's database");
    folder->state = read_text(wire->state);
    folder->health = read_health(wire->health, verdict);
    folder->problem_count = read_problems(wire->problems, wire->n_problems, &folder->problems);
    folder->file_count = wire->file_count;
    folder->content_bytes = wire->content_bytes;
    folder->conflict_count = wire->conflict_count;
    folder->preserved_count = wire->preserved_count;
    folder->activity = read_text(wire->activity);
    read_vector(wire->vector, &folder->vector, verdict);
    if (wire->n_connections > REPORT_CONNECTION_COUNT_MAX) {
        refuse(verdict, "a folder", "has more connections than allowed");
        return;
    }
    folder->connections = mem_new(wire->n_connections, sizeof(*folder->connections));
    folder->connection_count = wire->n_connections;
    for (size_t i = 0; i < wire->n_connections; i++)
        read_connection(wire->connections[i], &folder->connections[i], verdict);
    qsort(folder->connections, folder->connection_count, sizeof(*folder->connections),
          compare_connections);
}

static void free_folder(struct folder_report *folder)
{
    free(folder->state);
    free(folder->activity);
    free_problems(folder->problems, folder->problem_count);
    free_vector(&folder->vector);
    for (size_t i = 0; i < folder->connection_count; i++) {
        free(folder->connections[i].state);
        free_problems(folder->connections[i].problems, folder->connections[i].problem_count);
    }
    free(folder->connections);
}

bool report_decode(const Coterie__V1__Report *wire, struct report **out_report, char **out_problem)
{
    struct verdict verdict = {0};

    if (wire->n_folders > REPORT_FOLDER_COUNT_MAX) {
        *out_problem = mem_format("the report has %zu folders, more than %u", wire->n_folders,
                                  REPORT_FOLDER_COUNT_MAX);
        return false;
    }
    struct report *report = MEM_NEW(struct report);

    report->made = walltime_from_wire(wire->time_ns);
    report->resident_bytes = wire->resident_bytes;
    report->cpu_ms = wire->cpu_ms;
    report->problem_count = read_problems(wire->problems, wire->n_problems, &report->problems);
    report->folders = mem_new(wire->n_folders, sizeof(*report->folders));
    report->folder_count = wire->n_folders;
    for (size_t i = 0; i < wire->n_folders; i++)
        read_folder(wire->folders[i], &report->folders[i], &verdict);
    qsort(report->folders, report->folder_count, sizeof(*report->folders), compare_folders);
    if (verdict.problem) {
        report_free(report);
        *out_problem = verdict.problem;
        return false;
    }
    *out_report = report;
    return true;
}

void report_free(struct report *report)
{
    if (!report)
        return;
    for (size_t i = 0; i < report->folder_count; i++)
        free_folder(&report->folders[i]);
    free(report->folders);
    free_problems(report->problems, report->problem_count);
    free(report);
}

const struct folder_report *report_folder(const struct report *report, const struct guid *folder)
{
    const struct folder_report key = {.folder = *folder};

    if (!report || report->folder_count == 0)
        return NULL;
    return bsearch(&key, report->folders, report->folder_count, sizeof(*report->folders),
                   compare_folders);
}

const struct connection_report *folder_report_connection(const struct folder_report *folder,
                                                         const struct guid *connection,
                                                         bool inbound)
{
    const struct connection_report key = {.connection = *connection, .inbound = inbound};

    if (!folder || folder->connection_count == 0)
        return NULL;
    return bsearch(&key, folder->connections, folder->connection_count,
                   sizeof(*folder->connections), compare_connections);
}

static uint64_t saturating_add(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* Both lists ascend, so one pass over each is enough. */
static uint64_t entry_lacks(const struct report_vector_entry *got,
                            const struct report_vector_entry *have)
{
    uint64_t lacking = 0;
    size_t g = 0;

    for (size_t h = 0; h < have->interval_count; h++) {
        uint64_t at = have->intervals[h].low; /* all up to here is accounted for */
        uint64_t high = have->intervals[h].high;

        while (at < high) {
            while (got && g < got->interval_count && got->intervals[g].high <= at)
                g++;
            if (!got || g == got->interval_count || got->intervals[g].low >= high) {
                lacking = saturating_add(lacking, high - at);
                break;
            }
            if (got->intervals[g].low > at)
                lacking = saturating_add(lacking, got->intervals[g].low - at);
            at = got->intervals[g].high;
        }
    }
    return lacking;
}

uint64_t report_vector_lacks(const struct report_vector *got, const struct report_vector *have)
{
    uint64_t lacking = 0;
    size_t g = 0;

    for (size_t h = 0; h < have->entry_count; h++) {
        const struct report_vector_entry *entry = &have->entries[h];
        const struct report_vector_entry *match = NULL;

        while (g < got->entry_count &&
               guid_compare(&got->entries[g].database, &entry->database) < 0)
            g++;
        if (g < got->entry_count && guid_equal(&got->entries[g].database, &entry->database))
            match = &got->entries[g];
        lacking = saturating_add(lacking, entry_lacks(match, entry));
    }
    return lacking;
}
