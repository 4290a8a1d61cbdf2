/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/rdc/ms_hash.h: [MS-RDC]'s rolling hash H3 over stretches of a file, once per instruction
 * set. Private to ms.c.
 *
 * The hash after byte i is the exclusive or of the window's table entries, each rotated by how far
 * back it lies:
 *     h(i) = rotl(h(i-1) ^ T[b(i-w)] ^ T[b(i)], s)
 * With R(j) = rotr(T[b(j)], s*j) and P(i) the exclusive or of all R(j) up to i, that is
 *     h(i) = rotl(P(i) ^ P(i-w), s*(i+1))
 * since w*s is a multiple of 32: no position waits for the one before, and a vector holds sixteen.
 * Both forms give the same hashes.
 */
#ifndef COMMON_RDC_MS_HASH_H
#define COMMON_RDC_MS_HASH_H

#include "common/rdc/ms.h"

#include <stddef.h>
#include <stdint.h>

#define MS_TABLE_SIZE 256
#define MS_BLOCK_SIZE 64 /* positions whose greatest hash is told; a multiple of 32 */

struct ms_hash {
    uint32_t table[MS_TABLE_SIZE]; /* H3's, with that of byte 0 taken out of every entry */
    uint32_t window;
    int shift;
    uint32_t last;                      /* the hash before the next position */
    uint32_t prefix[RDC_MS_WINDOW_MAX]; /* P of the positions before it; for vectors only */
};

/* Before the file's first byte. @window is within the limits. */
void ms_hash_init(struct ms_hash *h, uint32_t window);

/*
 * Hash the next @count positions.
 *
 * @bytes   of them; RDC_MS_WINDOW_MAX bytes before must be there too, zeros before the file
 * @count   a multiple of MS_BLOCK_SIZE, but for the file's last ones
 * @hashes  one for each position
 * @maxima  the greatest of each block
 */
void ms_hash_next(struct ms_hash *h, const uint8_t *bytes, size_t count, uint32_t *hashes,
                  uint32_t *maxima);

/* The plain form: what the other is compared with. */
void ms_hash_next_scalar(struct ms_hash *h, const uint8_t *bytes, size_t count, uint32_t *hashes,
                         uint32_t *maxima);

/* Whole blocks only; only where ms_hash_has_avx512(). Built for x86-64. */
void ms_hash_next_avx512(struct ms_hash *h, const uint8_t *bytes, size_t count, uint32_t *hashes,
                         uint32_t *maxima);
bool ms_hash_has_avx512(void);

#endif
