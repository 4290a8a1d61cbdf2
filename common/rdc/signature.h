/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/rdc/signature.h: the chunks of one file: how long each is, and who it is.
 *
 * A signature is computed once, when a change is seen, kept beside the file's record, and serves
 * every partner and every later search for seeds. It costs 10 bytes a chunk, 1 % of the file at a
 * mean of 1 KiB, 1.3 % at 3/4 KiB. A chunk's identity is 64 bits of XXH3-128 under the replication
 * group's key: good enough to find equal chunks, never a proof; whoever builds a file from chunks
 * proves the whole by SHA-256.
 *
 * A finished signature is not changed again and may be read by many threads.
 */
#ifndef COMMON_RDC_SIGNATURE_H
#define COMMON_RDC_SIGNATURE_H

#include "common/base/buf.h"
#include "common/base/status.h"
#include "common/rdc/chunk.h"
#include "common/rdc/content.h"
#include "common/rdc/similarity.h"

/* Secret of a replication group: without it, nobody can make two chunks look alike on purpose. */
struct rdc_key {
    uint64_t seed;
};

struct rdc_signature {
    uint64_t size; /* of the file */
    uint32_t horizon;
    uint32_t chunk_count;
    uint32_t key_check; /* rdc_key_check() of the key it was made with */
    struct rdc_traits traits;
    uint16_t *lengths; /* of each chunk, in file order; they sum to size */
    uint64_t *identities;
    uint64_t *marks; /* offset of every RDC_MARK_STRIDE-th chunk */
};

#define RDC_MARK_STRIDE 64u

/* What two holders of a key compare to see that they hold the same; does not reveal it. */
uint32_t rdc_key_check(struct rdc_key key);

struct rdc_signature_options {
    struct rdc_key key;
    uint32_t horizon;                /* 0: rdc_horizon_for(the size) */
    const struct rdc_kernel *kernel; /* NULL: the best */
    /* Told after each tile; may be NULL. */
    void (*progress)(uint64_t bytes_done, void *arg);
    void *arg;
};

/*
 * Read @content once, front to back, and sign it.
 *
 * Fails with what the content's read gave, or ST_FULL for more than RDC_CHUNK_COUNT_MAX chunks.
 * Equal content gives equal signatures.
 */
NODISCARD enum status rdc_signature_of(const struct rdc_content *content,
                                       const struct rdc_signature_options *options,
                                       struct rdc_signature **out_signature);
void rdc_signature_free(struct rdc_signature *s);

/* A part of a signature, made by one thread. */
struct rdc_slice;

/*
 * Sign the chunks that begin in [@from, @to) of @content.
 *
 * For large files: cut [0, size) into ranges of some megabytes, sign each on a thread of its own,
 * then join. A slice reads a horizon more at the front and up to the first cut after @to; one
 * without any cut by content in its range is empty, and the slice before it covers it.
 *
 * Fails as rdc_signature_of() does.
 */
NODISCARD enum status rdc_slice_of(const struct rdc_content *content,
                                   const struct rdc_signature_options *options, uint64_t from,
                                   uint64_t to, struct rdc_slice **out_slice);
void rdc_slice_free(struct rdc_slice *slice);

/*
 * Put the slices of all ranges together, in order of their ranges; they are used up.
 *
 * ST_BADDATA when they do not meet: the content changed in between. However the ranges were
 * chosen, the signature equals that of rdc_signature_of().
 */
NODISCARD enum status rdc_slice_join(struct rdc_slice *const *slices, size_t count,
                                     const struct rdc_content *content,
                                     const struct rdc_signature_options *options,
                                     struct rdc_signature **out_signature);

/* Where chunk @index begins; @index may be chunk_count: the size. */
uint64_t rdc_signature_offset(const struct rdc_signature *s, uint32_t index);

/*
 * The form in which a signature is stored.
 *
 * rdc_signature_decode() takes nothing but what rdc_signature_encode() can have written: every
 * length is positive and within the horizon's limit, they sum to the size, and a checksum holds.
 * Anything else is ST_BADDATA, and the caller signs the file again.
 */
void rdc_signature_encode(const struct rdc_signature *s, struct buf *out);
NODISCARD enum status rdc_signature_decode(struct span bytes, struct rdc_signature **out_signature);

/* For those who fill one in: marks from lengths. */
void rdc_signature_set_marks(struct rdc_signature *s);

/* Bytes of memory that it holds. */
uint64_t rdc_signature_memory(const struct rdc_signature *s);

#endif
