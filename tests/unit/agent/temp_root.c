/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/agent/temp_root.h"

#include "common/base/mem.h"
#include "common/base/scope.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

char temp_root_last_line[1024];

static void keep_line(enum log_level level, const char *line, void *arg)
{
    (void)level;
    (void)arg;
    snprintf(temp_root_last_line, sizeof temp_root_last_line, "%s", line);
}

static void open_root(struct temp_root *t, struct guid token)
{
    struct root_options options = {
        .path = t->path, .folder = t->folder, .token = token, .create = true, .log = &t->log};
    struct buf problem = {0};

    if (root_open(&options, &problem, &t->root) != ST_OK)
        fail_msg("%s", buf_text(&problem));
    buf_fini(&problem);
}

void temp_root_open(struct temp_root *t)
{
    const char *tmp = getenv("TMPDIR");

    log_capture(keep_line, NULL);
    temp_root_last_line[0] = '\0';
    *t = (struct temp_root){.folder = guid_random()};
    t->base = mem_format("%s/coterie-unit-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(t->base));
    t->path = mem_format("%s/root", t->base);
    log_ctx_init(&t->log, NULL, "folder=test");
    open_root(t, (struct guid){0});
}

void temp_root_reopen(struct temp_root *t)
{
    struct guid token = root_token(t->root);

    root_close(t->root);
    open_root(t, token);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

void temp_remove_tree(const char *path)
{
    assert_int_equal(nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

void temp_root_close(struct temp_root *t)
{
    root_close(t->root);
    temp_remove_tree(t->base);
    free(t->base);
    free(t->path);
    log_capture(NULL, NULL);
}

void temp_write(const struct temp_root *t, const char *path, const char *content)
{
    scope_free char *full = mem_format("%s/%s", t->path, path);
    scope_fd int fd = open(full, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, strlen(content)), strlen(content));
}

void temp_make_dir(const struct temp_root *t, const char *path)
{
    scope_free char *full = mem_format("%s/%s", t->path, path);

    assert_int_equal(mkdir(full, 0755), 0);
}

void temp_remove(const struct temp_root *t, const char *path)
{
    scope_free char *full = mem_format("%s/%s", t->path, path);

    assert_int_equal(remove(full), 0);
}

void temp_rename(const struct temp_root *t, const char *from, const char *to)
{
    scope_free char *full_from = mem_format("%s/%s", t->path, from);
    scope_free char *full_to = mem_format("%s/%s", t->path, to);

    assert_int_equal(rename(full_from, full_to), 0);
}

bool temp_exists(const struct temp_root *t, const char *path)
{
    scope_free char *full = mem_format("%s/%s", t->path, path);
    struct stat st;

    return lstat(full, &st) == 0;
}

struct standing temp_look(const struct temp_root *t, const char *path)
{
    struct standing standing;
    struct spot spot;

    assert_int_equal(spot_open(root_fd(t->root), path, &spot), 0);
    assert_int_equal(spot_look(&spot, &standing), 0);
    spot_fini(&spot);
    return standing;
}

void temp_forget_names(void)
{
    scope_fd int fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, "2", 1), 1);
}

void temp_assert_content(const struct temp_root *t, const char *path, const char *content)
{
    scope_free char *full = mem_format("%s/%s", t->path, path);
    scope_fd int fd = open(full, O_RDONLY | O_CLOEXEC);
    char found[4096];
    ssize_t size;

    assert_true(fd >= 0);
    size = read(fd, found, sizeof found - 1);
    assert_true(size >= 0);
    found[size] = '\0';
    assert_string_equal(found, content);
}

size_t temp_count(const struct temp_root *t, const char *path)
{
    scope_free char *full = mem_format("%s/%s", t->path, path);
    DIR *dir = opendir(full);
    size_t count = 0;

    assert_non_null(dir);
    while (readdir(dir))
        count++;
    closedir(dir);
    return count - 2;
}
