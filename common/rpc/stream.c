/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Up to four batches of a call can be with gRPC at a time, each with its op:
 *
 *   op_start   initial metadata (client: both ways; server: ours)
 *   op_read    one message          posted again after each, unless paused
 *   op_write   one message, or the client's close; the server's final status comes last
 *   op_status  the end as gRPC sees it; in flight from the beginning
 *
 * refs counts them, and a callback that is running. At zero the stream is either over, or it only
 * waits for rpc_stream_resume() to hand out the last message.
 */
#include "common/rpc/stream.h"

#include "common/base/buf.h"
#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/base/scope.h"
#include "common/rpc/codec.h"
#include "common/rpc/end.h"
#include "common/rpc/send_queue.h"

#include <assert.h>
#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/slice.h>
#include <stdlib.h>

struct outgoing {
    struct send_item item;
    grpc_byte_buffer *bytes;
};

struct rpc_stream {
    LIST_ENTRY(rpc_stream) link; /* in options.list until released or ended */
    struct rpc *rpc;
    grpc_call *call;
    bool server;
    bool listed;
    uint64_t session;
    char *principal;
    char *peer;
    loop_fn on_gone;
    void *gone_arg;

    const ProtobufCMessageDescriptor *incoming_type;
    struct rpc_stream_events events;
    struct stream_raw_events raw;
    void *arg;

    struct rpc_op op_start;
    struct rpc_op op_read;
    struct rpc_op op_write;
    struct rpc_op op_status;
    struct rpc_op op_resume; /* ours alone */
    bool resuming;
    unsigned refs;
    bool released; /* by its user: no callback any more */
    bool over;     /* op_status has completed */

    bool accepted; /* reading may begin */
    bool reading;
    bool paused;
    bool read_closed;
    grpc_byte_buffer *incoming; /* op_read's target */
    grpc_byte_buffer *held;     /* came while paused */
    uint64_t received_bytes;

    struct send_queue queue;
    struct outgoing *in_flight;
    bool writing;
    bool close_send; /* client: after what is queued */
    bool close_sent;
    uint64_t sent_bytes;

    /* where gRPC writes the end */
    grpc_metadata_array initial_metadata;
    grpc_metadata_array trailing_metadata;
    grpc_status_code code;
    grpc_slice details;
    int cancelled; /* server */

    bool initial_sent; /* server */
    bool finishing;    /* server: rpc_stream_finish() was called */
    bool status_sent;
    bool end_decided; /* by us: finish or abort */
    enum rpc_end end;
    char *text;
};

static void settle(struct rpc_stream *stream);

static void start_batch(struct rpc_stream *stream, struct rpc_op *op, const grpc_op *ops,
                        size_t count)
{
    stream->refs++;
    grpc_call_error error = grpc_call_start_batch(stream->call, ops, count, rpc_op_tag(op), NULL);
    assert(error == GRPC_CALL_OK);
    (void)error;
}

/* --- sending --- */

static void outgoing_free(struct outgoing *outgoing)
{
    if (!outgoing)
        return;
    if (outgoing->bytes)
        grpc_byte_buffer_destroy(outgoing->bytes);
    free(outgoing);
}

static void drop_queue(struct rpc_stream *stream)
{
    for (struct send_item *item; (item = send_queue_pop(&stream->queue)) != NULL;) {
        send_queue_done(&stream->queue, item->size);
        outgoing_free(RPC_OWNER(item, struct outgoing, item));
    }
}

static void send_status(struct rpc_stream *stream)
{
    grpc_slice details = grpc_slice_from_copied_string(stream->text ? stream->text : "");
    grpc_op ops[2] = {{.op = GRPC_OP_SEND_STATUS_FROM_SERVER}};
    size_t count = 1;

    ops[0].data.send_status_from_server.status = code_of_end(stream->end);
    ops[0].data.send_status_from_server.status_details = &details;
    if (!stream->initial_sent)
        ops[count++] = (grpc_op){.op = GRPC_OP_SEND_INITIAL_METADATA};
    stream->initial_sent = true;
    stream->status_sent = true;
    stream->writing = true;
    start_batch(stream, &stream->op_write, ops, count);
    grpc_slice_unref(details);
}

static void send_message(struct rpc_stream *stream, struct outgoing *outgoing)
{
    grpc_op op = {.op = GRPC_OP_SEND_MESSAGE};

    op.data.send_message.send_message = outgoing->bytes;
    stream->in_flight = outgoing;
    stream->writing = true;
    start_batch(stream, &stream->op_write, &op, 1);
    /* gRPC has taken the slices */
    grpc_byte_buffer_destroy(outgoing->bytes);
    outgoing->bytes = NULL;
}

static void write_next(struct rpc_stream *stream)
{
    if (stream->writing || stream->released || stream->over)
        return;
    struct send_item *item = send_queue_pop(&stream->queue);
    if (item) {
        send_message(stream, RPC_OWNER(item, struct outgoing, item));
    } else if (stream->close_send && !stream->close_sent) {
        grpc_op op = {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT};
        stream->close_sent = true;
        stream->writing = true;
        start_batch(stream, &stream->op_write, &op, 1);
    } else if (stream->finishing && !stream->status_sent) {
        send_status(stream);
    }
}

static void on_written(struct rpc_op *op, bool ok)
{
    struct rpc_stream *stream = RPC_OWNER(op, struct rpc_stream, op_write);
    struct outgoing *sent = stream->in_flight;
    bool writable = false;

    stream->writing = false;
    stream->in_flight = NULL;
    if (sent) {
        writable = send_queue_done(&stream->queue, sent->item.size);
        stream->sent_bytes += ok ? sent->item.size : 0;
        outgoing_free(sent);
    }
    if (!ok)
        drop_queue(stream); /* the call is failing: its status is on the way */
    write_next(stream);
    if (ok && writable && !stream->released && !stream->finishing && stream->events.on_writable)
        stream->events.on_writable(stream, stream->arg);
    stream->refs--;
    settle(stream);
}

/* What is sent to a stream that ends anyway is dropped; on_end is about to tell. */
static bool takes_messages(const struct rpc_stream *stream)
{
    return !stream->released && !stream->over && !stream->end_decided && !stream->close_send;
}

static bool send_slice(struct rpc_stream *stream, grpc_slice slice)
{
    struct outgoing *outgoing = MEM_NEW(struct outgoing);

    outgoing->item.size = GRPC_SLICE_LENGTH(slice);
    outgoing->bytes = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_slice_unref(slice);
    bool below = send_queue_push(&stream->queue, &outgoing->item);
    if (stream->queue.bytes > RPC_SEND_QUEUE_BYTES_MAX)
        stream_abort(stream, RPC_END_BUSY, "too much is queued: the peer does not read");
    write_next(stream);
    return below;
}

static bool fits(struct rpc_stream *stream, size_t size)
{
    if (size <= RPC_MESSAGE_SIZE_MAX)
        return true;
    scope_free char *text =
        mem_format("a message of %zu bytes exceeds the limit of %u", size, RPC_MESSAGE_SIZE_MAX);
    stream_abort(stream, RPC_END_BAD, text);
    return false;
}

bool rpc_stream_send(struct rpc_stream *stream, const ProtobufCMessage *message)
{
    size_t size = protobuf_c_message_get_packed_size(message);

    if (!takes_messages(stream) || !fits(stream, size))
        return true;
    grpc_slice slice = grpc_slice_malloc(size);
    protobuf_c_message_pack(message, GRPC_SLICE_START_PTR(slice));
    return send_slice(stream, slice);
}

bool rpc_stream_send_payload(struct rpc_stream *stream, const ProtobufCMessage *head,
                             uint32_t field, struct span payload)
{
    size_t size = codec_payload_message_size(head, field, payload.size);

    if (!takes_messages(stream) || !fits(stream, size))
        return true;
    grpc_slice slice = grpc_slice_malloc(size);
    codec_write_payload_message(head, field, payload, GRPC_SLICE_START_PTR(slice));
    return send_slice(stream, slice);
}

bool stream_send_raw(struct rpc_stream *stream, struct span bytes)
{
    if (!takes_messages(stream) || !fits(stream, bytes.size))
        return true;
    return send_slice(stream, grpc_slice_from_copied_buffer((const char *)bytes.data, bytes.size));
}

size_t rpc_stream_queued_bytes(const struct rpc_stream *stream)
{
    return stream->queue.bytes;
}

void rpc_stream_close_send(struct rpc_stream *stream)
{
    assert(!stream->server);
    stream->close_send = true;
    write_next(stream);
}

/* --- receiving --- */

static void read_next(struct rpc_stream *stream)
{
    if (!stream->accepted || stream->reading || stream->paused || stream->held ||
        stream->read_closed || stream->released || stream->end_decided)
        return;
    grpc_op op = {.op = GRPC_OP_RECV_MESSAGE};
    op.data.recv_message.recv_message = &stream->incoming;
    stream->reading = true;
    start_batch(stream, &stream->op_read, &op, 1);
}

static void hand_out(struct rpc_stream *stream, struct span bytes)
{
    if (stream->raw.on_bytes) {
        stream->raw.on_bytes(stream, bytes, stream->arg);
        return;
    }
    ProtobufCMessage *message = codec_decode(stream->incoming_type, bytes);
    if (!message) {
        scope_free char *text = mem_format("malformed or too expensive message of type %s",
                                           stream->incoming_type->name);
        stream_abort(stream, RPC_END_BAD, text);
        return;
    }
    stream->events.on_message(stream, &message, stream->arg);
    if (message)
        protobuf_c_message_free_unpacked(message, NULL);
}

static void deliver(struct rpc_stream *stream, grpc_byte_buffer *buffer)
{
    grpc_byte_buffer_reader reader;

    stream->received_bytes += grpc_byte_buffer_length(buffer);
    /* a compressed message could be a bomb: we never send one, and refuse it */
    if (buffer->data.raw.compression != GRPC_COMPRESS_NONE ||
        !grpc_byte_buffer_reader_init(&reader, buffer)) {
        stream_abort(stream, RPC_END_BAD, "compressed messages are not accepted");
        return;
    }
    if (buffer->data.raw.slice_buffer.count == 1) {
        grpc_slice slice = buffer->data.raw.slice_buffer.slices[0];
        hand_out(stream, span_of(GRPC_SLICE_START_PTR(slice), GRPC_SLICE_LENGTH(slice)));
    } else {
        grpc_slice slice = grpc_byte_buffer_reader_readall(&reader);
        hand_out(stream, span_of(GRPC_SLICE_START_PTR(slice), GRPC_SLICE_LENGTH(slice)));
        grpc_slice_unref(slice);
    }
    grpc_byte_buffer_reader_destroy(&reader);
}

static void on_read(struct rpc_op *op, bool ok)
{
    struct rpc_stream *stream = RPC_OWNER(op, struct rpc_stream, op_read);
    grpc_byte_buffer *buffer = stream->incoming;

    (void)ok; /* says no more than whether there is a message */
    stream->reading = false;
    stream->incoming = NULL;
    if (!buffer) {
        stream->read_closed = true;
        if (stream->server && !stream->released && !stream->over && !stream->end_decided &&
            stream->events.on_close_send)
            stream->events.on_close_send(stream, stream->arg);
    } else if (stream->released || stream->end_decided) {
        grpc_byte_buffer_destroy(buffer);
    } else if (stream->paused) {
        stream->held = buffer;
    } else {
        deliver(stream, buffer);
        grpc_byte_buffer_destroy(buffer);
        read_next(stream);
    }
    stream->refs--;
    settle(stream);
}

void rpc_stream_pause(struct rpc_stream *stream)
{
    stream->paused = true;
}

/* A message that came while paused is handed out later: no callback runs inside resume. */
static void on_resumed(struct rpc_op *op, bool ok)
{
    struct rpc_stream *stream = RPC_OWNER(op, struct rpc_stream, op_resume);
    grpc_byte_buffer *buffer = stream->held;

    (void)ok;
    stream->resuming = false;
    if (buffer && !stream->paused && !stream->released && !stream->end_decided) {
        stream->held = NULL;
        deliver(stream, buffer);
        grpc_byte_buffer_destroy(buffer);
        read_next(stream);
    }
    stream->refs--;
    settle(stream);
}

void rpc_stream_resume(struct rpc_stream *stream)
{
    stream->paused = false;
    if (!stream->held) {
        read_next(stream);
    } else if (!stream->resuming) {
        stream->resuming = true;
        stream->refs++;
        rpc_defer(stream->rpc, &stream->op_resume);
    }
}

/* --- ending --- */

static void decide_end(struct rpc_stream *stream, enum rpc_end end, const char *text)
{
    stream->end_decided = true;
    stream->end = end;
    free(stream->text);
    stream->text = mem_format("%.*s", (int)RPC_END_TEXT_SIZE_MAX, text);
}

void rpc_stream_finish(struct rpc_stream *stream, enum rpc_end end, const char *text)
{
    assert(stream->server);
    if (stream->end_decided || stream->over)
        return;
    decide_end(stream, end, text);
    stream->finishing = true;
    write_next(stream);
}

void stream_abort(struct rpc_stream *stream, enum rpc_end end, const char *text)
{
    if (stream->over || stream->status_sent)
        return;
    decide_end(stream, end, text);
    stream->finishing = false;
    drop_queue(stream);
    grpc_call_cancel_with_status(stream->call, code_of_end(end), stream->text, NULL);
}

static void unlist(struct rpc_stream *stream)
{
    if (stream->listed)
        LIST_REMOVE(stream, link);
    stream->listed = false;
}

void rpc_stream_cancel(struct rpc_stream *stream)
{
    stream->released = true;
    unlist(stream);
    drop_queue(stream);
    grpc_call_cancel(stream->call, NULL);
    settle(stream);
}

/* What the peer says is for people and for the log: bounded, and no control characters. */
static char *text_of_details(const struct rpc_stream *stream)
{
    scope(buf) struct buf text = {0};
    struct span details =
        span_of(GRPC_SLICE_START_PTR(stream->details), GRPC_SLICE_LENGTH(stream->details));

    details = span_part(details, 0, RPC_END_TEXT_SIZE_MAX);
    buf_append_escaped(&text, details.data, details.size);
    return mem_copy_string(buf_text(&text));
}

static void on_status(struct rpc_op *op, bool ok)
{
    struct rpc_stream *stream = RPC_OWNER(op, struct rpc_stream, op_status);

    (void)ok;
    stream->over = true;
    drop_queue(stream);
    stream->refs--;
    settle(stream);
}

static void on_started(struct rpc_op *op, bool ok)
{
    struct rpc_stream *stream = RPC_OWNER(op, struct rpc_stream, op_start);

    if (ok && !stream->released && !stream->over && stream->raw.on_connected)
        stream->raw.on_connected(stream, stream->arg);
    stream->refs--;
    settle(stream);
}

static void tell_end(struct rpc_stream *stream)
{
    void (*on_end)(struct rpc_stream *, enum rpc_end, const char *, void *) =
        stream->raw.on_end ? stream->raw.on_end : stream->events.on_end;

    if (!stream->end_decided && stream->server) {
        decide_end(stream, RPC_END_UNREACHABLE, "the client cancelled the stream or went away");
    } else if (!stream->end_decided) {
        scope_free char *text = text_of_details(stream);
        decide_end(stream, end_of_code(stream->code), text);
    }
    if (on_end)
        on_end(stream, stream->end, stream->text, stream->arg);
}

static void stream_free(struct rpc_stream *stream)
{
    unlist(stream);
    if (stream->held)
        grpc_byte_buffer_destroy(stream->held);
    drop_queue(stream);
    grpc_call_unref(stream->call);
    grpc_metadata_array_destroy(&stream->initial_metadata);
    grpc_metadata_array_destroy(&stream->trailing_metadata);
    grpc_slice_unref(stream->details);
    if (stream->on_gone)
        stream->on_gone(stream->gone_arg);
    free(stream->principal);
    free(stream->peer);
    free(stream->text);
    free(stream);
}

static void settle(struct rpc_stream *stream)
{
    if (stream->refs > 0)
        return;
    assert(stream->over);
    if (!stream->released) {
        /* all that came before an orderly end is handed out first; an error ends at once */
        if (stream->held && !stream->end_decided && stream->code == GRPC_STATUS_OK)
            return;
        stream->refs++;
        unlist(stream);
        tell_end(stream);
    }
    stream_free(stream);
}

/* --- beginning --- */

static struct rpc_stream *stream_new(const struct stream_options *options, grpc_call *take_call)
{
    struct rpc_stream *stream = MEM_NEW(struct rpc_stream);

    stream->rpc = options->rpc;
    stream->call = take_call;
    stream->session = options->session;
    stream->peer = mem_copy_string(options->peer);
    stream->principal = mem_copy_string(options->principal);
    stream->on_gone = options->on_gone;
    stream->gone_arg = options->gone_arg;
    stream->op_start.fn = on_started;
    stream->op_read.fn = on_read;
    stream->op_write.fn = on_written;
    stream->op_status.fn = on_status;
    stream->op_resume.fn = on_resumed;
    stream->details = grpc_empty_slice();
    grpc_metadata_array_init(&stream->initial_metadata);
    grpc_metadata_array_init(&stream->trailing_metadata);
    send_queue_init(&stream->queue);
    LIST_INSERT_HEAD(options->list, stream, link);
    stream->listed = true;
    return stream;
}

static void start_client(struct rpc_stream *stream)
{
    grpc_op start[2] = {{.op = GRPC_OP_SEND_INITIAL_METADATA},
                        {.op = GRPC_OP_RECV_INITIAL_METADATA}};
    grpc_op status = {.op = GRPC_OP_RECV_STATUS_ON_CLIENT};

    start[1].data.recv_initial_metadata.recv_initial_metadata = &stream->initial_metadata;
    status.data.recv_status_on_client.trailing_metadata = &stream->trailing_metadata;
    status.data.recv_status_on_client.status = &stream->code;
    status.data.recv_status_on_client.status_details = &stream->details;
    start_batch(stream, &stream->op_start, start, 2);
    start_batch(stream, &stream->op_status, &status, 1);
    stream->accepted = true;
    read_next(stream);
}

struct rpc_stream *stream_open(const struct stream_options *options, grpc_call *take_call,
                               const struct rpc_method *method,
                               const struct rpc_stream_events *events, void *arg)
{
    struct rpc_stream *stream = stream_new(options, take_call);

    stream->incoming_type = method->response;
    stream->events = *events;
    stream->arg = arg;
    start_client(stream);
    return stream;
}

struct rpc_stream *stream_open_raw(const struct stream_options *options, grpc_call *take_call,
                                   const struct stream_raw_events *events, void *arg)
{
    struct rpc_stream *stream = stream_new(options, take_call);

    stream->raw = *events;
    stream->arg = arg;
    start_client(stream);
    return stream;
}

struct rpc_stream *stream_incoming(const struct stream_options *options, grpc_call *take_call,
                                   const struct rpc_method *method)
{
    struct rpc_stream *stream = stream_new(options, take_call);
    grpc_op op = {.op = GRPC_OP_RECV_CLOSE_ON_SERVER};

    stream->server = true;
    stream->incoming_type = method ? method->request : NULL;
    op.data.recv_close_on_server.cancelled = &stream->cancelled;
    start_batch(stream, &stream->op_status, &op, 1);
    return stream;
}

static void start_server(struct rpc_stream *stream, void *arg)
{
    grpc_op op = {.op = GRPC_OP_SEND_INITIAL_METADATA};

    assert(stream->server);
    stream->arg = arg;
    if (stream->accepted || stream->over || stream->end_decided)
        return;
    stream->accepted = true;
    stream->initial_sent = true;
    start_batch(stream, &stream->op_start, &op, 1);
    read_next(stream);
}

void rpc_stream_accept(struct rpc_stream *stream, const struct rpc_stream_events *events, void *arg)
{
    stream->events = *events;
    start_server(stream, arg);
}

void stream_accept_raw(struct rpc_stream *stream, const struct stream_raw_events *events, void *arg)
{
    stream->raw = *events;
    start_server(stream, arg);
}

/* --- */

const char *rpc_stream_principal(const struct rpc_stream *stream)
{
    return stream->principal;
}

const char *rpc_stream_peer(const struct rpc_stream *stream)
{
    return stream->peer;
}

void rpc_stream_bytes(const struct rpc_stream *stream, uint64_t *out_sent, uint64_t *out_received)
{
    *out_sent = stream->sent_bytes;
    *out_received = stream->received_bytes;
}

grpc_call *stream_call(const struct rpc_stream *stream)
{
    return stream->call;
}

void stream_list_abort(struct stream_list *list, uint64_t session, enum rpc_end end,
                       const char *text)
{
    for (struct rpc_stream *stream = LIST_FIRST(list); stream; stream = LIST_NEXT(stream, link))
        if (session == 0 || stream->session == session)
            stream_abort(stream, end, text);
}

void stream_list_cancel(struct stream_list *list)
{
    for (struct rpc_stream *stream; (stream = LIST_FIRST(list)) != NULL;)
        rpc_stream_cancel(stream);
}
