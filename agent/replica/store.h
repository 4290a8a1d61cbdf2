/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/replica/store.h: what the replica needs of a database; a port.
 *
 * agent/db implements it on SQLite, tests/sim in memory with crashes. Records are values: a record
 * that a call fills is the caller's, ended by record_fini().
 *
 * A failed store stays failed: reads then answer "not there", and commit() and failed() tell. Every
 * operation of the replica ends by asking, so no decision is ever taken on a failed read.
 * Threads: one.
 */
#ifndef AGENT_REPLICA_STORE_H
#define AGENT_REPLICA_STORE_H

#include "agent/version/update.h"
#include "agent/version/vector.h"
#include "common/base/status.h"

#define OBJECT_SIZE_MAX 32

/* Identity of a file-system object on this volume, over renames and remounts: file handle type and
 * bytes. Size 0: none. */
struct object {
    uint8_t size;
    uint8_t bytes[OBJECT_SIZE_MAX];
};

static inline bool object_equal(const struct object *a, const struct object *b)
{
    return a->size == b->size && memcmp(a->bytes, b->bytes, a->size) == 0;
}

/* What statx showed when the content was last read: unchanged witness, unchanged content. */
struct witness {
    uint64_t size;
    int64_t modified_ns;
    int64_t changed_ns; /* ctime */
};

static inline bool witness_equal(const struct witness *a, const struct witness *b)
{
    return a->size == b->size && a->modified_ns == b->modified_ns && a->changed_ns == b->changed_ns;
}

enum place {
    PLACE_NOWHERE = 0, /* tombstones */
    PLACE_TREE = 1,    /* at its path beneath the root */
    PLACE_PARKED = 2,  /* in the private directory, waiting for the update that moves it on */
};

struct record {
    struct update update;
    enum place place;
    struct object object;
    struct witness witness;
};

void record_fini(struct record *record);
void record_copy(struct record *to, const struct record *from);

/* What the replica itself remembers. */
struct replica_state {
    struct guid database;
    struct guid member;    /* whose database it is */
    uint64_t number_last;  /* the last one issued */
    bool initial_scan_done;
    bool initial_sync_done; /* the first round with a partner has ended, or primary */
    struct vector vector;
    struct vector forgotten; /* of the vector: tombstones that were dropped, here or where we learned of it */
};

void replica_state_fini(struct replica_state *state);
void replica_state_copy(struct replica_state *to, const struct replica_state *from);

/* An update whose effect on the disk is under way; survives a crash. */
struct intent {
    struct update update;
    struct object object; /* what will stand at the update's place when it is done; may be none */
};

void intent_fini(struct intent *intent);

struct store_ops {
    /* Reads. Return whether there is one; @out is filled only then. */
    bool (*get)(void *arg, const struct file_id *id, struct record *out);
    /* Present, in the tree, with this parent and name (exact bytes; folded when the folder says so). */
    bool (*get_by_name)(void *arg, const struct file_id *parent, struct span name,
                        struct record *out);
    /* Present, in the tree or parked. */
    bool (*get_by_object)(void *arg, const struct object *object, struct record *out);
    /* Present children (in the tree or parked), ascending by file id, first one above @after (NULL: first). */
    bool (*next_child)(void *arg, const struct file_id *parent, const struct file_id *after,
                       struct record *out);
    /* All records, ascending by file id. */
    bool (*next_record)(void *arg, const struct file_id *after, struct record *out);
    /* Any record whose gvsn is of @database with a number in the interval, the lowest. */
    bool (*next_version)(void *arg, const struct guid *database, struct interval numbers,
                         struct record *out);
    /* Parked records, ascending by file id. */
    bool (*next_parked)(void *arg, const struct file_id *after, struct record *out);
    /* The tombstone with the least clock, if that is below @clock; for their garbage collection. */
    bool (*next_expired)(void *arg, uint64_t clock, struct record *out);
    bool (*get_state)(void *arg, struct replica_state *out);
    /* Intents in the order in which they were put, by index. */
    bool (*get_intent)(void *arg, size_t index, struct intent *out);

    /* Writes, between begin and commit or abort; seen by reads at once. */
    void (*begin)(void *arg);
    void (*put)(void *arg, const struct record *record); /* by file id, replaces */
    void (*forget)(void *arg, const struct file_id *id);
    void (*put_state)(void *arg, const struct replica_state *state);
    void (*put_intent)(void *arg, const struct intent *intent);
    void (*clear_intents)(void *arg);
    /* Durable when it returns ST_OK; otherwise nothing happened and the store has failed. */
    enum status (*commit)(void *arg);
    void (*abort)(void *arg);

    bool (*failed)(void *arg);
};

struct store {
    const struct store_ops *ops;
    void *arg;
};

#endif
