/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/world.h"

#include "common/base/mem.h"
#include "common/base/scope.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SETTINGS "CN=DFSR-GlobalSettings,CN=System,DC=corp,DC=example"

void world_fini(struct world *w)
{
    ad_entries_fini(&w->entries);
}

/* Two sums of the key with different starts: enough to tell the objects of a test apart. */
struct guid world_id(const char *key)
{
    uint64_t a = UINT64_C(14695981039346656037);
    uint64_t b = UINT64_C(88172645463325252);
    struct guid id;

    for (const char *p = key; *p; p++) {
        a = (a ^ (uint8_t)*p) * UINT64_C(1099511628211);
        b = (b + (uint8_t)*p) * UINT64_C(6364136223846793005);
    }
    memcpy(id.bytes, &a, 8);
    memcpy(id.bytes + 8, &b, 8);
    return id;
}

struct ad_entry *world_entry(struct world *w, const char *key)
{
    struct guid id = world_id(key);
    struct guid found;

    for (size_t i = 0; i < w->entries.count; i++) {
        if (ad_entry_guid(&w->entries.items[i], &found) && guid_equal(&found, &id))
            return &w->entries.items[i];
    }
    abort();
}

static void add(struct world *w, const char *attribute, const char *value)
{
    ad_entries_add_value(&w->entries, attribute, span_of_string(value));
}

static void add_id(struct world *w, const char *attribute, const char *key)
{
    struct guid id = world_id(key);

    ad_entries_add_value(&w->entries, attribute, span_of(id.bytes, GUID_SIZE));
}

static void begin(struct world *w, const char *dn, const char *object_class, const char *key)
{
    ad_entries_add(&w->entries, dn);
    add(w, "objectClass", "top");
    add(w, "objectClass", object_class);
    add_id(w, "objectGUID", key);
}

static char *member_dn(const char *group, const char *computer)
{
    return mem_format("CN=m-%s,CN=Topology,CN=%s," SETTINGS, computer, group);
}

void world_group(struct world *w, const char *group)
{
    scope_free char *dn = mem_format("CN=%s," SETTINGS, group);

    begin(w, dn, "msDFSR-ReplicationGroup", group);
    add(w, "msDFSR-ReplicationGroupType", "0");
}

void world_folder(struct world *w, const char *group, const char *folder)
{
    scope_free char *dn = mem_format("CN=%s,CN=Content,CN=%s," SETTINGS, folder, group);
    scope_free char *key = mem_format("%s/%s", group, folder);

    begin(w, dn, "msDFSR-ContentSet", key);
}

void world_computer(struct world *w, const char *computer)
{
    scope_free char *dn = mem_format("CN=%s,OU=Servers,DC=corp,DC=example", computer);
    scope_free char *host = mem_format("%s.corp.example", computer);
    scope_free char *account = mem_format("%s$", computer);

    for (char *p = account; *p; p++)
        *p = *p >= 'a' && *p <= 'z' ? (char)(*p - 'a' + 'A') : *p;
    begin(w, dn, "computer", computer);
    add(w, "dNSHostName", host);
    add(w, "sAMAccountName", account);
}

void world_member(struct world *w, const char *group, const char *computer)
{
    scope_free char *dn = member_dn(group, computer);
    scope_free char *key = mem_format("%s/@%s", group, computer);
    scope_free char *computer_dn = mem_format("cn=%s, ou=servers,dc=Corp,dc=example", computer);
    scope_free char *subscriber = mem_format(
        "CN=s-%s,CN=DFSR-LocalSettings,CN=%s,OU=Servers,DC=corp,DC=example", group, computer);
    scope_free char *subscriber_key = mem_format("%s/s-%s", group, computer);

    begin(w, dn, "msDFSR-Member", key);
    add(w, "msDFSR-ComputerReference", computer_dn);
    begin(w, subscriber, "msDFSR-Subscriber", subscriber_key);
    add_id(w, "msDFSR-ReplicationGroupGuid", group);
    add(w, "msDFSR-MemberReference", dn);
}

void world_connection(struct world *w, const char *group, const char *sender, const char *receiver)
{
    scope_free char *from = member_dn(group, sender);
    scope_free char *above = member_dn(group, receiver);
    scope_free char *dn = mem_format("CN=c-%s,%s", sender, above);
    scope_free char *key = mem_format("%s/%s>%s", group, sender, receiver);

    begin(w, dn, "msDFSR-Connection", key);
    add(w, "fromServer", from);
    add(w, "msDFSR-Enabled", "TRUE");
}

void world_subscription(struct world *w, const char *group, const char *computer,
                        const char *folder)
{
    scope_free char *dn =
        mem_format("CN=%s,CN=s-%s,CN=DFSR-LocalSettings,CN=%s,OU=Servers,DC=corp,DC=example",
                   folder, group, computer);
    scope_free char *key = mem_format("%s/%s/%s", group, computer, folder);
    scope_free char *folder_key = mem_format("%s/%s", group, folder);
    scope_free char *root = mem_format("/srv/%s", folder);

    begin(w, dn, "msDFSR-Subscription", key);
    add_id(w, "msDFSR-ReplicationGroupGuid", group);
    add_id(w, "msDFSR-ContentSetGuid", folder_key);
    add(w, "msDFSR-RootPath", root);
    add(w, "msDFSR-Enabled", "TRUE");
}

void world_pair(struct world *w)
{
    world_group(w, "g");
    world_folder(w, "g", "cad");
    world_computer(w, "fs1");
    world_computer(w, "fs2");
    world_member(w, "g", "fs1");
    world_member(w, "g", "fs2");
    world_connection(w, "g", "fs1", "fs2");
    world_connection(w, "g", "fs2", "fs1");
    world_subscription(w, "g", "fs1", "cad");
    world_subscription(w, "g", "fs2", "cad");
}

static void remove_attribute(struct ad_entry *entry, const char *name)
{
    for (size_t i = 0; i < entry->attribute_count; i++) {
        struct ad_attribute *a = &entry->attributes[i];

        if (strcasecmp(a->name, name) != 0)
            continue;
        for (size_t k = 0; k < a->value_count; k++)
            free(a->values[k].data);
        free(a->values);
        free(a->name);
        entry->attributes[i] = entry->attributes[--entry->attribute_count];
        return;
    }
}

/* Values can be added to the last entry only: move the entry there, and back. */
static void append(struct world *w, struct ad_entry *entry, const char *attribute,
                   struct span value)
{
    struct ad_entry *last = &w->entries.items[w->entries.count - 1];
    struct ad_entry other = *last;

    *last = *entry;
    if (entry != last)
        *entry = other;
    ad_entries_add_value(&w->entries, attribute, value);
    other = *last;
    if (entry != last) {
        *last = *entry;
        *entry = other;
    }
}

void world_set_bytes(struct world *w, const char *key, const char *attribute, struct span value)
{
    struct ad_entry *entry = world_entry(w, key);

    remove_attribute(entry, attribute);
    append(w, entry, attribute, value);
}

void world_set(struct world *w, const char *key, const char *attribute, const char *value)
{
    if (value)
        world_set_bytes(w, key, attribute, span_of_string(value));
    else
        remove_attribute(world_entry(w, key), attribute);
}

void world_also(struct world *w, const char *key, const char *attribute, const char *value)
{
    append(w, world_entry(w, key), attribute, span_of_string(value));
}

struct topology *world_topology(const struct world *w)
{
    struct topology *t = topology_read(&w->entries, NULL);

    topology_check(t);
    return t;
}

struct plan *world_plan(const struct world *w)
{
    struct topology *t = world_topology(w);
    struct plan *plan =
        plan_make(t, &(struct plan_options){.realm = "CORP.EXAMPLE", .generation = 1});

    topology_free(t);
    return plan;
}

bool world_finds(const struct topology *t, const struct world *w, const char *key,
                 enum severity severity, const char *problem)
{
    struct guid id = world_id(key);
    struct guid found;

    for (size_t i = 0; i < t->findings.count; i++) {
        const struct finding *f = &t->findings.items[i];

        if (f->severity != severity || !strstr(f->problem, problem) || *f->remedy == '\0')
            continue;
        for (size_t k = 0; k < w->entries.count; k++) {
            const struct ad_entry *entry = &w->entries.items[k];

            if (strcmp(entry->dn, f->object) == 0 && ad_entry_guid(entry, &found) &&
                guid_equal(&found, &id))
                return true;
        }
    }
    return false;
}

const struct plan_computer *world_planned(const struct plan *plan, const char *computer)
{
    struct guid id = world_id(computer);

    for (size_t i = 0; i < plan->computer_count; i++) {
        if (guid_equal(&plan->computers[i].computer, &id))
            return &plan->computers[i];
    }
    return NULL;
}

const struct folder_assignment *world_share(const struct plan *plan, const char *computer,
                                            const char *folder_key)
{
    const struct plan_computer *c = world_planned(plan, computer);
    struct guid id = world_id(folder_key);

    for (size_t i = 0; c && c->assignment && i < c->assignment->folder_count; i++) {
        if (guid_equal(&c->assignment->folders[i].folder, &id))
            return &c->assignment->folders[i];
    }
    return NULL;
}
