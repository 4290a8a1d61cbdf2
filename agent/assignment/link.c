/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/assignment/link.h"

#include "common/base/instant.h"
#include "common/base/mem.h"
#include "common/base/scope.h"
#include "common/rpc/methods.h"

#include <stdlib.h>

struct endpoint {
    struct controller_link *link;
    struct rpc_channel *channel;
    struct log_ctx log;
};

struct controller_link {
    struct controller_link_options options;
    struct endpoint *endpoints;
    struct rpc_stream *stream;
    struct endpoint *attached; /* whose stream it is */
    uint8_t digest[ASSIGNMENT_DIGEST_SIZE];
    bool has_digest;
    uint64_t started_ns;
};

static void try_attach(struct controller_link *link);

static void on_assignment(struct controller_link *link, const Coterie__V1__Assignment *message)
{
    scope_free char *problem = NULL;
    struct assignment *assignment;
    size_t size = coterie__v1__assignment__get_packed_size(message);
    struct buf bytes = {0};

    coterie__v1__assignment__pack(message, buf_extend(&bytes, size));
    if (!assignment_decode(buf_span(&bytes), &assignment, &problem)) {
        log_error(&link->attached->log, "assignment refused, the last good one stays: %s", problem);
        controller_link_result(link, message->digest.len == ASSIGNMENT_DIGEST_SIZE
                                         ? message->digest.data : link->digest, problem);
    } else if (link->has_digest &&
               memcmp(assignment->digest, link->digest, sizeof(link->digest)) == 0) {
        controller_link_result(link, assignment->digest, "");
        assignment_free(assignment);
    } else {
        link->options.events.on_assignment(assignment, buf_span(&bytes), link->options.arg);
    }
    buf_fini(&bytes);
}

static void on_message(struct rpc_stream *stream, ProtobufCMessage **message, void *arg)
{
    struct controller_link *link = arg;
    const Coterie__V1__ControllerMessage *m = (const Coterie__V1__ControllerMessage *)*message;

    (void)stream;
    if (m->body_case == COTERIE__V1__CONTROLLER_MESSAGE__BODY_ASSIGNMENT)
        on_assignment(link, m->assignment);
    else if (m->body_case == COTERIE__V1__CONTROLLER_MESSAGE__BODY_NO_ASSIGNMENT)
        link->options.events.on_unassigned(m->no_assignment->reason, link->options.arg);
}

static void lost(struct controller_link *link, const char *text)
{
    link->stream = NULL;
    link->attached = NULL;
    link->options.events.on_state(false, text, link->options.arg);
}

static void on_end(struct rpc_stream *stream, enum rpc_end end, const char *text, void *arg)
{
    struct controller_link *link = arg;

    (void)stream;
    log_warn(&link->attached->log, "controller stream ended, replication goes on: %s: %s",
             rpc_end_name(end), text);
    lost(link, text);
    try_attach(link);
}

static void send_hello(struct controller_link *link)
{
    Coterie__V1__AgentMessage message = COTERIE__V1__AGENT_MESSAGE__INIT;
    Coterie__V1__AgentHello hello;
    scope_free char *host = mem_copy_string(link->options.host_name);
    char version[] = COTERIE_VERSION;

    coterie__v1__agent_hello__init(&hello);
    hello.agent_version = version;
    hello.host_name = host;
    hello.started_ns = link->started_ns;
    if (link->has_digest)
        hello.assignment_digest =
            (ProtobufCBinaryData){.data = link->digest, .len = sizeof(link->digest)};
    message.body_case = COTERIE__V1__AGENT_MESSAGE__BODY_HELLO;
    message.hello = &hello;
    rpc_stream_send(link->stream, &message.base);
}

static void try_attach(struct controller_link *link)
{
    static const struct rpc_stream_events events = {.on_message = on_message, .on_end = on_end};

    for (size_t i = 0; i < link->options.controller_count && !link->stream; i++) {
        struct endpoint *e = &link->endpoints[i];

        if (!e->channel || !rpc_channel_is_up(e->channel))
            continue;
        link->stream = rpc_stream_open(e->channel, &fleet_attach_method, &events, link);
        if (link->stream) {
            link->attached = e;
            log_info(&e->log, "attached to the controller");
            send_hello(link);
            link->options.events.on_state(true, "", link->options.arg);
        }
    }
}

static void on_up(struct rpc_channel *channel, void *arg)
{
    struct endpoint *e = arg;

    (void)channel;
    try_attach(e->link);
}

static void on_down(struct rpc_channel *channel, enum rpc_end why, const char *text, void *arg)
{
    struct endpoint *e = arg;

    (void)channel;
    (void)why;
    if (e->link->attached != e)
        e->link->options.events.on_state(e->link->stream != NULL, text, e->link->options.arg);
}

struct controller_link *controller_link_open(const struct controller_link_options *options)
{
    struct controller_link *link = MEM_NEW(struct controller_link);

    link->options = *options;
    link->started_ns = (uint64_t)walltime_now().ns;
    link->endpoints = mem_new(options->controller_count, sizeof(*link->endpoints));
    for (size_t i = 0; i < options->controller_count; i++) {
        struct endpoint *e = &link->endpoints[i];

        e->link = link;
        log_ctx_init(&e->log, options->log, "controller=%s:%u", options->hosts[i],
                     options->ports[i]);
        struct rpc_channel_options channel = {
            .host = options->hosts[i],
            .port = options->ports[i],
            .service = options->service,
            .credentials = options->credentials,
            .log = &e->log,
            .on_up = on_up,
            .on_down = on_down,
            .arg = e,
        };
        e->channel = rpc_channel_open(options->rpc, &channel);
    }
    return link;
}

void controller_link_close(struct controller_link *link)
{
    if (!link)
        return;
    if (link->stream)
        rpc_stream_cancel(link->stream);
    for (size_t i = 0; i < link->options.controller_count; i++)
        rpc_channel_close(link->endpoints[i].channel);
    free(link->endpoints);
    free(link);
}

bool controller_link_is_up(const struct controller_link *link)
{
    return link->stream != NULL;
}

void controller_link_set_digest(struct controller_link *link, const uint8_t *digest)
{
    link->has_digest = digest != NULL;
    if (digest)
        memcpy(link->digest, digest, sizeof(link->digest));
}

void controller_link_result(struct controller_link *link, const uint8_t *digest,
                            const char *problem)
{
    Coterie__V1__AgentMessage message = COTERIE__V1__AGENT_MESSAGE__INIT;
    Coterie__V1__AssignmentResult result;
    uint8_t copy[ASSIGNMENT_DIGEST_SIZE];
    scope_free char *text = mem_copy_string(problem);

    if (!link->stream)
        return;
    memcpy(copy, digest, sizeof(copy));
    coterie__v1__assignment_result__init(&result);
    result.digest = (ProtobufCBinaryData){.data = copy, .len = sizeof(copy)};
    result.applied = problem[0] == '\0';
    result.problem = text;
    message.body_case = COTERIE__V1__AGENT_MESSAGE__BODY_ASSIGNMENT_RESULT;
    message.assignment_result = &result;
    rpc_stream_send(link->stream, &message.base);
}

void controller_link_report(struct controller_link *link, Coterie__V1__Report *report)
{
    Coterie__V1__AgentMessage message = COTERIE__V1__AGENT_MESSAGE__INIT;

    /* a controller that does not read gets the next report instead of a queue of old ones */
    if (!link->stream || rpc_stream_queued_bytes(link->stream) > 0)
        return;
    message.body_case = COTERIE__V1__AGENT_MESSAGE__BODY_REPORT;
    message.report = report;
    rpc_stream_send(link->stream, &message.base);
}
