/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/folder/pull.h: private to agent/folder: one Replicate stream to a partner that this folder receives
 * from.
 *
 *   pull.c        the stream, and what the receiver asks for
 *   pull_queue.c  what comes: one message after the other
 *   pulls.c       all of a folder's: against the assignment, and for its other parts
 */
#ifndef AGENT_FOLDER_PULL_H
#define AGENT_FOLDER_PULL_H

#include "agent/folder/parts.h"
#include "agent/folder/verifying.h"
#include "agent/session/held.h"
#include "agent/session/receiver.h"
#include "agent/transfer/fetch.h"

struct incoming {
    struct incoming *next;
    Coterie__V1__SessionResponse *message;
    /* filled while it is under way, for an update */
    struct update update;
    bool stage_wanted;
    const char *problem; /* the worker's: content is not what the update says */
    enum status status;
    uint64_t stage;
    struct object object;
};

struct pull {
    struct pull *next;
    struct folder *folder;
    struct log_ctx log;
    struct guid connection;
    char *partner_host;
    uint16_t partner_port;
    struct partner_link *link;
    struct rpc_stream *stream;
    struct fetch_client *fetch;
    struct receiver *receiver;
    struct sequence sequence;
    intake_source source; /* of this stream; 0: none */
    struct loop_timer *timer;
    int64_t retry_ms;
    bool retry_waits;     /* the timer is for a new stream, not for the receiver */
    bool removed;         /* not in the assignment any more; freed when no job is under way */

    struct incoming *queue;
    struct incoming **queue_tail;
    size_t queue_bytes;
    bool paused;
    struct incoming *batch; /* with the worker */
    struct incoming *batch_end;
    bool batch_stale;       /* its stream has ended */
    bool join_wanted;
    struct listing *listing; /* before the join; NULL: none */
    struct held held;
    struct verifying verifying;

    struct walltime last_sync;
    uint64_t updates_done;
    uint64_t bytes_sent_before; /* of streams that have ended */
    uint64_t bytes_received_before;
    enum rpc_end last_end;
    char *trouble; /* why there is no stream; "" none */
};

/* --- pull.c --- */
/* No job is under way. */
void pull_free(struct pull *pull);
/* Why there is no stream; "" none. */
void pull_set_trouble(struct pull *pull, const char *text);
/* What this session has moved so far, contents included. */
void pull_session_bytes(const struct pull *pull, uint64_t *out_sent, uint64_t *out_received);
void pull_drop_stream(struct pull *pull);
/* The partner broke @rule: another session is tried after a while. */
void pull_fail_session(struct pull *pull, const char *rule);
/* Tell the receiver, and do what it asks for. @in: the update of the event, or NULL. */
void pull_step(struct pull *pull, struct receiver_event *event, struct incoming *in);
void pull_try_join(struct pull *pull);
/* The round's vector has been joined, or can not be. */
void pull_end_join(struct pull *pull, enum receiver_event_kind kind);
void pull_on_up(void *pull);
void pull_on_down(enum rpc_end why, const char *text, void *pull);
void pull_on_timer(void *pull);
void pull_open_stream(struct pull *pull);
/* Begin or end a verification when it is time. */
void pull_check_one(struct pull *pull);

/* --- pull_queue.c --- */
bool pull_is_update(const struct incoming *in);
void pull_incoming_free(struct incoming *in);
void pull_queue_clear(struct pull *pull);
void pull_process_queue(struct pull *pull);

#endif
