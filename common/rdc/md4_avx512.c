/* SPDX-License-Identifier: Apache-2.0 */
/* Sixteen messages at a time, one in each 32-bit lane. Compiled with -mavx512f. */
#include "common/rdc/md4_lanes.h"

#include <immintrin.h>

#define LANES 16

/* Word i of all lanes to out[i]. */
static inline void transpose(const uint8_t *const *blocks, __m512i out[LANES])
{
    __m512i r[LANES];
    __m512i t[LANES];

    for (unsigned i = 0; i < LANES; i++)
        r[i] = _mm512_loadu_si512(blocks[i]);
    for (unsigned i = 0; i < LANES; i += 2) {
        t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
    }
    for (unsigned i = 0; i < LANES; i += 4) {
        r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
        r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
        r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
        r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    /* r[4*g + k]: words k, k+4, k+8, k+12 of lanes 4g … 4g+3, a quarter each */
    for (unsigned k = 0; k < 4; k++) {
        __m512i a = _mm512_shuffle_i32x4(r[k], r[k + 4], 0x44);
        __m512i b = _mm512_shuffle_i32x4(r[k], r[k + 4], 0xee);
        __m512i c = _mm512_shuffle_i32x4(r[k + 8], r[k + 12], 0x44);
        __m512i d = _mm512_shuffle_i32x4(r[k + 8], r[k + 12], 0xee);

        out[k] = _mm512_shuffle_i32x4(a, c, 0x88);
        out[k + 4] = _mm512_shuffle_i32x4(a, c, 0xdd);
        out[k + 8] = _mm512_shuffle_i32x4(b, d, 0x88);
        out[k + 12] = _mm512_shuffle_i32x4(b, d, 0xdd);
    }
}

#define CHOOSE   0xca /* b & c | ~b & d, as vpternlogd's table */
#define MAJORITY 0xe8
#define PARITY   0x96

static void run(uint32_t *words, const uint8_t *const *next, size_t rounds)
{
    const __m512i round_2 = _mm512_set1_epi32((int)MD4_ROUND_2);
    const __m512i round_3 = _mm512_set1_epi32((int)MD4_ROUND_3);
    const uint8_t *blocks[LANES];
    __m512i state[4];
    __m512i x[LANES];

    for (unsigned w = 0; w < 4; w++)
        state[w] = _mm512_load_si512(words + LANES * w);
    for (unsigned i = 0; i < LANES; i++)
        blocks[i] = next[i];
    for (size_t round = 0; round < rounds; round++) {
        __m512i a = state[0];
        __m512i b = state[1];
        __m512i c = state[2];
        __m512i d = state[3];

        transpose(blocks, x);
        for (unsigned i = 0; i < LANES; i++)
            blocks[i] += MD4_BLOCK_SIZE;
#define ADD(p, q) _mm512_add_epi32(p, q)
#define STEP(a, b, c, d, word, s, table)                                                           \
    a = _mm512_rol_epi32(ADD(ADD(a, word), _mm512_ternarylogic_epi32(b, c, d, table)), s);
#define STEP_F(a, b, c, d, k, s) STEP(a, b, c, d, x[k], s, CHOOSE)
#define STEP_G(a, b, c, d, k, s) STEP(a, b, c, d, ADD(x[k], round_2), s, MAJORITY)
#define STEP_H(a, b, c, d, k, s) STEP(a, b, c, d, ADD(x[k], round_3), s, PARITY)
        MD4_STEPS(STEP_F, STEP_G, STEP_H)
        state[0] = ADD(state[0], a);
        state[1] = ADD(state[1], b);
        state[2] = ADD(state[2], c);
        state[3] = ADD(state[3], d);
    }
    for (unsigned w = 0; w < 4; w++)
        _mm512_store_si512(words + LANES * w, state[w]);
}

void md4_of_many_avx512(const struct span *messages, size_t count, struct md4 *out_digests)
{
    md4_through_lanes(LANES, run, messages, count, out_digests);
}
