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
#define AGENT_PORT_DEFAULT           7722              /* where agents listen for partners */
#define ASSIGNMENT_SIZE_MAX          RPC_MESSAGE_SIZE_MAX
#define ASSIGNMENT_MEMORY_MAX        (32u << 20)       /* what unpacking one may take */
#define ASSIGNMENT_FOLDER_COUNT_MAX  1024
#define FOLDER_CONNECTION_COUNT_MAX  4096              /* each way */
#define PARTNER_PRINCIPAL_COUNT_MAX  32
#define OBJECT_NAME_SIZE_MAX         255               /* bytes of a group's or folder's name */
#define HOST_NAME_SIZE_MAX           255
#define ROOT_PATH_SIZE_MAX           4095              /* bytes of a folder's path (PATH_MAX - 1) */
#define PROBLEM_SIZE_MAX             4096              /* a reason with its remedy, as text */
#define FILTER_LIST_SIZE_MAX         (32767u * 4)      /* the attribute: 32767 characters of UTF-8 */
#define FILTER_PATTERN_COUNT_MAX     512
#define FILTER_PATTERN_SIZE_MAX      512
#define QUOTA_BYTES_MAX              (UINT64_C(1) << 60)
#define TOMBSTONE_LIFE_MIN_MAX       UINT64_C(2147483647)

/* --- rdc --- */

/* --- controller --- */

/* --- agent: core (version, replica, session) --- */
#define ATTRIBUTES_SIZE_MAX        (256u << 10)   /* one file's serialised attributes */
#define VECTOR_DATABASE_COUNT_MAX  65536u         /* databases in one vector from outside */
#define VECTOR_INTERVAL_COUNT_MAX  262144u        /* intervals in one vector from outside */
#define SESSION_CREDIT_COUNT       4096u          /* updates under way in one session */
#define SESSION_RETRY_MS_FIRST     1000
#define SESSION_RETRY_MS_MAX       300000
#define SESSION_FORWARD_DELAY_MS   50             /* before updates of others are passed on */
#define FETCH_ACTIVE_MAX           16u            /* transfers at a time in one folder */
#define PLAN_OFFER_COUNT_MAX       512u           /* offers in one plan */
#define TOMBSTONE_LIFE_DAYS        60

/* --- agent: db, watch, scan, stage, install, preserve --- */

/* --- agent: transfer, folder --- */
#define PROBLEM_COUNT_MAX          32u            /* problems kept by one folder or agent */
#define AGENT_PORT_DEFAULT         7722
#define CONTROLLER_PORT_DEFAULT    7721
#define INLINE_SIZE_MAX            (64u << 10)    /* content that travels inside an update */
#define INLINE_BATCH_BYTES         (4u << 20)     /* content read ahead for one stream */
#define SEND_BATCH_COUNT           128u           /* updates whose content is read in one go */
#define STAGE_BATCH_COUNT          256u           /* updates whose inline content is staged in one go */
#define EXAMINE_BATCH_COUNT        512u           /* files read before they are recorded in one commit */
#define EXAMINE_BATCH_BYTES        (64u << 20)    /* bytes read before they are recorded */
#define EXAMINE_DELAY_MS           10             /* after the first event of a quiet folder */
#define EXAMINE_RETRY_MS           500            /* a file that was changing while read */
#define FETCH_FRAME_QUEUE_MAX      16u            /* frames of one transfer waiting for a worker */
#define PARTNER_RETRY_MS           1000           /* a session refused or lost, first delay */
#define PARTNER_RETRY_MS_MAX       30000
#define REPORT_INTERVAL_MS         2000           /* agent to controller */
#define FULL_SCAN_INTERVAL_MS      (24 * 3600 * 1000)
#define ROOT_CHECK_INTERVAL_MS     2000           /* is the folder's root still the one we know */
#define WORKER_COUNT               4u

#endif
