/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/model/pack.h"

#include "common/base/buf.h"
#include "common/base/cursor.h"
#include "common/base/mem.h"
#include "common/base/scope.h"

#include <assert.h>
#include <stdlib.h>

/* --- turns --- */

/* Those of the first two names come first. */
static const uint8_t turns[TURN_COUNT_MAX][MODEL_NAMES_MAX] = {{0, 1, 2}, {1, 0, 2}, {0, 2, 1},
                                                               {2, 1, 0}, {1, 2, 0}, {2, 0, 1}};

unsigned turn_count(unsigned name_count)
{
    return name_count == 3 ? 6 : name_count == 2 ? 2 : 1;
}

static unsigned turn_of(const uint8_t letters[MODEL_NAMES_MAX])
{
    unsigned turn = 0;

    while (memcmp(turns[turn], letters, MODEL_NAMES_MAX) != 0)
        turn++;
    return turn;
}

unsigned turn_after(unsigned first, unsigned second)
{
    uint8_t letters[MODEL_NAMES_MAX];

    for (unsigned i = 0; i < MODEL_NAMES_MAX; i++)
        letters[i] = turns[first][turns[second][i]];
    return turn_of(letters);
}

unsigned turn_back(unsigned turn)
{
    uint8_t letters[MODEL_NAMES_MAX] = {0};

    for (uint8_t i = 0; i < MODEL_NAMES_MAX; i++)
        letters[turns[turn][i]] = i;
    return turn_of(letters);
}

uint8_t turn_letter(unsigned turn, const uint8_t *name, size_t size)
{
    bool is_users =
        name[0] >= 'a' && name[0] < 'a' + MODEL_NAMES_MAX && (size == 1 || name[1] == '.');

    return is_users ? (uint8_t)('a' + turns[turn][name[0] - 'a']) : name[0];
}

/* --- packing --- */

/* Runs of zeros as a zero and their length: GUIDs and hashes are mostly that. */
static struct packed squeeze(const struct buf *bytes)
{
    scope(buf) struct buf out = {0};

    for (size_t i = 0; i < bytes->size;) {
        size_t run = 0;

        while (i + run < bytes->size && run < UINT8_MAX && bytes->data[i + run] == 0)
            run++;
        write_u8(&out, bytes->data[i]);
        if (run > 0)
            write_u8(&out, (uint8_t)run);
        i += run > 0 ? run : 1;
    }
    return (struct packed){.bytes = mem_copy(out.data, out.size), .size = out.size};
}

static void unsqueeze(const struct packed *packed, struct buf *out)
{
    for (size_t i = 0; i < packed->size; i++) {
        uint8_t byte = packed->bytes[i];
        unsigned run = byte == 0 ? packed->bytes[++i] : 1;

        for (; run > 0; run--)
            write_u8(out, byte);
    }
}

static void pack_disk(const struct modeldisk *disk, struct buf *out)
{
    uint64_t kept = 0;

    assert(disk->stage_count == 0);
    write_varint(out, disk->number_last);
    write_varint(out, (uint64_t)disk->time);
    write_varint(out, disk->node_count);
    for (size_t i = 0; i < disk->node_count; i++) {
        const struct model_node *node = &disk->nodes[i];

        write_varint(out, node->number);
        if (node->number == 0)
            continue;
        write_varint(out, node->parent);
        write_blob(out, span_of_string(node->name));
        write_u8(out, (uint8_t)node->kind);
        write_varint(out, node->content);
        write_u8(out, (uint8_t)node->attributes);
        write_varint(out, (uint64_t)node->changed);
        write_varint(out, node->birth);
    }
    for (size_t i = 0; i < disk->kept_count; i++)
        kept |= UINT64_C(1) << disk->kept[i].content;
    write_u64(out, kept);
}

struct packed pack_member(const struct member *member)
{
    const struct table *table = memstore_table(member->store);
    const struct replica_state *state = replica_state(member->replica);
    scope(buf) struct buf bytes = {0};

    assert(state->initial_scan_done && state->initial_sync_done);
    write_u64(&bytes, state->number_last);
    vector_encode(&state->vector, &bytes);
    write_varint(&bytes, table_count(table));
    for (const struct record *r = table_next(table, NULL); r != NULL;
         r = table_next(table, &r->update.id)) {
        update_encode(&r->update, &bytes);
        write_u8(&bytes, (uint8_t)r->place);
        write_blob(&bytes, span_of(r->object.bytes, r->object.size));
        write_varint(&bytes, r->witness.size);
        write_varint(&bytes, (uint64_t)r->witness.modified_ns);
        write_varint(&bytes, (uint64_t)r->witness.changed_ns);
    }
    pack_disk(&member->disk, &bytes);
    return squeeze(&bytes);
}

/* --- unpacking --- */

static void unpack_disk(struct reader *r, unsigned turn, struct modeldisk *out)
{
    uint64_t kept;

    out->number_last = reader_varint(r);
    out->time = (int64_t)reader_varint(r);
    out->node_count = reader_varint(r);
    out->nodes = mem_new(out->node_count, sizeof(*out->nodes));
    for (size_t i = 0; i < out->node_count; i++) {
        struct model_node *node = &out->nodes[i];

        node->number = reader_varint(r);
        if (node->number == 0)
            continue;
        node->parent = reader_varint(r);

        struct span name = reader_blob(r, MODEL_NAME_SIZE - 1);

        if (name.size > 0) {
            memcpy(node->name, name.data, name.size);
            node->name[0] = (char)turn_letter(turn, name.data, name.size);
        }
        node->kind = (enum file_kind)reader_u8(r);
        node->content = reader_varint(r);
        node->attributes = (char)reader_u8(r);
        node->changed = (int64_t)reader_varint(r);
        node->birth = reader_varint(r);
    }
    kept = reader_u64(r);
    out->kept = mem_new(64, sizeof(*out->kept));
    for (uint64_t content = 0; content < 64; content++) {
        if ((kept >> content & 1) != 0)
            out->kept[out->kept_count++].content = content;
    }
}

static void unpack_record(struct reader *r, unsigned turn, struct record *out)
{
    struct span object;

    update_decode(r, &out->update);
    out->update.name[0] = turn_letter(turn, out->update.name, out->update.name_size);
    out->place = (enum place)reader_u8(r);
    object = reader_blob(r, OBJECT_SIZE_MAX);
    out->object = (struct object){.size = (uint8_t)object.size};
    if (object.size > 0)
        memcpy(out->object.bytes, object.data, object.size);
    out->witness.size = reader_varint(r);
    out->witness.modified_ns = (int64_t)reader_varint(r);
    out->witness.changed_ns = (int64_t)reader_varint(r);
}

static void unpack_store(struct reader *r, const struct member *like, unsigned turn,
                         struct memstore *out)
{
    struct store store = memstore_port(out);
    struct replica_state state = {0};
    scope(record) struct record record = {0};

    replica_state_copy(&state, replica_state(like->replica));
    state.number_last = reader_u64(r);
    vector_decode(r, &state.vector);
    store.ops->begin(store.arg);
    for (uint64_t count = reader_varint(r); count > 0 && reader_ok(r); count--) {
        unpack_record(r, turn, &record);
        store.ops->put(store.arg, &record);
    }
    store.ops->put_state(store.arg, &state);

    enum status st = store.ops->commit(store.arg);

    assert(st == ST_OK);
    (void)st;
    replica_state_fini(&state);
}

void unpack_member(const struct packed *packed, const struct member *like, unsigned turn,
                   struct member *out_member)
{
    scope(buf) struct buf bytes = {0};
    struct reader r;

    unsqueeze(packed, &bytes);
    r = reader_of(span_of(bytes.data, bytes.size));
    *out_member = *like;
    out_member->disk = (struct modeldisk){0};
    out_member->store = memstore_new(false);
    unpack_store(&r, like, turn, out_member->store);
    unpack_disk(&r, turn, &out_member->disk);
    assert(reader_finished(&r));
    member_open(out_member);
}
