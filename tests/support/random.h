/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/support/random.h: random numbers that one seed reproduces (xorshift64*, splitmix start).
 */
#ifndef TESTS_SUPPORT_RANDOM_H
#define TESTS_SUPPORT_RANDOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct random_source {
    uint64_t state;
};

/* The seed of COTERIE_SEED, else always the same one, so that the ordinary tests do not change from run
 * to run: exploring is for whom asks. Printed, so that a failure can be repeated. */
uint64_t random_seed(const char *test);

struct random_source random_from(uint64_t seed);
uint64_t random_next(struct random_source *random);
/* Evenly in [0, @count); @count above 0. */
uint64_t random_below(struct random_source *random, uint64_t count);
/* True in @percent of 100 cases. */
bool random_chance(struct random_source *random, unsigned percent);

#endif
