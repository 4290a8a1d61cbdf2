/* SPDX-License-Identifier: Apache-2.0 */
#include "common/rdc/nearest.h"

#include <assert.h>
#include <string.h>

#define OFFSET_MAX (UINT64_C(1) << 31)
#define GAP        (2 * NEAREST_WINDOW) /* between texts: places of one are out of reach in the next */

static inline uint32_t word_at(const uint8_t *text)
{
    uint32_t word;

    memcpy(&word, text, sizeof(word));
    return word;
}

static inline uint32_t hash_of(const uint8_t *text)
{
    return word_at(text) * UINT32_C(2654435761) >> (32 - NEAREST_HASH_BITS);
}

static inline uint32_t short_hash_of(const uint8_t *text)
{
    uint32_t three = text[0] | (uint32_t)text[1] << 8 | (uint32_t)text[2] << 16;

    return three * UINT32_C(2654435761) >> (32 - NEAREST_SHORT_BITS);
}

void nearest_init(struct nearest *n)
{
    memset(n, 0, sizeof(*n));
}

void nearest_begin(struct nearest *n)
{
    if (n->noted > UINT32_MAX - OFFSET_MAX - 2 * GAP)
        nearest_init(n);
    n->base = n->noted + GAP;
    n->noted = n->base;
}

/* @end: the place of @text; four bytes can be read from each place before it. */
static inline void note(struct nearest *n, const uint8_t *text, uint32_t end)
{
    for (uint32_t place = n->noted; place < end; place++) {
        const uint8_t *at = text - (end - place);
        uint32_t *head = &n->heads[hash_of(at)];
        uint32_t distance = place - *head;

        n->back[place % NEAREST_WINDOW] = distance < NEAREST_WINDOW ? (uint16_t)distance : 0;
        *head = place;
        n->short_heads[short_hash_of(at)] = place;
    }
    if (end > n->noted)
        n->noted = end;
}

void nearest_note(struct nearest *n, const uint8_t *text, uint64_t offset)
{
    assert(offset < OFFSET_MAX);
    note(n, text, n->base + (uint32_t)offset);
}

uint32_t nearest_find(struct nearest *n, const uint8_t *text, uint64_t offset, unsigned length)
{
    assert(offset < OFFSET_MAX && length >= 3);
    uint32_t place = n->base + (uint32_t)offset;

    note(n, text, place);
    if (length == 3) {
        uint32_t distance = place - n->short_heads[short_hash_of(text)];

        return distance <= NEAREST_WINDOW && memcmp(text - distance, text, 3) == 0 ? distance : 0;
    }
    uint32_t tail = word_at(text + length - 4);
    uint32_t distance = place - n->heads[hash_of(text)];
    for (unsigned walk = 0; walk < NEAREST_WALK_MAX && distance <= NEAREST_WINDOW; walk++) {
        const uint8_t *at = text - distance;

        if (word_at(at + length - 4) == tail && memcmp(at, text, length) == 0)
            return distance;
        uint32_t back = n->back[(place - distance) % NEAREST_WINDOW];
        if (back == 0)
            break;
        distance += back;
    }
    return 0;
}
