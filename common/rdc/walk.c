/* SPDX-License-Identifier: Apache-2.0 */
#include "common/rdc/walk.h"

#include "common/base/mem.h"
#include "common/rdc/frame.h"

#include <assert.h>
#include <stdlib.h>

#define SAME_MIN 4u /* equal hashes in a row that travel as one */

static void runs_add(struct rdc_runs *runs, uint32_t first, uint32_t count)
{
    if (runs->count == runs->capacity) {
        runs->capacity = runs->capacity * 2 + 64;
        runs->items = mem_resize(runs->items, runs->capacity, sizeof(*runs->items));
    }
    runs->items[runs->count++] = (struct rdc_run){.first = first, .count = count};
}

void rdc_walk_init(struct rdc_walk *walk, const struct rdc_signature *signature)
{
    *walk = (struct rdc_walk){0};
    rdc_tree_init(&walk->tree, signature);
}

void rdc_walk_fini(struct rdc_walk *walk)
{
    free(walk->sent.items);
    free(walk->wanted.items);
    rdc_tree_fini(&walk->tree);
    *walk = (struct rdc_walk){0};
}

void rdc_walk_begin(struct rdc_walk *walk, unsigned level, unsigned hash_width)
{
    walk->level = level;
    walk->hash_width = hash_width;
    runs_add(&walk->sent, 0, walk->tree.levels[level].count);
}

/* How many of @count entries from the front are the same. */
static uint32_t same_entries(const uint64_t *identities, uint32_t count)
{
    uint32_t same = 1;

    while (same < count && identities[same] == identities[0])
        same += 1;
    return same;
}

/* How many of @count entries from the front travel one by one: up to a stretch of the same. */
static uint32_t single_entries(const uint64_t *identities, uint32_t count)
{
    for (uint32_t i = 0; i + SAME_MIN <= count; i++) {
        if (identities[i] == identities[i + SAME_MIN - 1] &&
            same_entries(identities + i, SAME_MIN) == SAME_MIN)
            return i;
    }
    return count;
}

/* The next piece of a run with @rest entries left; how many it covers, 0: no room. */
static uint32_t write_piece(const struct rdc_walk *walk, struct buf *out,
                            const uint64_t *identities, uint32_t rest)
{
    unsigned width = walk->hash_width;
    size_t room = FRAME_WORK_SIZE > out->size ? (FRAME_WORK_SIZE - out->size) / width : 0;
    uint32_t count = same_entries(identities, rest);
    bool same = count >= SAME_MIN;
    size_t written = 1;

    if (room == 0)
        return 0;
    if (!same) {
        count = single_entries(identities, rest < room ? rest : (uint32_t)room);
        written = count;
    }
    write_varint(out, (uint64_t)count * 4 + same * 2u + (count < rest));
    for (size_t i = 0; i < written; i++)
        write_hash(out, identities[i], width);
    return count;
}

static void rewind_sent(struct rdc_walk *walk)
{
    walk->run_at = 0;
    walk->entry_at = 0;
}

bool rdc_walk_write(struct rdc_walk *walk, struct buf *frame)
{
    const uint64_t *identities = walk->tree.levels[walk->level].identities;

    while (walk->run_at < walk->sent.count) {
        const struct rdc_run *run = &walk->sent.items[walk->run_at];
        uint32_t count = write_piece(walk, frame, identities + run->first + walk->entry_at,
                                     run->count - walk->entry_at);

        if (count == 0)
            return false;
        walk->entry_at += count;
        if (walk->entry_at == run->count) {
            walk->run_at += 1;
            walk->entry_at = 0;
        }
    }
    rewind_sent(walk);
    return true;
}

/* Move over @count of the entries sent; false when there are not so many. */
static bool skip_entries(struct rdc_walk *walk, uint64_t count)
{
    while (count > 0) {
        if (walk->run_at == walk->sent.count)
            return false;
        uint32_t rest = walk->sent.items[walk->run_at].count - walk->entry_at;
        if (count < rest) {
            walk->entry_at += (uint32_t)count;
            return true;
        }
        count -= rest;
        walk->run_at += 1;
        walk->entry_at = 0;
    }
    return true;
}

bool rdc_walk_ask(struct rdc_walk *walk, uint64_t skip, uint64_t take)
{
    if (!skip_entries(walk, skip) || take == 0 || walk->run_at == walk->sent.count)
        return false;
    const struct rdc_run *run = &walk->sent.items[walk->run_at];
    if (take > run->count - walk->entry_at)
        return false;
    runs_add(&walk->wanted, run->first + walk->entry_at, (uint32_t)take);
    return skip_entries(walk, take);
}

void rdc_walk_descend(struct rdc_walk *walk, unsigned hash_width)
{
    const uint32_t *first = walk->tree.levels[walk->level].first;

    assert(walk->level > 0);
    walk->sent.count = 0;
    for (size_t i = 0; i < walk->wanted.count; i++) {
        const struct rdc_run *run = &walk->wanted.items[i];
        uint32_t begin = first[run->first];

        runs_add(&walk->sent, begin, first[run->first + run->count] - begin);
    }
    walk->wanted.count = 0;
    walk->level -= 1;
    walk->hash_width = hash_width;
    rewind_sent(walk);
}

uint64_t rdc_walk_moves(const struct rdc_walk *walk, struct rdc_moves *moves)
{
    uint64_t count = 0;
    uint32_t at = 0;

    assert(walk->level == 0);
    for (size_t i = 0; i < walk->wanted.count; i++) {
        const struct rdc_run *run = &walk->wanted.items[i];

        count += i == 0 || run->first > at;
        rdc_moves_add_copy(moves, run->first - at, 0);
        rdc_moves_add_literal(moves, run->count);
        at = run->first + run->count;
    }
    rdc_moves_add_copy(moves, walk->tree.levels[0].count - at, 0);
    return count;
}
