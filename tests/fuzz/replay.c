/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a fuzz target over every file of a folder, and over each of them spoilt a little in many
 * ways, so that the ordinary tests do some fuzzing with any compiler.
 */
#include "common/base/buf.h"
#include "common/base/scope.h"
#include "tests/fuzz/target.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#define SPOILT_COUNT 200
#define INPUT_MAX    (1u << 20)

static uint64_t next(uint64_t *x)
{
    *x ^= *x << 13;
    *x ^= *x >> 7;
    *x ^= *x << 17;
    return *x * UINT64_C(0x2545f4914f6cdd1d) >> 16;
}

static void run_spoilt(const struct buf *input, uint64_t seed)
{
    uint64_t x = seed * 2 + 1;

    for (unsigned i = 0; i < SPOILT_COUNT && input->size > 0; i++) {
        scope(buf) struct buf spoilt = {0};

        buf_append(&spoilt, input->data, input->size);
        for (uint64_t changes = 1 + next(&x) % 4; changes > 0; changes--)
            spoilt.data[next(&x) % spoilt.size] = (uint8_t)next(&x);
        if (next(&x) % 4 == 0)
            spoilt.size = next(&x) % spoilt.size;
        LLVMFuzzerTestOneInput(spoilt.data, spoilt.size);
    }
}

static void run_file(const char *folder, const char *name)
{
    char path[4096];
    scope(buf) struct buf input = {0};

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    scope_file FILE *file = fopen(path, "rbe");
    if (!file) {
        perror(path);
        exit(1);
    }
    input.size = fread(buf_extend(&input, INPUT_MAX), 1, INPUT_MAX, file);
    LLVMFuzzerTestOneInput(input.data, input.size);
    run_spoilt(&input, input.size);
}

int main(int argc, char **argv)
{
    DIR *folder = argc == 2 ? opendir(argv[1]) : NULL;
    unsigned files = 0;

    if (!folder) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        run_file(argv[1], entry->d_name);
        files += 1;
    }
    closedir(folder);
    printf("%u inputs, each also spoilt in %d ways\n", files, SPOILT_COUNT);
    return files > 0 ? 0 : 1;
}
