/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/rdc/deflate.h: DEFLATE streams (RFC 1951) taken apart into their symbols, and put together
 * from them again, bit by bit the same. Private to inflated.c.
 *
 * Neither looks for matches nor executes them: that is inflated.c's affair. Every stream that the
 * reader takes comes out of the writer unchanged; streams that could be told in more than one way
 * (a length of 258 in 31 extra bits, padding that is not zero) are refused.
 */
#ifndef COMMON_RDC_DEFLATE_H
#define COMMON_RDC_DEFLATE_H

#include "common/base/buf.h"
#include "common/base/status.h"
#include "common/rdc/content.h"

#define DEFLATE_DISTANCE_MAX   32768u
#define DEFLATE_MATCH_MIN      3u
#define DEFLATE_MATCH_MAX      258u
#define DEFLATE_STORED_MAX     65535u /* bytes of a stored block */
#define DEFLATE_TABLE_SIZE_MAX 576u   /* bytes of a dynamic block's code lengths, as they travel */
#define DEFLATE_INPUT_SIZE     (64u << 10)

#define DEFLATE_CODE_MAX    15u /* bits */
#define DEFLATE_LITERAL_MAX 288u
#define DEFLATE_OFFSET_MAX  32u
#define DEFLATE_FAST_BITS   10u

/* A literal is its byte, a match its length << 16 | distance. */
typedef uint32_t deflate_symbol;

static inline unsigned deflate_match_length(deflate_symbol symbol)
{
    return symbol >> 16;
}

static inline unsigned deflate_match_distance(deflate_symbol symbol)
{
    return symbol & 0xffff;
}

enum deflate_type {
    DEFLATE_STORED,
    DEFLATE_FIXED,
    DEFLATE_DYNAMIC,
    DEFLATE_TYPES,
};

/* What a block begins with. */
struct deflate_block {
    bool last;
    enum deflate_type type;
    uint32_t stored_size;                  /* STORED */
    uint8_t table[DEFLATE_TABLE_SIZE_MAX]; /* DYNAMIC: bits from HLIT on, filled up with zeros */
    size_t table_size;
};

/* Bits, least significant first, from memory or from a content. */
struct deflate_bits {
    const uint8_t *at;
    const uint8_t *end;
    uint64_t held;
    unsigned held_count;
    unsigned lacking;                  /* of the held bits, how many lie beyond the end */
    const struct rdc_content *content; /* what comes after `end`; NULL: nothing */
    uint64_t offset;
    uint64_t offset_end;
    uint8_t *input;
    enum status failed; /* of the content's read */
};

/* A prefix code, to decode with. */
struct deflate_code {
    uint16_t fast[1u << DEFLATE_FAST_BITS]; /* symbol << 4 | length; 0: longer, or none */
    uint16_t counts[DEFLATE_CODE_MAX + 1];  /* of codes of each length */
    uint16_t symbols[DEFLATE_LITERAL_MAX];  /* by code */
};

struct deflate_reader {
    struct deflate_bits bits;
    struct deflate_code literals;
    struct deflate_code offsets;
};

/* Read a stream that begins at @offset and ends before @offset_end. @content outlives the reader.
 */
void deflate_reader_init(struct deflate_reader *r, const struct rdc_content *content,
                         uint64_t offset, uint64_t offset_end);
void deflate_reader_fini(struct deflate_reader *r);

/* The next block's beginning. All calls: ST_BADDATA when it is not DEFLATE, or could not be written
 * as it was; else what reading gave. */
NODISCARD enum status deflate_read_block(struct deflate_reader *r, struct deflate_block *out);

/* Up to @symbol_max of the block's symbols; @out_ended: no more follow in it. Not of stored ones.
 */
NODISCARD enum status deflate_read_symbols(struct deflate_reader *r, deflate_symbol *symbols,
                                           size_t symbol_max, size_t *out_count, bool *out_ended);

/* The next @size bytes of a stored block. */
NODISCARD enum status deflate_read_stored(struct deflate_reader *r, void *out, size_t size);

/* After the last block: where in the content the stream ends. */
NODISCARD enum status deflate_read_end(struct deflate_reader *r, uint64_t *out_offset);

struct deflate_writer {
    struct buf *out;
    uint64_t held;
    unsigned held_count;
    uint16_t literal_codes[DEFLATE_LITERAL_MAX];
    uint8_t literal_lengths[DEFLATE_LITERAL_MAX];
    uint16_t offset_codes[DEFLATE_OFFSET_MAX];
    uint8_t offset_lengths[DEFLATE_OFFSET_MAX];
};

/* Write to the end of @out, which the caller may empty between calls. */
void deflate_writer_init(struct deflate_writer *w, struct buf *out);

/* ST_BADDATA when @block cannot have come from a reader. */
NODISCARD enum status deflate_write_block(struct deflate_writer *w,
                                          const struct deflate_block *block);

/* ST_BADDATA when the block has no code for one of the symbols. */
NODISCARD enum status deflate_write_symbols(struct deflate_writer *w, const deflate_symbol *symbols,
                                            size_t count);
/* The block's symbols are all written; not of stored ones. */
NODISCARD enum status deflate_write_block_end(struct deflate_writer *w);
void deflate_write_stored(struct deflate_writer *w, struct span bytes);

/* After the last block. */
void deflate_write_end(struct deflate_writer *w);

/* --- shared by both --- */

struct deflate_lengths {
    uint8_t literals[DEFLATE_LITERAL_MAX];
    uint8_t offsets[DEFLATE_OFFSET_MAX];
};

uint32_t deflate_bits_take(struct deflate_bits *b, unsigned count); /* at most 32 */
bool deflate_bits_ok(const struct deflate_bits *b); /* all that was taken was there */
void deflate_bits_refill(struct deflate_bits *b);   /* 56 bits are held, or lacking */

/* The code lengths of a dynamic block; bits that were taken are appended to @table, unless NULL. */
bool deflate_lengths_read(struct deflate_bits *b, struct deflate_lengths *out,
                          struct deflate_block *table);
void deflate_lengths_fixed(struct deflate_lengths *out);

/* False when more codes are wanted than there are. */
bool deflate_lengths_fit(const uint8_t *lengths, unsigned count);

struct deflate_range {
    uint16_t base;
    uint8_t extra;
};

extern const struct deflate_range deflate_length_ranges[29];
extern const struct deflate_range deflate_offset_ranges[30];

#endif
