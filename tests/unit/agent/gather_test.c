/* SPDX-License-Identifier: Apache-2.0 */
/* What one look at the disk finds, against what is recorded. */
#include "agent/folder/local.h"

#include "agent/replica/replica.h"
#include "common/base/mem.h"
#include "common/base/scope.h"
#include "tests/unit/agent/temp_root.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

struct fixture {
    struct temp_root t;
    struct db *db;
    struct replica *replica;
    struct signatures *signatures;
    struct filter nothing;
    atomic_bool stop;
    struct gathering g;
};

static struct db_options db_options_of(const struct fixture *f, const char *path)
{
    return (struct db_options){
        .path = path, .folder = f->t.folder, .token = root_token(f->t.root), .log = &f->t.log};
}

static int open_fixture(void **state)
{
    struct fixture *f = MEM_NEW(struct fixture);

    temp_root_open(&f->t);
    scope_free char *path = root_database_path(f->t.root);
    struct db_options db = db_options_of(f, path);
    assert_int_equal(db_open(&db, &f->db), ST_OK);
    struct replica_options options = {.folder = f->t.folder,
                                      .store = db_store(f->db),
                                      .primary = true,
                                      .fresh_database = guid_random(),
                                      .now = walltime_now(),
                                      .log = &f->t.log};
    assert_int_equal(replica_open(&options, &f->replica), ST_OK);
    assert_int_equal(db_reader_open(&db, &f->g.reader), ST_OK);
    f->signatures = signatures_open(&(struct signatures_options){
        .root = f->t.root, .bytes_max = 1 << 20, .count_max = 10});
    f->g.root = f->t.root;
    f->g.file_filter = &f->nothing;
    f->g.dir_filter = &f->nothing;
    f->g.signatures = f->signatures;
    f->g.root_id = replica_root(f->replica);
    f->g.stop = &f->stop;
    f->g.tree_known = true;
    *state = f;
    return 0;
}

static int close_fixture(void **state)
{
    struct fixture *f = *state;

    gathering_clear(&f->g);
    db_reader_close(f->g.reader);
    signatures_close(f->signatures);
    replica_close(f->replica);
    db_close(f->db);
    temp_root_close(&f->t);
    free(f);
    return 0;
}

static void look_at(struct fixture *f, struct named_place take_place)
{
    gathering_clear(&f->g);
    f->g.places = mem_new(1, sizeof(*f->g.places));
    f->g.places[0] = take_place;
    f->g.place_count = 1;
    gather(&f->g);
    assert_int_equal(f->g.status, ST_OK);
}

static void look(struct fixture *f, const char *path, const struct object *dir)
{
    look_at(f, (struct named_place){.path = mem_copy_string(path),
                                    .dir = dir ? *dir : (struct object){0}});
}

static const struct finding *only(const struct fixture *f, enum finding_kind kind)
{
    assert_int_equal(f->g.finding_count, 1);
    assert_int_equal(f->g.findings[0].kind, kind);
    return &f->g.findings[0];
}

/* Have what stands there recorded. */
static struct object recorded(struct fixture *f, const char *name)
{
    struct change *change;
    struct file_id id;
    size_t count;

    look(f, name, NULL);
    const struct finding *found = only(f, FINDING_PRESENT);
    struct observation seen = {.parent = f->g.root_id,
                               .name = span_of_string(name),
                               .kind = found->content.kind,
                               .object = found->content.object,
                               .witness = found->content.witness,
                               .size = found->content.size,
                               .hash = found->content.hash,
                               .attributes = buf_span(&found->content.attributes)};
    change = replica_change_begin(f->replica, (struct walltime){.ns = 1});
    assert_int_equal(replica_observe(change, &seen, true, &id), OBSERVED_NEW);
    assert_int_equal(replica_change_commit(change, &count), ST_OK);
    return seen.object;
}

static struct object recorded_dir(struct fixture *f, const char *name)
{
    temp_make_dir(&f->t, name);
    return recorded(f, name);
}

static struct object recorded_file(struct fixture *f, const char *name)
{
    temp_write(&f->t, name, "x");
    return recorded(f, name);
}

static void what_is_as_recorded_is_fine(void **state)
{
    struct fixture *f = *state;

    recorded_dir(f, "dir");
    look(f, "dir", NULL);
    only(f, FINDING_FINE);
}

static void nothing_at_a_name_that_nobody_has_is_told_as_such(void **state)
{
    struct fixture *f = *state;

    look(f, "nothing", NULL);
    only(f, FINDING_ABSENT);
}

static void a_directory_that_has_gone_is_found_from_a_name_within(void **state)
{
    struct fixture *f = *state;

    if (geteuid() != 0)
        skip(); /* open_by_handle_at */
    recorded_dir(f, "dir");
    temp_remove(&f->t, "dir");
    look(f, "dir/file", NULL);
    assert_string_equal(only(f, FINDING_LOOK)->path, "dir");
    look(f, "dir", NULL);
    only(f, FINDING_GONE);
}

/* As after a crash between the step and its record. */
static void what_was_thrown_away_counts_as_gone_while_no_plan_runs(void **state)
{
    struct fixture *f = *state;

    if (geteuid() != 0)
        skip(); /* open_by_handle_at */
    recorded_dir(f, "dir");
    temp_rename(&f->t, "dir", PRIVATE_DIR_NAME "/trash/1");
    look(f, "dir", NULL);
    assert_true(only(f, FINDING_GONE)->discarded);
    assert_true(finding_still_stands(f->t.root, &f->g.findings[0], false));

    temp_make_dir(&f->t, "dir");
    look(f, "dir", NULL);
    assert_true(only(f, FINDING_PRESENT)->holder_gone);
    assert_true(f->g.findings[0].discarded);
}

static void an_event_within_a_directory_that_has_gone_leads_to_it(void **state)
{
    struct fixture *f = *state;
    struct object dir = recorded_dir(f, "dir");

    if (geteuid() != 0)
        skip(); /* open_by_handle_at */
    temp_remove(&f->t, "dir");
    look(f, "dir/file", &dir);
    assert_string_equal(only(f, FINDING_LOOK)->path, "dir");
}

static void an_event_within_a_directory_that_has_moved_follows_it(void **state)
{
    struct fixture *f = *state;
    struct object dir = recorded_dir(f, "dir");

    if (geteuid() != 0)
        skip(); /* open_by_handle_at */
    temp_rename(&f->t, "dir", "moved");
    look(f, "dir/file", &dir);
    assert_string_equal(only(f, FINDING_LOOK)->path, "moved/file");
}

/* Never something to look at later: nothing would be still, and what is parked waits for stillness. */
static void an_event_within_a_parked_directory_leads_into_it(void **state)
{
    struct fixture *f = *state;

    if (geteuid() != 0)
        skip(); /* open_by_handle_at */
    struct object dir = recorded_dir(f, "dir");

    temp_rename(&f->t, "dir", PARKED_DIR "/1");
    look(f, "dir/file", &dir);
    only(f, FINDING_WALK);
}

static void an_event_beneath_a_parked_directory_follows_it(void **state)
{
    struct fixture *f = *state;

    if (geteuid() != 0)
        skip(); /* open_by_handle_at */
    recorded_dir(f, "dir");
    temp_make_dir(&f->t, "dir/sub");
    struct object sub = temp_look(&f->t, "dir/sub").object;

    temp_rename(&f->t, "dir", PARKED_DIR "/1");
    look(f, "dir/sub/file", &sub);
    assert_string_equal(only(f, FINDING_LOOK)->path, PARKED_DIR "/1/sub/file");
}

/* Record something else of a file than there is; @witness NULL: as it was. Its id. */
static struct file_id record_as(struct fixture *f, const struct object *object, enum place place,
                                const struct witness *witness)
{
    struct store store = db_store(f->db);
    scope(record) struct record record = {0};

    assert_true(store.ops->get_by_object(store.arg, object, &record));
    record.place = place;
    if (witness)
        record.witness = *witness;
    store.ops->begin(store.arg);
    store.ops->put(store.arg, &record);
    assert_int_equal(store.ops->commit(store.arg), ST_OK);
    return record.update.id;
}

/* Record it as parked, ahead of a step that was never made; the place where it is to be looked for. */
static void park_in_records(struct fixture *f, const struct object *object, char path[])
{
    struct file_id id = record_as(f, object, PLACE_PARKED, NULL);

    memcpy(path, PARKED_DIR "/", sizeof(PARKED_DIR) + 1);
    replica_parked_name(&id, path + sizeof(PARKED_DIR));
}

static void what_was_to_be_parked_and_has_gone_is_found_gone(void **state)
{
    struct fixture *f = *state;
    char path[sizeof(PARKED_DIR) + PARKED_NAME_SIZE];

    if (geteuid() != 0)
        skip(); /* open_by_handle_at */
    struct object dir = recorded_dir(f, "dir");

    park_in_records(f, &dir, path);
    temp_remove(&f->t, "dir");
    look(f, path, NULL);
    only(f, FINDING_GONE);
}

static void what_was_to_be_parked_and_has_moved_is_looked_at_there(void **state)
{
    struct fixture *f = *state;
    char path[sizeof(PARKED_DIR) + PARKED_NAME_SIZE];

    if (geteuid() != 0)
        skip(); /* open_by_handle_at */
    struct object dir = recorded_dir(f, "dir");

    park_in_records(f, &dir, path);
    temp_rename(&f->t, "dir", "moved");
    look(f, path, NULL);
    assert_string_equal(only(f, FINDING_LOOK)->path, "moved");
}

/* --- a file that is followed --- */

/* Look at what the last look asked for. */
static void look_on(struct fixture *f)
{
    const struct finding *found = only(f, FINDING_LOOK);

    look_at(f, (struct named_place){
                   .path = mem_copy_string(found->path), .dir = found->parent, .file = found->file});
}

static void what_moved_is_found_where_it_is(void **state)
{
    struct fixture *f = *state;

    if (geteuid() != 0)
        skip(); /* open_by_handle_at */
    recorded_dir(f, "dir");
    recorded_file(f, "file");
    temp_rename(&f->t, "file", "dir/file");
    look(f, "file", NULL);
    assert_string_equal(only(f, FINDING_LOOK)->path, "dir/file");
    look_on(f);
    assert_string_equal(only(f, FINDING_PRESENT)->path, "dir/file");
}

/* It moved into a directory, and left the tree with it before that was looked at. */
static void what_moved_on_before_it_was_met_is_gone(void **state)
{
    struct fixture *f = *state;

    if (geteuid() != 0)
        skip(); /* open_by_handle_at */
    recorded_dir(f, "dir");
    struct object file = recorded_file(f, "file");
    temp_rename(&f->t, "file", "dir/file");
    look(f, "file", NULL);
    temp_rename(&f->t, "dir", PRIVATE_DIR_NAME "/trash/1");
    look_on(f);

    bool is_gone = false;
    for (size_t i = 0; i < f->g.finding_count; i++)
        is_gone = is_gone || (f->g.findings[i].kind == FINDING_GONE &&
                              object_equal(&f->g.findings[i].object, &file));
    assert_true(is_gone);
}

static void what_moved_to_a_filtered_name_is_gone(void **state)
{
    static const char *const names[] = {"file.bak", "aside.old/file"};
    struct fixture *f = *state;

    if (geteuid() != 0)
        skip(); /* open_by_handle_at */
    assert_true(filter_add(&f->nothing, "*.bak"));
    assert_true(filter_add(&f->nothing, "*.old"));
    temp_make_dir(&f->t, "aside.old");
    recorded_file(f, "file");
    temp_rename(&f->t, "file", "file.bak");
    f->g.left_out_wait_ms = 3600000;
    look(f, "file", NULL);
    only(f, FINDING_LATER); /* a new one may take its place */
    f->g.left_out_wait_ms = 0;
    temp_rename(&f->t, "file.bak", "file");
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        temp_rename(&f->t, i == 0 ? "file" : names[i - 1], names[i]);
        look(f, "file", NULL);
        only(f, FINDING_GONE);
        assert_true(finding_still_stands(f->t.root, &f->g.findings[0], false));
    }
    temp_rename(&f->t, names[1], "back");
    assert_false(finding_still_stands(f->t.root, &f->g.findings[0], false));

    /* saved anew, with the old one beside it */
    temp_rename(&f->t, "back", "file.bak");
    temp_write(&f->t, "file", "new");
    look(f, "file", NULL);
    assert_true(only(f, FINDING_PRESENT)->holder_gone);
    filter_fini(&f->nothing);
}

/* A step that failed asks for a look at both its ends, and one may be in the private directory. */
static void nothing_is_found_in_the_private_directory_itself(void **state)
{
    static const char *const paths[] = {PRIVATE_DIR_NAME, PARKED_DIR, PRIVATE_DIR_NAME "/trash/1",
                                        PARKED_DIR "/stranger"};
    struct fixture *f = *state;

    temp_write(&f->t, PRIVATE_DIR_NAME "/trash/1", "x");
    temp_write(&f->t, PARKED_DIR "/stranger", "x");
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        look(f, paths[i], NULL);
        assert_int_equal(f->g.finding_count, 0);
    }
}

static void what_is_parked_as_recorded_is_fine(void **state)
{
    struct fixture *f = *state;
    char path[sizeof(PARKED_DIR) + PARKED_NAME_SIZE];
    struct object object = recorded_file(f, "file");

    park_in_records(f, &object, path);
    temp_rename(&f->t, "file", path);
    struct witness witness = temp_look(&f->t, path).witness;
    record_as(f, &object, PLACE_PARKED, &witness);
    look(f, path, NULL);
    only(f, FINDING_FINE);
}

static void what_was_written_while_it_was_parked_is_read(void **state)
{
    struct fixture *f = *state;
    char path[sizeof(PARKED_DIR) + PARKED_NAME_SIZE];
    struct object object = recorded_file(f, "file");

    park_in_records(f, &object, path);
    temp_rename(&f->t, "file", path);
    temp_write(&f->t, path, "written since");
    look(f, path, NULL);
    assert_true(only(f, FINDING_PRESENT)->parked);
    assert_true(object_equal(&f->g.findings[0].content.object, &object));
}

static void what_is_parked_in_the_place_of_another_leads_to_that(void **state)
{
    struct fixture *f = *state;
    char path[sizeof(PARKED_DIR) + PARKED_NAME_SIZE];

    if (geteuid() != 0)
        skip(); /* open_by_handle_at */
    struct object object = recorded_file(f, "file");

    park_in_records(f, &object, path);
    temp_write(&f->t, path, "another");
    look(f, path, NULL);
    assert_string_equal(only(f, FINDING_LOOK)->path, "file");
}

static void move_out(const struct fixture *f, const char *name)
{
    scope_free char *from = mem_format("%s/%s", f->t.path, name);
    scope_free char *to = mem_format("%s/%s", f->t.base, name);

    assert_int_equal(rename(from, to), 0);
}

static void what_the_kernel_knows_no_name_of_has_gone_once_the_tree_is_known(void **state)
{
    struct fixture *f = *state;

    if (geteuid() != 0)
        skip(); /* open_by_handle_at */
    recorded_file(f, "file");
    move_out(f, "file");
    temp_forget_names();
    f->g.tree_known = false;
    look(f, "file", NULL);
    only(f, FINDING_LATER);
    f->g.tree_known = true;
    look(f, "file", NULL);
    assert_true(only(f, FINDING_GONE)->nameless);
    assert_true(finding_still_stands(f->t.root, &f->g.findings[0], false));
}

static void a_name_whose_holder_has_no_name_is_free_once_the_tree_is_known(void **state)
{
    struct fixture *f = *state;

    if (geteuid() != 0)
        skip(); /* open_by_handle_at */
    recorded_file(f, "file");
    move_out(f, "file");
    temp_forget_names();
    temp_write(&f->t, "file", "y");
    f->g.tree_known = false;
    look(f, "file", NULL);
    assert_false(only(f, FINDING_PRESENT)->holder_gone);
    f->g.tree_known = true;
    look(f, "file", NULL);
    assert_true(only(f, FINDING_PRESENT)->holder_gone);
    assert_true(f->g.findings[0].nameless);
}

static void what_is_parked_has_not_gone_when_the_kernel_forgets_its_name(void **state)
{
    struct fixture *f = *state;
    char path[sizeof(PARKED_DIR) + PARKED_NAME_SIZE];

    if (geteuid() != 0)
        skip(); /* open_by_handle_at */
    struct object object = recorded_file(f, "file");

    park_in_records(f, &object, path);
    temp_rename(&f->t, "file", path);
    temp_forget_names();
    gathering_clear(&f->g);
    f->g.scan = scan_begin(&(struct scan_options){.root = f->t.root,
                                                  .path = "",
                                                  .recursive = true,
                                                  .file_filter = &f->nothing,
                                                  .dir_filter = &f->nothing,
                                                  .stop = &f->stop});
    gather(&f->g);
    assert_true(f->g.scan_finished);
    assert_string_equal(only(f, FINDING_LOOK)->path, path); /* and not gone */
    scan_end(f->g.scan);
    f->g.scan = NULL;
}

int main(void)
{
#define PROMISE(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)
    const struct CMUnitTest tests[] = {
        PROMISE(what_is_as_recorded_is_fine),
        PROMISE(nothing_at_a_name_that_nobody_has_is_told_as_such),
        PROMISE(a_directory_that_has_gone_is_found_from_a_name_within),
        PROMISE(what_was_thrown_away_counts_as_gone_while_no_plan_runs),
        PROMISE(an_event_within_a_directory_that_has_gone_leads_to_it),
        PROMISE(an_event_within_a_directory_that_has_moved_follows_it),
        PROMISE(an_event_within_a_parked_directory_leads_into_it),
        PROMISE(an_event_beneath_a_parked_directory_follows_it),
        PROMISE(what_was_to_be_parked_and_has_gone_is_found_gone),
        PROMISE(what_was_to_be_parked_and_has_moved_is_looked_at_there),
        PROMISE(what_moved_is_found_where_it_is),
        PROMISE(what_moved_on_before_it_was_met_is_gone),
        PROMISE(what_moved_to_a_filtered_name_is_gone),
        PROMISE(nothing_is_found_in_the_private_directory_itself),
        PROMISE(what_is_parked_as_recorded_is_fine),
        PROMISE(what_was_written_while_it_was_parked_is_read),
        PROMISE(what_is_parked_in_the_place_of_another_leads_to_that),
        PROMISE(what_the_kernel_knows_no_name_of_has_gone_once_the_tree_is_known),
        PROMISE(a_name_whose_holder_has_no_name_is_free_once_the_tree_is_known),
        PROMISE(what_is_parked_has_not_gone_when_the_kernel_forgets_its_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
