/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/topology/diff.h"

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/base/scope.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FACT_COUNT_MAX 16

/* An object as a list of named values in text, which is all that a comparison needs. */
struct facts {
    size_t count;
    struct {
        const char *name;
        char *value;
    } items[FACT_COUNT_MAX];
};

static void facts_fini(struct facts *facts)
{
    for (size_t i = 0; i < facts->count; i++)
        free(facts->items[i].value);
}

static void fact(struct facts *facts, const char *name, const char *format, ...) PRINTF_LIKE(3, 4);

static void fact(struct facts *facts, const char *name, const char *format, ...)
{
    va_list args;
    char *value = NULL;

    if (facts->count >= FACT_COUNT_MAX)
        abort();
    va_start(args, format);
    if (vasprintf(&value, format, args) < 0)
        abort();
    va_end(args);
    facts->items[facts->count].name = name;
    facts->items[facts->count++].value = value;
}

static const char *truth(bool value)
{
    return value ? "true" : "false";
}

static void fact_schedule(struct facts *facts, bool has_schedule, const struct schedule *schedule)
{
    uint64_t sum = UINT64_C(14695981039346656037); /* FNV-1a: told apart, not protected */

    if (!has_schedule) {
        fact(facts, "schedule", "default");
        return;
    }
    for (unsigned i = 0; i < SCHEDULE_SIZE; i++)
        sum = (sum ^ schedule->levels[i]) * UINT64_C(1099511628211);
    fact(facts, "schedule", "%016" PRIx64 "%s", sum, schedule->local_time ? " local" : "");
}

/* --- each kind --- */

static void group_facts(const struct topology *t, size_t i, struct facts *facts)
{
    const struct topology_group *g = &t->groups[i];

    fact(facts, "type", "%d", g->type);
    fact_schedule(facts, g->has_schedule, &g->schedule);
    fact(facts, "tombstone-life-min", "%" PRIu64, g->tombstone_life_min);
}

static void folder_facts(const struct topology *t, size_t i, struct facts *facts)
{
    const struct topology_folder *f = &t->folders[i];

    fact(facts, "group", "%s", t->groups[f->group].object.name);
    fact(facts, "file-filter", "%s", f->file_filter);
    fact(facts, "directory-filter", "%s", f->directory_filter);
    fact(facts, "case-insensitive", "%s", truth(f->case_insensitive));
}

static void computer_facts(const struct topology *t, size_t i, struct facts *facts)
{
    const struct topology_computer *c = &t->computers[i];
    scope(buf) struct buf services = {0};

    for (size_t k = 0; k < c->service_count; k++)
        buf_printf(&services, "%s%s", k > 0 ? " " : "", c->services[k]);
    fact(facts, "host", "%s", c->host);
    fact(facts, "account", "%s", c->account);
    fact(facts, "services", "%s", buf_text(&services));
}

static void member_facts(const struct topology *t, size_t i, struct facts *facts)
{
    const struct topology_member *m = &t->members[i];

    fact(facts, "group", "%s", t->groups[m->group].object.name);
    fact(facts, "computer", "%s",
         m->computer == TOPOLOGY_NONE ? "none" : t->computers[m->computer].object.dn);
    fact(facts, "port", "%u", m->port);
}

static void connection_facts(const struct topology *t, size_t i, struct facts *facts)
{
    const struct topology_connection *c = &t->connections[i];

    fact(facts, "receiver", "%s", t->members[c->receiver].object.name);
    fact(facts, "sender", "%s",
         c->sender == TOPOLOGY_NONE ? "none" : t->members[c->sender].object.name);
    fact(facts, "enabled", "%s", truth(c->enabled));
    fact(facts, "rdc", "%s", truth(c->rdc_enabled));
    fact(facts, "rdc-size-min", "%" PRIu64, c->rdc_size_min);
    fact_schedule(facts, c->has_schedule, &c->schedule);
}

static void subscription_facts(const struct topology *t, size_t i, struct facts *facts)
{
    const struct topology_subscription *s = &t->subscriptions[i];

    fact(facts, "member", "%s", t->members[s->member].object.name);
    fact(facts, "folder", "%s", t->folders[s->folder].object.name);
    fact(facts, "root-path", "%s", s->root_path);
    fact(facts, "staging-path", "%s", s->staging_path);
    fact(facts, "preserve-path", "%s", s->preserve_path);
    fact(facts, "staging-bytes-max", "%" PRIu64, s->staging_bytes_max);
    fact(facts, "preserve-bytes-max", "%" PRIu64, s->preserve_bytes_max);
    fact(facts, "enabled", "%s", truth(s->enabled));
    fact(facts, "read-only", "%s", truth(s->read_only));
    fact(facts, "primary", "%s", truth(s->primary));
}

/* --- the walk over both --- */

struct kind_view {
    const char *what;
    size_t count_offset;
    size_t array_offset;
    size_t item_size; /* each begins with its struct topology_object */
    void (*facts)(const struct topology *t, size_t i, struct facts *facts);
};

#define VIEW(singular, plural, type)                                                               \
    {                                                                                              \
        .what = #singular, .count_offset = offsetof(struct topology, singular##_count),            \
        .array_offset = offsetof(struct topology, plural), .item_size = sizeof(struct type),       \
        .facts = singular##_facts                                                                  \
    }

static const struct kind_view views[] = {
    VIEW(group, groups, topology_group),
    VIEW(folder, folders, topology_folder),
    VIEW(computer, computers, topology_computer),
    VIEW(member, members, topology_member),
    VIEW(connection, connections, topology_connection),
    VIEW(subscription, subscriptions, topology_subscription),
};

static size_t count_of(const struct topology *t, const struct kind_view *v)
{
    return t ? *(const size_t *)(const void *)((const char *)t + v->count_offset) : 0;
}

static const struct topology_object *object_at(const struct topology *t, const struct kind_view *v,
                                               size_t i)
{
    const char *array = *(char *const *)(const void *)((const char *)t + v->array_offset);

    return (const struct topology_object *)(const void *)(array + i * v->item_size);
}

static void add_change(struct changes *changes, enum change_kind kind, const struct kind_view *v,
                       const struct topology_object *object, const char *detail)
{
    changes->items = mem_resize(changes->items, changes->count + 1, sizeof(*changes->items));
    changes->items[changes->count++] = (struct change){.kind = kind,
                                                       .what = v->what,
                                                       .id = object->id,
                                                       .name = mem_copy_string(object->name),
                                                       .detail = mem_copy_string(detail)};
}

static void append_alteration(struct buf *detail, const char *name, const char *before,
                              const char *after)
{
    if (strcmp(before, after) != 0)
        buf_printf(detail, "%s%s: %s -> %s", detail->size > 0 ? ", " : "", name, before, after);
}

static void compare(struct changes *changes, const struct kind_view *v,
                    const struct topology *before, size_t i, const struct topology *after, size_t k)
{
    struct facts old_facts = {0};
    struct facts new_facts = {0};
    scope(buf) struct buf detail = {0};

    v->facts(before, i, &old_facts);
    v->facts(after, k, &new_facts);
    append_alteration(&detail, "name", object_at(before, v, i)->dn, object_at(after, v, k)->dn);
    for (size_t f = 0; f < new_facts.count; f++)
        append_alteration(&detail, new_facts.items[f].name, old_facts.items[f].value,
                          new_facts.items[f].value);
    if (detail.size > 0)
        add_change(changes, CHANGE_ALTERED, v, object_at(after, v, k), buf_text(&detail));
    facts_fini(&old_facts);
    facts_fini(&new_facts);
}

static void diff_kind(struct changes *changes, const struct kind_view *v,
                      const struct topology *before, const struct topology *after)
{
    size_t i = 0;
    size_t k = 0;

    while (i < count_of(before, v) || k < count_of(after, v)) {
        int order = i >= count_of(before, v) ? 1
                    : k >= count_of(after, v)
                        ? -1
                        : guid_compare(&object_at(before, v, i)->id, &object_at(after, v, k)->id);

        if (order < 0)
            add_change(changes, CHANGE_REMOVED, v, object_at(before, v, i++), "");
        else if (order > 0)
            add_change(changes, CHANGE_ADDED, v, object_at(after, v, k++), "");
        else
            compare(changes, v, before, i++, after, k++);
    }
}

struct changes topology_diff(const struct topology *before, const struct topology *after)
{
    struct changes changes = {0};

    for (size_t i = 0; i < sizeof(views) / sizeof(views[0]); i++)
        diff_kind(&changes, &views[i], before, after);
    return changes;
}

void changes_fini(struct changes *changes)
{
    for (size_t i = 0; i < changes->count; i++) {
        free(changes->items[i].name);
        free(changes->items[i].detail);
    }
    free(changes->items);
    *changes = (struct changes){0};
}

const char *change_kind_name(enum change_kind kind)
{
    switch (kind) {
    case CHANGE_ADDED:
        return "added";
    case CHANGE_REMOVED:
        return "removed";
    case CHANGE_ALTERED:
        return "altered";
    }
    abort();
}
