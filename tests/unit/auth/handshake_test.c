/* SPDX-License-Identifier: Apache-2.0 */
#include "common/auth/auth.h"
#include "tests/unit/auth/keytab_file.h"

#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/base/scope.h"

#include "proto/authentication.pb-c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

/* What an acceptor does with a stranger's bytes, without any KDC. */
struct fixture {
    char *keytab;
    struct auth_credentials *credentials;
    struct auth_handshake *handshake;
    struct buf out;
};

static int set_up(void **state)
{
    static const struct keytab_entry entries[] = {{"host", "a.test", ENCTYPE_AES256}, {0}};
    const struct auth_binding binding = {{1}, {2}};
    struct fixture *f = MEM_NEW(struct fixture);

    f->keytab = keytab_file_make(entries);
    if (auth_credentials_open(&(struct auth_options){.keytab = f->keytab}, &f->credentials) !=
        ST_OK)
        return -1;
    f->handshake = auth_accept(f->credentials, &binding);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    auth_handshake_free(f->handshake);
    auth_credentials_close(f->credentials);
    keytab_file_remove(f->keytab);
    buf_fini(&f->out);
    free(f);
    return 0;
}

static enum auth_step feed(struct fixture *f, size_t nonce_size, struct span token)
{
    Coterie__V1__AuthenticateMessage message = COTERIE__V1__AUTHENTICATE_MESSAGE__INIT;
    scope_free uint8_t *nonce = mem_new(1, nonce_size + 1);
    scope(buf) struct buf bytes = {0};

    message.nonce = (ProtobufCBinaryData){.data = nonce, .len = nonce_size};
    message.token =
        (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)token.data, .len = token.size};
    size_t size = coterie__v1__authenticate_message__get_packed_size(&message);
    coterie__v1__authenticate_message__pack(&message, buf_extend(&bytes, size));
    return auth_handshake_step(f->handshake, buf_span(&bytes), &f->out);
}

static void assert_failed(struct fixture *f, enum auth_step step)
{
    assert_int_equal(step, AUTH_FAILED);
    assert_int_equal(f->out.size, 0);
    assert_string_not_equal(auth_handshake_error(f->handshake), "");
    assert_string_equal(auth_handshake_peer(f->handshake), "");
}

static void an_empty_message_fails(void **state)
{
    struct fixture *f = *state;

    assert_failed(f, auth_handshake_step(f->handshake, (struct span){0}, &f->out));
}

static void a_nonce_of_the_wrong_size_fails(void **state)
{
    struct fixture *f = *state;

    assert_failed(f, feed(f, 31, span_of_string("token")));
}

static void a_message_without_token_fails(void **state)
{
    struct fixture *f = *state;

    assert_failed(f, feed(f, 32, (struct span){0}));
}

static void a_token_that_is_no_ticket_fails(void **state)
{
    struct fixture *f = *state;

    assert_failed(f, feed(f, 32, span_of_string("\x60\x03\x06\x01\x00")));
}

static void a_token_over_the_limit_fails(void **state)
{
    struct fixture *f = *state;
    scope_free uint8_t *token = mem_new(1, AUTH_TOKEN_SIZE_MAX + 1);

    assert_failed(f, feed(f, 32, span_of(token, AUTH_TOKEN_SIZE_MAX + 1)));
    assert_non_null(strstr(auth_handshake_error(f->handshake), "too long"));
}

static void a_message_over_the_limit_is_not_even_parsed(void **state)
{
    struct fixture *f = *state;
    scope_free uint8_t *bytes = mem_new(1, AUTH_MESSAGE_SIZE_MAX + 1);

    assert_failed(
        f, auth_handshake_step(f->handshake, span_of(bytes, AUTH_MESSAGE_SIZE_MAX + 1), &f->out));
}

static void a_failed_handshake_never_recovers(void **state)
{
    struct fixture *f = *state;

    feed(f, 32, span_of_string("garbage"));
    assert_failed(f, feed(f, 32, span_of_string("garbage")));
    assert_failed(f, auth_handshake_step(f->handshake, (struct span){0}, &f->out));
}

static void a_handshake_may_outlive_its_credentials(void **state)
{
    struct fixture *f = *state;

    auth_credentials_close(f->credentials);
    f->credentials = NULL;

    assert_failed(f, feed(f, 32, span_of_string("garbage")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_empty_message_fails, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_nonce_of_the_wrong_size_fails, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_message_without_token_fails, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_token_that_is_no_ticket_fails, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_token_over_the_limit_fails, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_message_over_the_limit_is_not_even_parsed, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_failed_handshake_never_recovers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_handshake_may_outlive_its_credentials, set_up, tear_down),
    };

    setenv("KRB5_CONFIG", "/dev/null", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
