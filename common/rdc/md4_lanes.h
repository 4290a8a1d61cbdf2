/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/rdc/md4_lanes.h: many messages through the lanes of a vector; shared by the forms of
 * md4_of_many(). A lane whose message ends takes the next one, so lanes stay busy while messages
 * are left; an idle lane hashes what another does, and nobody looks at it.
 */
#ifndef COMMON_RDC_MD4_LANES_H
#define COMMON_RDC_MD4_LANES_H

#include "common/rdc/md4.h"
#include "common/rdc/md4_rounds.h"

#include <stdbool.h>

#define MD4_LANES_MAX 16

struct md4_lane {
    const uint8_t *next; /* block to be hashed next */
    size_t whole;        /* whole blocks left */
    size_t tail_blocks;  /* then these, of tail */
    size_t message;      /* whose digest it is */
    bool busy;
    uint8_t tail[2 * MD4_BLOCK_SIZE];
};

struct md4_lanes {
    /* word w of lane i's state at [w * lanes + i] */
    uint32_t words[4 * MD4_LANES_MAX] __attribute__((aligned(64)));
    struct md4_lane lanes[MD4_LANES_MAX];
};

/* Hash @rounds blocks of every lane, one after the other from next[lane] on. */
typedef void (*md4_run)(uint32_t *words, const uint8_t *const *next, size_t rounds);

static inline void md4_lane_begin(struct md4_lanes *x, unsigned count, unsigned i,
                                  struct span message, size_t index)
{
    static const uint32_t start[4] = MD4_START;
    struct md4_lane *lane = &x->lanes[i];

    lane->message = index;
    lane->whole = message.size / MD4_BLOCK_SIZE;
    lane->tail_blocks = md4_tail(message, lane->tail);
    lane->next = lane->whole > 0 ? message.data : lane->tail;
    lane->busy = true;
    for (unsigned w = 0; w < 4; w++)
        x->words[w * count + i] = start[w];
}

/* How many blocks stand at lane->next in a row. */
static inline size_t md4_lane_run(const struct md4_lane *lane)
{
    return lane->whole > 0 ? lane->whole : lane->tail_blocks;
}

/* After @rounds blocks. False when the message is done. */
static inline bool md4_lane_advance(struct md4_lane *lane, size_t rounds)
{
    lane->next += rounds * MD4_BLOCK_SIZE;
    if (lane->whole == 0) {
        lane->tail_blocks -= rounds;
        return lane->tail_blocks > 0;
    }
    lane->whole -= rounds;
    if (lane->whole == 0)
        lane->next = lane->tail;
    return true;
}

static inline void md4_lane_end(const struct md4_lanes *x, unsigned count, unsigned i,
                                struct md4 *out_digests)
{
    for (unsigned w = 0; w < 4; w++)
        memcpy(out_digests[x->lanes[i].message].bytes + 4 * w, &x->words[w * count + i], 4);
}

/* Inlined, so that @count is a constant and @run no call. */
static inline __attribute__((always_inline)) void md4_through_lanes(unsigned count, md4_run run,
                                                                    const struct span *messages,
                                                                    size_t message_count,
                                                                    struct md4 *out_digests)
{
    struct md4_lanes x = {0};
    size_t begun = 0;

    for (unsigned i = 0; i < count && begun < message_count; i++, begun++)
        md4_lane_begin(&x, count, i, messages[begun], begun);
    for (size_t done = 0; done < message_count;) {
        const uint8_t *next[MD4_LANES_MAX];
        const uint8_t *some = NULL;
        size_t rounds = SIZE_MAX;

        for (unsigned i = 0; i < count; i++) {
            if (!x.lanes[i].busy)
                continue;
            size_t length = md4_lane_run(&x.lanes[i]);
            rounds = length < rounds ? length : rounds;
            some = x.lanes[i].next;
        }
        for (unsigned i = 0; i < count; i++)
            next[i] = x.lanes[i].busy ? x.lanes[i].next : some;
        run(x.words, next, rounds);
        for (unsigned i = 0; i < count; i++) {
            if (!x.lanes[i].busy || md4_lane_advance(&x.lanes[i], rounds))
                continue;
            md4_lane_end(&x, count, i, out_digests);
            x.lanes[i].busy = false;
            done += 1;
            if (begun < message_count) {
                md4_lane_begin(&x, count, i, messages[begun], begun);
                begun += 1;
            }
        }
    }
}

#endif
