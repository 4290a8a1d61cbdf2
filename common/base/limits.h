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
#define SESSION_RETRY_MS_FIRST     1000
#define SESSION_RETRY_MS_MAX       300000
#define SESSION_FORWARD_DELAY_MS   50             /* before updates of others are passed on */
#define FETCH_ACTIVE_MAX           16u            /* transfers at a time in one folder */
#define PLAN_OFFER_COUNT_MAX       512u           /* offers in one plan */
#define TOMBSTONE_LIFE_DAYS        60

/* --- agent: root, attributes, db, watch, scan, stage, install, preserve --- */
#define XATTR_VALUE_SIZE_MAX       65536u         /* one extended attribute's value (Linux XATTR_SIZE_MAX) */
#define XATTR_LIST_SIZE_MAX        65536u         /* all names of one file (Linux XATTR_LIST_MAX) */
#define ACL_ENTRY_COUNT_MAX        1024u
#define IDENTITY_KEPT_MS           30000          /* an answer of the name service, found or not */
#define DB_LOG_BYTES_MAX           (64u << 20)    /* write-ahead log before a checkpoint is due */
#define DB_CACHE_BYTES             (64u << 20)    /* the writer's page cache */
#define DB_READER_CACHE_BYTES      (8u << 20)
#define SCAN_BATCH_COUNT_MAX       1024u          /* entries handed out at a time */
#define READ_BLOCK_SIZE            (1u << 20)     /* content is read and copied in blocks of this */
#define READ_KEEP_BYTES            (4u << 20)     /* larger files leave the page cache once hashed */
#define WATCH_BATCH_MS             8              /* events of this long are coalesced */
#define WATCH_PLACE_COUNT_MAX      65536u         /* dirty places in one batch; more: rescan */
#define WATCH_DIRECTORY_COUNT_MAX  131072u        /* inotify watches of one folder */
#define PRESERVE_AGE_MS_MIN        INT64_C(86400000) /* younger entries are never dropped for quota */
#define INSTALL_DIR_SYNC_COUNT_MAX 64u            /* directories synced one by one; more: syncfs */

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
