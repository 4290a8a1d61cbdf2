/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/rdc/streams.h: where a content has DEFLATE streams: the members of a ZIP archive (and so
 * of office documents and Java archives), or what a gzip file holds.
 *
 * A hint, from what the content says of itself; only unpacking shows whether it is true.
 */
#ifndef COMMON_RDC_STREAMS_H
#define COMMON_RDC_STREAMS_H

#include "common/base/limits.h"
#include "common/rdc/content.h"

struct rdc_stream {
    uint64_t offset;
    uint64_t size;     /* the stream ends there, or earlier */
    uint32_t identity; /* 24 bits of checksum and sizes: what only seems equal stays packed */
};

struct rdc_streams {
    struct rdc_stream *items; /* by offset, apart from each other */
    size_t count;             /* at most RDC_STREAM_COUNT_MAX */
};

/*
 * Find the streams of at least RDC_STREAM_SIZE_MIN bytes, the largest ones when there are more than
 * RDC_STREAM_COUNT_MAX, in content that an unpacked form has room for.
 *
 * Content that is no archive costs one small read, an archive its directory. Members that cannot be
 * where the directory says, or follow what is no directory, are left out; none is told when some
 * lie over each other. Fails with what reading gave.
 */
NODISCARD enum status rdc_streams_find(const struct rdc_content *content, struct rdc_streams *out);
void rdc_streams_fini(struct rdc_streams *s);

#endif
