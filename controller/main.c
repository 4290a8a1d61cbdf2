/* SPDX-License-Identifier: Apache-2.0 */
/* coterie-controller: gives each agent what the directory says it is to replicate. */
#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/os/program.h"
#include "common/os/service.h"
#include "controller/config.h"
#include "controller/controller.h"

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

static const struct program program = {.name = "coterie-controller", .usage = usage};

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
    return program_exit_code(st);
}

int main(int argc, char **argv)
{
    struct program_arguments arguments = {.config_path = CONTROLLER_CONFIG_PATH_DEFAULT};
    struct controller_config config;
    char *problem = NULL;

    mem_begin();
    int code = program_arguments(&program, argc, argv, &arguments);

    if (code >= 0)
        return code;
    if (!controller_config_load(arguments.config_path, &config, &problem))
        return program_config_refused(&program, problem);
    log_start(program.name, config.log_level);
    code = arguments.check ? program_config_good(&arguments) : run(&config);
    controller_config_fini(&config);
    return code;
}
