/* SPDX-License-Identifier: Apache-2.0 */
/*
 * controller/fleet/service.h: the Fleet service: carries agents' streams to the fleet and back.
 *
 * The thin shell around fleet.h: it owns a fleet, gives it the time and what arrives, and carries
 * out its actions at once. It decides nothing.
 */
#ifndef CONTROLLER_FLEET_SERVICE_H
#define CONTROLLER_FLEET_SERVICE_H

#include "common/rpc/rpc.h"
#include "controller/fleet/fleet.h"

struct fleet_service;

struct fleet_service *fleet_service_new(struct loop *loop, const struct log_ctx *log);
/* After the server has closed. NULL allowed. */
void fleet_service_free(struct fleet_service *service);

/* rpc_service_method.on_open, with the service as its argument. */
void fleet_service_on_open(struct rpc_stream *stream, void *service);

/* As fleet_set_plan(). */
void fleet_service_set_plan(struct fleet_service *service, const struct fleet_computer *computers,
                            size_t count);

/* Ends all streams in order, so that agents turn to another controller; new ones are ended too. */
void fleet_service_stop(struct fleet_service *service);

/* To read. Borrowed; changes with each message. */
const struct fleet *fleet_service_fleet(const struct fleet_service *service);

#endif
