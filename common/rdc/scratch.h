/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/rdc/scratch.h: room on disk for what is too much for memory, supplied by the caller.
 *
 * The library opens nothing: a scratch may be an unnamed file, or memory in tests.
 */
#ifndef COMMON_RDC_SCRATCH_H
#define COMMON_RDC_SCRATCH_H

#include "common/base/span.h"
#include "common/base/status.h"

struct rdc_scratch {
    /* Bytes to any place up to the end, over what was there before. ST_FULL: no room. */
    enum status (*write)(void *arg, uint64_t offset, struct span bytes);
    /* What was written. */
    enum status (*read)(void *arg, uint64_t offset, void *out, size_t size);
    void (*close)(void *arg);
    void *arg;
};

/* Where scratches come from; without an open() there are none. */
struct rdc_scratches {
    enum status (*open)(void *arg, struct rdc_scratch *out_scratch);
    void *arg;
};

static inline void rdc_scratch_close(struct rdc_scratch *s)
{
    if (s->close)
        s->close(s->arg);
    *s = (struct rdc_scratch){0};
}

#endif
