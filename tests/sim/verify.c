/* SPDX-License-Identifier: Apache-2.0 */
/*
 * At the end of some runs: members that are equal find no difference when they hold their records against each
 * other's (agent/replica/verification.h), and what a member then loses without a trace comes again.
 */
#include "tests/sim/member.h"

#include "agent/replica/verification.h"
#include "agent/session/sender.h"

#define VERIFY_SHARE 5 /* one run in so many */
#define PART_COUNT   4u

/* How many records of @from differ from @to's; they leave its vector. */
static size_t verify(struct member *to, struct member *from)
{
    struct verification *v = verification_begin(replica_vector(from->replica));
    const char *rule = NULL;
    bool is_last = false;

    while (!is_last && !rule) {
        struct named_record records[PART_COUNT];
        struct file_id upto = {0};
        size_t count = sender_name_records(&from->store, verification_after(v), records, PART_COUNT,
                                           &upto, &is_last);

        rule = verification_part(v, to->replica, records, count, is_last ? NULL : &upto);
    }
    if (rule)
        world_fail(to->world, "member %u: verification failed: %s", to->index, rule);
    size_t found = verification_found(v);
    if (verification_end(v, to->replica) != ST_OK)
        world_fail(to->world, "member %u: verification was not recorded", to->index);
    verification_free(v);
    return found;
}

static void check_all(struct world *world)
{
    for (unsigned a = 0; a < world->plan.member_count; a++) {
        for (unsigned b = 0; b < world->plan.member_count; b++) {
            if (a == b || verify(world->members[a], world->members[b]) == 0)
                continue;
            world_fail(world, "members %u and %u are equal, and a verification finds differences",
                       a, b);
            return;
        }
    }
}

static const struct record *choose_leaf(struct world *world, const struct member *member)
{
    const struct table *table = memstore_table(member->memory);
    const struct record *chosen = NULL;
    uint64_t count = 0;

    for (const struct record *record = table_next(table, NULL); record;
         record = table_next(table, &record->update.id)) {
        const struct node *node = disk_node(&member->disk, &record->object);

        if (record->update.present && node && !node->child &&
            random_below(&world->random, ++count) == 0)
            chosen = record;
    }
    return chosen;
}

/* From the disk and from the database, and nobody is told. */
static void lose(struct member *member, const struct record *record)
{
    struct file_id id = record->update.id;

    world_trace(member->world, member, "loses %s without a trace",
                (const char *)record->update.name);
    disk_delete(&member->disk, disk_node(&member->disk, &record->object));
    member->store.ops->begin(member->store.arg);
    member->store.ops->forget(member->store.arg, &id);
    if (member->store.ops->commit(member->store.arg) != ST_OK)
        world_fail(member->world, "member %u: the loss was not recorded", member->index);
}

/* False: nobody is left who could tell. */
static bool damage(struct world *world)
{
    struct member *member = world->members[random_below(&world->random, world->plan.member_count)];
    const struct record *record = choose_leaf(world, member);
    size_t partner_count = 0;

    for (size_t i = 0; i < world->edge_count; i++)
        partner_count += world->edges[i].laid && world->edges[i].to == member;
    if (!record || partner_count == 0)
        return false;
    lose(member, record);
    for (size_t i = 0; i < world->edge_count; i++) {
        const struct edge *edge = &world->edges[i];

        /* the first finds it, the others find that it is on its way */
        if (edge->laid && edge->to == member && verify(member, edge->from) != (partner_count > 0)) {
            world_fail(world, "member %u: a lost record was not found once", member->index);
            return false;
        }
        if (edge->laid && edge->to == member)
            partner_count = 0;
    }
    world_count_fault(world, FAULT_record_lost);
    member_vector_grew(member);
    return true;
}

bool verify_end(struct world *world)
{
    if (world->options.seed % VERIFY_SHARE != 0)
        return false;
    check_all(world);
    return !world->result->failed && damage(world);
}
