/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_rdc_kernels FILE: gigabytes a second of one core, best of several runs. Each is measured
 * over bytes that the cache holds, the work alone, and over all of the file in memory, which the
 * copying into the buffer adds to. Then the same on two cores, and what the similarity index finds
 * among a million files.
 */
#include "common/base/mem.h"
#include "common/rdc/ms_hash.h"
#include "common/rdc/signature.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define RUNS          5
#define SIZE_MAX_READ (256u << 20)
#define CACHED_SIZE   (4u << 20)
#define FILES         1000000u
#define FILE_CHUNKS   65u /* of each of them */
#define QUERIES       1000u
#define THREADS       2u
#define PART_SIZE     (4u << 20)

static double seconds(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Of this thread's processor time. */
static double busy_seconds(void)
{
    return seconds(CLOCK_THREAD_CPUTIME_ID);
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

/* What is measured: something done with all of a content. */
struct work {
    void (*run)(const struct rdc_content *content, const struct work *work);
    const struct rdc_kernel *kernel;
    const struct ms_kernel *ms_kernel;
    uint32_t horizon;
};

static void chunk_and_hash(const struct rdc_content *content, const struct work *work)
{
    struct rdc_signature_options options = {.kernel = work->kernel, .horizon = work->horizon};
    struct rdc_signature *signature;

    if (rdc_signature_of(content, &options, &signature) != ST_OK)
        exit(1);
    rdc_signature_free(signature);
}

static void sign_like_ms(const struct rdc_content *content, const struct work *work)
{
    struct buf out = {0};

    if (ms_signature_by(work->ms_kernel, content, rdc_ms_cut_default(1), &out) != ST_OK)
        exit(1);
    buf_fini(&out);
}

static double rate(struct span bytes, const struct work *work, int runs)
{
    const struct rdc_content content = rdc_content_of(&bytes);
    double best = 1e9;

    for (int run = 0; run < runs; run++) {
        double begin = busy_seconds();

        work->run(&content, work);
        double taken = busy_seconds() - begin;
        best = taken < best ? taken : best;
    }
    return (double)bytes.size / best / 1e9;
}

static void measure(struct span bytes, const char *name, unsigned mean, struct work work)
{
    double cached = rate(span_part(bytes, 0, CACHED_SIZE), &work, 20 * RUNS);

    printf("%-34s mean %4u   %6.2f GB/s, from memory %.2f\n", name, mean, cached,
           rate(bytes, &work, RUNS));
}

static void measure_chunking(struct span bytes, const struct rdc_kernel *kernel, uint32_t horizon)
{
    measure(bytes, kernel->name, 2 * horizon,
            (struct work){.run = chunk_and_hash, .kernel = kernel, .horizon = horizon});
}

static void measure_ms(struct span bytes, const struct ms_kernel *kernel)
{
    char name[64];

    if (!kernel)
        return;
    snprintf(name, sizeof(name), "[MS-RDC], H3 and MD4, %s", kernel->name);
    measure(bytes, name, 2048, (struct work){.run = sign_like_ms, .ms_kernel = kernel});
}

/* One of several threads that take the parts of a content in turn. */
struct signer {
    const struct rdc_content *content;
    const struct rdc_signature_options *options;
    struct rdc_slice **slices;
    size_t first;
    size_t count; /* of all slices */
    double busy;
};

static void *sign_parts(void *arg)
{
    struct signer *s = arg;
    double begin = busy_seconds();

    for (size_t i = s->first; i < s->count; i += THREADS) {
        uint64_t from = (uint64_t)i * PART_SIZE;
        uint64_t to = i + 1 < s->count ? from + PART_SIZE : s->content->size;

        if (rdc_slice_of(s->content, s->options, from, to, &s->slices[i]) != ST_OK)
            exit(1);
    }
    s->busy = busy_seconds() - begin;
    return NULL;
}

/* Sign in parts on two threads; returns the processor time of the busier one and of the joining. */
static double sign_on_threads(const struct rdc_content *content, double *out_elapsed)
{
    struct rdc_signature_options options = {.horizon = 512};
    size_t count = (size_t)(content->size / PART_SIZE) + 1;
    struct rdc_slice **slices = mem_new(count, sizeof(struct rdc_slice *));
    struct rdc_signature *signature;
    struct signer signers[THREADS];
    pthread_t threads[THREADS];
    double begin = seconds(CLOCK_MONOTONIC);
    double busiest = 0;

    for (size_t i = 0; i < THREADS; i++) {
        signers[i] = (struct signer){
            .content = content, .options = &options, .slices = slices, .first = i, .count = count};
        if (pthread_create(&threads[i], NULL, sign_parts, &signers[i]) != 0)
            exit(1);
    }
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        busiest = signers[i].busy > busiest ? signers[i].busy : busiest;
    }
    double begin_join = busy_seconds();
    if (rdc_slice_join(slices, count, content, &options, &signature) != ST_OK)
        exit(1);
    double joining = busy_seconds() - begin_join;
    *out_elapsed = seconds(CLOCK_MONOTONIC) - begin;
    rdc_signature_free(signature);
    free(slices);
    return busiest + joining;
}

static void measure_slices(struct span bytes)
{
    const struct rdc_content content = rdc_content_of(&bytes);
    double best_busy = 1e9;
    double best_elapsed = 1e9;

    for (int run = 0; run < 4 * RUNS; run++) {
        double elapsed;
        double busy = sign_on_threads(&content, &elapsed);

        best_busy = busy < best_busy ? busy : best_busy;
        best_elapsed = elapsed < best_elapsed ? elapsed : best_elapsed;
    }
    printf("%-34s mean 1024   %6.2f GB/s by the busier one's time, %.2f by the clock\n",
           "slices on two threads, from memory", (double)bytes.size / best_busy / 1e9,
           (double)bytes.size / best_elapsed / 1e9);
}

static uint64_t next(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* Traits of a file of FILE_CHUNKS chunks: the first @shared ones of file @like, others of @file's
 * own. */
static struct rdc_traits traits_of(uint64_t file, uint64_t like, unsigned shared)
{
    uint64_t identities[FILE_CHUNKS];
    uint64_t own = file << 32;
    uint64_t others = like << 32;
    struct rdc_sketch sketch;

    for (unsigned i = 0; i < FILE_CHUNKS; i++)
        identities[i] = i < shared ? next(&others) : next(&own);
    rdc_sketch_init(&sketch);
    rdc_sketch_add(&sketch, rdc_kernel_best(), identities, FILE_CHUNKS);
    return rdc_sketch_traits(&sketch);
}

/* Queries of files that share @shared chunks with one file of the index each. */
static void measure_queries(const struct rdc_similarity *x, unsigned shared)
{
    double best = 1e9;
    double all = 0;
    unsigned hits = 0;
    unsigned others = 0;

    for (uint64_t query = 0; query < QUERIES; query++) {
        struct rdc_likeness likenesses[RDC_LIKENESSES_MAX];
        uint64_t like = query * (FILES / QUERIES) + 7;
        struct rdc_traits traits = traits_of(FILES + query, like, shared);
        double begin = busy_seconds();
        unsigned found = rdc_similarity_find(x, &traits, likenesses);
        double taken = busy_seconds() - begin;

        best = taken < best ? taken : best;
        all += taken;
        for (unsigned i = 0; i < found; i++) {
            hits += likenesses[i].file == like;
            others += likenesses[i].file != like;
        }
    }
    printf("similar at J = %.2f among 10^6 files: recall %.3f, %.3f false candidates a query, "
           "%.2f ms (average %.2f)\n",
           shared / (2.0 * FILE_CHUNKS - shared), (double)hits / QUERIES, (double)others / QUERIES,
           best * 1e3, all / QUERIES * 1e3);
}

static void measure_similarity(void)
{
    struct rdc_similarity *x = rdc_similarity_new();

    for (uint64_t file = 0; file < FILES; file++) {
        struct rdc_traits traits = traits_of(file, file, 0);
        rdc_similarity_put(x, file, &traits);
    }
    /* of the union of two files' chunks, these are .1, .2, .3 and .5 */
    measure_queries(x, 12);
    measure_queries(x, 22);
    measure_queries(x, 30);
    measure_queries(x, 43);
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
    for (uint32_t horizon = 512; horizon <= 2048; horizon *= 2)
        measure_chunking(span, rdc_kernel_best(), horizon);
    measure_chunking(span, rdc_kernel_best(), rdc_horizon_for(span.size));
    if (rdc_kernel_sse2())
        measure_chunking(span, rdc_kernel_sse2(), 512);
    measure_chunking(span, rdc_kernel_scalar(), 512);
    measure_slices(span);
    measure_ms(span, ms_kernel_avx512());
    measure_ms(span, ms_kernel_avx2());
    measure_ms(span, ms_kernel_scalar());
    measure_similarity();
    buf_fini(&data);
    return 0;
}
