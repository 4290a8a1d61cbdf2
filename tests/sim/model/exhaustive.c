/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The merge rules, exhaustively: all orders in which the users of two or three members may make a
 * number of changes, and in which the members may pull from each other between them, through the
 * real replica.
 *
 * What is explored. The members begin in sync, with nothing, or with a file "a", a directory "b"
 * and a file "b/a". From each state go
 *  - all changes that a user could make at any member, while fewer than --depth were made: make a
 * file or a directory under each name that is free in each directory, write a file, delete anything
 * with all beneath it, rename or move anything to any place that is free;
 *  - all steps of sync: --sync update: one member takes one update from another and the session
 * breaks; round: one member pulls a whole round from another; exchange: two members, one after the
 * other, from each other; rest: all, until nothing changes;
 *  - where no step of sync changes anything and something is parked: for each member, that it waits
 * no longer. Clocks stand still, so versions are ordered by what they saw, and only then by who
 * made them.
 *
 * What must hold. Of each member at each moment: what member_problem() says. After each pull: a
 * vector that covers the other's stands for records as great. Where no step changes anything and
 * nothing is parked: the members are equal in all that replicates, and every content stands or is
 * preserved that no user has overwritten or deleted.
 *
 * What is spared, and why nothing is missed. No state is left out; two are taken for one only when
 * they are equal (locals.h). A step concerns two members at most and depends on nothing but their
 * local states: it is carried out by the replica once, and remembered. So what is left of a state
 * are the numbers of its members' local states, and of most steps a look into a table.
 * With --begin empty the names are alike: of states that differ only by an exchange of names, the
 * same in all members, one is followed. No rule asks what a name is, so what can happen in one
 * happens in the others with other names. Members can not be exchanged for each other: the order of
 * versions tells them apart.
 *
 *     exhaustive [--depth CHANGES] [--members 2|3] [--names 1|2|3] [--begin tree|empty]
 *                [--sync update|round|exchange|rest] [--seconds LIMIT] [--states LIMIT]
 *
 * Ends with 1 when something does not hold, and then prints the shortest way there.
 */
#include "tests/sim/model/locals.h"

#include "common/base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { VIOLATIONS_MAX = 5 };

enum sync { SYNC_UPDATE, SYNC_ROUND, SYNC_EXCHANGE, SYNC_REST };
static const char *const sync_names[] = {"update", "round", "exchange", "rest"};

/* What is explored. */
static unsigned depth = 2;
static unsigned member_count = MODEL_MEMBERS_MAX;
static unsigned name_count = MODEL_NAMES_MAX;
static enum sync sync_step = SYNC_ROUND;
static bool begins_empty;
static uint64_t state_limit = UINT32_MAX - 1;
static time_t second_limit;

struct state {
    uint32_t at[MODEL_MEMBERS_MAX];
};

/* A whole state. Sixty-four bits would do for three changes. */
__extension__ typedef unsigned __int128 state_word;

struct search {
    struct locals *locals;
    uint64_t owed_first; /* contents of the first state */
    state_word *states;  /* in the order in which they were reached */
    uint32_t *parents;
    size_t count;
    size_t capacity;
    uint32_t *slots; /* index + 1, by state; 0: free */
    size_t slot_count;
    size_t next; /* to be followed */
    uint64_t transitions;
    uint64_t quiet_states;
    uint64_t violations;
};

/* --- states --- */

/* How a state is laid out in a word: the members' local states, then the turns of all but the
 * first. */
static unsigned number_bits(void)
{
    unsigned turn_bits = begins_empty ? TURN_BITS * (member_count - 1) : 0;
    unsigned bits = (unsigned)(8 * sizeof(state_word) - turn_bits) / member_count;

    return bits < LOCAL_BITS_MAX ? bits : LOCAL_BITS_MAX;
}

/* Of all turns of the state the least: that of the first member is 0 then. */
static struct state least_turned(const struct locals *locals, const struct state *state)
{
    struct state least = *state;

    for (unsigned turn = 1; begins_empty && turn < turn_count(name_count); turn++) {
        struct state turned = {0};

        for (unsigned i = 0; i < member_count; i++)
            turned.at[i] = locals_turn(locals, i, state->at[i], turn);
        if (memcmp(&turned, &least, sizeof(least)) < 0)
            least = turned;
    }
    return least;
}

static state_word pack(const struct locals *locals, const struct state *state)
{
    struct state least = least_turned(locals, state);
    state_word word = 0;

    for (unsigned i = 0; i < member_count; i++)
        word = word << number_bits() | least.at[i] >> TURN_BITS;
    for (unsigned i = 1; i < member_count && begins_empty; i++)
        word = word << TURN_BITS | (least.at[i] & ((1u << TURN_BITS) - 1));
    return word;
}

static struct state unpack(state_word word)
{
    struct state state = {0};

    for (unsigned i = member_count - 1; i > 0 && begins_empty; i--, word >>= TURN_BITS)
        state.at[i] = (uint32_t)(word & ((1u << TURN_BITS) - 1));
    for (unsigned i = member_count; i-- > 0; word >>= number_bits())
        state.at[i] |= (uint32_t)(word & ((UINT64_C(1) << number_bits()) - 1)) << TURN_BITS;
    return state;
}

static size_t slot_of(const struct search *search, state_word word)
{
    uint64_t folded = (uint64_t)(word ^ word >> 64);
    uint64_t mixed = (folded ^ folded >> 31) * UINT64_C(0x9e3779b97f4a7c15);
    size_t at = (mixed ^ mixed >> 29) & (search->slot_count - 1);

    while (search->slots[at] != 0 && search->states[search->slots[at] - 1] != word)
        at = (at + 1) & (search->slot_count - 1);
    return at;
}

static void grow(struct search *search)
{
    if (search->count == search->capacity) {
        search->capacity = search->capacity == 0 ? 65536 : search->capacity * 2;
        search->states = mem_resize(search->states, search->capacity, sizeof(*search->states));
        search->parents = mem_resize(search->parents, search->capacity, sizeof(*search->parents));
    }
    if (search->count * 4 < search->slot_count * 3)
        return;
    free(search->slots);
    search->slot_count = search->slot_count == 0 ? 131072 : search->slot_count * 2;
    search->slots = mem_new(search->slot_count, sizeof(*search->slots));
    for (size_t i = 0; i < search->count; i++)
        search->slots[slot_of(search, search->states[i])] = (uint32_t)i + 1;
}

static const struct local *local_of(const struct search *search, const struct state *state,
                                    unsigned at)
{
    return locals_get(search->locals, at, state->at[at]);
}

static unsigned changes_made(const struct search *search, const struct state *state)
{
    unsigned count = 0;

    for (unsigned i = 0; i < member_count; i++)
        count += local_of(search, state, i)->change_count;
    return count;
}

/* --- what must hold --- */

/* What a user did at member @at, if that is what leads from @a to a turn of @b. */
static bool print_change(const struct search *search, const struct state *a, const struct state *b,
                         unsigned at)
{
    static const char *const kinds[] = {"makes file", "makes directory", "writes", "deletes",
                                        "moves"};
    const struct local *before = local_of(search, a, at);

    for (size_t i = 0; i < before->change_choice_count; i++) {
        const struct change *change = &before->changes[i];
        struct state next = *a;

        next.at[at] =
            locals_turn(search->locals, at, change->result, a->at[at] & ((1u << TURN_BITS) - 1));
        if (pack(search->locals, &next) != pack(search->locals, b))
            continue;
        printf(" %u %s object %" PRIu64 " in %" PRIu64 " name %c;", at, kinds[change->kind],
               change->target, change->dir, "abc"[change->name]);
        return true;
    }
    return false;
}

static void print_step(struct search *search, state_word from, state_word to)
{
    struct state a = unpack(from);
    struct state b = unpack(to);

    for (unsigned at = 0; at < member_count; at++) {
        if (print_change(search, &a, &b, at))
            return;
    }
    for (unsigned at = 0; at < member_count; at++) {
        for (unsigned other = 0; other < member_count; other++) {
            struct state next = a;

            if (at == other)
                continue;
            next.at[at] = locals_pull(search->locals, at, a.at[at], other, a.at[other]);
            if (pack(search->locals, &next) == to) {
                printf(" %u<%u;", at, other);
                return;
            }
        }
    }
    printf(" sync;");
}

static void violation(struct search *search, size_t index, const char *what)
{
    size_t trail[256];
    size_t length = 0;
    struct state state = unpack(search->states[index]);

    search->violations++;
    printf("VIOLATION: %s after:", what);
    for (size_t at = index; at != 0 && length < 256; at = search->parents[at])
        trail[length++] = at;
    while (length-- > 0)
        print_step(search, search->states[search->parents[trail[length]]],
                   search->states[trail[length]]);
    printf("\n");
    for (unsigned i = 0; i < member_count && search->violations == 1; i++) {
        struct member member;

        locals_member(search->locals, i, state.at[i], &member);
        member_print(&member);
        member_fini(&member);
    }
}

static const char *difference(const struct search *search, const struct state *state)
{
    struct member members[MODEL_MEMBERS_MAX];
    const char *found = NULL;

    for (unsigned i = 0; i < member_count; i++)
        locals_member(search->locals, i, state->at[i], &members[i]);
    for (unsigned i = 1; i < member_count && found == NULL; i++)
        found = member_difference(&members[0], &members[i]);
    for (unsigned i = 0; i < member_count; i++)
        member_fini(&members[i]);
    return found;
}

static void check_quiet(struct search *search, size_t index)
{
    struct state state = unpack(search->states[index]);
    const char *problem = difference(search, &state);
    uint64_t owed = search->owed_first;

    search->quiet_states++;
    for (unsigned i = 0; i < member_count; i++)
        owed |= local_of(search, &state, i)->made;
    for (unsigned i = 0; i < member_count; i++)
        owed &= ~(local_of(search, &state, i)->gone | local_of(search, &state, i)->found);
    if (problem != NULL)
        violation(search, index, problem);
    else if (owed != 0)
        violation(search, index, "a content is lost");
}

/* --- the search --- */

/* Returns whether the state is another one than @from. */
static bool reach(struct search *search, const struct state *state, size_t from)
{
    state_word word = pack(search->locals, state);
    size_t slot;

    search->transitions++;
    if (search->count > 0 && word == search->states[from])
        return false;
    grow(search);
    slot = slot_of(search, word);
    if (search->slots[slot] != 0)
        return true;
    search->states[search->count] = word;
    search->parents[search->count] = (uint32_t)from;
    search->slots[slot] = (uint32_t)++search->count;
    for (unsigned i = 0; i < member_count; i++) {
        const char *problem = local_of(search, state, i)->problem;

        if (problem != NULL)
            violation(search, search->count - 1, problem);
    }
    return true;
}

static void pull(const struct search *search, struct state *state, unsigned to, unsigned from)
{
    state->at[to] = locals_pull(search->locals, to, state->at[to], from, state->at[from]);
}

static void pull_all(struct search *search, struct state *state)
{
    state_word before;

    do {
        before = pack(search->locals, state);
        for (unsigned to = 0; to < member_count; to++) {
            for (unsigned from = 0; from < member_count; from++) {
                if (to != from)
                    pull(search, state, to, from);
            }
        }
    } while (before != pack(search->locals, state));
}

/* All steps of sync; returns whether none changes anything. */
static bool follow_sync(struct search *search, size_t index)
{
    struct state state = unpack(search->states[index]);
    bool quiet = true;

    if (sync_step == SYNC_REST) {
        pull_all(search, &state);
        return !reach(search, &state, index);
    }
    for (unsigned to = 0; to < member_count; to++) {
        for (unsigned from = 0; from < member_count; from++) {
            struct state next = state;

            if (to == from)
                continue;
            pull(search, &next, to, from);
            if (sync_step == SYNC_EXCHANGE)
                pull(search, &next, from, to);
            if (reach(search, &next, index))
                quiet = false;
        }
    }
    return quiet;
}

/* Returns whether nothing was parked. */
static bool follow_unparking(struct search *search, size_t index)
{
    struct state state = unpack(search->states[index]);
    bool none = true;

    for (unsigned at = 0; at < member_count; at++) {
        struct state next = state;

        next.at[at] = locals_unpark(search->locals, at, state.at[at]);
        if (reach(search, &next, index))
            none = false;
    }
    return none;
}

static void follow_changes(struct search *search, size_t index)
{
    struct state state = unpack(search->states[index]);

    if (changes_made(search, &state) >= depth)
        return;
    for (unsigned at = 0; at < member_count; at++) {
        size_t count;
        const struct change *changes = locals_changes(search->locals, at, state.at[at], &count);

        for (size_t i = 0; i < count; i++) {
            struct state next = state;

            next.at[at] = locals_turn(search->locals, at, changes[i].result,
                                      state.at[at] & ((1u << TURN_BITS) - 1));
            (void)reach(search, &next, index);
        }
    }
}

static void follow(struct search *search, size_t index)
{
    if (follow_sync(search, index) && follow_unparking(search, index))
        check_quiet(search, index);
    follow_changes(search, index);
}

/* --- beginning and end --- */

static void begin(struct search *search)
{
    struct member members[MODEL_MEMBERS_MAX];
    struct state first = {0};

    for (unsigned i = 0; i < member_count; i++) {
        member_init(&members[i], i, i == 0);
        members[i].now.ns = 1000;
    }
    if (!begins_empty) {
        member_create(&members[0], "a", FILE_REGULAR, 60);
        member_create(&members[0], "b", FILE_DIRECTORY, 0);
        member_create(&members[0], "b/a", FILE_REGULAR, 61);
        search->owed_first = UINT64_C(1) << 60 | UINT64_C(1) << 61;
    }
    for (unsigned i = 0; i < member_count; i++) {
        for (size_t k = 0; k < members[i].disk.node_count; k++)
            members[i].disk.nodes[k].birth = 1;
    }
    if (!members_converge(members, member_count, 10)) {
        printf("the first state does not become quiet\n");
        exit(1);
    }
    const struct locals_options options = {
        .member_count = member_count,
        .name_count = name_count,
        .names_are_alike = begins_empty,
        .by_update = sync_step == SYNC_UPDATE,
        .number_bits = number_bits(),
    };

    search->locals = locals_new(&options, members);
    (void)reach(search, &first, 0);
}

static bool take_option(const char *name, const char *value)
{
    uint64_t number = strtoull(value, NULL, 10);

    if (strcmp(name, "--depth") == 0)
        depth = (unsigned)number;
    else if (strcmp(name, "--members") == 0 && number >= 2 && number <= MODEL_MEMBERS_MAX)
        member_count = (unsigned)number;
    else if (strcmp(name, "--names") == 0 && number >= 1 && number <= MODEL_NAMES_MAX)
        name_count = (unsigned)number;
    else if (strcmp(name, "--begin") == 0)
        begins_empty = strcmp(value, "empty") == 0;
    else if (strcmp(name, "--seconds") == 0)
        second_limit = (time_t)number;
    else if (strcmp(name, "--states") == 0 && number < state_limit)
        state_limit = number;
    else if (strcmp(name, "--sync") == 0)
        for (sync_step = SYNC_UPDATE;
             sync_step < SYNC_REST && strcmp(value, sync_names[sync_step]) != 0; sync_step++)
            ;
    else
        return false;
    return true;
}

int main(int argc, char **argv)
{
    struct search search = {0};
    time_t start = time(NULL);

    for (int i = 1; i < argc; i += 2) {
        if (i + 1 == argc || !take_option(argv[i], argv[i + 1])) {
            fprintf(stderr, "exhaustive: what is %s? See the head of exhaustive.c\n", argv[i]);
            return 2;
        }
    }
    begin(&search);
    while (search.next < search.count && search.violations < VIOLATIONS_MAX &&
           search.count < state_limit &&
           (second_limit == 0 || (search.next & 1023) != 0 || time(NULL) - start < second_limit))
        follow(&search, search.next++);
    printf("model: members=%u names=%u begin=%s sync=%s changes=%u states=%zu transitions=%" PRIu64
           " local_states=%zu pulls=%" PRIu64 " quiet=%" PRIu64 " violations=%" PRIu64
           " complete=%s left=%zu processor_seconds=%.1f\n",
           member_count, name_count, begins_empty ? "empty" : "tree", sync_names[sync_step], depth,
           search.count, search.transitions, locals_count(search.locals),
           locals_pull_count(search.locals), search.quiet_states, search.violations,
           search.next == search.count ? "yes" : "no", search.count - search.next,
           (double)clock() / CLOCKS_PER_SEC);
    locals_free(search.locals);
    free(search.states);
    free(search.parents);
    free(search.slots);
    return search.violations == 0 ? 0 : 1;
}
