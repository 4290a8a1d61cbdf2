/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/base/buf.h: a growing byte buffer.
 *
 * Zero-initialised is empty. Growth aborts on exhaustion: whoever appends outside data bounds it
 * by limits.h first. buf_span() is borrowed until the next change.
 */
#ifndef COMMON_BASE_BUF_H
#define COMMON_BASE_BUF_H

#include "common/base/span.h"
#include "common/base/status.h"

struct buf {
    uint8_t *data;
    size_t size;
    size_t capacity;
};

void buf_fini(struct buf *b);
void buf_clear(struct buf *b);                       /* size 0, memory kept */
uint8_t *buf_extend(struct buf *b, size_t size);     /* @size more bytes, not initialised */
void buf_append(struct buf *b, const void *data, size_t size);
void buf_append_string(struct buf *b, const char *text); /* without the final NUL */
void buf_printf(struct buf *b, const char *format, ...) PRINTF_LIKE(2, 3);

/* Bytes as text for people: control bytes, C1 and backslash as \xNN, the rest as it is. */
void buf_append_escaped(struct buf *b, const void *data, size_t size);

/* NUL-terminated view; the NUL is not counted in size. Borrowed. */
const char *buf_text(struct buf *b);

static inline struct span buf_span(const struct buf *b)
{
    return span_of(b->data, b->size);
}

#endif
