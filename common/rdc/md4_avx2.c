/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Eight messages at a time, one in each 32-bit lane. A lane whose message ends takes the next one,
 * so lanes stay busy while messages are left; then idle lanes hash zeros that nobody looks at.
 * Compiled with -mavx2.
 */
#include "common/rdc/md4.h"

#include "common/rdc/md4_rounds.h"

#include <immintrin.h>

#define LANES 8

struct lane {
    const uint8_t *next; /* block to be hashed next */
    size_t whole;        /* whole blocks left */
    size_t tail_blocks;  /* then these, of tail */
    size_t message;      /* whose digest it is */
    uint8_t tail[2 * MD4_BLOCK_SIZE];
};

typedef uint32_t lane_words[LANES] __attribute__((aligned(32)));

static inline __m256i rotate(__m256i x, int by)
{
    return _mm256_or_si256(_mm256_slli_epi32(x, by), _mm256_srli_epi32(x, 32 - by));
}

/* Eight words of eight lanes: word i of all lanes to out[i]. */
static inline void transpose(const uint8_t *const blocks[LANES], size_t offset, __m256i out[LANES])
{
    __m256i r[LANES];
    __m256i t[LANES];

    for (unsigned i = 0; i < LANES; i++)
        r[i] = _mm256_loadu_si256((const __m256i_u *)(const void *)(blocks[i] + offset));
    for (unsigned i = 0; i < LANES; i += 2) {
        t[i] = _mm256_unpacklo_epi32(r[i], r[i + 1]);
        t[i + 1] = _mm256_unpackhi_epi32(r[i], r[i + 1]);
    }
    for (unsigned i = 0; i < LANES; i += 4) {
        r[i] = _mm256_unpacklo_epi64(t[i], t[i + 2]);
        r[i + 1] = _mm256_unpackhi_epi64(t[i], t[i + 2]);
        r[i + 2] = _mm256_unpacklo_epi64(t[i + 1], t[i + 3]);
        r[i + 3] = _mm256_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    for (unsigned i = 0; i < 4; i++) {
        out[i] = _mm256_permute2x128_si256(r[i], r[i + 4], 0x20);
        out[i + 4] = _mm256_permute2x128_si256(r[i], r[i + 4], 0x31);
    }
}

static inline void add_blocks(__m256i state[4], const uint8_t *const blocks[LANES])
{
    const __m256i round_2 = _mm256_set1_epi32((int)MD4_ROUND_2);
    const __m256i round_3 = _mm256_set1_epi32((int)MD4_ROUND_3);
    __m256i x[16];
    __m256i a = state[0];
    __m256i b = state[1];
    __m256i c = state[2];
    __m256i d = state[3];

    transpose(blocks, 0, x);
    transpose(blocks, MD4_BLOCK_SIZE / 2, x + LANES);
#define ADD(p, q)                _mm256_add_epi32(p, q)
#define AND(p, q)                _mm256_and_si256(p, q)
#define OR(p, q)                 _mm256_or_si256(p, q)
#define XOR(p, q)                _mm256_xor_si256(p, q)
#define STEP_F(a, b, c, d, k, s) a = rotate(ADD(ADD(a, XOR(d, AND(b, XOR(c, d)))), x[k]), s);
#define STEP_G(a, b, c, d, k, s)                                                                   \
    a = rotate(ADD(ADD(a, OR(AND(b, c), AND(d, OR(b, c)))), ADD(x[k], round_2)), s);
#define STEP_H(a, b, c, d, k, s) a = rotate(ADD(ADD(a, XOR(XOR(b, c), d)), ADD(x[k], round_3)), s);
    MD4_STEPS(STEP_F, STEP_G, STEP_H)
    state[0] = ADD(state[0], a);
    state[1] = ADD(state[1], b);
    state[2] = ADD(state[2], c);
    state[3] = ADD(state[3], d);
}

static void lane_begin(struct lane *lane, struct span message, size_t index)
{
    lane->message = index;
    lane->whole = message.size / MD4_BLOCK_SIZE;
    lane->tail_blocks = md4_tail(message, lane->tail);
    lane->next = lane->whole > 0 ? message.data : lane->tail;
}

/* After a block: what is next. False when the message is done. */
static bool lane_advance(struct lane *lane)
{
    if (lane->whole > 0) {
        lane->whole -= 1;
        lane->next = lane->whole > 0 ? lane->next + MD4_BLOCK_SIZE : lane->tail;
        return true;
    }
    lane->tail_blocks -= 1;
    lane->next += MD4_BLOCK_SIZE;
    return lane->tail_blocks > 0;
}

/* Set lane @i of the state to MD4's start. */
static void state_restart(lane_words words[4], unsigned i)
{
    static const uint32_t start[4] = MD4_START;

    for (unsigned w = 0; w < 4; w++)
        words[w][i] = start[w];
}

static size_t blocks_left(const struct lane *lane)
{
    return lane->whole + lane->tail_blocks;
}

void md4_of_many_avx2(const struct span *messages, size_t count, struct md4 *out_digests)
{
    static const uint8_t zeros[MD4_BLOCK_SIZE];
    struct lane lanes[LANES];
    bool busy[LANES] = {false};
    lane_words words[4] = {0};
    size_t next = 0;

    for (unsigned i = 0; i < LANES && next < count; i++, next++) {
        lane_begin(&lanes[i], messages[next], next);
        state_restart(words, i);
        busy[i] = true;
    }
    for (size_t done = 0; done < count;) {
        const uint8_t *blocks[LANES];
        __m256i state[4];
        size_t rounds = SIZE_MAX;

        for (unsigned i = 0; i < LANES; i++)
            rounds = busy[i] && blocks_left(&lanes[i]) < rounds ? blocks_left(&lanes[i]) : rounds;
        for (unsigned w = 0; w < 4; w++)
            state[w] = _mm256_load_si256((const __m256i *)(const void *)words[w]);
        for (size_t round = 0; round < rounds; round++) {
            for (unsigned i = 0; i < LANES; i++)
                blocks[i] = busy[i] ? lanes[i].next : zeros;
            add_blocks(state, blocks);
            for (unsigned i = 0; i < LANES; i++)
                busy[i] = busy[i] && (lane_advance(&lanes[i]) || round + 1 == rounds);
        }
        for (unsigned w = 0; w < 4; w++)
            _mm256_store_si256((__m256i *)(void *)words[w], state[w]);
        for (unsigned i = 0; i < LANES; i++) {
            if (!busy[i] || blocks_left(&lanes[i]) > 0)
                continue;
            for (unsigned w = 0; w < 4; w++)
                memcpy(out_digests[lanes[i].message].bytes + 4 * w, &words[w][i], 4);
            done += 1;
            busy[i] = next < count;
            if (busy[i]) {
                lane_begin(&lanes[i], messages[next], next);
                state_restart(words, i);
                next += 1;
            }
        }
    }
}
