/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/db/row.h"

#include "agent/db/db.h"
#include "common/base/cursor.h"
#include "common/base/limits.h"

#include <assert.h>
#include <string.h>
#include <xxhash.h>

enum { STATE_SCANNED = 1, STATE_SYNCED = 2 };

struct key key_of(const struct guid *database, uint64_t number)
{
    struct key key;

    memcpy(key.bytes, database->bytes, GUID_SIZE);
    for (size_t i = 0; i < 8; i++)
        key.bytes[GUID_SIZE + i] = (uint8_t)(number >> (56 - 8 * i));
    return key;
}

struct span row_name(struct span name, bool fold, uint8_t *out)
{
    if (!fold)
        return name;
    assert(name.size <= NAME_SIZE_MAX);
    for (size_t i = 0; i < name.size; i++)
        out[i] = name.data[i] >= 'A' && name.data[i] <= 'Z' ? (uint8_t)(name.data[i] + 32)
                                                            : name.data[i];
    return span_of(out, name.size);
}

bool row_content(const struct record *record, int64_t *out_content)
{
    const struct update *u = &record->update;

    if (!u->present || record->place != PLACE_TREE || u->kind != FILE_REGULAR ||
        u->size < SEED_SIZE_MIN)
        return false;
    *out_content = (int64_t)db_content_key(&u->hash);
    return true;
}

/* --- bodies --- */

static void write_guid(struct buf *b, const struct guid *guid)
{
    buf_append(b, guid->bytes, GUID_SIZE);
}

void row_write_record(const struct record *record, struct buf *out)
{
    write_u64(out, record->witness.size);
    write_u64(out, (uint64_t)record->witness.modified_ns);
    write_u64(out, (uint64_t)record->witness.changed_ns);
    update_encode(&record->update, out);
}

bool row_read_record(struct span body, struct record *out)
{
    struct reader r = reader_of(body);

    out->witness.size = reader_u64(&r);
    out->witness.modified_ns = (int64_t)reader_u64(&r);
    out->witness.changed_ns = (int64_t)reader_u64(&r);
    update_decode(&r, &out->update);
    return reader_finished(&r);
}

void row_write_state(const struct replica_state *state, struct buf *out)
{
    write_guid(out, &state->database);
    write_u64(out, state->number_last);
    write_u8(out, (uint8_t)((state->initial_scan_done ? STATE_SCANNED : 0) |
                            (state->initial_sync_done ? STATE_SYNCED : 0)));
    vector_encode(&state->vector, out);
    write_guid(out, &state->member);
    vector_encode(&state->forgotten, out);
}

bool row_read_state(struct span body, struct replica_state *out)
{
    struct reader r = reader_of(body);
    uint8_t flags;

    reader_copy(&r, out->database.bytes, GUID_SIZE);
    out->number_last = reader_u64(&r);
    flags = reader_u8(&r);
    out->initial_scan_done = (flags & STATE_SCANNED) != 0;
    out->initial_sync_done = (flags & STATE_SYNCED) != 0;
    vector_decode(&r, &out->vector);
    if (!reader_finished(&r)) { /* version 2 ends here */
        reader_copy(&r, out->member.bytes, GUID_SIZE);
        vector_decode(&r, &out->forgotten);
    }
    return reader_finished(&r) && flags <= (STATE_SCANNED | STATE_SYNCED);
}

void row_write_intent(const struct intent *intent, struct buf *out)
{
    write_blob(out, span_of(intent->object.bytes, intent->object.size));
    update_encode(&intent->update, out);
}

bool row_read_intent(struct span body, struct intent *out)
{
    struct reader r = reader_of(body);
    struct span object = reader_blob(&r, OBJECT_SIZE_MAX);

    out->object = (struct object){.size = (uint8_t)object.size};
    if (object.size > 0)
        memcpy(out->object.bytes, object.data, object.size);
    update_decode(&r, &out->update);
    return reader_finished(&r);
}

/* --- checksums --- */

uint64_t row_sum(struct span body)
{
    return XXH3_64bits(body.data, body.size);
}

uint64_t row_record_sum(const struct key *id, enum place place, const struct object *object,
                        struct span body)
{
    uint8_t head[KEY_SIZE + 2 + OBJECT_SIZE_MAX] = {0};

    memcpy(head, id->bytes, KEY_SIZE);
    head[KEY_SIZE] = (uint8_t)place;
    head[KEY_SIZE + 1] = object->size;
    memcpy(head + KEY_SIZE + 2, object->bytes, object->size);
    return XXH3_64bits_withSeed(body.data, body.size, XXH3_64bits(head, sizeof head));
}

/* --- rows --- */

static struct span column(sqlite3_stmt *row, int index)
{
    const void *data = sqlite3_column_blob(row, index);

    return span_of(data, (size_t)sqlite3_column_bytes(row, index));
}

bool row_take_record(sqlite3_stmt *row, struct record *out)
{
    struct span id = column(row, 0);
    int place = sqlite3_column_int(row, 1);
    struct span object = column(row, 2);
    struct span body = column(row, 3);
    struct record record = {.place = (enum place)place};
    struct key key;
    bool good;

    if (id.size != KEY_SIZE || object.size > OBJECT_SIZE_MAX || place < PLACE_NOWHERE ||
        place > PLACE_PARKED)
        return false;
    memcpy(key.bytes, id.data, KEY_SIZE);
    record.object.size = (uint8_t)object.size;
    if (object.size > 0)
        memcpy(record.object.bytes, object.data, object.size);
    if (row_record_sum(&key, record.place, &record.object, body) !=
        (uint64_t)sqlite3_column_int64(row, 4))
        return false;
    good = row_read_record(body, &record);
    if (good) {
        struct key own = key_of(&record.update.id.database, record.update.id.number);

        good = memcmp(own.bytes, key.bytes, KEY_SIZE) == 0;
    }
    if (!good) {
        update_fini(&record.update);
        return false;
    }
    update_fini(&out->update);
    *out = record;
    return true;
}

bool row_take_body(sqlite3_stmt *row, struct span *out_body)
{
    *out_body = column(row, 0);
    return row_sum(*out_body) == (uint64_t)sqlite3_column_int64(row, 1);
}
