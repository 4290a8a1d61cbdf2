/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A main() for fuzz targets without libFuzzer: every file of the corpus as it is, and then with
 * small changes at random. COTERIE_SEED repeats a run.
 */
#include "tests/fuzz/fuzz.h"

#include "common/base/mem.h"
#include "common/base/scope.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define INPUT_SIZE_MAX (1u << 20)
#define CHANGE_COUNT   400 /* of each file */

static uint64_t random_state;

static size_t below(size_t n)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (size_t)((random_state >> 33) % n);
}

/* Some bytes replaced, a piece cut out, or a piece doubled. */
static size_t change(uint8_t *data, size_t size)
{
    size_t from = below(size);
    size_t length = 1 + below(size - from);

    switch (below(4)) {
    case 0:
        memmove(data + from, data + from + length, size - from - length);
        return size - length;
    case 1:
        memmove(data + from + length, data + from, size - from);
        return size + length;
    default:
        for (size_t i = 1 + below(4); i > 0; i--)
            data[below(size)] = (uint8_t)below(256);
        return size;
    }
}

static void replay(const char *path)
{
    uint8_t *data = mem_new(INPUT_SIZE_MAX, 1);
    uint8_t *copy = mem_new(2 * (size_t)INPUT_SIZE_MAX, 1);
    scope_file FILE *file = fopen(path, "rb");
    size_t size = file ? fread(data, 1, INPUT_SIZE_MAX, file) : 0;

    if (size == 0) {
        fprintf(stderr, "%s: cannot be read, or is empty\n", path);
        exit(1);
    }
    LLVMFuzzerTestOneInput(data, size);
    for (unsigned i = 0; i < CHANGE_COUNT; i++) {
        memcpy(copy, data, size);
        size_t changed = change(copy, size);
        LLVMFuzzerTestOneInput(copy, changed);
    }
    free(data);
    free(copy);
}

int main(int argc, char **argv)
{
    const char *given = getenv("COTERIE_SEED");
    size_t count = 0;

    random_state = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    printf("COTERIE_SEED=%llu\n", (unsigned long long)random_state);
    fflush(stdout);
    for (int i = 1; i < argc; i++) {
        struct dirent **names = NULL;
        int name_count = scandir(argv[i], &names, NULL, alphasort);

        for (int k = 0; k < name_count; k++) {
            scope_free char *path = mem_format("%s/%s", argv[i], names[k]->d_name);

            if (names[k]->d_name[0] != '.') {
                replay(path);
                count++;
            }
            free(names[k]);
        }
        free(names);
    }
    printf("%zu files\n", count);
    return count > 0 ? 0 : 1;
}
