/* SPDX-License-Identifier: Apache-2.0 */
#include "common/model/assignment.h"

#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/base/scope.h"
#include "common/model/assignment_wire.h"
#include "common/model/path.h"

#include <stdlib.h>
#include <string.h>

/* --- the first broken rule --- */

struct check {
    char *problem;    /* NULL while every rule holds */
    char *folder;     /* the folder being read, for the message; NULL outside */
    char *connection; /* the connection being read; NULL outside */
};

static void check_fini(struct check *check)
{
    free(check->problem);
    free(check->folder);
    free(check->connection);
}

static void require(struct check *check, bool holds, const char *rule)
{
    if (holds || check->problem)
        return;
    if (check->connection)
        check->problem = mem_format("%s: %s: %s", check->folder, check->connection, rule);
    else
        check->problem = mem_format("%s: %s", check->folder ? check->folder : "assignment", rule);
}

/* --- values --- */

static struct guid read_guid(struct check *check, const ProtobufCBinaryData *bytes,
                             const char *rule)
{
    struct guid id = {0};

    if (bytes->len == GUID_SIZE)
        memcpy(id.bytes, bytes->data, GUID_SIZE);
    require(check, !guid_is_zero(&id), rule);
    return id;
}

static char *read_text(struct check *check, const char *text, unsigned size_max, const char *rule)
{
    require(check, model_text_ok(text, size_max), rule);
    return mem_copy_string(text);
}

static char *read_optional_path(struct check *check, const char *path, const char *rule)
{
    require(check, *path == '\0' || model_path_ok(path), rule);
    return mem_copy_string(path);
}

static void read_filter(struct check *check, char **patterns, size_t count, struct filter *out)
{
    for (size_t i = 0; i < count; i++) {
        if (!filter_add(out, patterns[i])) {
            require(check, false,
                    "a filter is empty, or there are more or longer ones than allowed");
            return;
        }
    }
}

static uint64_t read_size(struct check *check, uint64_t value, uint64_t min, uint64_t max,
                          const char *rule)
{
    require(check, value >= min && value <= max, rule);
    return value;
}

/* --- connections --- */

/* "host:port", an IPv6 literal in brackets. False leaves *c alone. */
static bool read_address(const char *address, struct connection_assignment *c)
{
    const char *colon = strrchr(address, ':');
    char *end;

    if (!colon || colon[1] < '1' || colon[1] > '9')
        return false;
    unsigned long port = strtoul(colon + 1, &end, 10);
    if (*end != '\0' || port > UINT16_MAX)
        return false;
    struct span host = span_of(address, (size_t)(colon - address));
    bool bracketed = host.size >= 2 && host.data[0] == '[' && host.data[host.size - 1] == ']';
    if (bracketed)
        host = span_part(host, 1, host.size - 2);
    scope_free char *name = mem_new(host.size + 1, 1);
    if (host.size > 0)
        memcpy(name, host.data, host.size);
    if (!model_host_ok(name) || bracketed != (strchr(name, ':') != NULL))
        return false;
    c->partner_host = mem_copy_string(name);
    c->partner_port = (uint16_t)port;
    return true;
}

static void read_principals(struct check *check, const Coterie__V1__Connection *m,
                            struct connection_assignment *c)
{
    if (m->n_partner_principals > PARTNER_PRINCIPAL_COUNT_MAX) {
        require(check, false, "more partner_principals than allowed");
        return;
    }
    require(check, m->n_partner_principals > 0 || !m->enabled,
            "no partner_principals: nobody could be the partner");
    c->partner_principals = mem_new(m->n_partner_principals, sizeof(*c->partner_principals));
    for (size_t i = 0; i < m->n_partner_principals; i++)
        c->partner_principals[c->partner_principal_count++] =
            read_text(check, m->partner_principals[i], PRINCIPAL_SIZE_MAX,
                      "partner_principals has an empty, too long or unprintable name");
}

static void read_connection(struct check *check, const Coterie__V1__Connection *m, bool inbound,
                            struct connection_assignment *c)
{
    c->connection = read_guid(check, &m->connection_guid, "connection_guid is not 16 bytes");
    struct guid_text id = guid_format(&c->connection);
    free(check->connection);
    check->connection = mem_format("%s connection %s", inbound ? "inbound" : "outbound", id.text);
    c->partner_member =
        read_guid(check, &m->partner_member_guid, "partner_member_guid is not 16 bytes");
    c->partner_name = read_text(check, m->partner_name, HOST_NAME_SIZE_MAX,
                                "partner_name is empty, too long or unprintable");
    if (*m->partner_address == '\0') {
        require(check, !inbound || !m->enabled, "partner_address is missing");
        c->partner_host = mem_copy_string("");
    } else {
        require(check, inbound, "partner_address is set, but it is the partner who connects");
        require(check, read_address(m->partner_address, c), "partner_address is not host:port");
    }
    read_principals(check, m, c);
    require(check,
            schedule_parse(span_of(m->schedule.data, m->schedule.len), m->schedule_local_time != 0,
                           &c->schedule),
            "schedule is not 336 bytes");
    c->enabled = m->enabled;
    c->rdc_enabled = m->rdc_enabled;
    c->rdc_size_min =
        read_size(check, m->rdc_size_min, 0, QUOTA_BYTES_MAX, "rdc_size_min is too big");
}

static struct connection_assignment *read_connections(struct check *check,
                                                      Coterie__V1__Connection **messages,
                                                      size_t count, bool inbound, size_t *out_count)
{
    if (count > FOLDER_CONNECTION_COUNT_MAX) {
        require(check, false, "more connections than allowed");
        return NULL;
    }
    struct connection_assignment *list = mem_new(count, sizeof(*list));
    for (size_t i = 0; i < count; i++) {
        read_connection(check, messages[i], inbound, &list[i]);
        require(check, i == 0 || guid_compare(&list[i - 1].connection, &list[i].connection) < 0,
                "connections are not in ascending order of connection_guid");
    }
    free(check->connection);
    check->connection = NULL;
    *out_count = count;
    return list;
}

/* --- folders --- */

static char *describe_folder(const Coterie__V1__Folder *m, const struct guid *id)
{
    scope(buf) struct buf text = {0};

    buf_append_string(&text, "folder ");
    buf_append_escaped(&text, m->folder_name, strnlen(m->folder_name, OBJECT_NAME_SIZE_MAX));
    buf_printf(&text, " (%s)", guid_format(id).text);
    return mem_copy_string(buf_text(&text));
}

static void read_paths(struct check *check, const Coterie__V1__Folder *m,
                       struct folder_assignment *f)
{
    bool needed = m->enabled && *m->problem == '\0';

    require(check, !needed || *m->root_path != '\0', "root_path is missing");
    f->root_path =
        read_optional_path(check, m->root_path, "root_path is not a plain absolute path");
    f->staging_path =
        read_optional_path(check, m->staging_path, "staging_path is not a plain absolute path");
    f->preserve_path =
        read_optional_path(check, m->preserve_path, "preserve_path is not a plain absolute path");
}

static void read_folder(struct check *check, const Coterie__V1__Folder *m,
                        struct folder_assignment *f)
{
    f->folder = read_guid(check, &m->folder_guid, "a folder_guid is not 16 bytes");
    free(check->folder);
    check->folder = describe_folder(m, &f->folder);
    f->group = read_guid(check, &m->group_guid, "group_guid is not 16 bytes");
    f->member = read_guid(check, &m->member_guid, "member_guid is not 16 bytes");
    f->group_name = read_text(check, m->group_name, OBJECT_NAME_SIZE_MAX,
                              "group_name is empty, too long or unprintable");
    f->folder_name = read_text(check, m->folder_name, OBJECT_NAME_SIZE_MAX,
                               "folder_name is empty, too long or unprintable");
    require(check, *m->problem == '\0' || model_text_ok(m->problem, PROBLEM_SIZE_MAX),
            "problem is too long or unprintable");
    f->problem = mem_copy_string(m->problem);
    read_paths(check, m, f);
    f->staging_bytes_max = read_size(check, m->staging_bytes_max, 1, QUOTA_BYTES_MAX,
                                     "staging_bytes_max is zero or too big");
    f->preserve_bytes_max = read_size(check, m->preserve_bytes_max, 1, QUOTA_BYTES_MAX,
                                      "preserve_bytes_max is zero or too big");
    f->tombstone_life_min = read_size(check, m->tombstone_life_min, 1, TOMBSTONE_LIFE_MIN_MAX,
                                      "tombstone_life_min is zero or too big");
    f->enabled = m->enabled;
    f->read_only = m->read_only;
    f->primary = m->primary;
    f->case_insensitive = m->case_insensitive;
    require(check, !f->read_only || !f->primary, "both read_only and primary");
    read_filter(check, m->file_filters, m->n_file_filters, &f->file_filter);
    read_filter(check, m->directory_filters, m->n_directory_filters, &f->directory_filter);
    f->inbound = read_connections(check, m->inbound, m->n_inbound, true, &f->inbound_count);
    f->outbound = read_connections(check, m->outbound, m->n_outbound, false, &f->outbound_count);
}

static void read_assignment(struct check *check, const Coterie__V1__Assignment *m,
                            struct assignment *assignment)
{
    assignment->generation = m->generation;
    memcpy(assignment->digest, m->digest.data, ASSIGNMENT_DIGEST_SIZE);
    assignment->computer_name = read_text(check, m->computer_name, HOST_NAME_SIZE_MAX,
                                          "computer_name is empty, too long or unprintable");
    if (m->n_folders > ASSIGNMENT_FOLDER_COUNT_MAX) {
        require(check, false, "more folders than allowed");
        return;
    }
    assignment->folders = mem_new(m->n_folders, sizeof(*assignment->folders));
    for (size_t i = 0; i < m->n_folders; i++) {
        struct folder_assignment *f = &assignment->folders[assignment->folder_count++];

        read_folder(check, m->folders[i], f);
        require(check, i == 0 || guid_compare(&f[-1].folder, &f->folder) < 0,
                "folders are not in ascending order of folder_guid");
    }
}

/* --- the message --- */

/* A few bytes on the wire can ask for a hundred times as many in memory: unpack on a budget. */
static void *budget_alloc(void *data, size_t size)
{
    size_t *left = data;

    if (size > *left)
        return NULL;
    *left -= size;
    return mem_try(size);
}

static void budget_free(void *data, void *pointer)
{
    (void)data;
    free(pointer);
}

static bool digest_holds(const Coterie__V1__Assignment *m)
{
    uint8_t digest[ASSIGNMENT_DIGEST_SIZE];

    if (m->digest.len != ASSIGNMENT_DIGEST_SIZE)
        return false;
    assignment_wire_digest(m, digest);
    return memcmp(digest, m->digest.data, ASSIGNMENT_DIGEST_SIZE) == 0;
}

bool assignment_decode(struct span bytes, struct assignment **out_assignment, char **out_problem)
{
    size_t budget = ASSIGNMENT_MEMORY_MAX;
    ProtobufCAllocator allocator = {
        .alloc = budget_alloc, .free = budget_free, .allocator_data = &budget};
    Coterie__V1__Assignment *m = NULL;
    scope(check) struct check check = {0};

    if (bytes.size <= ASSIGNMENT_SIZE_MAX)
        m = coterie__v1__assignment__unpack(&allocator, bytes.size, bytes.data);
    if (!m) {
        *out_problem =
            mem_copy_string("assignment: not an Assignment message, or bigger than allowed");
        return false;
    }
    struct assignment *assignment = MEM_NEW(struct assignment);
    require(&check, m->format == ASSIGNMENT_FORMAT,
            "written in a format that this version does not know; upgrade the older side");
    require(&check, digest_holds(m), "damaged: the digest does not fit the content");
    if (!check.problem)
        read_assignment(&check, m, assignment);
    coterie__v1__assignment__free_unpacked(m, &allocator);
    if (check.problem) {
        assignment_free(assignment);
        *out_problem = check.problem;
        check.problem = NULL;
        return false;
    }
    *out_assignment = assignment;
    return true;
}
