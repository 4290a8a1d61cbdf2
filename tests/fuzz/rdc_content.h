/* SPDX-License-Identifier: Apache-2.0 */
/* tests/fuzz/rdc_content.h: two versions of one small content, the same at every run. */
#ifndef TESTS_FUZZ_RDC_CONTENT_H
#define TESTS_FUZZ_RDC_CONTENT_H

#include "common/rdc/content.h"

#define FUZZ_OLD_SIZE 40000u
#define FUZZ_NEW_SIZE 40100u

struct fuzz_content {
    uint64_t size;
    unsigned version;
};

struct fuzz_content fuzz_content(unsigned version);

/* @content outlives what is returned. */
struct rdc_content fuzz_bytes(struct fuzz_content *content);

#endif
