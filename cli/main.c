/* SPDX-License-Identifier: Apache-2.0 */
/* coterie: the command line. */
#include "cli/cli.h"
#include "common/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct cli_noun *const NOUNS[] = {
    &cli_status,
    &cli_agent,
    &cli_rdc,
};

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
    mem_begin();
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
