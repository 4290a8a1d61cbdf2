/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/fleet/service.h"

#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/base/scope.h"

#include <stdlib.h>

/* One stream. Lives from its opening to its on_end, which may come after the fleet ended it. */
struct attachment {
    struct fleet_service *service;
    struct rpc_stream *stream;
    struct fleet_link *link; /* NULL once the fleet has ended it */
    struct attachment *next;
    struct attachment **at; /* the pointer to this one */
};

struct fleet_service {
    struct fleet *fleet;
    struct loop_timer *tick;
    const struct log_ctx *log;
    struct attachment *attachments;
    bool stopping;
};

#define ASSIGNMENT_FIELD 1 /* of ControllerMessage */

static void attachment_free(struct attachment *attachment)
{
    *attachment->at = attachment->next;
    if (attachment->next)
        attachment->next->at = attachment->at;
    free(attachment);
}

/* --- actions --- */

static void send_none(struct rpc_stream *stream, const char *reason)
{
    Coterie__V1__NoAssignment none;
    Coterie__V1__ControllerMessage message;
    scope_free char *text = mem_copy_string(reason); /* the message's type wants it writable */

    coterie__v1__no_assignment__init(&none);
    none.reason = text;
    coterie__v1__controller_message__init(&message);
    message.body_case = COTERIE__V1__CONTROLLER_MESSAGE__BODY_NO_ASSIGNMENT;
    message.no_assignment = &none;
    rpc_stream_send(stream, &message.base);
}

/* The plan holds the assignment as it travels: an embedded message is its bytes. */
static void send_assignment(struct rpc_stream *stream, struct span assignment)
{
    Coterie__V1__ControllerMessage head;

    coterie__v1__controller_message__init(&head);
    rpc_stream_send_payload(stream, &head.base, ASSIGNMENT_FIELD, assignment);
}

static void finish(struct attachment *attachment, enum rpc_end end, const char *text)
{
    attachment->link = NULL;
    rpc_stream_finish(attachment->stream, end, text);
}

static void act(struct fleet_service *service)
{
    struct fleet_action action;

    while (fleet_take_action(service->fleet, &action)) {
        struct attachment *attachment = action.stream;
        const char *principal = rpc_stream_principal(attachment->stream);

        switch (action.kind) {
        case FLEET_SEND_ASSIGNMENT:
            log_info(service->log, "principal=%s assignment sent bytes=%zu", principal,
                     action.assignment.size);
            send_assignment(attachment->stream, action.assignment);
            break;
        case FLEET_SEND_NONE:
            log_warn(service->log, "principal=%s address=%s gets no assignment: %s", principal,
                     rpc_stream_peer(attachment->stream), action.text);
            send_none(attachment->stream, action.text);
            break;
        case FLEET_END_BAD:
            log_warn(service->log, "principal=%s stream ended: %s", principal, action.text);
            finish(attachment, RPC_END_BAD, action.text);
            break;
        case FLEET_END_REPLACED:
            log_debug(service->log, "principal=%s stream ended: %s", principal, action.text);
            finish(attachment, RPC_END_STOPPED, action.text);
            break;
        case FLEET_END_FULL:
            log_warn(service->log, "principal=%s stream ended: %s", principal, action.text);
            finish(attachment, RPC_END_BUSY, action.text);
            break;
        }
    }
}

/* --- streams --- */

static void on_message(struct rpc_stream *stream, ProtobufCMessage **message, void *arg)
{
    struct attachment *attachment = arg;
    struct fleet_service *service = attachment->service;

    (void)stream;
    if (!attachment->link)
        return;
    fleet_message(service->fleet, attachment->link, (const Coterie__V1__AgentMessage *)*message,
                  moment_now());
    act(service);
}

static void on_end(struct rpc_stream *stream, enum rpc_end end, const char *text, void *arg)
{
    struct attachment *attachment = arg;
    struct fleet_service *service = attachment->service;

    log_info(service->log, "principal=%s detached: %s: %s", rpc_stream_principal(stream),
             rpc_end_name(end), text);
    if (attachment->link)
        fleet_detach(service->fleet, attachment->link, moment_now());
    attachment_free(attachment);
    act(service);
}

static const struct rpc_stream_events stream_events = {.on_message = on_message, .on_end = on_end};

void fleet_service_on_open(struct rpc_stream *stream, void *arg)
{
    struct fleet_service *service = arg;

    if (service->stopping) {
        rpc_stream_finish(stream, RPC_END_STOPPED, "the controller is stopping");
        return;
    }
    struct attachment *attachment = MEM_NEW(struct attachment);

    attachment->service = service;
    attachment->stream = stream;
    attachment->at = &service->attachments;
    attachment->next = service->attachments;
    if (attachment->next)
        attachment->next->at = &attachment->next;
    service->attachments = attachment;
    rpc_stream_accept(stream, &stream_events, attachment);
    log_info(service->log, "principal=%s attached address=%s", rpc_stream_principal(stream),
             rpc_stream_peer(stream));
    attachment->link = fleet_attach(service->fleet, rpc_stream_principal(stream),
                                    rpc_stream_peer(stream), attachment, moment_now());
    act(service);
}

/* --- life --- */

static void on_tick(void *arg)
{
    struct fleet_service *service = arg;

    fleet_tick(service->fleet, moment_now());
    act(service);
    loop_timer_start(service->tick, FLEET_TICK_MS);
}

struct fleet_service *fleet_service_new(struct loop *loop, const struct log_ctx *log)
{
    struct fleet_service *service = MEM_NEW(struct fleet_service);

    service->fleet = fleet_new(log);
    service->log = log;
    service->tick = loop_timer_new(loop, on_tick, service);
    loop_timer_start(service->tick, FLEET_TICK_MS);
    return service;
}

void fleet_service_free(struct fleet_service *service)
{
    if (!service)
        return;
    while (service->attachments)
        attachment_free(service->attachments);
    loop_timer_free(service->tick);
    fleet_free(service->fleet);
    free(service);
}

void fleet_service_set_plan(struct fleet_service *service, const struct fleet_computer *computers,
                            size_t count)
{
    fleet_set_plan(service->fleet, computers, count, moment_now());
    act(service);
}

void fleet_service_stop(struct fleet_service *service)
{
    service->stopping = true;
    for (struct attachment *a = service->attachments; a; a = a->next) {
        if (!a->link)
            continue;
        fleet_detach(service->fleet, a->link, moment_now());
        finish(a, RPC_END_STOPPED, "the controller is stopping");
    }
}

const struct fleet *fleet_service_fleet(const struct fleet_service *service)
{
    return service->fleet;
}
