/* SPDX-License-Identifier: Apache-2.0 */
/* A sender with two bases, fed with frames: size u32, bytes, one after the other. */
#include "common/base/cursor.h"
#include "common/base/scope.h"
#include "common/rdc/exchange.h"
#include "tests/fuzz/rdc_content.h"
#include "tests/fuzz/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_content base = fuzz_content(0);
    struct fuzz_content content = fuzz_content(1);
    struct rdc_content base_bytes = fuzz_bytes(&base);
    struct rdc_base bases[2] = {{.content = &base_bytes}, {.hash = {{1}}, .content = &base_bytes}};
    struct rdc_send_options options = {
        .content = fuzz_bytes(&content), .bases = bases, .base_count = 2};
    struct rdc_sender *sender = rdc_send_new(&options);
    struct reader input = reader_of(span_of(data, size));
    scope(buf) struct buf out = {0};
    enum rdc_progress progress = RDC_WAIT;

    while (progress <= RDC_WAIT && reader_ok(&input)) {
        uint32_t next = progress == RDC_WAIT ? reader_u32(&input) : 0;
        struct span frame = reader_bytes(&input, next);

        progress = rdc_send_step(sender, frame, &out);
    }
    rdc_send_free(sender);
    return 0;
}
