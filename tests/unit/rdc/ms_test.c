/* SPDX-License-Identifier: Apache-2.0 */
/* [MS-RDC]'s own vectors, and further ones made by an implementation that passes those. */
#include "common/rdc/ms.h"

#include "common/base/cursor.h"
#include "common/base/mem.h"
#include "common/base/scope.h"
#include "common/rdc/md4.h"
#include "common/rdc/ms_hash.h"

#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define VECTOR_A_SIZE 262144u
#define VECTOR_B_SIZE 200000u

struct hex {
    char text[129];
};

static struct hex hex_of(const uint8_t *bytes, size_t size)
{
    struct hex hex = {0};

    for (size_t i = 0; i < size; i++)
        snprintf(hex.text + 2 * i, 3, "%02x", bytes[i]);
    return hex;
}

static struct hex sha256_of(struct span bytes)
{
    uint8_t digest[32];

    assert_true(EVP_Digest(bytes.data, bytes.size, digest, NULL, EVP_sha256(), NULL));
    return hex_of(digest, sizeof(digest));
}

/* SHA-256 of 0, 1, 2 … as little-endian words. */
static void append_vector_a(struct buf *out)
{
    for (uint32_t i = 0; i < VECTOR_A_SIZE / 32; i++) {
        scope(buf) struct buf word = {0};

        write_u32(&word, i);
        EVP_Digest(word.data, word.size, buf_extend(out, 32), NULL, EVP_sha256(), NULL);
    }
}

/* By every kernel: what is said of the result holds for each of them. */
static void sign(const struct buf *bytes, struct rdc_ms_cut cut, struct buf *out)
{
    const struct ms_kernel *kernels[] = {ms_kernel_scalar(), ms_kernel_avx2(), ms_kernel_avx512()};
    struct span span = buf_span(bytes);
    struct rdc_content content = rdc_content_of(&span);

    assert_int_equal(rdc_ms_signature(&content, cut, out), ST_OK);
    for (size_t k = 0; k < sizeof(kernels) / sizeof(kernels[0]); k++) {
        scope(buf) struct buf same = {0};

        if (!kernels[k])
            continue;
        assert_int_equal(ms_signature_by(kernels[k], &content, cut, &same), ST_OK);
        assert_true(span_equal(buf_span(out), buf_span(&same)));
    }
}

static uint32_t chunk_size(const struct buf *signature, size_t index)
{
    const uint8_t *entry = signature->data + RDC_MS_HEADER_SIZE + index * RDC_MS_ENTRY_SIZE;

    return (uint32_t)(entry[MD4_SIZE] | entry[MD4_SIZE + 1] << 8);
}

static size_t chunk_count(const struct buf *signature)
{
    return (signature->size - RDC_MS_HEADER_SIZE) / RDC_MS_ENTRY_SIZE;
}

static void md4_gives_the_digests_of_rfc_1320(void **state)
{
    static const struct {
        const char *message;
        const char *digest;
    } vectors[] = {
        {"", "31d6cfe0d16ae931b73c59d7e0c089c0"},
        {"a", "bde52cb31de33e46245e05fbdbd6fb24"},
        {"abc", "a448017aaf21d8525fc10ae87aa6729d"},
        {"message digest", "d9130a8164549fe818874806e1c7014b"},
        {"12345678901234567890123456789012345678901234567890123456789012345678901234567890",
         "e33b4ddc9c38f2199c3e7b164fcc0536"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        struct md4 digest = md4_of(span_of_string(vectors[i].message));
        assert_string_equal(hex_of(digest.bytes, MD4_SIZE).text, vectors[i].digest);
    }
}

static void assert_equals_md4_of_each(void (*of_many)(const struct span *messages, size_t count,
                                                      struct md4 *out_digests))
{
    scope(buf) struct buf data = {0};
    struct span messages[300];
    struct md4 digests[300];
    append_vector_a(&data);

    for (size_t count = 0; count <= 300; count += count < 40 ? 1 : 130) {
        for (size_t i = 0; i < count; i++)
            messages[i] = span_part(buf_span(&data), i * 611, (i * i * 37) % 3000);
        of_many(messages, count, digests);
        for (size_t i = 0; i < count; i++) {
            struct md4 expected = md4_of(messages[i]);
            assert_memory_equal(digests[i].bytes, expected.bytes, MD4_SIZE);
        }
    }
}

static void md4_of_many_equals_md4_of_each(void **state)
{
    (void)state;

    assert_equals_md4_of_each(md4_of_many);
#ifdef __x86_64__
    if (ms_kernel_avx2())
        assert_equals_md4_of_each(md4_of_many_avx2);
    if (ms_kernel_avx512())
        assert_equals_md4_of_each(md4_of_many_avx512);
#endif
}

static void hash_gives_the_values_of_the_specification(void **state)
{
    uint32_t hashes[2];
    (void)state;

    rdc_ms_hash(4, span_of_string("He"), hashes);

    assert_int_equal(hashes[0], 0x6ee63f63);
    assert_int_equal(hashes[1], 0x9698c3b2);
}

static void hash_of_noise_is_known(void **state)
{
    scope(buf) struct buf data = {0};
    scope_free uint32_t *hashes = mem_new(VECTOR_A_SIZE, sizeof(*hashes));
    (void)state;
    append_vector_a(&data);

    rdc_ms_hash(48, buf_span(&data), hashes);
    assert_int_equal(hashes[0], 0x5ee82c9f);
    assert_int_equal(hashes[1], 0xfefc3fb4);
    assert_int_equal(hashes[47], 0xefc6eea9);
    assert_int_equal(hashes[48], 0xe0a1836c);
    assert_int_equal(hashes[1000], 0x2ec8bc3d);
    rdc_ms_hash(2, buf_span(&data), hashes);
    assert_int_equal(hashes[0], 0x0b27d7ba);
    assert_int_equal(hashes[1], 0xf4c86a70);
    assert_int_equal(hashes[2], 0xc19bc4cb);
    assert_int_equal(hashes[3], 0xa2169387);
}

static void signature_of_noise_is_known_at_two_levels(void **state)
{
    static const uint32_t first_starts[] = {0, 1178, 3051, 4776, 7311, 9304, 11838, 14298, 16371};
    scope(buf) struct buf data = {0};
    scope(buf) struct buf level_1 = {0};
    scope(buf) struct buf level_2 = {0};
    struct rdc_ms_traits traits;
    (void)state;
    append_vector_a(&data);

    sign(&data, rdc_ms_cut_default(1), &level_1);
    sign(&level_1, rdc_ms_cut_default(2), &level_2);

    assert_int_equal(chunk_count(&level_1), 128);
    for (size_t i = 0; i + 1 < sizeof(first_starts) / sizeof(first_starts[0]); i++)
        assert_int_equal(chunk_size(&level_1, i), first_starts[i + 1] - first_starts[i]);
    assert_int_equal(chunk_size(&level_1, 127), 260);
    assert_string_equal(sha256_of(buf_span(&level_1)).text,
                        "165eae748cb468a76434237de843b52bfc1d724256cea9d31f31b786a9cf097e");
    assert_true(rdc_ms_traits(buf_span(&level_1), &traits));
    assert_string_equal(hex_of(traits.values, sizeof(traits.values)).text,
                        "1e381d1d0f0320222d26323b1d3d3130");
    assert_int_equal(chunk_count(&level_2), 9);
    assert_string_equal(sha256_of(buf_span(&level_2)).text,
                        "a37679da1698b60b1da96a10f5a7e14b9d76f29e863697b97580464beea7d7ec");
}

static void signature_and_traits_of_the_specifications_sample_are_its_own(void **state)
{
    static const struct {
        uint32_t size;
        const char *md4;
    } chunks[] = {
        {3108, "1d6406ded92381dc22cc36b8899b9fdd"}, {2249, "919c5d8510ff6387340a61f87b4a3956"},
        {6190, "b4485ec7719b17df2543a2f711ce6eff"}, {17389, "3e752ed7d8f7d7c17fee487b2491a3e0"},
        {1301, "1ac5c13f71f575ea8f332465baba2cb0"}, {3290, "a74b42809f62ed2aa022592b2bbf222c"},
    };
    scope(buf) struct buf data = {0};
    scope(buf) struct buf signature = {0};
    struct rdc_ms_traits traits;
    (void)state;
    scope_file FILE *file = fopen(RFC1320_PATH, "rbe");
    assert_non_null(file);
    assert_int_equal(fread(buf_extend(&data, 33527), 1, 33527, file), 33527);

    sign(&data, (struct rdc_ms_cut){.window = 16, .horizon = 512}, &signature);

    assert_int_equal(signature.size, 132);
    for (size_t i = 0; i < sizeof(chunks) / sizeof(chunks[0]); i++) {
        const uint8_t *entry = signature.data + RDC_MS_HEADER_SIZE + i * RDC_MS_ENTRY_SIZE;
        assert_int_equal(chunk_size(&signature, i), chunks[i].size);
        assert_string_equal(hex_of(entry, MD4_SIZE).text, chunks[i].md4);
    }
    assert_true(rdc_ms_traits(buf_span(&signature), &traits));
    assert_string_equal(hex_of(traits.values, sizeof(traits.values)).text,
                        "2a383a37090b3b013e2627292a011439");
}

static void constant_bytes_are_cut_by_force_only(void **state)
{
    scope(buf) struct buf data = {0};
    scope(buf) struct buf signature = {0};
    struct rdc_ms_traits traits;
    (void)state;
    memset(buf_extend(&data, VECTOR_B_SIZE), 0, VECTOR_B_SIZE);

    sign(&data, rdc_ms_cut_default(1), &signature);

    assert_int_equal(chunk_count(&signature), 4);
    assert_int_equal(chunk_size(&signature, 0), 65535);
    assert_int_equal(chunk_size(&signature, 3), 200000 - 196605);
    assert_string_equal(sha256_of(buf_span(&signature)).text,
                        "0d90d156a436602a56040ccdefdcb05711257bb38643301de153a5cf666aa26c");
    assert_true(rdc_ms_traits(buf_span(&signature), &traits));
    assert_string_equal(hex_of(traits.values, sizeof(traits.values)).text,
                        "0710243a0610103c363c37302f28273c");
}

static void empty_file_has_a_header_only(void **state)
{
    struct buf data = {0};
    scope(buf) struct buf signature = {0};
    (void)state;

    sign(&data, rdc_ms_cut_default(1), &signature);

    assert_string_equal(hex_of(signature.data, signature.size).text,
                        "180000000100010001000100000000000100000000000000");
}

/* The specification's rule, position by position. */
static void starts_by_definition(const struct buf *data, struct rdc_ms_cut cut, struct buf *starts)
{
    scope_free uint32_t *hashes = mem_new(data->size, sizeof(*hashes));
    size_t start = 0;

    rdc_ms_hash(cut.window, buf_span(data), hashes);
    for (size_t i = 1; i < data->size; i++) {
        bool maximum = i > cut.horizon;

        for (size_t j = i - (maximum ? cut.horizon : 0);
             j <= i + cut.horizon && j < data->size && maximum; j++)
            maximum = j == i || hashes[i] > hashes[j];
        if (maximum || i - start == RDC_MS_CHUNK_SIZE_MAX) {
            write_u16(starts, (uint16_t)(i - start));
            start = i;
        }
    }
    write_u16(starts, (uint16_t)(data->size - start));
}

static void chunks_follow_the_definition_for_any_parameters(void **state)
{
    static const struct rdc_ms_cut cuts[] = {{2, 128},   {3, 129},   {16, 512},
                                             {48, 1024}, {96, 2000}, {64, 16384}};
    (void)state;

    for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
        scope(buf) struct buf data = {0};
        scope(buf) struct buf signature = {0};
        scope(buf) struct buf expected = {0};

        append_vector_a(&data);
        memset(data.data + 30000, 7, 80000); /* a stretch of ties, and forced cuts after it */
        for (size_t k = 150000; k < 200000; k++)
            data.data[k] = data.data[k - 700];
        data.size -= i * 12345;
        sign(&data, cuts[i], &signature);
        starts_by_definition(&data, cuts[i], &expected);
        assert_int_equal(chunk_count(&signature) * 2, expected.size);
        for (size_t k = 0; k < chunk_count(&signature); k++)
            assert_int_equal(chunk_size(&signature, k),
                             expected.data[2 * k] | expected.data[2 * k + 1] << 8);
    }
}

static void depth_grows_at_the_sizes_of_dfsr(void **state)
{
    static const uint64_t sizes[] = {65536, 1862769, 52984086, 1507101528, 42868664344};
    (void)state;

    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        assert_int_equal(rdc_ms_depth(sizes[i] - 1), i);
        assert_int_equal(rdc_ms_depth(sizes[i] + 40), i + 1);
    }
    assert_int_equal(rdc_ms_depth(0), 0);
    assert_int_equal(rdc_ms_depth(UINT64_MAX), 8);
}

static void traits_refuse_what_is_not_a_signature(void **state)
{
    static const uint8_t bytes[RDC_MS_HEADER_SIZE + 7];
    struct rdc_ms_traits traits;
    (void)state;

    assert_false(rdc_ms_traits(span_of(bytes, 10), &traits));
    assert_false(rdc_ms_traits(span_of(bytes, sizeof(bytes)), &traits));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(md4_gives_the_digests_of_rfc_1320),
        cmocka_unit_test(md4_of_many_equals_md4_of_each),
        cmocka_unit_test(hash_gives_the_values_of_the_specification),
        cmocka_unit_test(hash_of_noise_is_known),
        cmocka_unit_test(signature_of_noise_is_known_at_two_levels),
        cmocka_unit_test(signature_and_traits_of_the_specifications_sample_are_its_own),
        cmocka_unit_test(constant_bytes_are_cut_by_force_only),
        cmocka_unit_test(empty_file_has_a_header_only),
        cmocka_unit_test(chunks_follow_the_definition_for_any_parameters),
        cmocka_unit_test(depth_grows_at_the_sizes_of_dfsr),
        cmocka_unit_test(traits_refuse_what_is_not_a_signature),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
