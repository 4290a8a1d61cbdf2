/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/scan/scan.h"

#include "common/base/limits.h"
#include "common/base/mem.h"
#include "tests/unit/agent/temp_root.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

struct fixture {
    struct temp_root t;
    struct filter file_filter;
    struct filter dir_filter;
    char seen[65536]; /* "dir/name" or "dir/name!reason" a line */
    size_t entry_count;
    size_t batch_size_max;
};

static int open_fixture(void **state)
{
    struct fixture *f = MEM_NEW(struct fixture);

    temp_root_open(&f->t);
    *state = f;
    return 0;
}

static int close_fixture(void **state)
{
    struct fixture *f = *state;

    filter_fini(&f->file_filter);
    filter_fini(&f->dir_filter);
    temp_root_close(&f->t);
    free(f);
    return 0;
}

static enum status read_at(const struct fixture *f, const char *path, struct scan_content *out)
{
    struct scan_read_options options = {.root = f->t.root, .path = path};

    return scan_read(&options, out);
}

static enum status scan_all(struct fixture *f, const char *path, bool recursive)
{
    struct scan_options options = {.root = f->t.root,
                                   .path = path,
                                   .recursive = recursive,
                                   .file_filter = &f->file_filter,
                                   .dir_filter = &f->dir_filter};
    struct scan *scan = scan_begin(&options);
    struct scan_batch batch = {0};
    size_t size = 0;
    enum status st;

    f->seen[0] = '\0';
    f->entry_count = 0;
    while ((st = scan_next(scan, &batch)) == ST_OK && !batch.finished) {
        if (batch.entry_count > f->batch_size_max)
            f->batch_size_max = batch.entry_count;
        f->entry_count += batch.entry_count;
        for (size_t i = 0; i < batch.entry_count && size + 600 < sizeof f->seen; i++) {
            const struct scan_entry *e = &batch.entries[i];

            size += (size_t)snprintf(f->seen + size, sizeof f->seen - size, "%s%s%s%s%s\n",
                                     batch.path, *batch.path ? "/" : "", e->name,
                                     e->skip ? "!" : "", e->skip ? scan_skip_name(e->skip) : "");
        }
        assert_true(!batch.dir_done || batch.dir_complete);
    }
    scan_batch_fini(&batch);
    scan_end(scan);
    return st;
}

static bool saw(const struct fixture *f, const char *line)
{
    char *text = mem_format("\n%s\n", line);
    bool hit = strstr(f->seen, text) != NULL || strncmp(f->seen, text + 1, strlen(text) - 1) == 0;

    free(text);
    return hit;
}

static void every_entry_is_told_once_and_parents_first(void **state)
{
    struct fixture *f = *state;

    temp_make_dir(&f->t, "d");
    temp_make_dir(&f->t, "d/e");
    temp_make_dir(&f->t, "x");
    temp_write(&f->t, "d/e/a", "1");
    temp_write(&f->t, "b", "2");
    temp_write(&f->t, "x/c", "3");
    assert_int_equal(scan_all(f, "", true), ST_OK);

    assert_int_equal(f->entry_count, 6);
    assert_true(saw(f, "d") && saw(f, "d/e") && saw(f, "d/e/a") && saw(f, "b") && saw(f, "x/c"));
    assert_true(strstr(f->seen, "d\n") < strstr(f->seen, "d/e\n"));
    assert_true(strstr(f->seen, "d/e\n") < strstr(f->seen, "d/e/a\n"));
    assert_int_equal(scan_all(f, "d", false), ST_OK);
    assert_string_equal(f->seen, "d/e\n");
    assert_int_equal(scan_all(f, "nowhere", true), ST_GONE);
}

static void a_directory_that_became_a_link_is_gone(void **state)
{
    struct fixture *f = *state;
    struct scan_content content = {0};

    temp_make_dir(&f->t, "other");
    assert_int_equal(symlinkat("other", root_fd(f->t.root), "link"), 0);

    assert_int_equal(scan_all(f, "link", true), ST_GONE);
    assert_int_equal(read_at(f, "link/file", &content), ST_GONE);
}

static void the_private_directory_and_filtered_names_are_passed_over(void **state)
{
    struct fixture *f = *state;

    assert_true(filter_add_list(&f->file_filter, FILTER_FILE_DEFAULT));
    assert_true(filter_add_list(&f->dir_filter, "cache"));
    temp_write(&f->t, "a.tmp", "1");
    temp_write(&f->t, "cache.txt", "1");
    temp_make_dir(&f->t, "cache");
    temp_write(&f->t, "cache/inside", "1");
    temp_make_dir(&f->t, "dir.tmp");
    assert_int_equal(scan_all(f, "", true), ST_OK);

    assert_int_equal(f->entry_count, 2);
    assert_true(saw(f, "cache.txt") && saw(f, "dir.tmp"));
}

static void special_files_are_told_with_the_reason(void **state)
{
    struct fixture *f = *state;
    char *fifo = mem_format("%s/fifo", f->t.path);

    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_int_equal(scan_all(f, "", true), ST_OK);
    assert_string_equal(f->seen, "fifo!special file\n");
    free(fifo);
}

static void a_nested_mount_is_not_entered(void **state)
{
    struct fixture *f = *state;
    char *path = mem_format("%s/mount", f->t.path);
    struct scan_content content = {0};

    if (geteuid() != 0) {
        free(path);
        skip(); /* mount */
    }
    temp_make_dir(&f->t, "mount");
    if (mount("tmpfs", path, "tmpfs", 0, "size=64k") != 0) {
        free(path);
        skip();
    }
    temp_write(&f->t, "mount/inside", "1");
    assert_int_equal(scan_all(f, "", true), ST_OK);
    assert_string_equal(f->seen, "mount!nested mount\n");
    assert_int_not_equal(read_at(f, "mount/inside", &content),
                         ST_OK);
    assert_int_equal(umount(path), 0);
    free(path);
}

static void a_large_directory_comes_in_bounded_batches(void **state)
{
    struct fixture *f = *state;

    temp_make_dir(&f->t, "many");
    for (unsigned i = 0; i < 2 * SCAN_BATCH_COUNT_MAX + 5; i++) {
        char name[32];

        snprintf(name, sizeof name, "many/%u", i);
        temp_write(&f->t, name, "");
    }
    assert_int_equal(scan_all(f, "many", true), ST_OK);
    assert_int_equal(f->entry_count, 2 * SCAN_BATCH_COUNT_MAX + 5);
    assert_int_equal(f->batch_size_max, SCAN_BATCH_COUNT_MAX);
}

/* Directories of 250 bytes each, until the path is far beyond PATH_MAX; bottom-up removal needs help. */
static void a_tree_deeper_than_a_path_is_walked_and_discarded(void **state)
{
    struct fixture *f = *state;
    enum { DEPTH = 40 };
    char name[251];
    int fd = dup(root_fd(f->t.root));
    struct spot top;

    memset(name, 'd', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    for (unsigned i = 0; i < DEPTH; i++) {
        int next;

        assert_int_equal(mkdirat(fd, name, 0755), 0);
        next = openat(fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(next >= 0);
        close(fd);
        fd = next;
    }
    close(fd);
    assert_int_equal(scan_all(f, "", true), ST_OK);
    assert_int_equal(f->entry_count, DEPTH);

    assert_int_equal(spot_open(root_fd(f->t.root), name, &top), 0);
    assert_int_equal(spot_discard(&top, root_private_fd(f->t.root, PRIVATE_TRASH)), 0);
    assert_int_equal(beneath_empty_trash(root_private_fd(f->t.root, PRIVATE_TRASH)), 0);
    spot_fini(&top);
    assert_int_equal(scan_all(f, "", true), ST_OK);
    assert_int_equal(f->entry_count, 0);
}

static void a_scan_ends_when_it_is_told_to(void **state)
{
    struct fixture *f = *state;
    atomic_bool stop = false;
    struct scan_options options = {.root = f->t.root, .path = "", .recursive = true, .stop = &stop};
    struct scan *scan = scan_begin(&options);
    struct scan_batch batch = {0};

    assert_int_equal(scan_next(scan, &batch), ST_OK);
    atomic_store(&stop, true);
    assert_int_equal(scan_next(scan, &batch), ST_STOP);
    scan_batch_fini(&batch);
    scan_end(scan);
}

/* --- reading --- */

static void content_attributes_and_witness_belong_together(void **state)
{
    struct fixture *f = *state;
    struct scan_content content = {0};
    struct standing now;
    static const uint8_t sha256_abc[] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea,
                                         0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23,
                                         0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c,
                                         0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad};

    temp_write(&f->t, "a", "abc");
    assert_int_equal(read_at(f, "a", &content), ST_OK);
    now = temp_look(&f->t, "a");

    assert_int_equal(content.kind, FILE_REGULAR);
    assert_int_equal(content.size, 3);
    assert_memory_equal(content.hash.bytes, sha256_abc, sizeof sha256_abc);
    assert_true(object_equal(&content.object, &now.object));
    assert_true(witness_equal(&content.witness, &now.witness));
    assert_true(content.attributes.size > 0);
    assert_true(content.create_time > 0);
    scan_content_fini(&content);
}

static void content_is_signed_in_the_pass_that_hashes_it(void **state)
{
    struct fixture *f = *state;
    struct rdc_key key = {.seed = 5};
    struct scan_read_options options = {.root = f->t.root, .path = "large", .sign = &key};
    struct rdc_signature_options signing = {.key = key};
    size_t size = SIGNED_SIZE_MIN + 4711;
    char *text = mem_new(size + 1, 1);
    struct span bytes = span_of(text, size);
    struct rdc_content content = rdc_content_of(&bytes);
    struct scan_content plain = {0};
    struct scan_content with_signature = {0};
    struct rdc_signature *expected;

    for (size_t i = 0; i < size; i++)
        text[i] = (char)('a' + i * i % 23 + i % 3);
    temp_write(&f->t, "large", text);
    assert_int_equal(rdc_signature_of(&content, &signing, &expected), ST_OK);
    text[SIGNED_SIZE_MIN - 1] = '\0';
    temp_write(&f->t, "small", text);

    assert_int_equal(read_at(f, "large", &plain), ST_OK);
    assert_int_equal(scan_read(&options, &with_signature), ST_OK);

    assert_null(plain.signature);
    assert_memory_equal(plain.hash.bytes, with_signature.hash.bytes, CONTENT_HASH_SIZE);
    assert_non_null(with_signature.signature);
    assert_int_equal(with_signature.signature->size, size);
    assert_int_equal(with_signature.signature->chunk_count, expected->chunk_count);
    assert_memory_equal(with_signature.signature->identities, expected->identities,
                        expected->chunk_count * sizeof(*expected->identities));
    options.path = "small";
    assert_int_equal(scan_read(&options, &with_signature), ST_OK);
    assert_null(with_signature.signature);
    rdc_signature_free(expected);
    scan_content_fini(&plain);
    scan_content_fini(&with_signature);
    free(text);
}

static void links_and_directories_are_read_and_not_followed(void **state)
{
    struct fixture *f = *state;
    struct scan_content content = {0};
    char *link = mem_format("%s/link", f->t.path);

    temp_make_dir(&f->t, "d");
    assert_int_equal(symlink("/etc/passwd", link), 0);
    assert_int_equal(read_at(f, "link", &content), ST_OK);
    assert_int_equal(content.kind, FILE_SYMLINK);
    assert_int_equal(content.size, 11);
    assert_int_equal(read_at(f, "d", &content), ST_OK);
    assert_int_equal(content.kind, FILE_DIRECTORY);
    assert_int_equal(content.size, 0);
    assert_int_not_equal(read_at(f, "link/x", &content), ST_OK);
    scan_content_fini(&content);
    free(link);
}

static void what_is_not_there_or_not_replicated_is_told_apart(void **state)
{
    struct fixture *f = *state;
    struct scan_content content = {0};
    char *fifo = mem_format("%s/fifo", f->t.path);

    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_int_equal(read_at(f, "a", &content), ST_GONE);
    assert_int_equal(read_at(f, "a/b", &content), ST_GONE);
    assert_int_equal(read_at(f, "fifo", &content), ST_BADDATA);
    free(fifo);
}

static void a_file_being_written_is_left_for_later(void **state)
{
    struct fixture *f = *state;
    struct scan_content content = {0};
    char *path = mem_format("%s/a", f->t.path);
    void *map;
    int fd;

    temp_write(&f->t, "a", "abc");
    fd = open(path, O_RDWR | O_CLOEXEC);
    assert_int_equal(read_at(f, "a", &content), ST_AGAIN);
    map = mmap(NULL, 3, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_ptr_not_equal(map, MAP_FAILED);
    close(fd);
    assert_int_equal(read_at(f, "a", &content), ST_AGAIN);
    munmap(map, 3);
    assert_int_equal(read_at(f, "a", &content), ST_OK);
    scan_content_fini(&content);
    free(path);
}

struct writer {
    char *path;
    atomic_bool stop;
};

/* Files of one letter, 128 KiB each time, in place. */
static void *write_letters(void *arg)
{
    struct writer *w = arg;
    char *block = mem_new(1, 131072);

    for (unsigned n = 0; !atomic_load(&w->stop); n++) {
        int fd = open(w->path, O_WRONLY | O_CLOEXEC);

        memset(block, 'a' + (int)(n % 26), 131072);
        assert_int_equal(pwrite(fd, block, 131072, 0), 131072);
        close(fd);
        /* Let the reader find it at rest now and then. */
        for (unsigned pause = n % 3 ? 5 : 100; pause > 0; pause--)
            sched_yield();
    }
    free(block);
    return NULL;
}

static void a_hash_is_never_of_two_versions(void **state)
{
    struct fixture *f = *state;
    struct writer writer = {.path = mem_format("%s/a", f->t.path)};
    struct content_hash hashes[26];
    char *block = mem_new(1, 131072);
    pthread_t thread;
    unsigned read_count = 0;

    for (int letter = 0; letter < 26; letter++) {
        struct scan_content content = {0};
        int fd = open(writer.path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

        memset(block, 'a' + letter, 131072);
        assert_int_equal(pwrite(fd, block, 131072, 0), 131072);
        close(fd);
        assert_int_equal(read_at(f, "a", &content), ST_OK);
        hashes[letter] = content.hash;
        scan_content_fini(&content);
    }
    assert_int_equal(pthread_create(&thread, NULL, write_letters, &writer), 0);
    for (unsigned round = 0; round < 500; round++) {
        struct scan_content content = {0};
        bool known = false;

        if (read_at(f, "a", &content) != ST_OK)
            continue;
        for (int letter = 0; letter < 26; letter++)
            known |= memcmp(&hashes[letter], &content.hash, sizeof content.hash) == 0;
        assert_true(known);
        read_count++;
        scan_content_fini(&content);
    }
    atomic_store(&writer.stop, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    print_message("%u of 500 reads found the file at rest\n", read_count);
    assert_true(read_count > 0);
    free(block);
    free(writer.path);
}

static void a_partner_gets_only_what_the_record_claims(void **state)
{
    struct fixture *f = *state;
    struct scan_content content = {0};
    int fd;

    temp_write(&f->t, "a", "abc");
    assert_int_equal(read_at(f, "a", &content), ST_OK);
    assert_int_equal(scan_open(f->t.root, "a", &content.object, &content.witness, &fd), ST_OK);
    assert_true(scan_check_open(fd, &content.witness));
    temp_write(&f->t, "a", "xyz");
    assert_false(scan_check_open(fd, &content.witness));
    close(fd);
    assert_int_equal(scan_open(f->t.root, "a", &content.object, &content.witness, &fd), ST_GONE);
    scan_content_fini(&content);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_entry_is_told_once_and_parents_first),
        TEST(a_directory_that_became_a_link_is_gone),
        TEST(the_private_directory_and_filtered_names_are_passed_over),
        TEST(special_files_are_told_with_the_reason),
        TEST(a_nested_mount_is_not_entered),
        TEST(a_large_directory_comes_in_bounded_batches),
        TEST(a_tree_deeper_than_a_path_is_walked_and_discarded),
        TEST(a_scan_ends_when_it_is_told_to),
        TEST(content_attributes_and_witness_belong_together),
        TEST(content_is_signed_in_the_pass_that_hashes_it),
        TEST(links_and_directories_are_read_and_not_followed),
        TEST(what_is_not_there_or_not_replicated_is_told_apart),
        TEST(a_file_being_written_is_left_for_later),
        TEST(a_hash_is_never_of_two_versions),
        TEST(a_partner_gets_only_what_the_record_claims),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
