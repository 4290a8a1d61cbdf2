/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/agent/install_fixture.h"

#include "common/base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

void install_fixture_open_parts(struct install_fixture *f)
{
    struct install_options options;
    size_t left;

    assert_int_equal(stage_open(f->t.root, 1 << 30, &f->stage, &left), ST_OK);
    assert_int_equal(preserve_open(f->t.root, 1 << 30, &f->preserve), ST_OK);
    options = (struct install_options){.root = f->t.root,
                                       .stage = f->stage,
                                       .preserve = f->preserve,
                                       .file_filter = &f->file_filter,
                                       .dir_filter = &f->dir_filter};
    f->install = install_new(&options);
}

void install_fixture_close_parts(struct install_fixture *f)
{
    install_free(f->install);
    preserve_close(f->preserve);
    stage_close(f->stage);
}

int install_fixture_open(void **state)
{
    struct install_fixture *f = MEM_NEW(struct install_fixture);

    temp_root_open(&f->t);
    filter_add_list(&f->file_filter, "*.tmp");
    install_fixture_open_parts(f);
    *state = f;
    return 0;
}

int install_fixture_close(void **state)
{
    struct install_fixture *f = *state;

    install_fixture_close_parts(f);
    filter_fini(&f->file_filter);
    filter_fini(&f->dir_filter);
    temp_root_close(&f->t);
    free(f);
    return 0;
}

enum status read_at(const struct install_fixture *f, const char *path, struct scan_content *out)
{
    struct scan_read_options options = {.root = f->t.root, .path = path};

    return scan_read(&options, out);
}

struct staged stage(struct install_fixture *f, const char *content)
{
    struct stage_file *file;
    struct staged staged;

    assert_int_equal(stage_create(f->stage, strlen(content), &file), ST_OK);
    assert_int_equal(stage_write(file, 0, span_of_string(content)), ST_OK);
    assert_int_equal(stage_finish(file, &staged), ST_OK);
    return staged;
}

struct file_id an_id(uint64_t number)
{
    struct file_id id = {.number = number};

    memset(id.database.bytes, 5, GUID_SIZE);
    return id;
}

struct step a_step(struct install_fixture *f, enum step_kind kind, const char *path, const char *at)
{
    struct step step = {
        .kind = kind, .path = path, .file_kind = FILE_REGULAR, .id = an_id(77)};

    if (at) {
        struct standing standing = temp_look(&f->t, at);

        step.expect = standing.object;
        step.expect_witness = standing.witness;
    }
    return step;
}

enum status run_one(struct install_fixture *f, const struct step *step, struct step_result *out)
{
    assert_int_equal(install_run(f->install, step, 1, out), 1);
    return out->status;
}

uint64_t preserved_count(struct install_fixture *f)
{
    return preserve_usage(f->preserve).entry_count;
}

void assert_preserved(struct install_fixture *f, const char *content, const char *path,
                             enum preserve_cause cause)
{
    struct preserve_entry entry = {0};
    char *where;

    assert_int_equal(preserved_count(f), 1);
    assert_true(preserve_next(f->preserve, 0, &entry));
    assert_string_equal(entry.path, path);
    assert_int_equal(entry.cause, cause);
    where = mem_format(PRIVATE_DIR_NAME "/preserve/%llu", (unsigned long long)entry.number);
    temp_assert_content(&f->t, where, content);
    free(where);
    preserve_entry_fini(&entry);
}

void assert_private_is_empty(struct install_fixture *f)
{
    assert_int_equal(temp_count(&f->t, PRIVATE_DIR_NAME "/swap"), 0);
    assert_int_equal(temp_count(&f->t, PRIVATE_DIR_NAME "/trash"), 0);
}
