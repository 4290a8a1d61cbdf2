/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/modeldisk.h"

#include "common/base/mem.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

static struct model_node *add_node(struct modeldisk *disk, uint64_t parent, const char *name,
                                   enum file_kind kind, uint64_t number)
{
    size_t at = 0;

    while (at < disk->node_count && disk->nodes[at].number != 0)
        at++;
    if (at == disk->node_count) {
        disk->node_count++;
        disk->nodes = mem_resize(disk->nodes, disk->node_count, sizeof(*disk->nodes));
    }

    struct model_node *node = &disk->nodes[at];

    *node = (struct model_node){.parent = parent, .kind = kind, .attributes = 'a'};
    node->number = number != 0 ? number : ++disk->number_last;
    (void)snprintf(node->name, sizeof(node->name), "%s", name);
    node->changed = ++disk->time;
    node->birth = (uint64_t)disk->time;
    return node;
}

void modeldisk_init(struct modeldisk *disk)
{
    *disk = (struct modeldisk){.time = 1000};

    uint64_t root = add_node(disk, 0, "", FILE_DIRECTORY, 0)->number;
    uint64_t private = add_node(disk, root, PRIVATE_DIR_NAME, FILE_DIRECTORY, 0)->number;

    assert(root == MODEL_ROOT);
    add_node(disk, private, strrchr(PARKED_DIR, '/') + 1, FILE_DIRECTORY, 0);
}

void modeldisk_fini(struct modeldisk *disk)
{
    free(disk->nodes);
    free(disk->kept);
    free(disk->stages);
    *disk = (struct modeldisk){0};
}

void modeldisk_copy(struct modeldisk *to, const struct modeldisk *from)
{
    modeldisk_fini(to);
    *to = *from;
    to->nodes = mem_copy(from->nodes, from->node_count * sizeof(*from->nodes));
    to->kept = mem_copy(from->kept, from->kept_count * sizeof(*from->kept));
    to->stages = mem_copy(from->stages, from->stage_count * sizeof(*from->stages));
}

struct model_node *modeldisk_node(const struct modeldisk *disk, uint64_t number)
{
    for (size_t i = 0; number != 0 && i < disk->node_count; i++) {
        if (disk->nodes[i].number == number)
            return &disk->nodes[i];
    }
    return NULL;
}

struct model_node *modeldisk_child(const struct modeldisk *disk, uint64_t parent, const char *name)
{
    for (size_t i = 0; i < disk->node_count; i++) {
        if (disk->nodes[i].number != 0 && disk->nodes[i].parent == parent &&
            strcmp(disk->nodes[i].name, name) == 0)
            return &disk->nodes[i];
    }
    return NULL;
}

size_t modeldisk_child_count(const struct modeldisk *disk, uint64_t parent)
{
    size_t count = 0;

    for (size_t i = 0; i < disk->node_count; i++)
        count += disk->nodes[i].number != 0 && disk->nodes[i].parent == parent;
    return count;
}

/* The directory of a path and its last name; NULL when a part is missing. */
static struct model_node *parent_of(const struct modeldisk *disk, const char *path,
                                    char name[MODEL_NAME_SIZE])
{
    struct model_node *at = modeldisk_node(disk, MODEL_ROOT);
    const char *slash;

    while (at != NULL && (slash = strchr(path, '/')) != NULL) {
        (void)snprintf(name, MODEL_NAME_SIZE, "%.*s", (int)(slash - path), path);
        at = modeldisk_child(disk, at->number, name);
        path = slash + 1;
    }
    (void)snprintf(name, MODEL_NAME_SIZE, "%s", path);
    return at;
}

struct model_node *modeldisk_at(const struct modeldisk *disk, const char *path)
{
    char name[MODEL_NAME_SIZE];
    const struct model_node *parent = parent_of(disk, path, name);

    return parent != NULL ? modeldisk_child(disk, parent->number, name) : NULL;
}

bool modeldisk_is_visible(const struct modeldisk *disk, const struct model_node *node)
{
    if (node->number == 0 || node->number == MODEL_ROOT)
        return false;
    while (node != NULL && node->parent != MODEL_ROOT)
        node = modeldisk_node(disk, node->parent);
    return node != NULL && strcmp(node->name, PRIVATE_DIR_NAME) != 0;
}

bool modeldisk_is_scanned(const struct modeldisk *disk, const struct model_node *node)
{
    const struct model_node *parked = modeldisk_at(disk, PARKED_DIR);

    if (parked == NULL || node->number == 0 || node->parent == parked->number ||
        node->number == parked->number)
        return false;
    while (node != NULL && node->parent != MODEL_ROOT && node->parent != parked->number)
        node = modeldisk_node(disk, node->parent);
    return node != NULL && node->number != MODEL_ROOT && strcmp(node->name, PRIVATE_DIR_NAME) != 0;
}

static bool is_beneath(const struct modeldisk *disk, uint64_t number, uint64_t ancestor)
{
    const struct model_node *node = modeldisk_node(disk, number);

    while (node != NULL && node->number != ancestor)
        node = modeldisk_node(disk, node->parent);
    return node != NULL;
}

uint64_t modeldisk_create(struct modeldisk *disk, uint64_t parent, const char *name,
                          enum file_kind kind, uint64_t content, char attributes)
{
    if (modeldisk_child(disk, parent, name) != NULL)
        return 0;

    struct model_node *node = add_node(disk, parent, name, kind, 0);

    node->content = content;
    node->attributes = attributes;
    return node->number;
}

bool modeldisk_write(struct modeldisk *disk, uint64_t number, uint64_t content)
{
    struct model_node *node = modeldisk_node(disk, number);

    if (node == NULL || node->kind != FILE_REGULAR)
        return false;
    node->content = content;
    node->changed = ++disk->time;
    return true;
}

bool modeldisk_chmod(struct modeldisk *disk, uint64_t number, char attributes)
{
    struct model_node *node = modeldisk_node(disk, number);

    if (node == NULL)
        return false;
    node->attributes = attributes;
    node->changed = ++disk->time;
    return true;
}

bool modeldisk_move(struct modeldisk *disk, uint64_t number, uint64_t parent, const char *name)
{
    struct model_node *node = modeldisk_node(disk, number);

    const struct model_node *dir = modeldisk_node(disk, parent);

    if (node == NULL || dir == NULL || dir->kind != FILE_DIRECTORY ||
        modeldisk_child(disk, parent, name) != NULL || is_beneath(disk, parent, number))
        return false;
    node->parent = parent;
    (void)snprintf(node->name, sizeof(node->name), "%s", name);
    node->changed = ++disk->time;
    return true;
}

bool modeldisk_swap(struct modeldisk *disk, uint64_t a, uint64_t b)
{
    struct model_node *x = modeldisk_node(disk, a);
    struct model_node *y = modeldisk_node(disk, b);

    if (x == NULL || y == NULL || is_beneath(disk, a, b) || is_beneath(disk, b, a))
        return false;

    struct model_node was = *x;

    x->parent = y->parent;
    memcpy(x->name, y->name, sizeof(x->name));
    y->parent = was.parent;
    memcpy(y->name, was.name, sizeof(y->name));
    x->changed = ++disk->time;
    y->changed = disk->time;
    return true;
}

void modeldisk_delete(struct modeldisk *disk, uint64_t number)
{
    uint64_t at = number;

    for (;;) {
        struct model_node *child = NULL;

        for (size_t i = 0; i < disk->node_count && child == NULL; i++) {
            if (disk->nodes[i].number != 0 && disk->nodes[i].parent == at)
                child = &disk->nodes[i];
        }
        if (child != NULL) {
            at = child->number;
            continue;
        }

        struct model_node *node = modeldisk_node(disk, at);

        if (node == NULL)
            return;

        uint64_t parent = node->parent;

        node->number = 0;
        if (at == number)
            return;
        at = parent;
    }
}

struct object modeldisk_object(uint64_t number)
{
    struct object object = {0};

    if (number != 0) {
        object.size = sizeof(number);
        memcpy(object.bytes, &number, sizeof(number));
    }
    return object;
}

struct witness modeldisk_witness(const struct model_node *node)
{
    return (struct witness){
        .size = node->kind == FILE_DIRECTORY ? 0 : node->content,
        .modified_ns = (int64_t)node->content,
        .changed_ns = node->changed,
    };
}

struct content_hash modeldisk_hash(uint64_t content)
{
    struct content_hash hash = {{0}};

    memcpy(hash.bytes, &content, sizeof(content));
    return hash;
}

uint64_t modeldisk_content_of(const struct content_hash *hash)
{
    uint64_t content;

    memcpy(&content, hash->bytes, sizeof(content));
    return content;
}

struct object modeldisk_stage(struct modeldisk *disk, uint64_t stage, uint64_t content)
{
    disk->stages = mem_resize(disk->stages, disk->stage_count + 1, sizeof(*disk->stages));

    struct model_stage *staged = &disk->stages[disk->stage_count++];

    *staged =
        (struct model_stage){.stage = stage, .number = ++disk->number_last, .content = content};
    return modeldisk_object(staged->number);
}

static void keep(struct modeldisk *disk, const struct model_node *node, const struct step *step)
{
    if (step->preserve == PRESERVE_NONE)
        return;
    disk->kept = mem_resize(disk->kept, disk->kept_count + 1, sizeof(*disk->kept));
    disk->kept[disk->kept_count++] = (struct model_kept){
        .content = node->content, .reason = step->preserve, .gvsn = step->preserve_gvsn};
}

static struct step_result fails(enum status status)
{
    return (struct step_result){.status = status};
}

static struct step_result shows(const struct model_node *node)
{
    return (struct step_result){
        .status = ST_OK,
        .object = modeldisk_object(node->number),
        .witness = modeldisk_witness(node),
    };
}

/* Whether @node, which may be NULL, is what the step expects. */
static bool is_expected(const struct step *step, const struct model_node *node)
{
    static const struct witness unchecked;

    if (step->expect.size == 0)
        return node == NULL;
    if (node == NULL)
        return false;

    struct object object = modeldisk_object(node->number);
    struct witness witness = modeldisk_witness(node);

    if (!object_equal(&object, &step->expect) || node->kind != step->file_kind)
        return false;
    return node->kind != FILE_REGULAR || witness_equal(&step->expect_witness, &unchecked) ||
           witness_equal(&step->expect_witness, &witness);
}

static char attributes_of(const struct step *step, char otherwise)
{
    return step->attributes.size > 0 ? (char)step->attributes.data[0] : otherwise;
}

/* Put a new object at the place, in the stead of what is expected there. */
static struct step_result put_new(struct modeldisk *disk, const struct step *step,
                                  struct model_node *displaced)
{
    char name[MODEL_NAME_SIZE];
    const struct model_node *parent = parent_of(disk, step->path, name);
    uint64_t content = 0;
    uint64_t number = 0;

    if (parent == NULL || parent->kind != FILE_DIRECTORY)
        return fails(ST_AGAIN);
    for (size_t i = 0; i < disk->stage_count; i++) {
        if (disk->stages[i].stage == step->stage && step->kind != STEP_MAKE_DIR) {
            content = disk->stages[i].content;
            number = step->kind == STEP_INSTALL ? disk->stages[i].number : 0;
            disk->stages[i] = disk->stages[--disk->stage_count];
            break;
        }
    }
    if (displaced != NULL) {
        keep(disk, displaced, step);
        displaced->number = 0;
    }

    uint64_t parent_number = parent->number;

    struct model_node *node = add_node(disk, parent_number, name, step->file_kind, number);

    node->content = content;
    node->attributes = attributes_of(step, 'a');
    return shows(node);
}

static struct step_result move_to(struct modeldisk *disk, struct model_node *node, const char *path)
{
    char name[MODEL_NAME_SIZE];
    const struct model_node *parent = parent_of(disk, path, name);

    if (parent == NULL || !modeldisk_move(disk, node->number, parent->number, name))
        return fails(ST_AGAIN);
    return shows(node);
}

void modeldisk_keep_leftover(struct modeldisk *disk, uint64_t number)
{
    const struct step step = {.preserve = PRESERVE_CONFLICT};

    for (size_t i = 0; i < disk->node_count; i++) {
        if (disk->nodes[i].number != 0 && disk->nodes[i].kind != FILE_DIRECTORY &&
            is_beneath(disk, disk->nodes[i].number, number))
            keep(disk, &disk->nodes[i], &step);
    }
    modeldisk_delete(disk, number);
}

struct step_result modeldisk_run(struct modeldisk *disk, const struct step *step)
{
    const char *where = step->kind == STEP_MOVE ? step->from_path : step->path;
    struct model_node *node = modeldisk_at(disk, where);
    char parked[PARKED_NAME_SIZE];
    char path[PARKED_NAME_SIZE + sizeof(PARKED_DIR) + 1];

    if (!is_expected(step, node))
        return fails(ST_AGAIN);
    switch (step->kind) {
    case STEP_INSTALL:
    case STEP_MAKE_DIR:
    case STEP_MAKE_LINK:
        return put_new(disk, step, node);
    case STEP_MOVE:
        if (node == NULL)
            return fails(ST_AGAIN);
        if (strcmp(step->from_path, step->path) == 0)
            return shows(node);
        return move_to(disk, node, step->path);
    case STEP_PARK:
        if (node == NULL)
            return fails(ST_AGAIN);
        replica_parked_name(&step->id, parked);
        (void)snprintf(path, sizeof(path), "%s/%s", PARKED_DIR, parked);
        return move_to(disk, node, path);
    case STEP_REMOVE:
        if (node == NULL || modeldisk_child_count(disk, node->number) > 0)
            return fails(ST_AGAIN);
        keep(disk, node, step);
        node->number = 0;
        return (struct step_result){.status = ST_OK};
    case STEP_ATTRIBUTES:
        if (node == NULL)
            return fails(ST_AGAIN);
        node->attributes = attributes_of(step, node->attributes);
        node->changed = ++disk->time;
        return shows(node);
    }
    return fails(ST_BADDATA);
}
