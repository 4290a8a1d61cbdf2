/* SPDX-License-Identifier: Apache-2.0 */
/* coterie agent: the agent on this machine, over its local socket. */
#include "cli/agent_show.h"
#include "cli/cli.h"

#include "common/base/mem.h"
#include "common/rpc/methods.h"

#include "proto/admin.pb-c.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SOCKET_DEFAULT "/run/coterie/agent.sock"

struct verb {
    const char *name;
    const struct rpc_method *method; /* of an AdminRequest, answered by an AgentStatus */
    uint64_t timeout_s; /* by default; 0: for ever */
    int (*show)(const Coterie__V1__AgentStatus *status, bool json, FILE *to);
};

static const struct verb verbs[] = {
    {"status", &admin_get_status_method, 10, agent_show_status},
    {"idle", &admin_get_status_method, 10, agent_show_idle},
    {"rescan", &admin_rescan_method, 0, agent_show_status},
    {"verify", &admin_verify_method, 0, agent_show_status},
};

struct call {
    const struct verb *verb;
    struct cli_query query; /* the target is the socket */

    struct loop *loop;
    struct rpc_channel *channel;
    struct rpc_stream *stream;
    ProtobufCMessage *answer;
    int code; /* when there is no answer */
};

static void print_usage(FILE *to)
{
    fputs("usage: coterie agent status [options]   what it replicates, with whom, how far\n"
          "       coterie agent idle [options]     whether all is in sync and nothing to do\n"
          "       coterie agent rescan [options]   look at all trees again; returns when done\n"
          "       coterie agent verify [options]   the same, and compare all records with all partners in\n"
          "                                        session; returns when done\n\n"
          "  --socket PATH      the agent's socket; default " SOCKET_DEFAULT "\n"
          "  --timeout SECONDS  to wait for the answer; default 10, for ever with rescan and verify\n"
          "  --json             for programs\n\n"
          "exit: 0 well, 1 not (idle: not in sync, or at work), 2 usage, 3 no agent there,\n"
          "      4 not authorised, 7 timed out\n",
          to);
}

/* Say what stands against the socket before gRPC, which cannot tell one from another. */
static int check_socket(const char *path)
{
    if (access(path, R_OK | W_OK) == 0)
        return -1;
    if (errno == EACCES || errno == EPERM)
        return cli_fail(CLI_NOT_AUTHORISED, "%s: no permission: ask as root", path);
    return cli_fail(CLI_UNREACHABLE,
                    "%s: %s: start coterie-agent, or name its socket with --socket", path,
                    strerror(errno));
}

/* --- the call --- */

static void give_up(struct call *call, int code)
{
    call->code = code;
    loop_stop(call->loop);
}

static void on_message(struct rpc_stream *stream, ProtobufCMessage **message, void *arg)
{
    struct call *call = arg;

    (void)stream;
    if (call->answer)
        return;
    call->answer = *message;
    *message = NULL;
    loop_stop(call->loop);
}

static void on_end(struct rpc_stream *stream, enum rpc_end end, const char *text, void *arg)
{
    struct call *call = arg;

    (void)stream;
    call->stream = NULL;
    if (call->answer)
        return;
    give_up(call, cli_fail(end == RPC_END_DENIED ? CLI_NOT_AUTHORISED : CLI_UNREACHABLE,
                           "the agent did not answer: %s: %s", rpc_end_name(end), text));
}

static void on_up(struct rpc_channel *channel, void *arg)
{
    static const struct rpc_stream_events events = {.on_message = on_message, .on_end = on_end};
    struct call *call = arg;
    Coterie__V1__AdminRequest request;

    if (call->stream || call->answer)
        return;
    call->stream = rpc_stream_open(channel, call->verb->method, &events, call);
    if (!call->stream)
        return;
    coterie__v1__admin_request__init(&request);
    rpc_stream_send(call->stream, &request.base);
    rpc_stream_close_send(call->stream);
}

static void on_down(struct rpc_channel *channel, enum rpc_end why, const char *text, void *arg)
{
    struct call *call = arg;

    (void)channel;
    (void)why;
    if (!call->answer)
        give_up(call,
                cli_fail(CLI_UNREACHABLE, "%s: no agent answers: %s; is coterie-agent running?",
                         call->query.target, text));
}

static void on_timeout(void *arg)
{
    struct call *call = arg;

    give_up(call, cli_fail(CLI_TIMED_OUT, "%s: no answer within %lu s", call->query.target,
                           (unsigned long)call->query.timeout_s));
}

static void perform(struct call *call, const struct log_ctx *log)
{
    call->loop = loop_new(1);
    struct rpc *rpc = rpc_new(call->loop, log);
    struct loop_timer *timer = loop_timer_new(call->loop, on_timeout, call);

    if (call->query.timeout_s > 0)
        loop_timer_start(timer, (int64_t)call->query.timeout_s * 1000);
    call->channel =
        rpc_channel_open(rpc, &(struct rpc_channel_options){.local_socket = call->query.target,
                                                            .log = log,
                                                            .on_up = on_up,
                                                            .on_down = on_down,
                                                            .arg = call});
    loop_run(call->loop);
    rpc_channel_close(call->channel);
    loop_timer_free(timer);
    rpc_free(rpc);
    loop_free(call->loop);
}

static int run(int argc, char **argv)
{
    struct call call = {.query = {.target_option = "socket",
                                  .noun = "agent",
                                  .print_usage = print_usage,
                                  .target = SOCKET_DEFAULT}};
    struct log_ctx log;

    if (argc > 0 && strcmp(argv[0], "--help") == 0) {
        print_usage(stdout);
        return CLI_WELL;
    }
    for (size_t i = 0; argc > 0 && i < sizeof(verbs) / sizeof(verbs[0]); i++)
        if (strcmp(argv[0], verbs[i].name) == 0)
            call.verb = &verbs[i];
    if (!call.verb) {
        print_usage(stderr);
        return CLI_USAGE;
    }
    call.query.timeout_s = call.verb->timeout_s;
    int code = cli_parse_query(argc, argv, &call.query);

    if (code < 0)
        code = check_socket(call.query.target);
    if (code >= 0)
        return code;
    log_start("coterie", LOG_ERROR); /* what went wrong is said once, by the exit */
    log_ctx_init(&log, NULL, "%s", "");
    perform(&call, &log);
    if (!call.answer)
        return call.code;
    code = call.verb->show((const Coterie__V1__AgentStatus *)call.answer, call.query.json, stdout);
    protobuf_c_message_free_unpacked(call.answer, NULL);
    return code;
}

const struct cli_noun cli_agent = {
    .name = "agent",
    .summary = "the agent on this machine: status, idle, rescan, verify",
    .run = run,
};
