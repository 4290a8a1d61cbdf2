/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/model/assignment_wire.h: what the two halves of the assignment's codec share. For
 * assignment.c and assignment_decode.c alone.
 */
#ifndef COMMON_MODEL_ASSIGNMENT_WIRE_H
#define COMMON_MODEL_ASSIGNMENT_WIRE_H

#include "common/model/assignment.h"

#include "proto/assignment.pb-c.h"

/* SHA-256 over @message serialised with digest and generation left out; @message is unchanged. */
void assignment_wire_digest(const Coterie__V1__Assignment *message,
                            uint8_t out_digest[ASSIGNMENT_DIGEST_SIZE]);

#endif
