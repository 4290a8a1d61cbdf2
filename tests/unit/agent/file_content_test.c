/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/transfer/file_content.h"

#include "common/base/limits.h"
#include "common/base/mem.h"
#include "tests/unit/agent/temp_root.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static const struct content_hash hash = {.bytes = {1, 2, 3}};

struct fixture {
    struct temp_root t;
    struct signatures *signatures;
    struct standing standing; /* of the file "large" */
    struct file_content content;
};

static void write_large(struct fixture *f, char first)
{
    char *text = mem_new(SIGNED_SIZE_MIN + 1, 1);

    for (size_t i = 0; i < SIGNED_SIZE_MIN; i++)
        text[i] = (char)('a' + i * i % 23 + i / 4096 % 3);
    text[0] = first;
    temp_write(&f->t, "large", text);
    free(text);
}

static bool open_large(struct fixture *f)
{
    return file_content_open(&f->content, f->t.root, "large", &f->standing.object,
                             &f->standing.witness, f->standing.witness.size);
}

static int open_fixture(void **state)
{
    struct fixture *f = MEM_NEW(struct fixture);

    temp_root_open(&f->t);
    struct signatures_options options = {
        .root = f->t.root, .key = {.seed = 7}, .bytes_max = 1u << 30, .count_max = 1000};
    f->signatures = signatures_open(&options);
    write_large(f, 'x');
    f->standing = temp_look(&f->t, "large");
    f->content.fd = -1;
    assert_true(open_large(f));
    *state = f;
    return 0;
}

static int close_fixture(void **state)
{
    struct fixture *f = *state;

    file_content_close(&f->content);
    signatures_close(f->signatures);
    temp_root_close(&f->t);
    free(f);
    return 0;
}

static void a_file_is_signed_once(void **state)
{
    struct fixture *f = *state;
    struct rdc_signature *first =
        file_content_signature(&f->content, f->signatures, &hash, &f->standing.witness);

    assert_non_null(first);
    assert_true(signatures_have(f->signatures, &hash));
    file_content_close(&f->content); /* not read again */
    struct rdc_signature *second =
        file_content_signature(&f->content, f->signatures, &hash, &f->standing.witness);
    assert_non_null(second);
    assert_int_equal(first->chunk_count, second->chunk_count);
    rdc_signature_free(first);
    rdc_signature_free(second);
}

static void the_signature_of_a_file_that_has_changed_is_not_kept(void **state)
{
    struct fixture *f = *state;
    const struct timespec times[2] = {{.tv_sec = 1}, {.tv_sec = 1}}; /* clocks are coarse */

    write_large(f, 'y');
    assert_int_equal(futimens(f->content.fd, times), 0);
    rdc_signature_free(
        file_content_signature(&f->content, f->signatures, &hash, &f->standing.witness));

    assert_false(signatures_have(f->signatures, &hash));
}

static void what_the_record_does_not_claim_is_not_opened(void **state)
{
    struct fixture *f = *state;

    file_content_close(&f->content);
    f->standing.witness.modified_ns++;
    assert_false(open_large(f));
}

static void what_can_not_be_read_has_no_signature(void **state)
{
    struct fixture *f = *state;

    file_content_close(&f->content);
    assert_null(file_content_signature(&f->content, f->signatures, &hash, NULL));
    assert_false(signatures_have(f->signatures, &hash));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_file_is_signed_once),
        TEST(the_signature_of_a_file_that_has_changed_is_not_kept),
        TEST(what_the_record_does_not_claim_is_not_opened),
        TEST(what_can_not_be_read_has_no_signature),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
