/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/transfer/fetch.h"

#include "agent/transfer/codec.h"
#include "agent/transfer/file_content.h"
#include "agent/transfer/frames.h"
#include "agent/transfer/stage_scratch.h"
#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/base/scope.h"
#include "common/rdc/exchange.h"

#include "proto/replication.pb-c.h"

#include <stdlib.h>

struct transfer {
    struct transfer *next;
    struct fetch_server *server;
    uint32_t number;
    struct record record;
    char *path;
    struct content_hash seeds[RDC_SEED_COUNT_MAX]; /* contents that the receiver has */
    unsigned seed_count;
    struct fetch_seeds known; /* our files with such content */
    struct frames in;         /* wait for the worker */
    bool working;
    bool dead; /* freed when the worker comes back */

    /* the worker's */
    struct frames job_in;
    struct frames job_out;
    struct rdc_sender *sender;
    struct file_content content;
    struct rdc_signature *signature; /* of content */
    struct file_content base_file; /* what the receiver has, when a file of ours has the same */
    struct rdc_content base_content;
    struct rdc_signature *base_signature;
    struct rdc_base base;
    enum rdc_progress progress;
    bool changed; /* the file is not the record's any more */
};

struct fetch_server {
    struct fetch_server_options options;
    struct rpc_stream *stream;
    struct transfer *transfers;
    size_t transfer_count;
    unsigned working_count;
    bool writable;
    bool closed;
    uint64_t bytes_sent; /* of the stream when it had ended */
    uint64_t bytes_received;
};

static void transfer_free(struct transfer *t)
{
    struct transfer **at = &t->server->transfers;

    while (*at != t)
        at = &(*at)->next;
    *at = t->next;
    t->server->transfer_count--;
    rdc_send_free(t->sender);
    file_content_close(&t->content);
    rdc_signature_free(t->signature);
    file_content_close(&t->base_file);
    rdc_signature_free(t->base_signature);
    fetch_seeds_fini(&t->known);
    frames_clear(&t->in);
    frames_clear(&t->job_in);
    frames_clear(&t->job_out);
    record_fini(&t->record);
    free(t->path);
    free(t);
}

/* --- on the worker --- */

static void set_base(struct transfer *t, const struct content_hash *content)
{
    memcpy(t->base.hash.bytes, content->bytes, sizeof(t->base.hash.bytes));
    t->base.signature = t->base_signature;
}

/* The bytes of something that the receiver has are best; one is enough. */
static bool open_base_file(struct transfer *t)
{
    const struct fetch_services *s = &t->server->options.services;

    for (unsigned i = 0; i < t->known.count; i++) {
        const struct fetch_seed *known = &t->known.items[i];

        if (!file_content_open(&t->base_file, s->root, known->path, &known->object, &known->witness,
                               known->size))
            continue;
        t->base_content = file_content_rdc(&t->base_file);
        t->base.content = &t->base_content;
        t->base_signature =
            file_content_signature(&t->base_file, s->signatures, &known->hash, &known->witness);
        set_base(t, &known->hash);
        return true;
    }
    return false;
}

/* Otherwise what it looked like: the version before, as a rule. */
static bool find_base_signature(struct transfer *t)
{
    for (unsigned i = 0; i < t->seed_count; i++) {
        if (signatures_get(t->server->options.services.signatures, &t->seeds[i],
                           &t->base_signature)) {
            set_base(t, &t->seeds[i]);
            return true;
        }
    }
    return false;
}

static bool begin(struct transfer *t)
{
    const struct fetch_services *s = &t->server->options.services;
    struct rdc_send_options options = {
        .key = *signatures_key(s->signatures),
        .scratches = stage_scratches(s->stage),
    };

    if (!file_content_open(&t->content, s->root, t->path, &t->record.object, &t->record.witness,
                           t->record.update.size)) {
        t->changed = true;
        return false;
    }
    options.content = file_content_rdc(&t->content);
    if (t->seed_count > 0)
        t->signature = file_content_signature(&t->content, s->signatures, &t->record.update.hash,
                                              &t->record.witness);
    if (open_base_file(t) || find_base_signature(t)) {
        options.bases = &t->base;
        options.base_count = 1;
    }
    options.signature = t->signature;
    t->sender = rdc_send_new(&options);
    return true;
}

static size_t step(struct transfer *t, struct span in)
{
    scope(buf) struct buf out = {0};

    t->progress = rdc_send_step(t->sender, in, &out);
    size_t size = out.size;
    frames_take(&t->job_out, &out);
    return size;
}

/* One job gives at most FETCH_JOB_BYTES, so a slow link holds no more than that in memory. Frames that
 * are not used up stay in job_in. */
static void work(void *arg)
{
    struct transfer *t = arg;
    size_t bytes = 0;

    if (!t->sender && !begin(t)) {
        t->progress = RDC_FAILED;
        return;
    }
    while (bytes < FETCH_JOB_BYTES) {
        if (t->progress == RDC_MORE_OUTPUT) {
            bytes += step(t, (struct span){0});
        } else if (t->progress == RDC_WAIT && t->job_in.first) {
            bytes += step(t, buf_span(&t->job_in.first->bytes));
            frames_drop_first(&t->job_in);
        } else {
            break;
        }
    }
}

/* --- on the loop thread --- */

static void send_end(struct fetch_server *s, uint32_t number, Coterie__V1__FetchResult result)
{
    Coterie__V1__FetchResponse message = COTERIE__V1__FETCH_RESPONSE__INIT;
    Coterie__V1__FetchEnd end;

    coterie__v1__fetch_end__init(&end);
    end.transfer = number;
    end.result = result;
    message.body_case = COTERIE__V1__FETCH_RESPONSE__BODY_END;
    message.end = &end;
    if (s->stream)
        s->writable = rpc_stream_send(s->stream, &message.base);
}

static void send_frames(struct fetch_server *s, const struct transfer *t)
{
    Coterie__V1__FetchResponse message = COTERIE__V1__FETCH_RESPONSE__INIT;
    Coterie__V1__FetchFrame frame = COTERIE__V1__FETCH_FRAME__INIT;

    message.body_case = COTERIE__V1__FETCH_RESPONSE__BODY_FRAME;
    message.frame = &frame;
    frame.transfer = t->number;
    for (const struct frame *f = t->job_out.first; f && s->stream; f = f->next) {
        frame.data = (ProtobufCBinaryData){.data = f->bytes.data, .len = f->bytes.size};
        s->writable = rpc_stream_send(s->stream, &message.base);
    }
}

static void worked(void *arg);

static void start_work(struct transfer *t)
{
    struct fetch_server *s = t->server;

    frames_move(&t->job_in, &t->in);
    t->working = true;
    s->working_count++;
    s->options.services.job_begin(s->options.services.arg);
    loop_work(s->options.services.loop, work, worked, t);
}

static void server_free_when_quiet(struct fetch_server *s)
{
    if (s->closed && s->working_count == 0) {
        while (s->transfers)
            transfer_free(s->transfers);
        free(s);
    }
}

static bool has_work(const struct transfer *t)
{
    return !t->working && !t->dead && (t->progress == RDC_MORE_OUTPUT || t->in.first);
}

static void worked(void *arg)
{
    struct transfer *t = arg;
    struct fetch_server *s = t->server;

    t->working = false;
    s->working_count--;
    if (!t->dead && !s->closed)
        send_frames(s, t);
    frames_clear(&t->job_out);
    s->options.services.job_end(s->options.services.arg);
    if (s->closed) {
        server_free_when_quiet(s);
        return;
    }
    frames_move(&t->in, &t->job_in);
    if (t->dead) {
        transfer_free(t);
    } else if (t->progress == RDC_DONE) {
        send_end(s, t->number, COTERIE__V1__FETCH_RESULT__FETCH_RESULT_DONE);
        transfer_free(t);
    } else if (t->progress == RDC_FAILED) {
        log_info(s->options.services.log, "transfer ended early: %s",
                 t->changed ? "the file has changed since" : rdc_send_failure(t->sender).reason);
        send_end(s, t->number,
                 t->changed ? COTERIE__V1__FETCH_RESULT__FETCH_RESULT_CHANGED
                            : COTERIE__V1__FETCH_RESULT__FETCH_RESULT_FAILED);
        if (t->changed)
            s->options.on_changed(t->path, s->options.arg);
        transfer_free(t);
    } else if (has_work(t) && s->writable) {
        start_work(t);
    }
}

static void on_writable(struct rpc_stream *stream, void *arg)
{
    struct fetch_server *s = arg;

    (void)stream;
    s->writable = true;
    for (struct transfer *t = s->transfers; t && s->writable; t = t->next)
        if (has_work(t))
            start_work(t);
}

static struct transfer *find(struct fetch_server *s, uint32_t number)
{
    for (struct transfer *t = s->transfers; t; t = t->next)
        if (t->number == number && !t->dead)
            return t;
    return NULL;
}

/* What the receiver has, and who of us has the same. False: it is malformed. */
static bool note_seeds(struct transfer *t, const Coterie__V1__FetchStart *start)
{
    const struct fetch_server_options *options = &t->server->options;

    if (start->n_seed_hashes > RDC_SEED_COUNT_MAX)
        return false;
    for (size_t i = 0; i < start->n_seed_hashes; i++) {
        struct content_hash *hash = &t->seeds[t->seed_count];
        struct record record = {0};
        char *path;

        if (start->seed_hashes[i].len != sizeof(hash->bytes))
            return false;
        memcpy(hash->bytes, start->seed_hashes[i].data, sizeof(hash->bytes));
        t->seed_count++;
        if (!options->find_content(hash, &record, &path, options->arg))
            continue;
        fetch_seeds_take(&t->known, &record, path);
        record_fini(&record);
    }
    return true;
}

static const char *on_start(struct fetch_server *s, const Coterie__V1__FetchStart *start)
{
    struct file_id id;
    struct gvsn gvsn;
    struct record record = {0};
    char *path = NULL;

    if (!start->file_id || !start->gvsn ||
        !guid_from_message(start->file_id->database_guid, &id.database) ||
        !guid_from_message(start->gvsn->database_guid, &gvsn.database))
        return "fetch without a version";
    if (find(s, start->transfer))
        return "transfer number used twice";
    if (s->transfer_count >= FETCH_SERVED_MAX)
        return "too many transfers at a time";
    id.number = start->file_id->number;
    gvsn.number = start->gvsn->number;
    if (!s->options.find(&id, &gvsn, &record, &path, s->options.arg)) {
        send_end(s, start->transfer, COTERIE__V1__FETCH_RESULT__FETCH_RESULT_CHANGED);
        return NULL;
    }
    struct transfer *t = MEM_NEW(struct transfer);
    t->server = s;
    t->number = start->transfer;
    t->record = record;
    t->path = path;
    t->content.fd = -1;
    t->base_file.fd = -1;
    t->progress = RDC_WAIT;
    t->next = s->transfers;
    s->transfers = t;
    s->transfer_count++;
    return note_seeds(t, start) ? NULL : "seeds that are none";
}

static const char *on_frame(struct fetch_server *s, const Coterie__V1__FetchFrame *message)
{
    struct transfer *t = find(s, message->transfer);

    if (!t)
        return NULL; /* ended meanwhile */
    if (t->in.count >= FETCH_FRAME_QUEUE_MAX * 4)
        return "more frames than a transfer may have under way";
    frames_add(&t->in, span_of(message->data.data, message->data.len));
    if (!t->working && s->writable)
        start_work(t);
    return NULL;
}

static void on_message(struct rpc_stream *stream, ProtobufCMessage **message, void *arg)
{
    struct fetch_server *s = arg;
    const Coterie__V1__FetchRequest *m = (const Coterie__V1__FetchRequest *)*message;
    const char *rule = "message without a body";

    if (m->body_case == COTERIE__V1__FETCH_REQUEST__BODY_START) {
        rule = on_start(s, m->start);
    } else if (m->body_case == COTERIE__V1__FETCH_REQUEST__BODY_FRAME) {
        rule = on_frame(s, m->frame);
    } else if (m->body_case == COTERIE__V1__FETCH_REQUEST__BODY_END) {
        struct transfer *t = find(s, m->end->transfer);

        rule = NULL;
        if (t && t->working)
            t->dead = true;
        else if (t)
            transfer_free(t);
    }
    if (rule) {
        log_warn(s->options.services.log, "partner broke the protocol, fetch stream ended: %s",
                 rule);
        rpc_stream_finish(stream, RPC_END_BAD, rule);
    }
}

static void on_end(struct rpc_stream *stream, enum rpc_end end, const char *text, void *arg)
{
    struct fetch_server *s = arg;

    (void)end;
    (void)text;
    rpc_stream_bytes(stream, &s->bytes_sent, &s->bytes_received);
    s->stream = NULL;
    s->closed = true;
    s->options.on_end(s, s->options.arg);
    server_free_when_quiet(s);
}

struct fetch_server *fetch_server_open(const struct fetch_server_options *options)
{
    static const struct rpc_stream_events events = {
        .on_message = on_message, .on_writable = on_writable, .on_end = on_end};
    struct fetch_server *s = MEM_NEW(struct fetch_server);
    Coterie__V1__FetchResponse message = COTERIE__V1__FETCH_RESPONSE__INIT;
    Coterie__V1__SessionOpened opened;

    s->options = *options;
    s->stream = options->stream;
    rpc_stream_accept(s->stream, &events, s);
    opened_to_message(&s->options.services.database, &opened);
    message.body_case = COTERIE__V1__FETCH_RESPONSE__BODY_OPENED;
    message.opened = &opened;
    s->writable = rpc_stream_send(s->stream, &message.base);
    return s;
}

void fetch_server_bytes(const struct fetch_server *s, uint64_t *out_sent, uint64_t *out_received)
{
    *out_sent = s->bytes_sent;
    *out_received = s->bytes_received;
    if (s->stream)
        rpc_stream_bytes(s->stream, out_sent, out_received);
}

void fetch_server_finish(struct fetch_server *s, enum rpc_end end, const char *text)
{
    if (s->stream)
        rpc_stream_finish(s->stream, end, text);
}

void fetch_server_close(struct fetch_server *s)
{
    if (s->stream)
        rpc_stream_cancel(s->stream);
    s->stream = NULL;
    s->closed = true;
    server_free_when_quiet(s);
}
