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
#define RPC_DECODE_BYTES_BASE     (64u << 10)     /* memory a decoded message may take … */
#define RPC_DECODE_BYTES_FACTOR   16              /* … plus this for each byte of the message */
#define RPC_SEND_QUEUE_BYTES_HIGH (4u << 20)      /* rpc_stream_send() says: wait */
#define RPC_SEND_QUEUE_BYTES_LOW  (1u << 20)      /* on_writable */
#define RPC_SEND_QUEUE_BYTES_MAX  (64u << 20)     /* the stream is given up: nobody reads */
#define RPC_MEMORY_BYTES_MAX      (256u << 20)    /* gRPC's own buffers, per process */
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
#define RPC_RENEWAL_RETRY_MS_MIN  1000            /* after a failed renewal of a session */

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
#define RDC_FRAME_SIZE_MAX        (256u << 10)    /* one frame of the exchange */
#define RDC_SEED_COUNT_MAX        5u              /* seeds of one receiver, bases of one sender */
#define RDC_CHUNK_COUNT_MAX       (1u << 30)      /* chunks of one file: 4 TiB at the mean of 4 KiB */
#define RDC_CHUNK_BYTES_MIN       1u              /* after a forced cut, or at the end of a file */
#define RDC_SEGMENT_LITERALS_MAX  (2u << 20)      /* literal bytes compressed together */
#define RDC_SEGMENT_PREFIX_MAX    (8u << 20)      /* known bytes they are compressed against */
#define RDC_SEGMENT_SCRIPT_MAX    (128u << 10)    /* bytes of one segment's script, unpacked */
#define RDC_SLIVERS_BYTES_MAX     (8u << 20)      /* names of slivers in one exchange */
#define RDC_REASON_SIZE_MAX       512u            /* text of a failure frame */
#define RDC_REPEAT_CHUNKS_MAX     (512u << 10)    /* new chunks looked at for repeats: 16 MB of tables */
#define RDC_STREAM_SIZE_MIN       1024u           /* a DEFLATE stream that is worth unpacking */
#define RDC_STREAM_COUNT_MAX      4096u           /* of one file, that are told: the largest */
#define RDC_STREAM_BYTES_MAX      (UINT64_C(256) << 20) /* packed bytes that one exchange unpacks: ten seconds of work at each end */
#define RDC_INFLATED_SIZE_MAX     (UINT64_C(2000) << 20) /* bytes of each plane of an unpacked form, on disk */
#define RDC_INFLATED_LAYOUT_MAX   (16u << 20)     /* bytes of its layout, in memory */
#define RDC_TREE_DEPTH_MAX        3u              /* levels above the chunks that are asked for */

/* --- controller: topology and plan --- */
#define FINDING_COUNT_MAX            10000             /* reported one by one; the rest is counted */
#define STAGING_MB_DEFAULT           4096              /* as Windows since 2012 R2 */
#define PRESERVE_MB_DEFAULT          4096
#define QUOTA_MB_MIN                 10
#define TOMBSTONE_LIFE_MIN_DEFAULT   86400             /* 60 days */
#define RDC_SIZE_KB_DEFAULT          64

/* --- controller --- */
#define CONTROLLER_PORT_DEFAULT    7721           /* where agents attach */
#define STATUS_PORT_DEFAULT        7720           /* HTTP: page, JSON, metrics */
#define REPORT_INTERVAL_MS_MAX     15000          /* an agent reports at least so often */
#define REPORT_FRESH_MS            45000          /* an older report proves nothing */
#define DETACHED_FRESH_MS          10000          /* how long a report outlives its stream */
#define ATTACH_GRACE_MS            60000          /* after a start, before a missing agent is a finding */
#define HELLO_WAIT_MS              15000          /* an attached agent says hello within */
#define REPORT_FOLDER_COUNT_MAX    1024u          /* folders in one report */
#define REPORT_CONNECTION_COUNT_MAX 8192u         /* connections in one folder's report */
#define REPORT_PROBLEM_COUNT_MAX   64u            /* kept at each level of a report */
#define REPORT_TEXT_SIZE_MAX       1024u          /* kept of one text in a report */
#define STRANGER_COUNT_MAX         256u           /* agents without a member that are remembered */
#define STRANGER_KEPT_MS           3600000        /* after they went away */
#define REFUSAL_COUNT_MAX          64u            /* refused authentications that are remembered */
#define REFUSAL_KEPT_MS            900000         /* after the last one of its kind */
#define FLEET_TICK_MS              5000           /* how often time passes for the fleet */
#define STATUS_DOCUMENT_LIFE_MS    1000           /* one rendering serves all viewers so long */
#define PAGE_ROW_COUNT_MAX         200u           /* of one table; the worst come first */
#define PAGE_WELL_COUNT_MAX        12u            /* rows; more that are well are folded away */
#define PAGE_DRAWN_MEMBERS_MAX     40u            /* more are not drawn, only listed */
#define STATUS_CLIENT_COUNT_MAX    64u            /* HTTP connections at a time */
#define STATUS_CLIENT_IDLE_S       30u
#define DIRECTORY_POLL_INTERVAL_S_MAX 86400u      /* beside the notification of changes */
#define SHUTDOWN_GRACE_MS          2000           /* for streams to end in order */

/* --- agent: core (version, replica, session) --- */
#define ATTRIBUTES_SIZE_MAX        (256u << 10)   /* one file's serialised attributes */
#define VECTOR_DATABASE_COUNT_MAX  65536u         /* databases in one vector from outside */
#define VECTOR_INTERVAL_COUNT_MAX  262144u        /* intervals in one vector from outside */
/* The simulation has few of these two, so that they run out. */
#ifndef SESSION_CREDIT_COUNT
#define SESSION_CREDIT_COUNT       4096u          /* updates under way in one session */
#endif
#define SESSION_CREDIT_COUNT_MAX   65536u         /* credits that a receiver may give at once */
#ifndef SESSION_SEARCH_COUNT_MAX
#define SESSION_SEARCH_COUNT_MAX   4096u          /* records looked at before a search rests */
#endif
#define SESSION_RETRY_MS_FIRST     1000
#define SESSION_RETRY_MS_MAX       60000
#define SESSION_STANDOFF_MS        300000         /* without a round that could be joined, before what waits waits in vain */
#define HELD_COUNT_MAX             16u            /* updates that could not be put in place, named */
#define HELD_PROBLEM_MS            30000          /* before the status names one */
#define SESSION_FORWARD_DELAY_MS   50             /* before updates of others are passed on */
#define FETCH_ACTIVE_MAX           16u            /* transfers at a time in one folder */
#define FETCH_LARGE_ACTIVE_MAX     4u             /* of these, transfers of large content */
#define FETCH_LARGE_SIZE_MIN       (1u << 20)     /* bytes from which content counts as large */
#define PLAN_OFFER_COUNT_MAX       512u           /* offers in one plan */
#define PLAN_ATTEMPT_COUNT_MAX     4u             /* plans that one update may make fail in a round */
#define EXPIRE_INTERVAL_MS         60000          /* between looks for old tombstones */
#define EXPIRE_COUNT_MAX           10000u         /* tombstones dropped in one transaction */
#define FORGOTTEN_INTERVAL_COUNT_MAX 1024u        /* remembered of dropped tombstones */
#define LISTING_PART_COUNT         1024u          /* file ids asked for at a time */
#define LISTING_PART_COUNT_MAX     4096u          /* and taken */
#define LISTING_MISSING_COUNT_MAX  65536u         /* files found missing in one listing */
#define VERIFY_PART_COUNT          1024u          /* records of a partner asked for at a time */
#define VERIFY_PART_COUNT_MAX      4096u          /* and taken */
#define VERIFY_DOUBT_COUNT_MAX     4096u          /* records that differ, mended in one go */
#define VERIFY_INTERVAL_MS         (INT64_C(7) * 24 * 3600 * 1000) /* the whole tree, and all records with each partner */
#define VERIFY_AGAIN_MS            60000          /* after some differed */
#define MERGE_HOP_MAX              64u            /* merges followed from one directory to the next */
#define SET_ASIDE_TRY_MAX          1000u          /* names tried for what must give way */

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
#define INSTALL_SYNCFS_COUNT_MIN   32u            /* staged files of one batch synced by one syncfs */

/* --- agent: transfer, folder --- */
#define REFUSAL_SHOWN_MS           300000         /* a stranger stays in the status after the last knock */
#define PROBLEM_COUNT_MAX          32u            /* problems kept by one folder or agent */
#define AGENT_PORT_DEFAULT         7722
#define CONTROLLER_PORT_DEFAULT    7721
#define INLINE_SIZE_MAX            (64u << 10)    /* content that travels inside an update */
#define INLINE_BATCH_BYTES         (4u << 20)     /* content read ahead for one stream */
#define SEND_BATCH_COUNT           128u           /* updates whose content is read in one go */
#define STAGE_BATCH_COUNT          256u           /* updates whose inline content is staged in one go */
#define EXAMINE_BATCH_COUNT        512u           /* files read before they are recorded in one commit */
#define EXAMINE_BATCH_BYTES        (64u << 20)    /* bytes read before they are recorded */
#define FLUSH_AGE_MS               600000         /* what was changed before this is on the disk by itself */
#define FLUSH_SINGLE_COUNT_MAX     16u            /* files flushed one by one before they are recorded */
#define WALK_ECHO_MS               10000          /* events of what moved during a walk may come after it */
#define STAMP_TICK_MS_MAX          20             /* of the kernel's clock for files, at least */
#define EXAMINE_RETRY_MS           500            /* a file that was changing while read */
#define LEFT_OUT_WAIT_MS           2000           /* after a file got a filtered name, before it counts as gone */
#define EXAMINE_PROBLEM_COUNT      60u            /* looks again in a row before the status names one */
#define SIGNED_SIZE_MIN            (256u << 10)   /* content whose signature is kept … */
#define SIGNED_SIZE_MAX            (UINT64_C(64) << 30) /* … up to this: 160 MB in memory */
#define SIGNATURES_BYTES_MAX       (UINT64_C(1) << 30) /* signatures of one folder, on disk */
#define SIGNATURES_COUNT_MAX       (256u << 10)   /* and their number: 40 bytes each in memory */
#define SIGNATURES_FREE_BYTES_MIN  (256u << 20)   /* what they leave free on the file system */
#define SIGNATURE_FILE_SIZE_MAX    (256u << 20)
#define SIGNATURE_USE_S            3600           /* the last use of one is noted as exactly as this */
#define SEED_SIZE_MIN              (INLINE_SIZE_MAX + 1) /* content for which seeds are looked for, and kept known */
#define SEEDS_FRESH_COUNT_MAX      1024u          /* contents noted that have not been installed yet */
#define SEEDS_HEARD_COUNT_MAX      4096u          /* likenesses heard of updates that are not settled yet */
#define SEEDS_BYTES_MAX            (UINT64_C(8) << 30) /* seeds of one fetch, beside the first: 80 MB of signatures */
#define SEEDS_DUPLICATE_MAX        2u             /* files with just the content that is wanted */
#define SEEDS_TRY_MAX              8u             /* searches for similar files when those found are gone */
#define FETCH_JOB_BYTES            (2u << 20)     /* what one step of a sending transfer may produce */
#define FETCH_SERVED_MAX           64u            /* transfers that one stream may have under way */
#define FETCH_FRAME_QUEUE_MAX      16u            /* frames of one transfer waiting for a worker */
#define PARKED_WAIT_MS             20000          /* of stillness, before a parked file no longer waits for its update */
#define PARKED_WAIT_IN_SYNC_MS     2000           /* the same, when partners have nothing that we lack */
#define PARTNER_RETRY_MS           1000           /* a session refused or lost, first delay */
#define PARTNER_RETRY_MS_MAX       10000
#define REPORT_INTERVAL_MS         2000           /* agent to controller */
#define ROOT_RETRY_MS              2000           /* until a folder that stopped is opened again */
#define FOLDER_TICK_MS             500            /* a folder looks at its root, schedules and quiet work */
#define ROOT_TOKEN_FILE_SIZE_MAX   64
#define AGENT_STOP_GRACE_MS        500            /* for streams that still run */
#define WORKER_COUNT               4u

#endif
