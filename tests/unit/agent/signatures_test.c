/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/signatures/signatures.h"

#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/base/scope.h"
#include "tests/unit/agent/temp_root.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#define CONTENT_SIZE (260u << 10) /* its signature is one block of the file system */

struct fixture {
    struct temp_root t;
    struct signatures_options options;
    struct signatures *signatures;
};

/* What the sweep told. */
struct told {
    size_t count;
    uint8_t tags[64];
    struct rdc_traits traits;
};

static void reopen(struct fixture *f)
{
    signatures_close(f->signatures);
    f->signatures = signatures_open(&f->options);
}

static int open_fixture(void **state)
{
    struct fixture *f = MEM_NEW(struct fixture);

    temp_root_open(&f->t);
    f->options = (struct signatures_options){
        .root = f->t.root, .key = {.seed = 7}, .bytes_max = 1u << 30, .count_max = 1000};
    reopen(f);
    *state = f;
    return 0;
}

static int close_fixture(void **state)
{
    struct fixture *f = *state;

    signatures_close(f->signatures);
    temp_root_close(&f->t);
    free(f);
    return 0;
}

static struct content_hash hash_of(uint8_t tag)
{
    struct content_hash hash;

    memset(hash.bytes, tag, sizeof hash.bytes);
    return hash;
}

/* Content of its own for each tag. */
static struct rdc_signature *sign(const struct fixture *f, uint8_t tag, size_t size)
{
    struct rdc_signature_options options = {.key = f->options.key};
    uint8_t *bytes = mem_new(size, 1);
    struct span span = span_of(bytes, size);
    struct rdc_content content = rdc_content_of(&span);
    struct rdc_signature *signature;
    uint32_t state = tag + 1u;

    for (size_t i = 0; i < size; i++) {
        state = state * 1664525u + 1013904223u;
        bytes[i] = (uint8_t)(state >> 24);
    }
    assert_int_equal(rdc_signature_of(&content, &options, &signature), ST_OK);
    free(bytes);
    return signature;
}

static bool put(struct fixture *f, uint8_t tag)
{
    struct content_hash hash = hash_of(tag);
    struct rdc_signature *signature = sign(f, tag, CONTENT_SIZE);
    bool kept = signatures_put(f->signatures, &hash, signature);

    rdc_signature_free(signature);
    return kept;
}

static bool get(struct fixture *f, uint8_t tag)
{
    struct content_hash hash = hash_of(tag);
    struct rdc_signature *signature = NULL;
    bool found = signatures_get(f->signatures, &hash, &signature);

    rdc_signature_free(signature);
    return found;
}

static char *path_of(const struct fixture *f, uint8_t tag)
{
    char name[65];

    for (size_t i = 0; i < 32; i++)
        snprintf(name + 2 * i, 3, "%02x", tag);
    return mem_format("%s/.coterie/signatures/%s", f->t.path, name);
}

static void tell(const struct content_hash *content, const struct rdc_traits *traits, void *arg)
{
    struct told *told = arg;

    assert_true(told->count < sizeof told->tags);
    told->tags[told->count++] = content->bytes[0];
    told->traits = *traits;
}

static void a_signature_comes_back_as_it_was_also_after_a_restart(void **state)
{
    struct fixture *f = *state;
    struct content_hash hash = hash_of(1);
    struct rdc_signature *in = sign(f, 1, CONTENT_SIZE);
    struct rdc_signature *out = NULL;
    struct rdc_traits traits;
    struct buf before = {0};
    struct buf after = {0};

    assert_false(signatures_have(f->signatures, &hash));
    assert_false(signatures_get(f->signatures, &hash, &out));
    assert_true(signatures_put(f->signatures, &hash, in));
    assert_false(signatures_put(f->signatures, &hash, in));
    reopen(f);

    assert_true(signatures_have(f->signatures, &hash));
    assert_true(signatures_get(f->signatures, &hash, &out));
    rdc_signature_encode(in, &before);
    rdc_signature_encode(out, &after);
    assert_true(span_equal(buf_span(&before), buf_span(&after)));
    assert_true(signatures_traits(f->signatures, &hash, &traits));
    assert_memory_equal(&traits, &in->traits, sizeof traits);
    buf_fini(&before);
    buf_fini(&after);
    rdc_signature_free(in);
    rdc_signature_free(out);
}

static void small_content_is_not_kept(void **state)
{
    struct fixture *f = *state;
    struct content_hash hash = hash_of(1);
    struct rdc_signature *small = sign(f, 1, SIGNED_SIZE_MIN - 1);

    assert_false(signatures_want(SIGNED_SIZE_MIN - 1));
    assert_true(signatures_want(SIGNED_SIZE_MIN));
    assert_true(signatures_want(SIGNED_SIZE_MAX));
    assert_false(signatures_want(SIGNED_SIZE_MAX + 1));
    assert_false(signatures_put(f->signatures, &hash, small));
    rdc_signature_free(small);
}

/* Every byte matters: head, body and both checksums. */
static void a_damaged_signature_is_dropped_and_made_anew(void **state)
{
    struct fixture *f = *state;
    scope_free char *path = path_of(f, 1);
    struct stat st;

    assert_true(put(f, 1));
    assert_int_equal(stat(path, &st), 0);
    for (off_t at = 0; at < st.st_size; at += at < 100 ? 1 : 37) {
        scope_fd int fd = open(path, O_RDWR | O_CLOEXEC);
        uint8_t byte;

        assert_int_equal(pread(fd, &byte, 1, at), 1);
        byte ^= 0x10;
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
        assert_false(get(f, 1));
        assert_int_not_equal(access(path, F_OK), 0);
        assert_true(put(f, 1));
        assert_true(get(f, 1));
    }
    assert_int_equal(truncate(path, st.st_size - 1), 0);
    assert_false(get(f, 1));
    assert_true(put(f, 1));
    assert_int_equal(truncate(path, 10), 0);
    assert_false(get(f, 1));
}

static void a_signature_of_another_content_or_group_is_not_taken(void **state)
{
    struct fixture *f = *state;
    scope_free char *one = path_of(f, 1);
    scope_free char *two = path_of(f, 2);

    assert_true(put(f, 1));
    assert_int_equal(rename(one, two), 0);
    assert_false(get(f, 2));

    assert_true(put(f, 1));
    f->options.key.seed = 8;
    reopen(f);
    assert_false(get(f, 1));
}

static void a_sweep_tells_what_is_kept_and_drops_the_rest(void **state)
{
    struct fixture *f = *state;
    struct rdc_signature *signature = sign(f, 1, CONTENT_SIZE);
    scope_free char *damaged = path_of(f, 2);
    struct told told = {0};

    assert_true(put(f, 1));
    assert_true(put(f, 2));
    assert_int_equal(truncate(damaged, 50), 0);
    temp_write(&f->t, ".coterie/signatures/7b0a-0", "left by a crash");
    signatures_sweep(f->signatures, NULL, tell, &told);

    assert_int_equal(told.count, 1);
    assert_int_equal(told.tags[0], 1);
    assert_memory_equal(&told.traits, &signature->traits, sizeof told.traits);
    assert_int_equal(temp_count(&f->t, ".coterie/signatures"), 1);
    rdc_signature_free(signature);
}

/* @tag was last used so many hours ago. */
static void age(const struct fixture *f, uint8_t tag, time_t hours)
{
    struct timespec now;
    scope_free char *path = path_of(f, tag);

    assert_int_equal(clock_gettime(CLOCK_REALTIME, &now), 0);
    struct timespec times[2] = {now, now};
    times[0].tv_sec = times[1].tv_sec = now.tv_sec - hours * 3600;
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void the_longest_unused_go_when_there_are_too_many(void **state)
{
    struct fixture *f = *state;
    struct told told = {0};

    f->options.count_max = 8;
    reopen(f);
    for (uint8_t tag = 1; tag <= 8; tag++) {
        assert_int_equal(signatures_are_many(f->signatures), tag > 7);
        assert_true(put(f, tag));
        age(f, tag, 100 - tag);
    }
    assert_false(put(f, 9)); /* full */
    assert_true(get(f, 1));  /* the oldest has just been used */
    signatures_sweep(f->signatures, NULL, tell, &told);

    assert_false(signatures_are_many(f->signatures));
    assert_int_equal(told.count, 4);
    assert_true(get(f, 1) && get(f, 8) && get(f, 7) && get(f, 6));
    assert_false(get(f, 5));
    assert_true(put(f, 9));
}

static void bytes_are_bounded_also_of_those_of_an_earlier_run(void **state)
{
    struct fixture *f = *state;
    struct told told = {0};

    for (uint8_t tag = 1; tag <= 8; tag++)
        assert_true(put(f, tag));
    f->options.bytes_max = UINT64_C(4) * 4096;
    reopen(f);
    signatures_sweep(f->signatures, NULL, tell, &told);

    assert_int_equal(told.count, 2);
    assert_int_equal(temp_count(&f->t, ".coterie/signatures"), 2);
    assert_true(put(f, 20));
    assert_true(put(f, 21));
    assert_false(put(f, 22));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_signature_comes_back_as_it_was_also_after_a_restart),
        TEST(small_content_is_not_kept),
        TEST(a_damaged_signature_is_dropped_and_made_anew),
        TEST(a_signature_of_another_content_or_group_is_not_taken),
        TEST(a_sweep_tells_what_is_kept_and_drops_the_rest),
        TEST(the_longest_unused_go_when_there_are_too_many),
        TEST(bytes_are_bounded_also_of_those_of_an_earlier_run),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
