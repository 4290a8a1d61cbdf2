/* SPDX-License-Identifier: Apache-2.0 */
#include "common/rdc/ms_hash.h"

#include "common/base/cursor.h"
#include "common/rdc/kernel.h"
#include "common/rdc/md4.h"

#include <string.h>

/* [MS-RDC] 3.1.3: MD4 of zeros, then again and again of the digest before. */
static void make_table(uint32_t table[MS_TABLE_SIZE])
{
    struct md4 digest = {0};

    for (unsigned i = 0; i < MS_TABLE_SIZE; i += 4) {
        digest = md4_of(span_of(digest.bytes, sizeof(digest.bytes)));
        struct reader r = reader_of(span_of(digest.bytes, sizeof(digest.bytes)));
        for (unsigned k = 0; k < 4; k++)
            table[i + k] = reader_u32(&r);
    }
    /* bytes before the file count as 0: with entry 0 taken out they need no case of their own */
    for (unsigned i = MS_TABLE_SIZE; i-- > 0;)
        table[i] ^= table[0];
}

static int shift_of(uint32_t window)
{
    uint32_t shift = 1;

    for (uint32_t i = 32; i > 0 && window % i != 0; i /= 2)
        shift *= 2;
    return (int)(shift % 32);
}

void ms_hash_init(struct ms_hash *h, uint32_t window)
{
    *h = (struct ms_hash){.window = window, .shift = shift_of(window)};
    make_table(h->table);
}

static inline uint32_t rotate(uint32_t x, int by)
{
    return x << by | x >> (-by & 31);
}

/* Inlined for the shifts in use, so that the chain from one hash to the next is two instructions.
 */
static inline __attribute__((always_inline)) void hash_blocks(struct ms_hash *h,
                                                              const uint8_t *bytes, size_t count,
                                                              struct ms_block *blocks,
                                                              uint32_t *maxima, int shift)
{
    const uint8_t *leaving = bytes - h->window;
    uint32_t hash = h->last;

    for (size_t k = 0; k < count; k++) {
        uint32_t greatest = 0;

        for (size_t column = 0; column < MS_COLUMNS;
             column++, bytes += MS_ROWS, leaving += MS_ROWS) {
            for (size_t row = 0; row < MS_ROWS; row++) {
                hash = rotate(hash ^ (h->table[leaving[row]] ^ h->table[bytes[row]]), shift);
                blocks[k].hashes[row][column] = hash;
                greatest = hash > greatest ? hash : greatest;
            }
        }
        maxima[k] = greatest;
    }
    h->last = hash;
}

void ms_scalar_hash_blocks(struct ms_hash *h, const uint8_t *bytes, size_t count,
                           struct ms_block *blocks, uint32_t *maxima)
{
    if (h->shift == 2)
        hash_blocks(h, bytes, count, blocks, maxima, 2);
    else if (h->shift == 16)
        hash_blocks(h, bytes, count, blocks, maxima, 16);
    else
        hash_blocks(h, bytes, count, blocks, maxima, h->shift);
}

void ms_hash_rest(struct ms_hash *h, const uint8_t *bytes, size_t count, struct ms_block *block,
                  uint32_t *maximum)
{
    const uint8_t *leaving = bytes - h->window;

    *block = (struct ms_block){0};
    *maximum = 0;
    for (size_t i = 0; i < count; i++) {
        h->last = rotate(h->last ^ h->table[leaving[i]] ^ h->table[bytes[i]], h->shift);
        block->hashes[i % MS_ROWS][i / MS_ROWS] = h->last;
        *maximum = h->last > *maximum ? h->last : *maximum;
    }
}

uint64_t ms_scalar_at_least(const struct ms_block *block, uint32_t value)
{
    uint64_t positions = 0;

    for (unsigned i = 0; i < MS_BLOCK_SIZE; i++)
        positions |= (uint64_t)(block->hashes[i % MS_ROWS][i / MS_ROWS] >= value) << i;
    return positions;
}

const struct ms_kernel *ms_kernel_scalar(void)
{
    static const struct ms_kernel kernel = {
        .name = "scalar",
        .hash_blocks = ms_scalar_hash_blocks,
        .at_least = ms_scalar_at_least,
        .digests = md4_of_many,
    };

    return &kernel;
}

const struct ms_kernel *ms_kernel_avx2(void)
{
#ifdef __x86_64__
    static const struct ms_kernel kernel = {
        .name = "avx2",
        .hash_blocks = ms_scalar_hash_blocks,
        .at_least = ms_scalar_at_least,
        .digests = md4_of_many_avx2,
    };

    return rdc_kernel_avx2() ? &kernel : NULL;
#else
    return NULL;
#endif
}

#ifndef __x86_64__
const struct ms_kernel *ms_kernel_avx512(void)
{
    return NULL;
}
#endif

const struct ms_kernel *ms_kernel_best(void)
{
    if (ms_kernel_avx512())
        return ms_kernel_avx512();
    return ms_kernel_avx2() ? ms_kernel_avx2() : ms_kernel_scalar();
}
