/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/member.h"

#include "common/base/mem.h"
#include "common/base/scope.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const struct guid folder_guid = {.bytes = {0xf0, 0x1d, 0xe4}};

static struct guid database_guid(unsigned index)
{
    return (struct guid){.bytes = {0xdb, (uint8_t)index}};
}

void member_open(struct member *member)
{
    const struct replica_options options = {
        .folder = folder_guid,
        .store = memstore_port(member->store),
        .primary = member->primary,
        .read_only = member->read_only,
        .fresh_database = database_guid(member->index),
        .log = &member->log,
    };
    enum status st = replica_open(&options, &member->replica);

    assert(st == ST_OK);
    (void)st;
}

void member_init(struct member *member, unsigned index, bool primary)
{
    *member = (struct member){.index = index, .primary = primary, .now = {.ns = 1000000}};
    log_ctx_init(&member->log, NULL, "member=%u", index);
    modeldisk_init(&member->disk);
    member->store = memstore_new(false);
    member_open(member);
}

void member_make_read_only(struct member *member)
{
    member->read_only = true;
    replica_close(member->replica);
    member_open(member);
}

void member_fini(struct member *member)
{
    replica_close(member->replica);
    memstore_free(member->store);
    modeldisk_fini(&member->disk);
    *member = (struct member){0};
}

void member_copy(struct member *to, const struct member *from)
{
    struct modeldisk disk = {0};

    modeldisk_copy(&disk, &from->disk);
    *to = *from;
    to->disk = disk;
    to->store = memstore_clone(from->store);
    member_open(to);
}

/* --- looking --- */

/* With COTERIE_TRACE set, what happens is told. */
static bool is_traced(void)
{
    return getenv("COTERIE_TRACE") != NULL;
}

static const struct record *record_of(const struct member *member, uint64_t number)
{
    struct object object = modeldisk_object(number);

    return table_by_object(memstore_table(member->store), &object);
}

static uint64_t number_of(const struct object *object)
{
    uint64_t number = 0;

    if (object->size == sizeof(number))
        memcpy(&number, object->bytes, sizeof(number));
    return number;
}

static bool is_seen(const struct member *member, const struct object *object)
{
    const struct model_node *node = modeldisk_node(&member->disk, number_of(object));

    return node != NULL && modeldisk_is_scanned(&member->disk, node);
}

static bool parent_id(const struct member *member, const struct model_node *node,
                      struct file_id *out_id)
{
    const struct record *record;

    if (node->parent == MODEL_ROOT) {
        *out_id = replica_root(member->replica);
        return true;
    }
    record = record_of(member, node->parent);
    if (record == NULL)
        return false;
    *out_id = record->update.id;
    return true;
}

/* The record that holds a node's place for another object; NULL: none. */
static const struct record *holder_of(const struct member *member, const struct model_node *node)
{
    struct object object = modeldisk_object(node->number);
    struct file_id parent;
    const struct record *holder;

    if (!parent_id(member, node, &parent))
        return NULL;
    holder = table_by_name(memstore_table(member->store), &parent, span_of_string(node->name));
    return holder != NULL && !object_equal(&holder->object, &object) ? holder : NULL;
}

/* @attributes is lent to what is returned. */
static struct observation observation_of(const struct model_node *node, uint8_t *attributes)
{
    *attributes = (uint8_t)node->attributes;
    return (struct observation){
        .name = span_of_string(node->name),
        .kind = node->kind,
        .object = modeldisk_object(node->number),
        .witness = modeldisk_witness(node),
        .size = node->kind == FILE_DIRECTORY ? 0 : node->content,
        .hash = modeldisk_hash(node->content),
        .attributes = span_of(attributes, 1),
        .create_time = node->birth,
    };
}

static enum observed observe(struct member *member, struct change *change,
                             const struct model_node *node)
{
    uint8_t attributes;
    const struct record *holder = holder_of(member, node);
    struct observation seen = observation_of(node, &attributes);
    struct file_id id;

    if (!parent_id(member, node, &seen.parent))
        return OBSERVED_LATER;
    return replica_observe(change, &seen, holder != NULL && !is_seen(member, &holder->object), &id);
}

/* Nothing moved on: somewhere names go round in a cycle. */
static bool displace(struct member *member, struct change *change, const bool *done)
{
    for (size_t i = 0; i < member->disk.node_count; i++) {
        const struct record *holder;

        if (done[i])
            continue;
        holder = holder_of(member, &member->disk.nodes[i]);
        if (holder != NULL && is_seen(member, &holder->object)) {
            struct file_id id = holder->update.id;

            replica_observe_displaced(change, &id);
            return true;
        }
    }
    return false;
}

static void observe_all(struct member *member, struct change *change)
{
    size_t count = member->disk.node_count;
    scope_free bool *done = mem_new(count, sizeof(*done));
    bool going = true;

    for (size_t i = 0; i < count; i++)
        done[i] = !modeldisk_is_scanned(&member->disk, &member->disk.nodes[i]);
    while (going) {
        bool later = false;

        going = false;
        for (size_t i = 0; i < count; i++) {
            if (done[i])
                continue;
            done[i] = observe(member, change, &member->disk.nodes[i]) != OBSERVED_LATER;
            going = going || done[i];
            later = later || !done[i];
        }
        if (later && !going)
            going = displace(member, change, done);
    }
    for (size_t i = 0; i < count; i++) {
        if (!done[i]) {
            printf("# member %u cannot observe %" PRIu64 "\n", member->index,
                   member->disk.nodes[i].number);
            member_print(member);
            fflush(stdout);
        }
        assert(done[i]);
    }
}

/* A step that failed may have changed what is parked. */
static void observe_parked(struct member *member, struct change *change)
{
    const struct model_node *dir = modeldisk_at(&member->disk, PARKED_DIR);

    for (size_t i = 0; i < member->disk.node_count; i++) {
        const struct model_node *node = &member->disk.nodes[i];
        uint8_t attributes;
        struct observation seen = observation_of(node, &attributes);

        if (node->number != 0 && node->parent == dir->number)
            (void)replica_observe_parked(change, &seen);
    }
}

static void observe_missing(struct member *member, struct change *change)
{
    const struct table *table = memstore_table(member->store);
    const struct record *record = table_next(table, NULL);

    while (record != NULL) {
        struct file_id id = record->update.id;

        if (record->update.present &&
            modeldisk_node(&member->disk, number_of(&record->object)) == NULL)
            replica_observe_gone(change, &id);
        record = table_next(table, &id);
    }
}

void member_scan(struct member *member)
{
    struct change *change;
    size_t count;
    enum status st;

    member->now.ns++;
    change = replica_change_begin(member->replica, member->now);
    observe_all(member, change);
    observe_parked(member, change);
    observe_missing(member, change);
    st = replica_change_commit(change, &count);
    assert(st == ST_OK);
    if (is_traced() && count > 0)
        printf("# member %u scanned %zu changes\n", member->index, count);
    st = replica_initial_scan_done(member->replica);
    assert(st == ST_OK);
    (void)st;
}

/* --- dying --- */

static bool intent_shows(const struct member *member, const struct intent *intent, const char *path,
                         struct step_result *out_result)
{
    const struct model_node *node = modeldisk_at(&member->disk, path);
    uint64_t number = number_of(&intent->object);

    *out_result = (struct step_result){.status = ST_OK};
    if (!intent->update.present) {
        const struct record *record = table_get(memstore_table(member->store), &intent->update.id);

        return record == NULL || !is_seen(member, &record->object);
    }
    if (node == NULL || node->kind != intent->update.kind)
        return false;
    if (number != 0 ? node->number != number : record_of(member, node->number) != NULL)
        return false;
    if ((uint8_t)node->attributes !=
        (intent->update.attributes_size > 0 ? intent->update.attributes[0] : (uint8_t)'a'))
        return false;
    if (node->kind != FILE_DIRECTORY && node->content != modeldisk_content_of(&intent->update.hash))
        return false;
    out_result->object = modeldisk_object(node->number);
    out_result->witness = modeldisk_witness(node);
    return true;
}

/* What stands in the private directory and belongs to no parked record is left over: it is kept. */
static void sweep_parked(struct member *member)
{
    const struct model_node *dir = modeldisk_at(&member->disk, PARKED_DIR);

    for (size_t i = 0; i < member->disk.node_count; i++) {
        const struct model_node *node = &member->disk.nodes[i];
        const struct record *record;

        if (node->number == 0 || node->parent != dir->number)
            continue;
        record = record_of(member, node->number);
        if (record == NULL || record->place != PLACE_PARKED)
            modeldisk_keep_leftover(&member->disk, node->number);
    }
}

static void recover(struct member *member)
{
    bool done[4096];
    struct step_result results[4096];
    size_t count = 0;
    struct intent intent = {0};
    const char *path;

    while (count < 4096 && replica_intent(member->replica, count, &intent, &path)) {
        done[count] = intent_shows(member, &intent, path, &results[count]);
        count++;
    }
    intent_fini(&intent);

    enum status st = replica_recover(member->replica, done, results, count);

    assert(st == ST_OK);
    (void)st;
    sweep_parked(member);
}

void member_crash(struct member *member)
{
    replica_close(member->replica);
    memstore_crash(member->store);
    member_open(member);
    recover(member);
    member_scan(member);
}

/* --- pulling --- */

enum item_state { ITEM_OPEN, ITEM_DONE, ITEM_FAILED };

struct item {
    struct update update;
    enum item_state state;
};

struct round {
    struct member *to;
    struct member *from;
    const struct member_chaos *chaos;
    struct vector sender_vector;
    struct item *items;
    size_t item_count;
    bool is_incomplete;
    bool has_crashed;
};

static void trace_update(const char *what, const struct update *u)
{
    printf("#   %s %02x:%" PRIu64 " gvsn %02x:%" PRIu64 " parent %02x:%" PRIu64
           " %s%s%s clock %" PRIu64 "\n",
           what, u->id.database.bytes[1], u->id.number, u->gvsn.database.bytes[1], u->gvsn.number,
           u->parent.database.bytes[1], u->parent.number, (const char *)u->name,
           u->present ? "" : " (dead)", u->name_conflict ? " (name conflict)" : "", u->clock);
}

static void trace_steps(const struct step *steps, size_t count)
{
    static const char *const kinds[] = {"install", "mkdir",  "link",      "move",
                                        "park",    "remove", "attributes"};

    for (size_t i = 0; i < count; i++)
        printf("#     %s %s%s%s\n", kinds[steps[i].kind],
               steps[i].kind == STEP_MOVE ? steps[i].from_path : "",
               steps[i].kind == STEP_MOVE ? " -> " : "", steps[i].path);
}

static bool roll(const struct round *round, unsigned percent)
{
    return round->chaos != NULL && percent > 0 && random_chance(round->chaos->random, percent);
}

static bool is_listed(const struct round *round, const struct file_id *id)
{
    for (size_t i = 0; i < round->item_count; i++) {
        if (file_id_equal(&round->items[i].update.id, id))
            return true;
    }
    return false;
}

static void add_item(struct round *round, const struct update *u)
{
    round->items = mem_resize(round->items, round->item_count + 1, sizeof(*round->items));
    round->items[round->item_count] = (struct item){0};
    update_copy(&round->items[round->item_count++].update, u);
}

/* Tombstones by gvsn, then live records, parents before children. What is parked is not told: its
 * place belongs to another. */
static void collect(struct round *round, const struct vector *have)
{
    const struct table *table = memstore_table(round->from->store);
    struct vector lacks = {0};
    bool going = true;

    vector_difference(&round->sender_vector, have, &lacks);
    for (size_t i = 0; i < lacks.entry_count; i++) {
        const struct vector_entry *e = &lacks.entries[i];

        for (size_t j = 0; j < e->interval_count; j++) {
            struct interval rest = e->intervals[j];
            const struct record *record;

            while ((record = table_next_version(table, &e->database, rest)) != NULL) {
                if (!record->update.present)
                    add_item(round, &record->update);
                rest.low = record->update.gvsn.number;
                if (rest.low == rest.high)
                    break;
            }
        }
    }
    while (going) {
        going = false;
        for (const struct record *record = table_next(table, NULL); record != NULL;
             record = table_next(table, &record->update.id)) {
            const struct record *parent = table_get(table, &record->update.parent);

            if (!record->update.present || !vector_contains(&lacks, &record->update.gvsn) ||
                is_listed(round, &record->update.id))
                continue;
            if (parent != NULL && vector_contains(&lacks, &parent->update.gvsn) &&
                !is_listed(round, &parent->update.id))
                continue;
            if (record->place == PLACE_PARKED) {
                round->is_incomplete = true;
                continue;
            }
            add_item(round, &record->update);
            going = true;
        }
    }
    vector_fini(&lacks);
}

/* The sender still shows what it recorded. */
static bool can_serve(const struct round *round, const struct update *u)
{
    const struct record *record = table_get(memstore_table(round->from->store), &u->id);
    const struct model_node *node;

    if (record == NULL || !gvsn_equal(&record->update.gvsn, &u->gvsn))
        return false;
    node = modeldisk_node(&round->from->disk, number_of(&record->object));
    return node != NULL && node->content == modeldisk_content_of(&u->hash);
}

struct batch {
    struct offer offers[PLAN_OFFER_COUNT_MAX];
    size_t items[PLAN_OFFER_COUNT_MAX];
    size_t count;
};

static void gather(struct round *round, struct batch *batch)
{
    struct member *to = round->to;
    size_t max = PLAN_OFFER_COUNT_MAX;

    batch->count = 0;
    if (round->chaos != NULL && round->chaos->batch_max > 0)
        max = 1 + random_below(round->chaos->random, round->chaos->batch_max);
    for (size_t i = 0; i < round->item_count && batch->count < max; i++) {
        struct item *item = &round->items[i];
        struct offer offer = {.update = &item->update, .sender_vector = &round->sender_vector};
        enum verdict verdict;

        if (item->state != ITEM_OPEN)
            continue;
        verdict = replica_judge(to->replica, &item->update, &round->sender_vector, false);
        if (verdict == VERDICT_KNOWN)
            item->state = ITEM_DONE;
        if (verdict == VERDICT_BEHIND ||
            (verdict == VERDICT_FETCH && !can_serve(round, &item->update)))
            item->state = ITEM_FAILED;
        if (is_traced() && item->state == ITEM_FAILED)
            trace_update("refused", &item->update);
        if (item->state != ITEM_OPEN || verdict == VERDICT_WAIT)
            continue;
        if (verdict == VERDICT_FETCH) {
            offer.staged = true;
            offer.stage = ++to->stage_last;
            offer.object =
                modeldisk_stage(&to->disk, offer.stage, modeldisk_content_of(&item->update.hash));
        }
        batch->items[batch->count] = i;
        batch->offers[batch->count++] = offer;
    }
}

/* Returns how many steps have results. */
static size_t run_steps(struct round *round, const struct plan *plan, struct step_result *results)
{
    size_t count;
    const struct step *steps = replica_plan_steps(plan, &count);
    const struct member_chaos *chaos = round->chaos;

    if (count > 0 && chaos != NULL && chaos->disturb != NULL)
        chaos->disturb(round->to, chaos->disturb_arg);
    if (is_traced())
        trace_steps(steps, count);
    for (size_t i = 0; i < count; i++) {
        if (roll(round, chaos != NULL ? chaos->crash_percent : 0)) {
            round->has_crashed = true;
            return i;
        }
        if (roll(round, chaos != NULL ? chaos->fail_step_percent : 0))
            results[i] = (struct step_result){.status = ST_IO};
        else
            results[i] = modeldisk_run(&round->to->disk, &steps[i]);
        if (results[i].status != ST_OK)
            return i + 1;
    }
    return count;
}

/* A plan of a batch, or of none; returns whether anything was settled as done. */
static bool run_plan(struct round *round, const struct batch *batch, struct plan *plan)
{
    static const char *const outcomes[] = {"done", "wait", "behind", "again"};
    struct member *to = round->to;
    size_t count;
    size_t issued;
    enum settled settled[PLAN_OFFER_COUNT_MAX];
    bool progress = false;

    replica_plan_steps(plan, &count);

    scope_free struct step_result *results = mem_new(count, sizeof(*results));
    enum status st = replica_intend(plan);

    assert(st == ST_OK);
    count = run_steps(round, plan, results);
    if (round->has_crashed)
        memstore_fail_commit(to->store, 1);
    st = replica_settle(plan, results, count, settled, &issued);
    to->disk.stage_count = 0;
    if (round->has_crashed) {
        memstore_fail_commit(to->store, 0);
        member_crash(to);
        return false;
    }
    assert(st == ST_OK);
    for (size_t i = 0; i < batch->count; i++) {
        struct item *item = &round->items[batch->items[i]];

        if (settled[i] == SETTLED_DONE)
            item->state = ITEM_DONE;
        if (settled[i] == SETTLED_BEHIND)
            item->state = ITEM_FAILED;
        progress = progress || item->state != ITEM_OPEN;
        if (is_traced())
            trace_update(outcomes[settled[i]], &item->update);
    }
    if (count > 0 && results[count - 1].status != ST_OK) {
        sweep_parked(to);
        member_scan(to);
    }
    return progress;
}

static bool run_batch(struct round *round, const struct batch *batch)
{
    struct member *to = round->to;
    struct plan *plan;

    to->now.ns++;

    enum status st = replica_plan(to->replica, to->now, batch->offers, batch->count, &plan);

    assert(st == ST_OK);
    (void)st;
    return run_plan(round, batch, plan);
}

enum pull_result member_pull(struct member *to, struct member *from,
                             const struct member_chaos *chaos)
{
    struct round round = {.to = to, .from = from, .chaos = chaos};
    struct batch batch;
    bool all_done;
    bool going = true;

    if (!replica_state(from->replica)->initial_sync_done || from->read_only)
        return PULL_PARTIAL;
    vector_copy(&round.sender_vector, replica_vector(from->replica));
    if (vector_covers(replica_vector(to->replica), &round.sender_vector) &&
        replica_state(to->replica)->initial_sync_done) {
        vector_fini(&round.sender_vector);
        return PULL_NOTHING;
    }
    if (is_traced())
        printf("# member %u pulls from %u\n", to->index, from->index);
    collect(&round, replica_vector(to->replica));
    while (going && !round.has_crashed) {
        gather(&round, &batch);
        going = batch.count > 0 && run_batch(&round, &batch) &&
                !roll(&round, chaos != NULL ? chaos->break_percent : 0);
    }
    all_done = !round.is_incomplete;
    for (size_t i = 0; i < round.item_count; i++) {
        all_done = all_done && round.items[i].state == ITEM_DONE;
        update_fini(&round.items[i].update);
    }
    free(round.items);
    /* Told to the end, though not all was settled as done. */
    if (!all_done && !round.has_crashed && !going && chaos == NULL) {
        enum status st = replica_round_ended(to->replica);

        assert(st == ST_OK);
        (void)st;
    }
    if (is_traced())
        printf("#   %s\n", all_done ? "joined" : "partial");
    if (all_done && !round.has_crashed) {
        const struct vector none = {0}; /* members of these tests drop no tombstones */
        enum status st = replica_join(to->replica, &round.sender_vector, &none);

        assert(st == ST_OK);
        (void)st;
    }
    vector_fini(&round.sender_vector);
    return all_done && !round.has_crashed ? PULL_JOINED : PULL_PARTIAL;
}

void member_return_parked(struct member *member)
{
    struct round round = {.to = member};
    struct batch batch = {.count = 0};

    if (replica_can_return(member->replica))
        (void)run_batch(&round, &batch);
}

void member_unpark(struct member *member)
{
    struct round round = {.to = member};
    struct batch batch = {.count = 0};
    struct plan *plan;

    if (!replica_has_parked(member->replica))
        return;
    member->now.ns++;

    enum status st = replica_plan_unpark(member->replica, member->now, &plan);

    assert(st == ST_OK);
    (void)st;
    (void)run_plan(&round, &batch, plan);
}

/* Grows with whatever a member learns or does. */
static uint64_t progress_of(const struct member *members, size_t count)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < count; i++)
        sum += vector_number_count(replica_vector(members[i].replica)) +
               replica_state(members[i].replica)->number_last;
    return sum;
}

bool members_converge(struct member *members, size_t count, unsigned cycle_count_max)
{
    for (unsigned cycle = 0; cycle < cycle_count_max; cycle++) {
        uint64_t before;
        bool quiet = true;

        for (size_t i = 0; i < count; i++) {
            member_scan(&members[i]);
            member_return_parked(&members[i]);
        }
        before = progress_of(members, count);
        for (size_t i = 0; i < count; i++) {
            for (size_t j = 0; j < count; j++) {
                if (i != j && member_pull(&members[i], &members[j], NULL) != PULL_NOTHING)
                    quiet = false;
            }
        }
        if (before != progress_of(members, count))
            continue;
        if (quiet)
            return true;
        /* Still, and not in sync: what is parked waits for nothing any more. */
        for (size_t i = 0; i < count; i++)
            member_unpark(&members[i]);
    }
    return false;
}
