/* SPDX-License-Identifier: Apache-2.0 */
/*
 * controller/plan/principals.h: the names by which a computer authenticates. For plan.c alone.
 */
#ifndef CONTROLLER_PLAN_PRINCIPALS_H
#define CONTROLLER_PLAN_PRINCIPALS_H

#include "controller/topology/topology.h"

/*
 * host/<dNSHostName>, the account's name, and each service principal name of class host in any
 * case, each with @realm unless that is "": no two alike, at most PARTNER_PRINCIPAL_COUNT_MAX.
 * Returns how many; the caller frees each and the list. Sets *out_left_out when there were more.
 */
size_t principals_of(const struct topology_computer *computer, const char *realm,
                     char ***out_principals, bool *out_left_out);

#endif
