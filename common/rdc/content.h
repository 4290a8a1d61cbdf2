/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/rdc/content.h: bytes to be read at random, supplied by the caller.
 *
 * The library opens nothing: files, memory and tests look alike to it. A read may block; that is
 * the affair of the caller's thread.
 */
#ifndef COMMON_RDC_CONTENT_H
#define COMMON_RDC_CONTENT_H

#include "common/base/span.h"
#include "common/base/status.h"

struct rdc_content {
    uint64_t size;
    /* Exactly @size bytes from @offset, all within the content; ST_GONE when they are no longer
     * there (the file was cut short), ST_IO when they cannot be read. */
    enum status (*read)(void *arg, uint64_t offset, void *out, size_t size);
    void *arg;
};

/* Asserts that the range lies within the content; reading nothing succeeds. */
NODISCARD enum status rdc_content_read(const struct rdc_content *content, uint64_t offset,
                                       void *out, size_t size);

/* Content that stands in memory; @bytes outlives it and is not copied. */
struct rdc_content rdc_content_of(const struct span *bytes);

#endif
