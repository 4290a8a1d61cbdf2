/* SPDX-License-Identifier: Apache-2.0 */
/* [MS-RDC] by every kernel against the specification's definitions, taken literally. */
#include "common/rdc/ms_hash.h"

#include "common/base/cursor.h"
#include "common/base/mem.h"
#include "common/base/scope.h"
#include "tests/property/rdc/material.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define TRIALS         60
#define SIZE_MAX_TRIED 400000
#define BLOCKS         300

static const struct ms_kernel *const *kernels(void)
{
    static const struct ms_kernel *all[4];
    size_t count = 0;

    all[count++] = ms_kernel_scalar();
    if (ms_kernel_avx2())
        all[count++] = ms_kernel_avx2();
    if (ms_kernel_avx512())
        all[count++] = ms_kernel_avx512();
    return all;
}

/* The rule of 3.1.5.1, position by position, and MD4 of what lies between. */
static void sign_by_definition(struct span data, struct rdc_ms_cut cut, struct buf *out)
{
    static const uint8_t header[RDC_MS_HEADER_SIZE] = {0x18, 0, 0, 0, 1, 0, 1, 0, 1,
                                                       0,    1, 0, 0, 0, 0, 0, 1};
    scope_free uint32_t *hash = mem_new(data.size, sizeof(*hash));
    size_t start = 0;

    buf_append(out, header, sizeof(header));
    rdc_ms_hash(cut.window, data, hash);
    for (size_t i = 1; i <= data.size; i++) {
        bool starts = i > cut.horizon && i < data.size;

        /* the nearest first: they tie when the data repeat */
        for (size_t d = 1; d <= cut.horizon && starts; d++)
            starts = hash[i] > hash[i - d] && (i + d >= data.size || hash[i] > hash[i + d]);
        if (!starts && i - start < RDC_MS_CHUNK_SIZE_MAX && i < data.size)
            continue;
        struct md4 digest = md4_of(span_part(data, start, i - start));
        buf_append(out, digest.bytes, MD4_SIZE);
        write_u16(out, (uint16_t)(i - start));
        start = i;
    }
}

static struct rdc_ms_cut random_cut(struct random_source *random)
{
    uint32_t horizons[] = {
        RDC_MS_HORIZON_MIN, 1024, RDC_MS_HORIZON_MAX,
        RDC_MS_HORIZON_MIN + (uint32_t)random_below(random, 2000),
        RDC_MS_HORIZON_MIN +
            (uint32_t)random_below(random, RDC_MS_HORIZON_MAX - RDC_MS_HORIZON_MIN + 1)};
    uint32_t windows[] = {
        48, 2,
        RDC_MS_WINDOW_MIN +
            (uint32_t)random_below(random, RDC_MS_WINDOW_MAX - RDC_MS_WINDOW_MIN + 1)};

    return (struct rdc_ms_cut){.window = windows[random_below(random, 3)],
                               .horizon = horizons[random_below(random, 5)]};
}

static void signatures_follow_the_definition(void **state)
{
    struct random_source random = random_from(random_seed(__func__));
    (void)state;

    for (unsigned trial = 0; trial < TRIALS; trial++) {
        scope(buf) struct buf data = {0};
        scope(buf) struct buf expected = {0};
        struct rdc_ms_cut cut = random_cut(&random);

        material_append(&data, (size_t)random_below(&random, trial % 2 ? 3000 : SIZE_MAX_TRIED),
                        &random);
        struct span span = buf_span(&data);
        struct rdc_content content = rdc_content_of(&span);
        sign_by_definition(span, cut, &expected);
        for (const struct ms_kernel *const *kernel = kernels(); *kernel; kernel++) {
            scope(buf) struct buf signature = {0};

            assert_int_equal(ms_signature_by(*kernel, &content, cut, &signature), ST_OK);
            assert_true(span_equal(buf_span(&expected), buf_span(&signature)));
        }
    }
}

/* @kernel's hashes of @blocks whole blocks, given in portions, against those of each byte. */
static void assert_hashes(const struct ms_kernel *kernel, const uint8_t *bytes, uint32_t window,
                          const uint32_t *expected, struct random_source *random)
{
    scope_free struct ms_block *blocks = mem_new(BLOCKS, sizeof(*blocks));
    uint32_t maxima[BLOCKS];
    struct ms_hash hash;

    ms_hash_init(&hash, window);
    for (size_t done = 0, count; done < BLOCKS; done += count) {
        count = (size_t)random_below(random, BLOCKS - done + 1);
        kernel->hash_blocks(&hash, bytes + done * MS_BLOCK_SIZE, count, blocks + done,
                            maxima + done);
    }
    for (size_t k = 0; k < BLOCKS; k++) {
        uint32_t value = expected[k * MS_BLOCK_SIZE + random_below(random, MS_BLOCK_SIZE)];
        uint32_t greatest = 0;
        uint64_t positions = 0;

        for (size_t i = 0; i < MS_BLOCK_SIZE; i++) {
            uint32_t right = expected[k * MS_BLOCK_SIZE + i];

            assert_int_equal(blocks[k].hashes[i % MS_ROWS][i / MS_ROWS], right);
            greatest = right > greatest ? right : greatest;
            positions |= (uint64_t)(right >= value) << i;
        }
        assert_int_equal(maxima[k], greatest);
        assert_true(kernel->at_least(&blocks[k], value) == positions);
    }
    assert_int_equal(hash.last, expected[BLOCKS * MS_BLOCK_SIZE - 1]);
}

static void hashes_are_those_of_each_byte_for_every_window(void **state)
{
    struct random_source random = random_from(random_seed(__func__));
    scope_free uint32_t *expected = mem_new(BLOCKS * MS_BLOCK_SIZE, sizeof(*expected));
    (void)state;

    for (uint32_t window = RDC_MS_WINDOW_MIN; window <= RDC_MS_WINDOW_MAX; window++) {
        scope(buf) struct buf data = {0};

        memset(buf_extend(&data, RDC_MS_WINDOW_MAX), 0, RDC_MS_WINDOW_MAX);
        material_append(&data, BLOCKS * MS_BLOCK_SIZE, &random);
        const uint8_t *bytes = data.data + RDC_MS_WINDOW_MAX;
        rdc_ms_hash(window, span_of(bytes, BLOCKS * MS_BLOCK_SIZE), expected);
        for (const struct ms_kernel *const *kernel = kernels(); *kernel; kernel++)
            assert_hashes(*kernel, bytes, window, expected, &random);
    }
}

static void digests_of_many_are_those_of_each(void **state)
{
    struct random_source random = random_from(random_seed(__func__));
    struct span messages[100];
    struct md4 digests[100];
    scope(buf) struct buf data = {0};
    (void)state;
    material_append(&data, SIZE_MAX_TRIED / 4, &random);

    for (unsigned trial = 0; trial < TRIALS; trial++) {
        size_t count = (size_t)random_below(&random, 101);
        size_t longest = random_chance(&random, 30) ? 200 : 5000;

        for (size_t i = 0; i < count; i++)
            messages[i] = span_part(buf_span(&data), (size_t)random_below(&random, data.size),
                                    (size_t)random_below(&random, longest));
        for (const struct ms_kernel *const *kernel = kernels(); *kernel; kernel++) {
            (*kernel)->digests(messages, count, digests);
            for (size_t i = 0; i < count; i++) {
                struct md4 right = md4_of(messages[i]);
                assert_memory_equal(digests[i].bytes, right.bytes, MD4_SIZE);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signatures_follow_the_definition),
        cmocka_unit_test(hashes_are_those_of_each_byte_for_every_window),
        cmocka_unit_test(digests_of_many_are_those_of_each),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
