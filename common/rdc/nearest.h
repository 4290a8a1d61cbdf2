/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/rdc/nearest.h: where a match of a known length most likely points to. Private to
 * inflated.c.
 *
 * Whatever compressed a text: of all places that have the next bytes it takes the nearest as a
 * rule, since near ones cost least. So a match's length says where it points to, and the distance
 * need not be kept: it would change with every edit between the two places.
 *
 * What was found is a guess about a compressor, never a claim: it need not be right, but both ends
 * must guess alike. The answer depends on the text and on nothing else.
 */
#ifndef COMMON_RDC_NEAREST_H
#define COMMON_RDC_NEAREST_H

#include <stddef.h>
#include <stdint.h>

#define NEAREST_HASH_BITS  15u
#define NEAREST_SHORT_BITS 14u
#define NEAREST_WINDOW     32768u
#define NEAREST_WALK_MAX   256u /* places that are tried */

struct nearest {
    uint32_t base;                           /* what a text's first byte is called */
    uint32_t noted;                          /* places before this one are in the tables */
    uint32_t heads[1u << NEAREST_HASH_BITS]; /* the last place of a hash of four bytes */
    uint16_t back[NEAREST_WINDOW]; /* … and how far the one before it lies back; 0: none */
    uint32_t short_heads[1u << NEAREST_SHORT_BITS]; /* the last place of a hash of three */
};

/* Before the first text. */
void nearest_init(struct nearest *n);

/* A new text begins. */
void nearest_begin(struct nearest *n);

/*
 * The distance to the nearest place before @offset whose bytes equal the @length from there on.
 *
 * @text    the text's byte at @offset; what lies up to 32 KiB before it, as far as the text goes,
 *          and @length bytes from it on can be read
 * @offset  in the text, at least that of the call before; below 2^31
 * @length  from 3 on
 *
 * 0: none was found; there may be one, when many places begin alike or have the same hash.
 */
uint32_t nearest_find(struct nearest *n, const uint8_t *text, uint64_t offset, unsigned length);

/*
 * Take note of the places before @offset. Needed only before bytes that are further than 32 KiB
 * from the next find() go out of reach. Three bytes from @text on can be read.
 */
void nearest_note(struct nearest *n, const uint8_t *text, uint64_t offset);

#endif
