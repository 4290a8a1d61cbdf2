/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The merge rules, exhaustively: two or three members, up to three names, a number of changes by
 * users, and every order in which the members may pull from each other between them, through the
 * real replica.
 *
 * From each state go all changes that a user could make at any member (while any are left: make a
 * file or a directory, write, delete, move or rename anything to any place) and all pulls; a pull is
 * a whole round from one member to another. States that were seen before are not followed again. At each state the invariants
 * hold; at each state in which no pull changes anything the members are equal, and nothing is lost.
 * Clocks stand still, so that versions are ordered by what they saw, and only then by who made
 * them.
 *
 *     exhaustive [--depth CHANGES] [--members 2|3] [--names 2|3] [--seconds LIMIT]
 */
#include "common/base/buf.h"
#include "common/base/cursor.h"
#include "common/base/mem.h"
#include "common/base/scope.h"
#include "tests/support/member.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { MEMBERS_MAX = 3, NAMES_MAX = 3, CONTENT_MAX = 64, TRAIL_MAX = 160 };

/* What is explored. */
static unsigned member_count = MEMBERS_MAX;
static unsigned name_count = NAMES_MAX;

struct state {
    struct member members[MEMBERS_MAX];
    unsigned changes_left;
    unsigned changes_made[MEMBERS_MAX];
    uint64_t owed; /* contents that nobody has overwritten or deleted, one bit each */
    char trail[TRAIL_MAX];
};

struct seen {
    uint64_t (*keys)[2];
    size_t count;
    size_t capacity; /* a power of two */
};

struct search {
    struct state **stack;
    size_t stack_count;
    size_t stack_capacity;
    struct seen seen;
    uint64_t transitions;
    uint64_t quiet_states;
    uint64_t violations;
};

/* --- states --- */

static struct state *state_copy(const struct state *from)
{
    struct state *to = mem_new(1, sizeof(*to));

    *to = *from;
    for (unsigned i = 0; i < member_count; i++)
        member_copy(&to->members[i], &from->members[i]);
    return to;
}

static void state_free(struct state *state)
{
    for (unsigned i = 0; i < member_count; i++)
        member_fini(&state->members[i]);
    free(state);
}

static void trail_add(struct state *state, const char *what)
{
    size_t size = strlen(state->trail);

    (void)snprintf(state->trail + size, sizeof(state->trail) - size, "%s ", what);
}

static uint64_t kept_bits(const struct member *member)
{
    uint64_t bits = 0;

    for (size_t i = 0; i < member->disk.kept_count; i++)
        bits |= UINT64_C(1) << member->disk.kept[i].content;
    return bits;
}

static void fingerprint(const struct state *state, uint64_t out_key[2])
{
    scope(buf) struct buf bytes = {0};

    write_u64(&bytes, state->owed);
    write_u64(&bytes, state->changes_left);
    for (unsigned i = 0; i < member_count; i++) {
        const struct table *table = memstore_table(state->members[i].store);

        write_u64(&bytes, kept_bits(&state->members[i]));
        vector_encode(replica_vector(state->members[i].replica), &bytes);
        for (const struct record *r = table_next(table, NULL); r != NULL;
             r = table_next(table, &r->update.id)) {
            update_encode(&r->update, &bytes);
            write_u8(&bytes, (uint8_t)r->place);
        }
    }
    out_key[0] = UINT64_C(0xcbf29ce484222325);
    out_key[1] = UINT64_C(0x9e3779b97f4a7c15);
    for (size_t i = 0; i < bytes.size; i++) {
        out_key[0] = (out_key[0] ^ bytes.data[i]) * UINT64_C(0x100000001b3);
        out_key[1] = (out_key[1] + bytes.data[i]) * UINT64_C(0xff51afd7ed558ccd);
        out_key[1] ^= out_key[1] >> 29;
    }
}

/* Returns whether the key is new. */
static bool seen_add(struct seen *seen, const uint64_t key[2])
{
    if (seen->count * 2 >= seen->capacity) {
        struct seen larger = {.capacity = seen->capacity == 0 ? 1024 : seen->capacity * 2};

        larger.keys = mem_new(larger.capacity, sizeof(*larger.keys));
        for (size_t i = 0; i < seen->capacity; i++) {
            if (seen->keys[i][0] != 0)
                (void)seen_add(&larger, seen->keys[i]);
        }
        free(seen->keys);
        *seen = larger;
    }

    size_t at = key[0] & (seen->capacity - 1);

    while (seen->keys[at][0] != 0) {
        if (seen->keys[at][0] == key[0] && seen->keys[at][1] == key[1])
            return false;
        at = (at + 1) & (seen->capacity - 1);
    }
    seen->keys[at][0] = key[0];
    seen->keys[at][1] = key[1];
    seen->count++;
    return true;
}

/* --- what may happen --- */

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

enum change_kind { MAKE_FILE, MAKE_DIR, WRITE, DELETE, MOVE, CHANGE_KINDS };

/* One change at a member: of the @target-th node, or in the @dir-th directory under @name. */
struct change_choice {
    unsigned member;
    enum change_kind kind;
    uint64_t target;
    uint64_t dir;
    unsigned name;
};

static bool change(struct state *state, const struct change_choice *choice)
{
    static const char *const names[NAMES_MAX] = {"a", "b", "c"};
    static const char *const kinds[] = {"file", "dir", "write", "delete", "move"};
    struct member *member = &state->members[choice->member];
    uint64_t content = 1 + choice->member * 16 + state->changes_made[choice->member];
    bool done = false;
    uint64_t gone = 0;
    char text[96];

    switch (choice->kind) {
    case MAKE_FILE:
    case MAKE_DIR:
        done = modeldisk_create(&member->disk, choice->dir, names[choice->name],
                                choice->kind == MAKE_FILE ? FILE_REGULAR : FILE_DIRECTORY,
                                choice->kind == MAKE_FILE ? content : 0, 'a') != 0;
        break;
    case WRITE:
        gone = contents_beneath(member, choice->target);
        done = modeldisk_write(&member->disk, choice->target, content);
        break;
    case DELETE:
        gone = contents_beneath(member, choice->target);
        modeldisk_delete(&member->disk, choice->target);
        done = true;
        break;
    case MOVE:
        done = modeldisk_move(&member->disk, choice->target, choice->dir, names[choice->name]);
        break;
    case CHANGE_KINDS:
        break;
    }
    if (!done)
        return false;
    (void)snprintf(text, sizeof(text), "%u:%s(%" PRIu64 ",%" PRIu64 ",%s)", choice->member,
                   kinds[choice->kind], choice->target, choice->dir, names[choice->name]);
    trail_add(state, text);
    state->owed &= ~gone;
    if (choice->kind == MAKE_FILE || choice->kind == WRITE)
        state->owed |= UINT64_C(1) << content;
    state->changes_made[choice->member]++;
    state->changes_left--;
    look(member);
    return true;
}

static void pull(struct state *state, unsigned to, unsigned from)
{
    struct member *member = &state->members[to];
    char text[32];

    (void)snprintf(text, sizeof(text), "%u<%u", to, from);
    trail_add(state, text);
    member->now.ns = 1000;
    (void)member_pull(member, &state->members[from], NULL);
    member->now.ns = 1000;
    member_return_parked(member);
}

/* --- what must hold --- */

static void violation(struct search *search, const struct state *state, const char *what)
{
    search->violations++;
    printf("VIOLATION: %s after %s\n", what, state->trail);
    if (search->violations > 1)
        return;
    for (unsigned i = 0; i < member_count; i++)
        member_print(&state->members[i]);
}

static void check_always(struct search *search, const struct state *state)
{
    for (unsigned i = 0; i < member_count; i++) {
        const char *problem = member_problem(&state->members[i]);

        if (problem != NULL)
            violation(search, state, problem);
    }
}

static void check_quiet(struct search *search, const struct state *state)
{
    search->quiet_states++;
    for (unsigned i = 1; i < member_count; i++) {
        const char *difference = member_difference(&state->members[0], &state->members[i]);

        if (difference != NULL) {
            violation(search, state, difference);
            return;
        }
    }
    for (uint64_t content = 1; content < CONTENT_MAX; content++) {
        bool found = (state->owed >> content & 1) == 0;

        for (unsigned i = 0; i < member_count && !found; i++)
            found = member_shows(&state->members[i], content) ||
                    member_kept(&state->members[i], content);
        if (!found)
            violation(search, state, "a content is lost");
    }
}

/* --- the search --- */

/* Returns whether the state differs from @from_key; takes it. */
static bool reach(struct search *search, struct state *take_state, const uint64_t from_key[2])
{
    uint64_t key[2];

    fingerprint(take_state, key);
    search->transitions++;

    bool differs = key[0] != from_key[0] || key[1] != from_key[1];

    if (!seen_add(&search->seen, key)) {
        state_free(take_state);
        return differs;
    }
    check_always(search, take_state);
    if (search->stack_count == search->stack_capacity) {
        search->stack_capacity = search->stack_capacity == 0 ? 64 : search->stack_capacity * 2;
        search->stack = mem_resize(search->stack, search->stack_capacity, sizeof(struct state *));
    }
    search->stack[search->stack_count++] = take_state;
    return differs;
}

static void try_change(struct search *search, const struct state *state, const uint64_t key[2],
                       const struct change_choice *choice)
{
    struct state *next = state_copy(state);

    if (change(next, choice))
        (void)reach(search, next, key);
    else
        state_free(next);
}

static void follow_changes_at(struct search *search, const struct state *state,
                              const uint64_t key[2], unsigned at)
{
    const struct modeldisk *disk = &state->members[at].disk;

    for (size_t i = 0; i < disk->node_count; i++) {
        const struct model_node *node = &disk->nodes[i];
        bool is_root = node->number == MODEL_ROOT;
        struct change_choice choice = {.member = at, .target = node->number};

        if (!is_root && !modeldisk_is_visible(disk, node))
            continue;
        if (!is_root) {
            choice.kind = DELETE;
            try_change(search, state, key, &choice);
            choice.kind = WRITE;
            if (node->kind == FILE_REGULAR)
                try_change(search, state, key, &choice);
        }
        if (node->kind != FILE_DIRECTORY)
            continue;
        choice.dir = node->number;
        for (choice.name = 0; choice.name < name_count; choice.name++) {
            choice.target = 0;
            choice.kind = MAKE_FILE;
            try_change(search, state, key, &choice);
            choice.kind = MAKE_DIR;
            try_change(search, state, key, &choice);
            choice.kind = MOVE;
            for (size_t j = 0; j < disk->node_count; j++) {
                choice.target = disk->nodes[j].number;
                if (modeldisk_is_visible(disk, &disk->nodes[j]))
                    try_change(search, state, key, &choice);
            }
        }
    }
}

static void expand(struct search *search, const struct state *state)
{
    uint64_t key[2];
    bool quiet = true;

    fingerprint(state, key);
    for (unsigned to = 0; to < member_count; to++) {
        for (unsigned from = 0; from < member_count; from++) {
            struct state *next;

            if (to == from)
                continue;
            next = state_copy(state);
            pull(next, to, from);
            if (reach(search, next, key))
                quiet = false;
        }
    }
    if (quiet)
        check_quiet(search, state);
    for (unsigned at = 0; at < member_count && state->changes_left > 0; at++)
        follow_changes_at(search, state, key, at);
}

/* Members in sync that hold a file, a directory and a file in that. */
static struct state *first_state(unsigned depth)
{
    struct state *state = mem_new(1, sizeof(*state));

    state->changes_left = depth;
    for (unsigned i = 0; i < member_count; i++) {
        member_init(&state->members[i], i, i == 0);
        state->members[i].now.ns = 1000;
    }
    member_create(&state->members[0], "a", FILE_REGULAR, 60);
    member_create(&state->members[0], "b", FILE_DIRECTORY, 0);
    member_create(&state->members[0], "b/a", FILE_REGULAR, 61);
    state->owed = UINT64_C(1) << 60 | UINT64_C(1) << 61;
    for (unsigned i = 0; i < member_count; i++)
        look(&state->members[i]);
    if (!members_converge(state->members, member_count, 10)) {
        printf("the first state does not become quiet\n");
        exit(1);
    }
    return state;
}

int main(int argc, char **argv)
{
    struct search search = {0};
    unsigned depth = 2;
    time_t limit = 0;
    time_t begin = time(NULL);
    const uint64_t nowhere[2] = {0, 0};

    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--depth") == 0)
            depth = (unsigned)strtoul(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--seconds") == 0)
            limit = (time_t)strtoul(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--members") == 0)
            member_count = argv[i + 1][0] == '2' ? 2 : MEMBERS_MAX;
        else if (strcmp(argv[i], "--names") == 0)
            name_count = argv[i + 1][0] == '2' ? 2 : NAMES_MAX;
    }
    (void)reach(&search, first_state(depth), nowhere);
    while (search.stack_count > 0 && (limit == 0 || time(NULL) - begin < limit) &&
           search.violations < 10) {
        struct state *state = search.stack[--search.stack_count];

        expand(&search, state);
        state_free(state);
    }
    printf("model: members=%u names=%u changes=%u states=%zu transitions=%" PRIu64 " quiet=%" PRIu64
           " violations=%" PRIu64 " complete=%s seconds=%lld\n",
           member_count, name_count, depth, search.seen.count, search.transitions, search.quiet_states,
           search.violations, search.stack_count == 0 ? "yes" : "no",
           (long long)(time(NULL) - begin));
    while (search.stack_count > 0)
        state_free(search.stack[--search.stack_count]);
    free(search.stack);
    free(search.seen.keys);
    return search.violations == 0 ? 0 : 1;
}
