/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/sim/disk.h: a model of one member's file system.
 *
 * A tree of objects with identities that are never used twice, and beside it the private areas of
 * the agent: staged, parked and preserved objects. What stands here survives a crash as it is.
 * Users change the tree at any time; the agent changes it by disk_execute() only, which checks the
 * expectations of a step exactly as agent/install does.
 */
#ifndef TESTS_SIM_DISK_H
#define TESTS_SIM_DISK_H

#include "agent/replica/replica.h"
#include "tests/sim/ledger.h"

#define DISK_NAME_SIZE PARKED_NAME_SIZE
#define DISK_PATH_SIZE 512

/* Of objects that are in no directory; the others stand beneath the root or the parked directory. */
enum area { AREA_NOWHERE, AREA_ATTACHED, AREA_STAGE, AREA_PRESERVE };

struct node {
    uint64_t number; /* the object's identity */
    enum area area;
    enum file_kind kind;
    uint64_t content; /* a file's, or a link's target */
    bool by_user;     /* who wrote the content: a user here, else the agent */
    uint32_t attributes;
    struct witness witness;
    uint64_t create_time;
    char name[DISK_NAME_SIZE];
    struct node *parent; /* NULL unless attached, and for the root and the parked directory */
    struct node *child;
    struct node *sibling;
    uint64_t stage;
};

struct disk {
    struct node **nodes; /* by number - 1 */
    size_t node_count;
    size_t node_capacity;
    struct node *root;
    struct node *parked; /* PARKED_DIR */
    int64_t now_ns; /* set by the member before each use: time stamps of changes */
    int64_t stamp_last_ns;
    struct ledger *ledger;
    bool fold; /* names that differ only in case are one name */
};

void disk_init(struct disk *disk, struct ledger *ledger, bool fold);
void disk_fini(struct disk *disk);

struct object object_of(const struct node *node);
/* NULL when there is no such object. It may stand in any area. */
struct node *disk_node(const struct disk *disk, const struct object *object);
struct node *disk_child(const struct disk *disk, const struct node *dir, const char *name);
/* By names from the root, or from PARKED_DIR; NULL: not there. */
struct node *disk_resolve(const struct disk *disk, const char *path);
bool disk_is_below(const struct node *node, const struct node *ancestor); /* or the same */

/* @to is not initialised yet. */
void disk_copy(struct disk *to, const struct disk *from);
/* Objects made from now on differ from the first @count. */
void disk_skip_numbers(struct disk *disk, size_t count);
/* The content stands in the tree or is parked (@attached), or is preserved. */
bool disk_holds(const struct disk *disk, uint64_t content, bool attached, bool preserved);

/* --- users --- */

/* @dir has no such name yet. */
struct node *disk_create(struct disk *disk, struct node *dir, const char *name,
                         enum file_kind kind, uint64_t content);
void disk_write(struct disk *disk, struct node *node, uint64_t content);
void disk_change_attributes(struct disk *disk, struct node *node, uint32_t attributes);
/* Replaces what has the name, unless that is a directory: then nothing happens. */
bool disk_rename(struct disk *disk, struct node *node, struct node *dir, const char *name);
void disk_swap_names(struct disk *disk, struct node *a, struct node *b);
/* With everything below it. */
void disk_delete(struct disk *disk, struct node *node);

/* --- the agent --- */

struct object disk_stage(struct disk *disk, uint64_t stage, enum file_kind kind, uint64_t content);
void disk_drop_stage(struct disk *disk, uint64_t stage);
void disk_drop_all_stages(struct disk *disk);
/* A parked object that belongs to no parked record is kept, with all below it. */
void disk_preserve_parked(struct disk *disk, struct node *parked);
void disk_execute(struct disk *disk, const struct step *step, struct step_result *out_result);

#endif
