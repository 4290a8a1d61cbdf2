/* SPDX-License-Identifier: Apache-2.0 */
/* coterie: the command line. */
#include "cli/cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct cli_noun *const NOUNS[] = {
    &cli_rdc,
};

int cli_fail(enum cli_exit code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fputs("coterie: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return (int)code;
}

bool cli_parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *out_value)
{
    uint64_t value = 0;

    if (*text == 0)
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9' || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*text - '0'), &value))
            return false;
    }
    if (value < min || value > max)
        return false;
    *out_value = value;
    return true;
}

static void print_usage(FILE *to)
{
    fputs("usage: coterie NOUN VERB [options]\n"
          "       coterie --version\n\n"
          "nouns:\n",
          to);
    for (size_t i = 0; i < sizeof(NOUNS) / sizeof(NOUNS[0]); i++)
        fprintf(to, "  %-12s %s\n", NOUNS[i]->name, NOUNS[i]->summary);
    fputs("\n`coterie NOUN --help` lists a noun's verbs.\n", to);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_usage(stderr);
        return CLI_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0) {
        print_usage(stdout);
        return CLI_WELL;
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("coterie " COTERIE_VERSION);
        return CLI_WELL;
    }
    for (size_t i = 0; i < sizeof(NOUNS) / sizeof(NOUNS[0]); i++) {
        if (strcmp(argv[1], NOUNS[i]->name) == 0)
            return NOUNS[i]->run(argc - 2, argv + 2);
    }
    return cli_fail(CLI_USAGE, "no noun is called '%s'; `coterie --help` lists them", argv[1]);
}
