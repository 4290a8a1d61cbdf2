/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/base/cursor.h: bounded reading and writing of binary formats, little-endian.
 *
 * Sticky: after the first failure every call is a no-op that yields zero; check once at the end
 * with reader_ok() or reader_finished(). No call reads outside the span it was given.
 */
#ifndef COMMON_BASE_CURSOR_H
#define COMMON_BASE_CURSOR_H

#include "common/base/buf.h"
#include "common/base/span.h"

struct reader {
    struct span rest;
    bool failed;
};

static inline struct reader reader_of(struct span bytes)
{
    return (struct reader){.rest = bytes};
}

uint8_t reader_u8(struct reader *r);
uint16_t reader_u16(struct reader *r);
uint32_t reader_u32(struct reader *r);
uint64_t reader_u64(struct reader *r);
/* LEB128, at most 10 bytes, must be the shortest form of a value of at most 64 bits. */
uint64_t reader_varint(struct reader *r);
/* Borrowed from the reader's input. */
struct span reader_bytes(struct reader *r, size_t size);
/* A varint length, refused above @size_max, then that many bytes. */
struct span reader_blob(struct reader *r, size_t size_max);
void reader_copy(struct reader *r, void *out, size_t size);

static inline bool reader_ok(const struct reader *r)
{
    return !r->failed;
}
/* Nothing failed and nothing is left over. */
static inline bool reader_finished(const struct reader *r)
{
    return !r->failed && r->rest.size == 0;
}

void write_u8(struct buf *b, uint8_t value);
void write_u16(struct buf *b, uint16_t value);
void write_u32(struct buf *b, uint32_t value);
void write_u64(struct buf *b, uint64_t value);
void write_varint(struct buf *b, uint64_t value);
void write_blob(struct buf *b, struct span bytes); /* varint length, bytes */

#endif
