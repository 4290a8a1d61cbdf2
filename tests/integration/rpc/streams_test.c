/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/integration/rpc/world.h"

#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/base/scope.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define PIECE_SIZE  (256u << 10)
#define PIECE_COUNT 256u /* 64 MiB */
#define KIB_PER_MIB 1024
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define RESIDENT_KIB_MAX (1024 * KIB_PER_MIB) /* freed memory stays in quarantine */
#else
#define RESIDENT_KIB_MAX (96 * KIB_PER_MIB)
#endif

static struct world *connected_world(void)
{
    struct world *w = world_new();

    world_serve(w, 0, NULL);
    world_connect_to_server(w);
    return w;
}

static void each_side_learns_the_others_principal(void **state)
{
    struct world *w = connected_world();
    (void)state;

    world_open(w, &echo_method);
    assert_string_equal(rpc_stream_principal(w->stream), "host/127.0.0.1@COTERIE.TEST");
    rpc_stream_close_send(w->stream);
    world_wait(w, has_ended);

    assert_int_equal(w->end, RPC_END_OK);
    assert_string_equal(w->opener, "host/client.test@COTERIE.TEST");
    assert_int_equal(w->refused_count, 0);
    world_free(w);
}

static void a_thousand_messages_come_back_in_order(void **state)
{
    struct world *w = connected_world();
    (void)state;

    world_open(w, &echo_method);
    for (uint32_t i = 1; i <= 1000; i++)
        world_send(w, i, span_of_string("hello"));
    rpc_stream_close_send(w->stream);
    world_wait(w, has_ended);

    assert_int_equal(w->messages, 1000);
    assert_int_equal(w->last_number, 1000);
    assert_int_equal(w->end, RPC_END_OK);
    world_free(w);
}

static long resident_kib_max(void)
{
    struct rusage usage;

    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    return usage.ru_maxrss;
}

static bool is_writable(const struct world *w)
{
    return w->writables > 0 || w->ended;
}

static void a_long_payload_passes_in_bounded_memory(void **state)
{
    struct world *w = connected_world();
    scope_free uint8_t *piece = mem_new(1, PIECE_SIZE);
    size_t queued_max = 0;
    long before_kib = resident_kib_max();
    (void)state;

    world_open(w, &echo_method);
    for (uint32_t i = 1; i <= PIECE_COUNT; i++) {
        w->writables = 0;
        bool go_on = world_send(w, i, span_of(piece, PIECE_SIZE));
        if (rpc_stream_queued_bytes(w->stream) > queued_max)
            queued_max = rpc_stream_queued_bytes(w->stream);
        if (!go_on)
            world_wait(w, is_writable);
    }
    rpc_stream_close_send(w->stream);
    world_wait(w, has_ended);

    assert_int_equal(w->end, RPC_END_OK);
    assert_int_equal(w->payload_bytes, (uint64_t)PIECE_COUNT * PIECE_SIZE);
    assert_in_range(queued_max, 1, RPC_SEND_QUEUE_BYTES_HIGH + PIECE_SIZE + 64);
    /* both directions are in this process */
    assert_in_range(resident_kib_max() - before_kib, 0, RESIDENT_KIB_MAX);
    world_free(w);
}

static void sending_to_one_who_does_not_read_stops_at_the_high_mark(void **state)
{
    struct world *w = connected_world();
    scope_free uint8_t *piece = mem_new(1, PIECE_SIZE);
    unsigned sent = 0;
    (void)state;

    world_open(w, &silent_method);
    while (world_send(w, ++sent, span_of(piece, PIECE_SIZE)))
        assert_in_range(sent, 1, 2 * RPC_SEND_QUEUE_BYTES_HIGH / PIECE_SIZE);

    assert_true(rpc_stream_queued_bytes(w->stream) >= RPC_SEND_QUEUE_BYTES_HIGH);
    world_free(w);
}

static void a_sender_who_ignores_the_mark_loses_the_stream(void **state)
{
    struct world *w = connected_world();
    scope_free uint8_t *piece = mem_new(1, PIECE_SIZE);
    (void)state;

    world_open(w, &silent_method);
    for (uint32_t i = 0; i <= RPC_SEND_QUEUE_BYTES_MAX / PIECE_SIZE; i++)
        world_send(w, i, span_of(piece, PIECE_SIZE));
    world_wait(w, has_ended);

    assert_int_equal(w->end, RPC_END_BUSY);
    assert_true(rpc_channel_is_up(w->channel));
    world_free(w);
}

static void a_message_over_the_limit_is_never_sent(void **state)
{
    struct world *w = connected_world();
    scope_free uint8_t *piece = mem_new(1, RPC_MESSAGE_SIZE_MAX);
    (void)state;

    world_open(w, &echo_method);
    world_send(w, 1, span_of(piece, RPC_MESSAGE_SIZE_MAX));
    world_wait(w, has_ended);

    assert_int_equal(w->end, RPC_END_BAD);
    assert_non_null(strstr(w->end_text, "exceeds the limit"));
    assert_true(rpc_channel_is_up(w->channel));
    world_free(w);
}

static void a_message_just_under_the_limit_passes(void **state)
{
    struct world *w = connected_world();
    scope_free uint8_t *piece = mem_new(1, RPC_MESSAGE_SIZE_MAX);
    (void)state;

    world_open(w, &echo_method);
    world_send(w, 1, span_of(piece, RPC_MESSAGE_SIZE_MAX - 16));
    rpc_stream_close_send(w->stream);
    world_wait(w, has_ended);

    assert_int_equal(w->end, RPC_END_OK);
    assert_int_equal(w->payload_bytes, RPC_MESSAGE_SIZE_MAX - 16);
    world_free(w);
}

static void a_paused_stream_hands_out_everything_after_resume(void **state)
{
    struct world *w = connected_world();
    (void)state;

    world_open(w, &echo_method);
    rpc_stream_pause(w->stream);
    for (uint32_t i = 1; i <= 10; i++)
        world_send(w, i, span_of_string("x"));
    rpc_stream_close_send(w->stream);
    world_wait(w, server_stream_ended);
    assert_int_equal(w->messages, 0);
    assert_false(w->ended);
    rpc_stream_resume(w->stream);
    world_wait(w, has_ended);

    assert_int_equal(w->messages, 10);
    assert_int_equal(w->end, RPC_END_OK);
    world_free(w);
}

static void an_unknown_method_is_answered(void **state)
{
    struct world *w = connected_world();
    (void)state;

    world_open(w, &unknown_method);
    world_wait(w, has_ended);

    assert_int_equal(w->end, RPC_END_BAD);
    assert_non_null(strstr(w->end_text, "no such method"));
    world_free(w);
}

static void a_local_only_method_is_refused_on_the_network(void **state)
{
    struct world *w = connected_world();
    (void)state;

    world_open(w, &local_method);
    world_wait(w, has_ended);

    assert_int_equal(w->end, RPC_END_DENIED);
    assert_int_equal(w->streams_opened, 0);
    world_free(w);
}

static void the_wrong_type_of_message_ends_the_stream(void **state)
{
    struct world *w = connected_world();
    Coterie__V1__Version wrong =
        COTERIE__V1__VERSION__INIT; /* its field 1 is bytes, ours a number */
    uint8_t guid[16] = {1};
    (void)state;

    world_open(w, &echo_method);
    wrong.database_guid = (ProtobufCBinaryData){.data = guid, .len = sizeof(guid)};
    rpc_stream_send(w->stream, &wrong.base);
    world_wait(w, has_ended);

    assert_int_equal(w->end, RPC_END_BAD);
    assert_non_null(strstr(w->end_text, "malformed"));
    world_free(w);
}

/* --- cancelling --- */

static void cancel_on_message(struct rpc_stream *stream, ProtobufCMessage **message, void *arg)
{
    struct world *w = arg;

    (void)message;
    w->messages++;
    w->stream = NULL;
    rpc_stream_cancel(stream);
    world_wake(w);
}

static void never_end(struct rpc_stream *stream, enum rpc_end end, const char *text, void *arg)
{
    (void)stream;
    (void)end;
    (void)text;
    (void)arg;
    fail();
}

static void a_stream_may_be_cancelled_within_its_callback(void **state)
{
    static const struct rpc_stream_events events = {.on_message = cancel_on_message,
                                                    .on_end = never_end};
    struct world *w = connected_world();
    (void)state;

    w->stream = rpc_stream_open(w->channel, &echo_method, &events, w);
    world_send(w, 1, span_of_string("x"));
    world_send(w, 2, span_of_string("x"));
    world_wait(w, server_stream_ended);

    assert_int_equal(w->messages, 1);
    assert_true(rpc_channel_is_up(w->channel));
    world_free(w);
}

static void close_channel_on_message(struct rpc_stream *stream, ProtobufCMessage **message,
                                     void *arg)
{
    struct world *w = arg;

    (void)stream;
    (void)message;
    w->messages++;
    rpc_channel_close(w->channel);
    w->channel = NULL;
    world_wake(w);
}

static void a_channel_may_be_closed_within_its_streams_callback(void **state)
{
    static const struct rpc_stream_events events = {.on_message = close_channel_on_message,
                                                    .on_end = never_end};
    struct world *w = connected_world();
    (void)state;

    w->stream = rpc_stream_open(w->channel, &echo_method, &events, w);
    world_send(w, 1, span_of_string("x"));
    world_wait(w, server_stream_ended);

    assert_int_equal(w->messages, 1);
    world_free(w);
}

static void cancel_on_end(struct rpc_stream *stream, enum rpc_end end, const char *text, void *arg)
{
    struct world *w = arg;

    (void)end;
    (void)text;
    w->ended = true;
    rpc_stream_cancel(stream);
    world_wake(w);
}

static void cancelling_a_stream_in_its_end_is_harmless(void **state)
{
    static const struct rpc_stream_events events = {.on_message = cancel_on_message,
                                                    .on_end = cancel_on_end};
    struct world *w = connected_world();
    (void)state;

    w->stream = rpc_stream_open(w->channel, &echo_method, &events, w);
    rpc_stream_close_send(w->stream);
    world_wait(w, has_ended);

    world_free(w);
}

static void keep_message(struct rpc_stream *stream, ProtobufCMessage **message, void *arg)
{
    struct world *w = arg;

    (void)stream;
    protobuf_c_message_free_unpacked(*message, NULL);
    *message = NULL;
    w->messages++;
    world_wake(w);
}

static void a_callback_may_keep_its_message(void **state)
{
    struct rpc_stream_events events = world_stream_events;
    struct world *w = connected_world();
    (void)state;

    events.on_message = keep_message;
    w->stream = rpc_stream_open(w->channel, &echo_method, &events, w);
    world_send(w, 1, span_of_string("x"));
    world_wait(w, has_message);

    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_side_learns_the_others_principal),
        cmocka_unit_test(a_thousand_messages_come_back_in_order),
        cmocka_unit_test(a_long_payload_passes_in_bounded_memory),
        cmocka_unit_test(sending_to_one_who_does_not_read_stops_at_the_high_mark),
        cmocka_unit_test(a_sender_who_ignores_the_mark_loses_the_stream),
        cmocka_unit_test(a_message_over_the_limit_is_never_sent),
        cmocka_unit_test(a_message_just_under_the_limit_passes),
        cmocka_unit_test(a_paused_stream_hands_out_everything_after_resume),
        cmocka_unit_test(an_unknown_method_is_answered),
        cmocka_unit_test(a_local_only_method_is_refused_on_the_network),
        cmocka_unit_test(the_wrong_type_of_message_ends_the_stream),
        cmocka_unit_test(a_stream_may_be_cancelled_within_its_callback),
        cmocka_unit_test(a_channel_may_be_closed_within_its_streams_callback),
        cmocka_unit_test(cancelling_a_stream_in_its_end_is_harmless),
        cmocka_unit_test(a_callback_may_keep_its_message),
    };

    log_start("streams_test", LOG_INFO);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
