/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/rdc/match.h: a file as moves: runs of chunks that are copied, and runs that are not.
 */
#ifndef COMMON_RDC_MATCH_H
#define COMMON_RDC_MATCH_H

#include "common/rdc/signature.h"

#define RDC_LITERAL UINT32_MAX

struct rdc_move {
    uint32_t chunk_count; /* of the file, never 0 */
    uint32_t base_first;  /* chunk of the base where the copy begins; RDC_LITERAL: no copy */
    bool repeat;          /* base_first is a chunk of the file itself, before this move's first */
};

/* In file order; together they are all chunks of the file. Zero-initialised is empty. */
struct rdc_moves {
    struct rdc_move *items;
    size_t count;
    size_t capacity;
};

void rdc_moves_fini(struct rdc_moves *moves);

/* Nothing is added for a count of 0; a literal after a literal, or a copy that goes on where the
 * one before ended, makes one move. */
void rdc_moves_add_literal(struct rdc_moves *moves, uint32_t chunk_count);
void rdc_moves_add_copy(struct rdc_moves *moves, uint32_t chunk_count, uint32_t base_first);

/*
 * Express @file by chunks of @base; both made with the same key and horizon. @moves is empty.
 *
 * A chunk is a literal only if @base holds no chunk equal to it. Of several equal chunks the one
 * that goes on with the copy before is taken, then one that lies as far behind it as in the file.
 */
void rdc_moves_match(struct rdc_moves *moves, const struct rdc_signature *file,
                     const struct rdc_signature *base);

/*
 * Turn literals into repeats where they hold @least bytes or more that earlier literals hold. A
 * repeat may run into itself: then it is what stands before it, over and over.
 *
 * With more literal chunks than RDC_REPEAT_CHUNKS_MAX nothing is changed.
 */
void rdc_moves_fold_repeats(struct rdc_moves *moves, const struct rdc_signature *file,
                            uint64_t least);

/* How many bytes of @file the literals among @moves are. */
uint64_t rdc_moves_literal_bytes(const struct rdc_moves *moves, const struct rdc_signature *file);

#endif
