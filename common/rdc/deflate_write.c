/* SPDX-License-Identifier: Apache-2.0 */
#include "common/rdc/deflate.h"

#include <assert.h>
#include <endian.h>

#define BLOCK_END 256u

void deflate_writer_init(struct deflate_writer *w, struct buf *out)
{
    w->out = out;
    w->held = 0;
    w->held_count = 0;
}

/* At most 57 bits are held with the new ones. */
static inline void put(struct deflate_writer *w, uint32_t bits, unsigned count)
{
    w->held |= (uint64_t)bits << w->held_count;
    w->held_count += count;
}

/* Whole bytes to @place, where there is room for eight. */
static inline uint8_t *drain(struct deflate_writer *w, uint8_t *place)
{
    uint64_t word = htole64(w->held);

    memcpy(place, &word, sizeof(word));
    place += w->held_count / 8;
    w->held = w->held_count == 64 ? 0 : w->held >> (w->held_count & ~7u);
    w->held_count %= 8;
    return place;
}

static void flush(struct deflate_writer *w)
{
    size_t size = w->out->size;
    uint8_t *place = buf_extend(w->out, sizeof(w->held));

    w->out->size = size + (size_t)(drain(w, place) - place);
}

/* Codes by RFC 1951, 3.2.2, their bits in the order in which they are written. */
static void assign_codes(const uint8_t *lengths, unsigned count, uint16_t *codes)
{
    unsigned code = 0;

    for (unsigned length = 1; length <= DEFLATE_CODE_MAX; length++) {
        for (unsigned i = 0; i < count; i++) {
            unsigned bits = 0;

            if (lengths[i] != length)
                continue;
            for (unsigned k = 0; k < length; k++)
                bits |= (code >> k & 1) << (length - 1 - k);
            codes[i] = (uint16_t)bits;
            code++;
        }
        code <<= 1;
    }
}

static void set_codes(struct deflate_writer *w, const struct deflate_lengths *lengths)
{
    memcpy(w->literal_lengths, lengths->literals, sizeof(w->literal_lengths));
    memcpy(w->offset_lengths, lengths->offsets, sizeof(w->offset_lengths));
    assign_codes(w->literal_lengths, DEFLATE_LITERAL_MAX, w->literal_codes);
    assign_codes(w->offset_lengths, DEFLATE_OFFSET_MAX, w->offset_codes);
}

static enum status write_table(struct deflate_writer *w, const struct deflate_block *block)
{
    struct deflate_lengths lengths;
    struct deflate_block again = {0};
    struct deflate_bits bits = {.at = block->table, .end = block->table + block->table_size};

    if (!deflate_lengths_read(&bits, &lengths, &again) || again.table_size != block->table_size ||
        memcmp(again.table, block->table, block->table_size) != 0)
        return ST_BADDATA;
    size_t bit_count = block->table_size * 8 - (bits.held_count - bits.lacking);
    for (size_t i = 0; i < bit_count; i++) {
        put(w, block->table[i / 8] >> i % 8 & 1, 1);
        if (i % 32 == 31)
            flush(w);
    }
    set_codes(w, &lengths);
    flush(w);
    return ST_OK;
}

enum status deflate_write_block(struct deflate_writer *w, const struct deflate_block *block)
{
    struct deflate_lengths lengths;

    if (block->type >= DEFLATE_TYPES ||
        (block->type == DEFLATE_STORED && block->stored_size > DEFLATE_STORED_MAX))
        return ST_BADDATA;
    put(w, block->last, 1);
    put(w, (uint32_t)block->type, 2);
    if (block->type == DEFLATE_DYNAMIC)
        return write_table(w, block);
    if (block->type == DEFLATE_FIXED) {
        deflate_lengths_fixed(&lengths);
        set_codes(w, &lengths);
        return ST_OK;
    }
    w->held_count = (w->held_count + 7) / 8 * 8;
    put(w, block->stored_size, 16);
    put(w, block->stored_size ^ 0xffff, 16);
    flush(w);
    return ST_OK;
}

void deflate_write_stored(struct deflate_writer *w, struct span bytes)
{
    assert(w->held_count == 0);
    buf_append(w->out, bytes.data, bytes.size);
}

/* The last range that begins at or below @value. */
static inline unsigned range_of(const struct deflate_range *ranges, unsigned count, unsigned value)
{
    unsigned low = 0;

    for (unsigned half = count / 2; count > 1; half = count / 2) {
        low += value >= ranges[low + half].base ? half : 0;
        count -= half;
    }
    return low;
}

static bool put_match(struct deflate_writer *w, deflate_symbol symbol)
{
    unsigned length = deflate_match_length(symbol);
    unsigned distance = deflate_match_distance(symbol);
    unsigned at = range_of(deflate_length_ranges, 29, length);
    unsigned code = 257 + at;

    if (w->literal_lengths[code] == 0)
        return false;
    put(w, w->literal_codes[code], w->literal_lengths[code]);
    put(w, length - deflate_length_ranges[at].base, deflate_length_ranges[at].extra);
    at = range_of(deflate_offset_ranges, 30, distance);
    if (w->offset_lengths[at] == 0)
        return false;
    put(w, w->offset_codes[at], w->offset_lengths[at]);
    put(w, distance - deflate_offset_ranges[at].base, deflate_offset_ranges[at].extra);
    return true;
}

static bool put_symbol(struct deflate_writer *w, deflate_symbol symbol)
{
    if (deflate_match_length(symbol) > 0)
        return put_match(w, symbol);
    if (w->literal_lengths[symbol] == 0)
        return false;
    put(w, w->literal_codes[symbol], w->literal_lengths[symbol]);
    return true;
}

enum status deflate_write_symbols(struct deflate_writer *w, const deflate_symbol *symbols,
                                  size_t count)
{
    size_t size = w->out->size;
    uint8_t *begin = buf_extend(w->out, (count + 1) * sizeof(w->held));
    uint8_t *place = begin;
    bool coded = true;

    for (size_t i = 0; i < count && coded; i++) {
        coded = put_symbol(w, symbols[i]);
        place = drain(w, place);
    }
    w->out->size = size + (size_t)(place - begin);
    return coded ? ST_OK : ST_BADDATA;
}

enum status deflate_write_block_end(struct deflate_writer *w)
{
    if (w->literal_lengths[BLOCK_END] == 0)
        return ST_BADDATA;
    put(w, w->literal_codes[BLOCK_END], w->literal_lengths[BLOCK_END]);
    flush(w);
    return ST_OK;
}

void deflate_write_end(struct deflate_writer *w)
{
    w->held_count = (w->held_count + 7) / 8 * 8;
    flush(w);
}
