/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Properties of the way from entries to assignments, on random directories, broken ones too:
 * the order of what the directory returns does not matter; each assignment is one that an agent
 * accepts; and both ends of a connection are told the same.
 */
#include "tests/support/world.h"

#include "common/base/mem.h"
#include "common/base/scope.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

#define ROUND_COUNT 300

static uint64_t random_state;

static uint64_t next_random(void)
{
    random_state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = random_state;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static size_t below(size_t n)
{
    return (size_t)(next_random() % n);
}

static const char *const computers[] = {"fs1", "fs2", "fs3", "fs4"};
static const char *const folders[] = {"cad", "office", "home"};

static void random_group(struct world *w, const char *group)
{
    world_group(w, group);
    for (size_t f = 0; f < 3; f++)
        world_folder(w, group, folders[f]);
    for (size_t m = 0; m < 4; m++) {
        if (below(5) > 0)
            world_member(w, group, computers[m]);
        for (size_t f = 0; f < 3; f++) {
            if (below(3) > 0)
                world_subscription(w, group, computers[m], folders[f]);
        }
        for (size_t s = 0; s < 4; s++) {
            if (below(2) > 0)
                world_connection(w, group, computers[s], computers[m]);
        }
    }
}

/* Replaces, removes or copies values at random: what an administrator with a bad day could do. */
static void damage(struct world *w)
{
    static const char *const values[] = {"",  "TRUE",     "FALSE", "1",    "-1",
                                         "x", "/srv/cad", "/srv",  "C:\\", "99999999999999999999"};
    struct ad_entry *entry = &w->entries.items[below(w->entries.count)];
    struct ad_entry *other = &w->entries.items[below(w->entries.count)];
    struct ad_attribute *a = &entry->attributes[below(entry->attribute_count)];
    struct ad_attribute *from = &other->attributes[below(other->attribute_count)];
    struct span value = below(2) == 0 ? span_of_string(values[below(10)])
                                      : span_of(from->values[0].data, from->values[0].size);
    struct ad_value copy = {.data = mem_new(value.size + 1, 1), .size = value.size};

    if (value.size > 0)
        memcpy(copy.data, value.data, value.size);
    free(a->values[0].data);
    a->values[0] = copy;
}

static void random_world(struct world *w)
{
    static const char *const optional[] = {"msDFSR-Options", "msDFSR-ReadOnly", "msDFSR-Schedule",
                                           "whenCreated"};

    for (size_t i = 0; i < 4; i++) {
        world_computer(w, computers[i]);
        ad_entries_add_value(&w->entries, "servicePrincipalName", span_of_string("HOST/x"));
        ad_entries_add_value(&w->entries, "servicePrincipalName", span_of_string("host/y"));
    }
    random_group(w, "g");
    random_group(w, "h");
    for (size_t i = below(20); i > 0; i--) {
        ad_entries_add_value(&w->entries, optional[below(4)], span_of_string("1"));
        damage(w);
    }
}

/* Backwards where the schema allows several. */
static void copy_values(struct ad_entries *out, const struct ad_attribute *a)
{
    bool several =
        strcmp(a->name, "objectClass") == 0 || strcmp(a->name, "servicePrincipalName") == 0;

    for (size_t v = 0; v < a->value_count; v++) {
        const struct ad_value *value = &a->values[several ? a->value_count - 1 - v : v];

        ad_entries_add_value(out, a->name, span_of(value->data, value->size));
    }
}

/* The same content, told in another order: entries, attributes, values. */
static struct ad_entries shuffled(const struct ad_entries *entries)
{
    struct ad_entries out = {0};
    size_t *order = mem_new(entries->count, sizeof(*order));

    for (size_t i = 0; i < entries->count; i++) {
        size_t k = below(i + 1);
        order[i] = order[k];
        order[k] = i;
    }
    for (size_t i = 0; i < entries->count; i++) {
        const struct ad_entry *e = &entries->items[order[i]];

        ad_entries_add(&out, e->dn);
        for (size_t a = e->attribute_count; a-- > 0;)
            copy_values(&out, &e->attributes[a]);
    }
    free(order);
    return out;
}

static void append_findings(struct buf *out, const struct findings *findings)
{
    for (size_t i = 0; i < findings->count; i++)
        buf_printf(out, "%s|%s|%s|%s\n", severity_name(findings->items[i].severity),
                   findings->items[i].object, findings->items[i].problem,
                   findings->items[i].remedy);
}

/* Everything that comes out, as bytes. */
static void plan_bytes(const struct ad_entries *entries, struct buf *out)
{
    struct topology *t = topology_read(entries, NULL);
    topology_check(t);
    struct plan *plan = plan_make(t, &(struct plan_options){.realm = "R"});

    for (size_t i = 0; i < plan->computer_count; i++) {
        struct buf bytes = {0};
        struct assignment *read = NULL;
        char *problem = NULL;

        assignment_encode(plan->computers[i].assignment, &bytes);
        if (!assignment_decode(buf_span(&bytes), &read, &problem))
            fail_msg("an agent would refuse: %s", problem);
        assignment_free(read);
        buf_append(out, bytes.data, bytes.size);
        buf_fini(&bytes);
    }
    append_findings(out, &t->findings);
    append_findings(out, &plan->findings);
    plan_free(plan);
    topology_free(t);
}

static bool mirrored(const struct plan *plan, const struct folder_assignment *f,
                     const struct connection_assignment *in)
{
    for (size_t i = 0; i < plan->computer_count; i++) {
        const struct assignment *a = plan->computers[i].assignment;

        for (size_t k = 0; k < a->folder_count; k++) {
            const struct folder_assignment *other = &a->folders[k];

            if (!guid_equal(&other->folder, &f->folder) ||
                !guid_equal(&other->member, &in->partner_member))
                continue;
            for (size_t c = 0; c < other->outbound_count; c++) {
                const struct connection_assignment *o = &other->outbound[c];

                if (guid_equal(&o->connection, &in->connection))
                    return guid_equal(&o->partner_member, &f->member) &&
                           o->enabled == in->enabled &&
                           memcmp(o->schedule.levels, in->schedule.levels, SCHEDULE_SIZE) == 0;
            }
        }
    }
    return false;
}

static void the_order_of_entries_and_values_does_not_matter(void **state)
{
    (void)state;

    for (unsigned round = 0; round < ROUND_COUNT; round++) {
        struct world w = {0};
        scope(buf) struct buf first = {0};
        scope(buf) struct buf second = {0};

        random_world(&w);
        struct ad_entries other = shuffled(&w.entries);
        plan_bytes(&w.entries, &first);
        plan_bytes(&other, &second);
        if (!span_equal(buf_span(&first), buf_span(&second)))
            fail_msg("round %u", round);
        ad_entries_fini(&other);
        world_fini(&w);
    }
}

static void both_ends_of_a_connection_are_told_the_same(void **state)
{
    size_t seen_count = 0;
    (void)state;

    for (unsigned round = 0; round < ROUND_COUNT; round++) {
        struct world w = {0};

        random_world(&w);
        struct plan *plan = world_plan(&w);
        for (size_t i = 0; i < plan->computer_count; i++) {
            const struct assignment *a = plan->computers[i].assignment;

            for (size_t k = 0; k < a->folder_count; k++) {
                for (size_t c = 0; c < a->folders[k].inbound_count; c++, seen_count++) {
                    if (!mirrored(plan, &a->folders[k], &a->folders[k].inbound[c]))
                        fail_msg("round %u", round);
                }
            }
        }
        plan_free(plan);
        world_fini(&w);
    }
    assert_true(seen_count > ROUND_COUNT); /* the property was put to the test */
}

int main(void)
{
    const char *given = getenv("COTERIE_SEED");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_order_of_entries_and_values_does_not_matter),
        cmocka_unit_test(both_ends_of_a_connection_are_told_the_same),
    };

    random_state = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    printf("COTERIE_SEED=%llu\n", (unsigned long long)random_state);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
