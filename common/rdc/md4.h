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

/*
 * Digests of @count messages at once, eight or sixteen in parallel where the processor can.
 *
 * Equal to md4_of() of each. Quickest when the messages are of like size.
 */
void md4_of_many(const struct span *messages, size_t count, struct md4 *out_digests);

/* The parallel forms; only where rdc_kernel_avx2() is not NULL, and where md4_has_avx512(). */
void md4_of_many_avx2(const struct span *messages, size_t count, struct md4 *out_digests);
void md4_of_many_avx512(const struct span *messages, size_t count, struct md4 *out_digests);
bool md4_has_avx512(void);

#endif
