/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/session/sequence.h: the numbers of a session's messages.
 *
 * The sender's opening has any number, drawn anew for each session. From there on both sides count:
 * each message has the number of its side's last one + 1. So a message that is lost, comes twice,
 * in another place, or from another session is noticed when it or the next one arrives, before
 * anything is made of it. gRPC keeps order and count by itself; this is for whatever may lie in
 * between.
 */
#ifndef AGENT_SESSION_SEQUENCE_H
#define AGENT_SESSION_SEQUENCE_H

#include <stdint.h>

/* One side's. */
struct sequence {
    uint32_t sent;
    uint32_t received;
};

/* @first: the number of the sender's opening, which has been sent, or has come. */
void sequence_begin(struct sequence *s, uint32_t first);
/* For the next message to send. */
uint32_t sequence_next(struct sequence *s);
/* A message has come. Returns NULL, or the broken rule. */
const char *sequence_take(struct sequence *s, uint32_t number);

#endif
