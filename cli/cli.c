/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>

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

int cli_parse_query(int argc, char **argv, struct cli_query *query)
{
    const struct option options[] = {
        {query->target_option, required_argument, NULL, 'x'},
        {"timeout", required_argument, NULL, 't'},
        {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        switch (option) {
        case 'x':
            query->target = optarg;
            break;
        case 't':
            if (!cli_parse_number(optarg, 1, 86400, &query->timeout_s))
                return cli_fail(CLI_USAGE, "--timeout takes seconds from 1 to 86400, not \"%s\"",
                                optarg);
            break;
        case 'j':
            query->json = true;
            break;
        case 'h':
            query->print_usage(stdout);
            return CLI_WELL;
        default:
            query->print_usage(stderr);
            return CLI_USAGE;
        }
    }
    if (optind < argc)
        return cli_fail(CLI_USAGE, "unexpected argument \"%s\"; see coterie %s --help",
                        argv[optind], query->noun);
    return -1;
}
