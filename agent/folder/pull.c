/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pulling side: our Replicate streams to the partners that this folder receives from.
 *
 * Messages wait in a queue in their order. A run of updates goes to a worker that stages the
 * content that came inside them, then to the receiver (agent/session/receiver.h) and the intake.
 */
#include "agent/folder/parts.h"
#include "agent/folder/verifying.h"

#include "agent/session/held.h"
#include "agent/transfer/codec.h"
#include "agent/transfer/fetch.h"
#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/rpc/methods.h"

#include <assert.h>
#include <stdlib.h>

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

static void process_queue(struct pull *p);
static void open_stream(struct pull *p);

static void incoming_free(struct incoming *in)
{
    update_fini(&in->update);
    protobuf_c_message_free_unpacked(&in->message->base, NULL);
    free(in);
}

static void queue_clear(struct pull *p)
{
    for (struct incoming *in = p->queue, *next; in; in = next) {
        next = in->next;
        incoming_free(in);
    }
    p->queue = NULL;
    p->queue_tail = &p->queue;
    p->queue_bytes = 0;
    p->paused = false;
}

static void set_trouble(struct pull *p, const char *text)
{
    free(p->trouble);
    p->trouble = mem_copy_string(text);
}

static void pull_free(struct pull *p)
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
static void session_bytes(const struct pull *p, uint64_t *out_sent, uint64_t *out_received)
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

    session_bytes(p, &sent, &received);
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
    queue_clear(p);
    if (p->source != 0) {
        intake_source_gone(p->folder->intake, p->source);
        p->source = 0;
        apply_kick(p->folder);
    }
}

static void drop_stream(struct pull *p)
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

static void fail_session(struct pull *p, const char *rule)
{
    log_warn(&p->log, "partner broke the protocol, session ended: %s", rule);
    set_trouble(p, rule);
    drop_stream(p);
    retry_later(p);
}

static void step(struct pull *p, struct receiver_event *event, struct incoming *in);

/* The round's vector has been joined, or can not be. */
static void end_join(struct pull *p, enum receiver_event_kind kind)
{
    struct receiver_event event = {.kind = kind};

    p->join_wanted = false;
    listing_free(p->listing);
    p->listing = NULL;
    step(p, &event, NULL);
}

static void join(struct pull *p)
{
    if (!receiver_may_join(p->receiver)) {
        end_join(p, RECEIVER_EVENT_NOT_JOINED);
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
    end_join(p, RECEIVER_EVENT_JOINED);
    folder_vector_grew(p->folder, p);
}

static void try_join(struct pull *p)
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
        end_join(p, RECEIVER_EVENT_NOT_JOINED);
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

static void step(struct pull *p, struct receiver_event *event, struct incoming *in)
{
    struct receiver_actions actions = {0};
    struct instant when;

    event->now = loop_now(p->folder->services->loop);
    receiver_step(p->receiver, event, &actions);
    if (actions.fail) {
        fail_session(p, actions.fail);
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
        intake_round_ended(p->folder->intake, p->source);
    if (actions.list)
        ask_for_list(p, actions.first);
    if (actions.join) {
        p->join_wanted = true;
        try_join(p);
    }
    if (actions.round_failed && replica_round_ended(p->folder->replica) != ST_OK)
        folder_store_failed(p->folder);
    if (p->receiver && receiver_deadline(p->receiver, &when)) {
        p->retry_waits = false;
        loop_timer_start(p->timer,
                         instant_ms_since(loop_now(p->folder->services->loop), when) + 1);
    }
}

/* --- the queue --- */

static void stage_contents(void *arg)
{
    struct pull *p = arg;

    for (struct incoming *in = p->batch; in != p->batch_end; in = in->next) {
        if (!in->stage_wanted)
            continue;
        const Coterie__V1__Update *m = in->message->update;
        in->status = content_stage_whole(
            p->folder, span_of(m->inline_content.data, m->inline_content.len), &in->update,
            &in->stage, &in->object, &in->problem);
    }
}

/* One update of the batch goes to the receiver and the intake. */
static void deliver(struct pull *p, struct incoming *in)
{
    struct receiver_event event = {.kind = RECEIVER_EVENT_UPDATE, .gvsn = in->update.gvsn};
    struct rdc_traits traits;

    if (in->problem) {
        fail_session(p, in->problem);
        return;
    }
    if (in->status == ST_FULL || in->status == ST_IO)
        folder_stage_trouble(p->folder, in->status);
    if (traits_from_message(in->message->update->traits, &traits))
        seeds_heard(p->folder, &in->update.gvsn, &traits);
    held_offered(&p->held, &in->update);
    step(p, &event, in);
}

static void batch_done(struct pull *p)
{
    struct incoming *in = p->batch;
    struct incoming *end = p->batch_end;

    p->batch = NULL;
    while (in != end) {
        struct incoming *next = in->next;

        if (!p->batch_stale && p->receiver)
            deliver(p, in);
        if (in->stage != 0)
            content_drop(p->folder, in->stage);
        incoming_free(in);
        in = next;
    }
    p->batch_stale = false;
}

static void contents_staged(void *arg)
{
    struct pull *p = arg;

    batch_done(p);
    if (p->removed) {
        pull_free(p);
        return;
    }
    if (p->receiver) {
        process_queue(p);
        apply_kick(p->folder);
    }
}

static bool is_update(const struct incoming *in)
{
    return in && in->message->body_case == COTERIE__V1__SESSION_RESPONSE__BODY_UPDATE;
}

/* Take the run of updates at the queue's head as the batch. Returns whether a worker is needed. */
static bool take_batch(struct pull *p)
{
    const struct vector *theirs = receiver_sender_vector(p->receiver);
    struct incoming **at = &p->queue;
    bool stage = false;
    size_t count = 0;

    p->batch = p->queue;
    for (; is_update(*at) && count < STAGE_BATCH_COUNT; at = &(*at)->next, count++) {
        struct incoming *in = *at;
        const Coterie__V1__Update *m = in->message->update;

        p->queue_bytes -= m->inline_content.len;
        in->problem = update_from_message(m, &in->update);
        if (in->problem || !m->has_inline_content)
            continue;
        enum verdict verdict = replica_judge(p->folder->replica, &in->update, theirs);
        in->stage_wanted = verdict == VERDICT_FETCH || verdict == VERDICT_WAIT;
        stage = stage || in->stage_wanted;
    }
    p->batch_end = *at;
    p->queue = *at;
    if (!p->queue)
        p->queue_tail = &p->queue;
    return stage;
}

/* A part of the partner's list. Returns the broken rule, or NULL. */
static const char *take_list(struct pull *p, const Coterie__V1__SessionListed *m, bool *out_is_last)
{
    if (!p->listing)
        return "file ids came that were not asked for";
    return listing_take(p->listing, p->folder, m, out_is_last);
}

static struct verifying_session verifying_session_of(struct pull *p)
{
    return (struct verifying_session){.folder = p->folder,
                                      .log = &p->log,
                                      .receiver = p->receiver,
                                      .stream = p->stream,
                                      .sequence = &p->sequence,
                                      .partner = p->partner_host};
}

/* What it has given up comes again. */
static void check_verifying(struct pull *p)
{
    struct verifying_session session = verifying_session_of(p);

    if (p->receiver && verifying_check(&p->verifying, &session))
        folder_vector_grew(p->folder, NULL);
}

static const char *take_verified(struct pull *p, const Coterie__V1__SessionVerified *m)
{
    struct verifying_session session = verifying_session_of(p);
    const char *rule = verifying_take(&p->verifying, &session, m);

    if (!rule)
        check_verifying(p);
    return rule;
}

static void control_message(struct pull *p, const Coterie__V1__SessionResponse *m)
{
    struct receiver_event event = {0};
    struct vector vector = {0};
    struct vector forgotten = {0};
    const char *rule = NULL;

    switch (m->body_case) {
    case COTERIE__V1__SESSION_RESPONSE__BODY_OPENED:
        event.kind = RECEIVER_EVENT_OPENED;
        if (m->opened->protocol_version != REPLICATION_PROTOCOL_VERSION)
            rule = "partner speaks another version of the protocol: update the older agent";
        p->retry_ms = PARTNER_RETRY_MS;
        set_trouble(p, "");
        log_info(&p->log, "session is up");
        break;
    case COTERIE__V1__SESSION_RESPONSE__BODY_ROUND_START:
        event.kind = RECEIVER_EVENT_ROUND_START;
        event.round = m->round_start->round;
        rule = vector_from_message(m->round_start->vector, &vector);
        if (!rule)
            rule = vector_from_message(m->round_start->forgotten, &forgotten);
        if (!rule)
            replica_heard(p->folder->replica, &vector);
        event.vector = &vector;
        event.forgotten = &forgotten;
        break;
    case COTERIE__V1__SESSION_RESPONSE__BODY_LISTED:
        event.kind = RECEIVER_EVENT_LISTED;
        rule = take_list(p, m->listed, &event.is_last);
        break;
    case COTERIE__V1__SESSION_RESPONSE__BODY_VERIFIED:
        rule = take_verified(p, m->verified);
        if (rule)
            fail_session(p, rule);
        return;
    case COTERIE__V1__SESSION_RESPONSE__BODY_ROUND_DONE:
        event.kind = RECEIVER_EVENT_ROUND_DONE;
        event.round = m->round_done->round;
        event.complete = m->round_done->complete;
        break;
    case COTERIE__V1__SESSION_RESPONSE__BODY_UPDATE:
    case COTERIE__V1__SESSION_RESPONSE__BODY__NOT_SET:
    case _COTERIE__V1__SESSION_RESPONSE__BODY__CASE_IS_INT_SIZE:
        rule = "message without a body";
        break;
    }
    if (rule)
        fail_session(p, rule);
    else
        step(p, &event, NULL);
    vector_fini(&vector);
    vector_fini(&forgotten);
}

static void process_queue(struct pull *p)
{
    while (p->receiver && p->queue && !p->batch) {
        if (is_update(p->queue)) {
            if (take_batch(p)) {
                folder_work(p->folder, stage_contents, contents_staged, p);
                break;
            }
            batch_done(p);
            continue;
        }
        struct incoming *in = p->queue;
        p->queue = in->next;
        if (!p->queue)
            p->queue_tail = &p->queue;
        control_message(p, in->message);
        incoming_free(in);
    }
    if (p->stream && p->paused && p->queue_bytes < INLINE_BATCH_BYTES) {
        p->paused = false;
        rpc_stream_resume(p->stream);
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
        incoming_free(in);
        fail_session(p, rule);
        return;
    }
    *p->queue_tail = in;
    p->queue_tail = &in->next;
    if (is_update(in))
        p->queue_bytes += in->message->update->inline_content.len;
    if (p->queue_bytes > 2 * INLINE_BATCH_BYTES && !p->paused) {
        p->paused = true;
        rpc_stream_pause(stream);
    }
    process_queue(p);
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
    set_trouble(p, text);
    stream_gone(p);
    retry_later(p);
}

static void open_stream(struct pull *p)
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

static void on_timer(void *arg)
{
    struct pull *p = arg;

    if (p->retry_waits) {
        p->retry_waits = false;
        open_stream(p);
    } else if (p->receiver) {
        struct receiver_event event = {.kind = RECEIVER_EVENT_TICK};

        step(p, &event, NULL);
    }
}

static void on_up(void *arg)
{
    struct pull *p = arg;

    p->retry_ms = PARTNER_RETRY_MS;
    open_stream(p);
}

static void on_down(enum rpc_end why, const char *text, void *arg)
{
    struct pull *p = arg;

    p->last_end = why;
    set_trouble(p, text);
    drop_stream(p);
}

/* --- against the assignment --- */

static void pull_close(struct pull *p)
{
    drop_stream(p);
    partner_detach(p->link);
    p->link = NULL;
    loop_timer_stop(p->timer);
}

static struct pull *pull_find(struct folder *f, const struct guid *connection)
{
    for (struct pull *p = f->pulls; p; p = p->next)
        if (!p->removed && guid_equal(&p->connection, connection))
            return p;
    return NULL;
}

static void pull_remove(struct pull *p)
{
    pull_close(p);
    p->removed = true;
    if (!p->batch)
        pull_free(p);
}

static struct pull *pull_add(struct folder *f, const struct connection_assignment *c)
{
    struct pull *p = MEM_NEW(struct pull);

    p->folder = f;
    p->connection = c->connection;
    p->partner_host = mem_copy_string(c->partner_host);
    p->partner_port = c->partner_port;
    p->queue_tail = &p->queue;
    p->retry_ms = PARTNER_RETRY_MS;
    p->trouble = mem_copy_string("");
    p->timer = loop_timer_new(f->services->loop, on_timer, p);
    log_ctx_init(&p->log, &f->log, "from=%s", c->partner_name);
    verifying_init(&p->verifying, f);
    p->next = f->pulls;
    f->pulls = p;
    return p;
}

void pull_check(struct folder *f)
{
    static const struct partner_events events = {.on_up = on_up, .on_down = on_down};

    for (struct pull *p = f->pulls, *next; p; p = next) {
        next = p->next;
        const struct connection_assignment *c = folder_find_inbound(f, &p->connection);

        if (!p->removed && (!c || strcmp(c->partner_host, p->partner_host) != 0 ||
                            c->partner_port != p->partner_port))
            pull_remove(p);
    }
    for (size_t i = 0; i < f->assignment->inbound_count; i++) {
        const struct connection_assignment *c = &f->assignment->inbound[i];
        struct pull *p = pull_find(f, &c->connection);
        const char *reason = folder_is_running(f) ? connection_closed_reason(c) : "not running";

        if (!p)
            p = pull_add(f, c);
        if (reason && p->link) {
            log_info(&p->log, "session closed: %s", reason);
            pull_close(p);
            set_trouble(p, "");
        } else if (!reason && !p->link) {
            p->link = partner_attach(f->services->partners, p->partner_host, p->partner_port,
                                     &events, p);
        }
    }
}

void pull_check_verifying(struct folder *f)
{
    for (struct pull *p = f->pulls, *next; p; p = next) {
        next = p->next;
        check_verifying(p);
    }
}

void pull_verify(struct folder *f)
{
    for (struct pull *p = f->pulls; p; p = p->next)
        p->verifying.wanted = true;
    pull_check_verifying(f);
}

void pull_close_all(struct folder *f)
{
    for (struct pull *p = f->pulls, *next; p; p = next) {
        next = p->next;
        if (!p->removed)
            pull_remove(p);
    }
}

void pull_settled(struct folder *f, intake_source source, const struct gvsn *gvsn, bool done)
{
    for (struct pull *p = f->pulls; p; p = p->next) {
        if (p->source != source || !p->receiver)
            continue;
        struct receiver_event event = {
            .kind = RECEIVER_EVENT_SETTLED, .gvsn = *gvsn, .done = done};

        p->updates_done += done;
        held_settled(&p->held, gvsn, done, loop_now(f->services->loop));
        step(p, &event, NULL);
        return;
    }
}

void pull_vector_grew(struct folder *f, const struct pull *except)
{
    for (struct pull *p = f->pulls, *next; p; p = next) {
        next = p->next;
        if (p == except || !p->receiver)
            continue;
        struct receiver_event event = {.kind = RECEIVER_EVENT_VECTOR_GREW};

        step(p, &event, NULL);
    }
}

void pull_try_joins(struct folder *f)
{
    for (struct pull *p = f->pulls, *next; p; p = next) {
        next = p->next;
        try_join(p);
    }
}

void pull_planned(struct folder *f, intake_source source, bool failed)
{
    for (struct pull *p = f->pulls; p; p = p->next) {
        if (p->source == source && p->receiver && p->listing && failed)
            end_join(p, RECEIVER_EVENT_NOT_JOINED);
    }
}

struct fetch_client *pull_fetch_client(struct folder *f, intake_source source)
{
    for (struct pull *p = f->pulls; p; p = p->next)
        if (p->source == source)
            return p->fetch;
    return NULL;
}

bool pull_has_everything(const struct folder *f)
{
    size_t count = 0;

    for (const struct pull *p = f->pulls; p; p = p->next) {
        if (p->removed || p->batch || p->queue || !p->receiver ||
            !receiver_in_sync(p->receiver, replica_vector(f->replica)))
            return false;
        count++;
    }
    return count == f->assignment->inbound_count;
}

bool pull_held(const struct folder *f, struct vector *held)
{
    size_t count = 0;

    for (const struct pull *p = f->pulls; p; p = p->next) {
        if (p->removed || !p->receiver)
            return false;
        if (!vector_covers(replica_vector(f->replica), receiver_sender_vector(p->receiver)))
            return false;
        vector_meet(held, receiver_sender_vector(p->receiver));
        count++;
    }
    return count == f->assignment->inbound_count;
}

bool pull_is_busy(const struct folder *f)
{
    for (const struct pull *p = f->pulls; p; p = p->next) {
        if (p->removed)
            return true;
        const struct connection_assignment *c = folder_find_inbound(f, &p->connection);
        if (connection_closed_reason(c))
            continue;
        if (p->batch || p->queue || !p->receiver || verifying_is_busy(&p->verifying) ||
            !receiver_in_sync(p->receiver, replica_vector(f->replica)))
            return true;
    }
    return false;
}

bool pull_status(const struct folder *f, const struct guid *connection, struct pull_status *out)
{
    for (const struct pull *p = f->pulls; p; p = p->next) {
        if (p->removed || !guid_equal(&p->connection, connection))
            continue;
        uint64_t sent;
        uint64_t received;
        int64_t held_ms = 0;

        session_bytes(p, &sent, &received);
        *out = (struct pull_status){
            .linked = p->link != NULL,
            .open = p->receiver && receiver_state(p->receiver) != RECEIVER_OPENING,
            .in_sync = p->receiver && receiver_in_sync(p->receiver, replica_vector(f->replica)),
            .unsettled = p->receiver ? receiver_unsettled_count(p->receiver) : 0,
            .trouble = p->trouble,
            .refused = p->last_end == RPC_END_DENIED || p->last_end == RPC_END_UNAUTHENTIC,
            .held = held_longest(&p->held, loop_now(f->services->loop), &held_ms),
            .comparing = p->listing != NULL,
            .partner_busy = p->last_end == RPC_END_BUSY,
            .last_sync = p->last_sync,
            .updates_done = p->updates_done,
            .bytes_sent = p->bytes_sent_before + sent,
            .bytes_received = p->bytes_received_before + received,
        };
        out->held_ms = held_ms;
        return true;
    }
    return false;
}
