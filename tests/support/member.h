/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/support/member.h: one member of a folder without sessions: a replica on a store in memory and
 * a disk of numbers. Members pull from each other directly, in rounds as a session would make them.
 */
#ifndef TESTS_SUPPORT_MEMBER_H
#define TESTS_SUPPORT_MEMBER_H

#include "tests/support/memstore.h"
#include "tests/support/modeldisk.h"
#include "tests/support/random.h"

struct member {
    unsigned index;
    bool primary;
    bool read_only;
    struct memstore *store;
    struct replica *replica;
    struct modeldisk disk;
    struct walltime now;
    uint64_t stage_last;
    struct log_ctx log;
};

/* A new member with an empty disk, scanned or not; member 0 of a test is usually primary. */
void member_init(struct member *member, unsigned index, bool primary);
void member_fini(struct member *member);
/* Open the replica on the store that is there. */
void member_open(struct member *member);
void member_copy(struct member *to, const struct member *from);

/* From now on its local changes are undone. */
void member_make_read_only(struct member *member);

/* Tell the replica all that the disk shows; the first one completes the initial scan. */
void member_scan(struct member *member);

/* The process dies and starts again: recovery from intents, then a scan. */
void member_crash(struct member *member);

/* What goes wrong in a pull; zero: nothing. */
struct member_chaos {
    struct random_source *random;
    unsigned break_percent;      /* the session ends after some updates */
    unsigned fail_step_percent;  /* a step fails */
    unsigned crash_percent;      /* the receiver dies between two steps or before settling */
    unsigned batch_max;          /* updates in one plan; 0: as many as there are */
    void (*disturb)(struct member *member, void *arg); /* users act between plan and steps */
    void *disturb_arg;
};

enum pull_result {
    PULL_NOTHING, /* the receiver had it all */
    PULL_JOINED,  /* a complete round */
    PULL_PARTIAL, /* some updates could not be settled as done */
};

/* @to pulls from @from what it lacks. */
enum pull_result member_pull(struct member *to, struct member *from,
                             const struct member_chaos *chaos);

/* What is parked goes back if its name has become free. */
void member_return_parked(struct member *member);

/* What is parked does not wait any longer. */
void member_unpark(struct member *member);

/* Scan and pull in all directions until nothing changes any more; false: not within @cycle_count_max. */
bool members_converge(struct member *members, size_t count, unsigned cycle_count_max);

/* What must always hold between plans; NULL, or the broken invariant. */
const char *member_problem(const struct member *member);
/* The two trees and vectors are equal in everything that replicates; NULL, or the difference. */
const char *member_difference(const struct member *a, const struct member *b);
/* Whether the content stands in the visible tree or was preserved. */
bool member_shows(const struct member *member, uint64_t content);
bool member_kept(const struct member *member, uint64_t content);

/* A path in the tree, for tests that read well: "dir/name"; 0: not there. */
uint64_t member_at(const struct member *member, const char *path);
uint64_t member_create(struct member *member, const char *path, enum file_kind kind,
                       uint64_t content);
bool member_write(struct member *member, const char *path, uint64_t content);
bool member_move(struct member *member, const char *from, const char *to);
void member_delete(struct member *member, const char *path);
/* The record of what stands at the path; asserts that there is one. */
struct record member_record(const struct member *member, const char *path);

void member_print(const struct member *member);

#endif
