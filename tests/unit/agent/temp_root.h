/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/agent/temp_root.h: a folder root in a temporary directory, gone with all it holds at the
 * end, and short ways to put things into it.
 *
 * TMPDIR chooses where; it must be a file system with file handles and user attributes (ext4, xfs,
 * btrfs).
 */
#ifndef TESTS_UNIT_AGENT_TEMP_ROOT_H
#define TESTS_UNIT_AGENT_TEMP_ROOT_H

#include "agent/root/beneath.h"
#include "agent/root/root.h"

struct temp_root {
    char *base; /* the temporary directory */
    char *path; /* base/root */
    struct guid folder;
    struct log_ctx log;
    struct root *root;
};

/* Log lines go nowhere until temp_root_close(); the last one is kept here. */
extern char temp_root_last_line[1024];

void temp_root_open(struct temp_root *t);
void temp_root_close(struct temp_root *t);
/* Close and open the root again, with its token. */
void temp_root_reopen(struct temp_root *t);

/* Remove a directory and all that it holds. */
void temp_remove_tree(const char *path);

/* These assert that they work. Paths are beneath the root. */
void temp_write(const struct temp_root *t, const char *path, const char *content);
void temp_make_dir(const struct temp_root *t, const char *path);
void temp_remove(const struct temp_root *t, const char *path);
void temp_rename(const struct temp_root *t, const char *from, const char *to);
bool temp_exists(const struct temp_root *t, const char *path);
/* What stands at a path. */
struct standing temp_look(const struct temp_root *t, const char *path);
/* Have the kernel forget all names that nobody uses, as it does under memory pressure; needs root. */
void temp_forget_names(void);
/* Asserts that a file's content is just this. */
void temp_assert_content(const struct temp_root *t, const char *path, const char *content);
/* Entries of a directory, "." and ".." not counted. */
size_t temp_count(const struct temp_root *t, const char *path);

#endif
