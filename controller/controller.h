/* SPDX-License-Identifier: Apache-2.0 */
/*
 * controller/controller.h: the controller as a whole: what stands in the directory becomes a plan,
 * the plan becomes assignments at the agents, and all of it a status.
 *
 * It keeps no truth of its own: a controller that starts anew, or a second one beside it, computes
 * the same assignments. While the directory cannot be read, the last plan stays in force.
 */
#ifndef CONTROLLER_CONTROLLER_H
#define CONTROLLER_CONTROLLER_H

#include "common/os/loop.h"
#include "controller/config.h"

struct controller;

/*
 * Read the keytab and listen; the directory is sought from then on, however long it takes.
 * @config is borrowed. Errors are logged, each with its remedy: ST_REFUSED, ST_GONE and ST_BADDATA
 * for the keytab, ST_IO for an address.
 */
NODISCARD enum status controller_start(struct loop *loop, const struct controller_config *config,
                                       const struct log_ctx *log,
                                       struct controller **out_controller);

/* Read the directory now. */
void controller_refresh(struct controller *controller);

/* Ends agents' streams in order, then stops the loop. controller_free() after loop_run(). */
void controller_stop(struct controller *controller);
void controller_free(struct controller *controller); /* NULL allowed */

#endif
