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
#define PRIVATE_DIR_NAME     ".coterie"           /* beneath a folder's root, never replicated */
#define PRINCIPAL_SIZE_MAX   512                  /* a Kerberos principal as text */

/* --- rpc --- */
#define RPC_MESSAGE_SIZE_MAX      (4u << 20)      /* one gRPC message */

/* --- auth --- */

/* --- ad --- */

/* --- model --- */

/* --- rdc --- */

/* --- controller --- */

/* --- agent: core (version, replica, session) --- */
#define ATTRIBUTES_SIZE_MAX        (256u << 10)   /* one file's serialised attributes */
#define VECTOR_DATABASE_COUNT_MAX  65536u         /* databases in one vector from outside */
#define VECTOR_INTERVAL_COUNT_MAX  262144u        /* intervals in one vector from outside */
#define SESSION_CREDIT_COUNT       4096u          /* updates under way in one session */
#define SESSION_CREDIT_COUNT_MAX   65536u         /* credits that a receiver may give at once */
#define SESSION_SEARCH_COUNT_MAX   4096u          /* records looked at before a search rests */
#define SESSION_RETRY_MS_FIRST     1000
#define SESSION_RETRY_MS_MAX       300000
#define SESSION_FORWARD_DELAY_MS   50             /* before updates of others are passed on */
#define FETCH_ACTIVE_MAX           16u            /* transfers at a time in one folder */
#define FETCH_LARGE_ACTIVE_MAX     4u             /* of these, transfers of large content */
#define FETCH_LARGE_SIZE_MIN       (1u << 20)     /* bytes from which content counts as large */
#define PLAN_OFFER_COUNT_MAX       512u           /* offers in one plan */
#define PLAN_ATTEMPT_COUNT_MAX     4u             /* plans that one update may make fail in a round */
#define TOMBSTONE_LIFE_DAYS        60
#define EXPIRE_COUNT_MAX           10000u         /* tombstones dropped in one transaction */
#define MERGE_HOP_MAX              64u            /* merges followed from one directory to the next */
#define SET_ASIDE_TRY_MAX          1000u          /* names tried for what must give way */

/* --- agent: db, watch, scan, stage, install, preserve --- */

/* --- agent: transfer, folder --- */

#endif
