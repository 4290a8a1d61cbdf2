/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/watch/watch.h"

#include "agent/watch/places.h"
#include "common/base/limits.h"
#include "common/base/mem.h"
#include "tests/unit/agent/temp_root.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#define PATIENCE_MS 5000

struct fixture {
    struct temp_root t;
    struct loop *loop;
    struct loop_timer *patience;
    struct watch *watch;
    bool directories_only;
    const char *wanted; /* "dir/name" that ends the loop; NULL: a rescan does */
    bool met;
    bool expired;
    char seen[65536]; /* every place, a line each, as far as there is room */
    size_t seen_size;
};

static void on_batch(struct watch_batch *batch, void *arg)
{
    struct fixture *f = arg;

    if (batch->rescan && !f->wanted)
        f->met = true;
    for (size_t i = 0; i < batch->place_count; i++) {
        const struct watch_place *p = &batch->places[i];
        char *place = mem_format("%s%s%s", p->dir_path, *p->dir_path ? "/" : "", p->name);
        size_t room = sizeof f->seen - f->seen_size;
        int size = snprintf(f->seen + f->seen_size, room, "%s\n", place);

        assert_true(p->dir.size > 0);
        if ((size_t)size < room)
            f->seen_size += (size_t)size;
        if (f->wanted && strcmp(place, f->wanted) == 0)
            f->met = true;
        free(place);
    }
    watch_batch_free(batch);
    if (f->met)
        loop_stop(f->loop);
}

static void on_patience(void *arg)
{
    struct fixture *f = arg;

    f->expired = true;
    loop_stop(f->loop);
}

/* Run the loop until the place has been told. */
static void await(struct fixture *f, const char *place)
{
    f->wanted = place;
    f->met = false;
    loop_timer_start(f->patience, PATIENCE_MS);
    loop_run(f->loop);
    if (f->expired)
        fail_msg("not told: %s; told:\n%s", place ? place : "rescan", f->seen);
}

static void forget_seen(struct fixture *f)
{
    f->seen[0] = '\0';
    f->seen_size = 0;
}

static void open_watch(struct fixture *f)
{
    struct watch_options options = {
        .root = f->t.root, .loop = f->loop, .directories_only = f->directories_only};

    assert_int_equal(watch_open(&options, on_batch, f, &f->watch), ST_OK);
}

static int open_fixture(void **state)
{
    struct fixture *f = MEM_NEW(struct fixture);

    temp_root_open(&f->t);
    f->loop = loop_new(1);
    f->patience = loop_timer_new(f->loop, on_patience, f);
    *state = f;
    return 0;
}

static int open_inotify_fixture(void **state)
{
    open_fixture(state);
    ((struct fixture *)*state)->directories_only = true;
    return 0;
}

static int close_fixture(void **state)
{
    struct fixture *f = *state;

    watch_close(f->watch);
    loop_timer_free(f->patience);
    loop_free(f->loop);
    temp_root_close(&f->t);
    free(f);
    return 0;
}

static void creation_rename_and_removal_are_told(void **state)
{
    struct fixture *f = *state;

    temp_make_dir(&f->t, "d");
    open_watch(f);

    temp_write(&f->t, "d/a", "x");
    await(f, "d/a");
    temp_rename(&f->t, "d/a", "b");
    await(f, "b");
    assert_non_null(strstr(f->seen, "d/a\n"));
    forget_seen(f);
    temp_remove(&f->t, "b");
    await(f, "b");
}

static void attributes_and_odd_names_are_told(void **state)
{
    struct fixture *f = *state;
    char *path = mem_format("%s/new\nline\xff", f->t.path);

    temp_write(&f->t, "new\nline\xff", "x");
    open_watch(f);
    assert_int_equal(chmod(path, 0600), 0);
    await(f, "new\nline\xff");
    free(path);
}

static void what_happens_in_a_new_directory_is_told(void **state)
{
    struct fixture *f = *state;

    open_watch(f);
    temp_make_dir(&f->t, "d");
    await(f, "d");
    temp_make_dir(&f->t, "d/e");
    await(f, "d/e");
    temp_write(&f->t, "d/e/a", "x");
    await(f, "d/e/a");
    temp_rename(&f->t, "d", "renamed");
    await(f, "renamed");
    temp_write(&f->t, "renamed/e/b", "x");
    await(f, "renamed/e/b");
}

static void the_private_directory_and_other_trees_are_not_told(void **state)
{
    struct fixture *f = *state;
    char *outside = mem_format("%s/outside", f->t.base);

    open_watch(f);
    temp_write(&f->t, PRIVATE_DIR_NAME "/stage/1", "x");
    temp_write(&f->t, PRIVATE_DIR_NAME "/marker.other", "x");
    assert_int_equal(mkdir(outside, 0755), 0);
    temp_write(&f->t, "last", "x");
    await(f, "last");

    assert_string_equal(f->seen, "last\n");
    free(outside);
}

static void a_file_that_comes_in_from_outside_is_told(void **state)
{
    struct fixture *f = *state;
    char *from = mem_format("%s/from", f->t.base);
    char *to = mem_format("%s/to", f->t.path);

    open_watch(f);
    assert_int_equal(mkdir(from, 0755), 0);
    assert_int_equal(rename(from, to), 0);
    await(f, "to");
    assert_int_equal(rename(to, from), 0);
    forget_seen(f);
    await(f, "to");
    free(from);
    free(to);
}

static void one_place_is_told_once_a_batch(void **state)
{
    struct fixture *f = *state;
    size_t count = 0;

    open_watch(f);
    for (unsigned i = 0; i < 500; i++)
        temp_write(&f->t, "a", "again");
    temp_write(&f->t, "last", "x");
    await(f, "last");
    for (const char *line = f->seen; (line = strstr(line, "a\n")); line += 2)
        count++;
    assert_in_range(count, 1, 100);
}

static void more_places_than_fit_become_a_rescan(void **state)
{
    struct fixture *f = *state;
    char from[32] = "0";

    /* One file under ever new names, while the loop takes nothing. One batch may be under way to it,
     * with a full set at most; what comes after is one more than the next set holds. */
    temp_write(&f->t, from, "x");
    open_watch(f);
    for (unsigned i = 1; i <= 2 * WATCH_PLACE_COUNT_MAX + 1; i++) {
        char to[32];

        snprintf(to, sizeof to, "%u", i);
        temp_rename(&f->t, from, to);
        memcpy(from, to, sizeof to);
    }
    await(f, NULL);
}

static void closing_with_a_batch_under_way_is_safe(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < 20; i++) {
        open_watch(f);
        temp_write(&f->t, "a", "x");
        watch_close(f->watch);
        f->watch = NULL;
    }
    open_watch(f);
    temp_write(&f->t, "last", "x");
    await(f, "last");
}

static void the_set_is_bounded(void **state)
{
    struct places places = {0};
    struct object dir = {.size = 4};

    (void)state;
    for (unsigned i = 0; i <= WATCH_PLACE_COUNT_MAX; i++) {
        char name[16];

        snprintf(name, sizeof name, "%u", i);
        assert_false(places.rescan);
        places_add(&places, &dir, span_of_string(name), false, false);
        if (i < 3)
            places_add(&places, &dir, span_of_string(name), false, false);
    }
    assert_true(places.rescan);
    assert_int_equal(places.count, 0);
    places_fini(&places);
}

#define VOLUME(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)
#define INOTIFY(name)                                                                             \
    {                                                                                            \
#name " (inotify)", name, open_inotify_fixture, close_fixture, NULL                      \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        VOLUME(creation_rename_and_removal_are_told),
        INOTIFY(creation_rename_and_removal_are_told),
        VOLUME(attributes_and_odd_names_are_told),
        INOTIFY(attributes_and_odd_names_are_told),
        VOLUME(what_happens_in_a_new_directory_is_told),
        INOTIFY(what_happens_in_a_new_directory_is_told),
        VOLUME(the_private_directory_and_other_trees_are_not_told),
        INOTIFY(the_private_directory_and_other_trees_are_not_told),
        VOLUME(a_file_that_comes_in_from_outside_is_told),
        INOTIFY(a_file_that_comes_in_from_outside_is_told),
        VOLUME(one_place_is_told_once_a_batch),
        VOLUME(more_places_than_fit_become_a_rescan),
        VOLUME(closing_with_a_batch_under_way_is_safe),
        INOTIFY(closing_with_a_batch_under_way_is_safe),
        cmocka_unit_test(the_set_is_bounded),
    };

    /* Handles of directories can be opened by root only. */
    if (geteuid() != 0) {
        print_message("skipped: needs CAP_DAC_READ_SEARCH and CAP_SYS_ADMIN\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
