/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/random.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

uint64_t random_seed(const char *test)
{
    const char *given = getenv("COTERIE_SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 0) : 1;

    printf("# %s: COTERIE_SEED=%" PRIu64 "\n", test, seed);
    fflush(stdout);
    return seed;
}

struct random_source random_from(uint64_t seed)
{
    uint64_t z = seed + UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    z ^= z >> 31;
    return (struct random_source){.state = z != 0 ? z : 1};
}

uint64_t random_next(struct random_source *random)
{
    uint64_t x = random->state;

    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    random->state = x;
    return x * UINT64_C(0x2545f4914f6cdd1d);
}

uint64_t random_below(struct random_source *random, uint64_t count)
{
    return random_next(random) % count;
}

bool random_chance(struct random_source *random, unsigned percent)
{
    return random_below(random, 100) < percent;
}
