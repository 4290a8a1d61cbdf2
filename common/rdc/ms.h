/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/rdc/ms.h: signatures and traits exactly as [MS-RDC] specifies them.
 *
 * For comparison and interoperation with Windows; Coterie's own exchange does not use it. A
 * signature file is a 24-byte header and 18 bytes a chunk: MD4 and length. The signature file of a
 * level is the input of the next level.
 */
#ifndef COMMON_RDC_MS_H
#define COMMON_RDC_MS_H

#include "common/base/buf.h"
#include "common/base/status.h"
#include "common/rdc/content.h"

#define RDC_MS_WINDOW_MIN     2u
#define RDC_MS_WINDOW_MAX     96u
#define RDC_MS_HORIZON_MIN    128u
#define RDC_MS_HORIZON_MAX    16384u
#define RDC_MS_DEPTH_MAX      8u
#define RDC_MS_CHUNK_SIZE_MAX 65535u
#define RDC_MS_HEADER_SIZE    24u
#define RDC_MS_ENTRY_SIZE     18u
#define RDC_MS_TRAIT_COUNT    16u

/* How a level is cut. */
struct rdc_ms_cut {
    uint32_t window;
    uint32_t horizon;
};

struct rdc_ms_traits {
    uint8_t values[RDC_MS_TRAIT_COUNT]; /* each below 64 */
};

/* DFSR's own: window 48 and horizon 1024 at level 1, 2 and 128 above. */
struct rdc_ms_cut rdc_ms_cut_default(unsigned level);

/* Within the limits of [MS-RDC]. */
bool rdc_ms_cut_valid(struct rdc_ms_cut cut);

/* How deep DFSR recurses for a file of @size bytes: 0 to RDC_MS_DEPTH_MAX. */
unsigned rdc_ms_depth(uint64_t size);

/* The hash H3 after each of @bytes, from the file's beginning; @out has bytes.size places. */
void rdc_ms_hash(uint32_t window, struct span bytes, uint32_t *out);

/*
 * Append the signature file of @content to @out.
 *
 * @cut must be valid. Fails with what the content's read gave; @out is then as it was.
 * Memory: at most 1 MiB and the signature. The same content gives the same bytes as any other
 * implementation that follows [MS-RDC] 3.1.5.1, also near the end of the file.
 */
NODISCARD enum status rdc_ms_signature(const struct rdc_content *content, struct rdc_ms_cut cut,
                                       struct buf *out);

/* Traits of a file by its level-1 signature file; false when @signature is not one. */
bool rdc_ms_traits(struct span signature, struct rdc_ms_traits *out_traits);

#endif
