/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/transfer/stage_scratch.h"

static enum status scratch_write(void *arg, uint64_t offset, struct span bytes)
{
    return stage_write(arg, offset, bytes);
}

static enum status scratch_read(void *arg, uint64_t offset, void *out, size_t size)
{
    return stage_read(arg, offset, out, size);
}

static void scratch_close(void *arg)
{
    stage_abandon(arg);
}

static enum status open_scratch(void *arg, struct rdc_scratch *out_scratch)
{
    struct stage_file *file;
    enum status st = stage_create(arg, 0, &file);

    if (st == ST_OK)
        *out_scratch = (struct rdc_scratch){
            .write = scratch_write, .read = scratch_read, .close = scratch_close, .arg = file};
    return st;
}

struct rdc_scratches stage_scratches(struct stage *stage)
{
    return (struct rdc_scratches){.open = open_scratch, .arg = stage};
}
