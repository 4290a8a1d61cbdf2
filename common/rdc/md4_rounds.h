/* SPDX-License-Identifier: Apache-2.0 */
/* common/rdc/md4_rounds.h: MD4's steps and padding, shared by its forms. */
#ifndef COMMON_RDC_MD4_ROUNDS_H
#define COMMON_RDC_MD4_ROUNDS_H

#include "common/base/span.h"

#include <endian.h>

#define MD4_BLOCK_SIZE 64
#define MD4_ROUND_2    0x5a827999u
#define MD4_ROUND_3    0x6ed9eba1u
#define MD4_START                                                                                  \
    {                                                                                              \
        0x67452301u, 0xefcdab89u, 0x98badcfeu, 0x10325476u                                         \
    }

/* The 48 steps of RFC 1320: f, g, h (registers, word of the block, rotation). */
#define MD4_STEPS(f, g, h)                                                                         \
    f(a, b, c, d, 0, 3) f(d, a, b, c, 1, 7) f(c, d, a, b, 2, 11) f(b, c, d, a, 3, 19)              \
        f(a, b, c, d, 4, 3) f(d, a, b, c, 5, 7) f(c, d, a, b, 6, 11) f(b, c, d, a, 7, 19) f(       \
            a, b, c, d, 8, 3) f(d, a, b, c, 9, 7) f(c, d, a, b, 10, 11) f(b, c, d, a, 11, 19)      \
            f(a, b, c, d, 12, 3) f(d, a, b, c, 13, 7) f(c, d, a, b, 14, 11) f(b, c, d, a, 15, 19)  \
                g(a, b, c, d, 0, 3) g(d, a, b, c, 4, 5) g(c, d, a, b, 8, 9) g(b, c, d, a, 12, 13)  \
                    g(a, b, c, d, 1, 3) g(d, a, b, c, 5, 5) g(c, d, a, b, 9, 9)                    \
                        g(b, c, d, a, 13, 13) g(a, b, c, d, 2, 3) g(d, a, b, c, 6, 5)              \
                            g(c, d, a, b, 10, 9) g(b, c, d, a, 14, 13) g(a, b, c, d, 3, 3)         \
                                g(d, a, b, c, 7, 5) g(c, d, a, b, 11, 9) g(b, c, d, a, 15, 13)     \
                                    h(a, b, c, d, 0, 3) h(d, a, b, c, 8, 9) h(c, d, a, b, 4, 11)   \
                                        h(b, c, d, a, 12, 15) h(a, b, c, d, 2, 3)                  \
                                            h(d, a, b, c, 10, 9) h(c, d, a, b, 6, 11)              \
                                                h(b, c, d, a, 14, 15) h(a, b, c, d, 1, 3)          \
                                                    h(d, a, b, c, 9, 9) h(c, d, a, b, 5, 11)       \
                                                        h(b, c, d, a, 13, 15) h(a, b, c, d, 3, 3)  \
                                                            h(d, a, b, c, 11, 9)                   \
                                                                h(c, d, a, b, 7, 11)               \
                                                                    h(b, c, d, a, 15, 15)

/* What follows the whole blocks of @message: 1 or 2 blocks. Returns how many. */
static inline size_t md4_tail(struct span message, uint8_t tail[2 * MD4_BLOCK_SIZE])
{
    size_t rest = message.size % MD4_BLOCK_SIZE;
    size_t size = rest < MD4_BLOCK_SIZE - 8 ? MD4_BLOCK_SIZE : 2 * MD4_BLOCK_SIZE;
    uint64_t bits = htole64((uint64_t)message.size * 8);

    memset(tail, 0, size);
    if (rest > 0)
        memcpy(tail, message.data + message.size - rest, rest);
    tail[rest] = 0x80;
    memcpy(tail + size - sizeof(bits), &bits, sizeof(bits));
    return size / MD4_BLOCK_SIZE;
}

#endif
