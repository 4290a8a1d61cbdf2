/* SPDX-License-Identifier: Apache-2.0 */
#include "common/rpc/tls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void each_identity_is_new(void **state)
{
    struct tls_identity *a = tls_identity_new();
    struct tls_identity *b = tls_identity_new();
    (void)state;

    assert_memory_not_equal(a->hash, b->hash, TLS_HASH_SIZE);
    tls_identity_free(a);
    tls_identity_free(b);
}

static void the_hash_is_that_of_the_certificate(void **state)
{
    struct tls_identity *identity = tls_identity_new();
    uint8_t hash[TLS_HASH_SIZE];
    (void)state;

    assert_true(tls_certificate_hash(span_of_string(identity->certificate_pem), hash));
    assert_memory_equal(hash, identity->hash, TLS_HASH_SIZE);
    tls_identity_free(identity);
}

static void what_is_not_a_certificate_has_no_hash(void **state)
{
    struct tls_identity *identity = tls_identity_new();
    struct span pem = span_of_string(identity->certificate_pem);
    uint8_t hash[TLS_HASH_SIZE];
    (void)state;

    assert_false(tls_certificate_hash((struct span){0}, hash));
    assert_false(tls_certificate_hash(span_of_string("certificate"), hash));
    assert_false(tls_certificate_hash(span_part(pem, 0, pem.size / 2), hash));
    assert_false(tls_certificate_hash(span_of_string(identity->key_pem), hash));
    tls_identity_free(identity);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_identity_is_new),
        cmocka_unit_test(the_hash_is_that_of_the_certificate),
        cmocka_unit_test(what_is_not_a_certificate_has_no_hash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
