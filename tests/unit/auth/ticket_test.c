/* SPDX-License-Identifier: Apache-2.0 */
#include "common/auth/ticket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

/* An AP-REQ for host/a@R with an empty ciphertext: enough to name the ticket's service. */
static const uint8_t token[] = {
    0x60, 0x3d, 0x06, 0x01, 0x2a, 0x01, 0x00,                   /* GSS token: an OID, AP-REQ */
    0x6e, 0x36, 0x30, 0x34, 0xa0, 0x03, 0x02, 0x01, 0x05,       /* AP-REQ { pvno 5, */
    0xa1, 0x03, 0x02, 0x01, 0x0e,                               /* msg-type 14, */
    0xa3, 0x28, 0x61, 0x26, 0x30, 0x24,                         /* ticket { */
    0xa0, 0x03, 0x02, 0x01, 0x05,                               /* tkt-vno 5, */
    0xa1, 0x03, 0x1b, 0x01, 'R',                                /* realm, */
    0xa2, 0x0e, 0x30, 0x0c, 0xa0, 0x03, 0x02, 0x01, 0x01,       /* sname { type 1, */
    0xa1, 0x05, 0x30, 0x03, 0x1b, 0x01, 'a',                    /* "a" }, */
    0xa3, 0x08, 0x30, 0x06, 0xa0, 0x04, 0x02, 0x02, 0x00, 0x12, /* enc-part cut short */
};

static void a_token_cut_anywhere_is_refused(void **state)
{
    (void)state;
    for (size_t size = 0; size < sizeof(token); size++)
        assert_null(ticket_service(span_of(token, size)));
}

static void a_ticket_without_its_secret_part_is_refused(void **state)
{
    (void)state;
    assert_null(ticket_service(span_of(token, sizeof(token))));
}

static void lengths_that_lie_are_refused(void **state)
{
    static const uint8_t endless[] = {0x60, 0x80, 0x06, 0x00};
    static const uint8_t huge[] = {0x60, 0x84, 0xff, 0xff, 0xff, 0xff, 0x06};
    static const uint8_t longer[] = {0x60, 0x85, 0x01, 0x00, 0x00, 0x00, 0x00};
    (void)state;

    assert_null(ticket_service(span_of(endless, sizeof(endless))));
    assert_null(ticket_service(span_of(huge, sizeof(huge))));
    assert_null(ticket_service(span_of(longer, sizeof(longer))));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_cut_anywhere_is_refused),
        cmocka_unit_test(a_ticket_without_its_secret_part_is_refused),
        cmocka_unit_test(lengths_that_lie_are_refused),
    };

    setenv("KRB5_CONFIG", "/dev/null", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
