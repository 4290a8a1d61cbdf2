/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/transfer/fetch.h: content from partner to partner: many RDC exchanges over one Fetch stream
 * (PROTOCOL.md, Fetch).
 *
 * A *transfer* is one exchange (common/rdc/exchange.h). Its steps read, hash and write, so they run
 * on workers, one job a transfer at a time; frames come and go on the loop thread.
 */
#ifndef AGENT_TRANSFER_FETCH_H
#define AGENT_TRANSFER_FETCH_H

#include "agent/replica/store.h"
#include "agent/root/root.h"
#include "agent/signatures/signatures.h"
#include "agent/stage/stage.h"
#include "common/base/limits.h"
#include "common/rpc/rpc.h"

/* What both ends share. */
struct fetch_services {
    struct loop *loop;
    const struct root *root;
    struct signatures *signatures;
    struct stage *stage;
    struct guid connection;
    struct guid folder;
    struct guid database; /* ours */
    const struct log_ctx *log;
    /* A job runs on a worker between these two: who owns root and stage waits for them. */
    void (*job_begin)(void *arg);
    void (*job_end)(void *arg);
    void *arg;
};

/* --- the receiving end --- */

struct fetch_client;

/* A local file that may resemble what is fetched, or be just that. */
struct fetch_seed {
    char *path;
    struct object object;
    struct witness witness;
    struct content_hash hash;
    uint64_t size;
};

/* Best first. */
struct fetch_seeds {
    struct fetch_seed items[RDC_SEED_COUNT_MAX];
    unsigned count;
};

/* The file that @record claims, at @path, which is taken over; dropped when there is no room left. */
void fetch_seeds_take(struct fetch_seeds *seeds, const struct record *record, char *path);
void fetch_seeds_fini(struct fetch_seeds *seeds);

struct fetch_result {
    struct gvsn gvsn;
    bool ok;
    struct staged staged; /* when ok: the caller's to use or drop */
    const char *reason;   /* when not ok */
    enum status status;   /* when not ok: ST_FULL and ST_IO are of this machine */
    struct content_hash content;
    struct rdc_traits traits; /* when ok: of the content; zero when it was not signed now */
};

struct fetch_client_options {
    struct fetch_services services;
    struct rpc_channel *channel;
    /* A transfer has ended. Not called after fetch_client_close(). */
    void (*on_fetched)(const struct fetch_result *result, uint32_t source, void *arg);
    uint32_t source; /* handed back */
    void *arg;
};

struct fetch_client *fetch_client_open(const struct fetch_client_options *options);
/* Ends all transfers without callbacks; what workers hold is dropped when they come back. NULL allowed. */
void fetch_client_close(struct fetch_client *client);

/*
 * Fetch the content of @update, which is copied, with the help of @seeds, which are taken over and
 * left empty. The result comes later. When a seed is the content, the partner hears nothing of it.
 */
void fetch_client_start(struct fetch_client *client, const struct update *update,
                        struct fetch_seeds *seeds);

/* On which connection; borrowed. */
const struct guid *fetch_client_connection(const struct fetch_client *client);

void fetch_client_bytes(const struct fetch_client *client, uint64_t *out_sent,
                        uint64_t *out_received);

/* --- the sending end --- */

struct fetch_server;

struct fetch_server_options {
    struct fetch_services services;
    struct rpc_stream *stream;
    /* The record of this version, or false when we do not have it any more. Free *out_path. */
    bool (*find)(const struct file_id *id, const struct gvsn *gvsn, struct record *out_record,
                 char **out_path, void *arg);
    /* A file that has this content, under whatever name and version; the same way. */
    bool (*find_content)(const struct content_hash *content, struct record *out_record,
                         char **out_path, void *arg);
    /* A file does not show what its record says: it is to be looked at. */
    void (*on_changed)(const char *path, void *arg);
    /* The stream has ended; the server frees itself afterwards. */
    void (*on_end)(struct fetch_server *server, void *arg);
    void *arg;
};

/* Of the whole stream; also when it has ended. */
void fetch_server_bytes(const struct fetch_server *server, uint64_t *out_sent,
                        uint64_t *out_received);

/* Accepts the stream, whose opening has been read and allowed. */
struct fetch_server *fetch_server_open(const struct fetch_server_options *options);
/* End it with a reason for the partner; on_end comes. */
void fetch_server_finish(struct fetch_server *server, enum rpc_end end, const char *text);
/* End it at once, without on_end. */
void fetch_server_close(struct fetch_server *server);

#endif
