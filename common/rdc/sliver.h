/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/rdc/sliver.h: what is equal inside of chunks that are not.
 *
 * A pull ends with runs of chunks that no seed has. Most of them differ by little from what a seed
 * holds in the same place, the run's gap. So the receiver cuts the gaps into slivers, as small as
 * is worth it, and names each by some bits of its identity; the sender cuts the runs alike and
 * leaves out what it finds named.
 *
 *   seed   …chunk│ s0 │ s1 │ s2 │ s3 │chunk…     a gap: between what the plan copies on either side
 *   run          │ s0 │ new new │ s3 │           literal bytes between slivers 0 and 3
 *
 *   seed   …chunk│ s0 │ s1 │ …    … │ s2 │chunk…    where it copies from two places: what follows
 *                                                   the one, and what precedes the other
 *
 * Slivers end where content says so, as chunks do. The hash of a position is that of the 8 bytes
 * from it on, H(i) = u64(i) * 0x9e3779b185ebca87 mod 2^64, little-endian, without its 8 low bits. A
 * sliver begins where H is greater than at each of the `reach` positions before it and not less
 * than at each of the `reach` after it, but not within the first reach/2 bytes; and where the one
 * before would be longer than RDC_SLIVER_REACHES of them.
 *
 * Bits so few may deceive: then the whole is not proven, and the receiver asks for the same without
 * slivers.
 */
#ifndef COMMON_RDC_SLIVER_H
#define COMMON_RDC_SLIVER_H

#include "common/rdc/plan.h"

#define RDC_SLIVER_REACH_MIN 32u /* the mean of a sliver is about twice that */
#define RDC_SLIVER_REACH_MAX 128u
#define RDC_SLIVER_WIDTH_MAX 56u /* bits of an identity */
#define RDC_SLIVER_REACHES   16u
#define RDC_GAP_SIZE_MAX     (64u << 10)
/* Slivers of so many bytes at most: none but the first and the last is as short as the reach. */
#define RDC_SLIVER_COUNT(size, reach) ((size) / (reach) + 2)

/* … and of a gap, which may be two stretches. */
#define RDC_GAP_COUNT_MAX (RDC_SLIVER_COUNT(RDC_GAP_SIZE_MAX, RDC_SLIVER_REACH_MIN) + 2)

/*
 * Cut @bytes.
 *
 * @out_starts  where each sliver begins, the first at 0; room for RDC_SLIVER_COUNT(bytes.size)
 *
 * Returns how many there are; none of no bytes. Equal stretches of two spans are cut alike but for
 * the slivers at their ends.
 */
uint32_t rdc_sliver_cut(struct span bytes, unsigned reach, uint32_t *out_starts);

/* --- the receiver ----------------------------------------------------------------------------*/

/* Bytes of a seed. */
struct rdc_stretch {
    uint32_t seed;
    uint32_t length;
    uint64_t offset;
};

/* What seeds have in place of a run; either may be empty. Cut one by one, counted through. */
struct rdc_gap {
    struct rdc_stretch front;
    struct rdc_stretch back;
};

struct rdc_named_gap {
    uint32_t item;  /* of the plan */
    uint32_t first; /* sliver of it, among those of all gaps */
};

/* The slivers of all gaps of a plan that is settled. Zero-initialised there are none. */
struct rdc_slivers {
    const struct rdc_plan *plan;
    const struct rdc_seed *seeds;
    unsigned reach;
    unsigned width;   /* bits that a name has */
    size_t item_at;   /* of the plan: the next one whose gap is to be named */
    uint64_t written; /* bytes of names so far */
    uint16_t *starts; /* of every sliver, counted from the gap's begin */
    size_t count;
    size_t capacity;
    struct rdc_named_gap *gaps;
    size_t gap_count;
    size_t gap_capacity;
};

/* Choose how to cut the gaps, by how many there are and how well their bytes pack; false when
 * there is nothing worth naming. @plan and @seeds outlive the slivers. */
bool rdc_slivers_init(struct rdc_slivers *slivers, const struct rdc_plan *plan,
                      const struct rdc_seed *seeds);
void rdc_slivers_fini(struct rdc_slivers *slivers);

/*
 * Append names as they travel (frame.h) to the body of a frame until it is full.
 *
 * Returns true when all are named. A seed that can not be read has no slivers; beyond
 * RDC_SLIVERS_BYTES_MAX no gap has any.
 */
bool rdc_slivers_write(struct rdc_slivers *slivers, struct rdc_key key, struct buf *frame);

/* Where the slivers [@first, @first + @count) of the gap of the plan's @item are: bytes of its
 * front stretch, then of its back one, either perhaps none. False when it has none such. */
bool rdc_slivers_locate(const struct rdc_slivers *slivers, size_t item, uint64_t first,
                        uint64_t count, struct rdc_gap *out_bytes);

#endif
