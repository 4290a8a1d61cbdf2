/* SPDX-License-Identifier: Apache-2.0 */
#include "common/rdc/similarity.h"

#include "common/base/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void rdc_sketch_init(struct rdc_sketch *sketch)
{
    memset(sketch->least, 0xff, sizeof(sketch->least));
}

void rdc_sketch_add(struct rdc_sketch *sketch, const struct rdc_kernel *kernel,
                    const uint64_t *identities, size_t count)
{
    kernel->sketch(sketch->least, identities, count);
}

void rdc_sketch_merge(struct rdc_sketch *sketch, const struct rdc_sketch *other)
{
    for (unsigned t = 0; t < RDC_TRAIT_COUNT; t++) {
        if (other->least[t] < sketch->least[t])
            sketch->least[t] = other->least[t];
    }
}

/* Spread the least value, whose high bits are nearly always zero, over 16 bits. */
static uint16_t trait_of(uint32_t least)
{
    uint32_t x = least;

    x ^= x >> 16;
    x *= 0x85ebca6bu;
    x ^= x >> 13;
    x *= 0xc2b2ae35u;
    x ^= x >> 16;
    return (uint16_t)x;
}

struct rdc_traits rdc_sketch_traits(const struct rdc_sketch *sketch)
{
    struct rdc_traits traits = {0};
    struct rdc_sketch empty;
    bool any = false;

    rdc_sketch_init(&empty);
    if (memcmp(&empty, sketch, sizeof(empty)) == 0)
        return traits;
    for (unsigned t = 0; t < RDC_TRAIT_COUNT; t++) {
        traits.values[t] = trait_of(sketch->least[t]);
        any |= traits.values[t] != 0;
    }
    if (!any)
        traits.values[0] = 1;
    return traits;
}

unsigned rdc_traits_matches(const struct rdc_traits *a, const struct rdc_traits *b)
{
    static const struct rdc_traits none = {0};
    unsigned matches = 0;

    if (memcmp(a, &none, sizeof(none)) == 0 || memcmp(b, &none, sizeof(none)) == 0)
        return 0;
    for (unsigned t = 0; t < RDC_TRAIT_COUNT; t++)
        matches += a->values[t] == b->values[t];
    return matches;
}

/*
 * Sixteen planes, one a trait, each an array over all files: a query runs along them in step, and
 * the kernel counts equal traits of a block of files at once.
 */
struct rdc_similarity {
    uint16_t *planes[RDC_TRAIT_COUNT];
    uint64_t *files; /* HOLE where one was removed */
    size_t count;    /* with holes */
    size_t holes;
    size_t capacity; /* a multiple of RDC_MATCH_FILES */
};

#define HOLE           UINT64_MAX
#define HOLES_PART     4 /* closed at one in so many */
#define CAPACITY_FIRST 1024u

struct rdc_similarity *rdc_similarity_new(void)
{
    return MEM_NEW(struct rdc_similarity);
}

void rdc_similarity_free(struct rdc_similarity *x)
{
    if (!x)
        return;
    for (unsigned t = 0; t < RDC_TRAIT_COUNT; t++)
        free(x->planes[t]);
    free(x->files);
    free(x);
}

size_t rdc_similarity_count(const struct rdc_similarity *x)
{
    return x->count - x->holes;
}

static void grow(struct rdc_similarity *x)
{
    size_t capacity = x->capacity ? x->capacity * 2 : CAPACITY_FIRST;

    for (unsigned t = 0; t < RDC_TRAIT_COUNT; t++) {
        x->planes[t] = mem_resize(x->planes[t], capacity, sizeof(*x->planes[t]));
        memset(x->planes[t] + x->capacity, 0, (capacity - x->capacity) * sizeof(*x->planes[t]));
    }
    x->files = mem_resize(x->files, capacity, sizeof(*x->files));
    x->capacity = capacity;
}

void rdc_similarity_put(struct rdc_similarity *x, uint64_t file, const struct rdc_traits *traits)
{
    static const struct rdc_traits none = {0};

    assert(file != HOLE);
    if (memcmp(traits, &none, sizeof(none)) == 0)
        return;
    if (x->count == x->capacity)
        grow(x);
    for (unsigned t = 0; t < RDC_TRAIT_COUNT; t++)
        x->planes[t][x->count] = traits->values[t];
    x->files[x->count++] = file;
}

static void close_holes(struct rdc_similarity *x)
{
    size_t kept = 0;

    for (size_t i = 0; i < x->count; i++) {
        if (x->files[i] == HOLE)
            continue;
        for (unsigned t = 0; t < RDC_TRAIT_COUNT; t++)
            x->planes[t][kept] = x->planes[t][i];
        x->files[kept++] = x->files[i];
    }
    x->count = kept;
    x->holes = 0;
}

void rdc_similarity_remove(struct rdc_similarity *x, uint64_t file)
{
    for (size_t i = 0; i < x->count; i++) {
        if (x->files[i] == file) {
            x->files[i] = HOLE;
            x->holes += 1;
        }
    }
    if (x->holes * HOLES_PART > x->count)
        close_holes(x);
}

/* Keep the best few, in order. Returns how many there are now. */
static unsigned insert(struct rdc_likeness likenesses[RDC_LIKENESSES_MAX], unsigned count,
                       struct rdc_likeness likeness)
{
    unsigned at = count;

    while (at > 0 && likenesses[at - 1].matches < likeness.matches)
        at -= 1;
    if (at == RDC_LIKENESSES_MAX)
        return count;
    count += count < RDC_LIKENESSES_MAX;
    memmove(likenesses + at + 1, likenesses + at, (count - at - 1) * sizeof(*likenesses));
    likenesses[at] = likeness;
    return count;
}

unsigned rdc_similarity_find(const struct rdc_similarity *x, const struct rdc_traits *traits,
                             struct rdc_likeness out_likenesses[RDC_LIKENESSES_MAX])
{
    static const struct rdc_traits none = {0};
    const struct rdc_kernel *kernel = rdc_kernel_best();
    unsigned found = 0;

    if (memcmp(traits, &none, sizeof(none)) == 0)
        return 0;
    for (size_t block = 0; block < x->count; block += RDC_MATCH_FILES) {
        const uint16_t *planes[RDC_TRAIT_COUNT];
        uint16_t matches[RDC_MATCH_FILES];

        for (unsigned t = 0; t < RDC_TRAIT_COUNT; t++)
            planes[t] = x->planes[t] + block;
        if (!kernel->trait_matches(planes, traits->values, RDC_TRAIT_MATCHES_MIN, matches))
            continue;
        for (size_t i = 0; i < RDC_MATCH_FILES && block + i < x->count; i++) {
            if (matches[i] >= RDC_TRAIT_MATCHES_MIN && x->files[block + i] != HOLE)
                found = insert(out_likenesses, found,
                               (struct rdc_likeness){x->files[block + i], matches[i]});
        }
    }
    return found;
}
