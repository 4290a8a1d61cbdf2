/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/sim/member.h: one agent with its folder: the shell that agent/folder is in the product.
 *
 * Each member does one thing with its replica at a time: a look at the disk (gather, then commit),
 * a plan (intend, steps, settle), or a join. In between it answers messages. member_run() goes on
 * with whatever is due and is called after everything that happened to the member.
 */
#ifndef TESTS_SIM_MEMBER_H
#define TESTS_SIM_MEMBER_H

#include "tests/sim/world.h"

#define DIRTY_COUNT_MAX 32
#define LOOK_ENTRY_COUNT_MAX 512
#define ATTRIBUTES_BYTES 4

enum work { WORK_NONE, WORK_LOOK, WORK_PLAN };

/* What a look saw of one object, at one moment. */
struct entry {
    struct object dir;
    struct object object;
    char name[DISK_NAME_SIZE];
    enum file_kind kind;
    uint64_t content;
    uint32_t attributes;
    struct witness witness;
    uint64_t create_time;
    bool done;
};

struct member {
    struct world *world;
    unsigned index;
    bool up;
    uint32_t incarnation;
    struct disk disk;
    struct snapshot *snapshot; /* the last one taken; NULL: none */
    struct images *images;     /* the disk before each change since it was synced; NULL: none */
    bool apart;                /* database and disk went back one without the other, once */
    struct memstore *memory;
    struct store store;
    struct replica *replica;
    struct intake *intake;
    int64_t skew_ms;
    enum work work;
    bool unpark_queued; /* EVENT_UNPARK is on its way */
    bool unpark_due;
    bool return_failed; /* bringing parked files back; look first */
    int64_t expired_ms;     /* when tombstones were expired last */
    int64_t still_since_ms; /* the last time that something was settled or seen, or the start */
    uint64_t stage_last;

    /* plan */
    struct plan *plan;
    bool plan_has_offers;
    struct stream *plan_listing; /* whose listing it carries out; NULL: none */
    size_t offer_count;
    struct step_result *results;
    size_t result_count;

    /* look */
    struct object dirty[DIRTY_COUNT_MAX]; /* directories */
    size_t dirty_count;
    bool dirty_all;
    bool look_queued; /* EVENT_LOOK is on its way */
    bool look_due;
    struct object looked[LOOK_ENTRY_COUNT_MAX];
    size_t looked_count;
    bool looked_all;
    bool rejudge_wanted; /* after the look: a step found something else on disk */
    struct entry *entries;
    size_t entry_count;
    bool scanned; /* since the start */
};

struct member *member_new(struct world *world, unsigned index);
bool member_is_reader(const struct member *member);
void member_free(struct member *member);
void member_start(struct member *member);
/* Loses all but the disk and what was committed; comes back after @away_ms. */
void member_crash(struct member *member, int64_t away_ms);
/* A crash after which the store is empty. Not of the primary, whose word the others wait for, and not
 * beside a read-only member, which may be left with what only the lost store knew: it can tell nobody,
 * and stays honestly out of sync. */
void member_lose_database(struct member *member);
void member_run(struct member *member);
struct walltime member_walltime(const struct member *member);
/* The replica has committed something: partners hear of it. */
void member_vector_grew(struct member *member);

/* --- snapshot.c --- */
void snapshot_free(struct snapshot *snapshot); /* NULL allowed */
/* A snapshot is taken, or a member goes back to one. */
void snapshot_fault(struct world *world, struct random_source *random);

/* --- calm.c --- */
#define FAULTS_OF_MEMBERS_FIRST 58 /* of a fault's kind in 100: crashes, failing stores, lost databases */
#define FAULTS_OF_MEMBERS_END   82
void calm_plan(struct world *world);
/* Only the network fails in a calm run. */
uint64_t calm_fault(const struct world *world, uint64_t kind);
/* Whose user acts. */
struct member *calm_user(const struct world *world, struct member *drawn);
/* What that user does. */
enum sim_operation calm_operation(const struct world *world, struct random_source *random,
                                  enum sim_operation drawn);
void calm_check_step(struct member *member, const struct step *step);

/* --- verify.c --- */
/* Nothing moves any more. True when something was damaged, and found: it moves again. */
bool verify_end(struct world *world);

/* --- power.c --- */
bool power_is_on(const struct world *world);
/* Something is about to change this member's disk, and is not synced. */
void power_before_change(struct member *member);
/* All that was done to the disk is on it for good. */
void power_synced(struct member *member);
void power_free(struct member *member);
/* False: not this time. */
bool power_fault(struct member *member, struct random_source *random);

/* --- look.c --- */
void look_dirty(struct member *member, const struct node *dir);
void look_dirty_all(struct member *member);
void look_begin(struct member *member);
void look_commit(struct member *member);

/* --- apply.c --- */
void apply_batch(struct member *member);
void apply_unpark(struct member *member);
/* Files that a partner's listing lacks go. */
void apply_listing(struct member *member, struct stream *stream, struct plan *plan);
/* Parked files whose name has become free go back. */
void apply_return(struct member *member);
void apply_step(struct member *member);
/* After a start: what stands of the intents. */
enum status apply_recover(struct member *member);
/* After that, and after a failed plan: what is parked without a record is kept. */
void apply_sweep_parked(struct member *member);

/* --- streams.c --- */
enum message_kind {
    MESSAGE_OPEN,
    MESSAGE_OPENED,
    MESSAGE_WANT,
    MESSAGE_CREDIT,
    MESSAGE_ROUND_START,
    MESSAGE_UPDATE,
    MESSAGE_ROUND_DONE,
    MESSAGE_FETCH,
    MESSAGE_FETCHED,
    MESSAGE_LIST,
    MESSAGE_LISTED,
};
struct message {
    enum message_kind kind;
    struct vector vector;
    struct vector forgotten;
    struct update update;
    struct file_id *ids; /* LIST: the one to go on from, if there is one */
    size_t id_count;
    struct file_id upto;
    uint32_t round;
    uint32_t credit;
    bool flag; /* start_round, complete, ok */
    uint32_t sequence; /* of all but OPEN, FETCH and FETCHED */
    uint64_t content;
};
void message_free(struct message *message);
struct message *message_new(enum message_kind kind);

/* --- noise.c --- */
bool noise_is_on(const struct world *world);
/* The same message again, to come later; NULL: not this time. */
struct message *noise_double(struct stream *stream, const struct message *message);
/* The message leaves its place in the order. */
bool noise_misplaces(struct stream *stream, const struct message *message);
/* The message may come again when its stream is dead, and reach the next one. */
void noise_copy_for_later(struct stream *stream, bool to_sender, const struct message *message);
void noise_replay(struct world *world, const struct event *event);
/* A side has found a rule broken. True when that is the network's doing: the stream ends. */
bool noise_explains(struct stream *stream, const char *rule);

void streams_connect_later(struct world *world, struct edge *edge, int64_t delay_ms);
void streams_connect(struct world *world, struct edge *edge);
void streams_message(struct world *world, struct stream *stream, struct message *message,
                     struct member *at);
void streams_cut(struct world *world, struct stream *stream);
void streams_lost(struct world *world, struct stream *stream, struct member *at);
/* All streams of a member end on its side at once. */
void streams_member_down(struct member *member);
void streams_tick(struct world *world, struct stream *stream, enum event_kind kind);
void streams_try_joins(struct member *member);
void streams_vector_grew(struct member *member);
/* What every partner is known to hold; false: one of them is away, or holds what this one lacks. */
bool streams_held_by_all(const struct member *member, struct vector *out_held);
struct stream *streams_by_id(struct world *world, uint32_t id);
void streams_fetch(struct member *member, const struct intake_next *next);
void streams_settled(struct member *member, const struct intake_next *next);

void streams_post(struct stream *stream, bool to_sender, struct message *message);
void streams_receiver_event(struct stream *stream, struct receiver_event *event);

/* --- listing.c --- */
void listing_ask(struct stream *stream, bool first);
void listing_serve(struct stream *stream, const struct message *message);
void listing_take(struct stream *stream, const struct message *message);
void listing_drop(struct stream *stream);
/* The round's vector is to be joined. */
void listing_join(struct stream *stream);
/* A plan of it has ended. */
void listing_planned(struct stream *stream, bool failed);

/* --- actions.c --- */
void actions_run(struct world *world, uint64_t number);
/* A user does something at this member. False when it found nothing to do it to. */
bool actions_operate(struct world *world, struct member *member, struct random_source *random);
void actions_heal(struct world *world);

/* --- classify.c --- */
void classify_offer(struct member *member, const struct update *update,
                    const struct vector *sender_vector);

/* --- print.c --- */
#define PRINT_UPDATE_SIZE 200
void print_update(const struct update *u, char text[PRINT_UPDATE_SIZE]);
void print_member(const struct member *member);

/* --- check.c --- */
/* The member's records: one root, no cycle, no orphan, names unique. After every commit. */
void check_records(struct member *member);
/* A vector that covers another stands for records that are as great, so equal ones for equal trees: this
 * is what "in sync" in a status means. Asked both ways after each join. */
void check_vectors(struct world *world, const struct member *a, const struct member *b);
/* Everything that must hold when nothing moves any more. */
void check_quiet(struct world *world);

#endif
