/* SPDX-License-Identifier: Apache-2.0 */
/*
 * controller/topology/diff.h: what changed from one topology to the next, for the log and people.
 */
#ifndef CONTROLLER_TOPOLOGY_DIFF_H
#define CONTROLLER_TOPOLOGY_DIFF_H

#include "controller/topology/topology.h"

enum change_kind { CHANGE_ADDED, CHANGE_REMOVED, CHANGE_ALTERED };

struct change {
    enum change_kind kind;
    const char *what; /* "group", "folder", "computer", "member", "connection", "subscription" */
    struct guid id;
    char *name;   /* of the object, printable */
    char *detail; /* "enabled: true -> false, …" for CHANGE_ALTERED, else "" */
};

struct changes {
    struct change *items;
    size_t count;
};

/* "added", "removed", "altered" */
const char *change_kind_name(enum change_kind kind);

/*
 * Compare by identity: a renamed or moved object is altered, not removed and added. @before may be
 * NULL: then all is added. topology_diff(x, x) is empty. Findings and problems are not compared.
 * In the order of the kinds above, ascending by identity. The caller calls changes_fini().
 */
struct changes topology_diff(const struct topology *before, const struct topology *after);
void changes_fini(struct changes *changes);

#endif
