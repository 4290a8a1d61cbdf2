/* SPDX-License-Identifier: Apache-2.0 */
#include "common/rdc/md4.h"

#include "common/rdc/md4_lanes.h"
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

/*
 * Four messages at a time, in whatever 128-bit vectors the processor has: MD4's steps wait for each
 * other, so that one message leaves most of it idle.
 */
typedef uint32_t words __attribute__((vector_size(16)));

#define LANES 4

static inline words load_words(const uint8_t *data)
{
    words value;

    memcpy(&value, data, sizeof(value));
    for (unsigned i = 0; i < LANES; i++)
        value[i] = le32toh(value[i]);
    return value;
}

/* Word i of all lanes to out[i]. */
static inline void transpose(const uint8_t *const *blocks, words out[16])
{
    for (unsigned k = 0; k < 16; k += 4) {
        words r0 = load_words(blocks[0] + k * sizeof(uint32_t));
        words r1 = load_words(blocks[1] + k * sizeof(uint32_t));
        words r2 = load_words(blocks[2] + k * sizeof(uint32_t));
        words r3 = load_words(blocks[3] + k * sizeof(uint32_t));
        words low_01 = __builtin_shufflevector(r0, r1, 0, 4, 1, 5);
        words high_01 = __builtin_shufflevector(r0, r1, 2, 6, 3, 7);
        words low_23 = __builtin_shufflevector(r2, r3, 0, 4, 1, 5);
        words high_23 = __builtin_shufflevector(r2, r3, 2, 6, 3, 7);

        out[k] = __builtin_shufflevector(low_01, low_23, 0, 1, 4, 5);
        out[k + 1] = __builtin_shufflevector(low_01, low_23, 2, 3, 6, 7);
        out[k + 2] = __builtin_shufflevector(high_01, high_23, 0, 1, 4, 5);
        out[k + 3] = __builtin_shufflevector(high_01, high_23, 2, 3, 6, 7);
    }
}

static void run(uint32_t *state_words, const uint8_t *const *next, size_t rounds)
{
    const uint8_t *blocks[LANES] = {next[0], next[1], next[2], next[3]};
    words state[4];
    words x[16];

    memcpy(state, state_words, sizeof(state));
    for (size_t round = 0; round < rounds; round++) {
        words a = state[0];
        words b = state[1];
        words c = state[2];
        words d = state[3];

        transpose(blocks, x);
        for (unsigned i = 0; i < LANES; i++)
            blocks[i] += MD4_BLOCK_SIZE;
#define ROTATE(x, by) ((x) << (by) | (x) >> (32 - (by)))
#define STEP(a, sum, s)                                                                            \
    a += sum;                                                                                      \
    a = ROTATE(a, s);
#define STEP_4F(a, b, c, d, k, s) STEP(a, x[k] + (d ^ (b & (c ^ d))), s)
#define STEP_4G(a, b, c, d, k, s) STEP(a, x[k] + MD4_ROUND_2 + ((b & c) | (d & (b | c))), s)
#define STEP_4H(a, b, c, d, k, s) STEP(a, x[k] + MD4_ROUND_3 + (b ^ c ^ d), s)
        MD4_STEPS(STEP_4F, STEP_4G, STEP_4H)
        state[0] += a;
        state[1] += b;
        state[2] += c;
        state[3] += d;
    }
    memcpy(state_words, state, sizeof(state));
}

void md4_of_many(const struct span *messages, size_t count, struct md4 *out_digests)
{
    md4_through_lanes(LANES, run, messages, count, out_digests);
}
