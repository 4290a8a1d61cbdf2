/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/db/db.h"

#include "agent/db/connection.h"
#include "agent/db/row.h"
#include "common/base/instant.h"
#include "common/base/limits.h"
#include "common/base/mem.h"
#include "tests/unit/agent/temp_root.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define BULK_COUNT 100000u

struct fixture {
    char *dir;
    char *path;
    struct log_ctx log;
    struct db_options options;
    struct db *db;
    struct store store;
};

static char last_line[1024];

static void keep_line(enum log_level level, const char *line, void *arg)
{
    (void)level;
    (void)arg;
    snprintf(last_line, sizeof last_line, "%s", line);
}

static void reopen(struct fixture *f)
{
    db_close(f->db);
    f->db = NULL;
    assert_int_equal(db_open(&f->options, &f->db), ST_OK);
    f->store = db_store(f->db);
}

static int open_fixture(void **state)
{
    struct fixture *f = MEM_NEW(struct fixture);
    const char *tmp = getenv("TMPDIR");

    log_capture(keep_line, NULL);
    f->dir = mem_format("%s/coterie-db-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(f->dir));
    f->path = mem_format("%s/folder.db", f->dir);
    log_ctx_init(&f->log, NULL, "folder=test");
    f->options = (struct db_options){
        .path = f->path, .folder = guid_random(), .token = guid_random(), .log = &f->log};
    reopen(f);
    *state = f;
    return 0;
}

static int close_fixture(void **state)
{
    struct fixture *f = *state;

    db_close(f->db);
    temp_remove_tree(f->dir);
    free(f->dir);
    free(f->path);
    free(f);
    log_capture(NULL, NULL);
    return 0;
}

/* A regular file with these numbers in the database that is all @tag. */
static struct record make(uint8_t tag, uint64_t number, uint64_t parent, const char *name)
{
    struct record r = {.place = PLACE_TREE};

    memset(r.update.id.database.bytes, tag, GUID_SIZE);
    r.update.id.number = number;
    r.update.gvsn = (struct gvsn){r.update.id.database, number};
    r.update.parent = (struct file_id){r.update.id.database, parent};
    update_set_name(&r.update, span_of_string(name));
    r.update.kind = FILE_REGULAR;
    r.update.present = true;
    r.update.fence = FENCE_DEFAULT;
    r.update.clock = 1000 + number;
    r.update.create_time = 5;
    r.update.size = 10;
    memset(r.update.hash.bytes, 7, CONTENT_HASH_SIZE);
    r.object.size = 10;
    memcpy(r.object.bytes, &number, sizeof number);
    r.witness = (struct witness){.size = 10, .modified_ns = -5, .changed_ns = 77};
    return r;
}

static void put(struct fixture *f, struct record *record)
{
    f->store.ops->begin(f->store.arg);
    f->store.ops->put(f->store.arg, record);
    assert_int_equal(f->store.ops->commit(f->store.arg), ST_OK);
}

static void a_record_comes_back_whole_by_every_key(void **state)
{
    struct fixture *f = *state;
    struct record in = make(3, 20, 9, "a\nb\xff");
    struct record out = {0};
    const struct store_ops *ops = f->store.ops;

    update_set_attributes(&in.update, span_of("xyz", 3));
    put(f, &in);

    for (int way = 0; way < 5; way++) {
        bool found = way == 0   ? ops->get(f->store.arg, &in.update.id, &out)
                     : way == 1 ? ops->get_by_name(f->store.arg, &in.update.parent,
                                                   update_name(&in.update), &out)
                     : way == 2 ? ops->get_by_object(f->store.arg, &in.object, &out)
                     : way == 3 ? ops->next_child(f->store.arg, &in.update.parent, NULL, &out)
                                : ops->next_version(f->store.arg, &in.update.gvsn.database,
                                                    (struct interval){19, 20}, &out);
        assert_true(found);
        assert_int_equal(update_compare(&in.update, &out.update), 0);
        assert_true(span_equal(update_name(&in.update), update_name(&out.update)));
        assert_true(span_equal(update_attributes(&in.update), update_attributes(&out.update)));
        assert_true(object_equal(&in.object, &out.object));
        assert_true(witness_equal(&in.witness, &out.witness));
        assert_int_equal(out.place, PLACE_TREE);
        update_fini(&out.update);
        out = (struct record){0};
    }
    update_fini(&in.update);
}

static void only_what_is_in_the_tree_is_found_by_name(void **state)
{
    struct fixture *f = *state;
    struct record r = make(1, 20, 9, "a");
    struct record out = {0};
    const struct store_ops *ops = f->store.ops;

    r.place = PLACE_PARKED;
    put(f, &r);
    assert_false(ops->get_by_name(f->store.arg, &r.update.parent, update_name(&r.update), &out));
    assert_true(ops->get_by_object(f->store.arg, &r.object, &out));
    assert_true(ops->next_parked(f->store.arg, NULL, &out));
    assert_false(ops->next_parked(f->store.arg, &r.update.id, &out));

    r.place = PLACE_NOWHERE;
    r.update.present = false;
    r.update.size = 0;
    memset(&r.update.hash, 0, sizeof r.update.hash);
    r.object = (struct object){0};
    put(f, &r);
    assert_false(ops->next_parked(f->store.arg, NULL, &out));
    assert_false(ops->next_child(f->store.arg, &r.update.parent, NULL, &out));
    assert_true(ops->next_expired(f->store.arg, r.update.clock + 1, &out));
    assert_false(ops->next_expired(f->store.arg, r.update.clock, &out));
    update_fini(&out.update);
}

static void children_come_in_the_order_of_their_ids(void **state)
{
    struct fixture *f = *state;
    const struct store_ops *ops = f->store.ops;
    const uint64_t numbers[] = {256, 255, 11, 1000000007, 12};
    const uint64_t ascending[] = {11, 12, 255, 256, 1000000007};
    struct record out = {0};
    struct record r;

    for (size_t i = 0; i < 5; i++) {
        char name[8];

        snprintf(name, sizeof name, "n%zu", i);
        r = make(1, numbers[i], 9, name);
        put(f, &r);
    }

    for (size_t i = 0; i < 5; i++) {
        struct file_id after = out.update.id;

        assert_true(ops->next_child(f->store.arg, &r.update.parent, i ? &after : NULL, &out));
        assert_int_equal(out.update.id.number, ascending[i]);
    }
    {
        struct file_id after = out.update.id;

        assert_false(ops->next_child(f->store.arg, &r.update.parent, &after, &out));
    }
    update_fini(&out.update);
}

static void versions_come_lowest_first_within_the_interval(void **state)
{
    struct fixture *f = *state;
    struct record a = make(1, 300, 9, "a");
    struct record b = make(1, 200, 9, "b");
    struct record other = make(2, 250, 9, "c");
    struct record out = {0};

    put(f, &a);
    put(f, &b);
    put(f, &other);

    assert_true(f->store.ops->next_version(f->store.arg, &a.update.gvsn.database,
                                           (struct interval){10, 1000}, &out));
    assert_int_equal(out.update.gvsn.number, 200);
    assert_true(f->store.ops->next_version(f->store.arg, &a.update.gvsn.database,
                                           (struct interval){200, 1000}, &out));
    assert_int_equal(out.update.gvsn.number, 300);
    assert_false(f->store.ops->next_version(f->store.arg, &a.update.gvsn.database,
                                            (struct interval){300, 1000}, &out));
    update_fini(&out.update);
}

static void versions_are_counted_up_to_a_limit(void **state)
{
    struct fixture *f = *state;
    struct record a = make(1, 300, 9, "a");
    struct record b = make(1, 200, 9, "b");
    struct record other = make(2, 250, 9, "c");
    struct vector versions = {0};
    struct db_reader *reader;

    put(f, &a);
    put(f, &b);
    put(f, &other);
    assert_int_equal(db_reader_open(&f->options, &reader), ST_OK);
    vector_add_interval(&versions, &a.update.gvsn.database, (struct interval){199, 300});
    assert_int_equal(db_reader_count_versions(reader, &versions, 100), 2);
    vector_add(&versions, &other.update.gvsn);
    assert_int_equal(db_reader_count_versions(reader, &versions, 100), 3);
    assert_int_equal(db_reader_count_versions(reader, &versions, 2), 2);
    vector_remove(&versions, &a.update.gvsn);
    assert_int_equal(db_reader_count_versions(reader, &versions, 100), 2);
    vector_fini(&versions);
    db_reader_close(reader);
}

static void an_aborted_transaction_leaves_no_trace(void **state)
{
    struct fixture *f = *state;
    struct record r = make(1, 20, 9, "a");
    struct record out = {0};

    f->store.ops->begin(f->store.arg);
    f->store.ops->put(f->store.arg, &r);
    assert_true(f->store.ops->get(f->store.arg, &r.update.id, &out));
    f->store.ops->abort(f->store.arg);

    assert_false(f->store.ops->get(f->store.arg, &r.update.id, &out));
    assert_int_equal(db_counters(f->db).file_count, 0);
    update_fini(&out.update);
}

static void counters_follow_every_change(void **state)
{
    struct fixture *f = *state;
    struct record file = make(1, 20, 9, "a");
    struct record dir = make(1, 21, 9, "d");

    dir.update.kind = FILE_DIRECTORY;
    dir.update.size = 0;
    memset(&dir.update.hash, 0, sizeof dir.update.hash);
    put(f, &file);
    put(f, &dir);
    file.update.size = 4;
    put(f, &file);
    assert_int_equal(db_counters(f->db).file_count, 1);
    assert_int_equal(db_counters(f->db).dir_count, 1);
    assert_int_equal(db_counters(f->db).content_bytes, 4);

    f->store.ops->begin(f->store.arg);
    f->store.ops->forget(f->store.arg, &file.update.id);
    assert_int_equal(f->store.ops->commit(f->store.arg), ST_OK);
    reopen(f);
    assert_int_equal(db_counters(f->db).file_count, 0);
    assert_int_equal(db_counters(f->db).content_bytes, 0);
    assert_int_equal(db_counters(f->db).dir_count, 1);
}

static void state_and_intents_survive_a_reopening(void **state)
{
    struct fixture *f = *state;
    struct replica_state in = {.database = guid_random(), .number_last = 42};
    struct replica_state out = {0};
    struct intent intent = {0};
    struct intent found = {0};
    struct record a = make(1, 20, 9, "a");
    struct record b = make(1, 21, 9, "b");

    in.initial_scan_done = true;
    in.member = guid_random();
    vector_add(&in.vector, &a.update.gvsn);
    vector_add(&in.forgotten, &b.update.gvsn);
    f->store.ops->begin(f->store.arg);
    f->store.ops->put_state(f->store.arg, &in);
    intent.update = a.update;
    intent.object = a.object;
    f->store.ops->put_intent(f->store.arg, &intent);
    intent.update = b.update;
    intent.object = (struct object){0};
    f->store.ops->put_intent(f->store.arg, &intent);
    assert_int_equal(f->store.ops->commit(f->store.arg), ST_OK);
    reopen(f);

    assert_true(f->store.ops->get_state(f->store.arg, &out));
    assert_true(guid_equal(&in.database, &out.database));
    assert_int_equal(out.number_last, 42);
    assert_true(out.initial_scan_done);
    assert_false(out.initial_sync_done);
    assert_true(vector_equal(&in.vector, &out.vector));
    assert_true(guid_equal(&in.member, &out.member));
    assert_true(vector_equal(&in.forgotten, &out.forgotten));
    assert_true(f->store.ops->get_intent(f->store.arg, 0, &found));
    assert_int_equal(found.update.id.number, 20);
    assert_true(object_equal(&found.object, &a.object));
    assert_true(f->store.ops->get_intent(f->store.arg, 1, &found));
    assert_int_equal(found.update.id.number, 21);
    assert_int_equal(found.object.size, 0);
    assert_false(f->store.ops->get_intent(f->store.arg, 2, &found));

    f->store.ops->begin(f->store.arg);
    f->store.ops->clear_intents(f->store.arg);
    f->store.ops->put_intent(f->store.arg, &intent);
    assert_int_equal(f->store.ops->commit(f->store.arg), ST_OK);
    assert_true(f->store.ops->get_intent(f->store.arg, 0, &found));
    assert_int_equal(found.update.id.number, 21);
    update_fini(&found.update);
    replica_state_fini(&in);
    replica_state_fini(&out);
}

static void a_committed_record_survives_a_kill(void **state)
{
    struct fixture *f = *state;
    struct record r = make(1, 20, 9, "a");
    struct record uncommitted = make(1, 21, 9, "b");
    struct record out = {0};
    int status;
    pid_t child;

    db_close(f->db);
    f->db = NULL;
    child = fork();
    if (child == 0) {
        /* _exit() leaves everything as a kill would: nothing is closed. */
        if (db_open(&f->options, &f->db) != ST_OK)
            _exit(1);
        f->store = db_store(f->db);
        f->store.ops->begin(f->store.arg);
        f->store.ops->put(f->store.arg, &r);
        if (f->store.ops->commit(f->store.arg) != ST_OK)
            _exit(2);
        f->store.ops->begin(f->store.arg);
        f->store.ops->put(f->store.arg, &uncommitted);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);

    assert_int_equal(db_open(&f->options, &f->db), ST_OK);
    f->store = db_store(f->db);
    assert_non_null(strstr(last_line, "not closed cleanly"));
    assert_true(f->store.ops->get(f->store.arg, &r.update.id, &out));
    assert_false(f->store.ops->get(f->store.arg, &uncommitted.update.id, &out));
    update_fini(&out.update);
}

static void flip_where(const char *path, const char *needle)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    struct stat st;
    char *bytes;
    char *hit;

    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    bytes = mem_new((size_t)st.st_size, 1);
    assert_int_equal(pread(fd, bytes, (size_t)st.st_size, 0), st.st_size);
    hit = memmem(bytes, (size_t)st.st_size, needle, strlen(needle));
    assert_non_null(hit);
    hit[1] ^= 0x20;
    assert_int_equal(pwrite(fd, hit + 1, 1, hit + 1 - bytes), 1);
    free(bytes);
    close(fd);
}

static void a_flipped_byte_in_a_record_fails_the_store(void **state)
{
    struct fixture *f = *state;
    struct record r = make(1, 20, 9, "plain");
    struct record out = {0};

    update_set_attributes(&r.update, span_of_string("MARKED"));
    put(f, &r);
    db_close(f->db);
    f->db = NULL;
    flip_where(f->path, "MARKED");
    assert_int_equal(db_open(&f->options, &f->db), ST_OK);
    f->store = db_store(f->db);

    assert_false(f->store.ops->get(f->store.arg, &r.update.id, &out));

    assert_true(f->store.ops->failed(f->store.arg));
    assert_int_equal(db_failure(f->db), ST_BADDATA);
    f->store.ops->begin(f->store.arg);
    assert_int_equal(f->store.ops->commit(f->store.arg), ST_BADDATA);
    update_fini(&r.update);
}

static void a_damaged_file_is_refused_and_can_be_moved_aside(void **state)
{
    struct fixture *f = *state;
    int fd;

    db_close(f->db);
    f->db = NULL;
    fd = open(f->path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    assert_int_equal(write(fd, "this is not a database at all, by far", 37), 37);
    close(fd);

    assert_int_equal(db_open(&f->options, &f->db), ST_BADDATA);
    assert_int_equal(db_move_aside(f->path, &f->log), ST_OK);
    assert_int_equal(db_open(&f->options, &f->db), ST_OK);
    assert_true(db_created(f->db));
}

static void the_database_of_another_root_is_refused(void **state)
{
    struct fixture *f = *state;
    struct guid token = f->options.token;

    db_close(f->db);
    f->db = NULL;
    f->options.token = guid_random();
    assert_int_equal(db_open(&f->options, &f->db), ST_BADDATA);
    assert_non_null(strstr(last_line, "another root"));
    f->options.token = token;
    assert_int_equal(db_open(&f->options, &f->db), ST_OK);
    assert_false(db_created(f->db));
}

static void a_second_writer_is_kept_out(void **state)
{
    struct fixture *f = *state;
    struct db *second;

    assert_int_equal(db_open(&f->options, &second), ST_AGAIN);
}

static void names_fold_when_the_folder_says_so(void **state)
{
    struct fixture *f = *state;
    struct record r = make(1, 20, 9, "ReadMe");
    struct record out = {0};

    put(f, &r);
    assert_false(f->store.ops->get_by_name(f->store.arg, &r.update.parent,
                                           span_of_string("readme"), &out));
    f->options.case_insensitive = true;
    reopen(f);
    assert_true(f->store.ops->get_by_name(f->store.arg, &r.update.parent,
                                          span_of_string("README"), &out));
    assert_memory_equal(out.update.name, "ReadMe", 6);
    f->options.case_insensitive = false;
    reopen(f);
    assert_true(f->store.ops->get_by_name(f->store.arg, &r.update.parent,
                                          span_of_string("ReadMe"), &out));
    update_fini(&out.update);
}

static void a_reader_sees_what_is_committed_and_only_that(void **state)
{
    struct fixture *f = *state;
    struct db_reader *reader;
    struct store view;
    struct record a = make(1, 20, 9, "a");
    struct record b = make(1, 21, 9, "b");
    struct record out = {0};

    put(f, &a);
    assert_int_equal(db_reader_open(&f->options, &reader), ST_OK);
    view = db_reader_store(reader);
    f->store.ops->begin(f->store.arg);
    f->store.ops->put(f->store.arg, &b);

    assert_true(view.ops->get(view.arg, &a.update.id, &out));
    assert_false(view.ops->get(view.arg, &b.update.id, &out));
    assert_int_equal(f->store.ops->commit(f->store.arg), ST_OK);
    assert_true(view.ops->get(view.arg, &b.update.id, &out));
    /* Idle readers do not hold the log back. */
    assert_int_equal(db_checkpoint(f->db, true), ST_OK);
    assert_true(view.ops->get(view.arg, &b.update.id, &out));

    update_fini(&out.update);
    db_reader_close(reader);
}

static void objects_can_be_forgotten(void **state)
{
    struct fixture *f = *state;
    struct record a = make(1, 20, 9, "a");
    struct record out = {0};

    put(f, &a);
    assert_int_equal(db_forget_objects(f->db), ST_OK);

    assert_false(f->store.ops->get_by_object(f->store.arg, &a.object, &out));
    assert_true(f->store.ops->get(f->store.arg, &a.update.id, &out));
    assert_int_equal(out.object.size, 0);
    update_fini(&out.update);
}

static void a_copy_of_a_live_database_opens(void **state)
{
    struct fixture *f = *state;
    struct record a = make(1, 20, 9, "a");
    struct record out = {0};
    char *copy = mem_format("%s.copy", f->path);

    put(f, &a);
    assert_int_equal(db_copy(f->db, copy), ST_OK);
    db_close(f->db);
    f->db = NULL;
    f->options.path = copy;
    assert_int_equal(db_open(&f->options, &f->db), ST_OK);
    f->store = db_store(f->db);
    assert_true(f->store.ops->get(f->store.arg, &a.update.id, &out));
    update_fini(&out.update);
    db_close(f->db);
    f->db = NULL;
    free(copy);
}

/* A file of @size bytes whose content is all @tag, at a place. */
static struct record make_content(uint64_t number, const char *name, uint64_t size, uint8_t tag)
{
    struct record r = make(1, number, 9, name);

    r.update.size = size;
    r.witness.size = size;
    memset(r.update.hash.bytes, tag, CONTENT_HASH_SIZE);
    return r;
}

static unsigned content_count(struct fixture *f, uint8_t tag)
{
    struct content_hash hash;
    struct record out = {0};
    struct db_reader *reader;

    memset(hash.bytes, tag, sizeof hash.bytes);
    assert_int_equal(db_reader_open(&f->options, &reader), ST_OK);
    unsigned count = 0;
    while (db_reader_find_content(reader, db_content_key(&hash), count, &out)) {
        assert_memory_equal(out.update.hash.bytes, hash.bytes, sizeof hash.bytes);
        count++;
    }
    update_fini(&out.update);
    db_reader_close(reader);
    return count;
}

static void content_is_found_while_it_stands_in_the_tree(void **state)
{
    struct fixture *f = *state;
    struct record large = make_content(20, "large", SEED_SIZE_MIN, 1);
    struct record small = make_content(21, "small", SEED_SIZE_MIN - 1, 2);
    struct record parked = make_content(22, "parked", SEED_SIZE_MIN, 3);

    parked.place = PLACE_PARKED;
    put(f, &large);
    put(f, &small);
    put(f, &parked);
    assert_int_equal(content_count(f, 1), 1);
    assert_int_equal(content_count(f, 2), 0);
    assert_int_equal(content_count(f, 3), 0);

    memset(large.update.hash.bytes, 4, CONTENT_HASH_SIZE);
    put(f, &large);
    parked.place = PLACE_TREE;
    put(f, &parked);
    assert_int_equal(content_count(f, 1), 0);
    assert_int_equal(content_count(f, 4), 1);
    assert_int_equal(content_count(f, 3), 1);
    memcpy(&parked.update.hash, &large.update.hash, sizeof parked.update.hash);
    put(f, &parked);
    assert_int_equal(content_count(f, 4), 2);
}

static void a_database_of_version_1_is_brought_up_to_date(void **state)
{
    struct fixture *f = *state;
    struct record large = make_content(20, "large", SEED_SIZE_MIN, 1);
    struct record small = make_content(21, "small", 10, 2);
    struct record out = {0};
    struct connection old;

    put(f, &large);
    put(f, &small);
    db_close(f->db);
    f->db = NULL;
    assert_int_equal(connection_open(&old, f->path, SQLITE_OPEN_READWRITE, &f->log), ST_OK);
    assert_int_equal(connection_exec(&old, "DROP INDEX record_contents;"
                                           "ALTER TABLE records DROP COLUMN content;"
                                           "PRAGMA user_version = 1"), ST_OK);
    connection_close(&old);

    reopen(f);

    assert_false(db_created(f->db));
    assert_true(f->store.ops->get(f->store.arg, &small.update.id, &out));
    assert_int_equal(content_count(f, 1), 1);
    assert_int_equal(content_count(f, 2), 0);
    memset(large.update.hash.bytes, 4, CONTENT_HASH_SIZE);
    put(f, &large);
    assert_int_equal(content_count(f, 4), 1);
    update_fini(&out.update);
}

static void a_state_of_version_2_has_no_member_and_nothing_forgotten(void **state)
{
    struct fixture *f = *state;
    struct replica_state in = {.database = guid_random(), .number_last = 42};
    struct replica_state out = {0};
    struct gvsn version = {.database = in.database, .number = 42};
    struct connection old;
    struct buf body = {0};
    struct buf sql = {0};

    vector_add(&in.vector, &version);
    f->store.ops->begin(f->store.arg);
    f->store.ops->put_state(f->store.arg, &in);
    assert_int_equal(f->store.ops->commit(f->store.arg), ST_OK);
    db_close(f->db);
    f->db = NULL;
    row_write_state(&in, &body);
    body.size -= GUID_SIZE + 1;
    buf_printf(&sql, "UPDATE state SET sum = %lld, body = x'",
               (long long)row_sum(buf_span(&body)));
    for (size_t i = 0; i < body.size; i++)
        buf_printf(&sql, "%02x", body.data[i]);
    buf_printf(&sql, "'; PRAGMA user_version = 2");
    assert_int_equal(connection_open(&old, f->path, SQLITE_OPEN_READWRITE, &f->log), ST_OK);
    assert_int_equal(connection_exec(&old, buf_text(&sql)), ST_OK);
    connection_close(&old);

    reopen(f);

    assert_true(f->store.ops->get_state(f->store.arg, &out));
    assert_true(vector_equal(&in.vector, &out.vector));
    assert_true(guid_is_zero(&out.member));
    assert_true(vector_is_empty(&out.forgotten));
    buf_fini(&body);
    buf_fini(&sql);
    replica_state_fini(&in);
    replica_state_fini(&out);
}

static void records_come_in_the_order_of_their_ids(void **state)
{
    struct fixture *f = *state;
    struct record dead = make(1, 21, 9, "b");
    struct record live = make(1, 20, 9, "a");
    struct record out = {0};

    dead.update.present = false;
    dead.update.size = 0;
    dead.update.hash = (struct content_hash){{0}};
    dead.place = PLACE_NOWHERE;
    dead.object = (struct object){0};
    put(f, &dead);
    put(f, &live);

    assert_true(f->store.ops->next_record(f->store.arg, NULL, &out));
    assert_int_equal(out.update.id.number, 20);
    assert_true(f->store.ops->next_record(f->store.arg, &live.update.id, &out));
    assert_int_equal(out.update.id.number, 21);
    assert_false(f->store.ops->next_record(f->store.arg, &dead.update.id, &out));
    update_fini(&out.update);
}

static bool count_one(const struct record *record, void *arg)
{
    ++*(size_t *)arg;
    return record->update.present;
}

static void a_hundred_thousand_records_load_fast_and_scan_in_order(void **state)
{
    struct fixture *f = *state;
    struct instant start = instant_now();
    struct db_reader *reader;
    size_t count = 0;
    int64_t load_ms;

    for (uint64_t n = 0; n < BULK_COUNT;) {
        f->store.ops->begin(f->store.arg);
        for (unsigned i = 0; i < 10000; i++, n++) {
            char name[32];
            struct record r;

            snprintf(name, sizeof name, "file-%08llu.dat", (unsigned long long)n);
            r = make(1, 100 + n, 10 + n / 100, name);
            f->store.ops->put(f->store.arg, &r);
        }
        assert_int_equal(f->store.ops->commit(f->store.arg), ST_OK);
    }
    load_ms = instant_ms_since(start, instant_now());

    start = instant_now();
    assert_int_equal(db_reader_open(&f->options, &reader), ST_OK);
    assert_int_equal(db_reader_each(reader, count_one, &count), ST_OK);
    assert_int_equal(count, BULK_COUNT);
    db_reader_close(reader);
    print_message("%u records: load %lld ms, scan %lld ms\n", BULK_COUNT, (long long)load_ms,
                  (long long)instant_ms_since(start, instant_now()));
    assert_int_equal(db_counters(f->db).file_count, BULK_COUNT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_record_comes_back_whole_by_every_key),
        TEST(only_what_is_in_the_tree_is_found_by_name),
        TEST(children_come_in_the_order_of_their_ids),
        TEST(versions_come_lowest_first_within_the_interval),
        TEST(versions_are_counted_up_to_a_limit),
        TEST(an_aborted_transaction_leaves_no_trace),
        TEST(counters_follow_every_change),
        TEST(state_and_intents_survive_a_reopening),
        TEST(a_committed_record_survives_a_kill),
        TEST(a_flipped_byte_in_a_record_fails_the_store),
        TEST(a_damaged_file_is_refused_and_can_be_moved_aside),
        TEST(the_database_of_another_root_is_refused),
        TEST(a_second_writer_is_kept_out),
        TEST(names_fold_when_the_folder_says_so),
        TEST(a_reader_sees_what_is_committed_and_only_that),
        TEST(objects_can_be_forgotten),
        TEST(a_copy_of_a_live_database_opens),
        TEST(content_is_found_while_it_stands_in_the_tree),
        TEST(a_database_of_version_1_is_brought_up_to_date),
        TEST(a_state_of_version_2_has_no_member_and_nothing_forgotten),
        TEST(records_come_in_the_order_of_their_ids),
        TEST(a_hundred_thousand_records_load_fast_and_scan_in_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
