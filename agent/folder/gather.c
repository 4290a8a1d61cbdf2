/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/folder/flush.h"
#include "agent/folder/local.h"

#include "agent/replica/replica.h"
#include "agent/root/beneath.h"
#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/base/scope.h"

#include <errno.h>
#include <stdlib.h>
#include <uthash.h>

static struct finding *add_finding(struct gathering *g, enum finding_kind kind, const char *path)
{
    if (g->finding_count == g->finding_capacity) {
        g->finding_capacity = g->finding_capacity ? 2 * g->finding_capacity : 64;
        g->findings = mem_resize(g->findings, g->finding_capacity, sizeof(*g->findings));
    }
    struct finding *f = &g->findings[g->finding_count++];
    *f = (struct finding){.kind = kind, .path = mem_copy_string(path)};
    if (kind == FINDING_LOOK || kind == FINDING_LATER)
        f->file = g->file;
    return f;
}

static void finding_fini(struct finding *f)
{
    scan_content_fini(&f->content);
    free(f->path);
    free(f->left_out_at);
}

static char *join(const char *dir, const char *name)
{
    return dir[0] == '\0' ? mem_copy_string(name) : mem_format("%s/%s", dir, name);
}

static bool store_get_by_object(struct gathering *g, const struct object *object,
                                struct record *out)
{
    struct store store = db_reader_store(g->reader);

    return store.ops->get_by_object(store.arg, object, out);
}

/* A directory that stands where the record's own has gone: it is going to be taken for the same. */
struct successor {
    struct object object;
    struct file_id id;
    UT_hash_handle hh;
};

static void successor_add(struct gathering *g, const struct object *object,
                          const struct file_id *id)
{
    struct successor *s;

    HASH_FIND(hh, g->successors, object, sizeof(*object), s);
    if (s)
        return;
    s = MEM_NEW(struct successor);
    s->object = *object;
    s->id = *id;
    HASH_ADD(hh, g->successors, object, sizeof(s->object), s);
}

static void successors_clear(struct gathering *g)
{
    struct successor *s;
    struct successor *next;

    HASH_ITER(hh, g->successors, s, next)
    {
        HASH_DEL(g->successors, s);
        free(s);
    }
}

void gathering_clear(struct gathering *g)
{
    for (size_t i = 0; i < g->finding_count; i++)
        finding_fini(&g->findings[i]);
    for (size_t i = 0; i < g->place_count; i++)
        free(g->places[i].path);
    free(g->findings);
    free(g->places);
    buf_fini(&g->problem);
    successors_clear(g);
    g->findings = NULL;
    g->places = NULL;
    g->finding_count = g->finding_capacity = g->place_count = 0;
    g->bytes_read = 0;
    g->scan_finished = false;
    g->status = ST_OK;
}

/* The file id of a directory on disk: the root's, its record's, or that of the one it replaces. */
static bool directory_id(struct gathering *g, const struct object *dir, struct file_id *out_id)
{
    struct object root = root_object(g->root);
    struct successor *successor;
    struct record record = {0};

    if (object_equal(dir, &root)) {
        *out_id = g->root_id;
        return true;
    }
    HASH_FIND(hh, g->successors, dir, sizeof(*dir), successor);
    if (successor) {
        *out_id = successor->id;
        return true;
    }
    if (!store_get_by_object(g, dir, &record))
        return false;
    *out_id = record.update.id;
    record_fini(&record);
    return true;
}

/* Something of ours stands at @path now: look at it there. */
static struct finding *add_look(struct gathering *g, const char *path)
{
    struct finding *f = add_finding(g, FINDING_LOOK, path);
    struct standing parent;
    struct spot spot;

    if (spot_open(root_fd(g->root), path, &spot) != 0)
        return f;
    if (beneath_look_fd(spot.dir_fd, &parent) == 0)
        f->parent = parent.object;
    spot_fini(&spot);
    return f;
}

static void add_later(struct gathering *g, const char *path, const struct object *parent)
{
    struct finding *f = add_finding(g, FINDING_LATER, path);

    f->parent = *parent;
}

/* Where it stands when it is parked as recorded. Free the text. */
static char *parked_path(const struct record *record)
{
    char name[PARKED_NAME_SIZE];

    replica_parked_name(&record->update.id, name);
    return mem_format("%s/%s", PARKED_DIR, name);
}

/* What is parked is looked at where it is, and what stands in a parked directory belongs to the tree. */
static void look_parked(struct gathering *g, const struct record *record)
{
    scope_free char *path = parked_path(record);

    add_finding(g, record->update.kind == FILE_DIRECTORY ? FINDING_WALK : FINDING_LOOK, path);
}

static struct finding *add_gone(struct gathering *g, const char *path, const struct record *record)
{
    struct finding *f = add_finding(g, FINDING_GONE, path);

    f->id = record->update.id;
    f->object = record->object;
    return f;
}

/*
 * Where a record's object is now. What is parked is not met by any walk, so the kernel may have forgotten its
 * name: it is looked up.
 */
static enum root_located locate(struct gathering *g, const struct record *record, char **out_path)
{
    enum root_located where = root_locate(g->root, &record->object, out_path);
    struct standing standing;
    struct spot spot;

    if (where != ROOT_LOCATED_NAMELESS || record->place != PLACE_PARKED)
        return where;

    scope_free char *path = parked_path(record);
    if (spot_open(root_fd(g->root), path, &spot) != 0)
        return where;
    if (spot_look(&spot, &standing) == 0 && object_equal(&standing.object, &record->object))
        where = ROOT_LOCATED_PRIVATE;
    spot_fini(&spot);
    return where;
}

/* Whether what stands at this place of the tree is left out, for its name or that of a directory above. */
static bool is_left_out(const struct gathering *g, const char *path, enum file_kind kind)
{
    const char *name = path;

    for (const char *end; (end = strchr(name, '/')) != NULL; name = end + 1) {
        if (filter_matches(g->dir_filter, span_of(name, (size_t)(end - name))))
            return true;
    }
    return filter_matches(kind == FILE_DIRECTORY ? g->dir_filter : g->file_filter,
                          span_of_string(name));
}

/*
 * A record's object has got a name that is left out: for partners it is gone. But a program that saves
 * so (the old file becomes "plan.bak", the new one comes in its place) makes a new version of it: whoever is quick
 * to look must not take that for a deletion and a new file.
 */
static void left_out(struct gathering *g, const struct record *record, const char *path,
                     const struct object *parent, const char *now)
{
    struct standing standing;
    struct spot spot;
    int64_t age_ns = -1;

    if (spot_open(root_fd(g->root), now, &spot) == 0) {
        if (spot_look(&spot, &standing) == 0)
            age_ns = walltime_now().ns - standing.witness.changed_ns;
        spot_fini(&spot);
    }
    if (age_ns >= 0 && age_ns < g->left_out_wait_ms * NS_PER_MS) {
        add_later(g, path, parent);
        return;
    }

    struct finding *f = add_gone(g, path, record);

    f->left_out_at = mem_copy_string(now);
}

/* A record's object stands elsewhere in the tree. If it is not met there, for it moved on with what it stands
 * in, nothing else leads to it: no event names it there. */
static void follow_moved(struct gathering *g, const struct record *record, const char *path,
                         const char *now)
{
    if (strcmp(now, path) != 0 && !(g->seen_at && strcmp(now, g->seen_at) == 0))
        add_look(g, now)->file = record->update.id;
}

/* A record's object is not where it should be: gone, or to be looked at where it is now. */
static void locate_missing(struct gathering *g, const struct record *record, const char *path,
                           const struct object *parent)
{
    scope_free char *now = NULL;

    switch (locate(g, record, &now)) {
    case ROOT_LOCATED_INSIDE:
        if (is_left_out(g, now, record->update.kind))
            left_out(g, record, path, parent, now);
        else
            follow_moved(g, record, path, now);
        return;
    case ROOT_LOCATED_IN_PARKED: /* what stands in a parked directory belongs to the tree */
        follow_moved(g, record, path, now);
        return;
    case ROOT_LOCATED_OUTSIDE:
    case ROOT_LOCATED_GONE:
        add_gone(g, path, record);
        return;
    case ROOT_LOCATED_DISCARDED: /* by a plan that did not live to say so */
        add_gone(g, path, record)->discarded = true;
        return;
    case ROOT_LOCATED_PRIVATE:
        if (record->place == PLACE_PARKED)
            look_parked(g, record);
        else
            add_later(g, path, parent); /* an install has it in hand */
        return;
    case ROOT_LOCATED_NAMELESS:
        if (g->tree_known)
            add_gone(g, path, record)->nameless = true;
        else
            add_later(g, path, parent);
        return;
    case ROOT_LOCATED_UNKNOWN:
        add_later(g, path, parent);
        return;
    }
}

/* It stays in the finding no longer than needed: a batch may hold many. */
static void keep_signature(struct gathering *g, struct finding *f)
{
    struct rdc_signature *signature = f->content.signature;

    f->content.signature = NULL;
    if (signature && signatures_put(g->signatures, &f->content.hash, signature)) {
        f->newly_signed = true;
        f->traits = signature->traits;
    }
    rdc_signature_free(signature);
}

/* @record: of the file that stands there (@known), or of the one that it replaces; NULL: none. True
 * when it was found to be PRESENT. */
static bool read_entry(struct gathering *g, const char *path, const struct object *parent,
                       const struct object *object, const struct record *record, bool known,
                       bool holder_gone)
{
    struct scan_content content = {0};
    struct span recorded =
        record ? span_of(record->update.attributes, record->update.attributes_size)
               : (struct span){0};
    struct scan_read_options options = {
        .root = g->root,
        .path = path,
        .recorded = recorded,
        .sign = signatures_key(g->signatures),
        .stop = g->stop,
    };
    enum status st = scan_read(&options, &content);
    struct finding *f;

    if (st == ST_OK && !object_equal(&content.object, object)) {
        scan_content_fini(&content);
        st = ST_AGAIN;
    }
    switch (st) {
    case ST_OK:
        g->bytes_read += content.size;
        f = add_finding(g, FINDING_PRESENT, path);
        f->content = content;
        keep_signature(g, f);
        f->parent = *parent;
        f->known = known;
        f->holder_gone = holder_gone;
        f->discarded = g->met_discarded;
        f->nameless = g->met_nameless;
        if (known)
            f->id = record->update.id;
        return true;
    case ST_AGAIN:
    case ST_GONE: /* moved on, perhaps with something above it */
        add_later(g, path, parent);
        return false;
    case ST_STOP:
        return false;
    case ST_REFUSED:
        f = add_finding(g, FINDING_FAILED, path);
        f->problem = "no permission to read it";
        return false;
    case ST_FULL:
        f = add_finding(g, FINDING_FAILED, path);
        f->problem = "its extended attributes are larger than can be replicated";
        return false;
    case ST_BADDATA:
        f = add_finding(g, FINDING_SKIPPED, path);
        f->problem = "not a file, directory or symbolic link";
        return false;
    case ST_IO:
        f = add_finding(g, FINDING_FAILED, path);
        f->problem = "the disk reported an error";
        return false;
    }
    return false;
}

/* Is this a second name of a file that already stands, recorded, under another one? */
static bool is_second_name(struct gathering *g, const struct record *record, const char *path,
                           uint32_t link_count)
{
    struct store store = db_reader_store(g->reader);
    scope_free char *recorded = NULL;
    struct standing standing;
    struct spot spot;

    if (link_count < 2 || record->update.kind == FILE_DIRECTORY)
        return false;
    if (!store_path(&store, &g->root_id, &record->update.id, &recorded) ||
        strcmp(recorded, path) == 0 || spot_open(root_fd(g->root), recorded, &spot) != 0)
        return false;
    bool stands = spot_look(&spot, &standing) == 0 &&
                  object_equal(&standing.object, &record->object);
    spot_fini(&spot);
    return stands;
}

/*
 * Whether whoever is recorded at a name, other than @object, stands nowhere in the tree any more; when
 * it does, its new place is to be looked at first. *out_holder is its record, if any.
 */
static bool holder_has_gone(struct gathering *g, const struct file_id *parent_id, const char *name,
                            const struct object *object, struct record *out_holder)
{
    struct store store = db_reader_store(g->reader);
    scope_free char *now = NULL;

    if (!parent_id ||
        !store.ops->get_by_name(store.arg, parent_id, span_of_string(name), out_holder) ||
        object_equal(&out_holder->object, object))
        return true;
    switch (locate(g, out_holder, &now)) {
    case ROOT_LOCATED_INSIDE:
        if (is_left_out(g, now, out_holder->update.kind))
            return true;
        add_look(g, now);
        return false;
    case ROOT_LOCATED_IN_PARKED:
        add_look(g, now);
        return false;
    case ROOT_LOCATED_DISCARDED:
        g->met_discarded = true;
        return true;
    case ROOT_LOCATED_OUTSIDE:
    case ROOT_LOCATED_GONE:
        return true;
    case ROOT_LOCATED_NAMELESS:
        g->met_nameless = g->tree_known;
        return g->tree_known;
    case ROOT_LOCATED_PRIVATE: /* an install has it in hand */
    case ROOT_LOCATED_UNKNOWN:
        return false;
    }
    return false;
}

/* What stands at one name of a directory, against the records. */
static void compare_entry(struct gathering *g, const char *path, const char *name,
                          const struct object *parent, const struct file_id *parent_id,
                          const struct object *object, const struct witness *witness,
                          uint32_t link_count)
{
    struct record record = {0};
    struct record holder = {0};
    bool known = store_get_by_object(g, object, &record);
    bool same_place = known && record.place == PLACE_TREE && parent_id &&
                      file_id_equal(&record.update.parent, parent_id) &&
                      span_equal(update_name(&record.update), span_of_string(name));

    if (same_place && witness_equal(&record.witness, witness)) {
        add_finding(g, FINDING_FINE, path);
    } else if (known && !same_place && record.place == PLACE_TREE &&
               is_second_name(g, &record, path, link_count)) {
        struct finding *f = add_finding(g, FINDING_SKIPPED, path);

        f->problem = "a further hard link to a file that is replicated under another name";
    } else {
        g->met_discarded = g->met_nameless = false;
        bool gone = holder_has_gone(g, parent_id, name, object, &holder);
        /* the new object is not the holder's: only the holder's attributes are of use */
        bool replaces = !known && holder.update.present && gone;
        const struct record *like = known ? &record : replaces ? &holder : NULL;

        if (read_entry(g, path, parent, object, like, known, gone) && replaces && holder.update.kind == FILE_DIRECTORY &&
            g->findings[g->finding_count - 1].content.kind == FILE_DIRECTORY)
            successor_add(g, object, &holder.update.id);
    }
    record_fini(&record);
    record_fini(&holder);
}

/* --- scanning --- */

/* Names met in the directory that is being walked, to find out what is missing. */
struct met {
    char *name;
    UT_hash_handle hh;
};

static void met_clear(struct met **met)
{
    struct met *item;
    struct met *next;

    HASH_ITER(hh, *met, item, next)
    {
        HASH_DEL(*met, item);
        free(item->name);
        free(item);
    }
}

static void met_add(struct met **met, const char *name)
{
    struct met *item = MEM_NEW(struct met);

    item->name = mem_copy_string(name);
    HASH_ADD_KEYPTR(hh, *met, item->name, strlen(item->name), item);
}

/* Recorded children of a directory that the walk has not met, or that are parked: their names may be
 * those of others. */
static void find_missing(struct gathering *g, const char *dir_path, const struct object *dir,
                         const struct file_id *dir_id, struct met *met)
{
    struct store store = db_reader_store(g->reader);
    struct record child = {0};
    struct file_id after;
    const struct file_id *from = NULL;

    while (store.ops->next_child(store.arg, dir_id, from, &child)) {
        struct met *item;

        after = child.update.id;
        from = &after;
        HASH_FIND(hh, met, child.update.name, child.update.name_size, item);
        if (!item || child.place == PLACE_PARKED) {
            scope_free char *path = join(dir_path, (const char *)child.update.name);

            locate_missing(g, &child, path, dir);
        }
        record_fini(&child);
    }
}

static void compare_batch(struct gathering *g, const struct scan_batch *batch, struct met **met)
{
    struct file_id dir_id;
    bool known = directory_id(g, &batch->dir, &dir_id);

    for (size_t i = 0; i < batch->entry_count; i++) {
        const struct scan_entry *e = &batch->entries[i];
        scope_free char *path = join(batch->path, e->name);

        met_add(met, e->name);
        if (e->skip != SCAN_SKIP_NONE) {
            struct finding *f = add_finding(g, FINDING_SKIPPED, path);

            f->problem = scan_skip_name(e->skip);
            continue;
        }
        compare_entry(g, path, e->name, &batch->dir, known ? &dir_id : NULL, &e->object,
                      &e->witness, e->link_count);
    }
    if (batch->dir_done) {
        if (batch->dir_complete && known)
            find_missing(g, batch->path, &batch->dir, &dir_id, *met);
        met_clear(met);
    }
}

static void gather_scan(struct gathering *g)
{
    struct scan_batch batch = {0};
    struct met *met = NULL;
    bool in_dir = false;

    /* a directory is taken whole: what is missing is known at its end only */
    while (in_dir ||
           (g->finding_count < EXAMINE_BATCH_COUNT && g->bytes_read < EXAMINE_BATCH_BYTES)) {
        enum status st = scan_next(g->scan, &batch);

        if (st == ST_GONE || st == ST_STOP) {
            g->scan_finished = true;
            break;
        }
        if (st != ST_OK) {
            g->status = st;
            break;
        }
        if (batch.finished) {
            g->scan_finished = true;
            break;
        }
        compare_batch(g, &batch, &met);
        in_dir = !batch.dir_done;
    }
    met_clear(&met);
    scan_batch_fini(&batch);
}

/* --- places --- */

static bool is_filtered(const struct gathering *g, const char *path, enum file_kind kind)
{
    const struct filter *filter = kind == FILE_DIRECTORY ? g->dir_filter : g->file_filter;

    return filter_matches(filter, span_of_string(beneath_name(path)));
}

/* Nothing stands there: whoever is recorded there has gone or moved. */
static void look_absent(struct gathering *g, const char *path, const struct object *parent,
                        const struct file_id *parent_id, const char *name)
{
    struct store store = db_reader_store(g->reader);
    struct record record = {0};

    if (!parent_id ||
        !store.ops->get_by_name(store.arg, parent_id, span_of_string(name), &record)) {
        add_finding(g, FINDING_ABSENT, path)->parent = *parent;
        return;
    }
    locate_missing(g, &record, path, parent);
    record_fini(&record);
}

/*
 * A step that parks or brings back has failed. Parking is recorded ahead of the step, and between a crash
 * and the next scan a user may have taken away what was to be parked: no name leads to such a record, and
 * a plan that is to bring it back would fail for ever. It fails too when who has the file open went on
 * writing to it. What is there as recorded waits for that plan, which comes when nothing is left to be
 * looked at. What is there and not recorded is nobody's.
 */
static void look_at_parked(struct gathering *g, const char *path, const struct object *parent,
                           const char *name, const struct standing *stands)
{
    struct store store = db_reader_store(g->reader);
    struct record record = {0};
    struct file_id id;

    if (!replica_parked_id(name, &id) || !store.ops->get(store.arg, &id, &record))
        return;
    if (record.update.present && record.place == PLACE_PARKED) {
        if (!stands || !object_equal(&stands->object, &record.object))
            locate_missing(g, &record, path, parent);
        else if (witness_equal(&stands->witness, &record.witness))
            add_finding(g, FINDING_FINE, path);
        else if (read_entry(g, path, parent, &record.object, &record, true, true))
            g->findings[g->finding_count - 1].parked = true;
    }
    record_fini(&record);
}

static bool is_in_parked(const char *path)
{
    size_t size = strlen(PARKED_DIR "/");

    return strncmp(path, PARKED_DIR "/", size) == 0 && !strchr(path + size, '/');
}

/* The directory does not stand there: whether it is still recorded there is for its own place to find. */
static void look_above(struct gathering *g, const char *path)
{
    scope_free char *above = beneath_above(path);

    if (above[0] != '\0')
        add_finding(g, FINDING_LOOK, above);
}

/* The directory of a place does not stand there any more: go after it. */
static void follow(struct gathering *g, const struct named_place *place)
{
    scope_free char *now = NULL;
    struct record record = {0};

    switch (root_locate(g->root, &place->dir, &now)) {
    case ROOT_LOCATED_INSIDE:
    case ROOT_LOCATED_IN_PARKED: {
        scope_free char *path = join(now, beneath_name(place->path));
        struct finding *f = add_finding(g, FINDING_LOOK, path);

        f->parent = place->dir;
        return;
    }
    case ROOT_LOCATED_PRIVATE: /* parked itself: it is walked, and does not hold up what waits for quiet */
        if (store_get_by_object(g, &place->dir, &record))
            look_parked(g, &record);
        record_fini(&record);
        return;
    case ROOT_LOCATED_NAMELESS:
    case ROOT_LOCATED_UNKNOWN:
        add_later(g, place->path, &place->dir);
        return;
    case ROOT_LOCATED_DISCARDED:
    case ROOT_LOCATED_OUTSIDE:
    case ROOT_LOCATED_GONE:
        look_above(g, place->path);
        return;
    }
}

static void look_at_place(struct gathering *g, const struct named_place *place)
{
    const char *path = place->path;
    struct standing parent;
    struct standing standing;
    struct spot spot;
    struct file_id parent_id;

    if (!root_is_place(path))
        return;
    if (spot_open(root_fd(g->root), path, &spot) != 0) {
        if (place->dir.size > 0)
            follow(g, place);
        else
            look_above(g, path);
        return;
    }
    if (beneath_look_fd(spot.dir_fd, &parent) != 0) {
        spot_fini(&spot);
        return;
    }
    if (place->dir.size > 0 && !object_equal(&place->dir, &parent.object))
        follow(g, place);
    bool known = directory_id(g, &parent.object, &parent_id);
    bool stands = spot_look(&spot, &standing) == 0;
    if (is_in_parked(path)) {
        look_at_parked(g, path, &parent.object, spot.name, stands ? &standing : NULL);
    } else if (!stands) {
        look_absent(g, path, &parent.object, known ? &parent_id : NULL, spot.name);
    } else if (standing.kind == 0 || standing.mount_point) {
        struct finding *f = add_finding(g, FINDING_SKIPPED, path);

        f->problem = standing.mount_point ? scan_skip_name(SCAN_SKIP_MOUNT)
                                          : scan_skip_name(SCAN_SKIP_SPECIAL);
    } else if (!is_filtered(g, path, standing.kind)) {
        compare_entry(g, path, spot.name, &parent.object, known ? &parent_id : NULL,
                      &standing.object, &standing.witness, standing.link_count);
    }
    spot_fini(&spot);
}

/* The file that was seen at @place has been met there, or has moved on: then nothing but its record tells. */
static void look_for_file(struct gathering *g, const struct named_place *place)
{
    static const struct object unknown;
    struct store store = db_reader_store(g->reader);
    struct record record = {0};
    scope_free char *recorded = NULL;

    if (store.ops->get(store.arg, &place->file, &record) && record.place == PLACE_TREE &&
        store_path(&store, &g->root_id, &place->file, &recorded)) {
        g->seen_at = place->path;
        locate_missing(g, &record, recorded, &unknown);
        g->seen_at = NULL;
    }
    record_fini(&record);
}

static void look_at(struct gathering *g, const struct named_place *place)
{
    g->file = place->file;
    look_at_place(g, place);
    g->file = (struct file_id){0};
    if (place->file.number != 0)
        look_for_file(g, place);
}

void gather(struct gathering *g)
{
    g->status = root_check(g->root, &g->problem);
    if (g->status != ST_OK)
        return;
    if (g->scan)
        gather_scan(g);
    for (size_t i = 0; i < g->place_count; i++)
        look_at(g, &g->places[i]);
    struct store store = db_reader_store(g->reader);
    if (g->status == ST_OK && store.ops->failed(store.arg))
        g->status = ST_IO;
    if (g->status == ST_OK)
        g->status = flush_findings(g);
    if (g->status == ST_OK)
        g->status = root_check(g->root, &g->problem);
}

bool finding_still_stands(const struct root *root, const struct finding *finding, bool strict)
{
    struct standing standing;
    struct spot spot;
    scope_free char *path = NULL;

    if (finding->kind == FINDING_GONE) {
        enum root_located where = root_locate(root, &finding->object, &path);

        return where == ROOT_LOCATED_GONE || where == ROOT_LOCATED_OUTSIDE ||
               (where == ROOT_LOCATED_INSIDE && finding->left_out_at &&
                strcmp(path, finding->left_out_at) == 0) ||
               (where == ROOT_LOCATED_DISCARDED && finding->discarded) ||
               (where == ROOT_LOCATED_NAMELESS && finding->nameless);
    }
    if (finding->kind != FINDING_PRESENT)
        return true;
    if (spot_open(root_fd(root), finding->path, &spot) != 0)
        return false;
    struct standing parent;
    bool same = spot_look(&spot, &standing) == 0 &&
                object_equal(&standing.object, &finding->content.object) &&
                beneath_look_fd(spot.dir_fd, &parent) == 0 &&
                object_equal(&parent.object, &finding->parent);
    if (same && standing.kind == FILE_REGULAR)
        same = witness_equal(&standing.witness, &finding->content.witness);
    else if (same && strict)
        same = standing.witness.changed_ns == finding->content.witness.changed_ns;
    spot_fini(&spot);
    return same;
}
