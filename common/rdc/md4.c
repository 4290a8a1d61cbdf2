/* SPDX-License-Identifier: Apache-2.0 */
#include "common/rdc/md4.h"

#include "common/rdc/md4_rounds.h"

#include <endian.h>

static inline uint32_t rotate(uint32_t x, int by)
{
    return x << by | x >> (32 - by);
}

static void add_block(uint32_t state[4], const uint8_t *block)
{
    uint32_t x[16];
    uint32_t a = state[0];
    uint32_t b = state[1];
    uint32_t c = state[2];
    uint32_t d = state[3];

    memcpy(x, block, sizeof(x));
    for (unsigned i = 0; i < 16; i++)
        x[i] = le32toh(x[i]);
#define STEP_F(a, b, c, d, k, s) a = rotate(a + ((b & c) | (~b & d)) + x[k], s);
#define STEP_G(a, b, c, d, k, s)                                                                   \
    a = rotate(a + ((b & c) | (b & d) | (c & d)) + x[k] + MD4_ROUND_2, s);
#define STEP_H(a, b, c, d, k, s) a = rotate(a + (b ^ c ^ d) + x[k] + MD4_ROUND_3, s);
    MD4_STEPS(STEP_F, STEP_G, STEP_H)
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
}

struct md4 md4_of(struct span message)
{
    uint32_t state[4] = MD4_START;
    uint8_t tail[2 * MD4_BLOCK_SIZE];
    struct md4 digest;
    size_t whole = message.size / MD4_BLOCK_SIZE;
    size_t tail_blocks = md4_tail(message, tail);

    for (size_t i = 0; i < whole; i++)
        add_block(state, message.data + i * MD4_BLOCK_SIZE);
    for (size_t i = 0; i < tail_blocks; i++)
        add_block(state, tail + i * MD4_BLOCK_SIZE);
    for (unsigned i = 0; i < 4; i++)
        state[i] = htole32(state[i]);
    memcpy(digest.bytes, state, sizeof(digest.bytes));
    return digest;
}

void md4_of_many(const struct span *messages, size_t count, struct md4 *out_digests)
{
    for (size_t i = 0; i < count; i++)
        out_digests[i] = md4_of(messages[i]);
}
