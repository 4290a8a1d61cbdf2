/* SPDX-License-Identifier: Apache-2.0 */
/*
 * controller/topology/check_rules.h: the groups of rules that topology_check() applies. For the
 * check*.c files alone.
 */
#ifndef CONTROLLER_TOPOLOGY_CHECK_RULES_H
#define CONTROLLER_TOPOLOGY_CHECK_RULES_H

#include "controller/topology/topology.h"

/* Take an object out of use: a finding, and its problem unless it has one already. */
void check_hold(struct topology *topology, struct topology_object *object, const char *remedy,
                const char *problem_format, ...) PRINTF_LIKE(4, 5);

/* Each subscription's paths, and those of one computer against each other. */
void check_paths(struct topology *topology);

/* Connections, and whether a folder's changes reach all of its members. */
void check_connections(struct topology *topology);

#endif
