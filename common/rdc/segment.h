/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/rdc/segment.h: literal bytes packed against bytes that the other side is known to have.
 *
 * New content travels in segments. A segment is a list of pieces of the file being built, in
 * order: literals, which travel, and copies, which the receiver has. The literals of a segment,
 * put together, are one zstd frame whose dictionary is the segment's prefix: known bytes that
 * most likely resemble them. Both ends compute the same prefix from the same pieces, so it costs
 * nothing to say which bytes they are.
 *
 *   RDC_PREFIX_GAP      the sender has the base: what the base holds between the copies on either
 *                       side of a literal, which is what the literal replaced
 *   RDC_PREFIX_CONTEXT  it has not: the copied bytes on either side of a literal
 *
 * Content that travels whole has no such bytes, and where much is new they help little: then all
 * segments together are one zstd frame, each packed against the ones before.
 */
#ifndef COMMON_RDC_SEGMENT_H
#define COMMON_RDC_SEGMENT_H

#include "common/base/buf.h"
#include "common/base/limits.h"
#include "common/base/status.h"

enum rdc_prefix { RDC_PREFIX_GAP, RDC_PREFIX_CONTEXT };

/* A literal, then a copy; either may be empty. A copy is of the base, of what the plan of a pull
 * has next, of the file itself, or of slivers. */
struct rdc_step {
    uint64_t literal_length;
    uint64_t copy_length;
    uint64_t base_offset;  /* of the copy; with RDC_PREFIX_GAP, and of a repeat */
    bool repeat;           /* the copy is of the file itself, from base_offset on: nothing is
                              packed against it, since it may be in this very segment */
    uint32_t sliver_first; /* of the run's gap (sliver.h) */
    uint32_t sliver_count; /* 0: no slivers */
};

struct rdc_range {
    uint64_t offset;
    uint64_t length;
};

/* Where a segment stands in the file and, with RDC_PREFIX_GAP, in the base. */
struct rdc_place {
    uint64_t offset;
    uint64_t size;        /* of the file */
    uint64_t base_offset; /* where the copy and literals before lead to */
    uint64_t base_size;
};

/* Go past a step. */
void rdc_place_advance(struct rdc_place *place, const struct rdc_step *step);

/* Zero-initialised is empty. */
struct rdc_ranges {
    struct rdc_range *items;
    size_t count;
    size_t capacity;
};

void rdc_ranges_fini(struct rdc_ranges *ranges);

/*
 * The known bytes that a segment's literals are packed against: in the base with RDC_PREFIX_GAP,
 * in the file itself with RDC_PREFIX_CONTEXT, where they lie within copies of this segment.
 *
 * @room    bytes at most
 * @ranges  emptied, then filled; with RDC_PREFIX_CONTEXT ascending and apart
 *
 * A function of its arguments alone: both ends arrive at the same ranges. Every range is within
 * the base or the file.
 */
void rdc_prefix_ranges(enum rdc_prefix kind, const struct rdc_step *steps, size_t count,
                       struct rdc_place place, uint64_t room, struct rdc_ranges *ranges);

/* With RDC_PREFIX_GAP: bytes that one step at @place has in the prefix, room provided. */
uint64_t rdc_gap_size(const struct rdc_step *step, const struct rdc_place *place);

/* The bytes of a segment's literals that also begin the next segment's prefix. */
struct span rdc_prefix_carried(struct span literals);

struct rdc_packer;

/* @level is zstd's. */
struct rdc_packer *rdc_packer_new(int level);
void rdc_packer_free(struct rdc_packer *p);
/* From the next rdc_pack() on. */
void rdc_packer_set_level(struct rdc_packer *p, int level);

/*
 * Append @literals, packed against @prefix, to @out.
 *
 * Returns true when packed; false when that would not have made it smaller: then nothing was
 * appended, and the literals travel as they are. rdc_unpack() with the same prefix gives the
 * literals back.
 */
bool rdc_pack(struct rdc_packer *p, struct span prefix, struct span literals, struct buf *out);

/*
 * Append @literals, packed against all that this packer packed on before; @total: bytes that there
 * will be. A packer does either this or rdc_pack().
 *
 * Returns false when they look like noise: then nothing was appended, they travel as they are, and
 * are nothing that later ones are packed against. At most RDC_PACKED_ON_SIZE are appended.
 */
bool rdc_pack_on(struct rdc_packer *p, struct span literals, uint64_t total, struct buf *out);

/* What noise may grow to, when it did not look like it. */
#define RDC_PACKED_ON_SIZE(size) ((size) + (size) / 256 + 128)

struct rdc_unpacker;

struct rdc_unpacker *rdc_unpacker_new(void);
void rdc_unpacker_free(struct rdc_unpacker *u);

/* Unpack exactly @size bytes to @out; ST_BADDATA when @packed is not that. */
NODISCARD enum status rdc_unpack(struct rdc_unpacker *u, struct span prefix, struct span packed,
                                 uint8_t *out, size_t size);

/* The counterpart of rdc_pack_on(): in the same order, none left out. */
NODISCARD enum status rdc_unpack_on(struct rdc_unpacker *u, struct span packed, uint8_t *out,
                                    size_t size);

/* What comes next was packed by a new packer. */
void rdc_unpacker_restart(struct rdc_unpacker *u);

#endif
