/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The offering side: partners' Replicate streams on this folder.
 *
 * The sender (agent/session/sender.h) says what comes next; content that is small enough is read
 * on a worker and travels inside the update. One batch is under way at a time, so the order is the
 * sender's.
 */
#include "agent/folder/parts.h"
#include "agent/folder/verifying.h"

#include "agent/session/sender.h"
#include "agent/transfer/codec.h"
#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/base/scope.h"

#include <assert.h>
#include <stdlib.h>

enum item_kind { ITEM_ROUND_START, ITEM_UPDATE, ITEM_ROUND_DONE };

struct item {
    enum item_kind kind;
    struct record record;
    char *path;         /* of content to read; NULL: none */
    struct buf content;
    bool has_content;
    struct rdc_traits traits; /* of content that is too large for that */
    bool traits_wanted;
    bool has_traits;
    uint32_t round;
    bool complete;
};

struct serve {
    struct serve *next;
    struct folder *folder;
    struct log_ctx log;
    struct guid connection;
    struct rpc_stream *stream; /* NULL once it has ended */
    struct sender *sender;
    struct sequence sequence;
    struct loop_timer *timer;
    bool writable;

    struct item *items; /* the batch under way */
    size_t item_count;
    bool reading;       /* a worker has it */
};

/* What ended streams of one connection have moved. */
struct served {
    struct served *next;
    struct guid connection;
    uint64_t bytes_sent;
    uint64_t bytes_received;
};

static void pump(struct serve *s);

static const struct connection_assignment *find_connection(const struct serve *s)
{
    return folder_find_outbound(s->folder, &s->connection);
}

static void items_clear(struct serve *s)
{
    for (size_t i = 0; i < s->item_count; i++) {
        record_fini(&s->items[i].record);
        buf_fini(&s->items[i].content);
        free(s->items[i].path);
    }
    s->item_count = 0;
}

static void serve_free(struct serve *s)
{
    struct serve **at = &s->folder->serves;

    while (*at != s)
        at = &(*at)->next;
    *at = s->next;
    items_clear(s);
    free(s->items);
    sender_free(s->sender);
    loop_timer_free(s->timer);
    free(s);
}

/* --- counts --- */

static struct served *find_served(const struct folder *f, const struct guid *connection)
{
    struct served *v = f->served;

    while (v && !guid_equal(&v->connection, connection))
        v = v->next;
    return v;
}

void serve_count(struct folder *f, const struct guid *connection, uint64_t bytes_sent,
                 uint64_t bytes_received)
{
    struct served *v = find_served(f, connection);

    if (!v) {
        v = MEM_NEW(struct served);
        v->connection = *connection;
        v->next = f->served;
        f->served = v;
    }
    v->bytes_sent += bytes_sent;
    v->bytes_received += bytes_received;
}

void serve_bytes(const struct folder *f, const struct guid *connection, uint64_t *out_sent,
                 uint64_t *out_received)
{
    const struct served *v = find_served(f, connection);

    *out_sent = v ? v->bytes_sent : 0;
    *out_received = v ? v->bytes_received : 0;
    for (const struct serve *s = f->serves; s; s = s->next) {
        uint64_t sent;
        uint64_t received;

        if (!s->stream || !guid_equal(&s->connection, connection))
            continue;
        rpc_stream_bytes(s->stream, &sent, &received);
        *out_sent += sent;
        *out_received += received;
    }
    fetching_add_bytes(f, connection, out_sent, out_received);
}

void serve_forget_counts(struct folder *f)
{
    for (struct served *v = f->served, *next; v; v = next) {
        next = v->next;
        free(v);
    }
    f->served = NULL;
}

/* --- ends --- */

/* The stream ends; the worker, if any, still holds the batch. */
static void serve_end(struct serve *s)
{
    uint64_t sent;
    uint64_t received;

    rpc_stream_bytes(s->stream, &sent, &received);
    serve_count(s->folder, &s->connection, sent, received);
    s->stream = NULL;
    loop_timer_stop(s->timer);
    if (!s->reading)
        serve_free(s);
}

static void drop(struct serve *s)
{
    struct rpc_stream *stream = s->stream;

    serve_end(s);
    rpc_stream_cancel(stream);
}

static void violation(struct serve *s, const char *rule)
{
    log_warn(&s->log, "partner broke the protocol, session ended: %s", rule);
    rpc_stream_finish(s->stream, RPC_END_BAD, rule);
}

/* --- what goes out --- */

static void send_message(struct serve *s, Coterie__V1__SessionResponse *message)
{
    message->sequence = sequence_next(&s->sequence);
    s->writable = rpc_stream_send(s->stream, &message->base);
}

static void send_round_start(struct serve *s, const struct item *item)
{
    Coterie__V1__SessionResponse message = COTERIE__V1__SESSION_RESPONSE__INIT;
    Coterie__V1__RoundStart start = COTERIE__V1__ROUND_START__INIT;

    start.round = item->round;
    start.vector = vector_to_message(sender_vector(s->sender));
    if (!vector_is_empty(sender_forgotten(s->sender)))
        start.forgotten = vector_to_message(sender_forgotten(s->sender));
    message.body_case = COTERIE__V1__SESSION_RESPONSE__BODY_ROUND_START;
    message.round_start = &start;
    send_message(s, &message);
    vector_message_free(start.vector);
    vector_message_free(start.forgotten);
}

static void send_update(struct serve *s, struct item *item)
{
    Coterie__V1__SessionResponse message = COTERIE__V1__SESSION_RESPONSE__INIT;
    struct update_message update;
    uint8_t traits[TRAITS_SIZE];

    update_to_message(&item->record.update, &update);
    if (item->has_content) {
        update.update.has_inline_content = true;
        update.update.inline_content =
            (ProtobufCBinaryData){.data = item->content.data, .len = item->content.size};
    }
    if (item->has_traits)
        update.update.traits = traits_to_message(&item->traits, traits);
    message.body_case = COTERIE__V1__SESSION_RESPONSE__BODY_UPDATE;
    message.update = &update.update;
    send_message(s, &message);
}

static void send_round_done(struct serve *s, const struct item *item)
{
    Coterie__V1__SessionResponse message = COTERIE__V1__SESSION_RESPONSE__INIT;
    Coterie__V1__RoundDone done = COTERIE__V1__ROUND_DONE__INIT;

    done.round = item->round;
    done.complete = item->complete;
    message.body_case = COTERIE__V1__SESSION_RESPONSE__BODY_ROUND_DONE;
    message.round_done = &done;
    send_message(s, &message);
}

static void send_items(struct serve *s)
{
    for (size_t i = 0; i < s->item_count; i++) {
        switch (s->items[i].kind) {
        case ITEM_ROUND_START:
            send_round_start(s, &s->items[i]);
            break;
        case ITEM_UPDATE:
            send_update(s, &s->items[i]);
            break;
        case ITEM_ROUND_DONE:
            send_round_done(s, &s->items[i]);
            break;
        }
    }
    items_clear(s);
}

/* --- the batch --- */

static void read_contents(void *arg)
{
    struct serve *s = arg;

    for (size_t i = 0; i < s->item_count; i++) {
        struct item *item = &s->items[i];

        if (item->path)
            item->has_content = content_read_whole(s->folder, item->path, &item->record,
                                                   INLINE_SIZE_MAX, &item->content);
        if (item->traits_wanted)
            item->has_traits = signatures_traits(s->folder->signatures, &item->record.update.hash,
                                                 &item->traits);
    }
}

static void contents_read(void *arg)
{
    struct serve *s = arg;

    s->reading = false;
    if (!s->stream) {
        serve_free(s);
        return;
    }
    send_items(s);
    pump(s);
}

/* True when content of this record travels inside the update. */
static bool travels_inline(const struct record *record)
{
    const struct update *u = &record->update;

    return u->present && record->place == PLACE_TREE && u->kind != FILE_DIRECTORY &&
           u->size <= INLINE_SIZE_MAX;
}

/* True when a receiver may look for files that are like this one. */
static bool has_traits(const struct record *record)
{
    const struct update *u = &record->update;

    return u->present && record->place == PLACE_TREE && u->kind == FILE_REGULAR &&
           signatures_want(u->size);
}

/* Collect what the sender has to say, up to one batch. Returns whether content is to be read. */
static bool collect(struct serve *s)
{
    const struct folder *f = s->folder;
    uint64_t bytes = 0;
    bool read = false;

    while (s->item_count < SEND_BATCH_COUNT && bytes < INLINE_BATCH_BYTES) {
        struct item item = {0};
        enum sender_next next =
            sender_next(s->sender, &f->reader, replica_state(f->replica),
                        loop_now(f->services->loop), &item.record, &item.complete);

        if (next == SENDER_IDLE)
            break;
        if (next == SENDER_STORE_FAILED) {
            folder_store_failed(s->folder);
            break;
        }
        item.round = sender_round(s->sender);
        if (next == SENDER_ROUND_START) {
            item.kind = ITEM_ROUND_START;
        } else if (next == SENDER_ROUND_DONE) {
            item.kind = ITEM_ROUND_DONE;
        } else {
            item.kind = ITEM_UPDATE;
            if (travels_inline(&item.record) &&
                replica_path_on_disk(f->replica, &item.record.update.id, &item.path)) {
                bytes += item.record.update.size;
                read = true;
            }
            item.traits_wanted = has_traits(&item.record);
            read = read || item.traits_wanted;
        }
        s->items[s->item_count++] = item;
    }
    return read;
}

static void pump(struct serve *s)
{
    struct instant when;

    while (s->stream && s->writable && !s->reading && folder_is_running(s->folder)) {
        bool read = collect(s);

        if (s->item_count == 0) {
            if (sender_deadline(s->sender, &when))
                loop_timer_start(s->timer,
                                 instant_ms_since(loop_now(s->folder->services->loop), when) + 1);
            return;
        }
        if (read) {
            s->reading = true;
            folder_work(s->folder, read_contents, contents_read, s);
            return;
        }
        send_items(s);
    }
}

static void on_timer(void *arg)
{
    pump(arg);
}

/* --- what comes in --- */

static void on_want(struct serve *s, const Coterie__V1__SessionWant *want)
{
    struct vector vector = {0};
    const char *rule = vector_from_message(want->vector, &vector);

    if (!rule)
        replica_heard(s->folder->replica, &vector);
    if (!rule)
        rule = sender_want(s->sender, &vector, want->start_round, loop_now(s->folder->services->loop));
    vector_fini(&vector);
    if (rule)
        violation(s, rule);
    else
        pump(s);
}

/* The ids of our live files, one part. Whoever asks waits for it before it asks again. */
static void on_list(struct serve *s, const Coterie__V1__SessionList *list)
{
    struct folder *f = s->folder;
    struct file_id after = {0};
    bool has_after;
    const char *rule = list_from_message(list, &after, &has_after);

    if (rule)
        violation(s, rule);
    else if (!listing_send_part(f, s->stream, has_after ? &after : NULL, &s->sequence))
        folder_store_failed(f);
}

/* The versions of all our records, one part. */
static void on_verify(struct serve *s, const Coterie__V1__SessionList *verify)
{
    bool ok;
    const char *rule = verifying_answer(s->folder, s->stream, verify, &s->sequence, &ok);

    if (rule)
        violation(s, rule);
    else if (!ok)
        folder_store_failed(s->folder);
}

static void on_message(struct rpc_stream *stream, ProtobufCMessage **message, void *arg)
{
    struct serve *s = arg;
    const Coterie__V1__SessionRequest *request = (const Coterie__V1__SessionRequest *)*message;
    const char *rule = sequence_take(&s->sequence, request->sequence);

    (void)stream;
    if (rule) {
        violation(s, rule);
        return;
    }
    if (request->body_case == COTERIE__V1__SESSION_REQUEST__BODY_WANT) {
        on_want(s, request->want);
        return;
    }
    if (request->body_case == COTERIE__V1__SESSION_REQUEST__BODY_LIST) {
        on_list(s, request->list);
        return;
    }
    if (request->body_case == COTERIE__V1__SESSION_REQUEST__BODY_VERIFY) {
        on_verify(s, request->verify);
        return;
    }
    if (request->body_case == COTERIE__V1__SESSION_REQUEST__BODY_CREDIT)
        rule = sender_credit(s->sender, request->credit->update_count);
    else
        rule = "only want, credit, list and verify may follow the opening";
    if (rule)
        violation(s, rule);
    else
        pump(s);
}

static void on_writable(struct rpc_stream *stream, void *arg)
{
    struct serve *s = arg;

    (void)stream;
    s->writable = true;
    pump(s);
}

static void on_end(struct rpc_stream *stream, enum rpc_end end, const char *text, void *arg)
{
    struct serve *s = arg;

    (void)stream;
    log_info(&s->log, "partner's session ended: %s %s", rpc_end_name(end), text);
    serve_end(s);
}

/* Unlike any other session's, as far as chance goes. */
static uint32_t first_sequence(void)
{
    struct guid random = guid_random();
    uint32_t first;

    memcpy(&first, random.bytes, sizeof(first));
    return first;
}

void serve_open(struct folder *f, struct rpc_stream *stream,
                const struct connection_assignment *connection)
{
    static const struct rpc_stream_events events = {
        .on_message = on_message, .on_writable = on_writable, .on_end = on_end};
    Coterie__V1__SessionResponse message = COTERIE__V1__SESSION_RESPONSE__INIT;
    Coterie__V1__SessionOpened opened;
    const struct replica_state *state = replica_state(f->replica);
    struct file_id root = replica_root(f->replica);

    /* a newer session of a connection replaces an older one, whose end may not have reached us */
    for (struct serve *old = f->serves, *next; old; old = next) {
        next = old->next;
        if (old->stream && guid_equal(&old->connection, &connection->connection))
            drop(old);
    }
    struct serve *s = MEM_NEW(struct serve);
    s->folder = f;
    s->connection = connection->connection;
    s->stream = stream;
    s->sender = sender_new(&state->database, &root);
    s->timer = loop_timer_new(f->services->loop, on_timer, s);
    s->items = mem_new(SEND_BATCH_COUNT, sizeof(*s->items));
    log_ctx_init(&s->log, &f->log, "to=%s", connection->partner_name);
    s->next = f->serves;
    f->serves = s;
    rpc_stream_accept(stream, &events, s);
    opened_to_message(&state->database, &opened);
    sequence_begin(&s->sequence, first_sequence());
    message.sequence = s->sequence.sent;
    message.body_case = COTERIE__V1__SESSION_RESPONSE__BODY_OPENED;
    message.opened = &opened;
    s->writable = rpc_stream_send(stream, &message.base);
    log_info(&s->log, "partner's session is up");
}

void serve_kick(struct folder *f)
{
    for (struct serve *s = f->serves, *next; s; s = next) {
        next = s->next;
        pump(s);
    }
}

bool serve_held(const struct folder *f, struct vector *held)
{
    for (size_t i = 0; i < f->assignment->outbound_count; i++) {
        const struct guid *connection = &f->assignment->outbound[i].connection;
        const struct serve *s = f->serves;

        while (s && (!s->stream || !guid_equal(&s->connection, connection)))
            s = s->next;
        if (!s)
            return false;
        if (!vector_covers(replica_vector(f->replica), sender_receiver_vector(s->sender)))
            return false;
        vector_meet(held, sender_receiver_vector(s->sender));
    }
    return true;
}

void serve_check(struct folder *f)
{
    for (struct serve *s = f->serves, *next; s; s = next) {
        next = s->next;
        const struct connection_assignment *c = s->stream ? find_connection(s) : NULL;
        const char *reason = s->stream ? connection_closed_reason(c) : NULL;

        if (reason) {
            log_info(&s->log, "session closed: %s", reason);
            rpc_stream_finish(s->stream, RPC_END_STOPPED, reason);
        }
    }
}

void serve_close_all(struct folder *f)
{
    for (struct serve *s = f->serves, *next; s; s = next) {
        next = s->next;
        if (s->stream)
            drop(s);
    }
}

/* Our records whose version the partner lacks. */
static uint64_t backlog_of(const struct serve *s)
{
    struct folder *f = s->folder;
    scope(vector) struct vector lacks = {0};

    vector_difference(replica_vector(f->replica), sender_receiver_vector(s->sender), &lacks);
    return db_reader_count_versions(f->db_reader, &lacks, BACKLOG_COUNT_MAX);
}

bool serve_status(const struct folder *f, const struct guid *connection, struct serve_status *out)
{
    for (const struct serve *s = f->serves; s; s = s->next) {
        if (!s->stream || !guid_equal(&s->connection, connection))
            continue;
        const struct vector *theirs = sender_receiver_vector(s->sender);

        *out = (struct serve_status){
            .in_sync = vector_covers(theirs, replica_vector(f->replica)),
        };
        if (!out->in_sync)
            out->backlog = backlog_of(s);
        return true;
    }
    return false;
}
