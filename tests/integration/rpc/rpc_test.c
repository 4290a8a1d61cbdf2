/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/integration/rpc/world.h"

#include <string.h>

static bool has_1000_messages(const struct world *w)
{
    return w->messages == 1000;
}

static void each_side_learns_the_others_principal(void **state)
{
    struct world *w = world_new();
    (void)state;

    world_serve(w, 0, NULL);
    world_connect_to_server(w);
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
    struct world *w = world_new();
    (void)state;

    world_serve(w, 0, NULL);
    world_connect_to_server(w);
    world_open(w, &echo_method);
    for (uint32_t i = 1; i <= 1000; i++)
        world_send(w, i, span_of_string("hello"));
    rpc_stream_close_send(w->stream);
    world_wait(w, has_ended);

    assert_true(has_1000_messages(w));
    assert_int_equal(w->last_number, 1000);
    assert_int_equal(w->end, RPC_END_OK);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_side_learns_the_others_principal),
        cmocka_unit_test(a_thousand_messages_come_back_in_order),
    };

    log_start("rpc_test", LOG_DEBUG);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
