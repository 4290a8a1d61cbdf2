/* SPDX-License-Identifier: Apache-2.0 */
#include "common/rdc/deflate.h"

#include "common/base/mem.h"

#include <stdlib.h>

#define BLOCK_END    256u
#define EXTRA_UNIQUE 30u /* of length code 284: with 31 it is 258, which has another code */

void deflate_reader_init(struct deflate_reader *r, const struct rdc_content *content,
                         uint64_t offset, uint64_t offset_end)
{
    r->bits = (struct deflate_bits){
        .content = content, .offset = offset, .offset_end = offset_end, .failed = ST_OK};
    r->bits.input = mem_pages(DEFLATE_INPUT_SIZE);
}

void deflate_reader_fini(struct deflate_reader *r)
{
    free(r->bits.input);
    r->bits.input = NULL;
}

static enum status refusal(const struct deflate_reader *r)
{
    return r->bits.failed != ST_OK ? r->bits.failed : ST_BADDATA;
}

/* The bits of a code come most significant first. */
static unsigned reversed(unsigned code, unsigned length)
{
    unsigned out = 0;

    for (unsigned i = 0; i < length; i++)
        out |= (code >> i & 1) << (length - 1 - i);
    return out;
}

static void code_init(struct deflate_code *c, const uint8_t *lengths, unsigned count)
{
    uint16_t next[DEFLATE_CODE_MAX + 2] = {0};
    unsigned code = 0;
    unsigned place = 0;

    memset(c->counts, 0, sizeof(c->counts));
    memset(c->fast, 0, sizeof(c->fast));
    for (unsigned i = 0; i < count; i++)
        c->counts[lengths[i]] += 1;
    c->counts[0] = 0;
    for (unsigned length = 1; length <= DEFLATE_CODE_MAX; length++)
        next[length + 1] = (uint16_t)(next[length] + c->counts[length]);
    for (unsigned i = 0; i < count; i++)
        if (lengths[i])
            c->symbols[next[lengths[i]]++] = (uint16_t)i;
    for (unsigned length = 1; length <= DEFLATE_FAST_BITS; length++) {
        for (unsigned k = 0; k < c->counts[length]; k++, code++, place++)
            for (unsigned at = reversed(code, length); at < 1u << DEFLATE_FAST_BITS;
                 at += 1u << length)
                c->fast[at] = (uint16_t)((unsigned)c->symbols[place] << 4 | length);
        code <<= 1;
    }
}

/* The symbol whose code comes next, of at least 15 held bits; DEFLATE_LITERAL_MAX: none. */
static inline unsigned take_symbol(struct deflate_bits *b, const struct deflate_code *c)
{
    unsigned entry = c->fast[b->held & ((1u << DEFLATE_FAST_BITS) - 1)];
    unsigned code = 0;
    unsigned first = 0;
    unsigned place = 0;

    if (entry) {
        b->held >>= entry & 15;
        b->held_count -= entry & 15;
        return entry >> 4;
    }
    for (unsigned length = 1; length <= DEFLATE_CODE_MAX; length++) {
        code |= (unsigned)(b->held >> (length - 1)) & 1;
        if (code - first < c->counts[length]) {
            b->held >>= length;
            b->held_count -= length;
            return c->symbols[place + code - first];
        }
        place += c->counts[length];
        first = (first + c->counts[length]) << 1;
        code <<= 1;
    }
    return DEFLATE_LITERAL_MAX;
}

static enum status read_stored_head(struct deflate_reader *r, struct deflate_block *out)
{
    if (deflate_bits_take(&r->bits, r->bits.held_count % 8) != 0)
        return refusal(r);
    out->stored_size = deflate_bits_take(&r->bits, 16);
    if ((deflate_bits_take(&r->bits, 16) ^ out->stored_size) != 0xffff)
        return refusal(r);
    return deflate_bits_ok(&r->bits) ? ST_OK : refusal(r);
}

enum status deflate_read_block(struct deflate_reader *r, struct deflate_block *out)
{
    struct deflate_lengths lengths;

    out->last = deflate_bits_take(&r->bits, 1);
    out->type = (enum deflate_type)deflate_bits_take(&r->bits, 2);
    if (out->type == DEFLATE_STORED)
        return read_stored_head(r, out);
    if (out->type == DEFLATE_FIXED)
        deflate_lengths_fixed(&lengths);
    else if (out->type == DEFLATE_TYPES || !deflate_lengths_read(&r->bits, &lengths, out))
        return refusal(r);
    code_init(&r->literals, lengths.literals, DEFLATE_LITERAL_MAX);
    code_init(&r->offsets, lengths.offsets, DEFLATE_OFFSET_MAX);
    return ST_OK;
}

/* 48 bits at most. */
static inline bool take_match(struct deflate_reader *r, unsigned code, deflate_symbol *out)
{
    if (code >= 257 + sizeof(deflate_length_ranges) / sizeof(deflate_length_ranges[0]))
        return false;
    const struct deflate_range *length = &deflate_length_ranges[code - 257];
    uint32_t length_extra = (uint32_t)(r->bits.held & ((1u << length->extra) - 1));
    if (code == 284 && length_extra > EXTRA_UNIQUE)
        return false;
    r->bits.held >>= length->extra;
    r->bits.held_count -= length->extra;
    unsigned offset_code = take_symbol(&r->bits, &r->offsets);
    if (offset_code >= sizeof(deflate_offset_ranges) / sizeof(deflate_offset_ranges[0]))
        return false;
    const struct deflate_range *offset = &deflate_offset_ranges[offset_code];
    uint32_t offset_extra = (uint32_t)(r->bits.held & ((1u << offset->extra) - 1));
    r->bits.held >>= offset->extra;
    r->bits.held_count -= offset->extra;
    *out = (length->base + length_extra) << 16 | (offset->base + offset_extra);
    return true;
}

enum status deflate_read_symbols(struct deflate_reader *r, deflate_symbol *symbols,
                                 size_t symbol_max, size_t *out_count, bool *out_ended)
{
    size_t count = 0;

    *out_ended = false;
    while (count < symbol_max && !*out_ended) {
        if (r->bits.held_count < 48)
            deflate_bits_refill(&r->bits);
        unsigned symbol = take_symbol(&r->bits, &r->literals);
        if (symbol < BLOCK_END)
            symbols[count++] = symbol;
        else if (symbol == BLOCK_END)
            *out_ended = true;
        else if (!take_match(r, symbol, &symbols[count++]))
            return refusal(r);
        if (r->bits.lacking > r->bits.held_count)
            return refusal(r);
    }
    *out_count = count;
    return deflate_bits_ok(&r->bits) ? ST_OK : refusal(r);
}

enum status deflate_read_stored(struct deflate_reader *r, void *out, size_t size)
{
    uint8_t *bytes = out;

    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)deflate_bits_take(&r->bits, 8);
    return deflate_bits_ok(&r->bits) ? ST_OK : refusal(r);
}

enum status deflate_read_end(struct deflate_reader *r, uint64_t *out_offset)
{
    struct deflate_bits *b = &r->bits;

    if (deflate_bits_take(b, b->held_count % 8) != 0 || !deflate_bits_ok(b))
        return refusal(r);
    /* what was read ahead: whole bytes held that are there, and the rest of the input */
    *out_offset = b->offset - (uint64_t)(b->end - b->at) - (b->held_count - b->lacking) / 8;
    return ST_OK;
}
