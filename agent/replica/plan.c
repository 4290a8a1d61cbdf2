/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/replica/plan.h"

#include "common/base/mem.h"
#include "common/base/scope.h"

#include <assert.h>
#include <stdlib.h>

/* The last step that acted on a file's object. */
struct touch {
    struct file_id id;
    size_t step;
};

static int compare_touch(const void *a, const void *b)
{
    const struct touch *x = a;
    const struct touch *y = b;

    return file_id_compare(&x->id, &y->id);
}

struct plan *plan_new(struct replica *replica, struct walltime now, const struct offer *offers,
                      size_t offer_count)
{
    struct plan *plan = MEM_NEW(struct plan);

    assert(!replica->busy);
    replica->busy = true;
    plan->replica = replica;
    view_init_overlay(&plan->view, &replica->options.store, &replica->root,
                      replica->options.case_insensitive);
    stamper_init(&plan->stamper, replica, now);
    plan->offers = offers;
    plan->offer_count = offer_count;
    plan->verdicts = mem_new(offer_count, sizeof(*plan->verdicts));
    vector_copy(&plan->processed, &replica->state.vector);
    order_init(&plan->touched, compare_touch);
    return plan;
}

void plan_free(struct plan *plan)
{
    struct touch *touch;

    plan->replica->busy = false;
    view_fini(&plan->view);
    free(plan->verdicts);
    vector_fini(&plan->processed);
    for (size_t i = 0; i < plan->entry_count; i++)
        record_fini(&plan->entries[i].record);
    free(plan->entries);
    free(plan->steps);
    while ((touch = order_first(&plan->touched)) != NULL) {
        order_remove(&plan->touched, touch);
        free(touch);
    }
    order_fini(&plan->touched);
    for (size_t i = 0; i < plan->owned_count; i++)
        free(plan->owned[i]);
    free(plan->owned);
    free(plan);
}

static void *own(struct plan *plan, void *take)
{
    if (plan->owned_count == plan->owned_capacity) {
        plan->owned_capacity = plan->owned_capacity == 0 ? 16 : plan->owned_capacity * 2;
        plan->owned = mem_resize(plan->owned, plan->owned_capacity, sizeof(*plan->owned));
    }
    plan->owned[plan->owned_count++] = take;
    return take;
}

static struct entry *add_entry(struct plan *plan, enum entry_kind kind)
{
    if (plan->entry_count == plan->entry_capacity) {
        plan->entry_capacity = plan->entry_capacity == 0 ? 16 : plan->entry_capacity * 2;
        plan->entries = mem_resize(plan->entries, plan->entry_capacity, sizeof(*plan->entries));
    }

    struct entry *entry = &plan->entries[plan->entry_count++];

    *entry = (struct entry){.kind = kind, .step_count = plan->step_count, .result = NO_STEP};
    return entry;
}

static size_t last_step(const struct plan *plan, const struct file_id *id)
{
    struct touch key = {.id = *id};
    const struct touch *touch = order_from(&plan->touched, &key);

    return touch != NULL && file_id_equal(&touch->id, id) ? touch->step : NO_STEP;
}

static void touch_step(struct plan *plan, const struct file_id *id)
{
    struct touch key = {.id = *id};
    struct touch *touch = order_from(&plan->touched, &key);

    if (touch == NULL || !file_id_equal(&touch->id, id)) {
        touch = MEM_NEW(struct touch);
        touch->id = *id;
        order_insert(&plan->touched, touch);
    }
    touch->step = plan->step_count - 1;
}

void plan_put(struct plan *plan, const struct record *record)
{
    struct entry *entry = add_entry(plan, ENTRY_PUT);

    assert(record->update.present == (record->place != PLACE_NOWHERE));
    record_copy(&entry->record, record);
    if (record->place != PLACE_NOWHERE)
        entry->result = last_step(plan, &record->update.id);
    entry->is_fresh = guid_equal(&record->update.gvsn.database, &plan->stamper.database) &&
                      record->update.gvsn.number > plan->replica->state.number_last;
    view_put(&plan->view, record);
}

void plan_forget(struct plan *plan, const struct file_id *id)
{
    add_entry(plan, ENTRY_FORGET)->record.update.id = *id;
    view_forget(&plan->view, id);
}

void plan_claim(struct plan *plan, const struct update *u)
{
    struct entry *entry = add_entry(plan, ENTRY_CLAIM);

    entry->gvsn = u->gvsn;
    entry->offer_index = plan->offer_index;
    vector_add(&plan->processed, &u->gvsn);
}

void plan_stamp(struct plan *plan, struct update *u, uint64_t saw_clock)
{
    stamp(&plan->stamper, u, saw_clock > u->clock ? saw_clock : u->clock);
}

bool plan_knows_object(const struct record *record)
{
    return record->place == PLACE_NOWHERE || record->object.size > 0;
}

static struct step *add_step(struct plan *plan, enum step_kind kind, const struct update *u)
{
    if (plan->step_count == plan->step_capacity) {
        plan->step_capacity = plan->step_capacity == 0 ? 16 : plan->step_capacity * 2;
        plan->steps = mem_resize(plan->steps, plan->step_capacity, sizeof(*plan->steps));
    }

    struct step *step = &plan->steps[plan->step_count++];

    *step = (struct step){
        .kind = kind,
        .offer_index = plan->offer_index,
        .id = u->id,
        .file_kind = u->kind,
    };
    touch_step(plan, &u->id);
    return step;
}

static const char *path_of(struct plan *plan, const struct record *record)
{
    bool in_tree;
    char *path = view_path(&plan->view, record, &in_tree);

    /* The rulings let nothing through whose way up is broken or too long. */
    assert(path != NULL);
    return own(plan, path);
}

static struct span attributes_of(struct plan *plan, const struct update *u)
{
    if (u->attributes_size == 0)
        return (struct span){0};
    return span_of(own(plan, mem_copy(u->attributes, u->attributes_size)), u->attributes_size);
}

static void expect(struct step *step, const struct record *record)
{
    step->expect = record->object;
    step->expect_witness = record->witness;
}

/* @record is put into its directory: by path, but into that one and no other. */
static void expect_dir(struct plan *plan, struct step *step, const struct record *record)
{
    scope(record) struct record dir = {0};

    if (view_get(&plan->view, &record->update.parent, &dir))
        step->expect_dir = dir.object;
}

void plan_install(struct plan *plan, const struct record *at, const struct record *displaced,
                  const struct offer *offer, enum preserve_reason preserve)
{
    enum step_kind kind = at->update.kind == FILE_SYMLINK ? STEP_MAKE_LINK : STEP_INSTALL;
    struct step *step = add_step(plan, kind, &at->update);

    assert(offer->staged);
    step->path = path_of(plan, displaced != NULL ? displaced : at);
    step->attributes = attributes_of(plan, &at->update);
    step->stage = offer->stage;
    expect_dir(plan, step, displaced != NULL ? displaced : at);
    if (displaced != NULL) {
        expect(step, displaced);
        step->preserve = preserve;
        step->preserve_gvsn = displaced->update.gvsn;
    }
}

void plan_make_dir(struct plan *plan, const struct record *at)
{
    struct step *step = add_step(plan, STEP_MAKE_DIR, &at->update);

    step->path = path_of(plan, at);
    step->attributes = attributes_of(plan, &at->update);
    expect_dir(plan, step, at);
}

void plan_move(struct plan *plan, const struct record *from, struct record *to)
{
    /* A plan that stopped may have changed the attributes of what is parked: no record tells. */
    if (from->place == PLACE_PARKED)
        plan_attributes_at(plan, to, from);

    struct step *step = add_step(plan, STEP_MOVE, &to->update);

    step->from_path = path_of(plan, from);
    step->path = path_of(plan, to);
    expect_dir(plan, step, to);
    expect(step, from);
    if (from->place == PLACE_PARKED) /* the step before has changed it, and told how it is since */
        step->expect_witness = (struct witness){0};
    to->witness = (struct witness){0};
}

void plan_park(struct plan *plan, struct record *record)
{
    struct step *step = add_step(plan, STEP_PARK, &record->update);

    assert(record->place == PLACE_TREE);
    step->path = path_of(plan, record);
    expect(step, record);
    record->place = PLACE_PARKED;
    record->witness = (struct witness){0};
}

void plan_remove(struct plan *plan, const struct record *record, enum preserve_reason preserve)
{
    struct step *step = add_step(plan, STEP_REMOVE, &record->update);

    step->path = path_of(plan, record);
    if (record->place == PLACE_PARKED) {
        scope(record) struct record standing = {0};

        record_copy(&standing, record);
        standing.place = PLACE_TREE;
        step->known_as = path_of(plan, &standing);
    }
    expect(step, record);
    step->preserve = record->update.kind == FILE_DIRECTORY ? PRESERVE_NONE : preserve;
    step->preserve_gvsn = record->update.gvsn;
}

void plan_attributes_at(struct plan *plan, const struct record *record,
                        const struct record *standing)
{
    struct step *step = add_step(plan, STEP_ATTRIBUTES, &record->update);

    step->path = path_of(plan, standing);
    step->attributes = attributes_of(plan, &record->update);
    expect(step, standing);
}

void plan_attributes(struct plan *plan, struct record *record, const struct record *standing)
{
    scope(record) struct record at = {0};

    record_copy(&at, record);
    at.object = standing->object;
    at.witness = standing->witness;
    plan_attributes_at(plan, record, &at);
    record->witness = (struct witness){0};
}

void plan_unpark(struct plan *plan, const struct record *parked, bool fresh)
{
    scope(record) struct record next = {0};

    record_copy(&next, parked);
    next.place = PLACE_TREE;
    if (fresh)
        plan_stamp(plan, &next.update, 0);
    plan_move(plan, parked, &next);
    plan_put(plan, &next);
}

/* A move that would close a cycle: ours keeps its place, and wins (rule 5). */
static bool keep_place(struct plan *plan, const struct update *u)
{
    scope(record) struct record ours = {0};
    scope(record) struct record kept = {0};

    /* A fresh version must not stand beside another of its name. */
    if (!clash_unpark(plan, &u->id, false))
        return false;
    if (view_get(&plan->view, &u->id, &ours) && ours.update.present) {
        record_copy(&kept, &ours);
        update_copy(&kept.update, u);
        kept.update.parent = ours.update.parent;
        update_set_name(&kept.update, update_name(&ours.update));
        if (kept.update.fence < ours.update.fence)
            kept.update.fence = ours.update.fence;
        plan_stamp(plan, &kept.update, ours.update.clock);
        if (!update_same_attributes(&kept.update, &ours.update))
            plan_attributes(plan, &kept, &ours);
        plan_put(plan, &kept);
    }
    plan_claim(plan, u);
    return true;
}

/* The holder's own update is on its way: out of the way until it comes (rule 4). */
static void park_holder(struct plan *plan, const struct ruling *ruling)
{
    scope(record) struct record parked = {0};

    record_copy(&parked, &ruling->holder);
    plan_park(plan, &parked);
    plan_put(plan, &parked);
}

/* The file is to stand at its place in this version. */
static bool place(struct plan *plan, const struct update *u, const struct ruling *ruling)
{
    switch (ruling->kind) {
    case RULING_PARK:
        park_holder(plan, ruling);
        place_update(plan, u, ruling);
        return true;
    case RULING_PLACE:
        place_update(plan, u, ruling);
        return true;
    case RULING_CLASH:
        return clash_resolve(plan, u, ruling);
    case RULING_KNOWN:
    case RULING_CLAIM:
    case RULING_BEHIND:
    case RULING_REMIND:
    case RULING_WAIT:
    case RULING_BURY:
    case RULING_REVIVE:
    case RULING_REHOME:
    case RULING_KEEP_PLACE:
    case RULING_LOSE:
        break;
    }
    return false;
}

static bool place_renewed(struct plan *plan, const struct update *u, const struct ruling *ruling)
{
    struct update fresh = {0};
    bool placed;

    update_copy(&fresh, u);
    plan_stamp(plan, &fresh, 0);
    placed = place(plan, &fresh, ruling);
    if (placed)
        plan_claim(plan, u);
    update_fini(&fresh);
    return placed;
}

/* Our record may have changed its path with the holder's. */
static bool carry_out(struct plan *plan, const struct update *u, const struct ruling *ruling)
{
    switch (ruling->kind) {
    case RULING_KNOWN:
    case RULING_CLAIM:
        plan_claim(plan, u);
        return true;
    case RULING_BEHIND:
    case RULING_REMIND:
    case RULING_WAIT:
        return false;
    case RULING_BURY:
        remove_bury(plan, u, ruling);
        return true;
    case RULING_REVIVE:
        return remove_revive(plan, u);
    case RULING_REHOME:
        return merge_rehome(plan, u, ruling);
    case RULING_KEEP_PLACE:
        return keep_place(plan, u);
    case RULING_PARK:
    case RULING_PLACE:
    case RULING_CLASH:
        return ruling->is_to_be_renewed ? place_renewed(plan, u, ruling) : place(plan, u, ruling);
    case RULING_LOSE:
        clash_lose(plan, u, ruling);
        return true;
    }
    return false;
}

/* The update is not claimed: its member preserves it when ours comes. */
static bool remind(struct plan *plan, const struct update *u)
{
    scope(record) struct record ours = {0};

    /* A fresh version must not stand beside another of its name. */
    if (!clash_unpark(plan, &u->id, false) || !view_get(&plan->view, &u->id, &ours))
        return false;
    plan_stamp(plan, &ours.update, u->clock);
    plan_put(plan, &ours);
    return true;
}

static void tell_stood_off(const struct plan *plan, const struct update *u)
{
    scope(buf) struct buf name = {0};

    buf_append_escaped(&name, (const char *)u->name, u->name_size);
    log_info(plan->replica->options.log,
             "a directory's deletion waited in vain for where its files went: it stays directory=%s",
             buf_text(&name));
}

static enum settled decide(struct plan *plan, const struct offer *offer)
{
    const struct update *u = offer->update;
    struct ruling ruling;
    enum settled verdict = SETTLED_WAIT;

    rule(plan->replica, &plan->view, &plan->processed, u, offer->sender_vector, offer->in_vain,
         &ruling);
    if (ruling.kind == RULING_BEHIND || (ruling.kind == RULING_REMIND && remind(plan, u)))
        verdict = SETTLED_BEHIND;
    else if ((!ruling.needs_content || offer->staged) && plan_knows_object(&ruling.ours) &&
             plan_knows_object(&ruling.holder) && carry_out(plan, u, &ruling))
        verdict = SETTLED_DONE;
    if (verdict == SETTLED_DONE && (ruling.kind == RULING_REVIVE || ruling.kind == RULING_REHOME) &&
        offer->in_vain)
        tell_stood_off(plan, u);
    ruling_fini(&ruling);
    return verdict;
}

enum status replica_plan(struct replica *replica, struct walltime now, const struct offer *offers,
                         size_t offer_count, struct plan **out_plan)
{
    struct plan *plan = plan_new(replica, now, offers, offer_count);

    assert(offer_count <= PLAN_OFFER_COUNT_MAX);
    for (size_t i = 0; i < offer_count; i++) {
        plan->offer_index = i;
        plan->verdicts[i] = decide(plan, &offers[i]);
    }
    return_all(plan);
    if (replica->options.store.ops->failed(replica->options.store.arg)) {
        plan_free(plan);
        return ST_IO;
    }
    *out_plan = plan;
    return ST_OK;
}

const struct step *replica_plan_steps(const struct plan *plan, size_t *out_count)
{
    *out_count = plan->step_count;
    return plan->steps;
}
