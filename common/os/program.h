/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/os/program.h: what the two daemons' command lines have in common.
 */
#ifndef COMMON_OS_PROGRAM_H
#define COMMON_OS_PROGRAM_H

#include "common/base/status.h"

#include <stdbool.h>

/* Exit codes; part of the interface, the same as the command line's (cli/cli.h). */
enum program_exit {
    PROGRAM_WELL = 0,
    PROGRAM_FAILED = 1,
    PROGRAM_USAGE = 2,
    PROGRAM_NOT_AUTHORISED = 4,
};

struct program {
    const char *name;
    const char *usage; /* the whole text of --help */
};

struct program_arguments {
    const char *config_path; /* --config; the caller fills in the default */
    bool check;              /* --check: read the file, say whether it is good, and exit */
};

/* -1: go on; otherwise end with this exit code: help, version or a mistake was dealt with. */
int program_arguments(const struct program *program, int argc, char **argv,
                      struct program_arguments *arguments);

/* One line on stderr: "NAME: PROBLEM"; frees @take_problem. Returns PROGRAM_USAGE. */
int program_config_refused(const struct program *program, char *take_problem);

/* For --check. Returns PROGRAM_WELL. */
int program_config_good(const struct program_arguments *arguments);

/* The exit code of a daemon whose start ended so. */
int program_exit_code(enum status started);

#endif
