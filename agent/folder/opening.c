/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/folder/opening.h"

#include "agent/transfer/file_content.h"
#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/base/scope.h"
#include "common/os/fileio.h"

#include <stdlib.h>

/* The root's token as the agent remembers it outside the root; zero when it does not. */
static struct guid remembered_token(const struct folder *f, const char *path)
{
    scope(buf) struct buf text = {0};
    struct guid token = {0};

    if (file_read(&f->log, path, ROOT_TOKEN_FILE_SIZE_MAX, &text) == ST_OK)
        (void)!guid_parse(buf_text(&text), &token);
    return token;
}

static enum status open_root(struct folder *f, struct parts *out, struct buf *problem)
{
    scope_free char *path = mem_format("%s/%s.root", f->services->state_dir,
                                       guid_format(&f->guid).text);
    struct root_options options = {
        .path = f->assignment->root_path,
        .folder = f->guid,
        .token = remembered_token(f, path),
        .log = &f->log,
    };
    enum status st;

    if (!f->services->path_allowed(options.path, f->services->arg)) {
        buf_printf(problem, "%s is not beneath an allowed root: allow it in agent.conf "
                            "(allowed_roots) or choose another path in the directory",
                   options.path);
        return ST_REFUSED;
    }
    st = root_open(&options, problem, &out->root);
    if (st != ST_OK || !guid_is_zero(&options.token))
        return st;
    struct guid token = root_token(out->root);
    struct guid_text text = guid_format(&token);
    st = file_write(&f->log, path, span_of_string(text.text), 0600);
    if (st != ST_OK)
        buf_printf(problem, "cannot remember the folder's root in %s: check the state directory",
                   path);
    return st;
}

static enum status open_db(struct folder *f, struct parts *out, struct buf *problem)
{
    scope_free char *path = root_database_path(out->root);
    struct db_options options = {
        .path = path,
        .folder = f->guid,
        .token = root_token(out->root),
        .case_insensitive = f->assignment->case_insensitive,
        .log = &f->log,
    };
    enum status st = db_open(&options, &out->db);

    if (st == ST_BADDATA) {
        log_error(&f->log, "the folder's database is damaged and is rebuilt from the files");
        st = db_move_aside(path, &f->log);
        if (st == ST_OK)
            st = db_open(&options, &out->db);
    }
    if (st == ST_OK && root_volume_changed(out->root)) {
        log_warn(&f->log, "the tree stands on another file system than before; its files are "
                          "recognised by their content");
        st = db_forget_objects(out->db);
        if (st == ST_OK)
            st = root_adopt_volume(out->root);
    }
    if (st == ST_OK)
        st = db_reader_open(&options, &out->db_reader);
    if (st != ST_OK)
        buf_printf(problem, "cannot open the folder's database %s: see the log", path);
    return st;
}

struct known {
    struct folder *folder;
    struct parts *parts;
};

static bool is_intended(void *arg, const struct object *object)
{
    struct known *known = arg;
    struct intent intent = {0};
    const char *path;
    bool found = false;

    for (size_t i = 0; !found && replica_intent(known->parts->replica, i, &intent, &path); i++) {
        found = object_equal(&intent.object, object);
        update_fini(&intent.update);
    }
    return found;
}

static bool is_parked(void *arg, const struct file_id *id)
{
    struct known *known = arg;
    struct store store = db_store(known->parts->db);
    struct record record = {0};
    bool parked = store.ops->get(store.arg, id, &record) && record.place == PLACE_PARKED;

    record_fini(&record);
    return parked;
}

static bool place_of(void *arg, const struct object *object, char **out_path)
{
    struct known *known = arg;
    struct store store = db_store(known->parts->db);
    struct record record = {0};
    bool placed = store.ops->get_by_object(store.arg, object, &record) && record.update.present &&
                  replica_path(known->parts->replica, &record.update.id, out_path);

    record_fini(&record);
    return placed;
}

/* What a crash left: updates whose effect is on disk are committed, the rest comes again. */
static enum status recover(struct folder *f, struct parts *parts)
{
    struct known known = {.folder = f, .parts = parts};
    struct install_known callbacks = {
        .staged = is_intended, .parked = is_parked, .place = place_of, .arg = &known};
    struct step_result *results = NULL;
    bool *done = NULL;
    size_t count = 0;
    size_t preserved = 0;
    struct intent intent = {0};
    const char *path;

    /* what a step had taken out of the tree is put back before anything is asked about the tree */
    enum status st = install_recover(parts->install, &callbacks, &preserved);
    while (st == ST_OK && replica_intent(parts->replica, count, &intent, &path)) {
        results = mem_resize(results, count + 1, sizeof(*results));
        done = mem_resize(done, count + 1, sizeof(*done));
        results[count] = (struct step_result){0};
        done[count] = install_shows(parts->install, &intent, path, &results[count]);
        update_fini(&intent.update);
        intent = (struct intent){0};
        count++;
    }
    if (st == ST_OK && count > 0)
        st = install_sync(parts->install);
    if (st == ST_OK && count > 0)
        st = replica_recover(parts->replica, done, results, count);
    if (count > 0 || preserved > 0)
        log_info(&f->log, "repaired after an unclean end intents=%zu preserved=%zu", count,
                 preserved);
    free(results);
    free(done);
    return st;
}

static enum status open_rest(struct folder *f, struct parts *out, struct buf *problem)
{
    struct replica_options replica = {
        .folder = f->guid,
        .store = db_store(out->db),
        .primary = f->assignment->primary,
        .read_only = f->assignment->read_only,
        .case_insensitive = f->assignment->case_insensitive,
        .member = f->assignment->member,
        .fresh_database = guid_random(),
        .now = walltime_now(),
        .log = &f->log,
    };
    size_t left = 0;
    enum status st = replica_open(&replica, &out->replica);

    if (st == ST_OK)
        st = stage_open(out->root, f->assignment->staging_bytes_max, &out->stage, &left);
    if (st == ST_OK)
        st = preserve_open(out->root, f->assignment->preserve_bytes_max, &out->preserve);
    if (st == ST_OK) {
        struct install_options install = {
            .root = out->root,
            .stage = out->stage,
            .preserve = out->preserve,
            .file_filter = &f->file_filter,
            .dir_filter = &f->dir_filter,
        };

        out->install = install_new(&install);
        st = recover(f, out);
    }
    if (st == ST_OK) {
        struct signatures_options signatures = {
            .root = out->root,
            .key = fetch_key(&f->assignment->group),
            .bytes_max = SIGNATURES_BYTES_MAX,
            .count_max = SIGNATURES_COUNT_MAX,
        };

        out->signatures = signatures_open(&signatures);
    }
    if (st != ST_OK)
        buf_printf(problem, "cannot open the folder's private areas: see the log");
    return st;
}

enum status parts_open(struct folder *f, struct parts *out, struct buf *problem)
{
    enum status st = open_root(f, out, problem);

    if (st == ST_OK)
        st = open_db(f, out, problem);
    if (st == ST_OK)
        st = open_rest(f, out, problem);
    if (st != ST_OK)
        parts_close(out);
    return st;
}

void parts_close(struct parts *parts)
{
    signatures_close(parts->signatures);
    install_free(parts->install);
    preserve_close(parts->preserve);
    stage_close(parts->stage);
    replica_close(parts->replica);
    db_reader_close(parts->db_reader);
    db_close(parts->db);
    root_close(parts->root);
    *parts = (struct parts){0};
}
