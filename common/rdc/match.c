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

/* Where literals may repeat, and what of. */
struct repeats {
    const struct rdc_signature *file;
    struct literal_chunks literals;
    struct rdc_index index;
    uint64_t least; /* bytes of a run that counts */
    uint32_t next;  /* the literal after the last run's source */
};

/* How many of @count literals from the @at-th hold what others before hold, one after the other:
 * 0 unless that is long enough. @out_first: the first of those others, a chunk of the file. */
static uint32_t repeat_run(struct repeats *r, uint32_t at, uint32_t count, uint32_t *out_first)
{
    const struct literal_chunks *literals = &r->literals;
    uint32_t found = at;
    uint64_t length = 0;
    uint32_t run = 0;

    rdc_index_find(&r->index, literals->identities[at], r->next < at ? r->next : UINT32_MAX,
                   &found);
    for (; found < at && run < count; run++) {
        uint32_t from = literals->chunks[found + run];
        uint32_t to = literals->chunks[at + run];

        if (from != literals->chunks[found] + run ||
            r->file->identities[from] != r->file->identities[to] ||
            r->file->lengths[from] != r->file->lengths[to])
            break;
        length += r->file->lengths[to];
    }
    if (length < r->least)
        return 0;
    *out_first = literals->chunks[found];
    r->next = found + run;
    return run;
}

/* The literal of @count chunks that begins with the @at-th, as literals and repeats. */
static void fold_literal(struct repeats *r, uint32_t at, uint32_t count, struct rdc_moves *out)
{
    for (uint32_t done = 0; done < count;) {
        struct rdc_move copy = {.repeat = true};

        copy.chunk_count = repeat_run(r, at + done, count - done, &copy.base_first);
        if (copy.chunk_count > 0)
            add_copy(out, copy);
        else
            rdc_moves_add_literal(out, 1);
        done += copy.chunk_count > 0 ? copy.chunk_count : 1;
    }
}

static bool any_repeat(struct repeats *r, const struct rdc_moves *moves)
{
    uint32_t first;
    uint32_t at = 0;

    for (size_t i = 0; i < moves->count; i++) {
        const struct rdc_move *move = &moves->items[i];

        if (move->base_first != RDC_LITERAL)
            continue;
        for (uint32_t k = 0; k < move->chunk_count; k++) {
            if (repeat_run(r, at + k, move->chunk_count - k, &first) > 0)
                return true;
        }
        at += move->chunk_count;
    }
    return false;
}

static void fold(struct repeats *r, struct rdc_moves *moves)
{
    struct rdc_moves folded = {0};
    uint32_t at = 0;

    r->next = 0;
    for (size_t i = 0; i < moves->count; i++) {
        const struct rdc_move *move = &moves->items[i];

        if (move->base_first != RDC_LITERAL) {
            add_copy(&folded, *move);
            continue;
        }
        fold_literal(r, at, move->chunk_count, &folded);
        at += move->chunk_count;
    }
    rdc_moves_fini(moves);
    *moves = folded;
}

void rdc_moves_fold_repeats(struct rdc_moves *moves, const struct rdc_signature *file,
                            uint64_t least)
{
    uint64_t count = count_literal_chunks(moves);

    if (count < 2 || count > RDC_REPEAT_CHUNKS_MAX)
        return;
    scope_free uint64_t *identities = mem_new((size_t)count, sizeof(*identities));
    scope_free uint32_t *chunks = mem_new((size_t)count, sizeof(*chunks));
    struct repeats r = {
        .file = file,
        .literals = {.identities = identities, .chunks = chunks},
        .least = least,
    };
    list_literal_chunks(moves, file, &r.literals);
    rdc_index_init(&r.index, identities, r.literals.count, UINT64_MAX);
    if (any_repeat(&r, moves))
        fold(&r, moves);
    rdc_index_fini(&r.index);
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
