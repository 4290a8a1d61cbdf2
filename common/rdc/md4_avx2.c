/* SPDX-License-Identifier: Apache-2.0 */
/* Eight messages at a time, one in each 32-bit lane. Compiled with -mavx2. */
#include "common/rdc/md4_lanes.h"

#include <immintrin.h>

#define LANES 8

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

static void run(uint32_t *words, const uint8_t *const *next, size_t rounds)
{
    const uint8_t *blocks[LANES];
    __m256i state[4];

    for (unsigned w = 0; w < 4; w++)
        state[w] = _mm256_load_si256((const __m256i *)(const void *)(words + LANES * w));
    for (unsigned i = 0; i < LANES; i++)
        blocks[i] = next[i];
    for (size_t round = 0; round < rounds; round++) {
        add_blocks(state, blocks);
        for (unsigned i = 0; i < LANES; i++)
            blocks[i] += MD4_BLOCK_SIZE;
    }
    for (unsigned w = 0; w < 4; w++)
        _mm256_store_si256((__m256i *)(void *)(words + LANES * w), state[w]);
}

void md4_of_many_avx2(const struct span *messages, size_t count, struct md4 *out_digests)
{
    md4_through_lanes(LANES, run, messages, count, out_digests);
}
