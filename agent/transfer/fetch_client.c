/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/transfer/fetch.h"

#include "agent/scan/scan.h"
#include "agent/transfer/codec.h"
#include "agent/transfer/file_content.h"
#include "agent/transfer/frames.h"
#include "agent/transfer/stage_scratch.h"
#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/base/scope.h"
#include "common/rdc/exchange.h"
#include "common/rpc/methods.h"

#include "proto/replication.pb-c.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

struct transfer {
    struct transfer *next;
    struct fetch_client *client;
    uint32_t number;
    struct update update;
    struct fetch_seeds seeds;
    struct frames in; /* wait for the worker */
    bool started;     /* the partner knows of it */
    bool working;
    bool begun;
    bool dead; /* nobody wants it any more: freed when the worker comes back */

    /* the worker's */
    struct frames job_in;
    struct frames job_out;
    struct rdc_receiver *receiver;
    struct open_seed {
        struct file_content content;
        struct rdc_hash hash;
        struct rdc_signature *signature;
    } open_seeds[RDC_SEED_COUNT_MAX];
    struct rdc_seed rdc_seeds[RDC_SEED_COUNT_MAX]; /* of open_seeds */
    unsigned open_count;
    struct stage_file *file;
    enum rdc_progress progress;
    enum status status; /* of our own disk; ST_OK while it works */
    const char *reason;
    struct staged staged;
    struct rdc_traits traits;
};

struct fetch_client {
    struct fetch_client_options options;
    struct rpc_stream *stream;
    struct transfer *transfers;
    uint32_t number_last;
    unsigned working_count;
    bool paused;
    bool closed;
    uint64_t bytes_sent_before;
    uint64_t bytes_received_before;
};

static void transfer_free(struct transfer *t)
{
    struct transfer **at = &t->client->transfers;

    while (*at != t)
        at = &(*at)->next;
    *at = t->next;
    rdc_receive_free(t->receiver);
    stage_abandon(t->file);
    if (t->staged.number != 0)
        stage_drop(t->client->options.services.stage, t->staged.number);
    for (unsigned i = 0; i < t->open_count; i++) {
        file_content_close(&t->open_seeds[i].content);
        rdc_signature_free(t->open_seeds[i].signature);
    }
    frames_clear(&t->in);
    frames_clear(&t->job_in);
    frames_clear(&t->job_out);
    update_fini(&t->update);
    fetch_seeds_fini(&t->seeds);
    free(t);
}

void fetch_seeds_take(struct fetch_seeds *seeds, const struct record *record, char *path)
{
    if (seeds->count == RDC_SEED_COUNT_MAX) {
        free(path);
        return;
    }
    seeds->items[seeds->count++] = (struct fetch_seed){
        .path = path,
        .object = record->object,
        .witness = record->witness,
        .hash = record->update.hash,
        .size = record->update.size,
    };
}

void fetch_seeds_fini(struct fetch_seeds *seeds)
{
    for (unsigned i = 0; i < seeds->count; i++)
        free(seeds->items[i].path);
    *seeds = (struct fetch_seeds){0};
}

static void client_free(struct fetch_client *c)
{
    free(c);
}

/* --- on the worker --- */

static enum status sink_write(void *arg, uint64_t offset, struct span bytes)
{
    struct transfer *t = arg;

    t->status = stage_write(t->file, offset, bytes);
    return t->status;
}

static enum status sink_read(void *arg, uint64_t offset, void *out, size_t size)
{
    struct transfer *t = arg;

    t->status = stage_read(t->file, offset, out, size);
    return t->status;
}

static enum status sink_copy(void *arg, unsigned seed_index, uint64_t seed_offset, uint64_t offset,
                             uint64_t size)
{
    struct transfer *t = arg;
    enum status st =
        stage_copy(t->file, offset, t->open_seeds[seed_index].content.fd, seed_offset, size);

    return st == ST_GONE || st == ST_REFUSED ? ST_AGAIN : st;
}

static enum status sink_restart(void *arg)
{
    struct transfer *t = arg;

    t->status = stage_resize(t->file, 0);
    return t->status;
}

static bool is_the_content(const struct transfer *t, const struct fetch_seed *seed)
{
    return seed->size == t->update.size && content_hash_equal(&seed->hash, &t->update.hash);
}

/* Those of the seeds that still are what their records say. Signatures are for finding what is equal,
 * not for copying all. */
static void open_seeds(struct transfer *t)
{
    bool copied = false;

    for (unsigned i = 0; i < t->seeds.count; i++) {
        const struct fetch_seed *seed = &t->seeds.items[i];
        struct open_seed *open = &t->open_seeds[t->open_count];

        if (!file_content_open(&open->content, t->client->options.services.root, seed->path,
                               &seed->object, &seed->witness, seed->size))
            continue;
        memcpy(open->hash.bytes, seed->hash.bytes, sizeof(open->hash.bytes));
        copied = copied || is_the_content(t, seed);
        if (!copied && signatures_want(seed->size))
            signatures_get(t->client->options.services.signatures, &seed->hash, &open->signature);
        t->rdc_seeds[t->open_count] = (struct rdc_seed){
            .content = file_content_rdc(&open->content),
            .signature = open->signature,
            .hash = &open->hash,
        };
        t->open_count++;
    }
}

static bool begin(struct transfer *t)
{
    const struct fetch_services *s = &t->client->options.services;
    struct rdc_receive_options options = {
        .size = t->update.size,
        .sink = {.write = sink_write,
                 .read = sink_read,
                 .copy = sink_copy,
                 .restart = sink_restart,
                 .arg = t},
        .key = *signatures_key(s->signatures),
        .scratches = stage_scratches(s->stage),
    };

    memcpy(options.hash.bytes, t->update.hash.bytes, sizeof(options.hash.bytes));
    t->status = stage_create(t->client->options.services.stage, t->update.size, &t->file);
    if (t->status != ST_OK) {
        t->reason = "no room in the staging area";
        return false;
    }
    open_seeds(t);
    options.seeds = t->rdc_seeds;
    options.seed_count = t->open_count;
    t->receiver = rdc_receive_new(&options);
    return true;
}

static void step(struct transfer *t, struct span in)
{
    scope(buf) struct buf out = {0};

    do {
        t->progress = rdc_receive_step(t->receiver, in, &out);
        frames_take(&t->job_out, &out);
        in = (struct span){0};
    } while (t->progress == RDC_MORE_OUTPUT);
}

/* The content stands in the stage and is proven: it will be a seed, and others may fetch it. */
static void sign(struct transfer *t)
{
    struct signatures *signatures = t->client->options.services.signatures;
    struct file_content staged = {.fd = stage_file_fd(t->file), .size = t->update.size};
    struct rdc_signature *signature;

    if (signatures_have(signatures, &t->update.hash))
        return;
    signature = file_content_signature(&staged, signatures, &t->update.hash, NULL);
    if (signature)
        t->traits = signature->traits;
    rdc_signature_free(signature);
}

static void work(void *arg)
{
    struct transfer *t = arg;

    t->progress = t->reason ? RDC_FAILED : RDC_WAIT;
    if (!t->begun && !t->reason) {
        t->begun = true;
        if (!begin(t)) {
            t->progress = RDC_FAILED;
            return;
        }
        step(t, (struct span){0});
    }
    for (const struct frame *f = t->job_in.first; f && t->progress == RDC_WAIT; f = f->next)
        step(t, buf_span(&f->bytes));
    if (t->progress == RDC_FAILED && !t->reason)
        t->reason = rdc_receive_failure(t->receiver).reason;
    if (t->progress == RDC_DONE) {
        struct stage_file *file = t->file;

        sign(t);
        t->file = NULL;
        t->status = stage_finish(file, &t->staged);
        if (t->status != ST_OK) {
            t->progress = RDC_FAILED;
            t->reason = "the staged file could not be completed";
        }
    }
}

/* --- on the loop thread --- */

static void start_work(struct transfer *t);

static void send_end(struct fetch_client *c, uint32_t number)
{
    Coterie__V1__FetchRequest message = COTERIE__V1__FETCH_REQUEST__INIT;
    Coterie__V1__FetchEnd end;

    coterie__v1__fetch_end__init(&end);
    end.transfer = number;
    end.result = COTERIE__V1__FETCH_RESULT__FETCH_RESULT_CANCELLED;
    message.body_case = COTERIE__V1__FETCH_REQUEST__BODY_END;
    message.end = &end;
    if (c->stream)
        rpc_stream_send(c->stream, &message.base);
}

static bool open_stream(struct fetch_client *c);

static void send_start(struct fetch_client *c, struct transfer *t)
{
    Coterie__V1__FetchRequest message = COTERIE__V1__FETCH_REQUEST__INIT;
    Coterie__V1__FetchStart start = COTERIE__V1__FETCH_START__INIT;
    ProtobufCBinaryData hashes[RDC_SEED_COUNT_MAX];
    struct update_message update;

    for (unsigned i = 0; i < t->open_count; i++)
        hashes[i] = (ProtobufCBinaryData){.data = t->open_seeds[i].hash.bytes, .len = RDC_HASH_SIZE};
    update_to_message(&t->update, &update);
    start.transfer = t->number;
    start.seed_hashes = hashes;
    start.n_seed_hashes = t->open_count;
    start.file_id = update.update.file_id;
    start.gvsn = update.update.gvsn;
    start.content_hash = update.update.content_hash;
    message.body_case = COTERIE__V1__FETCH_REQUEST__BODY_START;
    message.start = &start;
    rpc_stream_send(c->stream, &message.base);
}

/* What the worker has to say; the first of it makes the partner know of the transfer. False: there
 * is no connection. */
static bool send_frames(struct fetch_client *c, struct transfer *t)
{
    if (t->job_out.first && !t->started) {
        if (!c->stream && !open_stream(c))
            return false;
        send_start(c, t);
        t->started = true;
    }
    for (const struct frame *f = t->job_out.first; f && c->stream; f = f->next) {
        Coterie__V1__FetchRequest message = COTERIE__V1__FETCH_REQUEST__INIT;
        Coterie__V1__FetchFrame frame = COTERIE__V1__FETCH_FRAME__INIT;

        frame.transfer = t->number;
        frame.data = (ProtobufCBinaryData){.data = f->bytes.data, .len = f->bytes.size};
        message.body_case = COTERIE__V1__FETCH_REQUEST__BODY_FRAME;
        message.frame = &frame;
        rpc_stream_send(c->stream, &message.base);
    }
    return true;
}

static void resume_if_drained(struct fetch_client *c)
{
    if (!c->paused || !c->stream)
        return;
    for (const struct transfer *t = c->transfers; t; t = t->next)
        if (t->in.count >= FETCH_FRAME_QUEUE_MAX)
            return;
    c->paused = false;
    rpc_stream_resume(c->stream);
}

/* Tell the owner and forget the transfer. */
static void finish(struct transfer *t, const char *reason, enum status status)
{
    struct fetch_client *c = t->client;
    struct fetch_result result = {
        .gvsn = t->update.gvsn,
        .content = t->update.hash,
        .ok = reason == NULL,
        .reason = reason,
        .status = status,
    };

    if (t->working) {
        t->dead = true; /* what the worker has in hand is not looked at */
    } else if (result.ok) {
        result.staged = t->staged;
        result.traits = t->traits;
        t->staged.number = 0; /* the owner's now */
    }
    c->options.on_fetched(&result, c->options.source, c->options.arg);
    if (!t->working)
        transfer_free(t);
}

static void log_arrival(const struct transfer *t)
{
    const struct rdc_stats *stats = rdc_receive_stats(t->receiver);
    scope(buf) struct buf name = {0};

    buf_append_escaped(&name, t->update.name, t->update.name_size);
    log_debug(t->client->options.services.log,
              "content is complete name=\"%s\" way=%s%s size=%" PRIu64 " received=%" PRIu64
              " rounds=%u",
              buf_text(&name), rdc_way_name(stats->way), stats->unpacked ? " unpacked" : "",
              t->update.size, stats->bytes_in, stats->rounds);
}

static void worked(void *arg)
{
    struct transfer *t = arg;
    struct fetch_client *c = t->client;
    bool ended = t->progress == RDC_DONE || t->progress == RDC_FAILED;
    bool connected = true;

    t->working = false;
    c->working_count--;
    frames_clear(&t->job_in);
    if (!t->dead)
        connected = send_frames(c, t);
    frames_clear(&t->job_out);
    c->options.services.job_end(c->options.services.arg);
    if (t->dead) {
        transfer_free(t);
        if (c->closed && c->working_count == 0)
            client_free(c);
        return;
    }
    if (ended) {
        if (t->progress == RDC_FAILED && t->started)
            send_end(c, t->number);
        if (t->progress == RDC_DONE)
            log_arrival(t);
        finish(t, t->progress == RDC_DONE ? NULL : t->reason, t->status);
    } else if (!connected) {
        finish(t, "the connection was lost", ST_AGAIN);
    } else if (t->in.first) {
        start_work(t);
    }
    resume_if_drained(c);
}

static void start_work(struct transfer *t)
{
    struct fetch_client *c = t->client;

    frames_move(&t->job_in, &t->in);
    t->working = true;
    c->working_count++;
    c->options.services.job_begin(c->options.services.arg);
    loop_work(c->options.services.loop, work, worked, t);
}

static struct transfer *find(struct fetch_client *c, uint32_t number)
{
    for (struct transfer *t = c->transfers; t; t = t->next)
        if (t->number == number && !t->dead)
            return t;
    return NULL;
}

static void on_frame(struct fetch_client *c, const Coterie__V1__FetchFrame *message)
{
    struct transfer *t = find(c, message->transfer);

    if (!t)
        return; /* cancelled by us meanwhile */
    frames_add(&t->in, span_of(message->data.data, message->data.len));
    if (!t->working)
        start_work(t);
    else if (t->in.count >= FETCH_FRAME_QUEUE_MAX && !c->paused) {
        c->paused = true;
        rpc_stream_pause(c->stream);
    }
}

static void on_partner_end(struct fetch_client *c, const Coterie__V1__FetchEnd *end)
{
    struct transfer *t = find(c, end->transfer);

    if (!t || end->result == COTERIE__V1__FETCH_RESULT__FETCH_RESULT_DONE)
        return;
    finish(t, end->result == COTERIE__V1__FETCH_RESULT__FETCH_RESULT_CHANGED
                  ? "the partner has a newer version by now"
                  : "the partner could not send it", ST_AGAIN);
}

static void on_message(struct rpc_stream *stream, ProtobufCMessage **message, void *arg)
{
    struct fetch_client *c = arg;
    const Coterie__V1__FetchResponse *m = (const Coterie__V1__FetchResponse *)*message;

    (void)stream;
    if (m->body_case == COTERIE__V1__FETCH_RESPONSE__BODY_FRAME)
        on_frame(c, m->frame);
    else if (m->body_case == COTERIE__V1__FETCH_RESPONSE__BODY_END)
        on_partner_end(c, m->end);
}

static void fail_all(struct fetch_client *c, const char *reason)
{
    struct transfer *next;

    for (struct transfer *t = c->transfers; t; t = next) {
        next = t->next;
        if (!t->dead)
            finish(t, reason, ST_AGAIN);
    }
}

static void count_bytes(struct fetch_client *c)
{
    uint64_t sent;
    uint64_t received;

    rpc_stream_bytes(c->stream, &sent, &received);
    c->bytes_sent_before += sent;
    c->bytes_received_before += received;
}

static void on_end(struct rpc_stream *stream, enum rpc_end end, const char *text, void *arg)
{
    struct fetch_client *c = arg;

    (void)stream;
    log_info(c->options.services.log, "fetch stream ended: %s: %s", rpc_end_name(end), text);
    count_bytes(c);
    c->stream = NULL;
    c->paused = false;
    fail_all(c, "the connection was lost");
}

static bool open_stream(struct fetch_client *c)
{
    static const struct rpc_stream_events events = {.on_message = on_message, .on_end = on_end};
    Coterie__V1__FetchRequest message = COTERIE__V1__FETCH_REQUEST__INIT;
    const struct fetch_services *services = &c->options.services;
    Coterie__V1__SessionOpen open;

    c->stream = rpc_stream_open(c->options.channel, &replication_fetch_method, &events, c);
    if (!c->stream)
        return false;
    opening_to_message(&services->connection, &services->folder, &services->database, true, &open);
    message.body_case = COTERIE__V1__FETCH_REQUEST__BODY_OPEN;
    message.open = &open;
    rpc_stream_send(c->stream, &message.base);
    return true;
}

struct fetch_client *fetch_client_open(const struct fetch_client_options *options)
{
    struct fetch_client *c = MEM_NEW(struct fetch_client);

    c->options = *options;
    return c;
}

void fetch_client_close(struct fetch_client *c)
{
    struct transfer *next;

    if (!c)
        return;
    if (c->stream) {
        count_bytes(c);
        rpc_stream_cancel(c->stream);
        c->stream = NULL;
    }
    c->closed = true;
    for (struct transfer *t = c->transfers; t; t = next) {
        next = t->next;
        t->dead = true;
        if (!t->working)
            transfer_free(t);
    }
    if (c->working_count == 0)
        client_free(c);
}

void fetch_client_start(struct fetch_client *c, const struct update *update,
                        struct fetch_seeds *seeds)
{
    struct transfer *t = MEM_NEW(struct transfer);

    t->client = c;
    t->number = ++c->number_last;
    update_copy(&t->update, update);
    t->seeds = *seeds;
    *seeds = (struct fetch_seeds){0};
    t->next = c->transfers;
    c->transfers = t;
    start_work(t);
}

const struct guid *fetch_client_connection(const struct fetch_client *c)
{
    return &c->options.services.connection;
}

void fetch_client_bytes(const struct fetch_client *c, uint64_t *out_sent, uint64_t *out_received)
{
    *out_sent = c->bytes_sent_before;
    *out_received = c->bytes_received_before;
    if (c->stream) {
        uint64_t sent;
        uint64_t received;

        rpc_stream_bytes(c->stream, &sent, &received);
        *out_sent += sent;
        *out_received += received;
    }
}
