/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes decode to a problem or to an assignment that encodes and decodes to itself. The digest
 * would stop a fuzzer at the door, so it is also made right. */
#include "tests/fuzz/target.h"

#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/base/scope.h"
#include "common/model/assignment.h"
#include "common/model/assignment_wire.h"

#include <stdlib.h>

static void decode(struct span bytes)
{
    struct assignment *a = NULL;
    struct assignment *b = NULL;
    scope_free char *problem = NULL;
    scope(buf) struct buf first = {0};
    scope(buf) struct buf second = {0};

    if (!assignment_decode(bytes, &a, &problem))
        return;
    assignment_encode(a, &first);
    if (!assignment_decode(buf_span(&first), &b, &problem))
        abort();
    assignment_encode(b, &second);
    if (!span_equal(buf_span(&first), buf_span(&second)))
        abort();
    assignment_free(a);
    assignment_free(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t digest[ASSIGNMENT_DIGEST_SIZE];

    decode(span_of(data, size));
    Coterie__V1__Assignment *m = coterie__v1__assignment__unpack(NULL, size, data);
    if (!m)
        return 0;
    Coterie__V1__Assignment right = *m;
    right.format = ASSIGNMENT_FORMAT;
    assignment_wire_digest(&right, digest);
    right.digest = (ProtobufCBinaryData){.len = sizeof(digest), .data = digest};
    size_t packed_size = coterie__v1__assignment__get_packed_size(&right);
    scope_free uint8_t *packed = mem_new(packed_size, 1);
    coterie__v1__assignment__pack(&right, packed);
    decode(span_of(packed, packed_size));
    coterie__v1__assignment__free_unpacked(m, NULL);
    return 0;
}
