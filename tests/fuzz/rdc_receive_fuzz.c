/* SPDX-License-Identifier: Apache-2.0 */
/* A receiver with two seeds, fed with frames: size u32, bytes, one after the other. */
#include "common/base/cursor.h"
#include "common/base/scope.h"
#include "common/rdc/exchange.h"
#include "tests/fuzz/rdc_content.h"
#include "tests/fuzz/target.h"

#include <stdlib.h>
#include <string.h>

static enum status write_nowhere(void *arg, uint64_t offset, struct span bytes)
{
    (void)arg;
    return offset + bytes.size > FUZZ_NEW_SIZE ? ST_FULL : ST_OK;
}

static enum status read_zeros(void *arg, uint64_t offset, void *out, size_t size)
{
    (void)arg;
    if (offset + size > FUZZ_NEW_SIZE)
        abort();
    memset(out, 0, size);
    return ST_OK;
}

static enum status restart_nothing(void *arg)
{
    (void)arg;
    return ST_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_content seed = fuzz_content(0);
    struct rdc_seed seeds[2] = {{.content = fuzz_bytes(&seed)}, {.content = fuzz_bytes(&seed)}};
    struct rdc_receive_options options = {
        .size = FUZZ_NEW_SIZE,
        .seeds = seeds,
        .seed_count = 2,
        .sink = {.write = write_nowhere, .read = read_zeros, .restart = restart_nothing},
    };
    struct rdc_receiver *receiver = rdc_receive_new(&options);
    struct reader input = reader_of(span_of(data, size));
    scope(buf) struct buf out = {0};
    enum rdc_progress progress = RDC_MORE_OUTPUT;

    for (struct span frame = {0}; progress <= RDC_WAIT && reader_ok(&input);) {
        progress = rdc_receive_step(receiver, frame, &out);
        uint32_t next = progress == RDC_WAIT ? reader_u32(&input) : 0;
        frame = progress == RDC_WAIT ? reader_bytes(&input, next) : (struct span){0};
    }
    rdc_receive_free(receiver);
    return 0;
}
