/* SPDX-License-Identifier: Apache-2.0 */
/* coterie-agent: replicates this server's folders with its partners. */
#include "agent/agent.h"
#include "agent/config.h"
#include "common/base/limits.h"
#include "common/os/service.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXIT_WELL = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_NOT_AUTHORISED = 4 };

static const char usage[] =
    "Usage: coterie-agent [--config FILE] [--check]\n"
    "\n"
    "Replicates folders with this server's partners, as the controller assigns them.\n"
    "\n"
    "  -c, --config FILE  read this file instead of " AGENT_CONFIG_PATH_DEFAULT "\n"
    "      --check        read the file, say whether it is good, and exit\n"
    "  -h, --help         show this and exit\n"
    "  -V, --version      show the version and exit\n"
    "\n"
    "SIGTERM ends it in order. See coterie-agent(8) and agent.conf(5).\n";

struct arguments {
    const char *config_path;
    bool check;
};

/* -1: go on; otherwise the exit status. */
static int parse_arguments(int argc, char **argv, struct arguments *out)
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
            out->config_path = optarg;
            break;
        case 'k':
            out->check = true;
            break;
        case 'h':
            fputs(usage, stdout);
            return EXIT_WELL;
        case 'V':
            puts("coterie-agent " COTERIE_VERSION);
            return EXIT_WELL;
        default:
            fputs("Try 'coterie-agent --help'.\n", stderr);
            return EXIT_USAGE;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "coterie-agent: unexpected argument \"%s\": try --help\n", argv[optind]);
        return EXIT_USAGE;
    }
    return -1;
}

static void on_terminate(void *arg)
{
    service_notify("STOPPING=1");
    agent_stop(arg);
}

static int run(const struct agent_config *config)
{
    struct log_ctx log;
    struct loop *loop = loop_new(WORKER_COUNT);
    struct agent *agent = NULL;
    enum status st;

    log_ctx_init(&log, NULL, "host=%s", config->host_name);
    log_info(&log, "starting version=" COTERIE_VERSION);
    st = agent_start(loop, config, &log, &agent);
    if (st == ST_OK) {
        loop_on_terminate(loop, on_terminate, agent);
        service_notify("READY=1");
        loop_run(loop);
        agent_free(agent);
        log_info(&log, "stopped");
    }
    loop_free(loop);
    return st == ST_OK ? EXIT_WELL : st == ST_REFUSED ? EXIT_NOT_AUTHORISED : EXIT_FAILED;
}

int main(int argc, char **argv)
{
    struct arguments arguments = {.config_path = AGENT_CONFIG_PATH_DEFAULT};
    struct agent_config config;
    char *problem = NULL;
    int code = parse_arguments(argc, argv, &arguments);

    if (code >= 0)
        return code;
    if (!agent_config_load(arguments.config_path, &config, &problem)) {
        fprintf(stderr, "coterie-agent: %s\n", problem);
        free(problem);
        return EXIT_USAGE;
    }
    log_start("coterie-agent", config.log_level);
    if (arguments.check)
        printf("%s is good\n", arguments.config_path);
    else
        code = run(&config);
    agent_config_fini(&config);
    return code < 0 ? EXIT_WELL : code;
}
