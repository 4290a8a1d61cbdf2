/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/assignment/link.h: the stream to a controller: assignments come, reports go.
 *
 * Channels to all configured controllers are kept; the stream runs over the first that is up and
 * moves on when it is lost. Losing all of them changes nothing about replication.
 */
#ifndef AGENT_ASSIGNMENT_LINK_H
#define AGENT_ASSIGNMENT_LINK_H

#include "common/model/assignment.h"
#include "common/rpc/rpc.h"

#include "proto/fleet.pb-c.h"

struct controller_link;

struct controller_link_events {
    /* A valid assignment with another digest than the one in force. @assignment is taken over.
     * @bytes: as it came, to be kept. Answer with controller_link_result(). */
    void (*on_assignment)(struct assignment *assignment, struct span bytes, void *arg);
    /* The directory has no member for this computer. */
    void (*on_unassigned)(const char *reason, void *arg);
    /* Attached (up true) or lost; @text says why. */
    void (*on_state)(bool up, const char *text, void *arg);
};

struct controller_link_options {
    struct rpc *rpc;
    struct auth_credentials *credentials;
    const char *service;
    const char *const *hosts;
    const uint16_t *ports;
    size_t controller_count;
    const char *host_name;
    const struct log_ctx *log;
    struct controller_link_events events;
    void *arg;
};

struct controller_link *controller_link_open(const struct controller_link_options *options);
void controller_link_close(struct controller_link *link); /* NULL allowed */

bool controller_link_is_up(const struct controller_link *link);
/* The digest in force, told to the controller when attaching; NULL: none. Copied. */
void controller_link_set_digest(struct controller_link *link, const uint8_t *digest);
/* @problem "" when it was applied. No-op while detached. */
void controller_link_result(struct controller_link *link, const uint8_t *digest,
                            const char *problem);
void controller_link_report(struct controller_link *link, Coterie__V1__Report *report);

#endif
