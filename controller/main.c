/* SPDX-License-Identifier: Apache-2.0 */
/* coterie-controller: gives each agent what the directory says it is to replicate. */
#include "common/os/service.h"
#include "controller/config.h"
#include "controller/controller.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#define WORKER_COUNT 4 /* for handshakes, which wait for the KDC */

enum { EXIT_WELL = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_NOT_AUTHORISED = 4 };

static const char usage[] =
    "Usage: coterie-controller [--config FILE] [--check]\n"
    "\n"
    "Reads replication groups from the directory, gives each agent its assignment, and\n"
    "serves the status of all of them.\n"
    "\n"
    "  -c, --config FILE  read this file instead of " CONTROLLER_CONFIG_PATH_DEFAULT "\n"
    "      --check        read the file, say whether it is good, and exit\n"
    "  -h, --help         show this and exit\n"
    "  -V, --version      show the version and exit\n"
    "\n"
    "SIGHUP reads the directory again, SIGTERM ends in order.\n"
    "See coterie-controller(8) and controller.conf(5).\n";

struct arguments {
    const char *config_path;
    bool check;
};

/* -1: go on; otherwise the exit status. */
static int parse_arguments(int argc, char **argv, struct arguments *out)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"check", no_argument, NULL, 'k'},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
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
            puts("coterie-controller " COTERIE_VERSION);
            return EXIT_WELL;
        default:
            fputs("Try 'coterie-controller --help'.\n", stderr);
            return EXIT_USAGE;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "coterie-controller: unexpected argument \"%s\": try --help\n",
                argv[optind]);
        return EXIT_USAGE;
    }
    return -1;
}

static void on_terminate(void *arg)
{
    service_notify("STOPPING=1");
    controller_stop(arg);
}

static void on_hangup(void *arg)
{
    controller_refresh(arg);
}

static int run(const struct controller_config *config)
{
    struct log_ctx log;
    struct loop *loop = loop_new(WORKER_COUNT);
    struct controller *controller = NULL;

    log_ctx_init(&log, NULL, "%s", "");
    log_info(&log, "starting version=" COTERIE_VERSION);
    enum status st = controller_start(loop, config, &log, &controller);

    if (st == ST_OK) {
        loop_on_terminate(loop, on_terminate, controller);
        loop_on_hangup(loop, on_hangup, controller);
        service_notify("READY=1");
        loop_run(loop);
        controller_free(controller);
        log_info(&log, "stopped");
    }
    loop_free(loop);
    return st == ST_OK ? EXIT_WELL : st == ST_REFUSED ? EXIT_NOT_AUTHORISED : EXIT_FAILED;
}

int main(int argc, char **argv)
{
    struct arguments arguments = {.config_path = CONTROLLER_CONFIG_PATH_DEFAULT};
    struct controller_config config;
    char *problem = NULL;
    int code = parse_arguments(argc, argv, &arguments);

    if (code >= 0)
        return code;
    if (!controller_config_load(arguments.config_path, &config, &problem)) {
        fprintf(stderr, "coterie-controller: %s\n", problem);
        free(problem);
        return EXIT_USAGE;
    }
    log_start("coterie-controller", config.log_level);
    if (arguments.check)
        printf("%s is good\n", arguments.config_path);
    else
        code = run(&config);
    controller_config_fini(&config);
    return code < 0 ? EXIT_WELL : code;
}
