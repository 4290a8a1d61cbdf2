/* SPDX-License-Identifier: Apache-2.0 */
#include "common/rpc/sessions.h"

#include "common/base/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

static const struct instant now = {.ns = 1000};
static const struct instant later = {.ns = 2000};
static int first_holder;
static int second_holder;

static enum session_put put(struct sessions *sessions, const char *certificate,
                            const char *principal, const void *holder)
{
    const struct session session = {.principal = principal, .expires = later, .holder = holder};

    return sessions_put(sessions, span_of_string(certificate), &session);
}

static void a_session_is_found_by_the_whole_certificate_only(void **state)
{
    struct sessions *sessions = sessions_new();
    (void)state;

    assert_int_equal(put(sessions, "certificate", "a@R", &first_holder), SESSION_NEW);

    const struct session *found = sessions_find(sessions, span_of_string("certificate"), now);
    assert_non_null(found);
    assert_string_equal(found->principal, "a@R");
    assert_null(sessions_find(sessions, span_of_string("certificat"), now));
    assert_null(sessions_find(sessions, span_of_string("certificatf"), now));
    assert_null(sessions_find(sessions, span_of_string(""), now));
    sessions_free(sessions);
}

static void an_expired_session_is_not_found(void **state)
{
    struct sessions *sessions = sessions_new();
    (void)state;

    put(sessions, "c", "a@R", &first_holder);

    assert_non_null(sessions_find(sessions, span_of_string("c"), (struct instant){later.ns - 1}));
    assert_null(sessions_find(sessions, span_of_string("c"), later));
    sessions_free(sessions);
}

static void a_certificate_never_changes_its_principal(void **state)
{
    struct sessions *sessions = sessions_new();
    (void)state;

    put(sessions, "c", "a@R", &first_holder);

    assert_int_equal(put(sessions, "c", "b@R", &second_holder), SESSION_OTHER_PRINCIPAL);
    assert_string_equal(sessions_find(sessions, span_of_string("c"), now)->principal, "a@R");
    assert_ptr_equal(sessions_find(sessions, span_of_string("c"), now)->holder, &first_holder);
    sessions_free(sessions);
}

static void only_the_last_holder_ends_a_session(void **state)
{
    struct sessions *sessions = sessions_new();
    (void)state;

    put(sessions, "c", "a@R", &first_holder);
    uint64_t id = sessions_find(sessions, span_of_string("c"), now)->id;
    assert_int_equal(put(sessions, "c", "a@R", &second_holder), SESSION_RENEWED);
    assert_int_equal(sessions_find(sessions, span_of_string("c"), now)->id, id);

    assert_int_equal(sessions_remove(sessions, span_of_string("c"), &first_holder), 0);
    assert_non_null(sessions_find(sessions, span_of_string("c"), now));
    assert_int_equal(sessions_remove(sessions, span_of_string("c"), &second_holder), id);
    assert_null(sessions_find(sessions, span_of_string("c"), now));
    assert_int_equal(sessions_count(sessions), 0);
    sessions_free(sessions);
}

static void an_id_is_never_used_twice(void **state)
{
    struct sessions *sessions = sessions_new();
    (void)state;

    put(sessions, "c", "a@R", &first_holder);
    uint64_t before = sessions_remove(sessions, span_of_string("c"), &first_holder);
    put(sessions, "c", "a@R", &first_holder);

    assert_int_not_equal(before, 0);
    assert_int_not_equal(sessions_find(sessions, span_of_string("c"), now)->id, before);
    sessions_free(sessions);
}

static void a_full_table_still_renews(void **state)
{
    struct sessions *sessions = sessions_new();
    char certificate[32];
    (void)state;

    for (unsigned i = 0; i < RPC_SESSIONS_MAX; i++) {
        snprintf(certificate, sizeof(certificate), "certificate %u", i);
        assert_int_equal(put(sessions, certificate, "a@R", &first_holder), SESSION_NEW);
    }

    assert_int_equal(put(sessions, "one more", "a@R", &first_holder), SESSION_TABLE_FULL);
    assert_int_equal(put(sessions, "certificate 7", "a@R", &second_holder), SESSION_RENEWED);
    assert_int_equal(sessions_count(sessions), RPC_SESSIONS_MAX);
    sessions_free(sessions);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_session_is_found_by_the_whole_certificate_only),
        cmocka_unit_test(an_expired_session_is_not_found),
        cmocka_unit_test(a_certificate_never_changes_its_principal),
        cmocka_unit_test(only_the_last_holder_ends_a_session),
        cmocka_unit_test(an_id_is_never_used_twice),
        cmocka_unit_test(a_full_table_still_renews),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
