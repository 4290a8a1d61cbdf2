/* SPDX-License-Identifier: Apache-2.0 */
#include "common/rdc/hash.h"

#include "common/base/mem.h"
#include "common/base/scope.h"

#include <openssl/evp.h>
#include <stdlib.h>

#define READ_SIZE (256u << 10)

enum status rdc_hash_of(const struct rdc_content *content, struct rdc_hash *out_hash)
{
    scope_free uint8_t *bytes = mem_pages(READ_SIZE);
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    enum status st = ST_OK;

    if (!hash || EVP_DigestInit_ex(hash, EVP_sha256(), NULL) != 1)
        abort();
    for (uint64_t at = 0; at < content->size && st == ST_OK;) {
        uint64_t rest = content->size - at;
        size_t size = rest < READ_SIZE ? (size_t)rest : READ_SIZE;

        st = rdc_content_read(content, at, bytes, size);
        if (st == ST_OK && EVP_DigestUpdate(hash, bytes, size) != 1)
            abort();
        at += size;
    }
    if (EVP_DigestFinal_ex(hash, out_hash->bytes, NULL) != 1)
        abort();
    EVP_MD_CTX_free(hash);
    return st;
}
