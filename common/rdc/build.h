/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/rdc/build.h: segments put together with seeds: the content, proven. Private to receive.c.
 */
#ifndef COMMON_RDC_BUILD_H
#define COMMON_RDC_BUILD_H

#include "common/rdc/exchange.h"
#include "common/rdc/plan.h"
#include "common/rdc/sliver.h"

/* Why building stopped. */
enum rdc_build_result {
    RDC_BUILD_OK,
    RDC_BUILD_WRONG,     /* seeds and segments do not fit together: the whole may still do */
    RDC_BUILD_MALFORMED, /* no sender that keeps the rules can have sent this */
    RDC_BUILD_SINK,      /* the sink failed: rdc_build_status() */
};

/* A segment as it arrived, unpacked except for its literals. */
struct rdc_segment {
    bool last;
    bool packed;    /* against a prefix */
    bool packed_on; /* against the segments before */
    size_t literal_size;
    struct span script;
    struct span literals; /* as they travelled */
};

struct rdc_build;

/* What @options points to outlives it. */
struct rdc_build *rdc_build_new(const struct rdc_receive_options *options);
void rdc_build_free(struct rdc_build *b);

/* Begin a content that comes in @way; @base: the seed of a push; @plan: settled, of a pull.
 * Anything built before is forgotten, and that there were slivers. */
enum rdc_build_result rdc_build_begin(struct rdc_build *b, enum rdc_way way, unsigned base,
                                      const struct rdc_plan *plan);

/* The segments of the pull that has begun may take of these, which outlive the build. */
void rdc_build_use_slivers(struct rdc_build *b, const struct rdc_slivers *slivers);

enum rdc_build_result rdc_build_segment(struct rdc_build *b, const struct rdc_segment *segment);

/* All is built by copies of the plan: no segment comes. */
enum rdc_build_result rdc_build_copies(struct rdc_build *b);

/* Is what was built the content that was expected? */
bool rdc_build_proven(struct rdc_build *b);

enum status rdc_build_status(const struct rdc_build *b);
uint64_t rdc_build_literal_bytes(const struct rdc_build *b);
uint64_t rdc_build_copied_bytes(const struct rdc_build *b);

#endif
