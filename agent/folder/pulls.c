/* SPDX-License-Identifier: Apache-2.0 */
/* All partners that a folder receives from. */
#include "agent/folder/pull.h"

#include "common/base/limits.h"
#include "common/base/mem.h"

#include <stdlib.h>
/* --- against the assignment --- */

static void pull_close(struct pull *p)
{
    pull_drop_stream(p);
    partner_detach(p->link);
    p->link = NULL;
    loop_timer_stop(p->timer);
}

static struct pull *pull_find(struct folder *f, const struct guid *connection)
{
    for (struct pull *p = f->pulls; p; p = p->next)
        if (!p->removed && guid_equal(&p->connection, connection))
            return p;
    return NULL;
}

static void pull_remove(struct pull *p)
{
    pull_close(p);
    p->removed = true;
    if (!p->batch)
        pull_free(p);
}

static struct pull *pull_add(struct folder *f, const struct connection_assignment *c)
{
    struct pull *p = MEM_NEW(struct pull);

    p->folder = f;
    p->connection = c->connection;
    p->partner_host = mem_copy_string(c->partner_host);
    p->partner_port = c->partner_port;
    p->queue_tail = &p->queue;
    p->retry_ms = PARTNER_RETRY_MS;
    p->trouble = mem_copy_string("");
    p->timer = loop_timer_new(f->services->loop, pull_on_timer, p);
    log_ctx_init(&p->log, &f->log, "from=%s", c->partner_name);
    verifying_init(&p->verifying, f, &c->connection);
    p->next = f->pulls;
    f->pulls = p;
    return p;
}

void pull_check(struct folder *f)
{
    static const struct partner_events events = {.on_up = pull_on_up, .on_down = pull_on_down};

    for (struct pull *p = f->pulls, *next; p; p = next) {
        next = p->next;
        const struct connection_assignment *c = folder_find_inbound(f, &p->connection);

        if (!p->removed && (!c || strcmp(c->partner_host, p->partner_host) != 0 ||
                            c->partner_port != p->partner_port))
            pull_remove(p);
    }
    for (size_t i = 0; i < f->assignment->inbound_count; i++) {
        const struct connection_assignment *c = &f->assignment->inbound[i];
        struct pull *p = pull_find(f, &c->connection);
        const char *reason = folder_is_running(f) ? connection_closed_reason(c) : "not running";

        if (!p)
            p = pull_add(f, c);
        if (reason && p->link) {
            log_info(&p->log, "session closed: %s", reason);
            pull_close(p);
            pull_set_trouble(p, "");
        } else if (!reason && !p->link) {
            p->link = partner_attach(f->services->partners, p->partner_host, p->partner_port,
                                     &events, p);
        }
    }
}

/* --- verification --- */

struct verify_waiter {
    struct verify_waiter *next;
    loop_fn done;
    void *arg;
};

static void tell_verified(struct folder *f)
{
    while (f->verify_waiters) {
        struct verify_waiter *waiter = f->verify_waiters;

        f->verify_waiters = waiter->next;
        loop_post(f->services->loop, waiter->done, waiter->arg);
        free(waiter);
    }
}

/* Who has no session now is compared when it has one: nobody waits for that. */
static bool is_verifying(const struct folder *f)
{
    for (const struct pull *p = f->pulls; p; p = p->next) {
        if (p->receiver && verifying_is_busy(&p->verifying))
            return true;
    }
    return false;
}

void pull_check_verifying(struct folder *f)
{
    for (struct pull *p = f->pulls, *next; p; p = next) {
        next = p->next;
        pull_check_one(p);
    }
    if (!is_verifying(f))
        tell_verified(f);
}

void pull_verify(struct folder *f, loop_fn done, void *arg)
{
    struct verify_waiter *waiter = MEM_NEW(struct verify_waiter);

    *waiter = (struct verify_waiter){.next = f->verify_waiters, .done = done, .arg = arg};
    f->verify_waiters = waiter;
    for (struct pull *p = f->pulls; p; p = p->next)
        p->verifying.wanted = true;
    pull_check_verifying(f);
}

void pull_close_all(struct folder *f)
{
    tell_verified(f);
    for (struct pull *p = f->pulls, *next; p; p = next) {
        next = p->next;
        if (!p->removed)
            pull_remove(p);
    }
}

void pull_settled(struct folder *f, intake_source source, const struct gvsn *gvsn, bool done)
{
    for (struct pull *p = f->pulls; p; p = p->next) {
        if (p->source != source || !p->receiver)
            continue;
        struct receiver_event event = {
            .kind = RECEIVER_EVENT_SETTLED, .gvsn = *gvsn, .done = done};

        p->updates_done += done;
        held_settled(&p->held, gvsn, done, loop_now(f->services->loop));
        pull_step(p, &event, NULL);
        return;
    }
}

void pull_vector_grew(struct folder *f, const struct pull *except)
{
    for (struct pull *p = f->pulls, *next; p; p = next) {
        next = p->next;
        if (p == except || !p->receiver)
            continue;
        struct receiver_event event = {.kind = RECEIVER_EVENT_VECTOR_GREW};

        pull_step(p, &event, NULL);
    }
}

void pull_try_joins(struct folder *f)
{
    for (struct pull *p = f->pulls, *next; p; p = next) {
        next = p->next;
        pull_try_join(p);
    }
}

void pull_planned(struct folder *f, intake_source source, bool failed)
{
    for (struct pull *p = f->pulls; p; p = p->next) {
        if (p->source == source && p->receiver && p->listing && failed)
            pull_end_join(p, RECEIVER_EVENT_NOT_JOINED);
    }
}

struct fetch_client *pull_fetch_client(struct folder *f, intake_source source)
{
    for (struct pull *p = f->pulls; p; p = p->next)
        if (p->source == source)
            return p->fetch;
    return NULL;
}

bool pull_has_everything(const struct folder *f)
{
    size_t count = 0;

    for (const struct pull *p = f->pulls; p; p = p->next) {
        if (p->removed || p->batch || p->queue || !p->receiver ||
            !receiver_in_sync(p->receiver, replica_vector(f->replica)))
            return false;
        count++;
    }
    return count == f->assignment->inbound_count;
}

bool pull_held(const struct folder *f, struct vector *held)
{
    size_t count = 0;

    for (const struct pull *p = f->pulls; p; p = p->next) {
        if (p->removed || !p->receiver)
            return false;
        if (!vector_covers(replica_vector(f->replica), receiver_sender_vector(p->receiver)))
            return false;
        vector_meet(held, receiver_sender_vector(p->receiver));
        count++;
    }
    return count == f->assignment->inbound_count;
}

bool pull_is_busy(const struct folder *f)
{
    for (const struct pull *p = f->pulls; p; p = p->next) {
        if (p->removed)
            return true;
        const struct connection_assignment *c = folder_find_inbound(f, &p->connection);
        if (connection_closed_reason(c))
            continue;
        if (p->batch || p->queue || !p->receiver || verifying_is_busy(&p->verifying) ||
            !receiver_in_sync(p->receiver, replica_vector(f->replica)))
            return true;
    }
    return false;
}

bool pull_status(const struct folder *f, const struct guid *connection, struct pull_status *out)
{
    for (const struct pull *p = f->pulls; p; p = p->next) {
        if (p->removed || !guid_equal(&p->connection, connection))
            continue;
        uint64_t sent;
        uint64_t received;
        int64_t held_ms = 0;

        pull_session_bytes(p, &sent, &received);
        *out = (struct pull_status){
            .linked = p->link != NULL,
            .open = p->receiver && receiver_state(p->receiver) != RECEIVER_OPENING,
            .in_sync = p->receiver && receiver_in_sync(p->receiver, replica_vector(f->replica)),
            .unsettled = p->receiver ? receiver_unsettled_count(p->receiver) : 0,
            .trouble = p->trouble,
            .refused = p->last_end == RPC_END_DENIED || p->last_end == RPC_END_UNAUTHENTIC,
            .held = held_longest(&p->held, loop_now(f->services->loop), &held_ms),
            .comparing = p->listing != NULL,
            .partner_busy = p->last_end == RPC_END_BUSY,
            .last_sync = p->last_sync,
            .updates_done = p->updates_done,
            .bytes_sent = p->bytes_sent_before + sent,
            .bytes_received = p->bytes_received_before + received,
        };
        out->held_ms = held_ms;
        return true;
    }
    return false;
}
