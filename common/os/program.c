/* SPDX-License-Identifier: Apache-2.0 */
#include "common/os/program.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

int program_arguments(const struct program *program, int argc, char **argv,
                      struct program_arguments *arguments)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'}, {"check", no_argument, NULL, 'k'},
        {"help", no_argument, NULL, 'h'},         {"version", no_argument, NULL, 'V'},
        {NULL, 0, NULL, 0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "c:hV", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            arguments->config_path = optarg;
            break;
        case 'k':
            arguments->check = true;
            break;
        case 'h':
            fputs(program->usage, stdout);
            return PROGRAM_WELL;
        case 'V':
            printf("%s %s\n", program->name, COTERIE_VERSION);
            return PROGRAM_WELL;
        default:
            fprintf(stderr, "Try '%s --help'.\n", program->name);
            return PROGRAM_USAGE;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "%s: unexpected argument \"%s\": try --help\n", program->name,
                argv[optind]);
        return PROGRAM_USAGE;
    }
    return -1;
}

int program_config_refused(const struct program *program, char *take_problem)
{
    fprintf(stderr, "%s: %s\n", program->name, take_problem);
    free(take_problem);
    return PROGRAM_USAGE;
}

int program_config_good(const struct program_arguments *arguments)
{
    printf("%s is good\n", arguments->config_path);
    return PROGRAM_WELL;
}

int program_exit_code(enum status started)
{
    return started == ST_OK        ? PROGRAM_WELL
           : started == ST_REFUSED ? PROGRAM_NOT_AUTHORISED
                                   : PROGRAM_FAILED;
}
