/* SPDX-License-Identifier: Apache-2.0 */
/* The chunker against its definition, taken literally. */
#include "common/rdc/signature.h"

#include "common/base/cursor.h"
#include "common/base/mem.h"
#include "common/base/scope.h"
#include "tests/property/rdc/material.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#define TRIALS         12
#define SIZE_MAX_TRIED 700000
#define SLICES_MAX     20
#define BLOCKS         40
#define PEAKS_REACH    16

static const uint32_t HORIZONS[] = {256, 384, 512, 1024, 2048};
#define HORIZON_COUNT (sizeof(HORIZONS) / sizeof(HORIZONS[0]))

/* Where chunks end, ascending. */
struct ends {
    size_t *items;
    size_t count;
};

static void ends_fini(struct ends *ends)
{
    free(ends->items);
}

static void ends_add(struct ends *ends, size_t end)
{
    ends->items = mem_resize(ends->items, ends->count + 1, sizeof(*ends->items));
    ends->items[ends->count++] = end;
}

/* The rule of chunk.h, position by position. */
static struct ends cut_by_definition(struct span data, uint32_t horizon)
{
    size_t hashes = data.size > RDC_WINDOW_SIZE ? data.size - RDC_WINDOW_SIZE : 0;
    scope_free uint32_t *hash = mem_new(hashes, sizeof(*hash));
    struct ends ends = {0};
    size_t start = 0;

    for (size_t i = 0; i < hashes; i++)
        hash[i] = rdc_cut_hash(data.data + i);
    for (size_t i = 1; i < data.size; i++) {
        bool cut = i > horizon && i < hashes;

        for (size_t j = i - (cut ? horizon : 0); j < i && cut; j++)
            cut = hash[i] > hash[j];
        for (size_t j = i + 1; j <= i + horizon && j < hashes && cut; j++)
            cut = hash[i] >= hash[j];
        if (cut || i - start == rdc_chunk_size_max(horizon)) {
            ends_add(&ends, i);
            start = i;
        }
    }
    if (data.size > 0)
        ends_add(&ends, data.size);
    return ends;
}

/* The cutter, filled in portions of random sizes up to @portion_max; 0: as much as it takes. */
static struct ends cut(struct span data, uint32_t horizon, const struct rdc_kernel *kernel,
                       size_t portion_max, struct random_source *random)
{
    struct rdc_cutter *cutter = rdc_cutter_new(horizon, 0, kernel);
    struct ends ends = {0};
    size_t filled = 0;
    size_t end = 0;

    for (bool last = false; !last;) {
        size_t room;
        uint8_t *place = rdc_cutter_room(cutter, &room);
        size_t size = data.size - filled < room ? data.size - filled : room;
        struct span chunk;

        if (portion_max > 0 && size > portion_max)
            size = (size_t)random_below(random, portion_max + 1);
        if (size > 0)
            memcpy(place, data.data + filled, size);
        filled += size;
        last = filled == data.size;
        rdc_cutter_filled(cutter, size, last);
        while (rdc_cutter_next(cutter, &chunk)) {
            assert_memory_equal(chunk.data, data.data + end, chunk.size);
            end += chunk.size;
            ends_add(&ends, end);
        }
    }
    assert_int_equal(end, data.size);
    rdc_cutter_free(cutter);
    return ends;
}

static void assert_same_ends(const struct ends *a, const struct ends *b)
{
    assert_int_equal(a->count, b->count);
    if (a->count > 0)
        assert_memory_equal(a->items, b->items, a->count * sizeof(*a->items));
}

static void cuts_follow_the_definition(void **state)
{
    struct random_source random = random_from(random_seed(__func__));
    (void)state;

    for (unsigned trial = 0; trial < TRIALS; trial++) {
        scope(buf) struct buf data = {0};
        size_t size = (size_t)random_below(&random, trial < 4 ? 3000 : SIZE_MAX_TRIED / 4);
        uint32_t horizon = HORIZONS[trial % HORIZON_COUNT];

        material_append(&data, size, &random);
        scope(ends) struct ends expected = cut_by_definition(buf_span(&data), horizon);
        scope(ends) struct ends scalar =
            cut(buf_span(&data), horizon, rdc_kernel_scalar(), 0, &random);
        scope(ends) struct ends best = cut(buf_span(&data), horizon, rdc_kernel_best(), 0, &random);
        assert_same_ends(&expected, &scalar);
        assert_same_ends(&expected, &best);
    }
}

static void cuts_do_not_depend_on_how_the_stream_is_split(void **state)
{
    static const size_t portions[] = {1, 7, 129, 5000, 200000};
    struct random_source random = random_from(random_seed(__func__));
    (void)state;

    for (unsigned trial = 0; trial < sizeof(portions) / sizeof(portions[0]); trial++) {
        scope(buf) struct buf data = {0};
        uint32_t horizon = HORIZONS[trial % HORIZON_COUNT];

        material_append(&data, portions[trial] < 100 ? 60000 : SIZE_MAX_TRIED, &random);
        scope(ends) struct ends whole =
            cut(buf_span(&data), horizon, rdc_kernel_best(), 0, &random);
        scope(ends) struct ends split =
            cut(buf_span(&data), horizon, rdc_kernel_best(), portions[trial], &random);
        assert_same_ends(&whole, &split);
    }
}

static bool has_end(const struct ends *ends, size_t end)
{
    size_t low = 0;

    for (size_t high = ends->count; low < high;) {
        size_t middle = low + (high - low) / 2;

        if (ends->items[middle] < end)
            low = middle + 1;
        else
            high = middle;
    }
    return low < ends->count && ends->items[low] == end;
}

static void an_edit_moves_only_nearby_cuts(void **state)
{
    struct random_source random = random_from(random_seed(__func__));
    (void)state;

    for (unsigned trial = 0; trial < TRIALS; trial++) {
        scope(buf) struct buf before = {0};
        scope(buf) struct buf after = {0};
        uint32_t horizon = HORIZONS[trial % HORIZON_COUNT];
        size_t reach = rdc_chunk_size_max(horizon) + horizon;

        /* noise: forced cuts, which lean on the cut before, do not occur */
        for (size_t i = 0; i < SIZE_MAX_TRIED / 8; i++)
            write_u64(&before, random_next(&random));
        size_t at = (size_t)random_below(&random, before.size);
        size_t inserted = 1 + (size_t)random_below(&random, 500);
        buf_append(&after, before.data, at);
        material_append(&after, inserted, &random);
        buf_append(&after, before.data + at, before.size - at);

        scope(ends) struct ends old_ends =
            cut(buf_span(&before), horizon, rdc_kernel_best(), 0, &random);
        scope(ends) struct ends new_ends =
            cut(buf_span(&after), horizon, rdc_kernel_best(), 0, &random);
        for (size_t i = 0; i < old_ends.count; i++) {
            size_t end = old_ends.items[i];

            if (end + reach < at)
                assert_true(has_end(&new_ends, end));
            if (end > at + reach)
                assert_true(has_end(&new_ends, end + inserted));
        }
    }
}

static void local_maxima_at_twice_the_horizon_are_cuts_too(void **state)
{
    struct random_source random = random_from(random_seed(__func__));
    scope(buf) struct buf data = {0};
    (void)state;

    for (size_t i = 0; i < SIZE_MAX_TRIED / 8; i++)
        write_u64(&data, random_next(&random));
    for (uint32_t horizon = 256; horizon <= 1024; horizon *= 2) {
        scope(ends) struct ends fine = cut(buf_span(&data), horizon, rdc_kernel_best(), 0, &random);
        scope(ends) struct ends coarse =
            cut(buf_span(&data), 2 * horizon, rdc_kernel_best(), 0, &random);
        for (size_t i = 0; i < coarse.count; i++)
            assert_true(has_end(&fine, coarse.items[i]));
    }
}

/* The signature by way of slices at random boundaries. */
static struct rdc_signature *sign_in_slices(const struct rdc_content *content,
                                            const struct rdc_signature_options *options,
                                            struct random_source *random)
{
    struct rdc_slice *slices[SLICES_MAX];
    struct rdc_signature *signature;
    uint64_t from = 0;
    size_t count = 0;

    for (; from < content->size || count == 0; count++) {
        uint64_t rest = content->size - from;
        /* some of less than a horizon, or nothing */
        uint64_t size = random_below(random, random_chance(random, 30) ? 600 : rest / 4 + 20000);

        size = count + 1 < SLICES_MAX ? size : rest;
        uint64_t to = size < rest ? from + size : content->size;

        assert_int_equal(rdc_slice_of(content, options, from, to, &slices[count]), ST_OK);
        from = to;
    }
    assert_int_equal(rdc_slice_join(slices, count, content, options, &signature), ST_OK);
    return signature;
}

static void slices_joined_equal_the_signature_made_at_once(void **state)
{
    struct random_source random = random_from(random_seed(__func__));
    (void)state;

    for (unsigned trial = 0; trial < 4 * TRIALS; trial++) {
        scope(buf) struct buf data = {0};
        scope(buf) struct buf at_once = {0};
        scope(buf) struct buf joined = {0};
        struct rdc_signature_options options = {.horizon = HORIZONS[trial % HORIZON_COUNT]};
        struct rdc_signature *a;

        material_append(&data, (size_t)random_below(&random, SIZE_MAX_TRIED), &random);
        if (trial % 4 == 0) /* no cut by content for long */
            memset(buf_extend(&data, 300000), 7, 300000);
        struct span span = buf_span(&data);
        struct rdc_content content = rdc_content_of(&span);
        assert_int_equal(rdc_signature_of(&content, &options, &a), ST_OK);
        struct rdc_signature *b = sign_in_slices(&content, &options, &random);
        rdc_signature_encode(a, &at_once);
        rdc_signature_encode(b, &joined);
        assert_true(span_equal(buf_span(&at_once), buf_span(&joined)));
        rdc_signature_free(a);
        rdc_signature_free(b);
    }
}

static void assert_same_trait_matches(const struct rdc_kernel *kernel, struct span data,
                                      struct random_source *random)
{
    const uint16_t *planes[RDC_SKETCH_LANES];
    uint16_t traits[RDC_SKETCH_LANES];
    uint16_t matches[2][RDC_MATCH_FILES];
    unsigned least = 1 + (unsigned)random_below(random, RDC_SKETCH_LANES);

    for (unsigned t = 0; t < RDC_SKETCH_LANES; t++) {
        planes[t] = (const uint16_t *)(const void *)data.data + t * RDC_MATCH_FILES;
        traits[t] = planes[t][random_below(random, RDC_MATCH_FILES)];
    }
    bool scalar = rdc_kernel_scalar()->trait_matches(planes, traits, least, matches[0]);
    bool best = kernel->trait_matches(planes, traits, least, matches[1]);
    assert_int_equal(scalar, best);
    assert_memory_equal(matches[0], matches[1], sizeof(matches[0]));
}

static unsigned peaks_by_definition(const uint32_t *maxima, unsigned reach)
{
    unsigned found = 0;

    for (unsigned j = 0; j < 8; j++) {
        bool peak = true;

        for (unsigned d = 1; d <= reach; d++)
            peak = peak && maxima[j] > maxima[j - (size_t)d] && maxima[j] >= maxima[j + d];
        found |= (unsigned)peak << j;
    }
    return found;
}

/* What @kernel finds out about blocks follows from the hashes of their positions. */
static void assert_hashes_blocks(const struct rdc_kernel *kernel, struct span data,
                                 struct random_source *random)
{
    uint32_t maxima[BLOCKS];

    kernel->block_maxima(data.data, BLOCKS, maxima);
    for (size_t k = 0; k < BLOCKS; k++) {
        const uint8_t *block = data.data + k * RDC_BLOCK_SIZE;
        size_t from = (size_t)random_below(random, RDC_BLOCK_SIZE);
        size_t to = from + (size_t)random_below(random, RDC_BLOCK_SIZE - from + 1);
        uint32_t threshold =
            random_chance(random, 50) ? maxima[k] : rdc_cut_hash(block + from / 2 + to / 2);
        uint32_t greatest = 0;
        size_t first = to;

        for (size_t i = 0; i < RDC_BLOCK_SIZE; i++) {
            uint32_t hash = rdc_cut_hash(block + i);

            greatest = hash > greatest ? hash : greatest;
            if (i >= from && i < first && hash >= threshold)
                first = i;
        }
        assert_int_equal(maxima[k], greatest);
        assert_int_equal(kernel->first_at_least(block, from, to, threshold), first);
    }
}

/* @kernel does on @data what plain C does. */
static void assert_agrees(const struct rdc_kernel *kernel, struct span data,
                          const struct rdc_secret *secret, struct random_source *random)
{
    const struct rdc_kernel *scalar = rdc_kernel_scalar();
    uint32_t maxima[PEAKS_REACH + BLOCKS + PEAKS_REACH + 8] = {0};
    uint32_t least[2][RDC_SKETCH_LANES];

    memset(least, 0xff, sizeof(least));
    assert_hashes_blocks(kernel, data, random);
    scalar->block_maxima(data.data, BLOCKS, maxima + PEAKS_REACH);
    for (unsigned reach = 0; reach < PEAKS_REACH; reach++)
        assert_int_equal(peaks_by_definition(maxima + 24, reach),
                         kernel->peaks(maxima + 24, reach));
    size_t size = (size_t)random_below(random, data.size);
    assert_int_equal(scalar->identity(data.data, size, secret),
                     kernel->identity(data.data, size, secret));
    scalar->sketch(least[0], (const uint64_t *)(const void *)data.data, 37);
    kernel->sketch(least[1], (const uint64_t *)(const void *)data.data, 37);
    assert_memory_equal(least[0], least[1], sizeof(least[0]));
    assert_same_trait_matches(kernel, data, random);
}

static void kernels_agree_bit_by_bit(void **state)
{
    const struct rdc_kernel *kernels[] = {rdc_kernel_scalar(), rdc_kernel_sse2(),
                                          rdc_kernel_avx2()};
    struct random_source random = random_from(random_seed(__func__));
    struct rdc_secret secret;
    (void)state;

    rdc_secret_init(&secret, random_next(&random));
    for (unsigned trial = 0; trial < 200; trial++) {
        scope(buf) struct buf material = {0};

        material_append(&material, BLOCKS * RDC_BLOCK_SIZE + RDC_WINDOW_SIZE, &random);
        /* not a byte more than a kernel may read: the address sanitizer sees to it */
        scope_free uint8_t *data = mem_new(material.size, 1);
        memcpy(data, material.data, material.size);
        for (size_t k = 0; k < sizeof(kernels) / sizeof(kernels[0]); k++) {
            if (kernels[k])
                assert_agrees(kernels[k], span_of(data, material.size), &secret, &random);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cuts_follow_the_definition),
        cmocka_unit_test(cuts_do_not_depend_on_how_the_stream_is_split),
        cmocka_unit_test(an_edit_moves_only_nearby_cuts),
        cmocka_unit_test(local_maxima_at_twice_the_horizon_are_cuts_too),
        cmocka_unit_test(slices_joined_equal_the_signature_made_at_once),
        cmocka_unit_test(kernels_agree_bit_by_bit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
