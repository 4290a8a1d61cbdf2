/* SPDX-License-Identifier: Apache-2.0 */
/* The stored form of a signature; a right checksum is put behind, else nothing gets past it. */
#include "common/base/cursor.h"
#include "common/base/scope.h"
#include "common/rdc/ms.h"
#include "common/rdc/signature.h"
#include "tests/fuzz/target.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    scope(buf) struct buf bytes = {0};
    scope(buf) struct buf again = {0};
    struct rdc_signature *signature = NULL;
    struct rdc_secret secret;
    struct rdc_ms_traits traits;

    rdc_secret_init(&secret, 0);
    buf_append(&bytes, data, size);
    write_u64(&bytes, rdc_kernel_best()->identity(data, size, &secret));
    if (rdc_signature_decode(buf_span(&bytes), &signature) == ST_OK) {
        rdc_signature_encode(signature, &again);
        if (!span_equal(buf_span(&bytes), buf_span(&again)))
            abort();
        if (rdc_signature_offset(signature, signature->chunk_count) != signature->size)
            abort();
        rdc_signature_free(signature);
    }
    (void)rdc_ms_traits(span_of(data, size), &traits);
    return 0;
}
