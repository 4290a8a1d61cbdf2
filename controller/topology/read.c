/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/topology/topology.h"

#include "common/ad/names.h"
#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/base/scope.h"
#include "common/model/filter.h"
#include "controller/topology/attributes.h"

#include <stdlib.h>
#include <string.h>

#define MB (UINT64_C(1) << 20)

/* In the order in which they are resolved: each kind refers to earlier ones only. */
enum kind {
    KIND_GROUP,
    KIND_FOLDER,
    KIND_COMPUTER,
    KIND_MEMBER,
    KIND_CONNECTION,
    KIND_SUBSCRIBER,
    KIND_SUBSCRIPTION,
    KIND_COUNT,
};

/* An entry on its way to an object. */
struct draft {
    const struct ad_entry *entry;
    char *normal; /* its name in normal form */
    struct guid id;
    enum kind kind;
    size_t index; /* in the topology's array of its kind; TOPOLOGY_NONE when it was left out */
};

struct reader_state {
    struct topology *t;
    const struct topology *previous;
    struct draft *drafts; /* ascending by kind, then identity, then name */
    size_t draft_count;
    struct draft **by_name; /* the same, ascending by name */
};

/* --- drafts --- */

static bool kind_of(const struct ad_entry *entry, enum kind *out_kind)
{
    static const char *const classes[KIND_COUNT] = {[KIND_GROUP] = "msDFSR-ReplicationGroup",
                                                    [KIND_FOLDER] = "msDFSR-ContentSet",
                                                    [KIND_COMPUTER] = "computer",
                                                    [KIND_MEMBER] = "msDFSR-Member",
                                                    [KIND_CONNECTION] = "msDFSR-Connection",
                                                    [KIND_SUBSCRIBER] = "msDFSR-Subscriber",
                                                    [KIND_SUBSCRIPTION] = "msDFSR-Subscription"};

    for (unsigned k = 0; k < KIND_COUNT; k++) {
        if (ad_entry_has_class(entry, classes[k])) {
            *out_kind = (enum kind)k;
            return true;
        }
    }
    return false;
}

static int by_kind_and_id(const void *a, const void *b)
{
    const struct draft *left = a;
    const struct draft *right = b;

    if (left->kind != right->kind)
        return left->kind < right->kind ? -1 : 1;
    int order = guid_compare(&left->id, &right->id);
    return order != 0 ? order : strcmp(left->normal, right->normal);
}

static int by_name(const void *a, const void *b)
{
    struct draft *const *left = a;
    struct draft *const *right = b;
    int order = strcmp((*left)->normal, (*right)->normal);

    return order != 0 ? order : by_kind_and_id(*left, *right);
}

static void make_draft(struct reader_state *r, const struct ad_entry *entry)
{
    struct draft d = {.entry = entry, .index = TOPOLOGY_NONE};

    if (!kind_of(entry, &d.kind))
        return;
    if (!ad_entry_guid(entry, &d.id)) {
        findings_add(&r->t->findings, SEVERITY_ERROR, entry->dn,
                     "on OpenLDAP write a 16-byte objectGUID, or remove the malformed one",
                     "the object has no usable objectGUID and no entryUUID");
        return;
    }
    d.normal = ad_dn_normalise(entry->dn);
    if (!d.normal) {
        findings_add(&r->t->findings, SEVERITY_ERROR, entry->dn, "rename the object",
                     "the object's name is malformed or longer than allowed");
        return;
    }
    r->drafts[r->draft_count++] = d;
}

static void make_drafts(struct reader_state *r, const struct ad_entries *entries)
{
    r->drafts = mem_new(entries->count, sizeof(*r->drafts));
    for (size_t i = 0; i < entries->count; i++)
        make_draft(r, &entries->items[i]);
    r->by_name = mem_new(r->draft_count, sizeof(struct draft *));
    if (r->draft_count == 0)
        return;
    qsort(r->drafts, r->draft_count, sizeof(*r->drafts), by_kind_and_id);
    for (size_t i = 0; i < r->draft_count; i++)
        r->by_name[i] = &r->drafts[i];
    qsort(r->by_name, r->draft_count, sizeof(struct draft *), by_name);
}

static const struct draft *find_normal(const struct reader_state *r, const char *normal,
                                       enum kind kind)
{
    size_t low = 0;
    size_t high = r->draft_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(r->by_name[middle]->normal, normal) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < r->draft_count && strcmp(r->by_name[low]->normal, normal) == 0; low++) {
        if (r->by_name[low]->kind == kind && r->by_name[low]->index != TOPOLOGY_NONE)
            return r->by_name[low];
    }
    return NULL;
}

/* The object that an attribute names; NULL when it is missing, malformed or left out. */
static const struct draft *find_named(const struct reader_state *r, const struct ad_entry *entry,
                                      const char *attribute, enum kind kind)
{
    const char *dn = ad_entry_text(entry, attribute);
    scope_free char *normal = dn ? ad_dn_normalise(dn) : NULL;

    return normal ? find_normal(r, normal, kind) : NULL;
}

static const struct draft *find_above(const struct reader_state *r, const struct draft *d,
                                      unsigned levels, enum kind kind)
{
    const char *normal = d->normal;

    for (unsigned i = 0; i < levels && normal; i++)
        normal = ad_dn_parent(normal);
    return normal ? find_normal(r, normal, kind) : NULL;
}

/* --- objects --- */

/* Control bytes would reach terminals and logs; a name too long is cut between characters. */
static char *printable_name(const char *dn)
{
    char *name = ad_dn_leaf(dn);
    size_t size = strlen(name);

    if (size > OBJECT_NAME_SIZE_MAX) {
        size = OBJECT_NAME_SIZE_MAX;
        while (size > 0 && ((uint8_t)name[size] & 0xc0) == 0x80)
            size--;
        name[size] = '\0';
    }
    for (char *p = name; *p; p++) {
        if ((uint8_t)*p < 0x20 || *p == 0x7f)
            *p = '?';
    }
    if (*name)
        return name;
    free(name);
    return mem_copy_string("?");
}

static struct topology_object object_of(const struct draft *d)
{
    return (struct topology_object){
        .id = d->id, .dn = mem_copy_string(d->entry->dn), .name = printable_name(d->entry->dn)};
}

static void left_out(struct reader_state *r, const struct draft *d, const char *remedy,
                     const char *problem)
{
    findings_add(&r->t->findings, SEVERITY_ERROR, d->entry->dn, remedy, "%s", problem);
}

static bool read_option(struct reader_state *r, const struct ad_entry *entry)
{
    /* bit 0: local time on groups and connections, primary on subscriptions; others mean nothing */
    return (attribute_integer(
                entry,
                (struct integer_rule){.name = "msDFSR-Options", .min = INT32_MIN, .max = INT32_MAX},
                &r->t->findings) &
            1) != 0;
}

/*
 * True when the object has a schedule: its own, or where that is malformed the one that was good
 * last, or a closed one. A broken schedule never opens what was meant to be closed.
 */
static bool read_schedule(struct reader_state *r, const struct ad_entry *entry,
                          const struct schedule *last_good, struct schedule *out)
{
    bool local_time = read_option(r, entry);
    struct span raw;

    if (!ad_entry_value(entry, "msDFSR-Schedule", &raw))
        return false;
    if (schedule_parse(raw, local_time, out))
        return true;
    findings_add(&r->t->findings, SEVERITY_ERROR, entry->dn,
                 "store a schedule of 336 bytes, or remove the attribute",
                 "msDFSR-Schedule has %zu bytes instead of 336; %s", raw.size,
                 last_good ? "the last good one stays in force" : "taken as closed");
    *out = last_good ? *last_good : (struct schedule){0};
    return true;
}

static enum topology_group_type read_group_type(struct reader_state *r,
                                                const struct ad_entry *entry)
{
    int64_t type = attribute_integer(entry,
                                     (struct integer_rule){.name = "msDFSR-ReplicationGroupType",
                                                           .absent = GROUP_GENERAL,
                                                           .min = GROUP_GENERAL,
                                                           .max = GROUP_DISTRIBUTION},
                                     &r->t->findings);

    return (enum topology_group_type)type;
}

static const struct topology_group *previous_group(const struct reader_state *r,
                                                   const struct guid *id)
{
    for (size_t i = 0; r->previous && i < r->previous->group_count; i++) {
        if (guid_equal(&r->previous->groups[i].object.id, id))
            return &r->previous->groups[i];
    }
    return NULL;
}

static void read_group(struct reader_state *r, struct draft *d)
{
    const struct topology_group *before = previous_group(r, &d->id);
    struct topology_group *g = &r->t->groups[r->t->group_count];

    g->object = object_of(d);
    g->type = read_group_type(r, d->entry);
    g->has_schedule = read_schedule(
        r, d->entry, before && before->has_schedule ? &before->schedule : NULL, &g->schedule);
    g->tombstone_life_min =
        (uint64_t)attribute_integer(d->entry,
                                    (struct integer_rule){.name = "msDFSR-TombstoneExpiryInMin",
                                                          .absent = TOMBSTONE_LIFE_MIN_DEFAULT,
                                                          .min = 1,
                                                          .max = TOMBSTONE_LIFE_MIN_MAX},
                                    &r->t->findings);
    d->index = r->t->group_count++;
}

static void read_folder(struct reader_state *r, struct draft *d)
{
    const struct draft *group = find_above(r, d, 2, KIND_GROUP);
    struct topology_folder *f = &r->t->folders[r->t->folder_count];

    if (!group) {
        left_out(r, d, "move it beneath CN=Content of its group, or delete it",
                 "the folder belongs to no group");
        return;
    }
    f->object = object_of(d);
    f->group = group->index;
    f->file_filter = attribute_text(d->entry, "msDFSR-FileFilter", FILTER_FILE_DEFAULT);
    f->directory_filter = attribute_text(d->entry, "msDFSR-DirectoryFilter", "");
    const char *extension = ad_entry_text(d->entry, "msDFSR-Extension");
    f->case_insensitive = extension && text_has_word(extension, "coterie-case-insensitive", NULL);
    d->index = r->t->folder_count++;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void read_services(const struct ad_entry *entry, struct topology_computer *c)
{
    const struct ad_attribute *services = ad_entry_attribute(entry, "servicePrincipalName");

    if (!services)
        return;
    c->services = mem_new(services->value_count, sizeof(*c->services));
    for (size_t i = 0; i < services->value_count; i++) {
        const struct ad_value *v = &services->values[i];

        if (v->size > 0 && !memchr(v->data, 0, v->size))
            c->services[c->service_count++] = mem_copy_string((const char *)v->data);
    }
    if (c->service_count > 1)
        qsort(c->services, c->service_count, sizeof(*c->services), by_text);
}

static void read_computer(struct reader_state *r, struct draft *d)
{
    const int64_t account_disabled = 0x2;
    struct topology_computer *c = &r->t->computers[r->t->computer_count];

    c->object = object_of(d);
    c->host = attribute_text(d->entry, "dNSHostName", "");
    c->account = attribute_text(d->entry, "sAMAccountName", "");
    read_services(d->entry, c);
    int64_t control = attribute_integer(
        d->entry,
        (struct integer_rule){.name = "userAccountControl", .min = INT32_MIN, .max = UINT32_MAX},
        &r->t->findings);
    if (control & account_disabled) {
        c->object.problem = mem_copy_string("the computer's account is disabled");
        left_out(r, d, "enable the account, or remove the computer from its groups",
                 c->object.problem);
    }
    d->index = r->t->computer_count++;
}

static uint16_t read_port(struct reader_state *r, const struct ad_entry *entry)
{
    const char *keywords = ad_entry_text(entry, "msDFSR-Keywords");
    scope_free char *text = NULL;

    if (!keywords || !text_has_word(keywords, "coterie-port=", &text))
        return AGENT_PORT_DEFAULT;
    char *end;
    unsigned long port = strtoul(text, &end, 10);
    if (text[0] >= '1' && text[0] <= '9' && *end == '\0' && port <= UINT16_MAX)
        return (uint16_t)port;
    findings_add(&r->t->findings, SEVERITY_WARNING, entry->dn,
                 "write coterie-port=N with N from 1 to 65535",
                 "the port in msDFSR-Keywords is not a number; taken as %d", AGENT_PORT_DEFAULT);
    return AGENT_PORT_DEFAULT;
}

static void read_member(struct reader_state *r, struct draft *d)
{
    const struct draft *group = find_above(r, d, 2, KIND_GROUP);
    const struct draft *computer =
        find_named(r, d->entry, "msDFSR-ComputerReference", KIND_COMPUTER);
    struct topology_member *m = &r->t->members[r->t->member_count];

    if (!group) {
        left_out(r, d, "move it beneath CN=Topology of its group, or delete it",
                 "the member belongs to no group");
        return;
    }
    m->object = object_of(d);
    m->group = group->index;
    m->computer = computer ? computer->index : TOPOLOGY_NONE;
    if (computer) { /* a member's own name is an arbitrary GUID */
        free(m->object.name);
        m->object.name = mem_copy_string(r->t->computers[m->computer].object.name);
    }
    m->port = read_port(r, d->entry);
    d->index = r->t->member_count++;
}

static const struct topology_connection *previous_connection(const struct reader_state *r,
                                                             const struct guid *id)
{
    size_t low = 0;
    size_t high = r->previous ? r->previous->connection_count : 0;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = guid_compare(&r->previous->connections[middle].object.id, id);

        if (order == 0)
            return &r->previous->connections[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static void read_connection(struct reader_state *r, struct draft *d)
{
    const struct draft *receiver = find_above(r, d, 1, KIND_MEMBER);
    const struct draft *sender = find_named(r, d->entry, "fromServer", KIND_MEMBER);
    const struct topology_connection *before = previous_connection(r, &d->id);
    struct topology_connection *c = &r->t->connections[r->t->connection_count];
    struct findings *findings = &r->t->findings;

    if (!receiver) {
        left_out(r, d, "move it beneath the receiving member, or delete it",
                 "the connection stands beneath no member");
        return;
    }
    c->object = object_of(d);
    c->receiver = receiver->index;
    c->sender = sender ? sender->index : TOPOLOGY_NONE;
    c->enabled = attribute_boolean(
        d->entry, (struct boolean_rule){.name = "msDFSR-Enabled", .absent = true}, findings);
    c->rdc_enabled = attribute_boolean(
        d->entry,
        (struct boolean_rule){.name = "msDFSR-RdcEnabled", .absent = true, .malformed = true},
        findings);
    c->rdc_size_min = 1024 * (uint64_t)attribute_integer(
                                 d->entry,
                                 (struct integer_rule){.name = "msDFSR-RdcMinFileSizeInKb",
                                                       .absent = RDC_SIZE_KB_DEFAULT,
                                                       .max = (int64_t)(QUOTA_BYTES_MAX / 1024)},
                                 findings);
    c->has_schedule = read_schedule(
        r, d->entry, before && before->has_schedule ? &before->schedule : NULL, &c->schedule);
    d->index = r->t->connection_count++;
}

/* Only its member counts: its index is that of the member. */
static void read_subscriber(struct reader_state *r, struct draft *d)
{
    const struct draft *member = find_named(r, d->entry, "msDFSR-MemberReference", KIND_MEMBER);
    const struct draft *computer = find_above(r, d, 2, KIND_COMPUTER);

    if (!member) {
        left_out(r, d, "correct msDFSR-MemberReference, or delete the subscriber",
                 "msDFSR-MemberReference names no member");
        return;
    }
    if (!computer || r->t->members[member->index].computer != computer->index) {
        left_out(r, d, "correct msDFSR-MemberReference, or the member's msDFSR-ComputerReference",
                 "the subscriber names a member of another computer");
        return;
    }
    d->index = member->index;
}

static uint64_t read_created(const struct ad_entry *entry)
{
    const char *text = ad_entry_text(entry, "whenCreated");

    if (!text)
        text = ad_entry_text(entry, "createTimestamp");
    if (!text || strspn(text, "0123456789") != 14)
        return 0;
    return strtoull(text, NULL, 10);
}

static uint64_t read_quota(struct reader_state *r, const struct ad_entry *entry, const char *name,
                           int64_t absent)
{
    struct integer_rule rule = {.name = name,
                                .absent = absent,
                                .min = QUOTA_MB_MIN,
                                .max = (int64_t)(QUOTA_BYTES_MAX / MB)};

    return MB * (uint64_t)attribute_integer(entry, rule, &r->t->findings);
}

static const struct draft *find_folder(const struct reader_state *r, const struct guid *id)
{
    size_t low = 0;
    size_t high = r->draft_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct draft *d = &r->drafts[middle];

        if (d->kind < KIND_FOLDER || (d->kind == KIND_FOLDER && guid_compare(&d->id, id) < 0))
            low = middle + 1;
        else
            high = middle;
    }
    /* of several with one identity the first was taken */
    const struct draft *d = low < r->draft_count ? &r->drafts[low] : NULL;
    return d && d->kind == KIND_FOLDER && guid_equal(&d->id, id) && d->index != TOPOLOGY_NONE
               ? d
               : NULL;
}

static void read_subscription(struct reader_state *r, struct draft *d)
{
    const struct draft *subscriber = find_above(r, d, 1, KIND_SUBSCRIBER);
    struct topology_subscription *s = &r->t->subscriptions[r->t->subscription_count];
    struct findings *findings = &r->t->findings;
    struct guid folder_id;

    if (!subscriber)
        return; /* its subscriber was reported, or it is somebody else's object */
    if (!attribute_guid(d->entry, "msDFSR-ContentSetGuid", &folder_id, findings))
        return;
    const struct draft *folder = find_folder(r, &folder_id);
    if (!folder || r->t->folders[folder->index].group != r->t->members[subscriber->index].group) {
        left_out(r, d, "correct msDFSR-ContentSetGuid, or delete the subscription",
                 "msDFSR-ContentSetGuid names no folder of the member's group");
        return;
    }
    s->object = object_of(d);
    free(s->object.name);
    s->object.name = mem_copy_string(r->t->folders[folder->index].object.name);
    s->member = subscriber->index;
    s->folder = folder->index;
    s->root_path = attribute_text(d->entry, "msDFSR-RootPath", "");
    s->staging_path = attribute_text(d->entry, "msDFSR-StagingPath", "");
    s->preserve_path = attribute_text(d->entry, "msDFSR-ConflictPath", "");
    s->staging_bytes_max = read_quota(r, d->entry, "msDFSR-StagingSizeInMb", STAGING_MB_DEFAULT);
    s->preserve_bytes_max = read_quota(r, d->entry, "msDFSR-ConflictSizeInMb", PRESERVE_MB_DEFAULT);
    s->enabled =
        attribute_boolean(d->entry, (struct boolean_rule){.name = "msDFSR-Enabled"}, findings);
    s->read_only = attribute_boolean(
        d->entry, (struct boolean_rule){.name = "msDFSR-ReadOnly", .malformed = true}, findings);
    s->primary = read_option(r, d->entry);
    s->created = read_created(d->entry);
    d->index = r->t->subscription_count++;
}

/* --- the whole --- */

static void reserve(struct reader_state *r)
{
    size_t counts[KIND_COUNT] = {0};

    for (size_t i = 0; i < r->draft_count; i++)
        counts[r->drafts[i].kind]++;
    r->t->groups = mem_new(counts[KIND_GROUP], sizeof(*r->t->groups));
    r->t->folders = mem_new(counts[KIND_FOLDER], sizeof(*r->t->folders));
    r->t->computers = mem_new(counts[KIND_COMPUTER], sizeof(*r->t->computers));
    r->t->members = mem_new(counts[KIND_MEMBER], sizeof(*r->t->members));
    r->t->connections = mem_new(counts[KIND_CONNECTION], sizeof(*r->t->connections));
    r->t->subscriptions = mem_new(counts[KIND_SUBSCRIPTION], sizeof(*r->t->subscriptions));
}

struct topology *topology_read(const struct ad_entries *entries, const struct topology *previous)
{
    static void (*const readers[KIND_COUNT])(struct reader_state *, struct draft *) = {
        [KIND_GROUP] = read_group,
        [KIND_FOLDER] = read_folder,
        [KIND_COMPUTER] = read_computer,
        [KIND_MEMBER] = read_member,
        [KIND_CONNECTION] = read_connection,
        [KIND_SUBSCRIBER] = read_subscriber,
        [KIND_SUBSCRIPTION] = read_subscription};
    struct reader_state r = {.t = MEM_NEW(struct topology), .previous = previous};

    make_drafts(&r, entries);
    reserve(&r);
    for (size_t i = 0; i < r.draft_count; i++) {
        struct draft *d = &r.drafts[i];

        if (i > 0 && d[-1].kind == d->kind && guid_equal(&d[-1].id, &d->id)) {
            if (strcmp(d[-1].normal, d->normal) != 0)
                left_out(&r, d, "give one of the two a new objectGUID",
                         "another object of its kind has the same objectGUID");
        } else {
            readers[d->kind](&r, d);
        }
    }
    for (size_t i = 0; i < r.draft_count; i++)
        free(r.drafts[i].normal);
    free(r.drafts);
    free(r.by_name);
    return r.t;
}
