/* SPDX-License-Identifier: Apache-2.0 */
/* What the status says about a folder: from both ends' vectors, never from a guess. */
#include "agent/folder/parts.h"

#include "agent/transfer/codec.h"
#include "agent/transfer/fetch.h"
#include "common/base/limits.h"
#include "common/base/mem.h"

#include <stdlib.h>

typedef Coterie__V1__ConnectionReport connection_report;

static ProtobufCBinaryData copy_guid(const struct guid *id)
{
    return (ProtobufCBinaryData){.data = mem_copy(id->bytes, GUID_SIZE), .len = GUID_SIZE};
}

static connection_report *new_report(const struct connection_assignment *c, bool inbound)
{
    connection_report *r = MEM_NEW(connection_report);

    coterie__v1__connection_report__init(r);
    r->connection_guid = copy_guid(&c->connection);
    r->inbound = inbound;
    return r;
}

static void set_connection_problem(connection_report *r, const char *object, const char *cause,
                                   const char *remedy)
{
    struct problems problems = {0};

    problem_set(&problems, walltime_now(), "", object, cause, remedy);
    problems_to_proto(&problems, &r->n_problems, &r->problems);
    problems_fini(&problems);
}

static connection_report *report_inbound(struct folder *f, const struct connection_assignment *c)
{
    connection_report *r = new_report(c, true);
    const char *closed = connection_closed_word(c);
    struct pull_status s = {0};

    if (!pull_status(f, &c->connection, &s) || closed) {
        r->state = mem_copy_string(closed ? closed : "waiting");
        r->health = closed ? COTERIE__V1__HEALTH__HEALTH_OK : COTERIE__V1__HEALTH__HEALTH_STOPPED;
    } else if (s.in_sync) {
        r->state = mem_copy_string("in-sync");
        r->health = COTERIE__V1__HEALTH__HEALTH_OK;
    } else if (s.open) {
        r->state = mem_copy_string("receiving");
        r->health = COTERIE__V1__HEALTH__HEALTH_BUSY;
        if (s.comparing)
            set_connection_problem(r, c->partner_name,
                                   "deletions were missed here that the partner does not remember any "
                                   "more: all files are compared",
                                   "nothing: what is gone there goes here too, and is preserved");
        else if (s.held && s.held_ms > HELD_PROBLEM_MS) {
            r->health = COTERIE__V1__HEALTH__HEALTH_DEGRADED;
            set_connection_problem(r, s.held, "this update could not be put in place yet",
                                   "it is tried again by itself; if it stays, look for this name "
                                   "in both agents' logs");
        }
    } else if (s.partner_busy) {
        r->state = mem_copy_string("waiting for the partner");
        r->health = COTERIE__V1__HEALTH__HEALTH_BUSY;
    } else {
        r->state = mem_copy_string(s.refused ? "refused" : "connecting");
        r->health = COTERIE__V1__HEALTH__HEALTH_DEGRADED;
        if (s.trouble && s.trouble[0] != '\0')
            set_connection_problem(r, c->partner_name, s.trouble,
                                   s.refused ? "read the partner's log; check clocks, keytabs and "
                                               "both members' principals"
                                             : "it is tried again by itself");
    }
    r->bytes_sent = s.bytes_sent;
    r->bytes_received = s.bytes_received;
    r->updates_done = s.updates_done;
    r->last_sync_ns = (uint64_t)(s.in_sync ? walltime_now().ns : s.last_sync.ns);
    return r;
}

static connection_report *report_outbound(struct folder *f, const struct connection_assignment *c)
{
    connection_report *r = new_report(c, false);
    const char *closed = connection_closed_word(c);
    struct serve_status s = {0};

    if (!f->replica || !serve_status(f, &c->connection, &s)) {
        r->state = mem_copy_string(closed ? closed : "waiting");
        r->health = closed ? COTERIE__V1__HEALTH__HEALTH_OK : COTERIE__V1__HEALTH__HEALTH_DEGRADED;
    } else {
        r->state = mem_copy_string(s.in_sync ? "in-sync" : "sending");
        r->health = s.in_sync ? COTERIE__V1__HEALTH__HEALTH_OK : COTERIE__V1__HEALTH__HEALTH_BUSY;
    }
    r->backlog_files = s.backlog;
    serve_bytes(f, &c->connection, &r->bytes_sent, &r->bytes_received);
    return r;
}

static void report_connections(struct folder *f, Coterie__V1__FolderReport *r)
{
    const struct folder_assignment *a = f->assignment;

    r->connections = mem_new(a->inbound_count + a->outbound_count, sizeof(*r->connections));
    for (size_t i = 0; i < a->inbound_count; i++)
        r->connections[r->n_connections++] = report_inbound(f, &a->inbound[i]);
    for (size_t i = 0; i < a->outbound_count; i++)
        r->connections[r->n_connections++] = report_outbound(f, &a->outbound[i]);
}

static const char *state_text(const struct folder *f)
{
    if (f->state == FOLDER_RUNNING && !replica_state(f->replica)->initial_sync_done)
        return "initial sync";
    return folder_state_text(f->state);
}

static Coterie__V1__Health health_of(const struct folder *f)
{
    switch (f->state) {
    case FOLDER_OPENING:
    case FOLDER_SCANNING:
        return COTERIE__V1__HEALTH__HEALTH_BUSY;
    case FOLDER_RUNNING:
        if (f->problems.count > 0)
            return COTERIE__V1__HEALTH__HEALTH_DEGRADED;
        return folder_is_idle(f) ? COTERIE__V1__HEALTH__HEALTH_OK
                                 : COTERIE__V1__HEALTH__HEALTH_BUSY;
    case FOLDER_TROUBLE:
    case FOLDER_CLOSING:
        return COTERIE__V1__HEALTH__HEALTH_STOPPED;
    case FOLDER_HELD:
        return f->problems.count > 0 ? COTERIE__V1__HEALTH__HEALTH_STOPPED
                                     : COTERIE__V1__HEALTH__HEALTH_OK;
    }
    return COTERIE__V1__HEALTH__HEALTH_UNSPECIFIED;
}

static const char *activity_of(const struct folder *f)
{
    const char *activity = f->state == FOLDER_RUNNING ? folder_activity(f) : NULL;

    return activity ? activity : "";
}

Coterie__V1__FolderReport *folder_report(struct folder *f)
{
    Coterie__V1__FolderReport *r = MEM_NEW(Coterie__V1__FolderReport);

    coterie__v1__folder_report__init(r);
    r->folder_guid = copy_guid(&f->guid);
    r->state = mem_copy_string(state_text(f));
    r->health = health_of(f);
    r->activity = mem_copy_string(activity_of(f));
    problems_to_proto(&f->problems, &r->n_problems, &r->problems);
    r->conflict_count = f->conflict_count;
    if (f->db) {
        struct db_counters counters = db_counters(f->db);

        r->file_count = counters.file_count;
        r->content_bytes = counters.content_bytes;
        r->preserved_count = preserve_usage(f->preserve).entry_count;
        r->vector = vector_to_message(replica_vector(f->replica));
        r->database_guid = copy_guid(&replica_state(f->replica)->database);
    }
    report_connections(f, r);
    return r;
}

void folder_report_free(Coterie__V1__FolderReport *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->n_connections; i++) {
        connection_report *c = r->connections[i];

        free(c->connection_guid.data);
        free(c->state);
        problems_proto_free(c->n_problems, c->problems);
        free(c);
    }
    free(r->connections);
    problems_proto_free(r->n_problems, r->problems);
    vector_message_free(r->vector);
    free(r->folder_guid.data);
    free(r->database_guid.data);
    free(r->activity);
    free(r->state);
    free(r);
}
