/* SPDX-License-Identifier: Apache-2.0 */
/* What an installer finds that was killed. */
#include "tests/unit/agent/install_fixture.h"

#include "common/base/mem.h"

#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

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

static size_t recover(struct install_fixture *f, struct known *known)
{
    struct install_known callbacks = {
        .staged = is_staged, .parked = is_parked, .place = has_place, .arg = known};
    size_t count;

    install_fixture_close_parts(f);
    install_fixture_open_parts(f);
    assert_int_equal(install_recover(f->install, &callbacks, &count), ST_OK);
    return count;
}

static void a_crash_after_the_exchange_preserves_what_was_displaced(void **state)
{
    struct install_fixture *f = *state;
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
    struct install_fixture *f = *state;
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
    struct install_fixture *f = *state;
    struct known known = {.path = "a"};

    temp_write(&f->t, PRIVATE_DIR_NAME "/swap/out-1", "still ours");
    known.placed = temp_look(&f->t, PRIVATE_DIR_NAME "/swap/out-1").object;

    assert_int_equal(recover(f, &known), 0);
    temp_assert_content(&f->t, "a", "still ours");
}

static void what_was_parked_without_a_record_goes_back_or_is_preserved(void **state)
{
    struct install_fixture *f = *state;
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
    struct install_fixture *f = *state;
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
    struct install_fixture *f = *state;
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
static bool stands_safely(struct install_fixture *f, const struct object *object, const char *name,
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

static void prepare_kill_round(struct install_fixture *f, struct kill_model *m, struct step *steps,
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
    struct install_fixture *f = *state;
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

        install_fixture_close_parts(f);
        install_fixture_open_parts(f);
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

#define TEST(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, install_fixture_open, install_fixture_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
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
