/* SPDX-License-Identifier: Apache-2.0 */
#include "common/auth/transcript.h"

#include "common/base/cursor.h"
#include "common/base/scope.h"

#include <openssl/sha.h>

static void put(struct buf *out, struct span part)
{
    write_u64(out, part.size);
    buf_append(out, part.data, part.size);
}

void transcript_hash(const struct transcript *transcript, enum transcript_signer signer,
                     uint32_t lifetime_s, uint8_t out_hash[TRANSCRIPT_HASH_SIZE])
{
    static const char *const label[] = {"coterie.v1 initiator", "coterie.v1 acceptor"};
    const struct auth_binding *binding = &transcript->binding;
    scope(buf) struct buf said = {0};

    put(&said, span_of_string(label[signer]));
    put(&said, span_of(binding->server_certificate, sizeof(binding->server_certificate)));
    put(&said, span_of(binding->client_certificate, sizeof(binding->client_certificate)));
    put(&said, span_of(transcript->initiator_nonce, TRANSCRIPT_NONCE_SIZE));
    put(&said, span_of(transcript->acceptor_nonce, TRANSCRIPT_NONCE_SIZE));
    put(&said, transcript->initiator_token);
    put(&said, transcript->acceptor_token);
    write_u32(&said, lifetime_s);
    SHA256(said.data, said.size, out_hash);
}
