/* SPDX-License-Identifier: Apache-2.0 */
#include "common/rdc/ms_hash.h"

#include "common/base/cursor.h"
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
                                                              uint32_t *hashes, uint32_t *maxima,
                                                              int shift)
{
    const uint8_t *leaving = bytes - h->window;
    uint32_t hash = h->last;

    for (size_t i = 0; i < count;) {
        size_t end = count - i < MS_BLOCK_SIZE ? count : i + MS_BLOCK_SIZE;
        uint32_t greatest = 0;

        for (; i < end; i++) {
            hash = rotate(hash ^ (h->table[leaving[i]] ^ h->table[bytes[i]]), shift);
            hashes[i] = hash;
            greatest = hash > greatest ? hash : greatest;
        }
        *maxima++ = greatest;
    }
    h->last = hash;
}

void ms_hash_next_scalar(struct ms_hash *h, const uint8_t *bytes, size_t count, uint32_t *hashes,
                         uint32_t *maxima)
{
    if (h->shift == 2)
        hash_blocks(h, bytes, count, hashes, maxima, 2);
    else if (h->shift == 16)
        hash_blocks(h, bytes, count, hashes, maxima, 16);
    else
        hash_blocks(h, bytes, count, hashes, maxima, h->shift);
}

void ms_hash_next(struct ms_hash *h, const uint8_t *bytes, size_t count, uint32_t *hashes,
                  uint32_t *maxima)
{
    size_t done = 0;

#ifdef __x86_64__
    if (ms_hash_has_avx512()) {
        done = count - count % MS_BLOCK_SIZE;
        ms_hash_next_avx512(h, bytes, done, hashes, maxima);
    }
#endif
    if (done < count)
        ms_hash_next_scalar(h, bytes + done, count - done, hashes + done,
                            maxima + done / MS_BLOCK_SIZE);
}
