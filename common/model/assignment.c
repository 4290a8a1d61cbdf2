/* SPDX-License-Identifier: Apache-2.0 */
#include "common/model/assignment.h"

#include "common/base/mem.h"
#include "common/base/scope.h"
#include "common/model/assignment_wire.h"

#include <assert.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

static_assert(ASSIGNMENT_DIGEST_SIZE == SHA256_DIGEST_LENGTH, "the digest is a SHA-256");

static void connections_free(struct connection_assignment *connections, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct connection_assignment *c = &connections[i];

        free(c->partner_name);
        free(c->partner_host);
        for (size_t k = 0; k < c->partner_principal_count; k++)
            free(c->partner_principals[k]);
        free(c->partner_principals);
    }
    free(connections);
}

static void folder_fini(struct folder_assignment *folder)
{
    free(folder->group_name);
    free(folder->folder_name);
    free(folder->root_path);
    free(folder->staging_path);
    free(folder->preserve_path);
    free(folder->problem);
    filter_fini(&folder->file_filter);
    filter_fini(&folder->directory_filter);
    connections_free(folder->inbound, folder->inbound_count);
    connections_free(folder->outbound, folder->outbound_count);
}

void assignment_free(struct assignment *assignment)
{
    if (!assignment)
        return;
    for (size_t i = 0; i < assignment->folder_count; i++)
        folder_fini(&assignment->folders[i]);
    free(assignment->folders);
    free(assignment->computer_name);
    free(assignment);
}

static int by_folder(const void *a, const void *b)
{
    const struct folder_assignment *left = a;
    const struct folder_assignment *right = b;

    return guid_compare(&left->folder, &right->folder);
}

static int by_connection(const void *a, const void *b)
{
    const struct connection_assignment *left = a;
    const struct connection_assignment *right = b;

    return guid_compare(&left->connection, &right->connection);
}

static void sort_connections(struct connection_assignment *connections, size_t count)
{
    if (count > 1)
        qsort(connections, count, sizeof(*connections), by_connection);
}

static void sort(struct assignment *assignment)
{
    if (assignment->folder_count > 1)
        qsort(assignment->folders, assignment->folder_count, sizeof(*assignment->folders),
              by_folder);
    for (size_t i = 0; i < assignment->folder_count; i++) {
        sort_connections(assignment->folders[i].inbound, assignment->folders[i].inbound_count);
        sort_connections(assignment->folders[i].outbound, assignment->folders[i].outbound_count);
    }
}

static ProtobufCBinaryData bytes_of(void *data, size_t size)
{
    return (ProtobufCBinaryData){.len = size, .data = data};
}

/* "host:port", an IPv6 literal in brackets; NULL (nothing on the wire) without a host. */
static char *address_of(const struct connection_assignment *c)
{
    if (!c->partner_host || *c->partner_host == '\0')
        return NULL;
    if (strchr(c->partner_host, ':'))
        return mem_format("[%s]:%u", c->partner_host, c->partner_port);
    return mem_format("%s:%u", c->partner_host, c->partner_port);
}

/* The messages of a list of connections, and the pointers to them that protobuf-c asks for. */
struct connection_messages {
    Coterie__V1__Connection *messages;
    Coterie__V1__Connection **pointers;
    size_t count;
};

static struct connection_messages connection_messages_new(struct connection_assignment *connections,
                                                          size_t count)
{
    struct connection_messages out = {.messages = mem_new(count, sizeof(*out.messages)),
                                      .pointers = mem_new(count, sizeof(Coterie__V1__Connection *)),
                                      .count = count};

    for (size_t i = 0; i < count; i++) {
        struct connection_assignment *c = &connections[i];
        Coterie__V1__Connection *m = &out.messages[i];

        coterie__v1__connection__init(m);
        m->connection_guid = bytes_of(c->connection.bytes, GUID_SIZE);
        m->partner_member_guid = bytes_of(c->partner_member.bytes, GUID_SIZE);
        m->partner_name = c->partner_name;
        m->partner_address = address_of(c);
        m->n_partner_principals = c->partner_principal_count;
        m->partner_principals = c->partner_principals;
        m->schedule = bytes_of(c->schedule.levels, SCHEDULE_SIZE);
        m->schedule_local_time = c->schedule.local_time;
        m->enabled = c->enabled;
        m->rdc_enabled = c->rdc_enabled;
        m->rdc_size_min = c->rdc_size_min;
        out.pointers[i] = m;
    }
    return out;
}

static void connection_messages_fini(struct connection_messages *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->messages[i].partner_address);
    free(list->messages);
    free(list->pointers);
}

struct folder_message {
    Coterie__V1__Folder message;
    struct connection_messages inbound;
    struct connection_messages outbound;
};

static void folder_message_init(struct folder_message *out, struct folder_assignment *folder)
{
    Coterie__V1__Folder *m = &out->message;

    out->inbound = connection_messages_new(folder->inbound, folder->inbound_count);
    out->outbound = connection_messages_new(folder->outbound, folder->outbound_count);
    coterie__v1__folder__init(m);
    m->group_guid = bytes_of(folder->group.bytes, GUID_SIZE);
    m->group_name = folder->group_name;
    m->folder_guid = bytes_of(folder->folder.bytes, GUID_SIZE);
    m->folder_name = folder->folder_name;
    m->member_guid = bytes_of(folder->member.bytes, GUID_SIZE);
    m->root_path = folder->root_path;
    m->staging_path = folder->staging_path;
    m->preserve_path = folder->preserve_path;
    m->staging_bytes_max = folder->staging_bytes_max;
    m->preserve_bytes_max = folder->preserve_bytes_max;
    m->enabled = folder->enabled;
    m->read_only = folder->read_only;
    m->primary = folder->primary;
    m->n_file_filters = folder->file_filter.pattern_count;
    m->file_filters = folder->file_filter.patterns;
    m->n_directory_filters = folder->directory_filter.pattern_count;
    m->directory_filters = folder->directory_filter.patterns;
    m->tombstone_life_min = folder->tombstone_life_min;
    m->n_inbound = out->inbound.count;
    m->inbound = out->inbound.pointers;
    m->n_outbound = out->outbound.count;
    m->outbound = out->outbound.pointers;
    m->case_insensitive = folder->case_insensitive;
    m->problem = folder->problem;
}

void assignment_wire_digest(const Coterie__V1__Assignment *message,
                            uint8_t out_digest[ASSIGNMENT_DIGEST_SIZE])
{
    Coterie__V1__Assignment bare = *message;

    bare.digest = bytes_of(NULL, 0);
    bare.generation = 0;
    size_t size = coterie__v1__assignment__get_packed_size(&bare);
    scope_free uint8_t *bytes = mem_new(size, 1);
    coterie__v1__assignment__pack(&bare, bytes);
    SHA256(bytes, size, out_digest);
}

void assignment_encode(struct assignment *assignment, struct buf *out)
{
    size_t count = assignment->folder_count;
    scope_free struct folder_message *folders = mem_new(count, sizeof(*folders));
    scope_free Coterie__V1__Folder **pointers = mem_new(count, sizeof(Coterie__V1__Folder *));
    Coterie__V1__Assignment message;

    sort(assignment);
    for (size_t i = 0; i < count; i++) {
        folder_message_init(&folders[i], &assignment->folders[i]);
        pointers[i] = &folders[i].message;
    }
    coterie__v1__assignment__init(&message);
    message.format = ASSIGNMENT_FORMAT;
    message.computer_name = assignment->computer_name;
    message.n_folders = count;
    message.folders = pointers;
    assignment_wire_digest(&message, assignment->digest);
    message.digest = bytes_of(assignment->digest, ASSIGNMENT_DIGEST_SIZE);
    message.generation = assignment->generation;
    size_t size = coterie__v1__assignment__get_packed_size(&message);
    coterie__v1__assignment__pack(&message, buf_extend(out, size));

    for (size_t i = 0; i < count; i++) {
        connection_messages_fini(&folders[i].inbound);
        connection_messages_fini(&folders[i].outbound);
    }
}
