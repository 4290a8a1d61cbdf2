/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/sim/world.h: one run: members, links, a virtual clock, and everything drawn from one seed.
 *
 * The members run the real core (agent/version, replica, session) against a model disk (disk.h) and
 * a store in memory. Everything that happens is an event of the one queue; events of one instant
 * happen in the order in which they were queued. A run has three phases: load with faults, healing
 * until nothing moves any more, an epilogue with a member away; then the checks (check.h).
 *
 * Actions are what users and faults do, numbered in order. Each draws from its own stream of random
 * numbers, so leaving one out (sim_options.skip) does not change the others: that is how a failing
 * seed is reduced.
 */
#ifndef TESTS_SIM_WORLD_H
#define TESTS_SIM_WORLD_H

#include "tests/sim/disk.h"
#include "tests/sim/ledger.h"
#include "tests/support/memstore.h"
#include "tests/support/random.h"

#include "agent/session/intake.h"
#include "agent/session/receiver.h"
#include "agent/session/sequence.h"
#include "agent/session/sender.h"
#include "common/base/status.h"

#define SIM_MEMBER_COUNT_MAX 16
#define SIM_EDGE_COUNT_MAX   (SIM_MEMBER_COUNT_MAX * (SIM_MEMBER_COUNT_MAX - 1))
#define SIM_PROBLEM_SIZE     400

#define MS INT64_C(1)
#define SECOND (1000 * MS)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)

#define SIM_FAULTS(X)                                                                              \
    X(cut) X(partition) X(heal) X(crash) X(crash_at_step) X(store_failure) X(step_full) X(step_io) \
    X(stage_full) X(fetch_failure) X(clock_jump) X(watch_overflow) X(schedule) X(absence)          \
    X(edit_during_plan) X(database_lost) X(topology) X(snapshot) X(rolled_back)                    \
    X(database_rolled_back) X(disk_rolled_back) X(cloned) X(doubled) X(misplaced) X(replayed) X(power_cut) X(unsynced_lost) X(record_lost) X(parked_written)
enum sim_fault {
#define X(name) FAULT_##name,
    SIM_FAULTS(X)
#undef X
        FAULT_COUNT
};

#define SIM_CLASSES(X)                                                                             \
    X(edit_edit) X(edit_delete) X(delete_edit) X(move_move) X(name_clash_files)                    \
    X(name_clash_kinds) X(directory_merge) X(cycle) X(delete_against_new_child)                    \
    X(child_of_deleted) X(name_moved_on) X(child_before_parent) X(known_or_lesser) X(same_content)
enum sim_class {
#define X(name) CLASS_##name,
    SIM_CLASSES(X)
#undef X
        CLASS_COUNT
};

#define SIM_OPERATIONS(X)                                                                          \
    X(create) X(make_dir) X(make_link) X(write) X(attributes) X(rename) X(move) X(delete)          \
    X(delete_tree) X(replace) X(swap) X(recreate) X(copy) X(cross)
enum sim_operation {
#define X(name) OPERATION_##name,
    SIM_OPERATIONS(X)
#undef X
        OPERATION_COUNT
};

struct sim_options {
    uint64_t seed;
    bool trace;
    bool script; /* write down what users and faults do (script.h) */
    const bool *skip; /* actions to leave out, by number; may be NULL */
    size_t skip_count;
};

struct sim_result {
    bool failed;
    char problem[SIM_PROBLEM_SIZE];
    uint64_t trace_hash;
    uint64_t event_count;
    uint64_t action_count;
    uint64_t update_count; /* sent */
    int64_t quiet_ms;      /* from healing to quiet */
    uint64_t operations[OPERATION_COUNT];
    uint64_t faults[FAULT_COUNT];
    uint64_t expired_count;
    uint64_t listed_count;    /* rounds with a listing */
    uint64_t in_vain_count;   /* updates that waited in vain for long, and were decided */
    uint64_t forgotten_count; /* plans that it led to */
    uint64_t classes[CLASS_COUNT];
};

/* Runs one seed from start to end. */
void sim_run(const struct sim_options *options, struct sim_result *out_result);

/* --- inside --- */

struct world;
struct member;
struct message;

enum event_kind {
    EVENT_MESSAGE,
    EVENT_ACTION,
    EVENT_LOOK,
    EVENT_LOOK_COMMIT,
    EVENT_STEP,
    EVENT_RECEIVER_TICK,
    EVENT_SENDER_TICK,
    EVENT_CONNECT,
    EVENT_STREAM_LOST,
    EVENT_RESTART,
    EVENT_UNPARK,
    EVENT_REPLAY,
};

/* One session: the receiver @to pulls from the sender @from. */
struct stream {
    uint32_t id;
    struct edge *edge;
    struct member *from;
    struct member *to;
    bool cut;                  /* nothing arrives any more; the sides notice later */
    bool disturbed;            /* a message came twice, or out of order */
    struct receiver *receiver; /* NULL: that side has ended */
    struct sender *sender;
    struct sequence sequence[2]; /* by side */
    int64_t arrival_last_ms[2];
    bool join_wanted;
    struct listing *listing; /* the receiver's; NULL: none */
    int64_t tick_ms[2]; /* the last tick queued, by side */
};

struct event {
    int64_t at_ms;
    uint64_t order;
    enum event_kind kind;
    struct member *member;
    uint32_t incarnation; /* of the member: events for an earlier one are void */
    struct stream *stream;
    struct edge *edge;
    struct message *message;
    uint64_t value;
};

/* A connection of the topology: @to pulls from @from. */
struct edge {
    struct member *from;
    struct member *to;
    bool laid; /* part of the topology now */
    bool open; /* by schedule */
    bool connecting;
    struct stream *stream; /* the receiver's current one */
};

/* What the seed decided about the whole run. */
struct plan_of_run {
    unsigned member_count;
    unsigned name_count;
    unsigned action_count;
    int64_t load_ms;      /* actions happen within this time */
    int64_t latency_ms;   /* of messages, at most */
    int64_t watch_ms;     /* delay of looking, at most */
    int64_t step_ms;      /* of one step on disk, at most */
    unsigned fault_percent;
    unsigned failure_permille; /* of each step, stage, fetch */
    unsigned inline_percent;
    bool fold;
    bool seeded; /* members start with files of their own */
    bool calm;   /* one user alone: nothing is concurrent */
    bool reader; /* the last member is read-only */
    int64_t tombstone_life_ms; /* 0: for ever */
    bool snapshots; /* members go back to what they were */
};

struct world {
    struct sim_options options;
    struct sim_result *result;
    struct random_source random; /* for everything but actions */
    struct plan_of_run plan;
    int64_t now_ms;
    bool healed;
    bool has_decided; /* what was parked somewhere has waited long enough */
    bool has_given_up; /* somebody without a say may have forgotten what others had heard */
    struct guid folder;
    struct ledger ledger;
    struct member *members[SIM_MEMBER_COUNT_MAX];
    struct edge edges[SIM_EDGE_COUNT_MAX];
    size_t edge_count;
    bool parted[SIM_MEMBER_COUNT_MAX][SIM_MEMBER_COUNT_MAX];
    struct stream **streams;
    size_t stream_count;
    size_t stream_capacity;
    struct event *events; /* binary heap */
    size_t queued_count;
    size_t queued_capacity;
    size_t polling_count; /* queued CONNECTs: what remains when nothing moves */
    uint64_t event_last;
    uint64_t guid_last;
};

struct instant world_now(const struct world *world);
struct guid world_guid(struct world *world);
bool world_chance(struct world *world, unsigned permille);
/* A delay in [1, @most_ms], usually short. */
int64_t world_delay(struct world *world, int64_t most_ms);
/* The first problem ends the run. */
void world_fail(struct world *world, const char *format, ...) PRINTF_LIKE(2, 3);
/* A line of the trace, and part of the trace's hash. */
void world_trace(struct world *world, const struct member *member, const char *format, ...)
    PRINTF_LIKE(3, 4);
void world_count_fault(struct world *world, enum sim_fault fault);

/* --- topology.c --- */

/* Draw the topology, at first or anew. Every member hears of every other's changes, but nobody of a
 * read-only member's. */
void topology_lay(struct world *world, struct random_source *random);

/* --- events.c --- */

/* @event: what it is about; time and order are set here. */
void world_queue(struct world *world, int64_t delay_ms, struct event event);
bool world_next_event(struct world *world, struct event *out_event);
/* Nothing but attempts to connect is under way. */
bool world_is_quiet(const struct world *world);

#endif
