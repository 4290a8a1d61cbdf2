/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/topology/topology.h"

#include <stdlib.h>

static void object_fini(struct topology_object *object)
{
    free(object->dn);
    free(object->name);
    free(object->problem);
}

static void folder_fini(struct topology_folder *folder)
{
    object_fini(&folder->object);
    free(folder->file_filter);
    free(folder->directory_filter);
}

static void computer_fini(struct topology_computer *computer)
{
    object_fini(&computer->object);
    free(computer->host);
    free(computer->account);
    for (size_t i = 0; i < computer->service_count; i++)
        free(computer->services[i]);
    free(computer->services);
}

static void subscription_fini(struct topology_subscription *subscription)
{
    object_fini(&subscription->object);
    free(subscription->root_path);
    free(subscription->staging_path);
    free(subscription->preserve_path);
}

void topology_free(struct topology *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->group_count; i++)
        object_fini(&t->groups[i].object);
    for (size_t i = 0; i < t->folder_count; i++)
        folder_fini(&t->folders[i]);
    for (size_t i = 0; i < t->computer_count; i++)
        computer_fini(&t->computers[i]);
    for (size_t i = 0; i < t->member_count; i++)
        object_fini(&t->members[i].object);
    for (size_t i = 0; i < t->connection_count; i++)
        object_fini(&t->connections[i].object);
    for (size_t i = 0; i < t->subscription_count; i++)
        subscription_fini(&t->subscriptions[i]);
    free(t->groups);
    free(t->folders);
    free(t->computers);
    free(t->members);
    free(t->connections);
    free(t->subscriptions);
    findings_fini(&t->findings);
    free(t);
}

bool topology_subscription_live(const struct topology *t, size_t subscription)
{
    const struct topology_subscription *s = &t->subscriptions[subscription];
    const struct topology_member *m = &t->members[s->member];

    return s->enabled && !s->object.problem && !t->folders[s->folder].object.problem &&
           !t->groups[m->group].object.problem && !m->object.problem &&
           m->computer != TOPOLOGY_NONE && !t->computers[m->computer].object.problem;
}

const struct ad_query *topology_queries(size_t *out_count)
{
    static const char *const global_attributes[] = {"objectClass",
                                                    "objectGUID",
                                                    "entryUUID",
                                                    "fromServer",
                                                    "serverReference",
                                                    "msDFSR-ComputerReference",
                                                    "msDFSR-ReplicationGroupType",
                                                    "msDFSR-Schedule",
                                                    "msDFSR-Options",
                                                    "msDFSR-TombstoneExpiryInMin",
                                                    "msDFSR-FileFilter",
                                                    "msDFSR-DirectoryFilter",
                                                    "msDFSR-Extension",
                                                    "msDFSR-Keywords",
                                                    "msDFSR-Enabled",
                                                    "msDFSR-RdcEnabled",
                                                    "msDFSR-RdcMinFileSizeInKb",
                                                    NULL};
    static const char *const local_attributes[] = {"objectClass",
                                                   "objectGUID",
                                                   "entryUUID",
                                                   "whenCreated",
                                                   "createTimestamp",
                                                   "dNSHostName",
                                                   "sAMAccountName",
                                                   "servicePrincipalName",
                                                   "userAccountControl",
                                                   "msDFSR-MemberReference",
                                                   "msDFSR-ReplicationGroupGuid",
                                                   "msDFSR-ContentSetGuid",
                                                   "msDFSR-RootPath",
                                                   "msDFSR-StagingPath",
                                                   "msDFSR-StagingSizeInMb",
                                                   "msDFSR-ConflictPath",
                                                   "msDFSR-ConflictSizeInMb",
                                                   "msDFSR-Enabled",
                                                   "msDFSR-ReadOnly",
                                                   "msDFSR-Options",
                                                   NULL};
    /* second: a computer with the objects beneath it, for each member's computer */
    static const struct ad_query queries[] = {
        {.beneath = "CN=System",
         .filter = "(|(objectClass=msDFSR-ReplicationGroup)(objectClass=msDFSR-ContentSet)"
                   "(objectClass=msDFSR-Member)(objectClass=msDFSR-Connection))",
         .attributes = global_attributes},
        {.beneath = "",
         .follow = "msDFSR-ComputerReference",
         .filter = "(|(objectClass=computer)(objectClass=msDFSR-Subscriber)"
                   "(objectClass=msDFSR-Subscription))",
         .attributes = local_attributes},
    };

    *out_count = sizeof(queries) / sizeof(queries[0]);
    return queries;
}
