/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/model/locals.h"

#include "common/base/buf.h"
#include "common/base/cursor.h"
#include "common/base/mem.h"
#include "common/base/scope.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define LOCAL_COUNT_MAX (UINT32_C(1) << LOCAL_BITS)

struct key {
    uint64_t halves[2];
};

/* The local states of one member. */
struct shelf {
    struct local **items;
    struct key *keys;
    size_t count;
    size_t capacity;
    uint32_t *slots; /* number + 1, by key; 0: free */
    size_t slot_count;
};

/* Pulls that were made: who, from whom, and the result, in one word above 0. */
struct memo {
    uint64_t *slots;
    size_t count;
    size_t slot_count;
};

struct locals {
    struct shelf shelves[MODEL_MEMBERS_MAX];
    unsigned member_count;
    unsigned name_count;
    enum pull_step pull_step;
    struct random_source random;
    struct memo memo;
    uint64_t pull_count;
};

/* --- what tells local states apart --- */

static uint64_t kept_bits(const struct member *member)
{
    uint64_t bits = 0;

    for (size_t i = 0; i < member->disk.kept_count; i++)
        bits |= UINT64_C(1) << member->disk.kept[i].content;
    return bits;
}

static struct key key_of(const struct local *local)
{
    const struct table *table = memstore_table(local->member.store);
    struct key key = {{UINT64_C(0xcbf29ce484222325), UINT64_C(0x9e3779b97f4a7c15)}};
    scope(buf) struct buf bytes = {0};

    write_u64(&bytes, local->made);
    write_u64(&bytes, local->gone);
    write_u64(&bytes, local->change_count);
    write_u64(&bytes, kept_bits(&local->member));
    vector_encode(replica_vector(local->member.replica), &bytes);
    for (const struct record *r = table_next(table, NULL); r != NULL;
         r = table_next(table, &r->update.id)) {
        update_encode(&r->update, &bytes);
        write_u8(&bytes, (uint8_t)r->place);
    }
    for (size_t i = 0; i < bytes.size; i++) {
        key.halves[0] = (key.halves[0] ^ bytes.data[i]) * UINT64_C(0x100000001b3);
        key.halves[1] = (key.halves[1] + bytes.data[i]) * UINT64_C(0xff51afd7ed558ccd);
        key.halves[1] ^= key.halves[1] >> 29;
    }
    return key;
}

/* The slot that holds the key, or a free one. */
static uint32_t *shelf_slot(const struct shelf *shelf, const struct key *key)
{
    size_t at = key->halves[0] & (shelf->slot_count - 1);

    while (shelf->slots[at] != 0 &&
           memcmp(&shelf->keys[shelf->slots[at] - 1], key, sizeof(*key)) != 0)
        at = (at + 1) & (shelf->slot_count - 1);
    return &shelf->slots[at];
}

static void shelf_grow(struct shelf *shelf)
{
    if (shelf->count == shelf->capacity) {
        shelf->capacity = shelf->capacity == 0 ? 1024 : shelf->capacity * 2;
        shelf->items = mem_resize(shelf->items, shelf->capacity, sizeof(struct local *));
        shelf->keys = mem_resize(shelf->keys, shelf->capacity, sizeof(struct key));
    }
    if (shelf->count * 2 < shelf->slot_count)
        return;
    free(shelf->slots);
    shelf->slot_count = shelf->slot_count == 0 ? 4096 : shelf->slot_count * 2;
    shelf->slots = mem_new(shelf->slot_count, sizeof(*shelf->slots));
    for (size_t i = 0; i < shelf->count; i++)
        *shelf_slot(shelf, &shelf->keys[i]) = (uint32_t)i + 1;
}

static void local_free(struct local *local)
{
    member_fini(&local->member);
    free(local->changes);
    free(local);
}

/* The number of this local state, which is new or there already. */
static uint32_t keep(struct locals *locals, unsigned at, struct local *take_local)
{
    struct shelf *shelf = &locals->shelves[at];
    struct key key = key_of(take_local);
    uint32_t *slot;

    shelf_grow(shelf);
    slot = shelf_slot(shelf, &key);
    if (*slot != 0) {
        local_free(take_local);
        return *slot - 1;
    }
    if (shelf->count == LOCAL_COUNT_MAX) {
        printf("too many states of one member: raise LOCAL_BITS\n");
        exit(2);
    }
    take_local->problem = member_problem(&take_local->member);
    shelf->items[shelf->count] = take_local;
    shelf->keys[shelf->count] = key;
    *slot = (uint32_t)++shelf->count;
    return *slot - 1;
}

static struct local *local_copy(const struct local *from)
{
    struct local *to = MEM_NEW(struct local);

    member_copy(&to->member, &from->member);
    to->made = from->made;
    to->gone = from->gone;
    to->change_count = from->change_count;
    return to;
}

struct local *locals_get(const struct locals *locals, unsigned at, uint32_t number)
{
    assert(number < locals->shelves[at].count);
    return locals->shelves[at].items[number];
}

size_t locals_count(const struct locals *locals)
{
    size_t count = 0;

    for (unsigned i = 0; i < locals->member_count; i++)
        count += locals->shelves[i].count;
    return count;
}

uint64_t locals_pull_count(const struct locals *locals)
{
    return locals->pull_count;
}

/*
 * Each copy of a member opens its database, which would begin a life of its own (replica.h, rule 6): then
 * states would differ in how often they were copied. In the last life there is no further one to begin.
 */
static void stay_in_one_life(struct member *member)
{
    struct store store = memstore_port(member->store);
    struct replica_state state = {0};
    bool has_state = store.ops->get_state(store.arg, &state);

    state.number_last = VERSION_LIFE_MAX << VERSION_LIFE_BITS;
    store.ops->begin(store.arg);
    store.ops->put_state(store.arg, &state);

    enum status st = store.ops->commit(store.arg);

    assert(has_state && st == ST_OK);
    (void)has_state;
    (void)st;
    replica_state_fini(&state);
}

struct locals *locals_new(struct member *members, unsigned member_count, unsigned name_count,
                          enum pull_step pull_step)
{
    struct locals *locals = MEM_NEW(struct locals);

    locals->member_count = member_count;
    locals->name_count = name_count;
    locals->pull_step = pull_step;
    locals->random = random_from(1);
    for (unsigned i = 0; i < member_count; i++) {
        struct local *first = MEM_NEW(struct local);

        stay_in_one_life(&members[i]);
        member_copy(&first->member, &members[i]);
        member_fini(&members[i]);
        (void)keep(locals, i, first);
    }
    return locals;
}

void locals_free(struct locals *locals)
{
    for (unsigned i = 0; i < locals->member_count; i++) {
        struct shelf *shelf = &locals->shelves[i];

        for (size_t k = 0; k < shelf->count; k++)
            local_free(shelf->items[k]);
        free(shelf->items);
        free(shelf->keys);
        free(shelf->slots);
    }
    free(locals->memo.slots);
    free(locals);
}

/* --- pulls --- */

/* The law of replica.h: whose vector contains a version has a record that is as great. */
static const char *law_problem(const struct member *a, const struct member *b)
{
    const struct table *ours = memstore_table(a->store);
    const struct table *theirs = memstore_table(b->store);

    if (!vector_covers(replica_vector(a->replica), replica_vector(b->replica)))
        return NULL;
    for (const struct record *r = table_next(theirs, NULL); r != NULL;
         r = table_next(theirs, &r->update.id)) {
        const struct record *mine = table_get(ours, &r->update.id);

        if (mine == NULL || update_compare(&mine->update, &r->update) < 0)
            return "a vector claims a version that is not recorded";
    }
    return NULL;
}

static uint32_t pull(struct locals *locals, unsigned to, uint32_t to_number, unsigned from,
                     uint32_t from_number)
{
    const struct member_chaos one_update = {
        .random = &locals->random, .break_percent = 100, .batch_max = 1};
    struct local *source = locals_get(locals, from, from_number);
    struct local *next = local_copy(locals_get(locals, to, to_number));
    const char *problem;
    uint32_t number;

    locals->pull_count++;
    next->member.now.ns = 1000;
    (void)member_pull(&next->member, &source->member,
                      locals->pull_step == PULL_UPDATE ? &one_update : NULL);
    next->member.now.ns = 1000;
    member_return_parked(&next->member);
    problem = law_problem(&next->member, &source->member);
    number = keep(locals, to, next);
    if (problem != NULL)
        locals_get(locals, to, number)->problem = problem;
    return number;
}

/* A pull's question in the high bits, its answer in the low ones. */
static uint64_t question(unsigned to, uint32_t to_number, unsigned from, uint32_t from_number)
{
    uint64_t pair = to * MODEL_MEMBERS_MAX + from; /* never 0 for @to unequal @from */

    return ((pair << LOCAL_BITS | to_number) << LOCAL_BITS | from_number) << LOCAL_BITS;
}

static_assert(MODEL_MEMBERS_MAX * MODEL_MEMBERS_MAX <= 1 << (64 - 3 * LOCAL_BITS),
              "question and answer fit in one word");

static uint64_t *memo_slot(const struct memo *memo, uint64_t asked)
{
    size_t at = (asked >> LOCAL_BITS) * UINT64_C(0x9e3779b97f4a7c15) >> 16 & (memo->slot_count - 1);

    while (memo->slots[at] != 0 && memo->slots[at] >> LOCAL_BITS != asked >> LOCAL_BITS)
        at = (at + 1) & (memo->slot_count - 1);
    return &memo->slots[at];
}

static void memo_grow(struct memo *memo)
{
    struct memo larger = {.count = memo->count,
                          .slot_count = memo->slot_count == 0 ? 65536 : memo->slot_count * 2};

    if (memo->count * 3 < memo->slot_count * 2)
        return;
    larger.slots = mem_new(larger.slot_count, sizeof(*larger.slots));
    for (size_t i = 0; i < memo->slot_count; i++) {
        if (memo->slots[i] != 0)
            *memo_slot(&larger, memo->slots[i]) = memo->slots[i];
    }
    free(memo->slots);
    *memo = larger;
}

uint32_t locals_pull(struct locals *locals, unsigned to, uint32_t to_number, unsigned from,
                     uint32_t from_number)
{
    uint64_t asked = question(to, to_number, from, from_number);
    uint64_t *slot;
    uint32_t answer;

    memo_grow(&locals->memo);
    slot = memo_slot(&locals->memo, asked);
    if (*slot != 0)
        return (uint32_t)(*slot & (LOCAL_COUNT_MAX - 1));
    answer = pull(locals, to, to_number, from, from_number);
    *slot = asked | answer;
    locals->memo.count++;
    return answer;
}

uint32_t locals_unpark(struct locals *locals, unsigned at, uint32_t number)
{
    struct local *next;

    if (!replica_has_parked(locals_get(locals, at, number)->member.replica))
        return number;
    next = local_copy(locals_get(locals, at, number));
    next->member.now.ns = 1000;
    member_unpark(&next->member);
    return keep(locals, at, next);
}

/* --- changes by users --- */

static void look(struct member *member)
{
    member->now.ns = 1000;
    for (size_t i = 0; i < member->disk.node_count; i++)
        member->disk.nodes[i].birth = 1;
    member_scan(member);
}

/* The contents that stand at or beneath a node. */
static uint64_t contents_beneath(const struct member *member, uint64_t number)
{
    uint64_t bits = 0;

    for (size_t i = 0; i < member->disk.node_count; i++) {
        const struct model_node *node = &member->disk.nodes[i];

        if (node->number == 0 || node->kind == FILE_DIRECTORY)
            continue;
        for (const struct model_node *at = node; at != NULL;
             at = modeldisk_node(&member->disk, at->parent)) {
            if (at->number == number)
                bits |= UINT64_C(1) << node->content;
        }
    }
    return bits;
}

static bool carry_out(struct local *local, const struct change *change)
{
    static const char *const names[MODEL_NAMES_MAX] = {"a", "b", "c"};
    struct modeldisk *disk = &local->member.disk;
    uint64_t content = 1 + local->member.index * 16 + local->change_count;
    uint64_t gone = 0;
    bool done = false;

    switch (change->kind) {
    case MAKE_FILE:
        done = modeldisk_create(disk, change->dir, names[change->name], FILE_REGULAR, content,
                                'a') != 0;
        break;
    case MAKE_DIR:
        done = modeldisk_create(disk, change->dir, names[change->name], FILE_DIRECTORY, 0, 'a') !=
               0;
        break;
    case WRITE:
        gone = contents_beneath(&local->member, change->target);
        done = modeldisk_write(disk, change->target, content);
        break;
    case DELETE:
        gone = contents_beneath(&local->member, change->target);
        modeldisk_delete(disk, change->target);
        done = true;
        break;
    case MOVE:
        done = modeldisk_move(disk, change->target, change->dir, names[change->name]);
        break;
    }
    if (!done)
        return false;
    local->gone |= gone;
    if (change->kind == MAKE_FILE || change->kind == WRITE)
        local->made |= UINT64_C(1) << content;
    local->change_count++;
    look(&local->member);
    return true;
}

static void try_change(struct locals *locals, unsigned at, struct local *local, struct change change)
{
    struct local *next = local_copy(local);

    if (!carry_out(next, &change)) {
        local_free(next);
        return;
    }
    change.result = keep(locals, at, next);
    local->changes = mem_resize(local->changes, local->change_choice_count + 1, sizeof(change));
    local->changes[local->change_choice_count++] = change;
}

static void try_changes_in(struct locals *locals, unsigned at, struct local *local,
                           struct change change)
{
    const struct modeldisk *disk = &local->member.disk;

    for (change.name = 0; change.name < locals->name_count; change.name++) {
        change.target = 0;
        change.kind = MAKE_FILE;
        try_change(locals, at, local, change);
        change.kind = MAKE_DIR;
        try_change(locals, at, local, change);
        change.kind = MOVE;
        for (size_t i = 0; i < disk->node_count; i++) {
            change.target = disk->nodes[i].number;
            if (modeldisk_is_visible(disk, &disk->nodes[i]))
                try_change(locals, at, local, change);
        }
    }
}

const struct change *locals_changes(struct locals *locals, unsigned at, uint32_t number,
                                    size_t *out_count)
{
    struct local *local = locals_get(locals, at, number);
    const struct modeldisk *disk = &local->member.disk;

    for (size_t i = 0; i < disk->node_count && !local->is_expanded; i++) {
        const struct model_node *node = &disk->nodes[i];
        bool is_root = node->number == MODEL_ROOT;
        struct change change = {.target = node->number};

        if (!is_root && !modeldisk_is_visible(disk, node))
            continue;
        if (!is_root) {
            change.kind = DELETE;
            try_change(locals, at, local, change);
            change.kind = WRITE;
            if (node->kind == FILE_REGULAR)
                try_change(locals, at, local, change);
        }
        change.dir = node->number;
        if (node->kind == FILE_DIRECTORY)
            try_changes_in(locals, at, local, change);
    }
    local->is_expanded = true;
    *out_count = local->change_choice_count;
    return local->changes;
}
