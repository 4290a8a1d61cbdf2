/* SPDX-License-Identifier: Apache-2.0 */
#include "common/rdc/deflate.h"

#include <assert.h>
#include <endian.h>

#define CLASS_COUNT 19u /* of code lengths, RFC 1951, 3.2.7 */

const struct deflate_range deflate_length_ranges[29] = {
    {3, 0},  {4, 0},  {5, 0},  {6, 0},   {7, 0},   {8, 0},   {9, 0},   {10, 0},  {11, 1},  {13, 1},
    {15, 1}, {17, 1}, {19, 2}, {23, 2},  {27, 2},  {31, 2},  {35, 3},  {43, 3},  {51, 3},  {59, 3},
    {67, 4}, {83, 4}, {99, 4}, {115, 4}, {131, 5}, {163, 5}, {195, 5}, {227, 5}, {258, 0},
};

const struct deflate_range deflate_offset_ranges[30] = {
    {1, 0},     {2, 0},     {3, 0},     {4, 0},      {5, 1},      {7, 1},
    {9, 2},     {13, 2},    {17, 3},    {25, 3},     {33, 4},     {49, 4},
    {65, 5},    {97, 5},    {129, 6},   {193, 6},    {257, 7},    {385, 7},
    {513, 8},   {769, 8},   {1025, 9},  {1537, 9},   {2049, 10},  {3073, 10},
    {4097, 11}, {6145, 11}, {8193, 12}, {12289, 12}, {16385, 13}, {24577, 13},
};

/* Read on in the content; false at its end. */
static bool more_input(struct deflate_bits *b)
{
    uint64_t rest = b->offset_end - b->offset;
    size_t size = rest < DEFLATE_INPUT_SIZE ? (size_t)rest : DEFLATE_INPUT_SIZE;

    if (!b->content || size == 0 || b->failed != ST_OK)
        return false;
    b->failed = rdc_content_read(b->content, b->offset, b->input, size);
    if (b->failed != ST_OK)
        return false;
    b->offset += size;
    b->at = b->input;
    b->end = b->input + size;
    return true;
}

void deflate_bits_refill(struct deflate_bits *b)
{
    if (b->end - b->at >= 8) {
        /* the bits beyond held_count are those that come next: held again, they are the same */
        uint64_t word;

        memcpy(&word, b->at, sizeof(word));
        b->held |= le64toh(word) << b->held_count;
        b->at += (63 - b->held_count) / 8;
        b->held_count |= 56;
        return;
    }
    while (b->held_count <= 56) {
        if (b->at == b->end && !more_input(b)) {
            b->lacking += 8;
            b->held_count += 8;
            continue;
        }
        b->held |= (uint64_t)*b->at++ << b->held_count;
        b->held_count += 8;
    }
}

uint32_t deflate_bits_take(struct deflate_bits *b, unsigned count)
{
    assert(count <= 32);
    if (b->held_count < count)
        deflate_bits_refill(b);
    uint32_t bits = (uint32_t)(b->held & ((UINT64_C(1) << count) - 1));
    b->held >>= count;
    b->held_count -= count;
    return bits;
}

bool deflate_bits_ok(const struct deflate_bits *b)
{
    return b->lacking <= b->held_count && b->failed == ST_OK;
}

/* --- code lengths ----------------------------------------------------------------------------*/

void deflate_lengths_fixed(struct deflate_lengths *out)
{
    memset(out->literals, 8, sizeof(out->literals));
    memset(out->literals + 144, 9, 112);
    memset(out->literals + 256, 7, 24);
    memset(out->offsets, 5, sizeof(out->offsets));
}

bool deflate_lengths_fit(const uint8_t *lengths, unsigned count)
{
    uint32_t taken = 0;

    for (unsigned i = 0; i < count; i++)
        taken += lengths[i] ? 1u << (DEFLATE_CODE_MAX - lengths[i]) : 0;
    return taken <= 1u << DEFLATE_CODE_MAX;
}

/* Bits that are also kept, as they are. */
struct copied_bits {
    struct deflate_bits *from;
    struct deflate_block *to; /* NULL: not kept */
    size_t count;
};

static uint32_t take(struct copied_bits *c, unsigned count)
{
    uint32_t bits = deflate_bits_take(c->from, count);

    for (unsigned i = 0; c->to && i < count; i++, c->count++)
        c->to->table[c->count / 8] |= (uint8_t)((bits >> i & 1) << c->count % 8);
    return bits;
}

/* The class of the next code length; CLASS_COUNT: none has that code. */
static unsigned take_class(struct copied_bits *c, const uint8_t *lengths)
{
    unsigned code = 0;
    unsigned first = 0;

    for (unsigned length = 1; length <= 7; length++) {
        unsigned rank = 0;

        code |= take(c, 1);
        for (unsigned i = 0; i < CLASS_COUNT; i++)
            if (lengths[i] == length && rank++ == code - first)
                return i;
        first = (first + rank) << 1;
        code <<= 1;
    }
    return CLASS_COUNT;
}

/* @count code lengths, run-length coded. */
static bool take_lengths(struct copied_bits *c, const uint8_t *classes, uint8_t *lengths,
                         unsigned count)
{
    for (unsigned i = 0; i < count;) {
        unsigned class = take_class(c, classes);
        unsigned repeat = 1;
        uint8_t length = 0;

        if (class == CLASS_COUNT || (class == 16 && i == 0))
            return false;
        if (class == 16)
            length = lengths[i - 1];
        else if (class < 16)
            length = (uint8_t) class;
        if (class == 16)
            repeat = 3 + take(c, 2);
        else if (class == 17)
            repeat = 3 + take(c, 3);
        else if (class == 18)
            repeat = 11 + take(c, 7);
        if (repeat > count - i)
            return false;
        memset(lengths + i, length, repeat);
        i += repeat;
    }
    return true;
}

bool deflate_lengths_read(struct deflate_bits *b, struct deflate_lengths *out,
                          struct deflate_block *table)
{
    static const uint8_t order[CLASS_COUNT] = {16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                               11, 4,  12, 3, 13, 2, 14, 1, 15};
    uint8_t classes[CLASS_COUNT] = {0};
    uint8_t lengths[DEFLATE_LITERAL_MAX + DEFLATE_OFFSET_MAX];
    struct copied_bits c = {.from = b, .to = table};

    if (table)
        memset(table->table, 0, sizeof(table->table));
    unsigned literal_count = 257 + take(&c, 5);
    unsigned offset_count = 1 + take(&c, 5);
    unsigned class_count = 4 + take(&c, 4);
    if (literal_count > DEFLATE_LITERAL_MAX)
        return false;
    for (unsigned i = 0; i < class_count; i++)
        classes[order[i]] = (uint8_t)take(&c, 3);
    if (!deflate_lengths_fit(classes, CLASS_COUNT) ||
        !take_lengths(&c, classes, lengths, literal_count + offset_count) || !deflate_bits_ok(b))
        return false;
    memset(out, 0, sizeof(*out));
    memcpy(out->literals, lengths, literal_count);
    memcpy(out->offsets, lengths + literal_count, offset_count);
    if (table)
        table->table_size = (c.count + 7) / 8;
    return deflate_lengths_fit(out->literals, DEFLATE_LITERAL_MAX) &&
           deflate_lengths_fit(out->offsets, DEFLATE_OFFSET_MAX);
}
