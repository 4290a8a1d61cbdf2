/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/attributes/acl.h: POSIX ACLs as text with names.
 *
 * One line for each entry, "tag:name:rwx", tags in the order user, group, mask, other; the owner's
 * and the group's own entry ("user::rw-") before the named ones, those ascending by name. Empty when
 * the mode says it all.
 */
#ifndef AGENT_ATTRIBUTES_ACL_H
#define AGENT_ATTRIBUTES_ACL_H

#include "common/base/buf.h"
#include "common/base/status.h"

enum acl_which { ACL_WHICH_ACCESS, ACL_WHICH_DEFAULT };

/* Append the ACL of an open object as text. errno is set on failure; ST_FULL above
 * ACL_ENTRY_COUNT_MAX. A file system without ACLs has none. */
NODISCARD enum status acl_text_read(int fd, enum acl_which which, struct buf *out);

/* Set it; entries whose name is unknown here are left out and counted. An empty text removes it.
 * errno is set on failure. */
NODISCARD enum status acl_text_apply(int fd, enum acl_which which, struct span text,
                                     size_t *out_unknown_count);

/* Whether the object's ACL @current is what applying @recorded leaves on this machine. */
bool acl_text_is_projection(struct span recorded, struct span current);

/* NULL, or the broken rule. */
const char *acl_text_problem(struct span text);

#endif
