/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/integration/rpc/stranger.h: peers that do not play by the rules, made of the parts inside
 * common/rpc.
 */
#ifndef TESTS_INTEGRATION_RPC_STRANGER_H
#define TESTS_INTEGRATION_RPC_STRANGER_H

#include "tests/integration/rpc/world.h"

#include "common/rpc/login.h"
#include "common/rpc/stream.h"

/* A TLS connection to the world's server that calls @path without having authenticated. Its end
 * goes to w->ended, w->end and w->end_text. */
struct stranger;
struct stranger *stranger_new(struct world *w, const char *path);
void stranger_free(struct stranger *stranger);
/* Wait until the server has shown itself. */
void stranger_wait_connected(struct stranger *stranger);
void stranger_say(struct stranger *stranger, struct span bytes);

/* A machine in the middle: takes one Authenticate stream on a port of its own, with a certificate
 * of its own, and passes each message on to the world's server, and back. */
struct relay;
struct relay *relay_new(struct world *w);
void relay_free(struct relay *relay);
uint16_t relay_port(const struct relay *relay);
unsigned relay_passed_count(const struct relay *relay); /* messages, both ways */

#endif
