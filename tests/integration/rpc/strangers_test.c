/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/integration/rpc/stranger.h"

#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/base/scope.h"

#include "proto/authentication.pb-c.h"

#include <string.h>

static void assert_refused_without_detail(const struct world *w)
{
    assert_int_equal(w->end, RPC_END_UNAUTHENTIC);
    assert_string_equal(w->end_text, "authentication refused");
    assert_int_equal(w->refused_count, 1);
}

static void no_method_is_served_before_authentication(void **state)
{
    struct world *w = world_new();
    (void)state;

    world_serve(w, 0, NULL);
    struct stranger *stranger = stranger_new(w, echo_method.path);
    stranger_say(stranger, span_of_string("x"));
    world_wait(w, has_ended);

    assert_int_equal(w->end, RPC_END_UNAUTHENTIC);
    assert_int_equal(w->streams_opened, 0);
    stranger_free(stranger);
    world_free(w);
}

static void a_stranger_does_not_learn_which_methods_exist(void **state)
{
    struct world *w = world_new();
    (void)state;

    world_serve(w, 0, NULL);
    struct stranger *stranger = stranger_new(w, echo_method.path);
    world_wait(w, has_ended);
    scope_free char *known = mem_format("%d %s", (int)w->end, w->end_text);
    stranger_free(stranger);
    w->ended = false;
    stranger = stranger_new(w, unknown_method.path);
    world_wait(w, has_ended);
    scope_free char *unknown = mem_format("%d %s", (int)w->end, w->end_text);

    assert_string_equal(known, unknown);
    stranger_free(stranger);
    world_free(w);
}

static void say_first_message(struct stranger *stranger, struct span token)
{
    Coterie__V1__AuthenticateMessage message = COTERIE__V1__AUTHENTICATE_MESSAGE__INIT;
    uint8_t nonce[32] = {1};
    scope(buf) struct buf bytes = {0};

    message.nonce = (ProtobufCBinaryData){.data = nonce, .len = sizeof(nonce)};
    message.token =
        (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)token.data, .len = token.size};
    size_t size = coterie__v1__authenticate_message__get_packed_size(&message);
    coterie__v1__authenticate_message__pack(&message, buf_extend(&bytes, size));
    stranger_say(stranger, buf_span(&bytes));
}

static void a_garbage_token_is_refused_without_detail(void **state)
{
    struct world *w = world_new();
    (void)state;

    world_serve(w, 0, NULL);
    struct stranger *stranger = stranger_new(w, AUTHENTICATE_PATH);
    say_first_message(stranger, span_of_string("not a ticket"));
    world_wait(w, has_ended);

    assert_refused_without_detail(w);
    assert_string_equal(w->refused_principal, "");
    assert_non_null(strstr(w->refused_text, "ticket is not accepted"));
    stranger_free(stranger);
    world_free(w);
}

static void a_garbage_message_is_refused_without_detail(void **state)
{
    struct world *w = world_new();
    (void)state;

    world_serve(w, 0, NULL);
    struct stranger *stranger = stranger_new(w, AUTHENTICATE_PATH);
    stranger_say(stranger, span_of_string("\xff\xff\xff\xff"));
    world_wait(w, has_ended);

    assert_refused_without_detail(w);
    stranger_free(stranger);
    world_free(w);
}

static void an_overlong_token_is_refused_without_detail(void **state)
{
    struct world *w = world_new();
    scope_free uint8_t *token = mem_new(1, AUTH_MESSAGE_SIZE_MAX);
    (void)state;

    world_serve(w, 0, NULL);
    struct stranger *stranger = stranger_new(w, AUTHENTICATE_PATH);
    say_first_message(stranger, span_of(token, AUTH_MESSAGE_SIZE_MAX));
    world_wait(w, has_ended);

    assert_refused_without_detail(w);
    assert_non_null(strstr(w->refused_text, "too long"));
    stranger_free(stranger);
    world_free(w);
}

static void one_handshake_too_many_is_told_to_wait(void **state)
{
    struct world *w = world_new();
    struct stranger *strangers[RPC_HANDSHAKES_MAX];
    (void)state;

    world_serve(w, 0, NULL);
    for (size_t i = 0; i < RPC_HANDSHAKES_MAX; i++) {
        strangers[i] = stranger_new(w, AUTHENTICATE_PATH);
        stranger_wait_connected(strangers[i]);
    }
    struct stranger *late = stranger_new(w, AUTHENTICATE_PATH);
    world_wait(w, has_ended);
    assert_int_equal(w->end, RPC_END_BUSY);
    stranger_free(late);
    w->ended = false;

    /* a place that becomes free may be taken again */
    stranger_free(strangers[0]);
    world_connect_to_server(w);
    for (size_t i = 1; i < RPC_HANDSHAKES_MAX; i++)
        stranger_free(strangers[i]);
    world_free(w);
}

static void a_machine_in_the_middle_gets_nowhere(void **state)
{
    struct world *w = world_new();
    (void)state;

    world_serve(w, 0, NULL);
    struct relay *relay = relay_new(w);
    world_connect(w, SERVER_HOST, relay_port(relay));
    world_wait(w, is_refused);

    assert_non_null(strstr(w->refused_text, "channel bindings"));
    assert_true(relay_passed_count(relay) > 0);
    assert_int_equal(w->ups, 0);
    rpc_channel_close(w->channel);
    w->channel = NULL;
    relay_free(relay);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_method_is_served_before_authentication),
        cmocka_unit_test(a_stranger_does_not_learn_which_methods_exist),
        cmocka_unit_test(a_garbage_token_is_refused_without_detail),
        cmocka_unit_test(a_garbage_message_is_refused_without_detail),
        cmocka_unit_test(an_overlong_token_is_refused_without_detail),
        cmocka_unit_test(one_handshake_too_many_is_told_to_wait),
        cmocka_unit_test(a_machine_in_the_middle_gets_nowhere),
    };

    log_start("strangers_test", LOG_INFO);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
