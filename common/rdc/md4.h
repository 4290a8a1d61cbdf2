/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/rdc/md4.h: MD4 (RFC 1320), for [MS-RDC] only.
 *
 * Broken as a cryptographic hash; [MS-RDC] uses it to name chunks and expects collisions.
 */
#ifndef COMMON_RDC_MD4_H
#define COMMON_RDC_MD4_H

#include "common/base/span.h"

#include <stdbool.h>

#define MD4_SIZE 16

struct md4 {
    uint8_t bytes[MD4_SIZE];
};

struct md4 md4_of(struct span message);

/* The digests of @count messages, four at a time; each is equal to md4_of() of it. Quickest when
 * the messages are of like size. */
void md4_of_many(const struct span *messages, size_t count, struct md4 *out_digests);

/* The same, eight and sixteen at a time. Built for x86-64; only where ms_kernel_avx2() and
 * ms_kernel_avx512() are not NULL. */
void md4_of_many_avx2(const struct span *messages, size_t count, struct md4 *out_digests);
void md4_of_many_avx512(const struct span *messages, size_t count, struct md4 *out_digests);

#endif
