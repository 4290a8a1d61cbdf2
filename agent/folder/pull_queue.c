/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages wait in a queue in their order. A run of updates goes to a worker that stages the
 * content that came inside them, then to the receiver (agent/session/receiver.h) and the intake.
 */
#include "agent/folder/pull.h"

#include "agent/transfer/codec.h"
#include "common/base/limits.h"
#include "common/base/mem.h"

#include <assert.h>
#include <stdlib.h>
void pull_incoming_free(struct incoming *in)
{
    update_fini(&in->update);
    protobuf_c_message_free_unpacked(&in->message->base, NULL);
    free(in);
}

void pull_queue_clear(struct pull *p)
{
    for (struct incoming *in = p->queue, *next; in; in = next) {
        next = in->next;
        pull_incoming_free(in);
    }
    p->queue = NULL;
    p->queue_tail = &p->queue;
    p->queue_bytes = 0;
    p->paused = false;
}

static void stage_contents(void *arg)
{
    struct pull *p = arg;

    for (struct incoming *in = p->batch; in != p->batch_end; in = in->next) {
        if (!in->stage_wanted)
            continue;
        const Coterie__V1__Update *m = in->message->update;
        in->status = content_stage_whole(
            p->folder, span_of(m->inline_content.data, m->inline_content.len), &in->update,
            &in->stage, &in->object, &in->problem);
    }
}

/* One update of the batch goes to the receiver and the intake. */
static void deliver(struct pull *p, struct incoming *in)
{
    struct receiver_event event = {.kind = RECEIVER_EVENT_UPDATE, .gvsn = in->update.gvsn};
    struct rdc_traits traits;

    if (in->problem) {
        pull_fail_session(p, in->problem);
        return;
    }
    if (in->status == ST_FULL || in->status == ST_IO)
        folder_stage_trouble(p->folder, in->status);
    if (traits_from_message(in->message->update->traits, &traits))
        seeds_heard(p->folder, &in->update.gvsn, &traits);
    held_offered(&p->held, &in->update);
    pull_step(p, &event, in);
}

static void batch_done(struct pull *p)
{
    struct incoming *in = p->batch;
    struct incoming *end = p->batch_end;

    p->batch = NULL;
    while (in != end) {
        struct incoming *next = in->next;

        if (!p->batch_stale && p->receiver)
            deliver(p, in);
        if (in->stage != 0)
            content_drop(p->folder, in->stage);
        pull_incoming_free(in);
        in = next;
    }
    p->batch_stale = false;
}

static void contents_staged(void *arg)
{
    struct pull *p = arg;

    batch_done(p);
    if (p->removed) {
        pull_free(p);
        return;
    }
    if (p->receiver) {
        pull_process_queue(p);
        apply_kick(p->folder);
    }
}

bool pull_is_update(const struct incoming *in)
{
    return in && in->message->body_case == COTERIE__V1__SESSION_RESPONSE__BODY_UPDATE;
}

/* Take the run of updates at the queue's head as the batch. Returns whether a worker is needed. */
static bool take_batch(struct pull *p)
{
    const struct vector *theirs = receiver_sender_vector(p->receiver);
    struct incoming **at = &p->queue;
    bool stage = false;
    size_t count = 0;

    p->batch = p->queue;
    for (; pull_is_update(*at) && count < STAGE_BATCH_COUNT; at = &(*at)->next, count++) {
        struct incoming *in = *at;
        const Coterie__V1__Update *m = in->message->update;

        p->queue_bytes -= m->inline_content.len;
        in->problem = update_from_message(m, &in->update);
        if (in->problem || !m->has_inline_content)
            continue;
        enum verdict verdict = replica_judge(p->folder->replica, &in->update, theirs, false);
        in->stage_wanted = verdict == VERDICT_FETCH || verdict == VERDICT_WAIT;
        stage = stage || in->stage_wanted;
    }
    p->batch_end = *at;
    p->queue = *at;
    if (!p->queue)
        p->queue_tail = &p->queue;
    return stage;
}

/* A part of the partner's list. Returns the broken rule, or NULL. */
static const char *take_list(struct pull *p, const Coterie__V1__SessionListed *m, bool *out_is_last)
{
    if (!p->listing)
        return "file ids came that were not asked for";
    return listing_take(p->listing, p->folder, m, out_is_last);
}

static struct verifying_session verifying_session_of(struct pull *p)
{
    return (struct verifying_session){.folder = p->folder,
                                      .log = &p->log,
                                      .receiver = p->receiver,
                                      .stream = p->stream,
                                      .sequence = &p->sequence,
                                      .partner = p->partner_host};
}

/* What it has given up comes again. */
void pull_check_one(struct pull *p)
{
    struct verifying_session session = verifying_session_of(p);

    if (p->receiver && verifying_check(&p->verifying, &session))
        folder_vector_grew(p->folder, NULL);
}

static const char *take_verified(struct pull *p, const Coterie__V1__SessionVerified *m)
{
    struct verifying_session session = verifying_session_of(p);
    const char *rule = verifying_take(&p->verifying, &session, m);

    if (!rule)
        pull_check_one(p);
    return rule;
}

static void control_message(struct pull *p, const Coterie__V1__SessionResponse *m)
{
    struct receiver_event event = {0};
    struct vector vector = {0};
    struct vector forgotten = {0};
    const char *rule = NULL;

    switch (m->body_case) {
    case COTERIE__V1__SESSION_RESPONSE__BODY_OPENED:
        event.kind = RECEIVER_EVENT_OPENED;
        if (m->opened->protocol_version != REPLICATION_PROTOCOL_VERSION)
            rule = "partner speaks another version of the protocol: update the older agent";
        p->retry_ms = PARTNER_RETRY_MS;
        pull_set_trouble(p, "");
        log_info(&p->log, "session is up");
        break;
    case COTERIE__V1__SESSION_RESPONSE__BODY_ROUND_START:
        event.kind = RECEIVER_EVENT_ROUND_START;
        event.round = m->round_start->round;
        rule = vector_from_message(m->round_start->vector, &vector);
        if (!rule)
            rule = vector_from_message(m->round_start->forgotten, &forgotten);
        if (!rule)
            replica_heard(p->folder->replica, &vector);
        event.vector = &vector;
        event.forgotten = &forgotten;
        break;
    case COTERIE__V1__SESSION_RESPONSE__BODY_LISTED:
        event.kind = RECEIVER_EVENT_LISTED;
        rule = take_list(p, m->listed, &event.is_last);
        break;
    case COTERIE__V1__SESSION_RESPONSE__BODY_VERIFIED:
        rule = take_verified(p, m->verified);
        if (rule)
            pull_fail_session(p, rule);
        return;
    case COTERIE__V1__SESSION_RESPONSE__BODY_ROUND_DONE:
        event.kind = RECEIVER_EVENT_ROUND_DONE;
        event.round = m->round_done->round;
        event.complete = m->round_done->complete;
        break;
    case COTERIE__V1__SESSION_RESPONSE__BODY_UPDATE:
    case COTERIE__V1__SESSION_RESPONSE__BODY__NOT_SET:
    case _COTERIE__V1__SESSION_RESPONSE__BODY__CASE_IS_INT_SIZE:
        rule = "message without a body";
        break;
    }
    if (rule)
        pull_fail_session(p, rule);
    else
        pull_step(p, &event, NULL);
    vector_fini(&vector);
    vector_fini(&forgotten);
}

void pull_process_queue(struct pull *p)
{
    while (p->receiver && p->queue && !p->batch) {
        if (pull_is_update(p->queue)) {
            if (take_batch(p)) {
                folder_work(p->folder, stage_contents, contents_staged, p);
                break;
            }
            batch_done(p);
            continue;
        }
        struct incoming *in = p->queue;
        p->queue = in->next;
        if (!p->queue)
            p->queue_tail = &p->queue;
        control_message(p, in->message);
        pull_incoming_free(in);
    }
    if (p->stream && p->paused && p->queue_bytes < INLINE_BATCH_BYTES) {
        p->paused = false;
        rpc_stream_resume(p->stream);
    }
}
