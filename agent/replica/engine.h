/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/replica/engine.h: what the replica's own files share; nobody else includes it.
 */
#ifndef AGENT_REPLICA_ENGINE_H
#define AGENT_REPLICA_ENGINE_H

#include "agent/replica/replica.h"
#include "agent/replica/view.h"

/* A version that left our vector; without its attributes. */
struct undone {
    struct update version;
};

struct replica {
    struct replica_options options;
    struct replica_state state; /* as last committed */
    struct file_id root;
    struct vector lost;         /* of our own database: what partners have and we lacked when they told */
    struct undone *undone;      /* what was changed here without a say and is to come again (rule 9) */
    size_t undone_count;
    bool busy;                  /* a change or plan is open */
    bool round_ended;           /* the next commit says that the first sync is done */
    char *intent_path;          /* what replica_intent() lent last */
};

/* --- fresh versions (stamp.c) --- */

struct stamper {
    struct guid database;
    uint64_t number_last;
    uint64_t now;
    size_t count;
};

void stamper_init(struct stamper *stamper, const struct replica *replica, struct walltime now);

/* Make @u a fresh version of ours that beats everything with a clock up to @saw_clock. */
void stamp(struct stamper *stamper, struct update *u, uint64_t saw_clock);
/* @u as a tombstone; not stamped yet. */
void make_tombstone(struct update *u);
/* @u as the tombstone of a name clash's loser, merged into @winner if it is a directory. */
void make_name_conflict(struct update *u, const struct file_id *winner);

/* --- the lives of the database (life.c) --- */

/* The last number before the first of a new life above @number. */
uint64_t life_begin(const struct replica_options *options, uint64_t number);
/* All that was numbered in the database of @state, whose versions nobody has heard of, is numbered alike
 * in @to; in the open transaction. @state's vector follows. */
void life_rename(const struct store *store, struct replica_state *state, const struct guid *to);

/* --- what comes in parts that ascend by file id --- */

struct ascent {
    struct file_id after; /* the last one that came */
    bool has_after;
};

static inline bool ascent_is_above(const struct ascent *ascent, const struct file_id *id)
{
    return !ascent->has_after || file_id_compare(id, &ascent->after) > 0;
}

static inline void ascent_move(struct ascent *ascent, const struct file_id *id)
{
    *ascent = (struct ascent){.after = *id, .has_after = true};
}

/* NULL: nowhere yet. */
static inline const struct file_id *ascent_after(const struct ascent *ascent)
{
    return ascent->has_after ? &ascent->after : NULL;
}

/* --- durable change of state (replica.c) --- */

/* Commit the store's open transaction together with this state, which is taken over (also on
 * failure) and becomes the replica's. */
NODISCARD enum status replica_commit(struct replica *replica, struct replica_state *take_state);
/* The same for a state that differs from ours in nothing but itself: no transaction is open. */
NODISCARD enum status replica_commit_state(struct replica *replica,
                                           struct replica_state *take_state);

/* Rule 9: whether what changes here counts at all. */
bool replica_has_say(const struct replica *replica);
/* Whether nobody else has ever heard of the file. */
bool replica_is_unheard(const struct replica *replica, const struct record *record);
/* Whether our version of this file yields to everything: such a file, or a change by a read-only
 * member. */
bool replica_yields(const struct replica *replica, const struct record *record);

/* It was deleted meanwhile: nothing of it is to come again. */
void replica_drop_undone(struct replica *replica, const struct file_id *id);

/* --- what the rules say of one update (judge.c) --- */

enum ruling_kind {
    RULING_KNOWN,
    RULING_CLAIM,      /* lesser, nothing to lose */
    RULING_BEHIND,
    RULING_REMIND,     /* behind, and answered with a fresh version of ours, which the sender forgot */
    RULING_WAIT,
    RULING_BURY,       /* a tombstone: nothing stands in its way */
    RULING_REVIVE,     /* a tombstone, answered with a fresh live version */
    RULING_REHOME,     /* a merged directory's tombstone: our children move to the winner first */
    RULING_KEEP_PLACE, /* it would close a cycle */
    RULING_PLACE,      /* its name is free */
    RULING_PARK,       /* the holder of its name has moved on */
    RULING_CLASH,      /* it takes the name from the holder */
    RULING_LOSE,       /* the holder keeps the name: the update's file goes */
};

struct ruling {
    enum ruling_kind kind;
    bool has_ours;
    struct record ours;   /* our record of the file */
    struct record holder; /* PARK, CLASH */
    bool is_concurrent;   /* ours is present, and neither the sender nor the author knew it */
    bool is_to_be_renewed; /* placed as a fresh version of ours */
    bool needs_content;
};

void ruling_fini(struct ruling *ruling);

/* Whether @u was made, or is told, in knowledge of that version. A database numbers its versions as
 * it makes them, so each is made in knowledge of the lesser ones of that life: a sender that passes @u
 * on may not have heard of them yet. */
bool knew_of(const struct update *u, const struct vector *sender_vector, const struct gvsn *gvsn);

/* Where the children of a directory belong whose tombstone @merged says that it was merged. */
enum heir {
    HEIR_LIVE,    /* *out_id is a live directory */
    HEIR_DEAD,    /* *out_id was deleted since */
    HEIR_UNKNOWN, /* we have not heard of it yet */
    HEIR_NONE,    /* two merges contradict each other, or it was deleted and forgotten: there is none */
};
enum heir merge_heir(const struct view *view, const struct vector *processed,
                     const struct update *merged, struct file_id *out_id);
/* The directory that took the children is dead here: what was moved there is refused. */
bool merge_is_barred(const struct view *view, const struct vector *processed,
                     const struct update *merged);

/* @processed: what counts as processed; @in_vain: as in struct offer; @out is overwritten. */
void rule(const struct replica *replica, const struct view *view, const struct vector *processed,
          const struct update *update, const struct vector *sender_vector, bool in_vain,
          struct ruling *out);

#endif
