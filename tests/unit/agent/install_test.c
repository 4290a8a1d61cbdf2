/* SPDX-License-Identifier: Apache-2.0 */
/* Steps on disk, with users in between. */
#include "tests/unit/agent/install_fixture.h"

#include "agent/attributes/attributes.h"
#include "common/base/mem.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#define RACE_COUNT 300u

/* --- install --- */

static void a_new_file_appears_with_its_content(void **state)
{
    struct install_fixture *f = *state;
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
    struct install_fixture *f = *state;
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
    struct install_fixture *f = *state;
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
    struct install_fixture *f = *state;
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
    struct install_fixture *f = *state;
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
static unsigned long greatest_edit(struct install_fixture *f)
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
    struct install_fixture *f = *state;
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
    struct install_fixture *f = *state;
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
    struct install_fixture *f = *state;
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
    struct install_fixture *f = *state;
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
    struct install_fixture *f = *state;
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
    struct install_fixture *f = *state;
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
    struct install_fixture *f = *state;
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

/* Between the step that parked it and the one that removes it, who has it open wrote to it. */
static void what_was_written_to_a_parked_file_is_kept(void **state)
{
    struct install_fixture *f = *state;
    char parked[sizeof PARKED_DIR + PARKED_NAME_SIZE] = PARKED_DIR "/";
    struct step_result result;
    struct step step;

    temp_write(&f->t, "a", "old");
    step = a_step(f, STEP_PARK, "a", "a");
    replica_parked_name(&step.id, parked + strlen(parked));
    assert_int_equal(run_one(f, &step, &result), ST_OK);
    step = a_step(f, STEP_REMOVE, parked, parked);
    step.known_as = "d/a";
    temp_write(&f->t, parked, "written since");

    assert_int_equal(run_one(f, &step, &result), ST_AGAIN);
    assert_int_equal(install_keep_parked(f->install, &step), ST_OK);
    assert_int_equal(temp_count(&f->t, PARKED_DIR), 0);
    assert_preserved(f, "written since", "d/a", PRESERVE_CAUSE_CONFLICT);
}

static void a_move_claims_no_state_that_nobody_recorded(void **state)
{
    static const struct witness none = {0};
    struct install_fixture *f = *state;
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
    struct install_fixture *f = *state;
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
    struct install_fixture *f = *state;
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
    struct install_fixture *f = *state;
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
    struct install_fixture *f = *state;
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
    struct install_fixture *f = *state;
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
    struct install_fixture *f = *state;
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
    struct install_fixture *f = *state;
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
    struct install_fixture *f = *state;
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
    struct install_fixture *f = *state;
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
    struct install_fixture *f = *state;
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

#define TEST(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, install_fixture_open, install_fixture_close)

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
        TEST(what_was_written_to_a_parked_file_is_kept),
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
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
