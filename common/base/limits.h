/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/base/limits.h: every limit, time-out and size, by name, in one place.
 *
 * Outside data is compared with these before memory is taken or work is done. One section per
 * subsystem, in the order of the tree. Names: what_quantity_max / _min / _default.
 */
#ifndef COMMON_BASE_LIMITS_H
#define COMMON_BASE_LIMITS_H

#include <stdint.h>

/* --- names and identities --- */
#define NAME_SIZE_MAX        255                  /* bytes of one path component (Linux NAME_MAX) */
#define PATH_DEPTH_MAX       2048                 /* components below a folder root */
#define SYMLINK_SIZE_MAX     4095                 /* bytes of a symlink's target */
#define PRINCIPAL_SIZE_MAX   512                  /* a Kerberos principal as text */

/* --- rpc --- */
#define RPC_MESSAGE_SIZE_MAX      (4u << 20)      /* one gRPC message */

/* --- auth --- */

/* --- ad --- */

/* --- model --- */

/* --- rdc --- */
#define RDC_FRAME_SIZE_MAX        (256u << 10)    /* one frame of the exchange */
#define RDC_SEED_COUNT_MAX        5u              /* seeds of one receiver, bases of one sender */
#define RDC_CHUNK_COUNT_MAX       (1u << 30)      /* chunks of one file: 4 TiB at the mean of 4 KiB */
#define RDC_CHUNK_BYTES_MIN       1u              /* after a forced cut, or at the end of a file */
#define RDC_SEGMENT_LITERALS_MAX  (2u << 20)      /* literal bytes compressed together */
#define RDC_SEGMENT_PREFIX_MAX    (8u << 20)      /* known bytes they are compressed against */
#define RDC_SEGMENT_SCRIPT_MAX    (128u << 10)    /* bytes of one segment's script, unpacked */
#define RDC_REASON_SIZE_MAX       512u            /* text of a failure frame */
#define RDC_TREE_DEPTH_MAX        3u              /* levels above the chunks that are asked for */

/* --- controller --- */

/* --- agent: core (version, replica, session) --- */

/* --- agent: db, watch, scan, stage, install, preserve --- */

/* --- agent: transfer, folder --- */

#endif
