/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/disk.h"

#include "common/base/mem.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

static void stamp(struct disk *disk, struct node *node, bool content)
{
    disk->stamp_last_ns =
        disk->now_ns > disk->stamp_last_ns ? disk->now_ns : disk->stamp_last_ns + 1;
    node->witness.changed_ns = disk->stamp_last_ns;
    if (content)
        node->witness.modified_ns = disk->stamp_last_ns;
    node->witness.size = content_size(node->content);
}

static struct node *new_node(struct disk *disk, enum file_kind kind, uint64_t content)
{
    struct node *node = MEM_NEW(struct node);

    if (disk->node_count == disk->node_capacity) {
        disk->node_capacity = disk->node_capacity ? disk->node_capacity * 2 : 32;
        disk->nodes = mem_resize(disk->nodes, disk->node_capacity, sizeof(struct node *));
    }
    disk->nodes[disk->node_count++] = node;
    node->number = disk->node_count;
    node->kind = kind;
    node->content = content;
    node->create_time = (uint64_t)disk->now_ns;
    stamp(disk, node, true);
    return node;
}

void disk_init(struct disk *disk, struct ledger *ledger, bool fold)
{
    *disk = (struct disk){.ledger = ledger, .fold = fold};
    disk->root = new_node(disk, FILE_DIRECTORY, 0);
    disk->root->area = AREA_ATTACHED;
    disk->parked = new_node(disk, FILE_DIRECTORY, 0);
    disk->parked->area = AREA_ATTACHED;
}

void disk_fini(struct disk *disk)
{
    for (size_t i = 0; i < disk->node_count; i++)
        free(disk->nodes[i]);
    free(disk->nodes);
    *disk = (struct disk){0};
}

struct object object_of(const struct node *node)
{
    struct object object = {.size = sizeof(node->number)};

    memcpy(object.bytes, &node->number, sizeof(node->number));
    return object;
}

struct node *disk_node(const struct disk *disk, const struct object *object)
{
    uint64_t number;

    if (object->size != sizeof(number))
        return NULL;
    memcpy(&number, object->bytes, sizeof(number));
    return number >= 1 && number <= disk->node_count ? disk->nodes[number - 1] : NULL;
}

/* Not by the core's comparison, which is on trial here. */
static bool is_same_name(const char *a, const char *b, bool fold)
{
    return (fold ? strcasecmp(a, b) : strcmp(a, b)) == 0;
}

struct node *disk_child(const struct disk *disk, const struct node *dir, const char *name)
{
    struct node *child = dir->child;

    while (child && !is_same_name(child->name, name, disk->fold && dir != disk->parked))
        child = child->sibling;
    return child;
}

/* Splits @path into its directory, which must exist, and its last name. */
static struct node *resolve_parent(const struct disk *disk, const char *path,
                                   char name[DISK_NAME_SIZE])
{
    static const char parked_dir[] = PARKED_DIR "/";
    struct node *dir = disk->root;

    if (strncmp(path, parked_dir, sizeof(parked_dir) - 1) == 0) {
        path += sizeof(parked_dir) - 1;
        dir = disk->parked;
    }
    for (;;) {
        const char *slash = strchr(path, '/');
        size_t size = slash ? (size_t)(slash - path) : strlen(path);

        assert(size > 0 && size < DISK_NAME_SIZE);
        memcpy(name, path, size);
        name[size] = '\0';
        if (!slash)
            return dir;
        dir = disk_child(disk, dir, name);
        if (!dir || dir->kind != FILE_DIRECTORY)
            return NULL;
        path = slash + 1;
    }
}

struct node *disk_resolve(const struct disk *disk, const char *path)
{
    char name[DISK_NAME_SIZE];

    if (*path == '\0')
        return disk->root;
    struct node *dir = resolve_parent(disk, path, name);
    return dir ? disk_child(disk, dir, name) : NULL;
}

bool disk_is_below(const struct node *node, const struct node *ancestor)
{
    while (node && node != ancestor)
        node = node->parent;
    return node != NULL;
}

static void attach(struct node *node, struct node *dir, const char *name)
{
    assert(!node->parent);
    snprintf(node->name, sizeof(node->name), "%s", name);
    node->area = AREA_ATTACHED;
    node->stage = 0;
    node->parent = dir;
    node->sibling = dir->child;
    dir->child = node;
}

static void detach(struct node *node, enum area area)
{
    if (node->parent) {
        struct node **place = &node->parent->child;
        while (*place != node)
            place = &(*place)->sibling;
        *place = node->sibling;
    }
    node->parent = NULL;
    node->sibling = NULL;
    node->area = area;
}

/* --- copies --- */

static struct node *same_node(const struct disk *disk, const struct node *node)
{
    return node ? disk->nodes[node->number - 1] : NULL;
}

void disk_copy(struct disk *to, const struct disk *from)
{
    *to = *from;
    to->nodes = mem_new(from->node_capacity, sizeof(struct node *));
    for (size_t i = 0; i < from->node_count; i++) {
        to->nodes[i] = MEM_NEW(struct node);
        *to->nodes[i] = *from->nodes[i];
    }
    for (size_t i = 0; i < to->node_count; i++) {
        struct node *node = to->nodes[i];

        node->parent = same_node(to, node->parent);
        node->child = same_node(to, node->child);
        node->sibling = same_node(to, node->sibling);
    }
    to->root = same_node(to, from->root);
    to->parked = same_node(to, from->parked);
}

void disk_skip_numbers(struct disk *disk, size_t count)
{
    if (count > disk->node_capacity) {
        disk->node_capacity = count;
        disk->nodes = mem_resize(disk->nodes, disk->node_capacity, sizeof(struct node *));
    }
    while (disk->node_count < count) {
        struct node *node = MEM_NEW(struct node);

        node->kind = FILE_REGULAR;
        disk->nodes[disk->node_count++] = node;
        node->number = disk->node_count;
    }
}

bool disk_holds(const struct disk *disk, uint64_t content, bool attached, bool preserved)
{
    for (size_t i = 0; i < disk->node_count; i++) {
        const struct node *node = disk->nodes[i];

        if (node->content == content && ((attached && node->area == AREA_ATTACHED) ||
                                         (preserved && node->area == AREA_PRESERVE)))
            return true;
    }
    return false;
}

/* --- users --- */

struct node *disk_create(struct disk *disk, struct node *dir, const char *name, enum file_kind kind,
                         uint64_t content)
{
    struct node *node = new_node(disk, kind, content);

    node->by_user = true;
    attach(node, dir, name);
    return node;
}

void disk_write(struct disk *disk, struct node *node, uint64_t content)
{
    ledger_destroyed(disk->ledger, node->content);
    node->content = content;
    node->by_user = true;
    stamp(disk, node, true);
}

void disk_change_attributes(struct disk *disk, struct node *node, uint32_t attributes)
{
    node->attributes = attributes;
    stamp(disk, node, false);
}

bool disk_rename(struct disk *disk, struct node *node, struct node *dir, const char *name)
{
    struct node *target = disk_child(disk, dir, name);

    if (disk_is_below(dir, node) || target == node ||
        (target && (target->kind == FILE_DIRECTORY || node->kind == FILE_DIRECTORY)))
        return false;
    if (target)
        disk_delete(disk, target);
    detach(node, AREA_NOWHERE);
    attach(node, dir, name);
    stamp(disk, node, false);
    return true;
}

void disk_swap_names(struct disk *disk, struct node *a, struct node *b)
{
    struct node *dir_a = a->parent;
    struct node *dir_b = b->parent;
    char name_a[DISK_NAME_SIZE];
    char name_b[DISK_NAME_SIZE];

    memcpy(name_a, a->name, sizeof(name_a));
    memcpy(name_b, b->name, sizeof(name_b));
    detach(a, AREA_NOWHERE);
    detach(b, AREA_NOWHERE);
    attach(a, dir_b, name_b);
    attach(b, dir_a, name_a);
    stamp(disk, a, false);
    stamp(disk, b, false);
}

void disk_delete(struct disk *disk, struct node *node)
{
    while (node->child)
        disk_delete(disk, node->child); /* depth is bounded by the few nodes of a run */
    ledger_destroyed(disk->ledger, node->content);
    detach(node, AREA_NOWHERE);
}

/* --- the agent --- */

struct object disk_stage(struct disk *disk, uint64_t stage, enum file_kind kind, uint64_t content)
{
    struct node *node = new_node(disk, kind, content);

    node->area = AREA_STAGE;
    node->stage = stage;
    return object_of(node);
}

static struct node *find_stage(const struct disk *disk, uint64_t stage)
{
    for (size_t i = disk->node_count; i-- > 0;) {
        if (disk->nodes[i]->area == AREA_STAGE && disk->nodes[i]->stage == stage)
            return disk->nodes[i];
    }
    return NULL;
}

void disk_drop_stage(struct disk *disk, uint64_t stage)
{
    struct node *node = find_stage(disk, stage);

    if (node)
        node->area = AREA_NOWHERE;
}

void disk_drop_all_stages(struct disk *disk)
{
    for (size_t i = 0; i < disk->node_count; i++) {
        if (disk->nodes[i]->area == AREA_STAGE)
            disk->nodes[i]->area = AREA_NOWHERE;
    }
}

void disk_preserve_parked(struct disk *disk, struct node *parked)
{
    for (size_t i = 0; i < disk->node_count; i++) {
        struct node *node = disk->nodes[i];

        if (!disk_is_below(node, parked))
            continue;
        ledger_preserved(disk->ledger, node->content);
        node->area = AREA_PRESERVE;
    }
    detach(parked, AREA_PRESERVE);
}

static uint32_t attributes_value(struct span attributes)
{
    uint32_t value = 0;

    assert(attributes.size <= sizeof(value));
    if (attributes.size > 0)
        memcpy(&value, attributes.data, attributes.size);
    return value;
}

static bool is_expected(const struct node *node, const struct step *step)
{
    if (step->expect.size == 0)
        return !node;
    if (!node)
        return false;
    struct object object = object_of(node);
    if (!object_equal(&object, &step->expect))
        return false;
    static const struct witness unchecked;
    return node->kind != FILE_REGULAR || witness_equal(&step->expect_witness, &unchecked) ||
           witness_equal(&node->witness, &step->expect_witness);
}

/* What leaves the tree must be in a state that was read. */
static bool may_leave(const struct node *node, const struct step *step)
{
    static const struct witness unread;

    return is_expected(node, step) && (!node || node->kind != FILE_REGULAR ||
                                       !witness_equal(&step->expect_witness, &unread));
}

/* Take it out of the tree: kept when asked, else gone for good. */
static void displace(struct disk *disk, struct node *node, const struct step *step)
{
    bool keep = step->preserve != PRESERVE_NONE;

    if (keep)
        ledger_preserved(disk->ledger, node->content);
    detach(node, keep ? AREA_PRESERVE : AREA_NOWHERE);
}

static enum status install(struct disk *disk, const struct step *step, struct node *dir,
                           const char *name, struct node **out_node)
{
    struct node *standing = disk_child(disk, dir, name);

    if (!may_leave(standing, step) || (standing && standing->kind == FILE_DIRECTORY))
        return ST_AGAIN;
    struct node *node;
    if (step->kind == STEP_MAKE_DIR) {
        node = new_node(disk, FILE_DIRECTORY, 0);
    } else {
        node = find_stage(disk, step->stage);
        if (!node)
            return ST_IO;
        assert(node->kind == step->file_kind);
    }
    if (standing)
        displace(disk, standing, step);
    detach(node, AREA_NOWHERE);
    attach(node, dir, name);
    node->attributes = attributes_value(step->attributes);
    stamp(disk, node, false);
    *out_node = node;
    return ST_OK;
}

static enum status move(struct disk *disk, const struct step *step, struct node *dir,
                        const char *name, struct node **out_node)
{
    struct node *node = disk_resolve(disk, step->from_path);

    struct node *standing = disk_child(disk, dir, name);

    if (!node || node == disk->root || !is_expected(node, step) || (standing && standing != node) ||
        disk_is_below(dir, node))
        return ST_AGAIN;
    detach(node, AREA_NOWHERE);
    attach(node, dir, name);
    stamp(disk, node, false);
    *out_node = node;
    return ST_OK;
}

static enum status take_out(struct disk *disk, const struct step *step, struct node *node)
{
    if (!node || node == disk->root || !is_expected(node, step))
        return ST_AGAIN;
    if (step->kind == STEP_PARK) {
        char name[PARKED_NAME_SIZE];

        replica_parked_name(&step->id, name);
        if (disk_child(disk, disk->parked, name))
            return ST_AGAIN;
        detach(node, AREA_NOWHERE);
        attach(node, disk->parked, name);
        stamp(disk, node, false);
        return ST_OK;
    }
    if (node->child || !may_leave(node, step))
        return ST_AGAIN;
    displace(disk, node, step);
    return ST_OK;
}

static bool is_expected_dir(const struct node *dir, const struct step *step)
{
    struct object object = object_of(dir);

    return step->expect_dir.size == 0 || object_equal(&object, &step->expect_dir);
}

static enum status execute(struct disk *disk, const struct step *step, struct node **out_node)
{
    char name[DISK_NAME_SIZE];

    struct node *dir = resolve_parent(disk, step->path, name);
    if (!dir || !is_expected_dir(dir, step))
        return ST_AGAIN;
    switch (step->kind) {
    case STEP_INSTALL:
    case STEP_MAKE_DIR:
    case STEP_MAKE_LINK:
        return install(disk, step, dir, name, out_node);
    case STEP_MOVE:
        return move(disk, step, dir, name, out_node);
    case STEP_PARK:
    case STEP_REMOVE:
        *out_node = disk_child(disk, dir, name);
        return take_out(disk, step, *out_node);
    case STEP_ATTRIBUTES:
        *out_node = disk_child(disk, dir, name);
        if (!*out_node || !is_expected(*out_node, step))
            return ST_AGAIN;
        (*out_node)->attributes = attributes_value(step->attributes);
        stamp(disk, *out_node, false);
        return ST_OK;
    }
    return ST_IO;
}

void disk_execute(struct disk *disk, const struct step *step, struct step_result *out_result)
{
    struct node *node = NULL;

    *out_result = (struct step_result){.status = execute(disk, step, &node)};
    if (out_result->status == ST_OK && node && node->area == AREA_ATTACHED) {
        out_result->object = object_of(node);
        out_result->witness = node->witness;
    }
}
