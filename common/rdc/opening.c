/* SPDX-License-Identifier: Apache-2.0 */
#include "common/rdc/opening.h"

#define CHANGES_MIN     64u         /* changed places that a start level is chosen for */
#define CHANGE_BYTES    (64u << 10) /* … and one more for each of these the size differs by */
#define SAMPLE_SHARE    16u         /* of the chunks, one in so many is sampled */
#define WHOLE_SIZE_MAX  4096u       /* never worth a question */
#define WHOLE_DELAY_MAX (64u << 10) /* nor, on a slow link, up to this */

bool rdc_opening_read(struct rdc_opening *out, struct span body)
{
    struct reader r = reader_of(body);

    *out = (struct rdc_opening){0};
    out->size = reader_varint(&r);
    out->delay_bytes = reader_varint(&r);
    out->key_check = reader_u32(&r);
    uint64_t count = reader_varint(&r);
    if (!reader_ok(&r) || count > RDC_SEED_COUNT_MAX)
        return false;
    out->seed_count = (unsigned)count;
    for (unsigned i = 0; i < out->seed_count; i++) {
        out->seeds[i].size = reader_varint(&r);
        uint8_t flags = reader_u8(&r);
        out->seeds[i].hash_known = flags & 1;
        if (flags > 1)
            return false;
        if (out->seeds[i].hash_known)
            reader_copy(&r, out->seeds[i].id, FRAME_ID_SIZE);
    }
    return rdc_told_read(&out->told, &r, out->seed_count) && reader_finished(&r);
}

void rdc_opening_fini(struct rdc_opening *opening)
{
    rdc_told_fini(&opening->told);
}

void rdc_opening_inflate(struct rdc_opening *opening, uint64_t size)
{
    struct rdc_offer *seed = &opening->seeds[opening->told.seed];
    uint64_t less = seed->size < opening->size ? opening->size - seed->size : 0;
    uint64_t more = seed->size > opening->size ? seed->size - opening->size : 0;

    seed->size = less < size ? size - less + more : 1;
    opening->size = size;
}

bool rdc_opening_is_small(const struct rdc_opening *opening)
{
    uint64_t small = opening->delay_bytes / 4;

    if (small < WHOLE_SIZE_MAX)
        small = WHOLE_SIZE_MAX;
    return opening->size <= (small < WHOLE_DELAY_MAX ? small : WHOLE_DELAY_MAX);
}

unsigned rdc_opening_hash_width(const struct rdc_opening *opening, const struct rdc_tree *tree,
                                unsigned level)
{
    uint64_t count = tree->levels[level].count;
    uint64_t seed_bytes = 0;

    for (unsigned i = 0; i < opening->seed_count; i++)
        seed_bytes += opening->seeds[i].size;
    /* the seeds have about as many entries for their size */
    uint64_t known = (uint64_t)((double)count * (double)seed_bytes / (double)opening->size);
    return frame_hash_width(count, known + 1, opening->size);
}

unsigned rdc_opening_level(const struct rdc_opening *opening, const struct rdc_tree *tree)
{
    uint64_t size = opening->size;
    uint64_t nearest = UINT64_MAX;
    uint64_t best_cost = UINT64_MAX;
    unsigned best = 0;

    for (unsigned i = 0; i < opening->seed_count; i++) {
        uint64_t other = opening->seeds[i].size;
        uint64_t difference = other > size ? other - size : size - other;

        nearest = difference < nearest ? difference : nearest;
    }
    uint64_t changes = CHANGES_MIN + nearest / CHANGE_BYTES;
    for (unsigned level = 0; level <= tree->top; level++) {
        unsigned hash_width = rdc_opening_hash_width(opening, tree, level);
        uint64_t cost = (uint64_t)tree->levels[level].count * hash_width;

        for (unsigned below = 0; below < level; below++) {
            uint64_t parents = tree->levels[below + 1].count;
            uint64_t asked = changes + changes / 2;
            uint64_t children = tree->levels[below].count;

            if (asked < parents)
                children = children * asked / parents;
            cost += children * hash_width + opening->delay_bytes;
        }
        if (cost < best_cost) {
            best_cost = cost;
            best = level;
        }
    }
    return best;
}

uint32_t rdc_opening_sample(const struct rdc_signature *signature)
{
    uint32_t count = signature->chunk_count / SAMPLE_SHARE;

    return count < FRAME_SAMPLE_MAX ? count : FRAME_SAMPLE_MAX;
}
