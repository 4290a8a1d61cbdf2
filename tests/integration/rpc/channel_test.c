/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/integration/rpc/world.h"

#include "common/base/mem.h"
#include "common/base/scope.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static void assert_text(const char *text, const char *part)
{
    if (!strstr(text, part))
        print_error("no \"%s\" in \"%s\"\n", part, text);
    assert_non_null(strstr(text, part));
}

static bool is_up_again(const struct world *w)
{
    return w->ups == 2;
}

static void a_restarted_server_is_found_again(void **state)
{
    struct world *w = world_new();
    (void)state;

    world_serve(w, 0, NULL);
    world_connect_to_server(w);
    world_open(w, &echo_method);
    uint16_t port = rpc_server_port(w->server);
    world_close_server(w, 0);
    world_wait(w, is_down);
    world_wait(w, has_ended);
    assert_int_not_equal(w->end, RPC_END_OK);
    assert_text(w->down_text, "127.0.0.1:");
    world_serve(w, port, NULL);
    world_wait(w, is_up_again);

    world_open(w, &echo_method);
    rpc_stream_close_send(w->stream);
    world_wait(w, has_ended);
    assert_int_equal(w->end, RPC_END_OK);
    world_free(w);
}

static void a_closing_server_lets_streams_end_in_its_grace(void **state)
{
    struct world *w = world_new();
    (void)state;

    world_serve(w, 0, NULL);
    world_connect_to_server(w);
    world_open(w, &echo_method);
    world_send(w, 1, span_of_string("x"));
    world_wait(w, has_message);
    rpc_stream_close_send(w->stream);
    world_close_server(w, 20000);
    world_wait(w, has_ended);

    assert_int_equal(w->end, RPC_END_OK);
    world_free(w);
}

static void a_closing_server_cuts_what_outlives_its_grace(void **state)
{
    struct world *w = world_new();
    (void)state;

    world_serve(w, 0, NULL);
    world_connect_to_server(w);
    world_open(w, &echo_method);
    world_send(w, 1, span_of_string("x"));
    world_wait(w, has_message);
    world_close_server(w, 100);
    world_wait(w, has_ended);

    assert_int_equal(w->end, RPC_END_STOPPED);
    world_free(w);
}

/* --- failures name the partner, the cause and the remedy --- */

static void an_unreachable_server_is_told_once(void **state)
{
    struct world *w = world_new();
    (void)state;

    world_connect(w, "127.0.0.1", 1);
    world_wait(w, is_down);

    assert_int_equal(w->down_end, RPC_END_UNREACHABLE);
    assert_text(w->down_text, "127.0.0.1:1: cannot connect");
    assert_text(w->down_text, "Connection refused");
    assert_text(w->down_text, "firewall");
    world_free(w);
}

static void a_name_without_address_is_told(void **state)
{
    struct world *w = world_new();
    (void)state;

    world_connect(w, "nobody.invalid", 4711);
    world_wait(w, is_down);

    assert_int_equal(w->down_end, RPC_END_UNREACHABLE);
    assert_text(w->down_text, "nobody.invalid:4711: cannot find its address");
    world_free(w);
}

static void a_server_unknown_to_the_kdc_is_told(void **state)
{
    struct world *w = world_new();
    (void)state;

    world_serve(w, 0, NULL);
    world_connect(w, "localhost", rpc_server_port(w->server));
    world_wait(w, is_down);

    assert_int_equal(w->down_end, RPC_END_UNAUTHENTIC);
    assert_text(w->down_text, "host/localhost");
    assert_text(w->down_text, "not found in Kerberos database");
    assert_text(w->down_text, "register that service principal");
    world_free(w);
}

static void a_server_with_an_old_key_is_told_on_both_sides(void **state)
{
    struct world *w = world_new();
    (void)state;

    w->address = "127.0.0.2";
    w->server_credentials = world_credentials("host_127.0.0.2");
    world_rekey("host/127.0.0.2");
    world_serve(w, 0, NULL);
    world_connect(w, "127.0.0.2", rpc_server_port(w->server));
    world_wait(w, is_down);

    assert_int_equal(w->down_end, RPC_END_UNAUTHENTIC);
    assert_text(w->down_text, "refuses our authentication as host/client.test@COTERIE.TEST");
    assert_true(is_refused(w));
    assert_text(w->refused_text, "kvno 3 not found in keytab");
    assert_text(w->refused_text, "renew it");
    world_free(w);
}

static void a_client_with_an_old_key_is_told(void **state)
{
    struct world *w = world_new();
    (void)state;

    w->client_credentials = world_credentials("host_stale.test");
    world_rekey("host/stale.test");
    world_serve(w, 0, NULL);
    world_connect(w, "127.0.0.1", rpc_server_port(w->server));
    world_wait(w, is_down);

    assert_int_equal(w->down_end, RPC_END_UNAUTHENTIC);
    assert_text(w->down_text, "cannot get a ticket as host/stale.test@COTERIE.TEST");
    assert_text(w->down_text, "renew the keytab");
    world_free(w);
}

/* From here on the KDC is what listens on 127.0.0.1:@port. */
static void use_other_kdc(unsigned port)
{
    scope_free char *path = mem_format("%s/other.conf", getenv("KDC_DIR"));
    scope_file FILE *file = fopen(path, "w");

    assert_non_null(file);
    fprintf(file,
            "[libdefaults]\n default_realm = COTERIE.TEST\n dns_lookup_kdc = false\n"
            " udp_preference_limit = 1\n[realms]\n COTERIE.TEST = {\n  kdc = 127.0.0.1:%u\n }\n",
            port);
    setenv("KRB5_CONFIG", path, 1);
}

static void use_own_kdc(void)
{
    scope_free char *path = mem_format("%s/krb5.conf", getenv("KDC_DIR"));

    setenv("KRB5_CONFIG", path, 1);
}

static void an_unreachable_kdc_is_told(void **state)
{
    struct world *w = world_new();
    (void)state;

    world_serve(w, 0, NULL);
    use_other_kdc(1);
    world_connect(w, "127.0.0.1", rpc_server_port(w->server));
    world_wait(w, is_down);
    use_own_kdc();

    assert_int_equal(w->down_end, RPC_END_UNAUTHENTIC);
    assert_text(w->down_text, "Cannot contact any KDC");
    assert_text(w->down_text, "port 88");
    world_free(w);
}

/* A KDC that takes connections and never answers. */
struct silent_kdc {
    struct world *w;
    int fd;
    struct loop_fd *watch;
    bool asked;
};

static unsigned listen_silently(struct silent_kdc *kdc)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);

    kdc->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(kdc->fd >= 0);
    assert_int_equal(bind(kdc->fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(kdc->fd, 8), 0);
    assert_int_equal(getsockname(kdc->fd, (struct sockaddr *)&address, &size), 0);
    return ntohs(address.sin_port);
}

/* A worker is in the middle of our handshake now. The KDC's end lets it go. */
static void close_while_asked(void *arg)
{
    struct silent_kdc *kdc = arg;

    kdc->asked = true;
    rpc_channel_close(kdc->w->channel);
    kdc->w->channel = NULL;
    auth_credentials_close(kdc->w->client_credentials);
    kdc->w->client_credentials = NULL;
    loop_fd_free(kdc->watch);
    close(kdc->fd);
    world_wake(kdc->w);
}

static void a_channel_may_be_closed_while_the_kdc_is_asked(void **state)
{
    struct world *w = world_new();
    struct silent_kdc kdc = {.w = w};
    unsigned port = listen_silently(&kdc);
    (void)state;

    kdc.watch = loop_fd_new(w->loop, kdc.fd, close_while_asked, &kdc);
    world_serve(w, 0, NULL);
    use_other_kdc(port);
    world_connect(w, "127.0.0.1", rpc_server_port(w->server));
    while (!kdc.asked)
        loop_run(w->loop);
    use_own_kdc();

    assert_int_equal(w->ups + w->downs, 0);
    world_free(w);
}

/* --- callbacks --- */

static void close_in_callback(struct world *w)
{
    rpc_channel_close(w->channel);
    w->channel = NULL;
    w->ended = true;
    world_wake(w);
}

static void close_on_up(struct rpc_channel *channel, void *arg)
{
    (void)channel;
    close_in_callback(arg);
}

static void close_on_down(struct rpc_channel *channel, enum rpc_end why, const char *text,
                          void *arg)
{
    (void)channel;
    (void)why;
    (void)text;
    close_in_callback(arg);
}

static void open_closing_channel(struct world *w, uint16_t port)
{
    w->client_credentials = world_credentials("host_client.test");
    w->channel = rpc_channel_open(w->rpc, &(struct rpc_channel_options){
                                              .host = "127.0.0.1",
                                              .port = port,
                                              .credentials = w->client_credentials,
                                              .on_up = close_on_up,
                                              .on_down = close_on_down,
                                              .arg = w,
                                          });
}

static void a_channel_may_be_closed_when_it_comes_up(void **state)
{
    struct world *w = world_new();
    (void)state;

    world_serve(w, 0, NULL);
    open_closing_channel(w, rpc_server_port(w->server));
    world_wait(w, has_ended);

    world_free(w);
}

static void a_channel_may_be_closed_when_it_goes_down(void **state)
{
    struct world *w = world_new();
    (void)state;

    open_closing_channel(w, 1);
    world_wait(w, has_ended);

    world_free(w);
}

/* --- the local socket --- */

static char *socket_path(void)
{
    return mem_format("%s/local.sock", getenv("KDC_DIR"));
}

static void the_local_socket_serves_its_owner_alone(void **state)
{
    struct world *w = world_new();
    scope_free char *path = socket_path();
    struct stat st;
    (void)state;

    world_serve(w, 0, path);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    world_connect_local(w, path);
    world_wait(w, is_up);
    world_open(w, &local_method);
    world_send(w, 1, span_of_string("x"));
    rpc_stream_close_send(w->stream);
    world_wait(w, has_ended);

    assert_int_equal(w->end, RPC_END_OK);
    assert_int_equal(w->messages, 1);
    assert_string_equal(w->opener, "local");
    world_free(w);
    assert_int_not_equal(stat(path, &st), 0);
}

static void take_line(enum log_level level, const char *line, void *arg)
{
    struct buf *lines = arg;

    (void)level;
    buf_printf(lines, "%s\n", line);
}

static enum status open_captured(struct world *w, const struct rpc_server_options *options,
                                 struct buf *lines)
{
    struct rpc_server *second = NULL;

    log_capture(take_line, lines);
    enum status st = rpc_server_open(w->rpc, options, &second);
    log_capture(NULL, NULL);
    return st;
}

static void a_second_server_never_takes_a_local_socket(void **state)
{
    struct world *w = world_new();
    scope_free char *path = socket_path();
    scope(buf) struct buf lines = {0};
    (void)state;

    world_serve(w, 0, path);
    assert_int_equal(open_captured(w, &(struct rpc_server_options){.local_socket = path}, &lines),
                     ST_IO);

    assert_text(buf_text(&lines), path);
    assert_text(buf_text(&lines), "another process serves the local socket");
    world_connect_local(w, path);
    world_wait(w, is_up);
    world_free(w);
}

static void a_stale_local_socket_is_replaced(void **state)
{
    struct world *w = world_new();
    scope_free char *path = socket_path();
    FILE *stale = fopen(path, "w");
    (void)state;

    assert_non_null(stale);
    fclose(stale);
    world_serve(w, 0, path);
    world_connect_local(w, path);
    world_wait(w, is_up);

    world_free(w);
}

static void a_port_in_use_is_refused_with_a_remedy(void **state)
{
    struct world *w = world_new();
    scope(buf) struct buf lines = {0};
    (void)state;

    world_serve(w, 0, NULL);
    const struct rpc_server_options options = {.address = "127.0.0.1",
                                               .port = rpc_server_port(w->server),
                                               .credentials = w->server_credentials};
    assert_int_equal(open_captured(w, &options, &lines), ST_IO);

    assert_text(buf_text(&lines), "address=127.0.0.1");
    assert_text(buf_text(&lines), "Address already in use");
    assert_text(buf_text(&lines), "choose another port");
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_restarted_server_is_found_again),
        cmocka_unit_test(a_closing_server_lets_streams_end_in_its_grace),
        cmocka_unit_test(a_closing_server_cuts_what_outlives_its_grace),
        cmocka_unit_test(an_unreachable_server_is_told_once),
        cmocka_unit_test(a_name_without_address_is_told),
        cmocka_unit_test(a_server_unknown_to_the_kdc_is_told),
        cmocka_unit_test(a_server_with_an_old_key_is_told_on_both_sides),
        cmocka_unit_test(a_client_with_an_old_key_is_told),
        cmocka_unit_test(an_unreachable_kdc_is_told),
        cmocka_unit_test(a_channel_may_be_closed_while_the_kdc_is_asked),
        cmocka_unit_test(a_channel_may_be_closed_when_it_comes_up),
        cmocka_unit_test(a_channel_may_be_closed_when_it_goes_down),
        cmocka_unit_test(the_local_socket_serves_its_owner_alone),
        cmocka_unit_test(a_second_server_never_takes_a_local_socket),
        cmocka_unit_test(a_stale_local_socket_is_replaced),
        cmocka_unit_test(a_port_in_use_is_refused_with_a_remedy),
    };

    log_start("channel_test", LOG_INFO);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
