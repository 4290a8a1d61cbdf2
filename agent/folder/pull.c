/* SPDX-License-Identifier: Apache-2.0 */
/* The pulling side: one stream, and what the receiver asks for. */
#include "agent/folder/pull.h"

#include "agent/transfer/codec.h"
#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/rpc/methods.h"

#include <stdlib.h>
void pull_set_trouble(struct pull *p, const char *text)
{
    free(p->trouble);
    p->trouble = mem_copy_string(text);
}

void pull_free(struct pull *p)
{
    struct pull **at = &p->folder->pulls;

    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
    loop_timer_free(p->timer);
    free(p->partner_host);
    free(p->trouble);
    held_clear(&p->held);
    free(p);
}

/* What this session has moved so far, contents included. */
void pull_session_bytes(const struct pull *p, uint64_t *out_sent, uint64_t *out_received)
{
    uint64_t sent;
    uint64_t received;

    *out_sent = 0;
    *out_received = 0;
    if (p->stream)
        rpc_stream_bytes(p->stream, out_sent, out_received);
    if (p->fetch) {
        fetch_client_bytes(p->fetch, &sent, &received);
        *out_sent += sent;
        *out_received += received;
    }
}

/* Forget the stream, whether it ended or was cancelled. Stages of what a worker still holds are
 * dropped when it comes back. */
static void stream_gone(struct pull *p)
{
    uint64_t sent;
    uint64_t received;

    pull_session_bytes(p, &sent, &received);
    p->bytes_sent_before += sent;
    p->bytes_received_before += received;
    p->stream = NULL;
    fetch_client_close(p->fetch);
    p->fetch = NULL;
    receiver_free(p->receiver);
    p->receiver = NULL;
    p->join_wanted = false;
    listing_free(p->listing);
    p->listing = NULL;
    verifying_drop(&p->verifying);
    held_clear(&p->held);
    p->batch_stale = p->batch != NULL;
    pull_queue_clear(p);
    if (p->source != 0) {
        intake_source_gone(p->folder->intake, p->source);
        p->source = 0;
        apply_kick(p->folder);
    }
}

void pull_drop_stream(struct pull *p)
{
    struct rpc_stream *stream = p->stream;

    stream_gone(p);
    if (stream)
        rpc_stream_cancel(stream);
}

static void retry_later(struct pull *p)
{
    p->retry_waits = true;
    loop_timer_start(p->timer, p->retry_ms);
    /* a partner that is not ready yet is asked again at a steady pace: it says so at no cost */
    if (p->last_end != RPC_END_BUSY)
        p->retry_ms =
            p->retry_ms * 2 > PARTNER_RETRY_MS_MAX ? PARTNER_RETRY_MS_MAX : p->retry_ms * 2;
}

/* --- the receiver's actions --- */

static void send_request(struct pull *p, Coterie__V1__SessionRequest *request)
{
    request->sequence = sequence_next(&p->sequence);
    rpc_stream_send(p->stream, &request->base);
}

static void send_want(struct pull *p, bool start_round)
{
    Coterie__V1__SessionRequest request = COTERIE__V1__SESSION_REQUEST__INIT;
    Coterie__V1__SessionWant want = COTERIE__V1__SESSION_WANT__INIT;

    want.start_round = start_round;
    want.vector = vector_to_message(replica_vector(p->folder->replica));
    request.body_case = COTERIE__V1__SESSION_REQUEST__BODY_WANT;
    request.want = &want;
    send_request(p, &request);
    vector_message_free(want.vector);
}

static void send_credit(struct pull *p, uint32_t count)
{
    Coterie__V1__SessionRequest request = COTERIE__V1__SESSION_REQUEST__INIT;
    Coterie__V1__SessionCredit credit = COTERIE__V1__SESSION_CREDIT__INIT;

    credit.update_count = count;
    request.body_case = COTERIE__V1__SESSION_REQUEST__BODY_CREDIT;
    request.credit = &credit;
    send_request(p, &request);
}

void pull_fail_session(struct pull *p, const char *rule)
{
    log_warn(&p->log, "partner broke the protocol, session ended: %s", rule);
    pull_set_trouble(p, rule);
    pull_drop_stream(p);
    retry_later(p);
}

/* The round's vector has been joined, or can not be. */
void pull_end_join(struct pull *p, enum receiver_event_kind kind)
{
    struct receiver_event event = {.kind = kind};

    p->join_wanted = false;
    listing_free(p->listing);
    p->listing = NULL;
    pull_step(p, &event, NULL);
}

static void join(struct pull *p)
{
    if (!receiver_may_join(p->receiver)) {
        pull_end_join(p, RECEIVER_EVENT_NOT_JOINED);
        return;
    }
    if (replica_join(p->folder->replica, receiver_sender_vector(p->receiver),
                     receiver_forgotten(p->receiver)) != ST_OK) {
        p->join_wanted = false;
        folder_store_failed(p->folder);
        return;
    }
    p->last_sync = walltime_now();
    held_clear(&p->held);
    pull_end_join(p, RECEIVER_EVENT_JOINED);
    folder_vector_grew(p->folder, p);
}

void pull_try_join(struct pull *p)
{
    struct folder *f = p->folder;

    if (!p->join_wanted || f->plan || f->store_broken || !p->receiver)
        return;
    if (!p->listing) {
        join(p);
        return;
    }
    switch (apply_listing(f, p->listing, p->source)) {
    case LISTING_PLAN:
        return; /* pull_planned() goes on */
    case LISTING_JOIN:
        join(p);
        return;
    case LISTING_VOID:
        log_info(&p->log, "the partner's list of files could not be made true here yet; asked again");
        pull_end_join(p, RECEIVER_EVENT_NOT_JOINED);
        return;
    case LISTING_STORE_FAILED:
        folder_store_failed(f);
        return;
    }
}

static void ask_for_list(struct pull *p, bool first)
{
    if (first) {
        log_warn(&p->log, "this member was away for longer than the partner remembers deletions, or has "
                          "gone back: all files are compared");
        listing_free(p->listing);
        p->listing = listing_begin(p->folder->replica, receiver_sender_vector(p->receiver));
    }
    listing_ask(p->stream, listing_after(p->listing), &p->sequence);
}

void pull_step(struct pull *p, struct receiver_event *event, struct incoming *in)
{
    struct receiver_actions actions = {0};
    struct instant when;

    event->now = loop_now(p->folder->services->loop);
    receiver_step(p->receiver, event, &actions);
    if (actions.fail) {
        pull_fail_session(p, actions.fail);
        return;
    }
    if (actions.deliver && in) {
        intake_offer(p->folder->intake, p->source, &in->update,
                     receiver_sender_vector(p->receiver), in->stage, &in->object);
        in->stage = 0;
    }
    if (actions.credit > 0)
        send_credit(p, actions.credit);
    if (actions.send_want)
        send_want(p, actions.start_round);
    if (event->kind == RECEIVER_EVENT_ROUND_DONE || actions.no_more)
        intake_round_ended(p->folder->intake, p->source, actions.in_vain);
    if (actions.list)
        ask_for_list(p, actions.first);
    if (actions.join) {
        p->join_wanted = true;
        pull_try_join(p);
    }
    if (actions.round_failed && replica_round_ended(p->folder->replica) != ST_OK)
        folder_store_failed(p->folder);
    if (p->receiver && receiver_deadline(p->receiver, &when)) {
        p->retry_waits = false;
        loop_timer_start(p->timer,
                         instant_ms_since(loop_now(p->folder->services->loop), when) + 1);
    }
}

/* --- the stream --- */

static void on_message(struct rpc_stream *stream, ProtobufCMessage **message, void *arg)
{
    struct pull *p = arg;
    struct incoming *in = MEM_NEW(struct incoming);
    const char *rule = NULL;

    in->message = (Coterie__V1__SessionResponse *)*message;
    *message = NULL;
    if (in->message->body_case == COTERIE__V1__SESSION_RESPONSE__BODY_OPENED)
        sequence_begin(&p->sequence, in->message->sequence);
    else
        rule = sequence_take(&p->sequence, in->message->sequence);
    if (rule) {
        pull_incoming_free(in);
        pull_fail_session(p, rule);
        return;
    }
    *p->queue_tail = in;
    p->queue_tail = &in->next;
    if (pull_is_update(in))
        p->queue_bytes += in->message->update->inline_content.len;
    if (p->queue_bytes > 2 * INLINE_BATCH_BYTES && !p->paused) {
        p->paused = true;
        rpc_stream_pause(stream);
    }
    pull_process_queue(p);
    apply_kick(p->folder);
}

static void on_end(struct rpc_stream *stream, enum rpc_end end, const char *text, void *arg)
{
    struct pull *p = arg;

    (void)stream;
    /* said once, not at each new attempt */
    if (strcmp(p->trouble, text) != 0)
        log_at(&p->log, end == RPC_END_BUSY ? LOG_INFO : LOG_WARN, "session ended: %s: %s",
               rpc_end_name(end), text);
    p->last_end = end;
    pull_set_trouble(p, text);
    stream_gone(p);
    retry_later(p);
}

void pull_open_stream(struct pull *p)
{
    static const struct rpc_stream_events events = {.on_message = on_message, .on_end = on_end};
    struct folder *f = p->folder;
    const struct connection_assignment *c = folder_find_inbound(f, &p->connection);
    struct rpc_channel *channel = p->link ? partner_channel(p->link) : NULL;

    if (p->stream || p->batch || p->removed || !channel || !folder_is_running(f) ||
        connection_closed_reason(c))
        return;
    p->stream = rpc_stream_open(channel, &replication_replicate_method, &events, p);
    if (!p->stream)
        return;
    p->receiver = receiver_new();
    p->source = ++f->source_last;
    p->fetch = fetching_open(f, p->source, channel, c);

    Coterie__V1__SessionRequest request = COTERIE__V1__SESSION_REQUEST__INIT;
    Coterie__V1__SessionOpen open;
    opening_to_message(&p->connection, &f->guid, &replica_state(f->replica)->database, false, &open);
    request.body_case = COTERIE__V1__SESSION_REQUEST__BODY_OPEN;
    request.open = &open;
    send_request(p, &request);
}

void pull_on_timer(void *arg)
{
    struct pull *p = arg;

    if (p->retry_waits) {
        p->retry_waits = false;
        pull_open_stream(p);
    } else if (p->receiver) {
        struct receiver_event event = {.kind = RECEIVER_EVENT_TICK};

        pull_step(p, &event, NULL);
    }
}

void pull_on_up(void *arg)
{
    struct pull *p = arg;

    p->retry_ms = PARTNER_RETRY_MS;
    pull_open_stream(p);
}

void pull_on_down(enum rpc_end why, const char *text, void *arg)
{
    struct pull *p = arg;

    p->last_end = why;
    pull_set_trouble(p, text);
    pull_drop_stream(p);
}
