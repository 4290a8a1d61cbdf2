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
#define RPC_DECODE_BYTES_BASE     (64u << 10)     /* memory a decoded message may take … */
#define RPC_DECODE_BYTES_FACTOR   16              /* … plus this for each byte of the message */
#define RPC_SEND_QUEUE_BYTES_HIGH (4u << 20)      /* rpc_stream_send() says: wait */
#define RPC_SEND_QUEUE_BYTES_LOW  (1u << 20)      /* on_writable */
#define RPC_SEND_QUEUE_BYTES_MAX  (64u << 20)     /* the stream is given up: nobody reads */
#define RPC_MEMORY_BYTES_MAX      (256u << 20)    /* gRPC's own buffers, per process */
#define RPC_METHOD_PATH_SIZE_MAX  128
#define RPC_END_TEXT_SIZE_MAX     1024            /* an error's text, sent or received */
#define RPC_STREAMS_PER_CONNECTION_MAX 128
#define RPC_STREAMS_MAX           8192            /* open on one server */
#define RPC_SESSIONS_MAX          16384           /* authenticated clients of one server */
#define RPC_HANDSHAKES_MAX        64              /* strangers in the middle of authenticating */
#define RPC_ADDRESSES_MAX         16              /* of one host name */
#define RPC_HANDSHAKE_MS_MAX      20000           /* from the first connect to authenticated */
#define RPC_TLS_HANDSHAKE_MS_MAX  10000
#define RPC_KEEPALIVE_MS          30000           /* ping after this silence … */
#define RPC_KEEPALIVE_REPLY_MS_MAX 10000          /* … and drop the connection without an answer */
#define RPC_PING_INTERVAL_MS_MIN  10000           /* a client that pings faster is dropped */
#define RPC_RECONNECT_DELAY_MS_MIN 500
#define RPC_RECONNECT_DELAY_MS_MAX 10000

/* --- auth --- */
#define AUTH_TOKEN_SIZE_MAX       (64u << 10)     /* a GSS token; Active Directory's end at 64 KiB */
#define AUTH_MESSAGE_SIZE_MAX     (AUTH_TOKEN_SIZE_MAX + 1024u)
#define AUTH_SESSION_S_MAX        3600            /* then the client authenticates again */
#define AUTH_TICKET_FRESH_S       60              /* a ticket handed out lives at least that long */
#define AUTH_KDC_RETRY_MS         5000            /* a KDC that did not answer is not asked before */

/* --- ad --- */
#define AD_CONNECT_TIMEOUT_S         5
#define AD_OPERATION_TIMEOUT_S       15
#define AD_PAGE_SIZE                 500               /* entries; Active Directory's own limit is 1000 */
#define AD_ENTRY_COUNT_MAX           500000            /* in one read */
#define AD_READ_BYTES_MAX            (256u << 20)      /* names and values of one read */
#define AD_VALUE_SIZE_MAX            (256u << 10)
#define AD_DN_SIZE_MAX               8192
#define AD_SECURITY_FACTOR_MIN       128               /* bits; of the layer that seals the connection */
#define AD_POLL_INTERVAL_MS_DEFAULT  60000
#define AD_POLL_INTERVAL_MS_MIN      1000
#define AD_SETTLE_DELAY_MS           200               /* several changes in a row are read once */
#define AD_SETTLE_DELAY_MS_MAX       2000              /* … but not later than this after the first */
#define AD_RETRY_DELAY_MS_MIN        1000
#define AD_RETRY_DELAY_MS_MAX        60000

/* --- model --- */
#define AGENT_PORT_DEFAULT           7722              /* where agents listen for partners */
#define ASSIGNMENT_SIZE_MAX          (RPC_MESSAGE_SIZE_MAX - 1024) /* room for what wraps it */
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

/* --- controller: topology and plan --- */
#define FINDING_COUNT_MAX            10000             /* reported one by one; the rest is counted */
#define STAGING_MB_DEFAULT           4096              /* as Windows since 2012 R2 */
#define PRESERVE_MB_DEFAULT          4096
#define QUOTA_MB_MIN                 10
#define TOMBSTONE_LIFE_MIN_DEFAULT   86400             /* 60 days */
#define RDC_SIZE_KB_DEFAULT          64

/* --- controller --- */

/* --- agent: core (version, replica, session) --- */

/* --- agent: db, watch, scan, stage, install, preserve --- */

/* --- agent: transfer, folder --- */

#endif
