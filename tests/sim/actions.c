/* SPDX-License-Identifier: Apache-2.0 */
/* What users and faults do. Each action draws from its own stream of random numbers. */
#include "tests/sim/member.h"
#include "tests/sim/script.h"

#include <assert.h>
#include <stdio.h>

#define NODE_COUNT_MAX 40 /* objects in one tree: small, so that users meet */

/* --- choosing --- */

/* Every node of the tree but the root, in order of number. */
static size_t list_nodes(const struct member *member, struct node *out[NODE_COUNT_MAX * 4])
{
    size_t count = 0;

    for (size_t i = 0; i < member->disk.node_count && count < NODE_COUNT_MAX * 4; i++) {
        struct node *node = member->disk.nodes[i];

        if (node != member->disk.root && node->area == AREA_ATTACHED &&
            disk_is_below(node, member->disk.root))
            out[count++] = node;
    }
    return count;
}

static struct node *choose(const struct member *member, struct random_source *random, bool files,
                           bool dirs)
{
    struct node *nodes[NODE_COUNT_MAX * 4];
    size_t count = list_nodes(member, nodes);
    size_t kept = 0;

    for (size_t i = 0; i < count; i++) {
        bool is_dir = nodes[i]->kind == FILE_DIRECTORY;
        if (is_dir ? dirs : files)
            nodes[kept++] = nodes[i];
    }
    return kept > 0 ? nodes[random_below(random, kept)] : NULL;
}

static struct node *choose_dir(const struct member *member, struct random_source *random)
{
    struct node *dir = random_chance(random, 40) ? NULL : choose(member, random, false, true);

    return dir ? dir : member->disk.root;
}

static void choose_name(const struct world *world, struct random_source *random,
                        char name[DISK_NAME_SIZE])
{
    char letter = (char)('a' + random_below(random, world->plan.name_count));

    if (world->plan.fold && random_chance(random, 30))
        letter = (char)(letter - 'a' + 'A');
    snprintf(name, DISK_NAME_SIZE, "%c", letter);
}

/* --- what is done, for the script --- */

static void say_create(const struct member *member, const struct node *dir, const char *name,
                       enum file_kind kind, uint64_t content)
{
    char path[DISK_PATH_SIZE];

    script_child_path(dir, name, path);
    if (kind == FILE_DIRECTORY)
        script_say(member->world, member, "mkdir %s", path);
    else
        script_say(member->world, member, "%s %s %llu", kind == FILE_SYMLINK ? "symlink" : "create",
                   path, (unsigned long long)content);
}

static void say_delete(const struct member *member, const struct node *node)
{
    char path[DISK_PATH_SIZE];

    script_path(node, path);
    script_say(member->world, member, "delete %s", path);
}

/* @path: where it stood. */
static void say_move(const struct member *member, const char *path, const struct node *node)
{
    char now[DISK_PATH_SIZE];

    script_path(node, now);
    script_say(member->world, member, "move %s %s", path, now);
}

/* --- users --- */

static bool create(struct member *member, struct random_source *random, enum file_kind kind)
{
    struct world *world = member->world;
    struct node *nodes[NODE_COUNT_MAX * 4];
    struct node *dir = choose_dir(member, random);
    char name[DISK_NAME_SIZE];

    choose_name(world, random, name);
    if (disk_child(&member->disk, dir, name) || list_nodes(member, nodes) >= NODE_COUNT_MAX)
        return false;
    uint64_t content = kind == FILE_DIRECTORY ? 0 : ledger_new_content(&world->ledger);
    while (kind == FILE_SYMLINK && content_size(content) > SYMLINK_SIZE_MAX) {
        ledger_destroyed(&world->ledger, content); /* no link is that long */
        content = ledger_new_content(&world->ledger);
    }
    say_create(member, dir, name, kind, content);
    disk_create(&member->disk, dir, name, kind, content);
    look_dirty(member, dir);
    return true;
}

static bool move(struct member *member, struct random_source *random, bool far)
{
    struct node *node = choose(member, random, true, true);
    char name[DISK_NAME_SIZE];
    char path[DISK_PATH_SIZE];

    if (!node)
        return false;
    struct node *old_dir = node->parent;
    struct node *dir = far ? choose_dir(member, random) : old_dir;
    choose_name(member->world, random, name);
    script_path(node, path);
    if (!disk_rename(&member->disk, node, dir, name))
        return false;
    say_move(member, path, node);
    look_dirty(member, old_dir);
    look_dirty(member, dir);
    return true;
}

/* As editors save: a new object takes the name. */
static bool replace(struct member *member, struct random_source *random)
{
    struct node *node = choose(member, random, true, false);
    char name[DISK_NAME_SIZE];

    if (!node)
        return false;
    struct node *dir = node->parent;
    memcpy(name, node->name, sizeof(name));
    uint64_t content = ledger_new_content(&member->world->ledger);
    say_delete(member, node);
    disk_delete(&member->disk, node);
    say_create(member, dir, name, FILE_REGULAR, content);
    disk_create(&member->disk, dir, name, FILE_REGULAR, content);
    look_dirty(member, dir);
    return true;
}

static bool recreate(struct member *member, struct random_source *random)
{
    struct node *node = choose(member, random, true, true);
    char name[DISK_NAME_SIZE];

    if (!node)
        return false;
    struct node *dir = node->parent;
    memcpy(name, node->name, sizeof(name));
    uint64_t content = ledger_new_content(&member->world->ledger);
    say_delete(member, node);
    disk_delete(&member->disk, node);
    say_create(member, dir, name, FILE_DIRECTORY, 0);
    node = disk_create(&member->disk, dir, name, FILE_DIRECTORY, 0);
    say_create(member, node, "a", FILE_REGULAR, content);
    disk_create(&member->disk, node, "a", FILE_REGULAR, content);
    look_dirty(member, dir);
    return true;
}

static bool swap(struct member *member, struct random_source *random)
{
    struct node *a = choose(member, random, true, true);
    struct node *b = choose(member, random, true, true);

    if (!a || a == b || disk_is_below(a, b) || disk_is_below(b, a))
        return false;
    struct node *dir_a = a->parent;
    struct node *dir_b = b->parent;
    char path_a[DISK_PATH_SIZE];
    char path_b[DISK_PATH_SIZE];
    script_path(a, path_a);
    script_path(b, path_b);
    script_say(member->world, member, "swap %s %s", path_a, path_b);
    disk_swap_names(&member->disk, a, b);
    look_dirty(member, dir_a);
    look_dirty(member, dir_b);
    return true;
}

/* The same content as another file: found equal at another member, or in a name clash. */
static bool copy(struct member *member, struct random_source *random)
{
    struct world *world = member->world;
    const struct member *other = world->members[random_below(random, world->plan.member_count)];
    const struct node *original = choose(other, random, true, false);
    struct node *nodes[NODE_COUNT_MAX * 4];
    struct node *dir = choose_dir(member, random);
    char name[DISK_NAME_SIZE];

    if (!original || original->kind != FILE_REGULAR || list_nodes(member, nodes) >= NODE_COUNT_MAX)
        return false;
    if (random_chance(random, 70))
        memcpy(name, original->name, sizeof(name));
    else
        choose_name(world, random, name);
    if (disk_child(&member->disk, dir, name))
        return false;
    say_create(member, dir, name, FILE_REGULAR, original->content);
    disk_create(&member->disk, dir, name, FILE_REGULAR, original->content);
    look_dirty(member, dir);
    return true;
}

static void move_into(struct member *member, struct node *node, struct node *dir)
{
    struct node *old_dir = node->parent;
    char name[DISK_NAME_SIZE];
    char path[DISK_PATH_SIZE];

    memcpy(name, node->name, sizeof(name));
    script_path(node, path);
    member->disk.now_ns = member_walltime(member).ns;
    power_before_change(member);
    if (!disk_rename(&member->disk, node, dir, name))
        return;
    say_move(member, path, node);
    look_dirty(member, old_dir);
    look_dirty(member, dir);
}

/* Two users move two directories into each other, each at another member: a cycle, when both meet.
 */
static bool cross(struct member *member, struct random_source *random)
{
    struct world *world = member->world;
    struct member *other =
        calm_user(world, world->members[random_below(random, world->plan.member_count)]);
    struct node *a = choose(member, random, false, true);
    struct node *b = choose(member, random, false, true);
    char path[DISK_PATH_SIZE];

    if (!a || a == b || disk_is_below(a, b) || disk_is_below(b, a))
        return false;
    script_path(a, path);
    struct node *other_a = disk_resolve(&other->disk, path);
    script_path(b, path);
    struct node *other_b = disk_resolve(&other->disk, path);
    move_into(member, a, b);
    if (other != member && other_a && other_b && other_a->kind == FILE_DIRECTORY)
        move_into(other, other_b, other_a);
    return true;
}

static bool remove_tree(struct member *member, struct random_source *random, bool dirs)
{
    struct node *node = choose(member, random, !dirs, dirs);

    if (!node)
        return false;
    struct node *dir = node->parent;
    say_delete(member, node);
    disk_delete(&member->disk, node);
    look_dirty(member, dir);
    return true;
}

static bool change(struct member *member, struct random_source *random, bool content)
{
    struct node *node = choose(member, random, true, !content);

    if (!node || (content && node->kind != FILE_REGULAR))
        return false;
    uint64_t value =
        content ? ledger_new_content(&member->world->ledger) : 1 + random_below(random, 1000);
    char path[DISK_PATH_SIZE];
    script_path(node, path);
    script_say(member->world, member, "%s %s %llu", content ? "write" : "chmod", path,
               (unsigned long long)value);
    if (content)
        disk_write(&member->disk, node, value);
    else
        disk_change_attributes(&member->disk, node, (uint32_t)value);
    look_dirty(member, node->parent);
    return true;
}

static bool operate(struct member *member, struct random_source *random, enum sim_operation op)
{
    switch (op) {
    case OPERATION_create:
        return create(member, random, FILE_REGULAR);
    case OPERATION_make_dir:
        return create(member, random, FILE_DIRECTORY);
    case OPERATION_make_link:
        return create(member, random, FILE_SYMLINK);
    case OPERATION_write:
        return change(member, random, true);
    case OPERATION_attributes:
        return change(member, random, false);
    case OPERATION_rename:
        return move(member, random, false);
    case OPERATION_move:
        return move(member, random, true);
    case OPERATION_delete:
        return remove_tree(member, random, false);
    case OPERATION_delete_tree:
        return remove_tree(member, random, true);
    case OPERATION_replace:
        return replace(member, random);
    case OPERATION_swap:
        return swap(member, random);
    case OPERATION_recreate:
        return recreate(member, random);
    case OPERATION_copy:
        return copy(member, random);
    case OPERATION_cross:
        return cross(member, random);
    case OPERATION_COUNT:
        break;
    }
    return false;
}

bool actions_operate(struct world *world, struct member *member, struct random_source *random)
{
    static const char *const names[] = {
#define X(name) #name,
        SIM_OPERATIONS(X)
#undef X
    };
    static const unsigned char weights[OPERATION_COUNT] = {
        [OPERATION_create] = 18, [OPERATION_make_dir] = 14,  [OPERATION_make_link] = 2,
        [OPERATION_write] = 16,  [OPERATION_attributes] = 5, [OPERATION_rename] = 8,
        [OPERATION_move] = 16,   [OPERATION_delete] = 5,     [OPERATION_delete_tree] = 3,
        [OPERATION_replace] = 4, [OPERATION_swap] = 2,       [OPERATION_recreate] = 2,
        [OPERATION_copy] = 3,    [OPERATION_cross] = 2,
    };
    uint64_t at = random_below(random, 100);
    unsigned op = 0;

    while (op + 1 < OPERATION_COUNT && at >= weights[op])
        at -= weights[op++];
    op = calm_operation(world, random, (enum sim_operation)op);
    member->disk.now_ns = member_walltime(member).ns;
    power_before_change(member);
    if (!operate(member, random, (enum sim_operation)op))
        return false;
    world->result->operations[op]++;
    if (member->work == WORK_PLAN)
        world_count_fault(world, FAULT_edit_during_plan);
    world_trace(world, member, "user: %s", names[op]);
    return true;
}

/* --- faults --- */

static void part(struct world *world, struct random_source *random)
{
    unsigned count = world->plan.member_count;
    unsigned a = (unsigned)random_below(random, count);
    unsigned b = (unsigned)random_below(random, count);
    bool whole = random_chance(random, 30); /* @a against everybody */

    for (unsigned other = 0; other < count; other++) {
        if (other == a || (!whole && other != b))
            continue;
        world->parted[a][other] = true;
        world->parted[other][a] = true;
        script_say(world, NULL, "part %u %u", a + 1, other + 1);
    }
    for (size_t i = 0; i < world->edge_count; i++) {
        struct edge *edge = &world->edges[i];
        if (edge->stream && world->parted[edge->from->index][edge->to->index])
            streams_cut(world, edge->stream);
    }
    world_count_fault(world, FAULT_partition);
}

static void cut(struct world *world, struct random_source *random)
{
    struct edge *edge = &world->edges[random_below(random, world->edge_count)];

    if (!edge->stream)
        return;
    streams_cut(world, edge->stream);
    script_say(world, NULL, "cut %u %u", edge->from->index + 1, edge->to->index + 1);
    world_count_fault(world, FAULT_cut);
}

static void turn_schedule(struct world *world, struct random_source *random)
{
    struct edge *edge = &world->edges[random_below(random, world->edge_count)];

    edge->open = !edge->open;
    if (!edge->open && edge->stream)
        streams_cut(world, edge->stream);
    script_say(world, NULL, "%s %u %u", edge->open ? "open" : "close", edge->from->index + 1,
               edge->to->index + 1);
    world_count_fault(world, FAULT_schedule);
}

static void fault(struct world *world, struct random_source *random)
{
    struct member *member = world->members[random_below(random, world->plan.member_count)];
    uint64_t kind = calm_fault(world, random_below(random, 100));

    world_trace(world, member, "fault %u", (unsigned)kind);
    if (world->plan.snapshots && random_chance(random, 35)) {
        snapshot_fault(world, random);
    } else if (power_fault(member, random)) {
        return;
    } else if (kind < 25) {
        cut(world, random);
    } else if (kind < 40) {
        part(world, random);
    } else if (kind < 58) {
        memset(world->parted, 0, sizeof(world->parted));
        script_say(world, NULL, "heal");
        world_count_fault(world, FAULT_heal);
    } else if (kind < 70) {
        world_count_fault(world, FAULT_crash);
        member_crash(member, 1 + (int64_t)random_below(random, 20 * SECOND));
    } else if (kind < 74) {
        world_count_fault(world, FAULT_absence);
        member_crash(member, world->plan.load_ms);
    } else if (kind < 80) {
        world_count_fault(world, FAULT_store_failure);
        memstore_fail_commit(member->memory, 1 + (unsigned)random_below(random, 3));
    } else if (kind < 82) {
        member_lose_database(member);
    } else if (kind < 84) {
        topology_lay(world, random);
        world_count_fault(world, FAULT_topology);
    } else if (kind < 91) {
        static const int64_t jumps_ms[] = {SECOND, -SECOND,          HOUR,
                                           -HOUR,  24 * HOUR * 3650, -24 * HOUR * 3650};
        world_count_fault(world, FAULT_clock_jump);
        member->skew_ms = jumps_ms[random_below(random, 6)];
        script_say(world, member, "clock %lld", (long long)member->skew_ms);
    } else {
        turn_schedule(world, random);
    }
}

void actions_run(struct world *world, uint64_t number)
{
    struct random_source random =
        random_from(world->options.seed ^ (number + 1) * UINT64_C(0x9e3779b97f4a7c15));

    if (number < world->options.skip_count && world->options.skip[number])
        return;
    if (random_chance(&random, world->plan.fault_percent)) {
        fault(world, &random);
        return;
    }
    struct member *member = world->members[random_below(&random, world->plan.member_count)];
    member = calm_user(world, member);
    for (int tries = 0; tries < 4 && !actions_operate(world, member, &random); tries++)
        ;
    member_run(member);
}

void actions_heal(struct world *world)
{
    script_say(world, NULL, "healed");
    world->healed = true;
    memset(world->parted, 0, sizeof(world->parted));
    for (size_t i = 0; i < world->edge_count; i++)
        world->edges[i].open = true;
    for (unsigned i = 0; i < world->plan.member_count; i++)
        memstore_fail_commit(world->members[i]->memory, 0);
}
