/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/transfer/partners.h: one authenticated channel for each partner, shared by all folders.
 *
 * A folder attaches to a partner's address and hears when it is up or down; the channel lives as
 * long as anybody is attached.
 */
#ifndef AGENT_TRANSFER_PARTNERS_H
#define AGENT_TRANSFER_PARTNERS_H

#include "common/rpc/rpc.h"

struct partners;
struct partner_link;

struct partner_events {
    void (*on_up)(void *arg);   /* also once soon after attaching, when it is up already */
    void (*on_down)(enum rpc_end why, const char *text, void *arg);
};

/* @service: Kerberos service class of agents. All borrowed for its life. */
struct partners *partners_new(struct loop *loop, struct rpc *rpc,
                              struct auth_credentials *credentials, const char *service,
                              const struct log_ctx *log);
void partners_free(struct partners *partners); /* after the last detach; NULL allowed */

struct partner_link *partner_attach(struct partners *partners, const char *host, uint16_t port,
                                    const struct partner_events *events, void *arg);
/* No callback comes afterwards. NULL allowed. */
void partner_detach(struct partner_link *link);

/* NULL while it is down. Borrowed until on_down or detach. */
struct rpc_channel *partner_channel(const struct partner_link *link);

#endif
