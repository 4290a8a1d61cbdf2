/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/rdc/inflated.h: content with its DEFLATE streams unpacked, in a form that gives every bit
 * back.
 *
 * One edit changes a packed stream from there to its end, and no delta finds anything in common.
 * Unpacked, the texts differ by the edit. What the text does not say is how the compressor chose
 * its symbols; that is kept beside it, in a way in which an edit changes little:
 *
 *   text     what the streams unpack to, and what is around them, in order
 *   symbols  for each symbol of all streams: 0 for a literal, length - 2 for a match that points to
 *            the nearest place that has these bytes (nearest.h), 255 for others:
 *            255 0, 255 1    a length of 257, 258, to the nearest place
 *            255 2 length-3 u8 distance-1 u16    to elsewhere
 *   layout   raw length v · stream · raw length v · stream … raw length v (v: LEB128)
 *            a stream's blocks, the last marked: head u8 (1: last · type << 1)
 *                 · of a stored one: its size v
 *                 · of a dynamic one: its code lengths as they travel, size v and bits
 *                 · of these and fixed ones: symbol_count v
 *
 * The three stand one behind the other. Which compressor made a stream does not matter, only that
 * it takes the nearest place as a rule.
 *
 * Blocks (content and scratch). One form belongs to one thread at a time.
 */
#ifndef COMMON_RDC_INFLATED_H
#define COMMON_RDC_INFLATED_H

#include "common/rdc/content.h"
#include "common/rdc/scratch.h"
#include "common/rdc/streams.h"

struct rdc_planes {
    uint64_t text_size;
    uint64_t symbol_size;
    uint64_t layout_size;
};

static inline uint64_t rdc_planes_size(const struct rdc_planes *planes)
{
    return planes->text_size + planes->symbol_size + planes->layout_size;
}

/* False when they break a limit, RDC_INFLATED_*. */
bool rdc_planes_valid(const struct rdc_planes *planes);

struct rdc_inflated;

/*
 * Unpack @count of a content's streams, in order of their offsets and apart from each other.
 *
 * A stream that is none, cannot be given back bit by bit or does not fit into the limits stays as
 * it is, and so does what follows it up to where it was said to end. Equal content and streams give
 * equal forms.
 *
 * Fails with what content and scratches gave, and with ST_FULL when what stays packed is more than
 * the limits allow.
 */
NODISCARD enum status rdc_inflated_new(const struct rdc_content *content,
                                       const struct rdc_stream *streams, size_t count,
                                       const struct rdc_scratches *scratches,
                                       struct rdc_inflated **out_inflated);
void rdc_inflated_free(struct rdc_inflated *f);

/* The form's bytes; borrows @f. */
struct rdc_content rdc_inflated_content(struct rdc_inflated *f);
const struct rdc_planes *rdc_inflated_planes(const struct rdc_inflated *f);
/* How many streams it has unpacked. */
size_t rdc_inflated_count(const struct rdc_inflated *f);

/*
 * Pack a form again: the content it was made of, piece by piece to @write.
 *
 * @form  from anywhere: what no content can have given is ST_BADDATA
 */
NODISCARD enum status rdc_inflated_pack(const struct rdc_content *form,
                                        const struct rdc_planes *planes,
                                        enum status (*write)(void *arg, struct span bytes),
                                        void *arg);

#endif
