/* SPDX-License-Identifier: Apache-2.0 */
#include "common/rdc/match.h"

#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/base/scope.h"
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

static void add_copy(struct rdc_moves *moves, struct rdc_move copy)
{
    struct rdc_move *last = moves->count > 0 ? &moves->items[moves->count - 1] : NULL;

    if (copy.chunk_count == 0)
        return;
    if (last && last->base_first != RDC_LITERAL && last->repeat == copy.repeat &&
        last->base_first + last->chunk_count == copy.base_first)
        last->chunk_count += copy.chunk_count;
    else
        add(moves, copy);
}

void rdc_moves_add_copy(struct rdc_moves *moves, uint32_t chunk_count, uint32_t base_first)
{
    add_copy(moves, (struct rdc_move){.chunk_count = chunk_count, .base_first = base_first});
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

/* The literal chunks of a file, in order. */
struct literal_chunks {
    uint64_t *identities;
    uint32_t *chunks;
    uint32_t count;
};

static uint64_t count_literal_chunks(const struct rdc_moves *moves)
{
    uint64_t count = 0;

    for (size_t i = 0; i < moves->count; i++)
        count += moves->items[i].base_first == RDC_LITERAL ? moves->items[i].chunk_count : 0;
    return count;
}

static void list_literal_chunks(const struct rdc_moves *moves, const struct rdc_signature *file,
                                struct literal_chunks *out)
{
    uint32_t chunk = 0;

    for (size_t i = 0; i < moves->count; i++) {
        const struct rdc_move *move = &moves->items[i];

        for (uint32_t k = 0; move->base_first == RDC_LITERAL && k < move->chunk_count; k++) {
            out->identities[out->count] = file->identities[chunk + k];
            out->chunks[out->count++] = chunk + k;
        }
        chunk += move->chunk_count;
    }
}

/* @moves without repeats to @out with them. */
static void fold(const struct rdc_moves *moves, const struct rdc_signature *file,
                 const struct literal_chunks *literals, const struct rdc_index *index,
                 struct rdc_moves *out)
{
    uint32_t next = 0; /* the literal after the one that was found last */
    uint32_t at = 0;

    for (size_t i = 0; i < moves->count; i++) {
        const struct rdc_move *move = &moves->items[i];

        if (move->base_first != RDC_LITERAL) {
            add_copy(out, *move);
            continue;
        }
        for (uint32_t k = 0; k < move->chunk_count; k++, at++) {
            uint32_t chunk = literals->chunks[at];
            uint32_t found = at;

            rdc_index_find(index, literals->identities[at], next < at ? next : UINT32_MAX, &found);
            if (found >= at || file->lengths[literals->chunks[found]] != file->lengths[chunk]) {
                rdc_moves_add_literal(out, 1);
                continue;
            }
            add_copy(out, (struct rdc_move){.chunk_count = 1,
                                            .base_first = literals->chunks[found],
                                            .repeat = true});
            next = found + 1;
        }
    }
}

/* @moves to @out, with what is repeated of less than @least bytes as literals again. */
static void keep_long_repeats(const struct rdc_moves *moves, const struct rdc_signature *file,
                              uint64_t least, struct rdc_moves *out)
{
    uint32_t chunk = 0;

    for (size_t i = 0; i < moves->count; i++) {
        const struct rdc_move *move = &moves->items[i];
        uint64_t length = 0;

        for (uint32_t k = 0; move->repeat && k < move->chunk_count && length < least; k++)
            length += file->lengths[chunk + k];
        if (move->base_first == RDC_LITERAL || (move->repeat && length < least))
            rdc_moves_add_literal(out, move->chunk_count);
        else
            add_copy(out, *move);
        chunk += move->chunk_count;
    }
}

void rdc_moves_fold_repeats(struct rdc_moves *moves, const struct rdc_signature *file,
                            uint64_t least)
{
    uint64_t count = count_literal_chunks(moves);
    struct rdc_moves folded = {0};
    struct rdc_index index;

    if (count < 2 || count > RDC_REPEAT_CHUNKS_MAX)
        return;
    scope_free uint64_t *identities = mem_new((size_t)count, sizeof(*identities));
    scope_free uint32_t *chunks = mem_new((size_t)count, sizeof(*chunks));
    struct literal_chunks literals = {.identities = identities, .chunks = chunks};
    list_literal_chunks(moves, file, &literals);
    rdc_index_init(&index, identities, literals.count, UINT64_MAX);
    fold(moves, file, &literals, &index, &folded);
    rdc_index_fini(&index);
    moves->count = 0;
    keep_long_repeats(&folded, file, least, moves);
    rdc_moves_fini(&folded);
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
