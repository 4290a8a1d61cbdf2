/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/root/root.h"

#include "common/base/mem.h"
#include "common/base/scope.h"
#include "tests/unit/agent/temp_root.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static int open_fixture(void **state)
{
    struct temp_root *t = MEM_NEW(struct temp_root);

    temp_root_open(t);
    *state = t;
    return 0;
}

static int close_fixture(void **state)
{
    temp_root_close(*state);
    free(*state);
    return 0;
}

static enum status try_open(const struct temp_root *t, struct guid folder, struct guid token,
                            struct buf *problem)
{
    struct root_options options = {
        .path = t->path, .folder = folder, .token = token, .log = &t->log};
    struct root *root = NULL;
    enum status st = root_open(&options, problem, &root);

    root_close(root);
    return st;
}

static void a_root_is_set_up_privately_and_adopted_again(void **state)
{
    struct temp_root *t = *state;
    struct guid token = root_token(t->root);
    struct buf problem = {0};

    assert_int_equal(temp_look(t, PRIVATE_DIR_NAME).mode, 0700);
    assert_int_equal(root_check(t->root, &problem), ST_OK);
    assert_int_equal(try_open(t, t->folder, (struct guid){0}, &problem), ST_OK);
    assert_int_equal(try_open(t, t->folder, token, &problem), ST_OK);
    temp_root_reopen(t);
    struct guid again = root_token(t->root);
    assert_true(guid_equal(&token, &again));
    buf_fini(&problem);
}

static void another_folders_root_is_refused(void **state)
{
    struct temp_root *t = *state;
    struct buf problem = {0};

    assert_int_equal(try_open(t, guid_random(), (struct guid){0}, &problem), ST_BADDATA);
    assert_non_null(strstr(buf_text(&problem), "another replicated folder"));
    buf_fini(&problem);
}

static void a_wiped_marker_is_not_taken_for_an_empty_tree(void **state)
{
    struct temp_root *t = *state;
    struct guid token = root_token(t->root);
    struct buf problem = {0};

    temp_remove(t, PRIVATE_DIR_NAME "/marker");
    assert_int_equal(root_check(t->root, &problem), ST_GONE);
    assert_int_equal(try_open(t, t->folder, token, &problem), ST_GONE);
    assert_non_null(strstr(buf_text(&problem), "marker is missing"));
    assert_false(temp_exists(t, PRIVATE_DIR_NAME "/marker"));

    /* A marker made by hand does not count: its token is another. */
    assert_int_equal(try_open(t, t->folder, (struct guid){0}, &problem), ST_OK);
    assert_int_equal(try_open(t, t->folder, token, &problem), ST_GONE);
    assert_int_equal(root_check(t->root, &problem), ST_GONE);
    buf_fini(&problem);
}

static void a_damaged_marker_is_told(void **state)
{
    struct temp_root *t = *state;
    struct buf problem = {0};

    temp_write(t, PRIVATE_DIR_NAME "/marker", "nonsense");
    assert_int_equal(root_check(t->root, &problem), ST_BADDATA);
    assert_non_null(strstr(buf_text(&problem), "damaged"));
    buf_fini(&problem);
}

static void a_moved_or_replaced_root_fails_the_check(void **state)
{
    struct temp_root *t = *state;
    struct guid token = root_token(t->root);
    struct buf problem = {0};
    char *away = mem_format("%s/away", t->base);

    assert_int_equal(rename(t->path, away), 0);
    assert_int_equal(root_check(t->root, &problem), ST_GONE);
    assert_int_equal(mkdir(t->path, 0755), 0);
    assert_int_equal(root_check(t->root, &problem), ST_GONE);
    assert_non_null(strstr(buf_text(&problem), "another directory"));
    assert_int_equal(try_open(t, t->folder, token, &problem), ST_GONE);
    assert_int_equal(rmdir(t->path), 0);
    assert_int_equal(symlink(away, t->path), 0);
    assert_int_equal(root_check(t->root, &problem), ST_BADDATA);
    assert_int_equal(unlink(t->path), 0);
    assert_int_equal(rename(away, t->path), 0);
    assert_int_equal(root_check(t->root, &problem), ST_OK);
    buf_fini(&problem);
    free(away);
}

static void another_file_system_at_the_path_fails_the_check(void **state)
{
    struct temp_root *t = *state;
    struct buf problem = {0};

    if (geteuid() != 0 || mount("tmpfs", t->path, "tmpfs", 0, "size=64k") != 0)
        skip(); /* mount */
    assert_int_equal(root_check(t->root, &problem), ST_GONE);
    assert_non_null(strstr(buf_text(&problem), "another file system"));
    assert_int_equal(umount(t->path), 0);
    assert_int_equal(root_check(t->root, &problem), ST_OK);
    buf_fini(&problem);
}

static void a_planted_private_directory_is_refused(void **state)
{
    struct temp_root *t = *state;
    struct buf problem = {0};
    char *private = mem_format("%s/" PRIVATE_DIR_NAME, t->path);
    char *away = mem_format("%s/away", t->path);

    assert_int_equal(rename(private, away), 0);
    assert_int_equal(symlink("/tmp", private), 0);
    assert_int_equal(try_open(t, t->folder, (struct guid){0}, &problem), ST_BADDATA);
    assert_int_equal(unlink(private), 0);
    if (geteuid() == 0) {
        assert_int_equal(mkdir(private, 0777), 0);
        assert_int_equal(chown(private, 65534, 65534), 0);
        assert_int_equal(try_open(t, t->folder, (struct guid){0}, &problem), ST_BADDATA);
        assert_non_null(strstr(buf_text(&problem), "belongs to user 65534"));
        assert_int_equal(rmdir(private), 0);
    }
    assert_int_equal(rename(away, private), 0);
    buf_fini(&problem);
    free(private);
    free(away);
}

static void a_missing_root_is_made_only_when_asked(void **state)
{
    struct temp_root *t = *state;
    struct buf problem = {0};
    char *other = mem_format("%s/other", t->base);
    struct root_options options = {.path = other, .folder = t->folder, .log = &t->log};
    struct root *root = NULL;

    assert_int_equal(root_open(&options, &problem, &root), ST_GONE);
    options.create = true;
    options.token = guid_random();
    assert_int_equal(root_open(&options, &problem, &root), ST_GONE);
    assert_int_not_equal(access(other, F_OK), 0);
    options.token = (struct guid){0};
    assert_int_equal(root_open(&options, &problem, &root), ST_OK);
    root_close(root);
    buf_fini(&problem);
    free(other);
}

static void an_object_is_located_wherever_it_went(void **state)
{
    struct temp_root *t = *state;
    char *outside = mem_format("%s/outside", t->base);
    char *inside = mem_format("%s/d/b", t->path);
    struct object object;
    char *path = NULL;

    if (geteuid() != 0)
        skip(); /* open_by_handle_at */
    temp_make_dir(t, "d");
    temp_write(t, "a", "x");
    object = temp_look(t, "a").object;
    temp_rename(t, "a", "d/b");
    assert_int_equal(root_locate(t->root, &object, &path), ROOT_LOCATED_INSIDE);
    assert_string_equal(path, "d/b");
    free(path);
    path = NULL;
    temp_rename(t, "d/b", PRIVATE_DIR_NAME "/stage/7");
    assert_int_equal(root_locate(t->root, &object, &path), ROOT_LOCATED_PRIVATE);
    temp_make_dir(t, PRIVATE_DIR_NAME "/parked/8");
    temp_rename(t, PRIVATE_DIR_NAME "/stage/7", PRIVATE_DIR_NAME "/parked/8/b");
    assert_int_equal(root_locate(t->root, &object, &path), ROOT_LOCATED_IN_PARKED);
    assert_string_equal(path, PRIVATE_DIR_NAME "/parked/8/b");
    free(path);
    path = NULL;
    temp_rename(t, PRIVATE_DIR_NAME "/parked/8/b", PRIVATE_DIR_NAME "/preserve/7");
    assert_int_equal(root_locate(t->root, &object, &path), ROOT_LOCATED_DISCARDED);
    temp_rename(t, PRIVATE_DIR_NAME "/preserve/7", "d/b");
    assert_int_equal(rename(inside, outside), 0);
    assert_int_equal(root_locate(t->root, &object, &path), ROOT_LOCATED_OUTSIDE);
    assert_int_equal(unlink(outside), 0);
    assert_int_equal(root_locate(t->root, &object, &path), ROOT_LOCATED_GONE);
    object = root_object(t->root);
    assert_int_equal(root_locate(t->root, &object, &path), ROOT_LOCATED_INSIDE);
    assert_string_equal(path, "");
    free(path);
    free(outside);
    free(inside);
}

static void a_file_whose_names_were_forgotten_is_nameless_until_it_is_looked_up(void **state)
{
    struct temp_root *t = *state;
    struct object object;
    struct object dir;
    char *path = NULL;

    if (geteuid() != 0)
        skip(); /* open_by_handle_at */
    temp_make_dir(t, "d");
    temp_write(t, "d/a", "x");
    object = temp_look(t, "d/a").object;
    dir = temp_look(t, "d").object;
    temp_forget_names();
    assert_int_equal(root_locate(t->root, &object, &path), ROOT_LOCATED_NAMELESS);
    assert_int_equal(root_locate(t->root, &dir, &path), ROOT_LOCATED_INSIDE);
    assert_string_equal(path, "d");
    free(path);
    path = NULL;
    temp_look(t, "d/a");
    assert_int_equal(root_locate(t->root, &object, &path), ROOT_LOCATED_INSIDE);
    assert_string_equal(path, "d/a");
    free(path);
}

static void a_removed_link_that_is_held_open_names_nothing(void **state)
{
    struct temp_root *t = *state;
    char *a = mem_format("%s/a", t->path);
    char *b = mem_format("%s/b", t->path);
    scope_fd int fd = -1;
    struct object object;
    char *path = NULL;

    if (geteuid() != 0)
        skip(); /* open_by_handle_at */
    temp_write(t, "a", "x");
    object = temp_look(t, "a").object;
    fd = open(a, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(link(a, b), 0);
    assert_int_equal(unlink(a), 0);
    if (root_locate(t->root, &object, &path) == ROOT_LOCATED_INSIDE)
        assert_string_equal(path, "b"); /* the kernel may know the other link as well */
    else
        assert_int_equal(root_locate(t->root, &object, &path), ROOT_LOCATED_NAMELESS);
    free(path);
    free(a);
    free(b);
}

static void paths_follow_no_link_and_leave_no_root(void **state)
{
    static const char *const bad[] = {"..", ".", "a/..", "/", "/a", "a//b", "a/", "../root"};
    struct temp_root *t = *state;
    char *link = mem_format("%s/link", t->path);
    scope_fd int fd = -1;
    struct spot spot;

    temp_make_dir(t, "d");
    temp_write(t, "d/a", "x");
    assert_int_equal(symlink("d", link), 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(beneath_open(root_fd(t->root), bad[i], O_PATH), -1);
        assert_int_equal(spot_open(root_fd(t->root), bad[i], &spot), -1);
    }
    assert_int_equal(beneath_open(root_fd(t->root), "link/a", O_PATH), -1);
    assert_int_equal(errno, ELOOP);
    assert_int_equal(beneath_open(root_fd(t->root), "link", O_RDONLY), -1);
    fd = beneath_open(root_fd(t->root), "link", O_PATH);
    assert_true(fd >= 0);
    free(link);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)

static void a_path_is_a_name_in_what_is_above_it(void **state)
{
    char *above = beneath_above("a/b/c");

    (void)state;
    assert_string_equal(above, "a/b");
    assert_string_equal(beneath_name("a/b/c"), "c");
    free(above);
    above = beneath_above("c");
    assert_string_equal(above, "");
    free(above);
}

#define CHURN_COUNT 64

static void churn_name(unsigned i, char name[32])
{
    snprintf(name, 32, "churn-%u", i % CHURN_COUNT);
}

static void churn_make(const struct temp_root *t, unsigned i)
{
    char name[32];

    churn_name(i, name);
    int fd = openat(root_fd(t->root), name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    if (fd >= 0)
        close(fd);
}

static void churn_remove(const struct temp_root *t, unsigned i)
{
    char name[32];

    churn_name(i, name);
    unlinkat(root_fd(t->root), name, 0);
}

/* Makes and removes files beside what is looked for, until it is killed. */
static pid_t begin_churn(const struct temp_root *t)
{
    pid_t child = fork();

    assert_true(child >= 0);
    if (child > 0)
        return child;
    for (;;) {
        for (unsigned i = 0; i < CHURN_COUNT; i++)
            churn_make(t, i);
        for (unsigned i = 0; i < CHURN_COUNT; i++)
            churn_remove(t, i);
    }
}

/* The kernel says ENOMEM of an inode that is just coming or going; thousands of these in 10 s. */
static void what_has_gone_is_gone_though_its_inode_is_being_used_again(void **state)
{
    struct temp_root *t = *state;
    enum { GONE = CHURN_COUNT, ROUNDS = 3000 };
    struct object objects[GONE];

    if (geteuid() != 0)
        skip(); /* open_by_handle_at */
    for (unsigned i = 0; i < GONE; i++) {
        char name[32];

        churn_make(t, i);
        churn_name(i, name);
        objects[i] = temp_look(t, name).object;
    }
    for (unsigned i = 0; i < GONE; i++)
        churn_remove(t, i);
    pid_t child = begin_churn(t);
    unsigned unknown = 0;

    for (unsigned i = 0; i < ROUNDS * GONE; i++) {
        scope_free char *path = NULL;

        unknown += root_locate(t->root, &objects[i % GONE], &path) == ROOT_LOCATED_UNKNOWN;
    }
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    assert_int_equal(unknown, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_is_a_name_in_what_is_above_it),
        TEST(a_root_is_set_up_privately_and_adopted_again),
        TEST(another_folders_root_is_refused),
        TEST(a_wiped_marker_is_not_taken_for_an_empty_tree),
        TEST(a_damaged_marker_is_told),
        TEST(a_moved_or_replaced_root_fails_the_check),
        TEST(another_file_system_at_the_path_fails_the_check),
        TEST(a_planted_private_directory_is_refused),
        TEST(a_missing_root_is_made_only_when_asked),
        TEST(an_object_is_located_wherever_it_went),
        TEST(a_file_whose_names_were_forgotten_is_nameless_until_it_is_looked_up),
        TEST(a_removed_link_that_is_held_open_names_nothing),
        TEST(what_has_gone_is_gone_though_its_inode_is_being_used_again),
        TEST(paths_follow_no_link_and_leave_no_root),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
