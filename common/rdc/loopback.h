/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/rdc/loopback.h: both ends of an exchange in one process, for measuring and for tests.
 */
#ifndef COMMON_RDC_LOOPBACK_H
#define COMMON_RDC_LOOPBACK_H

#include "common/rdc/exchange.h"

/*
 * Carry frames between the two until both have ended.
 *
 * Returns RDC_DONE when both are done, RDC_FAILED when either failed. Frames are carried one at a
 * time; nothing is kept of them.
 */
enum rdc_progress rdc_loopback(struct rdc_receiver *receiver, struct rdc_sender *sender);

#endif
