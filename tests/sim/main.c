/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/sim: runs the real core under faults, one seed at a time (see world.h and run.sh).
 *
 *   sim FIRST LAST [--twice]     run a range; each seed twice and compare the hashes of the traces
 *   sim --trace SEED             run one and print what happens
 *   sim --script SEED            write what users and faults do in it, for real agents
 *   sim --shrink SEED            leave out actions while the same seed still fails
 */
#include "tests/sim/world.h"

#include "common/base/instant.h"
#include "common/base/mem.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile uint64_t running_seed;

/* An assertion of the core failed: say which seed it was. */
static void on_abort(int signal_number)
{
    char digits[24];
    size_t at = sizeof(digits);
    uint64_t seed = running_seed;

    (void)signal_number;
    digits[--at] = '\n';
    do {
        digits[--at] = (char)('0' + seed % 10);
        seed /= 10;
    } while (seed > 0);
    static const char text[] = "FAILED: the core stopped itself in seed ";
    (void)!write(STDOUT_FILENO, text, sizeof(text) - 1);
    (void)!write(STDOUT_FILENO, digits + at, sizeof(digits) - at);
    _exit(1);
}

struct totals {
    uint64_t seed_count;
    uint64_t event_count;
    uint64_t update_count;
    uint64_t expired_count;
    uint64_t listed_count;
    uint64_t forgotten_count;
    uint64_t in_vain_count;
    uint64_t operations[OPERATION_COUNT];
    uint64_t faults[FAULT_COUNT];
    uint64_t classes[CLASS_COUNT];
    int64_t quiet_ms_max;
    uint64_t hash;
};

static void add(struct totals *totals, const struct sim_result *result)
{
    totals->seed_count++;
    totals->event_count += result->event_count;
    totals->update_count += result->update_count;
    totals->expired_count += result->expired_count;
    totals->listed_count += result->listed_count;
    totals->forgotten_count += result->forgotten_count;
    totals->in_vain_count += result->in_vain_count;
    for (unsigned i = 0; i < OPERATION_COUNT; i++)
        totals->operations[i] += result->operations[i];
    for (unsigned i = 0; i < FAULT_COUNT; i++)
        totals->faults[i] += result->faults[i];
    for (unsigned i = 0; i < CLASS_COUNT; i++)
        totals->classes[i] += result->classes[i];
    if (result->quiet_ms > totals->quiet_ms_max)
        totals->quiet_ms_max = result->quiet_ms;
    totals->hash = (totals->hash ^ result->trace_hash) * UINT64_C(0x100000001b3);
}

static void print_counts(const char *title, const char *const *names, const uint64_t *counts,
                         unsigned count)
{
    printf("%s:", title);
    for (unsigned i = 0; i < count; i++)
        printf(" %s=%llu", names[i], (unsigned long long)counts[i]);
    printf("\n");
}

static void print_totals(const struct totals *totals, int64_t elapsed_ms)
{
#define X(name) #name,
    static const char *const operations[] = {SIM_OPERATIONS(X)};
    static const char *const faults[] = {SIM_FAULTS(X)};
    static const char *const classes[] = {SIM_CLASSES(X)};
#undef X

    printf("seeds=%llu events=%llu updates=%llu expired=%llu listed=%llu forgotten=%llu in_vain=%llu "
           "slowest_quiet_ms=%lld hash=%016llx\n",
           (unsigned long long)totals->seed_count, (unsigned long long)totals->event_count,
           (unsigned long long)totals->update_count,
           (unsigned long long)totals->expired_count, (unsigned long long)totals->listed_count,
           (unsigned long long)totals->forgotten_count, (unsigned long long)totals->in_vain_count,
           (long long)totals->quiet_ms_max,
           (unsigned long long)totals->hash);
    print_counts("operations", operations, totals->operations, OPERATION_COUNT);
    print_counts("faults", faults, totals->faults, FAULT_COUNT);
    print_counts("classes", classes, totals->classes, CLASS_COUNT);
    printf("seconds=%.1f seeds_per_second=%.1f\n", (double)elapsed_ms / 1000,
           (double)totals->seed_count * 1000 / (double)(elapsed_ms > 0 ? elapsed_ms : 1));
}

/* One seed that breaks an invariant does not end the range, so that a range tells them all. */
static int run_range(uint64_t first, uint64_t last, bool twice)
{
    struct totals totals = {0};
    struct instant begin = instant_now();
    int status = 0;

    for (uint64_t seed = first; seed <= last; seed++) {
        struct sim_options options = {.seed = seed};
        struct sim_result result;

        running_seed = seed;
        sim_run(&options, &result);
        if (result.failed) {
            printf("FAILED: seed %llu: %s\n", (unsigned long long)seed, result.problem);
            status = 1;
            continue;
        }
        if (twice) {
            struct sim_result again;

            sim_run(&options, &again);
            if (again.trace_hash != result.trace_hash) {
                printf("FAILED: seed %llu: two runs differ\n", (unsigned long long)seed);
                status = 1;
            }
        }
        add(&totals, &result);
    }
    print_totals(&totals, instant_ms_since(begin, instant_now()));
    return status;
}

static int run_traced(uint64_t seed, const bool *skip, size_t skip_count)
{
    struct sim_options options = {
        .seed = seed, .trace = true, .skip = skip, .skip_count = skip_count};
    struct sim_result result;

    running_seed = seed;
    sim_run(&options, &result);
    printf("hash=%016llx %s\n", (unsigned long long)result.trace_hash,
           result.failed ? result.problem : "ok");
    return result.failed ? 1 : 0;
}

/* Whether the run fails is of no interest here. */
static int write_script(uint64_t seed)
{
    struct sim_options options = {.seed = seed, .script = true};
    struct sim_result result;

    running_seed = seed;
    sim_run(&options, &result);
    return 0;
}

/* In a process of its own, since the core may stop itself. */
static bool fails(uint64_t seed, const bool *skip, size_t skip_count)
{
    int status;

    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        struct sim_options options = {.seed = seed, .skip = skip, .skip_count = skip_count};
        struct sim_result result;

        signal(SIGABRT, SIG_DFL);
        (void)!freopen("/dev/null", "w", stderr);
        sim_run(&options, &result);
        _exit(result.failed ? 1 : 0);
    }
    return child > 0 && waitpid(child, &status, 0) == child &&
           !(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* Leave out runs of actions, from long to single ones, as long as the seed fails. */
static int shrink(uint64_t seed)
{
    enum { ACTION_COUNT_MAX = 64 };
    bool skip[ACTION_COUNT_MAX] = {false};
    size_t kept = 0;

    if (!fails(seed, skip, 0)) {
        printf("seed %llu does not fail\n", (unsigned long long)seed);
        return 1;
    }
    for (int pass = 0; pass < 2; pass++) {
        for (size_t run = ACTION_COUNT_MAX / 2; run > 0; run /= 2) {
            for (size_t at = 0; at + run <= ACTION_COUNT_MAX; at += run) {
                bool before[ACTION_COUNT_MAX];

                memcpy(before, skip, sizeof(skip));
                for (size_t i = at; i < at + run; i++)
                    skip[i] = true;
                if (memcmp(before, skip, sizeof(skip)) != 0 && !fails(seed, skip, ACTION_COUNT_MAX))
                    memcpy(skip, before, sizeof(skip));
            }
        }
    }
    for (size_t i = 0; i < ACTION_COUNT_MAX; i++)
        kept += !skip[i];
    printf("seed %llu still fails with %zu actions left in:\n", (unsigned long long)seed, kept);
    return run_traced(seed, skip, ACTION_COUNT_MAX);
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGABRT, on_abort);
    if (argc == 3 && strcmp(argv[1], "--trace") == 0)
        return run_traced(strtoull(argv[2], NULL, 10), NULL, 0);
    if (argc == 3 && strcmp(argv[1], "--script") == 0)
        return write_script(strtoull(argv[2], NULL, 10));
    if (argc == 3 && strcmp(argv[1], "--shrink") == 0)
        return shrink(strtoull(argv[2], NULL, 10));
    if (argc == 3 || (argc == 4 && strcmp(argv[3], "--twice") == 0))
        return run_range(strtoull(argv[1], NULL, 10), strtoull(argv[2], NULL, 10), argc == 4);
    fprintf(stderr, "usage: sim FIRST LAST [--twice] | --trace SEED | "
                    "--script SEED | --shrink SEED\n");
    return 2;
}
