/* SPDX-License-Identifier: Apache-2.0 */
#include "common/rdc/match.h"

#include "common/base/mem.h"
#include "common/rdc/index.h"

#include <stdlib.h>

void rdc_moves_fini(struct rdc_moves *moves)
{
    free(moves->items);
    *moves = (struct rdc_moves){0};
}

static void add(struct rdc_moves *moves, struct rdc_move move)
{
    if (moves->count == moves->capacity) {
        moves->capacity = moves->capacity + moves->capacity / 2 + 64;
        moves->items = mem_resize(moves->items, moves->capacity, sizeof(*moves->items));
    }
    moves->items[moves->count++] = move;
}

void rdc_moves_add_literal(struct rdc_moves *moves, uint32_t chunk_count)
{
    struct rdc_move *last = moves->count > 0 ? &moves->items[moves->count - 1] : NULL;

    if (chunk_count == 0)
        return;
    if (last && last->base_first == RDC_LITERAL)
        last->chunk_count += chunk_count;
    else
        add(moves, (struct rdc_move){.chunk_count = chunk_count, .base_first = RDC_LITERAL});
}

void rdc_moves_add_copy(struct rdc_moves *moves, uint32_t chunk_count, uint32_t base_first)
{
    struct rdc_move *last = moves->count > 0 ? &moves->items[moves->count - 1] : NULL;

    if (chunk_count == 0)
        return;
    if (last && last->base_first != RDC_LITERAL &&
        last->base_first + last->chunk_count == base_first)
        last->chunk_count += chunk_count;
    else
        add(moves, (struct rdc_move){.chunk_count = chunk_count, .base_first = base_first});
}

static bool equal_chunks(const struct rdc_signature *file, uint32_t i,
                         const struct rdc_signature *base, uint32_t k)
{
    return k < base->chunk_count && base->identities[k] == file->identities[i] &&
           base->lengths[k] == file->lengths[i];
}

void rdc_moves_match(struct rdc_moves *moves, const struct rdc_signature *file,
                     const struct rdc_signature *base)
{
    struct rdc_index index;
    uint32_t next = 0;    /* base chunk after the last copy */
    uint32_t skipped = 0; /* literal chunks since */

    rdc_index_init(&index, base->identities, base->chunk_count, UINT64_MAX);
    for (uint32_t i = 0; i < file->chunk_count; i++) {
        uint32_t found = next;

        if (!equal_chunks(file, i, base, next) &&
            (!rdc_index_find(&index, file->identities[i], next + skipped, &found) ||
             !equal_chunks(file, i, base, found))) {
            rdc_moves_add_literal(moves, 1);
            skipped += 1;
            continue;
        }
        rdc_moves_add_copy(moves, 1, found);
        next = found + 1;
        skipped = 0;
    }
    rdc_index_fini(&index);
}

uint64_t rdc_moves_literal_bytes(const struct rdc_moves *moves, const struct rdc_signature *file)
{
    uint64_t bytes = 0;
    uint32_t chunk = 0;

    for (size_t i = 0; i < moves->count; i++) {
        uint32_t end = chunk + moves->items[i].chunk_count;

        if (moves->items[i].base_first == RDC_LITERAL)
            bytes += rdc_signature_offset(file, end) - rdc_signature_offset(file, chunk);
        chunk = end;
    }
    return bytes;
}
