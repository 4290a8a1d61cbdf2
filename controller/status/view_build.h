/* SPDX-License-Identifier: Apache-2.0 */
/*
 * controller/status/view_build.h: the steps that make a view, shared by its sources only.
 *
 * view.c      groups, folders, members and connections from the plan; the whole
 * verdict.c   what state and health each of them is in
 * findings.c  what a person should know and do
 */
#ifndef CONTROLLER_STATUS_VIEW_BUILD_H
#define CONTROLLER_STATUS_VIEW_BUILD_H

#include "controller/status/view.h"

/* A text that lives as long as the view. */
const char *view_format(struct view *view, const char *format, ...) PRINTF_LIKE(2, 3);

/* "3 s", "12 min", "5 h", "9 days": an age for people. */
const char *view_age(struct view *view, int64_t ms);

/* --- verdict.c --- */

void verdict_member(struct view *view, struct view_member *member);
/* Both members have been judged before. */
void verdict_connection(struct view *view, struct view_connection *connection);

/* --- findings.c --- */

/* All findings, worst first. Groups are complete and judged. */
void findings_collect(struct view *view);

#endif
