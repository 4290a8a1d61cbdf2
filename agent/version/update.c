/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Updates: the order, the rules for what comes from outside, and the bytes of the database.
 *
 * Bytes: one of flags, one of kind; id and gvsn as 16 bytes and a varint; the parent likewise;
 * merged_into likewise with FLAG_MERGED; the name as a blob; varints fence, clock, create time,
 * size; 32 bytes of hash with FLAG_HASH; the attributes as a blob.
 */
#include "agent/version/update.h"

#include "common/base/mem.h"

#include <assert.h>
#include <stdlib.h>

enum {
    FLAG_PRESENT = 1,
    FLAG_NAME_CONFLICT = 2,
    FLAG_MERGED = 4,
    FLAG_HASH = 8, /* a hash that is not zero follows */
    FLAG_ALL = 15,
};

static const struct content_hash hash_none;

void update_fini(struct update *u)
{
    free(u->attributes);
    *u = (struct update){0};
}

void update_copy(struct update *to, const struct update *from)
{
    if (to == from)
        return;
    free(to->attributes);
    *to = *from;
    to->attributes = NULL;
    if (from->attributes_size > 0)
        to->attributes = mem_copy(from->attributes, from->attributes_size);
}

void update_set_name(struct update *u, struct span name)
{
    assert(name.size <= NAME_SIZE_MAX);
    memset(u->name, 0, sizeof(u->name));
    if (name.size > 0)
        memcpy(u->name, name.data, name.size);
    u->name_size = name.size;
}

void update_set_attributes(struct update *u, struct span attributes)
{
    uint8_t *copy = NULL;

    assert(attributes.size <= ATTRIBUTES_SIZE_MAX);
    if (attributes.size > 0)
        copy = mem_copy(attributes.data, attributes.size);
    free(u->attributes);
    u->attributes = copy;
    u->attributes_size = attributes.size;
}

static int rank_compare(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

int update_compare(const struct update *a, const struct update *b)
{
    int order = rank_compare(a->name_conflict, b->name_conflict);

    if (order == 0)
        order = rank_compare(a->fence, b->fence);
    if (order == 0)
        order = rank_compare(a->kind == FILE_DIRECTORY, b->kind == FILE_DIRECTORY);
    if (order == 0)
        order = rank_compare(a->create_time, b->create_time);
    if (order == 0)
        order = rank_compare(a->clock, b->clock);
    if (order == 0)
        order = file_id_compare(&a->id, &b->id);
    if (order == 0)
        order = gvsn_compare(&a->gvsn, &b->gvsn);
    return order;
}

bool update_same_content(const struct update *a, const struct update *b)
{
    if (!a->present || !b->present || a->kind != b->kind)
        return false;
    if (a->kind == FILE_DIRECTORY)
        return true;
    return a->size == b->size && content_hash_equal(&a->hash, &b->hash);
}

bool update_same_place(const struct update *a, const struct update *b)
{
    return file_id_equal(&a->parent, &b->parent) && span_equal(update_name(a), update_name(b));
}

bool update_same_attributes(const struct update *a, const struct update *b)
{
    return span_equal(update_attributes(a), update_attributes(b));
}

static const char *name_problem(const struct update *u)
{
    struct span name = update_name(u);

    if (name.size == 0)
        return "the name is empty";
    if (name.size > NAME_SIZE_MAX)
        return "the name is longer than 255 bytes";
    if (memchr(name.data, 0, name.size) != NULL)
        return "the name contains NUL";
    if (memchr(name.data, '/', name.size) != NULL)
        return "the name contains a slash";
    if (span_equal(name, span_of_string(".")) || span_equal(name, span_of_string("..")))
        return "the name is . or ..";
    if (u->parent.number == VERSION_NUMBER_ROOT &&
        span_equal(name, span_of_string(PRIVATE_DIR_NAME)))
        return "the name is the folder's private directory";
    return NULL;
}

static const char *identity_problem(const struct update *u)
{
    if (u->id.number < VERSION_NUMBER_FIRST)
        return "the file id is reserved";
    if (u->gvsn.number < VERSION_NUMBER_FIRST)
        return "the version number is reserved";
    if (u->parent.number < VERSION_NUMBER_FIRST && u->parent.number != VERSION_NUMBER_ROOT)
        return "the parent's file id is reserved";
    if (file_id_equal(&u->id, &u->parent))
        return "the file is its own parent";
    return NULL;
}

static const char *flags_problem(const struct update *u)
{
    static const struct file_id nobody;

    if (u->present && u->name_conflict)
        return "present and a name-conflict tombstone at once";
    if (u->merged && (!u->name_conflict || u->kind != FILE_DIRECTORY))
        return "merged, but not the name-conflict tombstone of a directory";
    if (u->name_conflict && u->kind == FILE_DIRECTORY && !u->merged)
        return "the name-conflict tombstone of a directory does not say where its children went";
    if (!u->merged && !file_id_equal(&u->merged_into, &nobody))
        return "not merged, but names a directory that it was merged into";
    if (u->merged && u->merged_into.number < VERSION_NUMBER_FIRST)
        return "merged into a reserved file id";
    if (u->merged && file_id_equal(&u->merged_into, &u->id))
        return "merged into itself";
    return NULL;
}

static const char *content_problem(const struct update *u)
{
    if (u->kind != FILE_REGULAR && u->kind != FILE_DIRECTORY && u->kind != FILE_SYMLINK)
        return "the kind of file is unknown";
    if (!u->present || u->kind == FILE_DIRECTORY) {
        if (u->size != 0 || !content_hash_equal(&u->hash, &hash_none))
            return "a directory or tombstone with content";
    } else if (u->size > INT64_MAX) {
        return "the size is beyond any file";
    }
    if (u->present && u->kind == FILE_SYMLINK && (u->size == 0 || u->size > SYMLINK_SIZE_MAX))
        return "the symlink's target is empty or too long";
    if (u->attributes_size > ATTRIBUTES_SIZE_MAX)
        return "the attributes are too large";
    return NULL;
}

const char *update_problem(const struct update *u)
{
    const char *problem = identity_problem(u);

    if (problem == NULL)
        problem = name_problem(u);
    if (problem == NULL)
        problem = flags_problem(u);
    if (problem == NULL)
        problem = content_problem(u);
    if (problem == NULL && (u->fence > UPDATE_FENCE_MAX || u->clock > UPDATE_CLOCK_MAX))
        problem = "the fence or clock is beyond its limit";
    return problem;
}

static void write_version(struct buf *out, const struct guid *database, uint64_t number)
{
    buf_append(out, database->bytes, GUID_SIZE);
    write_varint(out, number);
}

static uint64_t read_version(struct reader *r, struct guid *out_database)
{
    reader_copy(r, out_database->bytes, GUID_SIZE);
    return reader_varint(r);
}

void update_encode(const struct update *u, struct buf *out)
{
    bool has_hash = !content_hash_equal(&u->hash, &hash_none);
    unsigned flags = (u->present ? FLAG_PRESENT : 0u) |
                     (u->name_conflict ? FLAG_NAME_CONFLICT : 0u) | (u->merged ? FLAG_MERGED : 0u) |
                     (has_hash ? FLAG_HASH : 0u);

    write_u8(out, (uint8_t)flags);
    write_u8(out, (uint8_t)u->kind);
    write_version(out, &u->id.database, u->id.number);
    write_version(out, &u->gvsn.database, u->gvsn.number);
    write_version(out, &u->parent.database, u->parent.number);
    if (u->merged)
        write_version(out, &u->merged_into.database, u->merged_into.number);
    write_blob(out, update_name(u));
    write_varint(out, u->fence);
    write_varint(out, u->clock);
    write_varint(out, u->create_time);
    write_varint(out, u->size);
    if (has_hash)
        buf_append(out, u->hash.bytes, sizeof(u->hash.bytes));
    write_blob(out, update_attributes(u));
}

static enum file_kind kind_from_byte(uint8_t byte)
{
    switch (byte) {
    case FILE_REGULAR:
        return FILE_REGULAR;
    case FILE_DIRECTORY:
        return FILE_DIRECTORY;
    case FILE_SYMLINK:
        return FILE_SYMLINK;
    default:
        return FILE_KIND_NONE;
    }
}

void update_decode(struct reader *r, struct update *out_update)
{
    struct update u = {0};
    uint8_t flags = reader_u8(r);

    u.present = (flags & FLAG_PRESENT) != 0;
    u.name_conflict = (flags & FLAG_NAME_CONFLICT) != 0;
    u.merged = (flags & FLAG_MERGED) != 0;
    u.kind = kind_from_byte(reader_u8(r));
    u.id.number = read_version(r, &u.id.database);
    u.gvsn.number = read_version(r, &u.gvsn.database);
    u.parent.number = read_version(r, &u.parent.database);
    if (u.merged)
        u.merged_into.number = read_version(r, &u.merged_into.database);
    update_set_name(&u, reader_blob(r, NAME_SIZE_MAX));
    u.fence = reader_varint(r);
    u.clock = reader_varint(r);
    u.create_time = reader_varint(r);
    u.size = reader_varint(r);
    if ((flags & FLAG_HASH) != 0)
        reader_copy(r, u.hash.bytes, sizeof(u.hash.bytes));
    update_set_attributes(&u, reader_blob(r, ATTRIBUTES_SIZE_MAX));

    bool has_hash = !content_hash_equal(&u.hash, &hash_none);

    if ((flags & ~FLAG_ALL) != 0 || has_hash != ((flags & FLAG_HASH) != 0) ||
        update_problem(&u) != NULL)
        r->failed = true;
    if (!reader_ok(r))
        update_fini(&u);
    update_fini(out_update);
    *out_update = u;
}
