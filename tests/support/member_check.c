/* SPDX-License-Identifier: Apache-2.0 */
/* What must hold of members, and how tests speak of their trees. */
#include "tests/support/member.h"

#include "common/base/mem.h"
#include "common/base/scope.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t object_number(const struct object *object)
{
    uint64_t number = 0;

    if (object->size == sizeof(number))
        memcpy(&number, object->bytes, sizeof(number));
    return number;
}

static const char *record_problem(const struct member *member, const struct record *record)
{
    const struct table *table = memstore_table(member->store);
    const struct update *u = &record->update;
    const struct record *at = record;
    struct file_id root = replica_root(member->replica);

    if (u->present != (record->place != PLACE_NOWHERE))
        return "a present record that is nowhere, or a tombstone that is somewhere";
    if (!vector_contains(replica_vector(member->replica), &u->gvsn))
        return "the vector does not contain a stored version";
    if (!u->present)
        return NULL;
    if (record->object.size == 0)
        return "a present record without an object";
    if (record->place == PLACE_TREE &&
        !file_id_equal(&table_by_name(table, &u->parent, update_name(u))->update.id, &u->id))
        return "two records at one place";
    for (size_t depth = 0; !file_id_equal(&at->update.parent, &root); depth++) {
        at = table_get(table, &at->update.parent);
        if (at == NULL || !at->update.present)
            return "an orphan";
        if (at->update.kind != FILE_DIRECTORY)
            return "a parent that is no directory";
        if (depth > table_count(table))
            return "a cycle";
    }
    return NULL;
}

const char *member_problem(const struct member *member)
{
    const struct table *table = memstore_table(member->store);

    for (const struct record *record = table_next(table, NULL); record != NULL;
         record = table_next(table, &record->update.id)) {
        const char *problem = record_problem(member, record);

        if (problem != NULL)
            return problem;
    }
    return NULL;
}

/* The disk shows exactly what the records say. */
static const char *disk_problem(const struct member *member)
{
    const struct table *table = memstore_table(member->store);
    size_t live = 0;
    size_t visible = 0;

    for (const struct record *record = table_next(table, NULL); record != NULL;
         record = table_next(table, &record->update.id)) {
        scope_free char *path = NULL;
        const struct model_node *node;

        if (!record->update.present)
            continue;
        live++;
        if (!replica_path(member->replica, &record->update.id, &path))
            return "a record that is still parked";
        node = modeldisk_at(&member->disk, path);
        if (node == NULL || node->number != object_number(&record->object))
            return "a record whose object does not stand at its place";
        if (node->kind != record->update.kind)
            return "a record of another kind than its object";
        if (node->kind != FILE_DIRECTORY &&
            node->content != modeldisk_content_of(&record->update.hash))
            return "a record of other content than its object";
        if (record->update.attributes_size != 1 ||
            node->attributes != (char)record->update.attributes[0])
            return "a record of other attributes than its object";
    }
    for (size_t i = 0; i < member->disk.node_count; i++)
        visible += modeldisk_is_visible(&member->disk, &member->disk.nodes[i]);
    return live == visible ? NULL : "a file without a record";
}

static bool same_update(const struct update *a, const struct update *b)
{
    return update_compare(a, b) == 0 && a->present == b->present && a->merged == b->merged &&
           (!a->present ||
            (update_same_place(a, b) && update_same_content(a, b) && update_same_attributes(a, b)));
}

const char *member_difference(const struct member *a, const struct member *b)
{
    const struct table *x = memstore_table(a->store);
    const struct table *y = memstore_table(b->store);
    const char *problem = disk_problem(a);

    if (problem == NULL)
        problem = disk_problem(b);
    if (problem != NULL)
        return problem;
    if (!vector_equal(replica_vector(a->replica), replica_vector(b->replica)))
        return "unequal vectors";
    if (table_count(x) != table_count(y))
        return "unequal counts of records";
    for (const struct record *record = table_next(x, NULL); record != NULL;
         record = table_next(x, &record->update.id)) {
        const struct record *other = table_get(y, &record->update.id);

        if (other == NULL)
            return "a record that the other lacks";
        if (!same_update(&record->update, &other->update))
            return "a record that differs";
    }
    return NULL;
}

bool member_shows(const struct member *member, uint64_t content)
{
    for (size_t i = 0; i < member->disk.node_count; i++) {
        const struct model_node *node = &member->disk.nodes[i];

        if (node->number != 0 && node->kind != FILE_DIRECTORY && node->content == content &&
            modeldisk_is_visible(&member->disk, node))
            return true;
    }
    return false;
}

bool member_kept(const struct member *member, uint64_t content)
{
    for (size_t i = 0; i < member->disk.kept_count; i++) {
        if (member->disk.kept[i].content == content)
            return true;
    }
    return false;
}

uint64_t member_at(const struct member *member, const char *path)
{
    const struct model_node *node = modeldisk_at(&member->disk, path);

    return node != NULL ? node->number : 0;
}

/* The number of the directory of a path; @out_name is its last part. */
static uint64_t dir_of(const struct member *member, const char *path, const char **out_name)
{
    const char *slash = strrchr(path, '/');
    char above[1024];

    *out_name = slash != NULL ? slash + 1 : path;
    if (slash == NULL)
        return MODEL_ROOT;
    (void)snprintf(above, sizeof(above), "%.*s", (int)(slash - path), path);
    return member_at(member, above);
}

uint64_t member_create(struct member *member, const char *path, enum file_kind kind,
                       uint64_t content)
{
    const char *name;
    uint64_t dir = dir_of(member, path, &name);

    return dir != 0 ? modeldisk_create(&member->disk, dir, name, kind, content, 'a') : 0;
}

bool member_write(struct member *member, const char *path, uint64_t content)
{
    return modeldisk_write(&member->disk, member_at(member, path), content);
}

bool member_move(struct member *member, const char *from, const char *to)
{
    const char *name;
    uint64_t dir = dir_of(member, to, &name);

    return dir != 0 && modeldisk_move(&member->disk, member_at(member, from), dir, name);
}

void member_delete(struct member *member, const char *path)
{
    uint64_t number = member_at(member, path);

    if (number != 0)
        modeldisk_delete(&member->disk, number);
}

struct record member_record(const struct member *member, const char *path)
{
    struct object object = modeldisk_object(member_at(member, path));
    const struct record *found = table_by_object(memstore_table(member->store), &object);

    assert(found != NULL);
    return *found;
}

void member_print(const struct member *member)
{
    const struct table *table = memstore_table(member->store);

    printf("# member %u\n", member->index);
    for (const struct record *r = table_next(table, NULL); r != NULL;
         r = table_next(table, &r->update.id)) {
        const struct update *u = &r->update;

        printf("#   %02x:%" PRIu64 " gvsn %02x:%" PRIu64 " parent %02x:%" PRIu64
               " %s%s%s kind %d place %d clock %" PRIu64 " size %" PRIu64 " object %" PRIu64 "\n",
               u->id.database.bytes[1], u->id.number, u->gvsn.database.bytes[1], u->gvsn.number,
               u->parent.database.bytes[1], u->parent.number, (const char *)u->name,
               u->present ? "" : " (dead)", u->name_conflict ? " (name conflict)" : "", u->kind,
               r->place, u->clock, u->size, object_number(&r->object));
    }
    for (size_t i = 0; i < replica_vector(member->replica)->entry_count; i++) {
        const struct vector_entry *e = &replica_vector(member->replica)->entries[i];

        printf("#   vector %02x:", e->database.bytes[1]);
        for (size_t j = 0; j < e->interval_count; j++)
            printf(" (%" PRIu64 ",%" PRIu64 "]", e->intervals[j].low, e->intervals[j].high);
        printf("\n");
    }
    for (size_t i = 0; i < member->disk.node_count; i++) {
        const struct model_node *n = &member->disk.nodes[i];

        if (n->number > 3)
            printf("#   disk %" PRIu64 " in %" PRIu64 " %s content %" PRIu64 "\n", n->number,
                   n->parent, n->name, n->content);
    }
    for (size_t i = 0; i < member->disk.kept_count; i++)
        printf("#   kept %" PRIu64 "\n", member->disk.kept[i].content);
}
