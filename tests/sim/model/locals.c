/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/model/keep.h"

#include "common/base/buf.h"
#include "common/base/cursor.h"
#include "common/base/mem.h"
#include "common/base/scope.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define LIVE_COUNT 4096u /* members kept ready to be pulled from */

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

/* Pulls that were made: who, from whom, and what came of it. */
struct memo {
    uint64_t *asked; /* 0: free */
    uint32_t *answers;
    size_t count;
    size_t slot_count;
};

struct live {
    bool is_filled;
    unsigned at;
    uint32_t seat;
    struct member member;
};

struct locals {
    struct locals_options options;
    unsigned turn_count;
    uint8_t after[TURN_COUNT_MAX][TURN_COUNT_MAX];
    uint8_t back[TURN_COUNT_MAX];
    struct shelf shelves[MODEL_MEMBERS_MAX];
    struct member like[MODEL_MEMBERS_MAX]; /* the first ones */
    struct live *live;
    struct random_source random;
    struct memo memo;
    uint64_t pull_count;
};

static uint32_t number_of(uint32_t seat)
{
    return seat >> TURN_BITS;
}

static unsigned turn_of(uint32_t seat)
{
    return seat & ((1u << TURN_BITS) - 1);
}

struct local *locals_item(const struct locals *locals, unsigned at, uint32_t seat)
{
    assert(number_of(seat) < locals->shelves[at].count);
    return locals->shelves[at].items[number_of(seat)];
}

unsigned locals_name_count(const struct locals *locals)
{
    return locals->options.name_count;
}

const struct local *locals_get(const struct locals *locals, unsigned at, uint32_t seat)
{
    return locals_item(locals, at, seat);
}

uint32_t locals_turn(const struct locals *locals, unsigned at, uint32_t seat, unsigned turn)
{
    const uint8_t *least = locals_get(locals, at, seat)->least_turn;

    return number_of(seat) << TURN_BITS | least[locals->after[turn][turn_of(seat)]];
}

void locals_member(const struct locals *locals, unsigned at, uint32_t seat,
                   struct member *out_member)
{
    unpack_member(&locals_get(locals, at, seat)->packed, &locals->like[at], turn_of(seat),
                  out_member);
}

size_t locals_count(const struct locals *locals)
{
    size_t count = 0;

    for (unsigned i = 0; i < locals->options.member_count; i++)
        count += locals->shelves[i].count;
    return count;
}

uint64_t locals_pull_count(const struct locals *locals)
{
    return locals->pull_count;
}

/* --- what tells local states apart --- */

static uint64_t kept_bits(const struct member *member)
{
    uint64_t bits = 0;

    for (size_t i = 0; i < member->disk.kept_count; i++)
        bits |= UINT64_C(1) << member->disk.kept[i].content;
    return bits;
}

static uint64_t shown_bits(const struct member *member)
{
    uint64_t bits = 0;

    for (uint64_t content = 1; content < MODEL_CONTENT_MAX; content++) {
        if (member_shows(member, content))
            bits |= UINT64_C(1) << content;
    }
    return bits;
}

static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static struct key hash(const struct buf *bytes)
{
    struct key key = {{UINT64_C(0xcbf29ce484222325), UINT64_C(0x9e3779b97f4a7c15)}};

    for (size_t i = 0; i < bytes->size; i++) {
        key.halves[0] = (key.halves[0] ^ bytes->data[i]) * UINT64_C(0x100000001b3);
        key.halves[1] = (key.halves[1] + bytes->data[i]) * UINT64_C(0xff51afd7ed558ccd);
        key.halves[1] ^= key.halves[1] >> 29;
    }
    return key;
}

/* One key for each turn of the names. Records differ in their ids, so their keys can be summed up.
 */
static void keys_of(const struct fresh *fresh, unsigned turn_count, struct key out[TURN_COUNT_MAX])
{
    const struct table *table = memstore_table(fresh->member.store);
    scope(buf) struct buf bytes = {0};
    struct key key;

    write_u64(&bytes, fresh->made);
    write_u64(&bytes, fresh->gone);
    write_u64(&bytes, fresh->change_count);
    write_u64(&bytes, kept_bits(&fresh->member));
    vector_encode(replica_vector(fresh->member.replica), &bytes);
    key = hash(&bytes);
    for (unsigned turn = 0; turn < turn_count; turn++)
        out[turn] = key;
    for (const struct record *r = table_next(table, NULL); r != NULL;
         r = table_next(table, &r->update.id)) {
        struct update u = r->update; /* borrows what it points to */

        u.name[0] = '?';
        bytes.size = 0;
        update_encode(&u, &bytes);
        write_u8(&bytes, (uint8_t)r->place);
        key = hash(&bytes);
        for (unsigned turn = 0; turn < turn_count; turn++) {
            uint64_t letter = turn_letter(turn, r->update.name, u.name_size);

            out[turn].halves[0] += mix(key.halves[0] ^ letter << 32);
            out[turn].halves[1] += mix(key.halves[1] + letter);
        }
    }
}

/* --- keeping local states --- */

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

/* The turn with the least key: that one is kept. */
static unsigned turn_kept(const struct locals *locals, const struct key keys[TURN_COUNT_MAX])
{
    unsigned least = 0;

    for (unsigned turn = 1; turn < locals->turn_count; turn++) {
        if (memcmp(&keys[turn], &keys[least], sizeof(*keys)) < 0)
            least = turn;
    }
    return least;
}

/* Turns of what is kept that leave it as it is make others equal. */
static void find_least_turns(const struct locals *locals, const struct key keys[TURN_COUNT_MAX],
                             unsigned kept, struct local *local)
{
    for (unsigned turn = 0; turn < locals->turn_count; turn++) {
        local->least_turn[turn] = (uint8_t)turn;
        for (unsigned same = 1; same < locals->turn_count; same++) {
            if (memcmp(&keys[locals->after[same][kept]], &keys[kept], sizeof(*keys)) == 0 &&
                locals->after[turn][same] < local->least_turn[turn])
                local->least_turn[turn] = locals->after[turn][same];
        }
    }
}

static struct packed pack_turned(const struct locals *locals, unsigned at,
                                 const struct member *member, unsigned turn)
{
    struct packed packed = pack_member(member);
    struct member turned;

    if (turn == 0)
        return packed;
    unpack_member(&packed, &locals->like[at], turn, &turned);
    free(packed.bytes);
    packed = pack_member(&turned);
    member_fini(&turned);
    return packed;
}

static struct local *new_local(const struct locals *locals, unsigned at, const struct fresh *fresh,
                               const struct key keys[TURN_COUNT_MAX], unsigned kept)
{
    struct local *local = MEM_NEW(struct local);

    local->packed = pack_turned(locals, at, &fresh->member, kept);
    local->made = fresh->made;
    local->gone = fresh->gone;
    local->change_count = fresh->change_count;
    local->found = kept_bits(&fresh->member) | shown_bits(&fresh->member);
    local->problem = member_problem(&fresh->member);
    find_least_turns(locals, keys, kept, local);
    return local;
}

uint32_t locals_keep(struct locals *locals, unsigned at, struct fresh *take_fresh)
{
    struct shelf *shelf = &locals->shelves[at];
    struct key keys[TURN_COUNT_MAX];
    unsigned kept;
    uint32_t *slot;
    uint32_t number;

    keys_of(take_fresh, locals->turn_count, keys);
    kept = turn_kept(locals, keys);
    shelf_grow(shelf);
    slot = shelf_slot(shelf, &keys[kept]);
    if (*slot == 0) {
        if (shelf->count >> locals->options.number_bits != 0) {
            printf("too many states of one member for the bits of their numbers\n");
            exit(2);
        }
        shelf->items[shelf->count] = new_local(locals, at, take_fresh, keys, kept);
        shelf->keys[shelf->count] = keys[kept];
        *slot = (uint32_t)++shelf->count;
    }
    number = *slot - 1;
    member_fini(&take_fresh->member);
    return number << TURN_BITS | shelf->items[number]->least_turn[locals->back[kept]];
}

struct fresh locals_fresh(const struct locals *locals, unsigned at, uint32_t seat)
{
    const struct local *local = locals_get(locals, at, seat);
    struct fresh fresh = {
        .made = local->made, .gone = local->gone, .change_count = local->change_count};

    locals_member(locals, at, seat, &fresh.member);
    return fresh;
}

/*
 * Each copy of a member opens its database, which would begin a life of its own (replica.h, rule
 * 6): then states would differ in how often they were copied. In the last life there is no further
 * one to begin.
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
    replica_close(member->replica);
    member_open(member);
}

struct locals *locals_new(const struct locals_options *options, struct member *members)
{
    struct locals *locals = MEM_NEW(struct locals);

    locals->options = *options;
    locals->turn_count = options->names_are_alike ? turn_count(options->name_count) : 1;
    for (unsigned a = 0; a < TURN_COUNT_MAX; a++) {
        locals->back[a] = (uint8_t)turn_back(a);
        for (unsigned b = 0; b < TURN_COUNT_MAX; b++)
            locals->after[a][b] = (uint8_t)turn_after(a, b);
    }
    locals->random = random_from(1);
    locals->live = mem_new(LIVE_COUNT, sizeof(*locals->live));
    for (unsigned i = 0; i < options->member_count; i++) {
        struct fresh first = {0};

        stay_in_one_life(&members[i]);
        locals->like[i] = members[i];
        member_copy(&first.member, &members[i]);
        (void)locals_keep(locals, i, &first);
    }
    return locals;
}

void locals_free(struct locals *locals)
{
    for (unsigned i = 0; i < locals->options.member_count; i++) {
        struct shelf *shelf = &locals->shelves[i];

        for (size_t k = 0; k < shelf->count; k++) {
            free(shelf->items[k]->packed.bytes);
            free(shelf->items[k]->changes);
            free(shelf->items[k]);
        }
        free(shelf->items);
        free(shelf->keys);
        free(shelf->slots);
        member_fini(&locals->like[i]);
    }
    for (size_t i = 0; i < LIVE_COUNT; i++) {
        if (locals->live[i].is_filled)
            member_fini(&locals->live[i].member);
    }
    free(locals->live);
    free(locals->memo.asked);
    free(locals->memo.answers);
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

/* A member that is only read. */
static struct member *live_member(struct locals *locals, unsigned at, uint32_t seat)
{
    struct live *live = &locals->live[(seat * MODEL_MEMBERS_MAX + at) % LIVE_COUNT];

    if (live->is_filled && live->at == at && live->seat == seat)
        return &live->member;
    if (live->is_filled)
        member_fini(&live->member);
    *live = (struct live){.is_filled = true, .at = at, .seat = seat};
    locals_member(locals, at, seat, &live->member);
    return &live->member;
}

/* The one that pulls is in turn 0. */
static uint32_t pull(struct locals *locals, unsigned to, uint32_t to_seat, unsigned from,
                     uint32_t from_seat)
{
    const struct member_chaos one_update = {
        .random = &locals->random, .break_percent = 100, .batch_max = 1};
    struct member *source = live_member(locals, from, from_seat);
    struct fresh next = locals_fresh(locals, to, to_seat);
    const char *problem;
    uint32_t seat;

    locals->pull_count++;
    next.member.now.ns = 1000;
    (void)member_pull(&next.member, source, locals->options.by_update ? &one_update : NULL);
    next.member.now.ns = 1000;
    member_return_parked(&next.member);
    problem = law_problem(&next.member, source);
    seat = locals_keep(locals, to, &next);
    if (problem != NULL)
        locals->shelves[to].items[number_of(seat)]->problem = problem;
    return seat;
}

static_assert(4 + 2 * LOCAL_BITS_MAX + TURN_BITS <= 64, "a question fits in one word");

static size_t memo_slot(const struct memo *memo, uint64_t asked)
{
    size_t at = mix(asked) & (memo->slot_count - 1);

    while (memo->asked[at] != 0 && memo->asked[at] != asked)
        at = (at + 1) & (memo->slot_count - 1);
    return at;
}

static void memo_grow(struct memo *memo)
{
    struct memo larger = {.count = memo->count,
                          .slot_count = memo->slot_count == 0 ? 65536 : memo->slot_count * 2};

    if (memo->count * 4 < memo->slot_count * 3)
        return;
    larger.asked = mem_new(larger.slot_count, sizeof(*larger.asked));
    larger.answers = mem_new(larger.slot_count, sizeof(*larger.answers));
    for (size_t i = 0; i < memo->slot_count; i++) {
        size_t at;

        if (memo->asked[i] == 0)
            continue;
        at = memo_slot(&larger, memo->asked[i]);
        larger.asked[at] = memo->asked[i];
        larger.answers[at] = memo->answers[i];
    }
    free(memo->asked);
    free(memo->answers);
    *memo = larger;
}

uint32_t locals_pull(struct locals *locals, unsigned to, uint32_t to_seat, unsigned from,
                     uint32_t from_seat)
{
    unsigned turn = turn_of(to_seat);
    uint32_t source = locals_turn(locals, from, from_seat, locals->back[turn]);
    uint32_t puller = to_seat - turn;
    uint64_t pair = to * MODEL_MEMBERS_MAX + from; /* never 0, since they differ */
    uint64_t asked =
        (pair << LOCAL_BITS_MAX | number_of(puller)) << (LOCAL_BITS_MAX + TURN_BITS) | source;
    struct memo *memo = &locals->memo;
    size_t slot;

    memo_grow(memo);
    slot = memo_slot(memo, asked);
    if (memo->asked[slot] == 0) {
        memo->answers[slot] = pull(locals, to, puller, from, source);
        memo->asked[slot] = asked;
        memo->count++;
    }
    return locals_turn(locals, to, memo->answers[slot], turn);
}

uint32_t locals_unpark(struct locals *locals, unsigned at, uint32_t seat)
{
    struct fresh next = locals_fresh(locals, at, seat);

    next.member.now.ns = 1000;
    member_unpark(&next.member);
    return locals_keep(locals, at, &next);
}
