/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/replica/plan.h: a plan in the making; only for the replica's own files.
 *
 * A plan is one line of steps with record changes between them. A record change takes effect when
 * all steps before it were done, so that whatever step fails, what was reached is a whole and valid
 * tree: between any two steps the records stand for what the disk then shows.
 */
#ifndef AGENT_REPLICA_PLAN_H
#define AGENT_REPLICA_PLAN_H

#include "agent/replica/engine.h"
#include "agent/replica/order.h"

enum entry_kind { ENTRY_PUT, ENTRY_FORGET, ENTRY_CLAIM };

struct entry {
    enum entry_kind kind;
    size_t step_count;    /* steps that come before it */
    struct record record; /* PUT; FORGET: the id */
    size_t result;        /* PUT: the step whose result shows the object, NO_STEP if none */
    struct gvsn gvsn;     /* CLAIM */
    size_t offer_index;   /* CLAIM */
    bool is_fresh;        /* PUT: issues a number of our own */
};

#define NO_STEP SIZE_MAX

struct plan {
    struct replica *replica;
    struct view view;
    struct stamper stamper;
    const struct offer *offers;
    size_t offer_count;
    size_t offer_index; /* being decided */
    enum settled *verdicts;
    struct vector processed; /* our vector and what this plan claims */
    struct step *steps;
    size_t step_count;
    size_t step_capacity;
    struct entry *entries;
    size_t entry_count;
    size_t entry_capacity;
    struct order touched; /* the last step of each file id */
    void **owned;         /* paths and attributes of steps */
    size_t owned_count;
    size_t owned_capacity;
    bool intended;
};

struct plan *plan_new(struct replica *replica, struct walltime now, const struct offer *offers,
                      size_t offer_count);
void plan_free(struct plan *plan);

/* --- the line of steps and record changes (plan.c) --- */

/* What is recorded from here on. */
void plan_put(struct plan *plan, const struct record *record);
void plan_forget(struct plan *plan, const struct file_id *id);
void plan_claim(struct plan *plan, const struct update *u);
/* Make @u fresh, beating @saw_clock and itself. */
void plan_stamp(struct plan *plan, struct update *u, uint64_t saw_clock);

/* Whether steps can name the object: one that this plan makes is not known before it is made. */
bool plan_knows_object(const struct record *record);

/* A parked record goes to its place, which is free; @fresh: as a fresh version. */
void plan_unpark(struct plan *plan, const struct record *parked, bool fresh);

/* Steps. Each leaves the record's witness empty when the step changes it; records are put after. */
void plan_install(struct plan *plan, const struct record *at, const struct record *displaced,
                  const struct offer *offer, enum preserve_reason preserve);
void plan_make_dir(struct plan *plan, const struct record *at);
/* What was parked gets the attributes of @to first. */
void plan_move(struct plan *plan, const struct record *from, struct record *to);
void plan_park(struct plan *plan, struct record *record);
void plan_remove(struct plan *plan, const struct record *record, enum preserve_reason preserve);
void plan_attributes(struct plan *plan, struct record *record, const struct record *standing);
/* The same where it stands now, before it moves to its place. */
void plan_attributes_at(struct plan *plan, const struct record *record,
                        const struct record *standing);

/* --- carrying out a ruling --- */

/* The name at the update's place is free or its own (place.c). */
void place_update(struct plan *plan, const struct update *u, const struct ruling *ruling);
/* The holder of the name gives way, then the update is placed (clash.c). False: not now. */
bool clash_resolve(struct plan *plan, const struct update *u, const struct ruling *ruling);
/* The update's file does not get its name: it goes. Whoever has its content preserves that. */
void clash_lose(struct plan *plan, const struct update *u, const struct ruling *ruling);
/* The loser of a name clash: a name-conflict tombstone, or forgotten when nobody has heard of it. */
void clash_yield(struct plan *plan, const struct record *loser, const struct update *winner);
/*
 * A parked file is to stand at its place for good, nobody else will say where: if the name is taken, the
 * clash is decided here and now. True: it stands in the tree (as a fresh version if @fresh), or lost
 * and went. False: not now.
 */
bool clash_unpark(struct plan *plan, const struct file_id *id, bool fresh);
/* A directory takes the place of another and its children (merge.c). False: not now. */
bool merge_update(struct plan *plan, const struct update *u, const struct ruling *ruling);
/* The tombstone of a merged directory has come, and children that its sender does not know live in it:
 * they move to where the others went. False: not now. */
bool merge_rehome(struct plan *plan, const struct update *u, const struct ruling *ruling);
/* Two directories of ours: all of @loser moves into @winner, which is not beneath it, and @loser goes.
 * False: not now. */
bool merge_dirs(struct plan *plan, const struct file_id *loser, const struct file_id *winner);
/* Parked files whose name is free return; a read-only member's own go (return.c). */
void return_all(struct plan *plan);
/* What is left of a file whose tombstone @u came: that, and @u claimed. Who made a version of ours that
 * neither the sender nor the author of @u knew may have forgotten this deletion, and would never hear of
 * it: then it is told anew, as ours (remove.c). */
void remove_put_dead(struct plan *plan, const struct update *u);
/* A tombstone comes true. */
void remove_bury(struct plan *plan, const struct update *u, const struct ruling *ruling);
/* A child that its sender does not know lives in it: it stays. False: not now. */
bool remove_revive(struct plan *plan, const struct update *u);

#endif
