/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/stage/stage.h"

#include "common/base/mem.h"
#include "tests/unit/agent/temp_root.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

struct fixture {
    struct temp_root t;
    struct stage *stage;
};

static int open_fixture(void **state)
{
    struct fixture *f = MEM_NEW(struct fixture);
    size_t left;

    temp_root_open(&f->t);
    assert_int_equal(stage_open(f->t.root, 100, &f->stage, &left), ST_OK);
    assert_int_equal(left, 0);
    *state = f;
    return 0;
}

static int close_fixture(void **state)
{
    struct fixture *f = *state;

    stage_close(f->stage);
    temp_root_close(&f->t);
    free(f);
    return 0;
}

static void a_file_is_written_in_any_order_and_read_back(void **state)
{
    struct fixture *f = *state;
    struct stage_file *file;
    struct staged staged;
    char text[16] = {0};
    int fd;

    assert_int_equal(stage_create(f->stage, 6, &file), ST_OK);
    assert_int_equal(stage_write(file, 3, span_of_string("def")), ST_OK);
    assert_int_equal(stage_write(file, 0, span_of_string("abc")), ST_OK);
    assert_int_equal(stage_finish(file, &staged), ST_OK);

    assert_int_equal(staged.size, 6);
    assert_true(staged.object.size > 0);
    assert_int_equal(stage_open_finished(f->stage, staged.number, &fd), ST_OK);
    assert_int_equal(pread(fd, text, 15, 0), 6);
    assert_string_equal(text, "abcdef");
    close(fd);
    stage_drop(f->stage, staged.number);
    assert_int_equal(stage_bytes_used(f->stage), 0);
    assert_int_equal(temp_count(&f->t, PRIVATE_DIR_NAME "/stage"), 0);
}

static void ranges_of_a_seed_are_copied(void **state)
{
    struct fixture *f = *state;
    char *path = mem_format("%s/seed", f->t.path);
    struct stage_file *file;
    char text[16] = {0};
    int seed;

    temp_write(&f->t, "seed", "0123456789");
    seed = open(path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(stage_create(f->stage, 0, &file), ST_OK);
    assert_int_equal(stage_copy(file, 0, seed, 5, 5), ST_OK);
    assert_int_equal(stage_copy(file, 5, seed, 0, 3), ST_OK);
    assert_int_equal(pread(stage_file_fd(file), text, 15, 0), 8);
    assert_string_equal(text, "56789012");
    assert_int_equal(stage_copy(file, 8, seed, 8, 3), ST_GONE);
    stage_abandon(file);
    assert_int_equal(stage_bytes_used(f->stage), 0);
    close(seed);
    free(path);
}

static void the_quota_counts_all_files_together(void **state)
{
    struct fixture *f = *state;
    struct stage_file *a;
    struct stage_file *b;
    struct stage_file *c;

    assert_int_equal(stage_create(f->stage, 60, &a), ST_OK);
    assert_int_equal(stage_create(f->stage, 41, &b), ST_FULL);
    assert_int_equal(stage_create(f->stage, 40, &b), ST_OK);
    assert_int_equal(stage_create(f->stage, 1, &c), ST_FULL);
    assert_int_equal(stage_write(a, 60, span_of_string("x")), ST_FULL);
    stage_abandon(a);
    assert_int_equal(stage_create(f->stage, 60, &c), ST_OK);
    stage_abandon(b);
    stage_abandon(c);
    assert_int_equal(stage_bytes_used(f->stage), 0);
}

static void a_file_above_the_quota_passes_when_it_is_alone(void **state)
{
    struct fixture *f = *state;
    struct stage_file *a;
    struct stage_file *b;

    assert_int_equal(stage_create(f->stage, 1000, &a), ST_OK);
    assert_int_equal(stage_write(a, 1000, span_of_string("more")), ST_OK);
    assert_int_equal(stage_create(f->stage, 1, &b), ST_FULL);
    assert_int_equal(stage_resize(a, 10), ST_OK);
    assert_int_equal(stage_bytes_used(f->stage), 10);
    assert_int_equal(stage_create(f->stage, 1, &b), ST_OK);
    stage_abandon(a);
    stage_abandon(b);
}

static void offsets_that_overflow_are_refused(void **state)
{
    struct fixture *f = *state;
    struct stage_file *file;

    assert_int_equal(stage_create(f->stage, 0, &file), ST_OK);
    assert_int_equal(stage_write(file, UINT64_MAX - 1, span_of_string("abc")), ST_BADDATA);
    stage_abandon(file);
    assert_int_equal(stage_create(f->stage, 0, &file), ST_OK);
    assert_int_equal(stage_copy(file, 0, 0, UINT64_MAX, 2), ST_BADDATA);
    stage_abandon(file);
    assert_int_equal(stage_create(f->stage, UINT64_MAX, &file), ST_OK);
    assert_int_equal(stage_write(file, INT64_MAX, span_of_string("a")), ST_BADDATA);
    stage_abandon(file);
    assert_int_equal(stage_bytes_used(f->stage), 0);
}

static void what_an_earlier_run_left_is_dropped_and_told(void **state)
{
    struct fixture *f = *state;
    size_t left;

    stage_close(f->stage);
    temp_write(&f->t, PRIVATE_DIR_NAME "/stage/17", "half");
    temp_make_dir(&f->t, PRIVATE_DIR_NAME "/stage/odd");
    temp_write(&f->t, PRIVATE_DIR_NAME "/stage/odd/x", "x");
    assert_int_equal(stage_open(f->t.root, 100, &f->stage, &left), ST_OK);
    assert_int_equal(left, 2);
    assert_int_equal(temp_count(&f->t, PRIVATE_DIR_NAME "/stage"), 0);
    assert_int_equal(temp_count(&f->t, PRIVATE_DIR_NAME "/trash"), 0);
}

static void a_full_disk_is_told_and_the_space_comes_back(void **state)
{
    struct fixture *f = *state;
    char *path = mem_format("%s/small", f->t.base);
    struct root_options options = {.path = path, .folder = f->t.folder, .log = &f->t.log};
    struct buf problem = {0};
    struct root *root;
    struct stage *small;
    struct stage_file *file;
    uint8_t *block = mem_new(1, 1 << 20);
    size_t left;

    assert_int_equal(mkdir(path, 0755), 0);
    if (geteuid() != 0 || mount("tmpfs", path, "tmpfs", 0, "size=512k") != 0) {
        free(block);
        free(path);
        skip(); /* mount */
    }
    assert_int_equal(root_open(&options, &problem, &root), ST_OK);
    assert_int_equal(stage_open(root, 1 << 30, &small, &left), ST_OK);
    assert_int_equal(stage_create(small, 1 << 20, &file), ST_OK);
    assert_int_equal(stage_write(file, 0, span_of(block, 1 << 20)), ST_FULL);
    stage_abandon(file);
    assert_int_equal(stage_bytes_used(small), 0);
    assert_int_equal(stage_create(small, 1000, &file), ST_OK);
    assert_int_equal(stage_write(file, 0, span_of(block, 1000)), ST_OK);
    stage_abandon(file);
    stage_close(small);
    root_close(root);
    assert_int_equal(umount(path), 0);
    buf_fini(&problem);
    free(block);
    free(path);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_file_is_written_in_any_order_and_read_back),
        TEST(ranges_of_a_seed_are_copied),
        TEST(the_quota_counts_all_files_together),
        TEST(a_file_above_the_quota_passes_when_it_is_alone),
        TEST(offsets_that_overflow_are_refused),
        TEST(what_an_earlier_run_left_is_dropped_and_told),
        TEST(a_full_disk_is_told_and_the_space_comes_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
