/* SPDX-License-Identifier: Apache-2.0 */
/* coterie-agent: replicates this server's folders with its partners. */
#include "agent/agent.h"
#include "agent/config.h"
#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/os/program.h"
#include "common/os/service.h"

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

static const struct program program = {.name = "coterie-agent", .usage = usage};

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
    return program_exit_code(st);
}

int main(int argc, char **argv)
{
    struct program_arguments arguments = {.config_path = AGENT_CONFIG_PATH_DEFAULT};
    struct agent_config config;
    char *problem = NULL;

    mem_begin();
    int code = program_arguments(&program, argc, argv, &arguments);

    if (code >= 0)
        return code;
    if (!agent_config_load(arguments.config_path, &config, &problem))
        return program_config_refused(&program, problem);
    log_start(program.name, config.log_level);
    code = arguments.check ? program_config_good(&arguments) : run(&config);
    agent_config_fini(&config);
    return code;
}
