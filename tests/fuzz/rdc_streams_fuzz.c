/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a file that may be an archive: what is found lies in it, in order and apart. */
#include "common/rdc/streams.h"
#include "tests/fuzz/target.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span bytes = {.data = data, .size = size};
    struct rdc_content content = rdc_content_of(&bytes);
    struct rdc_streams streams;
    uint64_t end = 0;

    if (rdc_streams_find(&content, &streams) != ST_OK || streams.count > RDC_STREAM_COUNT_MAX)
        abort();
    for (size_t i = 0; i < streams.count; i++) {
        const struct rdc_stream *s = &streams.items[i];

        if (s->offset < end || s->size < RDC_STREAM_SIZE_MIN || s->offset > size ||
            s->size > size - s->offset)
            abort();
        end = s->offset + s->size;
    }
    rdc_streams_fini(&streams);
    return 0;
}
