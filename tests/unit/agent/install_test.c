/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/install/install.h"

#include "agent/attributes/attributes.h"
#include "agent/scan/scan.h"
#include "common/base/mem.h"
#include "tests/unit/agent/temp_root.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define RACE_COUNT 300u

struct fixture {
    struct temp_root t;
    struct stage *stage;
    struct preserve *preserve;
    struct install *install;
    struct filter file_filter;
    struct filter dir_filter;
};

static void open_parts(struct fixture *f)
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

static void close_parts(struct fixture *f)
{
    install_free(f->install);
    preserve_close(f->preserve);
    stage_close(f->stage);
}

static int open_fixture(void **state)
{
    struct fixture *f = MEM_NEW(struct fixture);

    temp_root_open(&f->t);
    filter_add_list(&f->file_filter, "*.tmp");
    open_parts(f);
    *state = f;
    return 0;
}

static int close_fixture(void **state)
{
    struct fixture *f = *state;

    close_parts(f);
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

static struct staged stage(struct fixture *f, const char *content)
{
    struct stage_file *file;
    struct staged staged;

    assert_int_equal(stage_create(f->stage, strlen(content), &file), ST_OK);
    assert_int_equal(stage_write(file, 0, span_of_string(content)), ST_OK);
    assert_int_equal(stage_finish(file, &staged), ST_OK);
    return staged;
}

static struct file_id an_id(uint64_t number)
{
    struct file_id id = {.number = number};

    memset(id.database.bytes, 5, GUID_SIZE);
    return id;
}

/* A step that expects what stands at @at now; NULL: nothing. */
static struct step a_step(struct fixture *f, enum step_kind kind, const char *path, const char *at)
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

static enum status run_one(struct fixture *f, const struct step *step, struct step_result *out)
{
    assert_int_equal(install_run(f->install, step, 1, out), 1);
    return out->status;
}

static uint64_t preserved_count(struct fixture *f)
{
    return preserve_usage(f->preserve).entry_count;
}

static void assert_preserved(struct fixture *f, const char *content, const char *path,
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

static void assert_private_is_empty(struct fixture *f)
{
    assert_int_equal(temp_count(&f->t, PRIVATE_DIR_NAME "/swap"), 0);
    assert_int_equal(temp_count(&f->t, PRIVATE_DIR_NAME "/trash"), 0);
}

/* --- install --- */

static void a_new_file_appears_with_its_content(void **state)
{
    struct fixture *f = *state;
    struct staged staged = stage(f, "new");
    struct step step = a_step(f, STEP_INSTALL, "a", NULL);
    struct step_result result;
    struct standing now;

    step.stage = staged.number;
    assert_int_equal(run_one(f, &step, &result), ST_OK);

    temp_assert_content(&f->t, "a", "new");
    now = temp_look(&f->t, "a");
    assert_true(object_equal(&result.object, &now.object));
    assert_true(object_equal(&result.object, &staged.object));
    assert_true(witness_equal(&result.witness, &now.witness));
    assert_int_equal(stage_bytes_used(f->stage), 0);
    assert_private_is_empty(f);
}

static void a_name_taken_meanwhile_keeps_its_file(void **state)
{
    struct fixture *f = *state;
    struct step step = a_step(f, STEP_INSTALL, "a", NULL);
    struct step_result result;
    struct staged staged = stage(f, "new");

    step.stage = staged.number;
    temp_write(&f->t, "a", "local");
    assert_int_equal(run_one(f, &step, &result), ST_AGAIN);

    temp_assert_content(&f->t, "a", "local");
    assert_int_equal(stage_bytes_used(f->stage), 3);
    temp_remove(&f->t, "a");
    assert_int_equal(run_one(f, &step, &result), ST_OK);
    temp_assert_content(&f->t, "a", "new");
}

static void a_replaced_file_is_preserved_when_it_lost_a_conflict(void **state)
{
    struct fixture *f = *state;
    struct step_result result;
    struct step step;

    temp_write(&f->t, "a", "loser");
    step = a_step(f, STEP_INSTALL, "a", "a");
    step.stage = stage(f, "winner").number;
    step.preserve = PRESERVE_CONFLICT;
    assert_int_equal(run_one(f, &step, &result), ST_OK);

    temp_assert_content(&f->t, "a", "winner");
    assert_preserved(f, "loser", "a", PRESERVE_CAUSE_CONFLICT);
    assert_private_is_empty(f);
}

static void an_edit_between_plan_and_install_keeps_the_edit(void **state)
{
    struct fixture *f = *state;
    struct step_result result;
    struct step step;

    temp_write(&f->t, "a", "known");
    step = a_step(f, STEP_INSTALL, "a", "a");
    step.stage = stage(f, "partner's").number;
    temp_write(&f->t, "a", "edits");
    assert_int_equal(run_one(f, &step, &result), ST_AGAIN);
    temp_assert_content(&f->t, "a", "edits");

    temp_write(&f->t, "other", "replaced");
    temp_rename(&f->t, "other", "a");
    assert_int_equal(run_one(f, &step, &result), ST_AGAIN);
    temp_assert_content(&f->t, "a", "replaced");
    assert_int_equal(preserved_count(f), 0);
}

static void a_file_open_for_writing_is_not_displaced(void **state)
{
    struct fixture *f = *state;
    struct step_result result;
    struct step step;
    char *path = mem_format("%s/a", f->t.path);
    int fd;

    temp_write(&f->t, "a", "known");
    step = a_step(f, STEP_INSTALL, "a", "a");
    step.stage = stage(f, "new").number;
    fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_int_equal(run_one(f, &step, &result), ST_AGAIN);
    temp_assert_content(&f->t, "a", "known");

    close(fd);
    assert_int_equal(run_one(f, &step, &result), ST_OK);
    temp_assert_content(&f->t, "a", "new");
    free(path);
}

struct editor {
    char *path;
    char *other;
    atomic_bool stop;
    atomic_ulong edit_count;
    unsigned long last; /* the last edit whose rename or write has returned */
};

/* An impatient user: rewrites the file in place and by rename, each time with a greater number. */
static void *edit(void *arg)
{
    struct editor *e = arg;

    for (unsigned long n = 1; !atomic_load(&e->stop); n++) {
        const char *path = n % 2 ? e->path : e->other;
        int fd = open(path, O_WRONLY | O_CREAT | (n % 2 ? 0 : O_TRUNC) | O_CLOEXEC, 0644);
        char text[32];

        snprintf(text, sizeof text, "%020lu", n);
        assert_int_equal(pwrite(fd, text, 20, 0), 20);
        close(fd);
        if (n % 2 == 0)
            assert_int_equal(rename(e->other, e->path), 0);
        e->last = n;
        for (unsigned pause = 0; pause < 300; pause++)
            sched_yield();
        atomic_fetch_add(&e->edit_count, 1);
    }
    return NULL;
}

/* The greatest edit that stands in the tree or the preserve area. */
static unsigned long greatest_edit(struct fixture *f)
{
    struct preserve_entry entry = {0};
    unsigned long greatest = 0;
    char text[32];

    for (bool more = true; more; more = preserve_next(f->preserve, entry.number, &entry)) {
        char *path = entry.number ? mem_format("%s/" PRIVATE_DIR_NAME "/preserve/%llu", f->t.path,
                                               (unsigned long long)entry.number)
                                  : mem_format("%s/a", f->t.path);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t size = fd < 0 ? 0 : read(fd, text, 31);
        unsigned long n;

        text[size > 0 ? size : 0] = '\0';
        n = strtoul(text, NULL, 10);
        if (n > greatest)
            greatest = n;
        if (fd >= 0)
            close(fd);
        free(path);
    }
    preserve_entry_fini(&entry);
    return greatest;
}

static void the_last_edit_of_a_racing_user_is_never_lost(void **state)
{
    struct fixture *f = *state;
    struct editor editor = {0};
    pthread_t thread;
    unsigned installed = 0;

    editor.path = mem_format("%s/a", f->t.path);
    editor.other = mem_format("%s/other", f->t.path);
    temp_write(&f->t, "a", "00000000000000000000");
    assert_int_equal(pthread_create(&thread, NULL, edit, &editor), 0);
    for (unsigned round = 0; round < RACE_COUNT; round++) {
        struct spot spot;
        struct standing standing;
        struct step step = {.kind = STEP_INSTALL, .path = "a", .id = an_id(1)};
        struct step_result result;

        assert_int_equal(spot_open(root_fd(f->t.root), "a", &spot), 0);
        if (spot_look(&spot, &standing) == 0) {
            step.expect = standing.object;
            step.expect_witness = standing.witness;
            step.preserve = PRESERVE_CONFLICT;
            step.stage = stage(f, "partner's").number;
            if (run_one(f, &step, &result) == ST_OK)
                installed++;
            else
                stage_drop(f->stage, step.stage);
        }
        spot_fini(&spot);
    }
    atomic_store(&editor.stop, true);
    assert_int_equal(pthread_join(thread, NULL), 0);

    /* A write in place may land in a file that a later install preserves: it is there too. */
    assert_int_equal(greatest_edit(f), editor.last);
    print_message("%lu edits, %u of %u installs\n", atomic_load(&editor.edit_count), installed, RACE_COUNT);
    free(editor.path);
    free(editor.other);
}

static void attributes_stand_before_the_file_is_seen(void **state)
{
    struct fixture *f = *state;
    struct attributes_fallback fallback = {.uid = geteuid(), .gid = getegid()};
    struct buf attributes = {0};
    struct step step = a_step(f, STEP_INSTALL, "d/a", NULL);
    struct step_result result;
    struct standing now;
    char *path = mem_format("%s/like", f->t.path);
    int fd;

    temp_make_dir(&f->t, "d");
    temp_write(&f->t, "like", "x");
    assert_int_equal(chmod(path, 0640), 0);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(attributes_read(fd, &fallback, (struct span){0}, "like", &f->t.log,
                                     &attributes),
                     ST_OK);
    step.stage = stage(f, "new").number;
    step.attributes = buf_span(&attributes);
    assert_int_equal(run_one(f, &step, &result), ST_OK);

    now = temp_look(&f->t, "d/a");
    assert_int_equal(now.mode, 0640);
    assert_int_equal(now.witness.modified_ns, temp_look(&f->t, "like").witness.modified_ns);
    assert_true(witness_equal(&now.witness, &result.witness));
    close(fd);
    free(path);
    buf_fini(&attributes);
}

static void attributes_that_break_a_rule_leave_the_tree_alone(void **state)
{
    struct fixture *f = *state;
    struct step step = a_step(f, STEP_INSTALL, "a", NULL);
    struct step_result result;

    step.stage = stage(f, "new").number;
    step.attributes = span_of_string("\xff\xff\xff nonsense");
    assert_int_equal(run_one(f, &step, &result), ST_BADDATA);
    assert_false(temp_exists(&f->t, "a"));
}

/* --- other steps --- */

static void a_tree_is_made_in_one_batch(void **state)
{
    struct fixture *f = *state;
    struct step steps[] = {
        {.kind = STEP_MAKE_DIR, .path = "d", .file_kind = FILE_DIRECTORY},
        {.kind = STEP_MAKE_DIR, .path = "d/e", .file_kind = FILE_DIRECTORY},
        {.kind = STEP_INSTALL, .path = "d/e/a", .file_kind = FILE_REGULAR},
        {.kind = STEP_MAKE_LINK, .path = "d/link", .file_kind = FILE_SYMLINK},
    };
    struct step_result results[4];
    char target[64] = {0};
    char *path = mem_format("%s/d/link", f->t.path);

    steps[2].stage = stage(f, "deep").number;
    steps[3].stage = stage(f, "../outside").number;
    assert_int_equal(install_run(f->install, steps, 4, results), 4);

    for (size_t i = 0; i < 4; i++)
        assert_int_equal(results[i].status, ST_OK);
    temp_assert_content(&f->t, "d/e/a", "deep");
    assert_int_equal(readlink(path, target, sizeof target - 1), 10);
    assert_string_equal(target, "../outside");
    assert_int_equal(stage_bytes_used(f->stage), 0);
    assert_private_is_empty(f);
    free(path);
}

static void many_files_are_installed_in_one_batch(void **state)
{
    struct fixture *f = *state;
    enum { COUNT = 200 };
    struct step steps[COUNT] = {0};
    struct step_result results[COUNT];
    char names[COUNT][16];

    for (size_t i = 0; i < COUNT; i++) {
        snprintf(names[i], sizeof names[i], "f%zu", i);
        steps[i] = a_step(f, STEP_INSTALL, names[i], NULL);
        steps[i].stage = stage(f, names[i]).number;
    }
    assert_int_equal(install_run(f->install, steps, COUNT, results), COUNT);
    for (size_t i = 0; i < COUNT; i++)
        temp_assert_content(&f->t, names[i], names[i]);
}

static void a_batch_stops_at_the_first_failure(void **state)
{
    struct fixture *f = *state;
    struct step steps[3];
    struct step_result results[3];

    temp_write(&f->t, "taken", "local");
    steps[0] = a_step(f, STEP_MAKE_DIR, "d", NULL);
    steps[1] = a_step(f, STEP_MAKE_DIR, "taken", NULL);
    steps[2] = a_step(f, STEP_MAKE_DIR, "e", NULL);
    assert_int_equal(install_run(f->install, steps, 3, results), 2);

    assert_int_equal(results[0].status, ST_OK);
    assert_int_equal(results[1].status, ST_AGAIN);
    assert_false(temp_exists(&f->t, "e"));
    temp_assert_content(&f->t, "taken", "local");
    assert_private_is_empty(f);
}

static void names_are_swapped_by_way_of_the_parked_directory(void **state)
{
    struct fixture *f = *state;
    struct step steps[3];
    struct step_result results[3];
    char parked[sizeof PARKED_DIR + PARKED_NAME_SIZE] = PARKED_DIR "/";

    temp_write(&f->t, "a", "A");
    temp_write(&f->t, "b", "B");
    steps[0] = a_step(f, STEP_PARK, "a", "a");
    steps[1] = a_step(f, STEP_MOVE, "a", "b");
    steps[1].from_path = "b";
    steps[2] = a_step(f, STEP_MOVE, "b", "a");
    steps[2].expect_witness = (struct witness){0};
    replica_parked_name(&steps[0].id, parked + strlen(parked));
    steps[2].from_path = parked;
    assert_int_equal(install_run(f->install, steps, 3, results), 3);

    assert_int_equal(results[2].status, ST_OK);
    temp_assert_content(&f->t, "a", "B");
    temp_assert_content(&f->t, "b", "A");
    assert_int_equal(temp_count(&f->t, PARKED_DIR), 0);
    struct standing now = temp_look(&f->t, "b");
    assert_true(witness_equal(&results[2].witness, &now.witness));
}

static void a_move_claims_no_state_that_nobody_recorded(void **state)
{
    static const struct witness none = {0};
    struct fixture *f = *state;
    struct step_result result;
    struct step step;

    assert_int_equal(mkdirat(root_fd(f->t.root), "a", 0755), 0);
    step = a_step(f, STEP_MOVE, "b", "a");
    step.from_path = "a";
    step.file_kind = FILE_DIRECTORY;
    step.expect_witness.changed_ns--; /* it was recorded before the chmod that stands now */

    assert_int_equal(run_one(f, &step, &result), ST_OK);

    assert_true(witness_equal(&result.witness, &none));
}

/* A user has exchanged the names of two directories, and nobody has looked yet. */
static void nothing_is_put_into_another_directory_of_that_name(void **state)
{
    struct fixture *f = *state;
    struct step_result result;
    struct step step;

    temp_make_dir(&f->t, "meant");
    temp_make_dir(&f->t, "other");
    struct object meant = temp_look(&f->t, "meant").object;

    temp_rename(&f->t, "meant", "moved");
    temp_rename(&f->t, "other", "meant");
    step = a_step(f, STEP_MAKE_DIR, "meant/new", NULL);
    step.file_kind = FILE_DIRECTORY;
    step.expect_dir = meant;

    assert_int_equal(run_one(f, &step, &result), ST_AGAIN);
    assert_false(temp_exists(&f->t, "meant/new"));
    step.path = "moved/new";
    assert_int_equal(run_one(f, &step, &result), ST_OK);
    assert_true(temp_exists(&f->t, "moved/new"));
}

static void a_move_never_replaces(void **state)
{
    struct fixture *f = *state;
    struct step_result result;
    struct step step;

    temp_write(&f->t, "a", "A");
    temp_write(&f->t, "b", "B");
    step = a_step(f, STEP_MOVE, "b", "a");
    step.from_path = "a";
    assert_int_equal(run_one(f, &step, &result), ST_AGAIN);
    temp_assert_content(&f->t, "a", "A");
    temp_assert_content(&f->t, "b", "B");
}

static void a_deleted_file_can_be_restored(void **state)
{
    struct fixture *f = *state;
    struct step_result result;
    struct step step;

    temp_make_dir(&f->t, "d");
    temp_write(&f->t, "d/a", "precious");
    step = a_step(f, STEP_REMOVE, "d/a", "d/a");
    step.preserve = PRESERVE_DELETED;
    assert_int_equal(run_one(f, &step, &result), ST_OK);
    assert_false(temp_exists(&f->t, "d/a"));
    assert_preserved(f, "precious", "d/a", PRESERVE_CAUSE_DELETED);

    temp_remove(&f->t, "d");
    assert_int_equal(preserve_restore(f->preserve, 1, NULL), ST_OK);
    temp_assert_content(&f->t, "d/a", "precious");
    assert_int_equal(preserved_count(f), 0);
}

static void a_directory_with_something_new_in_it_stays(void **state)
{
    struct fixture *f = *state;
    struct step_result result;
    struct step step;

    temp_make_dir(&f->t, "d");
    step = a_step(f, STEP_REMOVE, "d", "d");
    temp_write(&f->t, "d/fresh", "not scanned yet");
    assert_int_equal(run_one(f, &step, &result), ST_AGAIN);
    temp_assert_content(&f->t, "d/fresh", "not scanned yet");

    temp_remove(&f->t, "d/fresh");
    assert_int_equal(run_one(f, &step, &result), ST_OK);
    assert_false(temp_exists(&f->t, "d"));
    assert_int_equal(preserved_count(f), 0);
}

static void what_filters_kept_in_a_directory_is_preserved_with_it(void **state)
{
    struct fixture *f = *state;
    struct step_result result;
    struct step step;

    temp_make_dir(&f->t, "d");
    temp_write(&f->t, "d/x.tmp", "scratch");
    step = a_step(f, STEP_REMOVE, "d", "d");
    assert_int_equal(run_one(f, &step, &result), ST_OK);

    assert_false(temp_exists(&f->t, "d"));
    temp_assert_content(&f->t, PRIVATE_DIR_NAME "/preserve/1/x.tmp", "scratch");
    assert_int_equal(preserve_usage(f->preserve).bytes, 7);
}

/* After a crash nobody knows in what state a file was parked. */
static void what_nobody_has_read_may_change_and_not_leave(void **state)
{
    struct fixture *f = *state;
    static const struct witness unread = {0};
    struct step_result result;
    struct step step;

    temp_write(&f->t, "a", "written since");
    step = a_step(f, STEP_ATTRIBUTES, "a", "a");
    step.expect_witness = unread;
    assert_int_equal(run_one(f, &step, &result), ST_OK);
    assert_true(witness_equal(&result.witness, &unread));

    step = a_step(f, STEP_REMOVE, "a", "a");
    step.expect_witness = unread;
    assert_int_equal(run_one(f, &step, &result), ST_AGAIN);
    step = a_step(f, STEP_INSTALL, "a", "a");
    step.expect_witness = unread;
    step.stage = stage(f, "new").number;
    assert_int_equal(run_one(f, &step, &result), ST_AGAIN);
    temp_assert_content(&f->t, "a", "written since");
}

static void attributes_change_in_place_unless_the_content_did(void **state)
{
    struct fixture *f = *state;
    struct attributes_fallback fallback = {.uid = geteuid(), .gid = getegid()};
    struct buf attributes = {0};
    struct step_result result;
    struct step step;
    struct standing now;
    char *path = mem_format("%s/a", f->t.path);
    int fd;

    temp_write(&f->t, "a", "one");
    assert_int_equal(chmod(path, 0600), 0);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(
        attributes_read(fd, &fallback, (struct span){0}, "a", &f->t.log, &attributes), ST_OK);
    assert_int_equal(chmod(path, 0644), 0);
    step = a_step(f, STEP_ATTRIBUTES, "a", "a");
    step.attributes = buf_span(&attributes);
    assert_int_equal(run_one(f, &step, &result), ST_OK);
    now = temp_look(&f->t, "a");
    assert_int_equal(now.mode, 0600);
    assert_true(witness_equal(&now.witness, &result.witness));

    temp_write(&f->t, "a", "two");
    assert_int_equal(chmod(path, 0644), 0);
    step.expect_witness = result.witness;
    assert_int_equal(run_one(f, &step, &result), ST_AGAIN);
    assert_int_equal(temp_look(&f->t, "a").mode, 0644);
    close(fd);
    free(path);
    buf_fini(&attributes);
}

/* --- confinement --- */

static void no_path_leads_out_of_the_root(void **state)
{
    static const char *const paths[] = {
        "../a",  "/a",  "d/../../a", "",          "d//a",           "./a",
        "d/.",   "..",  "link/a",    "link/d/a",  PRIVATE_DIR_NAME, PRIVATE_DIR_NAME "/marker",
        PRIVATE_DIR_NAME "/stage/1", PARKED_DIR,  PARKED_DIR "/../marker",
    };
    struct fixture *f = *state;
    char *link = mem_format("%s/link", f->t.path);

    temp_make_dir(&f->t, "d");
    assert_int_equal(symlink(f->t.base, link), 0);
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        struct step step = a_step(f, STEP_MAKE_DIR, paths[i], NULL);
        struct step_result result;

        assert_int_not_equal(run_one(f, &step, &result), ST_OK);
    }
    free(link);
    /* root and nothing else */
    char *base = f->t.base;
    assert_int_equal(access(base, F_OK), 0);
    link = mem_format("%s/a", base);
    assert_int_not_equal(access(link, F_OK), 0);
    free(link);
    assert_int_equal(temp_count(&f->t, "d"), 0);
}

static void *swap_with_symlink(void *arg)
{
    struct editor *e = arg;

    while (!atomic_load(&e->stop))
        assert_int_equal(renameat2(AT_FDCWD, e->path, AT_FDCWD, e->other, RENAME_EXCHANGE), 0);
    return NULL;
}

static void a_directory_swapped_for_a_symlink_never_redirects_a_step(void **state)
{
    struct fixture *f = *state;
    struct editor swapper = {0};
    char *outside = mem_format("%s/outside", f->t.base);
    char *probe = mem_format("%s/outside/victim", f->t.base);
    pthread_t thread;
    unsigned done = 0;

    swapper.path = mem_format("%s/d", f->t.path);
    swapper.other = mem_format("%s/link", f->t.path);
    temp_make_dir(&f->t, "d");
    assert_int_equal(mkdir(outside, 0755), 0);
    assert_int_equal(symlink(outside, swapper.other), 0);
    assert_int_equal(pthread_create(&thread, NULL, swap_with_symlink, &swapper), 0);
    for (unsigned round = 0; round < RACE_COUNT; round++) {
        struct step step = a_step(f, STEP_MAKE_DIR, "d/victim", NULL);
        struct step_result result;
        struct spot spot;

        if (run_one(f, &step, &result) == ST_OK)
            done++;
        assert_int_not_equal(access(probe, F_OK), 0);
        if (spot_open(root_fd(f->t.root), "d/victim", &spot) == 0) {
            (void)spot_remove_dir(&spot);
            spot_fini(&spot);
        }
    }
    atomic_store(&swapper.stop, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(done > 0);
    free(swapper.path);
    free(swapper.other);
    free(outside);
    free(probe);
}

static void odd_names_are_installed_as_they_are(void **state)
{
    struct fixture *f = *state;
    char longest[NAME_SIZE_MAX + 1];
    const char *names[] = {"new\nline", "\xff\xfe", "-rf", " ", longest};

    memset(longest, 'n', NAME_SIZE_MAX);
    longest[NAME_SIZE_MAX] = '\0';
    for (size_t i = 0; i < 5; i++) {
        struct step step = a_step(f, STEP_INSTALL, names[i], NULL);
        struct step_result result;

        step.stage = stage(f, "odd").number;
        assert_int_equal(run_one(f, &step, &result), ST_OK);
        temp_assert_content(&f->t, names[i], "odd");
    }
}

/* --- recovery --- */

struct known {
    struct object staged;
    struct object placed;
    const char *path;
};

static bool is_staged(void *arg, const struct object *object)
{
    return object_equal(&((struct known *)arg)->staged, object);
}

static bool is_parked(void *arg, const struct file_id *id)
{
    (void)arg;
    return id->number == 77;
}

static bool has_place(void *arg, const struct object *object, char **out_path)
{
    const struct known *known = arg;

    if (!known->path || !object_equal(&known->placed, object))
        return false;
    *out_path = mem_copy_string(known->path);
    return true;
}

static size_t recover(struct fixture *f, struct known *known)
{
    struct install_known callbacks = {
        .staged = is_staged, .parked = is_parked, .place = has_place, .arg = known};
    size_t count;

    close_parts(f);
    open_parts(f);
    assert_int_equal(install_recover(f->install, &callbacks, &count), ST_OK);
    return count;
}

static void a_crash_after_the_exchange_preserves_what_was_displaced(void **state)
{
    struct fixture *f = *state;
    struct known known = {0};

    temp_write(&f->t, "a", "new, installed");
    temp_write(&f->t, PRIVATE_DIR_NAME "/swap/exchange-1", "displaced");
    known.staged = temp_look(&f->t, "a").object;
    known.placed = temp_look(&f->t, PRIVATE_DIR_NAME "/swap/exchange-1").object;
    known.path = "a";

    assert_int_equal(recover(f, &known), 1);
    temp_assert_content(&f->t, "a", "new, installed");
    assert_preserved(f, "displaced", "a", PRESERVE_CAUSE_INTERRUPTED);
    assert_private_is_empty(f);
}

static void a_crash_before_the_exchange_drops_the_staged_file(void **state)
{
    struct fixture *f = *state;
    struct known known = {0};

    temp_write(&f->t, "a", "old");
    temp_write(&f->t, PRIVATE_DIR_NAME "/swap/exchange-1", "staged");
    temp_write(&f->t, PRIVATE_DIR_NAME "/swap/made-2", "staged, too");
    known.staged = temp_look(&f->t, PRIVATE_DIR_NAME "/swap/exchange-1").object;

    assert_int_equal(recover(f, &known), 0);
    temp_assert_content(&f->t, "a", "old");
    assert_private_is_empty(f);
    assert_int_equal(preserved_count(f), 0);
}

static void a_crash_in_the_middle_of_a_removal_puts_the_file_back(void **state)
{
    struct fixture *f = *state;
    struct known known = {.path = "a"};

    temp_write(&f->t, PRIVATE_DIR_NAME "/swap/out-1", "still ours");
    known.placed = temp_look(&f->t, PRIVATE_DIR_NAME "/swap/out-1").object;

    assert_int_equal(recover(f, &known), 0);
    temp_assert_content(&f->t, "a", "still ours");
}

static void what_was_parked_without_a_record_goes_back_or_is_preserved(void **state)
{
    struct fixture *f = *state;
    struct known known = {.path = "a"};
    char parked[sizeof PARKED_DIR + PARKED_NAME_SIZE] = PARKED_DIR "/";
    struct file_id known_id = an_id(77);
    struct file_id unknown_id = an_id(78);

    replica_parked_name(&known_id, parked + strlen(PARKED_DIR "/"));
    temp_write(&f->t, parked, "rightly parked");
    replica_parked_name(&unknown_id, parked + strlen(PARKED_DIR "/"));
    temp_write(&f->t, parked, "its record says a");
    known.placed = temp_look(&f->t, parked).object;
    temp_write(&f->t, PARKED_DIR "/stranger", "nobody knows");

    assert_int_equal(recover(f, &known), 1);
    temp_assert_content(&f->t, "a", "its record says a");
    assert_int_equal(temp_count(&f->t, PARKED_DIR), 1);
    assert_preserved(f, "nobody knows", "", PRESERVE_CAUSE_INTERRUPTED);
}

static void an_intent_shows_only_when_its_whole_effect_does(void **state)
{
    struct fixture *f = *state;
    struct intent intent = {0};
    struct step_result result;
    struct scan_content content = {0};

    temp_write(&f->t, "a", "done");
    assert_int_equal(read_at(f, "a", &content), ST_OK);
    intent.object = content.object;
    intent.update.present = true;
    intent.update.kind = FILE_REGULAR;
    intent.update.size = 4;
    update_set_attributes(&intent.update, buf_span(&content.attributes));
    assert_true(install_shows(f->install, &intent, "a", &result));
    assert_true(object_equal(&result.object, &content.object));
    assert_false(install_shows(f->install, &intent, "b/a", &result));

    intent.object.bytes[5] ^= 1;
    assert_false(install_shows(f->install, &intent, "a", &result));
    intent.object.bytes[5] ^= 1;
    intent.update.size = 5;
    assert_false(install_shows(f->install, &intent, "a", &result));
    intent.update.size = 4;
    char *path = mem_format("%s/a", f->t.path);
    assert_int_equal(chmod(path, 0600), 0);
    assert_false(install_shows(f->install, &intent, "a", &result));
    free(path);

    intent.update.present = false;
    intent.object = (struct object){0};
    assert_false(install_shows(f->install, &intent, "a", &result));
    assert_true(install_shows(f->install, &intent, "gone", &result));
    update_fini(&intent.update);
    scan_content_fini(&content);
}

static void an_installed_object_is_moved_on_to_its_place(void **state)
{
    struct fixture *f = *state;
    struct intent intent = {0};
    struct step_result result;

    if (geteuid() != 0)
        skip(); /* open_by_handle_at */
    temp_write(&f->t, "old", "done");
    intent.object = temp_look(&f->t, "old").object;
    intent.update.present = true;
    intent.update.kind = FILE_REGULAR;
    intent.update.size = 4;
    assert_true(install_shows(f->install, &intent, "new", &result));
    temp_assert_content(&f->t, "new", "done");
    assert_false(temp_exists(&f->t, "old"));
}

/* --- kill --- */

enum { KILL_FILES = 24, KILL_ROUNDS = 25 };

struct kill_model {
    struct object old[KILL_FILES];
    struct object staged[KILL_FILES];
    char names[KILL_FILES][16];
};

static bool kill_staged(void *arg, const struct object *object)
{
    const struct kill_model *m = arg;

    for (size_t i = 0; i < KILL_FILES; i++)
        if (object_equal(&m->staged[i], object))
            return true;
    return false;
}

static bool kill_parked(void *arg, const struct file_id *id)
{
    (void)arg;
    (void)id;
    return false;
}

static bool kill_place(void *arg, const struct object *object, char **out_path)
{
    const struct kill_model *m = arg;

    for (size_t i = 0; i < KILL_FILES; i++)
        if (object_equal(&m->old[i], object)) {
            *out_path = mem_copy_string(m->names[i]);
            return true;
        }
    return false;
}

/* Whether this object stands somewhere it may. */
static bool stands_safely(struct fixture *f, const struct object *object, const char *name,
                          const char *moved_name)
{
    struct preserve_entry entry = {0};
    bool found = false;

    if (temp_exists(&f->t, name)) {
        struct object there = temp_look(&f->t, name).object;

        found = object_equal(&there, object);
    }
    if (!found && temp_exists(&f->t, moved_name)) {
        struct object there = temp_look(&f->t, moved_name).object;

        found = object_equal(&there, object);
    }
    while (!found && preserve_next(f->preserve, entry.number, &entry)) {
        char *path =
            mem_format(PRIVATE_DIR_NAME "/preserve/%llu", (unsigned long long)entry.number);
        struct object there = temp_look(&f->t, path).object;

        found = object_equal(&there, object);
        free(path);
    }
    preserve_entry_fini(&entry);
    return found;
}

static void prepare_kill_round(struct fixture *f, struct kill_model *m, struct step *steps,
                               char moved[KILL_FILES][16])
{
    for (size_t i = 0; i < KILL_FILES; i++) {
        snprintf(m->names[i], sizeof m->names[i], "f%zu", i);
        snprintf(moved[i], 16, "m%zu", i);
        if (temp_exists(&f->t, m->names[i]))
            temp_remove(&f->t, m->names[i]);
        if (temp_exists(&f->t, moved[i]))
            temp_remove(&f->t, moved[i]);
        temp_write(&f->t, m->names[i], "old");
        m->old[i] = temp_look(&f->t, m->names[i]).object;
        m->staged[i] = (struct object){0};
        switch (i % 4) {
        case 0:
            steps[i] = a_step(f, STEP_INSTALL, m->names[i], m->names[i]);
            steps[i].preserve = PRESERVE_CONFLICT;
            struct staged staged = stage(f, "new");
            steps[i].stage = staged.number;
            m->staged[i] = staged.object;
            break;
        case 1:
            steps[i] = a_step(f, STEP_REMOVE, m->names[i], m->names[i]);
            steps[i].preserve = PRESERVE_DELETED;
            break;
        case 2:
            steps[i] = a_step(f, STEP_MOVE, moved[i], m->names[i]);
            steps[i].from_path = m->names[i];
            break;
        default:
            steps[i] = a_step(f, STEP_PARK, m->names[i], m->names[i]);
        }
        steps[i].id = an_id(100 + i);
    }
}

static void a_kill_at_any_moment_loses_nothing(void **state)
{
    struct fixture *f = *state;
    struct kill_model model;
    struct install_known known = {
        .staged = kill_staged, .parked = kill_parked, .place = kill_place, .arg = &model};
    struct step steps[KILL_FILES];
    struct step_result results[KILL_FILES];
    char moved[KILL_FILES][16];
    unsigned killed = 0;
    size_t count;

    for (unsigned round = 0; round < KILL_ROUNDS; round++) {
        int started[2];
        char byte = 0;
        int status;
        pid_t child;

        prepare_kill_round(f, &model, steps, moved);
        assert_int_equal(pipe(started), 0);
        child = fork();
        if (child == 0) {
            if (write(started[1], &byte, 1) != 1)
                _exit(1);
            (void)!install_run(f->install, steps, KILL_FILES, results);
            _exit(0);
        }
        assert_int_equal(read(started[0], &byte, 1), 1);
        for (unsigned pause = 0; pause < round * round * 40; pause++)
            sched_yield();
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, &status, 0), child);
        killed += WIFSIGNALED(status);
        close(started[0]);
        close(started[1]);

        close_parts(f);
        open_parts(f);
        assert_int_equal(install_recover(f->install, &known, &count), ST_OK);
        assert_private_is_empty(f);
        assert_int_equal(temp_count(&f->t, PARKED_DIR), 0);
        for (size_t i = 0; i < KILL_FILES; i++) {
            if (!stands_safely(f, &model.old[i], model.names[i], moved[i]))
                fail_msg("round %u: %s is lost", round, model.names[i]);
            if (i % 4 == 0)
                assert_true(temp_exists(&f->t, model.names[i]));
        }
    }
    print_message("%u of %d rounds were killed before their end\n", killed, KILL_ROUNDS);
    assert_true(killed > 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_new_file_appears_with_its_content),
        TEST(a_name_taken_meanwhile_keeps_its_file),
        TEST(a_replaced_file_is_preserved_when_it_lost_a_conflict),
        TEST(an_edit_between_plan_and_install_keeps_the_edit),
        TEST(a_file_open_for_writing_is_not_displaced),
        TEST(the_last_edit_of_a_racing_user_is_never_lost),
        TEST(attributes_stand_before_the_file_is_seen),
        TEST(attributes_that_break_a_rule_leave_the_tree_alone),
        TEST(a_tree_is_made_in_one_batch),
        TEST(many_files_are_installed_in_one_batch),
        TEST(a_batch_stops_at_the_first_failure),
        TEST(names_are_swapped_by_way_of_the_parked_directory),
        TEST(a_move_claims_no_state_that_nobody_recorded),
        TEST(nothing_is_put_into_another_directory_of_that_name),
        TEST(a_move_never_replaces),
        TEST(a_deleted_file_can_be_restored),
        TEST(a_directory_with_something_new_in_it_stays),
        TEST(what_filters_kept_in_a_directory_is_preserved_with_it),
        TEST(what_nobody_has_read_may_change_and_not_leave),
        TEST(attributes_change_in_place_unless_the_content_did),
        TEST(no_path_leads_out_of_the_root),
        TEST(a_directory_swapped_for_a_symlink_never_redirects_a_step),
        TEST(odd_names_are_installed_as_they_are),
        TEST(a_crash_after_the_exchange_preserves_what_was_displaced),
        TEST(a_crash_before_the_exchange_drops_the_staged_file),
        TEST(a_crash_in_the_middle_of_a_removal_puts_the_file_back),
        TEST(what_was_parked_without_a_record_goes_back_or_is_preserved),
        TEST(an_intent_shows_only_when_its_whole_effect_does),
        TEST(an_installed_object_is_moved_on_to_its_place),
        TEST(a_kill_at_any_moment_loses_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
