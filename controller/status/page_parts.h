/* SPDX-License-Identifier: Apache-2.0 */
/*
 * controller/status/page_parts.h: the pieces of the page, shared by its sources only.
 *
 * render_page.c    the document: verdict, figures, findings, agents
 * page_folder.c    one folder: its members and connections
 * page_topology.c  one folder as a drawing
 */
#ifndef CONTROLLER_STATUS_PAGE_PARTS_H
#define CONTROLLER_STATUS_PAGE_PARTS_H

#include "controller/status/view.h"

/* A health as a shape and a word: colour is never the only sign. */
void page_health(struct buf *out, enum health health, const char *word);
/* "1,204" */
void page_number(struct buf *out, uint64_t value);
/* "3.1 GiB" */
void page_bytes(struct buf *out, uint64_t value);
/* "5 min ago", with the date for machines and tooltips; "never" for 0. */
void page_time(struct buf *out, struct walltime then, struct walltime now);
/* "12 min" */
void page_age(struct buf *out, int64_t ms);
/* The part of a host name before the first dot. */
void page_short_name(struct buf *out, const char *name);

void page_folder(struct buf *out, const struct view *view, const struct view_group *group,
                 const struct view_folder *folder);
/* The heads of the drawings' arrows, once in a page. */
void page_markers(struct buf *out);
/* A drawing for at most PAGE_DRAWN_MEMBERS_MAX members; nothing for more. */
void page_topology(struct buf *out, const struct view_folder *folder);

#endif
