/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/rdc/chunk.h: cut a stream of bytes into chunks where its content says so.
 *
 * Position i starts a chunk when its cut hash (kernel.h) is a local maximum over the horizon h:
 *     i > h,  H(i) > H(j) for i-h <= j < i,  H(i) >= H(j) for i < j <= i+h
 * with j limited to positions that have a hash: those with 16 bytes from them on, less one. The
 * leftmost of equals wins, so repetitive data keep their cuts. A chunk that would be longer than
 * 16 h is cut at 16 h. The mean comes to about 2 h.
 *
 * The rule looks at nearby content only. Hence: the chunks do not depend on how the stream was
 * split; an edit moves only cuts within 17 h of it; each local maximum at horizon 2h is one at h.
 */
#ifndef COMMON_RDC_CHUNK_H
#define COMMON_RDC_CHUNK_H

#include "common/base/span.h"
#include "common/rdc/kernel.h"

#define RDC_HORIZON_MIN 256u
#define RDC_HORIZON_MAX 2048u

/* Longest chunk at a horizon; always fits 16 bits. */
static inline uint32_t rdc_chunk_size_max(uint32_t horizon)
{
    return 16 * horizon;
}

/* A multiple of RDC_BLOCK_SIZE in [RDC_HORIZON_MIN, RDC_HORIZON_MAX]. */
bool rdc_horizon_valid(uint64_t horizon);

/* The horizon for a file of @size bytes: mean chunk 3/4 KiB up to 1.25 GiB, 1 KiB up to 2 GiB, 2
 * KiB up to 8 GiB, then 4 KiB. */
uint32_t rdc_horizon_for(uint64_t size);

/* More chunks than a file of @size bytes can have. */
uint64_t rdc_chunk_count_bound(uint64_t size, uint32_t horizon);

struct rdc_cutter;

/*
 * A cutter for a stream that begins at @offset of a file, a multiple of RDC_BLOCK_SIZE: 0 for the
 * whole. Of a stream from the middle, cuts by content are right once a horizon was read, and
 * forced ones after the first of those. @horizon must be valid; @kernel outlives the cutter.
 */
struct rdc_cutter *rdc_cutter_new(uint32_t horizon, uint64_t offset,
                                  const struct rdc_kernel *kernel);
void rdc_cutter_free(struct rdc_cutter *c);

/*
 * Where the next bytes of the stream belong.
 *
 * Ends the life of the chunk that rdc_cutter_next() gave last. Call only when rdc_cutter_next()
 * has returned false. *out_size is never 0.
 */
uint8_t *rdc_cutter_room(struct rdc_cutter *c, size_t *out_size);

/* @size bytes, at most the room's, now stand there; may be 0. @last: no more will come. */
void rdc_cutter_filled(struct rdc_cutter *c, size_t size, bool last);

/*
 * The next whole chunk, in stream order; false when more bytes are needed, or after the last.
 *
 * *out_chunk is borrowed until the next rdc_cutter_room(). The chunks put together are the stream,
 * none is empty, and the same stream gives the same chunks however it was filled in.
 */
bool rdc_cutter_next(struct rdc_cutter *c, struct span *out_chunk);

/* Did the last chunk end at a local maximum, not by force or with the stream? */
bool rdc_cutter_at_maximum(const struct rdc_cutter *c);

#endif
