/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/transfer/partners.h"

#include "common/base/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct partner;

struct partner_link {
    struct partner_link *next;
    struct partner *partner;
    struct partner_events events;
    void *arg;
    bool told_up; /* has heard of the present connection */
};

struct partner {
    struct partner *next;
    struct partners *all;
    char *host;
    uint16_t port;
    struct log_ctx log;
    struct rpc_channel *channel;
    struct partner_link *links;
    struct loop_timer *greet; /* tells late comers that it is up */
};

struct partners {
    struct loop *loop;
    struct rpc *rpc;
    struct auth_credentials *credentials;
    const char *service;
    const struct log_ctx *log;
    struct partner *list;
};

struct partners *partners_new(struct loop *loop, struct rpc *rpc,
                              struct auth_credentials *credentials, const char *service,
                              const struct log_ctx *log)
{
    struct partners *partners = MEM_NEW(struct partners);

    partners->loop = loop;
    partners->rpc = rpc;
    partners->credentials = credentials;
    partners->service = service;
    partners->log = log;
    return partners;
}

void partners_free(struct partners *partners)
{
    assert(!partners || !partners->list);
    free(partners);
}

/* A callback may attach and detach others, so begin again after each. */
static void tell_up(struct partner *p)
{
    struct partner_link *link = p->links;

    while (link) {
        if (!link->told_up) {
            link->told_up = true;
            link->events.on_up(link->arg);
            link = p->links;
        } else {
            link = link->next;
        }
    }
}

static void on_greet(void *arg)
{
    struct partner *p = arg;

    if (p->channel && rpc_channel_is_up(p->channel))
        tell_up(p);
}

static void on_up(struct rpc_channel *channel, void *arg)
{
    struct partner *p = arg;

    (void)channel;
    log_info(&p->log, "partner is up");
    /* through the timer: a link may be detached, and the partner freed, by what the callbacks do */
    loop_timer_start(p->greet, 0);
}

static void on_down(struct rpc_channel *channel, enum rpc_end why, const char *text, void *arg)
{
    struct partner *p = arg;
    struct partner_link *next;

    (void)channel;
    for (struct partner_link *link = p->links; link; link = next) {
        next = link->next;
        link->told_up = false;
        link->events.on_down(why, text, link->arg);
    }
}

static struct partner *partner_get(struct partners *all, const char *host, uint16_t port)
{
    for (struct partner *p = all->list; p; p = p->next)
        if (p->port == port && strcmp(p->host, host) == 0)
            return p;

    struct partner *p = MEM_NEW(struct partner);
    p->all = all;
    p->host = mem_copy_string(host);
    p->port = port;
    log_ctx_init(&p->log, all->log, "partner=%s:%u", host, port);
    p->greet = loop_timer_new(all->loop, on_greet, p);
    p->next = all->list;
    all->list = p;
    struct rpc_channel_options options = {
        .host = p->host,
        .port = port,
        .service = all->service,
        .credentials = all->credentials,
        .log = &p->log,
        .on_up = on_up,
        .on_down = on_down,
        .arg = p,
    };
    p->channel = rpc_channel_open(all->rpc, &options);
    return p;
}

struct partner_link *partner_attach(struct partners *partners, const char *host, uint16_t port,
                                    const struct partner_events *events, void *arg)
{
    struct partner *p = partner_get(partners, host, port);
    struct partner_link *link = MEM_NEW(struct partner_link);

    link->partner = p;
    link->events = *events;
    link->arg = arg;
    link->next = p->links;
    p->links = link;
    if (rpc_channel_is_up(p->channel))
        loop_timer_start(p->greet, 0);
    return link;
}

static void partner_free(struct partner *p)
{
    struct partner **at = &p->all->list;

    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
    rpc_channel_close(p->channel);
    loop_timer_free(p->greet);
    free(p->host);
    free(p);
}

void partner_detach(struct partner_link *link)
{
    if (!link)
        return;
    struct partner *p = link->partner;
    struct partner_link **at = &p->links;

    while (*at != link)
        at = &(*at)->next;
    *at = link->next;
    free(link);
    if (!p->links)
        partner_free(p);
}

struct rpc_channel *partner_channel(const struct partner_link *link)
{
    struct rpc_channel *channel = link->partner->channel;

    return rpc_channel_is_up(channel) ? channel : NULL;
}
