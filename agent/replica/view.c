/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/replica/view.h"

#include "agent/replica/replica.h"
#include "common/base/mem.h"
#include "common/base/scope.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void view_init(struct view *view, const struct store *store, const struct file_id *root)
{
    *view = (struct view){.store = store, .root = *root};
}

void view_init_overlay(struct view *view, const struct store *store, const struct file_id *root,
                       bool fold)
{
    view_init(view, store, root);
    view->overlay = table_new(fold);
}

void view_fini(struct view *view)
{
    table_free(view->overlay);
    *view = (struct view){0};
}

/* In the overlay, a record without a version says that it was forgotten. */
static bool is_forgotten(const struct record *record)
{
    return record->update.gvsn.number == 0;
}

static const struct record *overlaid(const struct view *view, const struct file_id *id)
{
    return view->overlay != NULL ? table_get(view->overlay, id) : NULL;
}

bool view_get(const struct view *view, const struct file_id *id, struct record *out)
{
    const struct record *over = overlaid(view, id);

    if (over == NULL)
        return view->store->ops->get(view->store->arg, id, out);
    if (is_forgotten(over))
        return false;
    record_copy(out, over);
    return true;
}

bool view_get_by_name(const struct view *view, const struct file_id *parent, struct span name,
                      struct record *out)
{
    const struct record *over = NULL;

    if (view->overlay != NULL)
        over = table_by_name(view->overlay, parent, name);
    if (over != NULL) {
        record_copy(out, over);
        return true;
    }
    return view->store->ops->get_by_name(view->store->arg, parent, name, out) &&
           overlaid(view, &out->update.id) == NULL;
}

bool view_get_by_object(const struct view *view, const struct object *object, struct record *out)
{
    const struct record *over = NULL;

    assert(object->size > 0);
    if (view->overlay != NULL)
        over = table_by_object(view->overlay, object);
    if (over != NULL) {
        record_copy(out, over);
        return true;
    }
    return view->store->ops->get_by_object(view->store->arg, object, out) &&
           overlaid(view, &out->update.id) == NULL;
}

bool view_next_child(const struct view *view, const struct file_id *parent,
                     const struct file_id *after, struct record *out)
{
    struct file_id last = after != NULL ? *after : (struct file_id){0};
    const struct file_id *from = after;
    bool found;

    while ((found = view->store->ops->next_child(view->store->arg, parent, from, out)) &&
           overlaid(view, &out->update.id) != NULL) {
        last = out->update.id;
        from = &last;
    }
    if (view->overlay == NULL)
        return found;

    const struct record *over = table_next_child(view->overlay, parent, after);

    if (over == NULL || (found && file_id_compare(&out->update.id, &over->update.id) < 0))
        return found;
    record_copy(out, over);
    return true;
}

void view_put(struct view *view, const struct record *record)
{
    if (view->overlay != NULL)
        table_put(view->overlay, record);
    else
        view->store->ops->put(view->store->arg, record);
}

void view_forget(struct view *view, const struct file_id *id)
{
    const struct record gone = {.update.id = *id};

    if (view->overlay != NULL)
        table_put(view->overlay, &gone);
    else
        view->store->ops->forget(view->store->arg, id);
}

bool view_is_live_dir(const struct view *view, const struct file_id *id)
{
    scope(record) struct record record = {0};

    if (file_id_equal(id, &view->root))
        return true;
    return view_get(view, id, &record) && record.update.present &&
           record.update.kind == FILE_DIRECTORY;
}

enum ancestry view_ancestry(const struct view *view, const struct file_id *id,
                            const struct file_id *ancestor)
{
    scope(record) struct record record = {0};
    struct file_id at = *id;

    for (unsigned depth = 0; depth <= PATH_DEPTH_MAX; depth++) {
        if (file_id_equal(&at, ancestor))
            return ANCESTRY_BENEATH;
        if (file_id_equal(&at, &view->root))
            return ANCESTRY_APART;
        if (!view_get(view, &at, &record) || !record.update.present)
            return ANCESTRY_BROKEN;
        at = record.update.parent;
    }
    return ANCESTRY_BROKEN;
}

/* What stands before a record's own part of a path: the parked directory, or nothing yet. */
static char *own_part(const struct record *record)
{
    char name[PARKED_NAME_SIZE];

    if (record->place != PLACE_PARKED)
        return mem_copy_string((const char *)record->update.name);
    replica_parked_name(&record->update.id, name);
    return mem_format("%s/%s", PARKED_DIR, name);
}

char *view_path(const struct view *view, const struct record *record, bool *out_in_tree)
{
    scope(record) struct record at = {0};
    scope_free char *path = own_part(record);

    record_copy(&at, record);
    for (unsigned depth = 0; depth <= PATH_DEPTH_MAX; depth++) {
        if (at.place == PLACE_PARKED || file_id_equal(&at.update.parent, &view->root)) {
            char *done = path;

            *out_in_tree = at.place != PLACE_PARKED;
            path = NULL;
            return done;
        }

        struct file_id parent = at.update.parent;

        if (!view_get(view, &parent, &at) || !at.update.present)
            return NULL;

        scope_free char *above = own_part(&at);
        char *longer = mem_format("%s/%s", above, path);

        free(path);
        path = longer;
    }
    return NULL;
}

void replica_parked_name(const struct file_id *id, char out_name[PARKED_NAME_SIZE])
{
    (void)snprintf(out_name, PARKED_NAME_SIZE, "%s-%" PRIu64, guid_format(&id->database).text,
                   id->number);
}

bool replica_parked_id(const char *name, struct file_id *out_id)
{
    char guid[GUID_TEXT_SIZE];
    char canonical[PARKED_NAME_SIZE];

    if (strlen(name) < GUID_TEXT_SIZE + 1 || name[GUID_TEXT_SIZE - 1] != '-')
        return false;
    memcpy(guid, name, GUID_TEXT_SIZE - 1);
    guid[GUID_TEXT_SIZE - 1] = '\0';
    if (!guid_parse(guid, &out_id->database))
        return false;
    out_id->number = strtoull(name + GUID_TEXT_SIZE, NULL, 10);
    replica_parked_name(out_id, canonical);
    return strcmp(name, canonical) == 0;
}
