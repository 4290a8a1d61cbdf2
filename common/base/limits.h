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

/* --- controller --- */

/* --- agent: core (version, replica, session) --- */

/* --- agent: db, watch, scan, stage, install, preserve --- */

/* --- agent: transfer, folder --- */

#endif
