/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replicas that exchange updates in random orders, with sessions that break, steps that fail, users
 * who act at any moment and members that die, end equal, and nothing that was written is lost.
 */
#include "tests/support/users.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

enum { MEMBERS_MAX = 4, CYCLES_MAX = 60 };

static unsigned run_count(void)
{
    const char *given = getenv("COTERIE_RUNS");

    return given != NULL ? (unsigned)strtoul(given, NULL, 0) : 3000;
}

struct run {
    uint64_t seed;
    struct random_source random;
    struct users users;
    struct member members[MEMBERS_MAX];
    size_t count;
    bool has_crashes;
};

static void fail_run(const struct run *run, const char *problem)
{
    printf("# seed %" PRIu64 ": %s\n", run->seed, problem);
    for (size_t i = 0; i < run->count; i++)
        member_print(&run->members[i]);
    fail_msg("seed %" PRIu64 ": %s", run->seed, problem);
}

static void check(const struct run *run, const struct member *member)
{
    const char *problem = member_problem(member);

    if (problem != NULL)
        fail_run(run, problem);
}

static void disturb(struct member *member, void *arg)
{
    struct run *run = arg;

    if (random_chance(&run->random, 10))
        users_act(&run->users, member);
}

static void begin(struct run *run, uint64_t seed, bool crashes)
{
    *run = (struct run){.seed = seed, .random = random_from(seed), .has_crashes = crashes};
    run->users = (struct users){.random = &run->random, .trace = getenv("COTERIE_TRACE") != NULL};
    run->users.name_count = 2 + (unsigned)random_below(&run->random, 3);
    run->count = 2 + random_below(&run->random, MEMBERS_MAX - 1);
    for (unsigned i = 0; i < run->count; i++) {
        uint64_t files = random_below(&run->random, 5);

        member_init(&run->members[i], i, i == 0);
        run->members[i].now.ns += (int64_t)random_below(&run->random, 30);
        while (files-- > 0)
            users_act(&run->users, &run->members[i]);
        member_scan(&run->members[i]);
    }
}

static void one_event(struct run *run)
{
    struct member *member = &run->members[random_below(&run->random, run->count)];
    struct member *other = &run->members[random_below(&run->random, run->count)];
    unsigned dice = (unsigned)random_below(&run->random, 100);
    const struct member_chaos chaos = {
        .random = &run->random,
        .break_percent = 15,
        .fail_step_percent = 4,
        .crash_percent = run->has_crashes ? 3 : 0,
        .batch_max = random_chance(&run->random, 50) ? 3 : 0,
        .disturb = disturb,
        .disturb_arg = run,
    };

    if (dice < 35)
        users_act(&run->users, member);
    else if (dice < 55)
        member_scan(member);
    else if (dice < 57 && run->has_crashes)
        member_crash(member);
    else if (dice == 57)
        member_unpark(member);
    else if (member != other)
        (void)member_pull(member, other, &chaos);
    check(run, member);
}

static void end(struct run *run)
{
    if (!members_converge(run->members, run->count, CYCLES_MAX))
        fail_run(run, "it does not become quiet");
    for (size_t i = 0; i < run->count; i++)
        check(run, &run->members[i]);
    for (size_t i = 1; i < run->count; i++) {
        const char *difference = member_difference(&run->members[0], &run->members[i]);

        if (difference != NULL)
            fail_run(run, difference);
    }

    uint64_t lost = users_lost(&run->users, run->members, run->count);

    if (lost != 0) {
        printf("# content %" PRIu64 "\n", lost);
        fail_run(run, "a content is lost");
    }
    for (size_t i = 0; i < run->count; i++)
        member_fini(&run->members[i]);
}

static void run_one(uint64_t seed, bool crashes)
{
    struct run run;
    unsigned events;

    begin(&run, seed, crashes);
    events = 5 + (unsigned)random_below(&run.random, 60);
    while (events-- > 0)
        one_event(&run);
    end(&run);
}

/* What failed once. */
static void runs_that_failed_once_do_not_fail_again(void **state)
{
    static const struct {
        uint64_t seed;
        bool crashes;
    } known[] = {
        {13188, false}, /* an older version took the place of an edit, whose base was claimed */
        {387352, true}, /* two dead directories waited for each other's children */
    };
    (void)state;

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        run_one(known[i].seed, known[i].crashes);
}

static void run_many(const char *name, bool crashes)
{
    uint64_t seed = random_seed(name);
    unsigned runs = run_count();

    for (unsigned i = 0; i < runs; i++)
        run_one(seed + i, crashes);
}

static void replicas_converge_and_lose_nothing(void **state)
{
    (void)state;
    run_many("converge", false);
}

static void replicas_converge_and_lose_nothing_through_crashes(void **state)
{
    (void)state;
    run_many("converge with crashes", true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_that_failed_once_do_not_fail_again),
        cmocka_unit_test(replicas_converge_and_lose_nothing),
        cmocka_unit_test(replicas_converge_and_lose_nothing_through_crashes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
