/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/cli.h: what the nouns of the command line share.
 *
 * `coterie NOUN VERB …`; one file per noun. Results go to stdout, everything else to stderr.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "common/base/status.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Exit codes; part of the interface. */
enum cli_exit {
    CLI_WELL = 0,
    CLI_UNHEALTHY = 1, /* done, but something is not as it should be */
    CLI_USAGE = 2,
    CLI_UNREACHABLE = 3,
    CLI_NOT_AUTHORISED = 4,
    CLI_NOT_FOUND = 5,
    CLI_REFUSED = 6,
    CLI_TIMED_OUT = 7,
    CLI_PARTLY = 8,
};

struct cli_noun {
    const char *name;
    const char *summary;
    /* @argv[0] is the verb's place; returns an exit code. */
    int (*run)(int argc, char **argv);
};

extern const struct cli_noun cli_agent;
extern const struct cli_noun cli_rdc;
extern const struct cli_noun cli_status;

/* One line on stderr: "coterie: …". Returns @code. */
int cli_fail(enum cli_exit code, const char *format, ...) PRINTF_LIKE(2, 3);

/* What every question to a running program takes. */
struct cli_query {
    const char *target_option; /* the name of the option that says whom to ask: "socket" */
    const char *noun;          /* "agent", for messages */
    void (*print_usage)(FILE *to);

    /* The result; the caller fills in the defaults. */
    const char *target;
    uint64_t timeout_s;
    bool json;
};

/* --TARGET, --timeout, --json, --help. -1: go on; otherwise the exit code. */
int cli_parse_query(int argc, char **argv, struct cli_query *query);

/* A whole decimal number in [min, max]; false otherwise. */
bool cli_parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *out_value);

#endif
