/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_rdc_kernels FILE: gigabytes a second of one core, best of several runs. Chunking is
 * measured over bytes that the cache holds, the work alone, and over all of the file in memory,
 * which the copying into the cutter adds to.
 */
#include "common/base/mem.h"
#include "common/rdc/ms.h"
#include "common/rdc/signature.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define RUNS          5
#define SIZE_MAX_READ (256u << 20)
#define CACHED_SIZE   (4u << 20)
#define FILES         1000000u

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void load(const char *path, struct buf *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0) {
        perror(path);
        exit(5);
    }
    size_t size = st.st_size < (off_t)SIZE_MAX_READ ? (size_t)st.st_size : SIZE_MAX_READ;
    uint8_t *place = buf_extend(out, size);
    for (size_t done = 0; done < size;) {
        ssize_t got = read(fd, place + done, size - done);

        if (got <= 0)
            exit(1);
        done += (size_t)got;
    }
    close(fd);
}

/* Chunks and identities without a signature's bookkeeping. */
static void chunk_and_hash(const struct rdc_content *content, const struct rdc_kernel *kernel,
                           uint32_t horizon)
{
    struct rdc_signature_options options = {.kernel = kernel, .horizon = horizon};
    struct rdc_signature *signature;

    if (rdc_signature_of(content, &options, &signature) != ST_OK)
        exit(1);
    rdc_signature_free(signature);
}

static double chunking_rate(const struct rdc_content *content, const struct rdc_kernel *kernel,
                            uint32_t horizon, int runs)
{
    double best = 1e9;

    for (int run = 0; run < runs; run++) {
        double begin = seconds();

        chunk_and_hash(content, kernel, horizon);
        double taken = seconds() - begin;
        best = taken < best ? taken : best;
    }
    return (double)content->size / best / 1e9;
}

static void measure_chunking(struct span bytes, const struct rdc_kernel *kernel, uint32_t horizon)
{
    struct span cached = span_part(bytes, 0, CACHED_SIZE);
    const struct rdc_content small = rdc_content_of(&cached);
    const struct rdc_content large = rdc_content_of(&bytes);
    double small_rate = chunking_rate(&small, kernel, horizon, 4 * RUNS);
    double large_rate = chunking_rate(&large, kernel, horizon, RUNS);

    printf("%-34s mean %4u   %6.2f GB/s, from memory %.2f\n", kernel->name, 2 * horizon, small_rate,
           large_rate);
}

static void measure_ms(const struct rdc_content *content)
{
    double best = 1e9;

    for (int run = 0; run < RUNS; run++) {
        struct buf out = {0};
        double begin = seconds();

        if (rdc_ms_signature(content, rdc_ms_cut_default(1), &out) != ST_OK)
            exit(1);
        double taken = seconds() - begin;
        best = taken < best ? taken : best;
        buf_fini(&out);
    }
    printf("%-34s mean 2048   %6.2f GB/s\n", "[MS-RDC], H3 and MD4",
           (double)content->size / best / 1e9);
}

static void measure_similarity(void)
{
    struct rdc_similarity *x = rdc_similarity_new();
    uint64_t state = 1;
    struct rdc_traits traits = {0};
    double best = 1e9;
    unsigned found = 0;

    for (uint64_t file = 0; file < FILES; file++) {
        for (unsigned t = 0; t < RDC_TRAIT_COUNT; t++) {
            state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            traits.values[t] = (uint16_t)(state >> 48);
        }
        rdc_similarity_put(x, file, &traits);
    }
    for (int run = 0; run < 100; run++) {
        struct rdc_likeness likenesses[RDC_LIKENESSES_MAX];

        for (unsigned t = 0; t < RDC_TRAIT_COUNT; t++) {
            state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            traits.values[t] = (uint16_t)(state >> 48);
        }
        double begin = seconds();
        found += rdc_similarity_find(x, &traits, likenesses);
        double taken = seconds() - begin;
        best = taken < best ? taken : best;
    }
    printf("similarity query over 10^6 files   %.2f ms, %u false candidates in 100 queries\n",
           best * 1e3, found);
    rdc_similarity_free(x);
}

int main(int argc, char **argv)
{
    struct buf data = {0};

    if (argc != 2) {
        fprintf(stderr, "usage: bench_rdc_kernels FILE\n");
        return 2;
    }
    load(argv[1], &data);
    struct span span = buf_span(&data);
    struct rdc_content content = rdc_content_of(&span);
    for (uint32_t horizon = 512; horizon <= 2048; horizon *= 2)
        measure_chunking(span, rdc_kernel_best(), horizon);
    if (rdc_kernel_sse2())
        measure_chunking(span, rdc_kernel_sse2(), 512);
    measure_chunking(span, rdc_kernel_scalar(), 512);
    measure_ms(&content);
    measure_similarity();
    buf_fini(&data);
    return 0;
}
