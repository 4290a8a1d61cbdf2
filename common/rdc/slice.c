/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cuts by content do not depend on where reading began, forced cuts only on the cut by content
 * before them. So a slice ignores what comes before its first cut by content, goes on to the first
 * one behind its range, and there the next slice's first cut is the same position.
 */
#include "common/rdc/signature.h"

#include "common/base/limits.h"
#include "common/base/mem.h"

#include <assert.h>
#include <stdlib.h>

#define CAPACITY_FIRST 1024u

struct rdc_slice {
    uint64_t begin; /* of its first chunk; equal to end: empty */
    uint64_t end;
    uint32_t count;
    uint32_t capacity;
    uint16_t *lengths;
    uint64_t *identities;
    struct rdc_sketch sketch;
};

static uint32_t horizon_of(const struct rdc_content *content,
                           const struct rdc_signature_options *options)
{
    return options->horizon ? options->horizon : rdc_horizon_for(content->size);
}

static void reserve(struct rdc_slice *slice, uint64_t count)
{
    slice->capacity = count < RDC_CHUNK_COUNT_MAX ? (uint32_t)count : RDC_CHUNK_COUNT_MAX;
    slice->lengths = mem_resize(slice->lengths, slice->capacity, sizeof(*slice->lengths));
    slice->identities = mem_resize(slice->identities, slice->capacity, sizeof(*slice->identities));
}

static bool add_chunk(struct rdc_slice *slice, size_t length, uint64_t identity)
{
    if (slice->count == RDC_CHUNK_COUNT_MAX)
        return false;
    if (slice->count == slice->capacity)
        reserve(slice, (uint64_t)slice->capacity + slice->capacity / 8 + CAPACITY_FIRST);
    slice->lengths[slice->count] = (uint16_t)length;
    slice->identities[slice->count++] = identity;
    slice->end += length;
    return true;
}

void rdc_slice_free(struct rdc_slice *slice)
{
    if (!slice)
        return;
    free(slice->lengths);
    free(slice->identities);
    free(slice);
}

/* What a slice is made with. */
struct slicing {
    const struct rdc_content *content;
    const struct rdc_kernel *kernel;
    struct rdc_secret secret;
    struct rdc_cutter *cutter;
    uint64_t from;
    uint64_t to;
    uint64_t at; /* where the chunk under way begins */
    bool owning; /* chunks from here on are the slice's */
    bool done;
};

/* Take the chunks that are whole. */
static enum status take_chunks(struct slicing *s, struct rdc_slice *slice)
{
    uint32_t before = slice->count;
    struct span chunk;

    while (!s->done && rdc_cutter_next(s->cutter, &chunk)) {
        bool by_content = rdc_cutter_at_maximum(s->cutter);

        s->at += chunk.size;
        if (s->owning &&
            !add_chunk(slice, chunk.size, s->kernel->identity(chunk.data, chunk.size, &s->secret)))
            return ST_FULL;
        if (!s->owning && by_content && s->at >= s->from && s->at < s->to) {
            s->owning = true;
            slice->begin = s->at;
            slice->end = s->at;
        }
        s->done = s->at >= s->to && (by_content || !s->owning);
    }
    rdc_sketch_add(&slice->sketch, s->kernel, slice->identities + before, slice->count - before);
    return ST_OK;
}

static enum status read_chunks(struct slicing *s, const struct rdc_signature_options *options,
                               struct rdc_slice *slice)
{
    enum status st = ST_OK;

    for (uint64_t done = s->at; st == ST_OK && !s->done;) {
        size_t room;
        uint8_t *place = rdc_cutter_room(s->cutter, &room);
        uint64_t rest = s->content->size - done;
        size_t size = rest < room ? (size_t)rest : room;

        st = rdc_content_read(s->content, done, place, size);
        if (st != ST_OK)
            return st;
        done += size;
        rdc_cutter_filled(s->cutter, size, done == s->content->size);
        st = take_chunks(s, slice);
        s->done = s->done || done == s->content->size;
        if (options->progress)
            options->progress(done, options->arg);
    }
    return st;
}

enum status rdc_slice_of(const struct rdc_content *content,
                         const struct rdc_signature_options *options, uint64_t from, uint64_t to,
                         struct rdc_slice **out_slice)
{
    assert(from <= to && to <= content->size);
    uint32_t horizon = horizon_of(content, options);
    uint64_t lead = horizon + RDC_BLOCK_SIZE;
    uint64_t start = from > lead ? (from - lead) / RDC_BLOCK_SIZE * RDC_BLOCK_SIZE : 0;
    struct rdc_slice *slice = MEM_NEW(struct rdc_slice);
    struct slicing s = {
        .content = content,
        .kernel = options->kernel ? options->kernel : rdc_kernel_best(),
        .from = from,
        .to = to,
        .at = start,
        .owning = from == 0,
    };

    rdc_secret_init(&s.secret, options->key.seed);
    rdc_sketch_init(&slice->sketch);
    reserve(slice, (to - from) / horizon / 2 + (to - from) / horizon / 32 + CAPACITY_FIRST);
    s.cutter = rdc_cutter_new(horizon, start, s.kernel);
    enum status st = read_chunks(&s, options, slice);
    rdc_cutter_free(s.cutter);
    if (st != ST_OK) {
        rdc_slice_free(slice);
        return st;
    }
    *out_slice = slice;
    return ST_OK;
}

/* Copy the slices' chunks to @s; false when they do not meet. */
static bool append_slices(struct rdc_signature *s, struct rdc_slice *const *slices, size_t count)
{
    uint32_t at = 0;

    for (size_t i = 0; i < count; i++) {
        const struct rdc_slice *slice = slices[i];

        if (slice->count == 0)
            continue;
        if (slice->begin != s->size)
            return false;
        memcpy(s->lengths + at, slice->lengths, slice->count * sizeof(*s->lengths));
        memcpy(s->identities + at, slice->identities, slice->count * sizeof(*s->identities));
        at += slice->count;
        s->size = slice->end;
    }
    return true;
}

/* The only slice's arrays become the signature's. */
static void take_slice(struct rdc_signature *s, struct rdc_slice *slice)
{
    s->lengths = slice->lengths;
    s->identities = slice->identities;
    s->size = slice->end;
    slice->lengths = NULL;
    slice->identities = NULL;
}

enum status rdc_slice_join(struct rdc_slice *const *slices, size_t count,
                           const struct rdc_content *content,
                           const struct rdc_signature_options *options,
                           struct rdc_signature **out_signature)
{
    struct rdc_signature *s = MEM_NEW(struct rdc_signature);
    struct rdc_sketch sketch;
    uint64_t chunk_count = 0;
    bool met = true;

    rdc_sketch_init(&sketch);
    for (size_t i = 0; i < count; i++) {
        chunk_count += slices[i]->count;
        rdc_sketch_merge(&sketch, &slices[i]->sketch);
    }
    s->horizon = horizon_of(content, options);
    s->key_check = rdc_key_check(options->key);
    s->traits = rdc_sketch_traits(&sketch);
    if (chunk_count <= RDC_CHUNK_COUNT_MAX)
        s->chunk_count = (uint32_t)chunk_count;
    if (count == 1) {
        take_slice(s, slices[0]);
    } else if (chunk_count <= RDC_CHUNK_COUNT_MAX) {
        s->lengths = mem_new(s->chunk_count, sizeof(*s->lengths));
        s->identities = mem_new(s->chunk_count, sizeof(*s->identities));
        met = append_slices(s, slices, count);
    }
    for (size_t i = 0; i < count; i++)
        rdc_slice_free(slices[i]);
    if (!met || s->size != content->size || chunk_count > RDC_CHUNK_COUNT_MAX) {
        rdc_signature_free(s);
        return chunk_count > RDC_CHUNK_COUNT_MAX ? ST_FULL : ST_BADDATA;
    }
    rdc_signature_set_marks(s);
    *out_signature = s;
    return ST_OK;
}

enum status rdc_signature_of(const struct rdc_content *content,
                             const struct rdc_signature_options *options,
                             struct rdc_signature **out_signature)
{
    struct rdc_slice *slice;
    enum status st = rdc_slice_of(content, options, 0, content->size, &slice);

    return st == ST_OK ? rdc_slice_join(&slice, 1, content, options, out_signature) : st;
}
