/* SPDX-License-Identifier: Apache-2.0 */
/* Content: our fetches from partners, and theirs from us. */
#include "agent/folder/parts.h"

#include "agent/transfer/fetch.h"
#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/base/scope.h"

#include <stdlib.h>

struct serving {
    struct serving *next;
    struct folder *folder;
    struct guid connection;
    struct fetch_server *server;
};

static struct fetch_services services_for(struct folder *f, const struct guid *connection)
{
    return (struct fetch_services){
        .loop = f->services->loop,
        .root = f->root,
        .signatures = f->signatures,
        .stage = f->stage,
        .connection = *connection,
        .folder = f->guid,
        .database = replica_state(f->replica)->database,
        .log = &f->log,
        .job_begin = folder_job_begin,
        .job_end = folder_job_end,
        .arg = f,
    };
}

static void on_fetched(const struct fetch_result *result, intake_source source, void *arg)
{
    struct folder *f = arg;

    if (!result->ok)
        log_info(&f->log, "fetch failed, trying again: %s", result->reason);
    else
        seeds_note(f, &result->content, &result->traits);
    if (!result->ok && (result->status == ST_FULL || result->status == ST_IO))
        folder_stage_trouble(f, result->status);
    intake_fetched(f->intake, source, &result->gvsn, result->ok, result->staged.number,
                   &result->staged.object, loop_now(f->services->loop));
    apply_kick(f);
}

struct fetch_client *fetching_open(struct folder *f, intake_source source,
                                   struct rpc_channel *channel,
                                   const struct connection_assignment *connection)
{
    struct fetch_client_options options = {
        .services = services_for(f, &connection->connection),
        .channel = channel,
        .source = source,
        .on_fetched = on_fetched,
        .arg = f,
    };

    return fetch_client_open(&options);
}

/* What the directory says of the connection. */
static bool deltas_wanted(const struct folder *f, const struct fetch_client *client, uint64_t size)
{
    const struct connection_assignment *c =
        folder_find_inbound(f, fetch_client_connection(client));

    return c && c->rdc_enabled && size >= c->rdc_size_min;
}

void fetching_start(struct folder *f, intake_source source, const struct update *update)
{
    struct fetch_client *client = pull_fetch_client(f, source);
    struct fetch_seeds seeds = {0};

    if (!client) {
        intake_fetched(f->intake, source, &update->gvsn, false, 0, NULL,
                       loop_now(f->services->loop));
        return;
    }
    seeds_find(f, update, deltas_wanted(f, client, update->size), &seeds);
    fetch_client_start(client, update, &seeds);
}

/* --- for partners --- */

/* The record of a version that was told is here, and its content can not be read: a link that was to travel
 * with its update, say, and is another one by now. */
static void tell_unreadable(struct folder *f, const struct record *record)
{
    scope(buf) struct buf name = {0};
    scope_free char *path = NULL;

    buf_append_escaped(&name, (const char *)record->update.name, record->update.name_size);
    log_info(&f->log, "a partner asks in vain for a file, it is looked at file=%s", buf_text(&name));
    if (replica_path_on_disk(f->replica, &record->update.id, &path))
        local_look(f->local, path);
}

static bool find_version(const struct file_id *id, const struct gvsn *gvsn,
                         struct record *out_record, char **out_path, void *arg)
{
    struct serving *v = arg;
    struct folder *f = v->folder;

    if (!f->reader.ops->get(f->reader.arg, id, out_record))
        return false;

    bool is_here = gvsn_equal(&out_record->update.gvsn, gvsn) && out_record->update.present;

    if (is_here && out_record->place == PLACE_TREE && out_record->update.kind == FILE_REGULAR &&
        replica_path_on_disk(f->replica, id, out_path))
        return true;
    if (is_here)
        tell_unreadable(f, out_record);
    record_fini(out_record);
    *out_record = (struct record){0};
    return false;
}

static bool find_content(const struct content_hash *content, struct record *out_record,
                         char **out_path, void *arg)
{
    struct serving *v = arg;

    return seeds_find_content(v->folder, content, out_record, out_path);
}

static void on_changed(const char *path, void *arg)
{
    struct serving *v = arg;

    local_look(v->folder->local, path);
}

static void serving_free(struct serving *v)
{
    struct serving **at = &v->folder->servings;

    while (*at != v)
        at = &(*at)->next;
    *at = v->next;
    free(v);
}

static void count_serving(struct serving *v, const struct fetch_server *server)
{
    uint64_t sent;
    uint64_t received;

    fetch_server_bytes(server, &sent, &received);
    serve_count(v->folder, &v->connection, sent, received);
}

static void on_served(struct fetch_server *server, void *arg)
{
    count_serving(arg, server);
    serving_free(arg);
}

void fetching_serve(struct folder *f, struct rpc_stream *stream,
                    const struct connection_assignment *connection)
{
    struct serving *v = MEM_NEW(struct serving);
    struct fetch_server_options options = {
        .services = services_for(f, &connection->connection),
        .stream = stream,
        .find = find_version,
        .find_content = find_content,
        .on_changed = on_changed,
        .on_end = on_served,
        .arg = v,
    };

    v->folder = f;
    v->connection = connection->connection;
    v->next = f->servings;
    f->servings = v;
    v->server = fetch_server_open(&options);
}

void fetching_check(struct folder *f)
{
    for (struct serving *v = f->servings; v; v = v->next) {
        const char *reason = connection_closed_reason(folder_find_outbound(f, &v->connection));

        if (reason)
            fetch_server_finish(v->server, RPC_END_STOPPED, reason);
    }
}

void fetching_close_all(struct folder *f)
{
    while (f->servings) {
        struct serving *v = f->servings;

        count_serving(v, v->server);
        fetch_server_close(v->server);
        serving_free(v);
    }
}

void fetching_add_bytes(const struct folder *f, const struct guid *connection, uint64_t *sent,
                        uint64_t *received)
{
    for (const struct serving *v = f->servings; v; v = v->next) {
        uint64_t stream_sent;
        uint64_t stream_received;

        if (!guid_equal(&v->connection, connection))
            continue;
        fetch_server_bytes(v->server, &stream_sent, &stream_received);
        *sent += stream_sent;
        *received += stream_received;
    }
}
