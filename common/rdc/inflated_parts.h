/* SPDX-License-Identifier: Apache-2.0 */
/* common/rdc/inflated_parts.h: what unpacking and packing a form share. Private to the two. */
#ifndef COMMON_RDC_INFLATED_PARTS_H
#define COMMON_RDC_INFLATED_PARTS_H

#include "common/base/mem.h"
#include "common/rdc/nearest.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define INFLATED_BATCH        4096u /* symbols at a time */
#define INFLATED_SYMBOL_MAX   5u    /* bytes that tell one */
#define INFLATED_PIECE        (256u << 10)
#define INFLATED_PIECE_STORED (32u << 10)
#define INFLATED_REACH        (NEAREST_WINDOW + 512u) /* of the text: places, some to be noted */
#define INFLATED_WINDOW       (INFLATED_REACH + INFLATED_PIECE)
#define INFLATED_UNNOTED      4u /* places at the end, whose next bytes may not be known */

#define INFLATED_ESCAPE    255u
#define INFLATED_ELSEWHERE 2u

/* A stream's text as it passes. */
struct inflated_window {
    uint8_t *bytes;
    uint64_t offset; /* of bytes[0] in the stream's text */
    size_t at;       /* the next symbol's place */
    size_t have;     /* bytes that are known */
    struct nearest nearest;
};

static inline void inflated_window_init(struct inflated_window *w)
{
    w->bytes = mem_pages(INFLATED_WINDOW);
    nearest_init(&w->nearest);
}

static inline void inflated_window_fini(struct inflated_window *w)
{
    free(w->bytes);
}

static inline void inflated_window_begin(struct inflated_window *w)
{
    w->offset = 0;
    w->at = 0;
    w->have = 0;
    nearest_begin(&w->nearest);
}

/* In the stream's text, of the next symbol. */
static inline uint64_t inflated_window_offset(const struct inflated_window *w)
{
    return w->offset + w->at;
}

/* Forget what matches no longer reach. */
static inline void inflated_window_slide(struct inflated_window *w)
{
    if (w->at <= INFLATED_REACH)
        return;
    size_t gone = w->at - INFLATED_REACH;
    nearest_note(&w->nearest, w->bytes + w->at - INFLATED_UNNOTED,
                 inflated_window_offset(w) - INFLATED_UNNOTED);
    memmove(w->bytes, w->bytes + gone, w->have - gone);
    w->offset += gone;
    w->at -= gone;
    w->have -= gone;
}

#endif
