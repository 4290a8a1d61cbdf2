/* SPDX-License-Identifier: Apache-2.0 */
/*
 * controller/topology/topology.h: replication groups as the directory describes them.
 *
 * The way is topology_read() (entries to objects, each checked by itself), topology_check() (the
 * rules between objects), then controller/plan. All pure: same entries, same result, in whatever
 * order they came. A bad object is left out or held back with a finding, and never takes a healthy
 * one with it.
 *
 * Objects refer to each other by their index in the topology's arrays. Each array ascends by
 * identity, the objectGUID; names and places in the tree mean nothing beyond what links them.
 */
#ifndef CONTROLLER_TOPOLOGY_TOPOLOGY_H
#define CONTROLLER_TOPOLOGY_TOPOLOGY_H

#include "common/ad/entry.h"
#include "common/ad/query.h"
#include "common/base/guid.h"
#include "common/model/schedule.h"
#include "controller/topology/finding.h"

#include <stdint.h>

#define TOPOLOGY_NONE SIZE_MAX

/* What every object has. */
struct topology_object {
    struct guid id;
    char *dn;      /* as the server writes it */
    char *name;    /* its own part of that, for people: printable, at most OBJECT_NAME_SIZE_MAX */
    char *problem; /* why it is not used, with what to do; NULL when it is */
};

enum topology_group_type { GROUP_GENERAL, GROUP_SYSVOL, GROUP_COLLECTION, GROUP_DISTRIBUTION };

struct topology_group {
    struct topology_object object;
    enum topology_group_type type; /* SYSVOL: its connections are elsewhere; planned separately */
    bool has_schedule;
    struct schedule schedule;
    uint64_t tombstone_life_min;
};

/* A replicated folder: msDFSR-ContentSet. */
struct topology_folder {
    struct topology_object object;
    size_t group;
    char *file_filter; /* default when absent in the directory */
    char *directory_filter;
    bool case_insensitive; /* word "coterie-case-insensitive" in msDFSR-Extension */
};

struct topology_computer {
    struct topology_object object;
    char *host;      /* dNSHostName; "" when absent */
    char *account;   /* sAMAccountName; "" when absent */
    char **services; /* servicePrincipalName, ascending */
    size_t service_count;
};

struct topology_member {
    struct topology_object object;
    size_t group;
    size_t computer; /* TOPOLOGY_NONE when it cannot be read */
    uint16_t port;   /* word "coterie-port=N" in msDFSR-Keywords, else AGENT_PORT_DEFAULT */
};

struct topology_connection {
    struct topology_object object;
    size_t receiver; /* members; the connection stands beneath this one */
    size_t sender;   /* TOPOLOGY_NONE when fromServer is no member */
    bool enabled;
    bool rdc_enabled;
    uint64_t rdc_size_min;
    bool has_schedule;
    struct schedule schedule;
};

struct topology_subscription {
    struct topology_object object;
    size_t member;
    size_t folder;
    char *root_path;     /* "" when absent */
    char *staging_path;  /* "" = beneath the root's private directory */
    char *preserve_path; /* likewise */
    uint64_t staging_bytes_max;
    uint64_t preserve_bytes_max;
    bool enabled;
    bool read_only;
    bool primary;
    uint64_t created; /* yyyymmddhhmmss, 0 when unknown */
};

struct topology {
    struct topology_group *groups;
    size_t group_count;
    struct topology_folder *folders;
    size_t folder_count;
    struct topology_computer *computers;
    size_t computer_count;
    struct topology_member *members;
    size_t member_count;
    struct topology_connection *connections;
    size_t connection_count;
    struct topology_subscription *subscriptions;
    size_t subscription_count;
    struct findings findings;
};

/* What to ask the directory for; static. */
const struct ad_query *topology_queries(size_t *out_count);

/*
 * Make objects of entries. Malformed values get the safe default and a finding; objects that belong
 * nowhere are left out with one. Where a schedule is malformed, the one of the same object in
 * @previous (may be NULL) stays in force, else that connection is closed.
 * The order of entries, and of values in an attribute, does not matter.
 */
struct topology *topology_read(const struct ad_entries *entries, const struct topology *previous);

/*
 * Apply the rules between objects: sets problems, adds findings, clears primary flags that
 * contradict each other, and sorts the findings. Once for each topology.
 */
void topology_check(struct topology *topology);

void topology_free(struct topology *topology); /* NULL allowed */

/* Whether a subscription replicates: it, its folder, its member and its computer are usable. */
bool topology_subscription_live(const struct topology *topology, size_t subscription);

#endif
