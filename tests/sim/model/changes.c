/* SPDX-License-Identifier: Apache-2.0 */
/* What users may do in a local state. */
#include "tests/sim/model/keep.h"

#include "common/base/mem.h"

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

static bool carry_out(struct fresh *local, const struct change *change)
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
        done =
            modeldisk_create(disk, change->dir, names[change->name], FILE_DIRECTORY, 0, 'a') != 0;
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

/* Changes of one local state, while they are found. */
struct choices {
    struct locals *locals;
    unsigned at;
    uint32_t seat;
    const struct member *member;
    struct change *items;
    size_t count;
};

static void try_change(struct choices *choices, struct change change)
{
    struct fresh next = locals_fresh(choices->locals, choices->at, choices->seat);

    if (!carry_out(&next, &change)) {
        member_fini(&next.member);
        return;
    }
    change.result = locals_keep(choices->locals, choices->at, &next);
    choices->items = mem_resize(choices->items, choices->count + 1, sizeof(change));
    choices->items[choices->count++] = change;
}

static void try_changes_in(struct choices *choices, struct change change)
{
    const struct modeldisk *disk = &choices->member->disk;

    for (change.name = 0; change.name < locals_name_count(choices->locals); change.name++) {
        change.target = 0;
        change.kind = MAKE_FILE;
        try_change(choices, change);
        change.kind = MAKE_DIR;
        try_change(choices, change);
        change.kind = MOVE;
        for (size_t i = 0; i < disk->node_count; i++) {
            change.target = disk->nodes[i].number;
            if (modeldisk_is_visible(disk, &disk->nodes[i]))
                try_change(choices, change);
        }
    }
}

static void try_all_changes(struct choices *choices)
{
    const struct modeldisk *disk = &choices->member->disk;

    for (size_t i = 0; i < disk->node_count; i++) {
        const struct model_node *node = &disk->nodes[i];
        bool is_root = node->number == MODEL_ROOT;
        struct change change = {.target = node->number};

        if (!is_root && !modeldisk_is_visible(disk, node))
            continue;
        if (!is_root) {
            change.kind = DELETE;
            try_change(choices, change);
            change.kind = WRITE;
            if (node->kind == FILE_REGULAR)
                try_change(choices, change);
        }
        change.dir = node->number;
        if (node->kind == FILE_DIRECTORY)
            try_changes_in(choices, change);
    }
}

const struct change *locals_changes(struct locals *locals, unsigned at, uint32_t seat,
                                    size_t *out_count)
{
    struct local *local = locals_item(locals, at, seat);
    struct choices choices = {.locals = locals, .at = at, .seat = seat >> TURN_BITS << TURN_BITS};

    if (!local->is_expanded) {
        struct member member;

        locals_member(locals, at, choices.seat, &member);
        choices.member = &member;
        try_all_changes(&choices);
        member_fini(&member);
        local->changes = choices.items;
        local->change_choice_count = choices.count;
        local->is_expanded = true;
    }
    *out_count = local->change_choice_count;
    return local->changes;
}
