/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/support/modeldisk.h: a folder on a disk that is only numbers.
 *
 * A tree of nodes with identity, kind, content (a number) and attributes (a letter). It runs the steps
 * of plans with the same expectations as a real disk, and users may change it at any moment.
 */
#ifndef TESTS_SUPPORT_MODELDISK_H
#define TESTS_SUPPORT_MODELDISK_H

#include "agent/replica/replica.h"

#define MODEL_NAME_SIZE 96

struct model_node {
    uint64_t number; /* identity; 0: the node is free */
    uint64_t parent; /* number of a node */
    char name[MODEL_NAME_SIZE];
    enum file_kind kind;
    uint64_t content;
    char attributes;
    int64_t changed; /* ctime */
    uint64_t birth;
};

/* Content that was kept: by whom does not matter, that it was does. */
struct model_kept {
    uint64_t content;
    enum preserve_reason reason;
    struct gvsn gvsn;
};

struct model_stage {
    uint64_t stage;
    uint64_t number; /* of the object */
    uint64_t content;
};

struct modeldisk {
    struct model_node *nodes;
    size_t node_count;
    uint64_t number_last;
    int64_t time;
    struct model_kept *kept;
    size_t kept_count;
    struct model_stage *stages;
    size_t stage_count;
};

#define MODEL_ROOT 1u

void modeldisk_init(struct modeldisk *disk);
void modeldisk_fini(struct modeldisk *disk);
void modeldisk_copy(struct modeldisk *to, const struct modeldisk *from);

/* Users. Each says whether it could be done; a name that is taken is refused, as is a cycle. */
struct model_node *modeldisk_node(const struct modeldisk *disk, uint64_t number);
struct model_node *modeldisk_child(const struct modeldisk *disk, uint64_t parent, const char *name);
struct model_node *modeldisk_at(const struct modeldisk *disk, const char *path);
/* Whether users see it: not the root, not the private directory or anything in it. */
bool modeldisk_is_visible(const struct modeldisk *disk, const struct model_node *node);
/* Whether it is to be scanned: visible, or in a parked directory. */
bool modeldisk_is_scanned(const struct modeldisk *disk, const struct model_node *node);
/* 0: refused. */
uint64_t modeldisk_create(struct modeldisk *disk, uint64_t parent, const char *name,
                          enum file_kind kind, uint64_t content, char attributes);
bool modeldisk_write(struct modeldisk *disk, uint64_t number, uint64_t content);
bool modeldisk_chmod(struct modeldisk *disk, uint64_t number, char attributes);
bool modeldisk_move(struct modeldisk *disk, uint64_t number, uint64_t parent, const char *name);
bool modeldisk_swap(struct modeldisk *disk, uint64_t a, uint64_t b);
/* With everything beneath it. */
void modeldisk_delete(struct modeldisk *disk, uint64_t number);

struct object modeldisk_object(uint64_t number);
struct witness modeldisk_witness(const struct model_node *node);
struct content_hash modeldisk_hash(uint64_t content);
uint64_t modeldisk_content_of(const struct content_hash *hash);
size_t modeldisk_child_count(const struct modeldisk *disk, uint64_t parent);

/* Stage content; the object it will have. */
struct object modeldisk_stage(struct modeldisk *disk, uint64_t stage, uint64_t content);
/* What an interrupted plan left in the private directory: preserve it, and what is beneath it. */
void modeldisk_keep_leftover(struct modeldisk *disk, uint64_t number);
/* Run one step. */
struct step_result modeldisk_run(struct modeldisk *disk, const struct step *step);

#endif
