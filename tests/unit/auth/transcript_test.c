/* SPDX-License-Identifier: Apache-2.0 */
#include "common/auth/transcript.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

struct variant {
    struct transcript transcript;
    enum transcript_signer signer;
    uint32_t lifetime_s;
};

static struct variant base_variant(void)
{
    return (struct variant){
        .transcript = {.initiator_token = span_of_string("ab"),
                       .acceptor_token = span_of_string("cd")},
        .signer = TRANSCRIPT_INITIATOR,
    };
}

static void every_part_changes_the_hash(void **state)
{
    enum { COUNT = 10 };
    struct variant variants[COUNT];
    uint8_t hashes[COUNT][TRANSCRIPT_HASH_SIZE];
    (void)state;

    for (int i = 0; i < COUNT; i++)
        variants[i] = base_variant();
    variants[1].transcript.binding.server_certificate[31] = 1;
    variants[2].transcript.binding.client_certificate[31] = 1;
    variants[3].transcript.initiator_nonce[31] = 1;
    variants[4].transcript.acceptor_nonce[31] = 1;
    variants[5].transcript.initiator_token = span_of_string("ax");
    variants[6].transcript.acceptor_token = span_of_string("cx");
    variants[7].signer = TRANSCRIPT_ACCEPTOR;
    variants[8].lifetime_s = 1;
    /* the same bytes, cut elsewhere */
    variants[9].transcript.initiator_token = span_of_string("abc");
    variants[9].transcript.acceptor_token = span_of_string("d");
    for (int i = 0; i < COUNT; i++)
        transcript_hash(&variants[i].transcript, variants[i].signer, variants[i].lifetime_s,
                        hashes[i]);

    for (int i = 0; i < COUNT; i++)
        for (int j = 0; j < i; j++)
            assert_memory_not_equal(hashes[i], hashes[j], TRANSCRIPT_HASH_SIZE);
}

static void equal_transcripts_have_equal_hashes(void **state)
{
    struct variant a = base_variant();
    struct variant b = base_variant();
    uint8_t hash_a[TRANSCRIPT_HASH_SIZE];
    uint8_t hash_b[TRANSCRIPT_HASH_SIZE];
    (void)state;

    transcript_hash(&a.transcript, a.signer, a.lifetime_s, hash_a);
    transcript_hash(&b.transcript, b.signer, b.lifetime_s, hash_b);

    assert_memory_equal(hash_a, hash_b, TRANSCRIPT_HASH_SIZE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_part_changes_the_hash),
        cmocka_unit_test(equal_transcripts_have_equal_hashes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
