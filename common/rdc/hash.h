/* SPDX-License-Identifier: Apache-2.0 */
/* common/rdc/hash.h: what proves a content: its SHA-256. */
#ifndef COMMON_RDC_HASH_H
#define COMMON_RDC_HASH_H

#include "common/rdc/content.h"

#define RDC_HASH_SIZE 32

struct rdc_hash {
    uint8_t bytes[RDC_HASH_SIZE];
};

/* Reads the whole content once. Fails with what reading gave. */
NODISCARD enum status rdc_hash_of(const struct rdc_content *content, struct rdc_hash *out_hash);

#endif
