/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/transfer/codec.h"

#include "common/base/limits.h"
#include "common/base/mem.h"

#include <endian.h>
#include <stdlib.h>

bool guid_from_message(ProtobufCBinaryData field, struct guid *out)
{
    if (field.len != GUID_SIZE)
        return false;
    memcpy(out->bytes, field.data, GUID_SIZE);
    return true;
}

/* The generated type has no const; the packer only reads. */
static ProtobufCBinaryData borrow(const void *data, size_t size)
{
    union {
        const void *from;
        uint8_t *to;
    } cast = {.from = data};

    return (ProtobufCBinaryData){.data = cast.to, .len = size};
}

ProtobufCBinaryData guid_to_message(const struct guid *id)
{
    return borrow(id->bytes, GUID_SIZE);
}

static void version_to_message(const struct guid *database, uint64_t number,
                               Coterie__V1__Version *out)
{
    coterie__v1__version__init(out);
    out->database_guid = guid_to_message(database);
    out->number = number;
}

static bool version_from_message(const Coterie__V1__Version *message, struct guid *database,
                                 uint64_t *number)
{
    if (!message || !guid_from_message(message->database_guid, database))
        return false;
    *number = message->number;
    return *number > 0;
}

static Coterie__V1__FileKind kind_to_message(enum file_kind kind)
{
    switch (kind) {
    case FILE_REGULAR:
        return COTERIE__V1__FILE_KIND__FILE_KIND_FILE;
    case FILE_DIRECTORY:
        return COTERIE__V1__FILE_KIND__FILE_KIND_DIRECTORY;
    case FILE_SYMLINK:
        return COTERIE__V1__FILE_KIND__FILE_KIND_SYMLINK;
    case FILE_KIND_NONE:
        break;
    }
    return COTERIE__V1__FILE_KIND__FILE_KIND_UNSPECIFIED;
}

static bool kind_from_message(Coterie__V1__FileKind message, enum file_kind *out)
{
    if (message == COTERIE__V1__FILE_KIND__FILE_KIND_FILE)
        *out = FILE_REGULAR;
    else if (message == COTERIE__V1__FILE_KIND__FILE_KIND_DIRECTORY)
        *out = FILE_DIRECTORY;
    else if (message == COTERIE__V1__FILE_KIND__FILE_KIND_SYMLINK)
        *out = FILE_SYMLINK;
    else
        return false;
    return true;
}

void update_to_message(const struct update *u, struct update_message *out)
{
    coterie__v1__update__init(&out->update);
    version_to_message(&u->id.database, u->id.number, &out->file_id);
    version_to_message(&u->gvsn.database, u->gvsn.number, &out->gvsn);
    version_to_message(&u->parent.database, u->parent.number, &out->parent_id);
    out->update.file_id = &out->file_id;
    out->update.gvsn = &out->gvsn;
    out->update.parent_id = &out->parent_id;
    if (u->merged) {
        version_to_message(&u->merged_into.database, u->merged_into.number, &out->merged_into);
        out->update.merged_into = &out->merged_into;
    }
    out->update.name = borrow(u->name, u->name_size);
    out->update.present = u->present;
    out->update.name_conflict = u->name_conflict;
    out->update.kind = kind_to_message(u->kind);
    out->update.fence = u->fence;
    out->update.clock = u->clock;
    out->update.create_time = u->create_time;
    out->update.size = u->size;
    if (u->present && u->kind != FILE_DIRECTORY)
        out->update.content_hash = borrow(u->hash.bytes, CONTENT_HASH_SIZE);
    out->update.attributes = borrow(u->attributes, u->attributes_size);
}

const char *update_from_message(const Coterie__V1__Update *m, struct update *out)
{
    struct update u = {0};

    if (!version_from_message(m->file_id, &u.id.database, &u.id.number))
        return "update without a file id";
    if (!version_from_message(m->gvsn, &u.gvsn.database, &u.gvsn.number))
        return "update without a gvsn";
    if (!version_from_message(m->parent_id, &u.parent.database, &u.parent.number))
        return "update without a parent";
    if (m->merged_into) {
        if (!version_from_message(m->merged_into, &u.merged_into.database, &u.merged_into.number))
            return "bad merge target";
        u.merged = true;
    }
    if (!kind_from_message(m->kind, &u.kind))
        return "unknown kind of file";
    if (m->name.len == 0 || m->name.len > NAME_SIZE_MAX)
        return "name empty or too long";
    if (m->attributes.len > ATTRIBUTES_SIZE_MAX)
        return "attributes too large";
    if (m->content_hash.len != 0 && m->content_hash.len != CONTENT_HASH_SIZE)
        return "content hash of a wrong size";
    if (m->present && u.kind != FILE_DIRECTORY && m->content_hash.len == 0)
        return "file without a content hash";
    u.present = m->present;
    u.name_conflict = m->name_conflict;
    u.fence = m->fence;
    u.clock = m->clock;
    u.create_time = m->create_time;
    u.size = m->size;
    if (m->content_hash.len > 0)
        memcpy(u.hash.bytes, m->content_hash.data, CONTENT_HASH_SIZE);
    update_set_name(&u, span_of(m->name.data, m->name.len));
    update_set_attributes(&u, span_of(m->attributes.data, m->attributes.len));
    const char *problem = update_problem(&u);
    if (problem) {
        update_fini(&u);
        return problem;
    }
    *out = u;
    return NULL;
}

Coterie__V1__VersionVector *vector_to_message(const struct vector *v)
{
    Coterie__V1__VersionVector *message = MEM_NEW(Coterie__V1__VersionVector);

    coterie__v1__version_vector__init(message);
    message->n_entries = v->entry_count;
    message->entries = mem_new(v->entry_count, sizeof(*message->entries));
    for (size_t i = 0; i < v->entry_count; i++) {
        const struct vector_entry *from = &v->entries[i];
        Coterie__V1__VectorEntry *entry = MEM_NEW(Coterie__V1__VectorEntry);

        coterie__v1__vector_entry__init(entry);
        entry->database_guid = borrow(mem_copy(from->database.bytes, GUID_SIZE), GUID_SIZE);
        entry->n_bounds = 2 * from->interval_count;
        entry->bounds = mem_new(entry->n_bounds, sizeof(*entry->bounds));
        for (size_t k = 0; k < from->interval_count; k++) {
            entry->bounds[2 * k] = from->intervals[k].low;
            entry->bounds[2 * k + 1] = from->intervals[k].high;
        }
        message->entries[i] = entry;
    }
    return message;
}

void vector_message_free(Coterie__V1__VersionVector *message)
{
    if (!message)
        return;
    for (size_t i = 0; i < message->n_entries; i++) {
        free(message->entries[i]->database_guid.data);
        free(message->entries[i]->bounds);
        free(message->entries[i]);
    }
    free(message->entries);
    free(message);
}

static const char *entry_from_message(const Coterie__V1__VectorEntry *entry, struct vector *out)
{
    struct guid database;
    uint64_t last = 0;

    if (!guid_from_message(entry->database_guid, &database))
        return "version vector with a bad database";
    if (out->entry_count > 0 &&
        guid_compare(&out->entries[out->entry_count - 1].database, &database) >= 0)
        return "version vector out of order";
    if (entry->n_bounds == 0 || entry->n_bounds % 2 != 0)
        return "version vector with half an interval";
    for (size_t k = 0; k < entry->n_bounds; k += 2) {
        struct interval numbers = {.low = entry->bounds[k], .high = entry->bounds[k + 1]};

        if (numbers.low >= numbers.high || (k > 0 && numbers.low <= last))
            return "version vector with intervals out of order";
        last = numbers.high;
        vector_add_interval(out, &database, numbers);
    }
    return NULL;
}

const char *vector_from_message(const Coterie__V1__VersionVector *message, struct vector *out)
{
    struct vector v = {0};
    size_t interval_count = 0;
    const char *problem = NULL;

    vector_fini(out);
    if (!message)
        return NULL;
    if (message->n_entries > VECTOR_DATABASE_COUNT_MAX)
        return "version vector with too many databases";
    for (size_t i = 0; i < message->n_entries && !problem; i++) {
        interval_count += message->entries[i]->n_bounds / 2;
        if (interval_count > VECTOR_INTERVAL_COUNT_MAX)
            problem = "version vector with too many intervals";
        else
            problem = entry_from_message(message->entries[i], &v);
    }
    if (problem)
        vector_fini(&v);
    else
        *out = v;
    return problem;
}

void opening_to_message(const struct guid *connection, const struct guid *folder,
                        const struct guid *database, bool fetch_only,
                        Coterie__V1__SessionOpen *out_message)
{
    coterie__v1__session_open__init(out_message);
    out_message->protocol_version = REPLICATION_PROTOCOL_VERSION;
    out_message->connection_guid = guid_to_message(connection);
    out_message->folder_guid = guid_to_message(folder);
    out_message->database_guid = guid_to_message(database);
    out_message->fetch_only = fetch_only;
}

void opened_to_message(const struct guid *database, Coterie__V1__SessionOpened *out_message)
{
    coterie__v1__session_opened__init(out_message);
    out_message->protocol_version = REPLICATION_PROTOCOL_VERSION;
    out_message->database_guid = guid_to_message(database);
}

void list_to_message(const struct file_id *after, struct list_message *out)
{
    coterie__v1__session_list__init(&out->list);
    if (after) {
        version_to_message(&after->database, after->number, &out->after);
        out->list.after = &out->after;
    }
}

const char *list_from_message(const Coterie__V1__SessionList *message, struct file_id *out,
                              bool *out_has_after)
{
    *out_has_after = message->after != NULL;
    if (message->after && !version_from_message(message->after, &out->database, &out->number))
        return "list without a valid file id";
    return NULL;
}

/* Most significant byte first, so that the bytes sort as the versions do. */
static void append_version(struct buf *bytes, const struct guid *database, uint64_t number)
{
    uint64_t stored = htobe64(number);

    buf_append(bytes, database->bytes, GUID_SIZE);
    buf_append(bytes, &stored, sizeof(stored));
}

static void read_version(struct reader *r, struct guid *database, uint64_t *number)
{
    uint64_t stored;

    reader_copy(r, database->bytes, GUID_SIZE);
    reader_copy(r, &stored, sizeof(stored));
    *number = be64toh(stored);
}

void listed_to_message(const struct file_id *ids, size_t count, const struct file_id *upto,
                       struct buf *bytes, struct listed_message *out)
{
    coterie__v1__session_listed__init(&out->listed);
    buf_clear(bytes);
    for (size_t i = 0; i < count; i++)
        append_version(bytes, &ids[i].database, ids[i].number);
    out->listed.file_ids = borrow(bytes->data, bytes->size);
    if (upto) {
        version_to_message(&upto->database, upto->number, &out->upto);
        out->listed.upto = &out->upto;
    }
}

const char *listed_from_message(const Coterie__V1__SessionListed *message,
                                struct file_id **out_ids, size_t *out_count,
                                struct file_id *out_upto, bool *out_is_last)
{
    const size_t id_size = GUID_SIZE + sizeof(uint64_t);
    size_t count = message->file_ids.len / id_size;
    struct reader r = reader_of(span_of(message->file_ids.data, message->file_ids.len));

    if (message->file_ids.len % id_size != 0 || count > LISTING_PART_COUNT_MAX)
        return "list of file ids with a wrong size";
    *out_is_last = message->upto == NULL;
    if (message->upto &&
        !version_from_message(message->upto, &out_upto->database, &out_upto->number))
        return "list of file ids without a valid end";
    *out_ids = mem_new(count, sizeof(**out_ids));
    *out_count = count;
    for (size_t i = 0; i < count; i++)
        read_version(&r, &(*out_ids)[i].database, &(*out_ids)[i].number);
    return NULL;
}

void verified_to_message(const struct named_record *records, size_t count,
                         const struct file_id *upto, struct buf *bytes,
                         struct verified_message *out)
{
    coterie__v1__session_verified__init(&out->verified);
    buf_clear(bytes);
    for (size_t i = 0; i < count; i++) {
        uint8_t state = records[i].present;

        append_version(bytes, &records[i].id.database, records[i].id.number);
        append_version(bytes, &records[i].gvsn.database, records[i].gvsn.number);
        buf_append(bytes, &state, sizeof(state));
    }
    out->verified.records = borrow(bytes->data, bytes->size);
    if (upto) {
        version_to_message(&upto->database, upto->number, &out->upto);
        out->verified.upto = &out->upto;
    }
}

const char *verified_from_message(const Coterie__V1__SessionVerified *message,
                                  struct named_record **out_records, size_t *out_count,
                                  struct file_id *out_upto, bool *out_is_last)
{
    const size_t record_size = 2 * (GUID_SIZE + sizeof(uint64_t)) + 1;
    size_t count = message->records.len / record_size;
    struct reader r = reader_of(span_of(message->records.data, message->records.len));

    if (message->records.len % record_size != 0 || count > VERIFY_PART_COUNT_MAX)
        return "named records with a wrong size";
    *out_is_last = message->upto == NULL;
    if (message->upto &&
        !version_from_message(message->upto, &out_upto->database, &out_upto->number))
        return "named records without a valid end";
    *out_records = mem_new(count, sizeof(**out_records));
    *out_count = count;
    for (size_t i = 0; i < count; i++) {
        struct named_record *record = &(*out_records)[i];
        uint8_t state;

        read_version(&r, &record->id.database, &record->id.number);
        read_version(&r, &record->gvsn.database, &record->gvsn.number);
        reader_copy(&r, &state, sizeof(state));
        if (state > 1)
            return "a named record is neither live nor dead";
        record->present = state == 1;
    }
    return NULL;
}

bool traits_from_message(ProtobufCBinaryData field, struct rdc_traits *out)
{
    struct reader r = reader_of(span_of(field.data, field.len));

    for (unsigned i = 0; i < RDC_TRAIT_COUNT; i++)
        out->values[i] = reader_u16(&r);
    return reader_finished(&r);
}

ProtobufCBinaryData traits_to_message(const struct rdc_traits *traits, uint8_t *place)
{
    for (unsigned i = 0; i < RDC_TRAIT_COUNT; i++) {
        place[2 * i] = (uint8_t)traits->values[i];
        place[2 * i + 1] = (uint8_t)(traits->values[i] >> 8);
    }
    return (ProtobufCBinaryData){.data = place, .len = TRAITS_SIZE};
}
