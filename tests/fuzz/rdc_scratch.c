/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/rdc_scratch.h"

#include "common/base/buf.h"
#include "common/base/mem.h"

#include <assert.h>
#include <stdlib.h>

static enum status write_bytes(void *arg, uint64_t offset, struct span bytes)
{
    struct buf *held = arg;

    assert(offset <= held->size);
    if (offset + bytes.size > held->size)
        buf_extend(held, (size_t)(offset + bytes.size - held->size));
    memcpy(held->data + offset, bytes.data, bytes.size);
    return ST_OK;
}

static enum status read_bytes(void *arg, uint64_t offset, void *out, size_t size)
{
    const struct buf *held = arg;

    assert(offset <= held->size && size <= held->size - offset);
    memcpy(out, held->data + offset, size);
    return ST_OK;
}

static void close_bytes(void *arg)
{
    buf_fini(arg);
    free(arg);
}

static enum status open_bytes(void *arg, struct rdc_scratch *out_scratch)
{
    (void)arg;
    *out_scratch = (struct rdc_scratch){
        .write = write_bytes, .read = read_bytes, .close = close_bytes, .arg = MEM_NEW(struct buf)};
    return ST_OK;
}

struct rdc_scratches fuzz_scratches(void)
{
    return (struct rdc_scratches){.open = open_bytes};
}
