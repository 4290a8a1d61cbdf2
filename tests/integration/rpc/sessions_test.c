/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The realm's tickets live for four seconds here, and so do the sessions (see CMakeLists.txt).
 */
#include "tests/integration/rpc/world.h"

#include <string.h>

#define TICKET_LIFE_MS 4000

static bool timer_over(const struct world *w)
{
    return w->timer_fired || w->downs > 0;
}

static void a_channel_renews_its_session_and_keeps_its_streams(void **state)
{
    struct world *w = world_new();
    (void)state;

    world_serve(w, 0, NULL);
    world_connect_to_server(w);
    world_open(w, &echo_method);
    world_start_timer(w, 2 * TICKET_LIFE_MS);
    world_wait(w, timer_over);
    assert_int_equal(w->downs, 0);
    assert_int_equal(w->ups, 1);
    world_send(w, 1, span_of_string("still here"));
    rpc_stream_close_send(w->stream);
    world_wait(w, has_ended);

    assert_int_equal(w->end, RPC_END_OK);
    assert_int_equal(w->messages, 1);
    world_free(w);
}

static void a_session_that_cannot_be_renewed_ends_with_its_streams(void **state)
{
    struct world *w = world_new();
    (void)state;

    w->client_credentials = world_credentials("host_stale.test");
    world_serve(w, 0, NULL);
    world_connect_to_server(w);
    world_open(w, &echo_method);
    world_rekey("host/stale.test");
    world_wait(w, is_down);
    world_wait(w, has_ended);

    assert_int_equal(w->down_end, RPC_END_UNAUTHENTIC);
    assert_non_null(strstr(w->down_text, "could not be renewed: cannot get a ticket"));
    assert_int_not_equal(w->end, RPC_END_OK);
    assert_int_equal(w->streams_ended, 1);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_channel_renews_its_session_and_keeps_its_streams),
        cmocka_unit_test(a_session_that_cannot_be_renewed_ends_with_its_streams),
    };

    log_start("sessions_test", LOG_DEBUG);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
