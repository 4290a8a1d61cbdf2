/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/admin.h"

#include "agent/agent.h"
#include "agent/transfer/codec.h"
#include "common/base/mem.h"

#include "proto/admin.pb-c.h"

#include <stdlib.h>

typedef void (*rescan_fn)(struct agent *agent, const struct guid *folder, loop_fn done, void *arg);

/* One call; it stays until its stream has ended and nothing else will call back. */
struct call {
    struct agent *agent;
    struct rpc_stream *stream; /* NULL once it has ended */
    rescan_fn rescan; /* NULL: only the status is asked for */
    bool waiting; /* for the scan */
};

static void answer(struct call *call)
{
    Coterie__V1__AgentStatus *status = agent_status(call->agent);

    rpc_stream_send(call->stream, &status->base);
    rpc_stream_finish(call->stream, RPC_END_OK, "");
    agent_status_free(status);
}

static void scanned(void *arg)
{
    struct call *call = arg;

    call->waiting = false;
    if (call->stream)
        answer(call);
    else
        free(call);
}

static void on_message(struct rpc_stream *stream, ProtobufCMessage **message, void *arg)
{
    struct call *call = arg;
    const Coterie__V1__AdminRequest *request = (const Coterie__V1__AdminRequest *)*message;
    struct guid folder;

    (void)stream;
    if (!call->rescan) {
        answer(call);
        return;
    }
    if (call->waiting)
        return;
    bool one = guid_from_message(request->folder_guid, &folder);
    call->waiting = true;
    call->rescan(call->agent, one ? &folder : NULL, scanned, call);
}

static void on_end(struct rpc_stream *stream, enum rpc_end end, const char *text, void *arg)
{
    struct call *call = arg;

    (void)stream;
    (void)end;
    (void)text;
    call->stream = NULL;
    if (!call->waiting)
        free(call);
}

static void open_call(struct rpc_stream *stream, struct agent *agent, rescan_fn rescan)
{
    static const struct rpc_stream_events events = {.on_message = on_message, .on_end = on_end};
    struct call *call = MEM_NEW(struct call);

    call->agent = agent;
    call->stream = stream;
    call->rescan = rescan;
    rpc_stream_accept(stream, &events, call);
}

void admin_on_get_status(struct rpc_stream *stream, void *agent)
{
    open_call(stream, agent, NULL);
}

void admin_on_rescan(struct rpc_stream *stream, void *agent)
{
    open_call(stream, agent, agent_rescan);
}

void admin_on_verify(struct rpc_stream *stream, void *agent)
{
    open_call(stream, agent, agent_verify);
}
