/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/controller/fleet/wire.h"

#include "common/base/mem.h"

#include <stdio.h>
#include <stdlib.h>

static void **blocks;
static size_t block_count;

void *wire_alloc(size_t size)
{
    blocks = mem_resize(blocks, block_count + 1, sizeof(*blocks));
    blocks[block_count] = mem_new(1, size);
    return blocks[block_count++];
}

void wire_reset(void)
{
    for (size_t i = 0; i < block_count; i++)
        free(blocks[i]);
    free(blocks);
    blocks = NULL;
    block_count = 0;
}

char *wire_text(const char *value)
{
    size_t size = strlen(value) + 1;

    return memcpy(wire_alloc(size), value, size);
}

static ProtobufCBinaryData bytes(uint8_t n, size_t size)
{
    return (ProtobufCBinaryData){.len = size, .data = memset(wire_alloc(size), n, size)};
}

/* One more pointer at the end of a protobuf-c list. */
static void *append(void *list, size_t *count, void *item)
{
    void **longer = wire_alloc((*count + 1) * sizeof(void *));

    if (*count > 0)
        memcpy(longer, list, *count * sizeof(void *));
    longer[(*count)++] = item;
    return longer;
}

struct guid wire_guid(uint8_t n)
{
    struct guid id;

    memset(id.bytes, n, GUID_SIZE);
    return id;
}

Coterie__V1__VersionVector *wire_vector(const struct wire_interval *intervals, size_t count)
{
    Coterie__V1__VersionVector *vector = wire_alloc(sizeof(*vector));
    Coterie__V1__VectorEntry *entry = NULL;

    coterie__v1__version_vector__init(vector);
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || intervals[i].database != intervals[i - 1].database) {
            entry = wire_alloc(sizeof(*entry));
            coterie__v1__vector_entry__init(entry);
            entry->database_guid = bytes(intervals[i].database, GUID_SIZE);
            entry->bounds = wire_alloc(2 * count * sizeof(uint64_t));
            vector->entries = append(vector->entries, &vector->n_entries, entry);
        }
        entry->bounds[entry->n_bounds++] = intervals[i].low;
        entry->bounds[entry->n_bounds++] = intervals[i].high;
    }
    return vector;
}

Coterie__V1__Problem *wire_problem(const char *object, const char *cause, const char *remedy)
{
    Coterie__V1__Problem *problem = wire_alloc(sizeof(*problem));

    coterie__v1__problem__init(problem);
    problem->object = wire_text(object);
    problem->cause = wire_text(cause);
    problem->remedy = wire_text(remedy);
    return problem;
}

Coterie__V1__ConnectionReport *wire_connection(uint8_t connection, bool inbound)
{
    Coterie__V1__ConnectionReport *report = wire_alloc(sizeof(*report));

    coterie__v1__connection_report__init(report);
    report->connection_guid = bytes(connection, GUID_SIZE);
    report->inbound = inbound;
    report->state = wire_text("connected");
    report->health = COTERIE__V1__HEALTH__HEALTH_OK;
    return report;
}

Coterie__V1__FolderReport *wire_folder(uint8_t folder)
{
    Coterie__V1__FolderReport *report = wire_alloc(sizeof(*report));

    coterie__v1__folder_report__init(report);
    report->folder_guid = bytes(folder, GUID_SIZE);
    report->state = wire_text("replicating");
    report->health = COTERIE__V1__HEALTH__HEALTH_OK;
    return report;
}

Coterie__V1__Report *wire_report(void)
{
    Coterie__V1__Report *report = wire_alloc(sizeof(*report));

    coterie__v1__report__init(report);
    return report;
}

void wire_add_folder(Coterie__V1__Report *report, Coterie__V1__FolderReport *folder)
{
    report->folders = append(report->folders, &report->n_folders, folder);
}

void wire_add_connection(Coterie__V1__FolderReport *folder,
                         Coterie__V1__ConnectionReport *connection)
{
    folder->connections = append(folder->connections, &folder->n_connections, connection);
}

static Coterie__V1__AgentMessage *message(Coterie__V1__AgentMessage__BodyCase body)
{
    Coterie__V1__AgentMessage *m = wire_alloc(sizeof(*m));

    coterie__v1__agent_message__init(m);
    m->body_case = body;
    return m;
}

Coterie__V1__AgentMessage *wire_hello(const uint8_t *digest)
{
    Coterie__V1__AgentMessage *m = message(COTERIE__V1__AGENT_MESSAGE__BODY_HELLO);

    m->hello = wire_alloc(sizeof(*m->hello));
    coterie__v1__agent_hello__init(m->hello);
    m->hello->agent_version = wire_text("0.1.0");
    m->hello->host_name = wire_text("somewhere");
    if (digest) {
        m->hello->assignment_digest = bytes(0, ASSIGNMENT_DIGEST_SIZE);
        memcpy(m->hello->assignment_digest.data, digest, ASSIGNMENT_DIGEST_SIZE);
    }
    return m;
}

Coterie__V1__AgentMessage *wire_result(const uint8_t *digest, const char *problem)
{
    Coterie__V1__AgentMessage *m = message(COTERIE__V1__AGENT_MESSAGE__BODY_ASSIGNMENT_RESULT);

    m->assignment_result = wire_alloc(sizeof(*m->assignment_result));
    coterie__v1__assignment_result__init(m->assignment_result);
    m->assignment_result->digest = bytes(0, ASSIGNMENT_DIGEST_SIZE);
    memcpy(m->assignment_result->digest.data, digest, ASSIGNMENT_DIGEST_SIZE);
    m->assignment_result->applied = problem[0] == '\0';
    m->assignment_result->problem = wire_text(problem);
    return m;
}

Coterie__V1__AgentMessage *wire_report_message(Coterie__V1__Report *report)
{
    Coterie__V1__AgentMessage *m = message(COTERIE__V1__AGENT_MESSAGE__BODY_REPORT);

    m->report = report;
    return m;
}

struct fleet_computer wire_computer(const char *name, uint8_t digest)
{
    struct assignment *assignment = wire_alloc(sizeof(*assignment));
    char **principals = wire_alloc(sizeof(char *));
    size_t size = strlen(name) + sizeof("host/@R");

    memset(assignment->digest, digest, sizeof(assignment->digest));
    assignment->computer_name = wire_text(name);
    principals[0] = wire_alloc(size);
    snprintf(principals[0], size, "host/%s@R", name);
    return (struct fleet_computer){.name = assignment->computer_name,
                                   .principals = principals,
                                   .principal_count = 1,
                                   .assignment = assignment,
                                   .encoded = span_of(assignment->digest, 1)};
}

struct moment wire_moment(int64_t ms)
{
    return (struct moment){.instant = {.ns = ms * NS_PER_MS},
                           .wall = {.ns = INT64_C(1790000000) * NS_PER_SEC + ms * NS_PER_MS}};
}
