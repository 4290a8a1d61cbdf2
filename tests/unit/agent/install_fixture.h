/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/agent/install_fixture.h: a root with its stage, its preserve area and its installer, and short
 * ways to make steps and to see what became of them.
 */
#ifndef TESTS_UNIT_AGENT_INSTALL_FIXTURE_H
#define TESTS_UNIT_AGENT_INSTALL_FIXTURE_H

#include "agent/install/install.h"
#include "agent/scan/scan.h"
#include "tests/unit/agent/temp_root.h"

struct install_fixture {
    struct temp_root t;
    struct stage *stage;
    struct preserve *preserve;
    struct install *install;
    struct filter file_filter;
    struct filter dir_filter;
};

/* For cmocka: *state is a struct install_fixture. */
int install_fixture_open(void **state);
int install_fixture_close(void **state);
/* What lives in a process: a test may end it and begin it anew. */
void install_fixture_open_parts(struct install_fixture *f);
void install_fixture_close_parts(struct install_fixture *f);

/* These assert that they work. */
enum status read_at(const struct install_fixture *f, const char *path, struct scan_content *out);
struct staged stage(struct install_fixture *f, const char *content);
struct file_id an_id(uint64_t number);
/* A step that expects what stands at @at now; NULL: nothing. */
struct step a_step(struct install_fixture *f, enum step_kind kind, const char *path, const char *at);
enum status run_one(struct install_fixture *f, const struct step *step, struct step_result *out);
uint64_t preserved_count(struct install_fixture *f);
/* Just one file was preserved, and it is this one. */
void assert_preserved(struct install_fixture *f, const char *content, const char *path,
                      enum preserve_cause cause);
void assert_private_is_empty(struct install_fixture *f);

#endif
