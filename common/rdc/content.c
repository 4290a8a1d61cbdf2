/* SPDX-License-Identifier: Apache-2.0 */
#include "common/rdc/content.h"

#include <assert.h>

enum status rdc_content_read(const struct rdc_content *content, uint64_t offset, void *out,
                             size_t size)
{
    assert(offset <= content->size && size <= content->size - offset);
    return size > 0 ? content->read(content->arg, offset, out, size) : ST_OK;
}

static enum status read_memory(void *arg, uint64_t offset, void *out, size_t size)
{
    const struct span *bytes = arg;

    memcpy(out, bytes->data + offset, size);
    return ST_OK;
}

struct rdc_content rdc_content_of(const struct span *bytes)
{
    union {
        const struct span *from;
        void *to;
    } arg = {.from = bytes};

    return (struct rdc_content){.size = bytes->size, .read = read_memory, .arg = arg.to};
}
