/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/rdc/literals.h: the sender's content as SEGMENT and PIECE frames. Private to the exchange.
 */
#ifndef COMMON_RDC_LITERALS_H
#define COMMON_RDC_LITERALS_H

#include "common/rdc/exchange.h"
#include "common/rdc/match.h"
#include "common/rdc/sliver_find.h"

#define RDC_LEVEL_OTHERS 2u

struct rdc_literals_options {
    enum rdc_way way;
    const struct rdc_content *content;
    const struct rdc_signature *signature;      /* of content; not for RDC_WAY_WHOLE */
    const struct rdc_moves *moves;              /* of content; not for RDC_WAY_WHOLE */
    const struct rdc_signature *base_signature; /* with RDC_WAY_PUSH_* */
    const struct rdc_content *base;             /* with RDC_WAY_PUSH_BYTES */
    const struct rdc_names *names;              /* with RDC_WAY_PULL: of slivers; NULL: none */
    struct rdc_key key;
    int level;                          /* zstd's, where there is a prefix */
    int level_others[RDC_LEVEL_OTHERS]; /* … or these, where they pack to less; 0: none */
    int level_on;                       /* … and where there is no prefix */
    int level_on_or; /* … or this one, if it saves much of the first segment; 0: none */
    bool on;         /* pack segments against the ones before, not against a prefix */
};

struct rdc_literals;

/* What the options point to outlives it. */
struct rdc_literals *rdc_literals_new(const struct rdc_literals_options *options);
void rdc_literals_free(struct rdc_literals *l);

/*
 * The next frame.
 *
 * @frame     cleared, then filled
 * @out_more  further frames follow; false at the last
 *
 * Fails with what reading gave, or with ST_BADDATA when a chunk is no longer what was signed.
 */
NODISCARD enum status rdc_literals_next(struct rdc_literals *l, struct buf *frame, bool *out_more);

/* Literal bytes so far, unpacked. */
uint64_t rdc_literals_total(const struct rdc_literals *l);

#endif
