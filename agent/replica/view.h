/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/replica/view.h: the folder's records as they will be: the store, and what was decided since.
 *
 * With an overlay, writes stay in memory until a plan is settled; without, they go to the store's
 * open transaction at once. Records that a call fills are the caller's; @out is finished first.
 */
#ifndef AGENT_REPLICA_VIEW_H
#define AGENT_REPLICA_VIEW_H

#include "agent/replica/store.h"
#include "agent/replica/table.h"

struct view {
    const struct store *store;
    struct table *overlay; /* NULL: straight to the store */
    struct file_id root;
};

void view_init(struct view *view, const struct store *store, const struct file_id *root);
/* Keep writes in memory. */
void view_init_overlay(struct view *view, const struct store *store, const struct file_id *root,
                       bool fold);
void view_fini(struct view *view);

bool view_get(const struct view *view, const struct file_id *id, struct record *out);
bool view_get_by_name(const struct view *view, const struct file_id *parent, struct span name,
                      struct record *out);
bool view_get_by_object(const struct view *view, const struct object *object, struct record *out);
bool view_next_child(const struct view *view, const struct file_id *parent,
                     const struct file_id *after, struct record *out);

void view_put(struct view *view, const struct record *record);
void view_forget(struct view *view, const struct file_id *id);

/* The root, or a present directory. */
bool view_is_live_dir(const struct view *view, const struct file_id *id);

enum ancestry {
    ANCESTRY_APART,
    ANCESTRY_BENEATH, /* @id is @ancestor, or somewhere beneath it */
    ANCESTRY_BROKEN,  /* the way up does not end at the root, or is longer than PATH_DEPTH_MAX */
};
enum ancestry view_ancestry(const struct view *view, const struct file_id *id,
                            const struct file_id *ancestor);

/* Where a present record stands beneath the root, through PARKED_DIR if it or one above it is
 * parked (*out_in_tree false then). NULL when the way up is broken. Free it. */
char *view_path(const struct view *view, const struct record *record, bool *out_in_tree);

#endif
