/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/rdc/ms_hash.h: the inner loops of [MS-RDC], once per instruction set. Private to ms.c.
 *
 * The rolling hash H3 after byte i is the exclusive or of the window's table entries, each rotated
 * by how far back it lies:
 *     h(i) = rotl(h(i-1) ^ T[b(i-w)] ^ T[b(i)], s)
 * With R(j) = rotr(T[b(j)], s*j) and P(i) the exclusive or of all R(j) up to i, that is
 *     h(i) = rotl(P(i) ^ P(i-w), s*(i+1))
 * since w*s is a multiple of 32: no position waits for the one before, and a vector holds sixteen.
 *
 * Every kernel gives the same results for the same bytes.
 */
#ifndef COMMON_RDC_MS_HASH_H
#define COMMON_RDC_MS_HASH_H

#include "common/rdc/md4.h"
#include "common/rdc/ms.h"

#include <stddef.h>
#include <stdint.h>

#define MS_TABLE_SIZE 256
#define MS_BLOCK_SIZE 64 /* positions */
#define MS_ROWS       4
#define MS_COLUMNS    (MS_BLOCK_SIZE / MS_ROWS)

/* The hashes of a block's positions: that of position 4c + r stands at [r][c]. */
struct ms_block {
    uint32_t hashes[MS_ROWS][MS_COLUMNS];
};

struct ms_hash {
    uint32_t table[MS_TABLE_SIZE]; /* H3's, with that of byte 0 taken out of every entry */
    uint32_t window;
    int shift;
    uint32_t last;            /* the hash before the next position */
    struct ms_block prefixes; /* P of the block before the next position; for vectors only */
};

struct ms_kernel {
    const char *name;
    /*
     * Hash the next @count whole blocks.
     *
     * @bytes   theirs; RDC_MS_WINDOW_MAX bytes before must be there too, zeros before the file
     * @maxima  the greatest hash of each block
     */
    void (*hash_blocks)(struct ms_hash *h, const uint8_t *bytes, size_t count,
                        struct ms_block *blocks, uint32_t *maxima);
    /* The positions whose hash is at least @value, bit 0 first. */
    uint64_t (*at_least)(const struct ms_block *block, uint32_t value);
    /* As md4_of_many(). */
    void (*digests)(const struct span *messages, size_t count, struct md4 *out_digests);
};

/* The fastest kernel of this processor. */
const struct ms_kernel *ms_kernel_best(void);

/* The plain C kernel: what the others are compared with. */
const struct ms_kernel *ms_kernel_scalar(void);

/* Built for x86-64 only; NULL when this processor lacks what they need. */
const struct ms_kernel *ms_kernel_avx2(void);
const struct ms_kernel *ms_kernel_avx512(void);

/* Before the file's first byte. @window is within the limits. */
void ms_hash_init(struct ms_hash *h, uint32_t window);

/* Plain C parts, for kernels that have none better. */
void ms_scalar_hash_blocks(struct ms_hash *h, const uint8_t *bytes, size_t count,
                           struct ms_block *blocks, uint32_t *maxima);
uint64_t ms_scalar_at_least(const struct ms_block *block, uint32_t value);

/* The file's last @count positions, less than a block; the hashes of the others are 0. */
void ms_hash_rest(struct ms_hash *h, const uint8_t *bytes, size_t count, struct ms_block *block,
                  uint32_t *maximum);

/* As rdc_ms_signature(), by @kernel. */
NODISCARD enum status ms_signature_by(const struct ms_kernel *kernel,
                                      const struct rdc_content *content, struct rdc_ms_cut cut,
                                      struct buf *out);

#endif
