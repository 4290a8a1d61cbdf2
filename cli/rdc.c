/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/rdc.h"

#include "cli/cli.h"
#include "cli/file.h"
#include "common/base/mem.h"
#include "common/base/scope.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

struct verb {
    const char *name;
    const char *synopsis;
    const char *summary;
    int operands_min;
    int operands_max;
    int (*run)(const struct rdc_options *options);
};

static const struct verb VERBS[] = {
    {"signature", "FILE [--output OUT] [--ms [--level N]]",
     "sign a file: its chunks and who they are", 1, 1, rdc_verb_signature},
    {"delta", "OLD NEW --output OUT | --signature SIG NEW --output OUT",
     "what turns OLD into NEW, from OLD or its signature", 1, 2, rdc_verb_delta},
    {"patch", "OLD DELTA --output OUT", "build NEW from OLD and a delta", 2, 2, rdc_verb_patch},
    {"stats", "OLD NEW [--mode t1|t2|t3|t4] [--rtt MS] [--rate MBIT]",
     "play the exchange between two peers and show what it costs", 2, 2, rdc_verb_stats},
    {"similar", "FILE CANDIDATE...", "which candidates resemble a file", 2, RDC_OPERANDS_MAX,
     rdc_verb_similar},
};

#define VERB_COUNT (sizeof(VERBS) / sizeof(VERBS[0]))

static const char OPTIONS_HELP[] =
    "options:\n"
    "  --output FILE     where the result goes (written whole or not at all)\n"
    "  --json            print the result as one line of JSON\n"
    "  --progress        show on stderr how far a file is read\n"
    "  --key HEX         the group key, up to 16 hex digits (default 0)\n"
    "  --horizon N       half the mean chunk, a multiple of 128 (default: by size)\n"
    "  --pack-level N    1 to 19: zstd level for what travels (default: by the link)\n"
    "  --signature SIG   delta: a signature file instead of OLD\n"
    "  --ms              signature: the file format of [MS-RDC]\n"
    "  --level N         signature --ms: recursion level 1 to 8 (default 1)\n"
    "  --window N        signature --ms: hash window 2 to 96 (default 48; levels above 1: 2)\n"
    "  --mode MODE       stats: t1 base bytes at the sender, t2 its signature, t3 nothing,\n"
    "                    t4 no old version at all; default t1\n"
    "  --warm            stats: signatures are made before the clock starts\n"
    "  --rtt MS, --rate MBIT   stats: the link; depth and compression follow it\n";

static void print_usage(FILE *to)
{
    fputs("usage: coterie rdc VERB [options]\n\nverbs:\n", to);
    for (size_t i = 0; i < VERB_COUNT; i++)
        fprintf(to, "  %s %s\n      %s\n", VERBS[i].name, VERBS[i].synopsis, VERBS[i].summary);
    fprintf(to, "\n%s", OPTIONS_HELP);
}

enum option_id {
    OPT_OUTPUT = 256,
    OPT_JSON,
    OPT_PROGRESS,
    OPT_KEY,
    OPT_HORIZON,
    OPT_PACK_LEVEL,
    OPT_SIGNATURE,
    OPT_MS,
    OPT_LEVEL,
    OPT_WINDOW,
    OPT_MODE,
    OPT_WARM,
    OPT_RTT,
    OPT_RATE,
    OPT_HELP,
};

static const struct option OPTIONS[] = {
    {"output", required_argument, NULL, OPT_OUTPUT},
    {"json", no_argument, NULL, OPT_JSON},
    {"progress", no_argument, NULL, OPT_PROGRESS},
    {"key", required_argument, NULL, OPT_KEY},
    {"horizon", required_argument, NULL, OPT_HORIZON},
    {"pack-level", required_argument, NULL, OPT_PACK_LEVEL},
    {"signature", required_argument, NULL, OPT_SIGNATURE},
    {"ms", no_argument, NULL, OPT_MS},
    {"level", required_argument, NULL, OPT_LEVEL},
    {"window", required_argument, NULL, OPT_WINDOW},
    {"mode", required_argument, NULL, OPT_MODE},
    {"warm", no_argument, NULL, OPT_WARM},
    {"rtt", required_argument, NULL, OPT_RTT},
    {"rate", required_argument, NULL, OPT_RATE},
    {"help", no_argument, NULL, OPT_HELP},
    {0},
};

static bool parse_key(const char *text, struct rdc_key *out_key)
{
    char *end;

    if (*text == 0 || strlen(text) > 16 || strspn(text, "0123456789abcdefABCDEF") != strlen(text))
        return false;
    out_key->seed = strtoull(text, &end, 16);
    return true;
}

static bool parse_mode(const char *text, enum rdc_mode *out_mode)
{
    static const char *const names[] = {"auto", "t1", "t2", "t3", "t4"};

    for (unsigned i = RDC_MODE_T1; i <= RDC_MODE_T4; i++) {
        if (strcmp(text, names[i]) == 0) {
            *out_mode = (enum rdc_mode)i;
            return true;
        }
    }
    return false;
}

/* Take one option; false when its value makes no sense. */
static bool take_option(struct rdc_options *o, int id, const char *value)
{
    uint64_t number = 0;

    switch (id) {
    case OPT_OUTPUT:
        o->output = value;
        return true;
    case OPT_SIGNATURE:
        o->base_signature = value;
        return true;
    case OPT_JSON:
        o->json = true;
        return true;
    case OPT_PROGRESS:
        o->progress = true;
        return true;
    case OPT_MS:
        o->ms = true;
        return true;
    case OPT_WARM:
        o->warm = true;
        return true;
    case OPT_KEY:
        return parse_key(value, &o->key);
    case OPT_MODE:
        return parse_mode(value, &o->mode);
    case OPT_HORIZON:
        return cli_parse_number(value, 128, 16384, &o->horizon);
    case OPT_LEVEL:
        return cli_parse_number(value, 1, 8, &o->level);
    case OPT_WINDOW:
        return cli_parse_number(value, 2, 96, &o->window);
    case OPT_PACK_LEVEL:
        if (!cli_parse_number(value, 1, 19, &number))
            return false;
        o->pack_level = (int)number;
        return true;
    case OPT_RTT:
        if (!cli_parse_number(value, 0, 600000, &number))
            return false;
        o->link.round_trip_ms = (uint32_t)number;
        return true;
    case OPT_RATE:
        if (!cli_parse_number(value, 1, 1000000, &number))
            return false;
        o->link.bytes_per_second = number * 125000;
        return true;
    default:
        return false;
    }
}

struct rdc_signature_options rdc_signing(const struct rdc_options *options)
{
    return (struct rdc_signature_options){
        .key = options->key,
        .horizon = (uint32_t)options->horizon,
        .progress = options->progress ? rdc_show_progress : NULL,
    };
}

void rdc_show_progress(uint64_t bytes_done, void *arg)
{
    uint64_t step = UINT64_C(64) << 20;
    (void)arg;

    if (bytes_done % step < (128u << 10))
        fprintf(stderr, "\r%llu MiB read", (unsigned long long)(bytes_done >> 20));
}

void rdc_print_json(json_t *json)
{
    json_dumpf(json, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
    putchar('\n');
    json_decref(json);
}

static int run(int argc, char **argv)
{
    struct rdc_options options = {.level = 1};
    const struct verb *verb = NULL;

    if (argc < 1 || strcmp(argv[0], "--help") == 0) {
        print_usage(argc < 1 ? stderr : stdout);
        return argc < 1 ? CLI_USAGE : CLI_WELL;
    }
    for (size_t i = 0; i < VERB_COUNT; i++)
        verb = strcmp(argv[0], VERBS[i].name) == 0 ? &VERBS[i] : verb;
    if (!verb)
        return cli_fail(CLI_USAGE, "rdc has no verb '%s'; `coterie rdc --help` lists them",
                        argv[0]);
    opterr = 0;
    int which = 0;
    for (int id; (id = getopt_long(argc, argv, "", OPTIONS, &which)) != -1;) {
        if (id == OPT_HELP) {
            print_usage(stdout);
            return CLI_WELL;
        }
        if (id == '?')
            return cli_fail(CLI_USAGE, "unknown option, or one without its value: '%s'",
                            argv[optind - 1]);
        if (!take_option(&options, id, optarg))
            return cli_fail(CLI_USAGE, "'%s' is no value for --%s; see `coterie rdc --help`",
                            optarg, OPTIONS[which].name);
    }
    while (optind < argc && options.operand_count < RDC_OPERANDS_MAX)
        options.operands[options.operand_count++] = argv[optind++];
    if (options.operand_count < verb->operands_min || options.operand_count > verb->operands_max ||
        optind < argc)
        return cli_fail(CLI_USAGE, "usage: coterie rdc %s %s", verb->name, verb->synopsis);
    if (!options.ms && options.horizon != 0 && !rdc_horizon_valid(options.horizon))
        return cli_fail(CLI_USAGE, "a horizon is a multiple of 128 from %u to %u", RDC_HORIZON_MIN,
                        RDC_HORIZON_MAX);
    return verb->run(&options);
}

const struct cli_noun cli_rdc = {
    .name = "rdc",
    .summary = "signatures, deltas and similarity of files",
    .run = run,
};
