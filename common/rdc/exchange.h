/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/rdc/exchange.h: one file's content from a sender to a receiver, by what must travel only.
 *
 * Two state machines, a receiver and a sender, hand each other frames of bytes that only they
 * understand. They open nothing, wait for nothing and start no threads: the caller carries frames
 * over whatever it has, and lends content through callbacks. Both may run on worker threads.
 *
 *      receiver                                        sender
 *      seeds: files that may resemble the content      content, perhaps older versions of it
 * (bases) │ OPEN: which seeds I have                      │
 *         ├──────────────────────────────────────────────▶│
 *         │                     one of these begins ◀─────┤
 *         │   push       a base is one of the seeds: the delta at once        1 round
 *         │   pull       hashes from a tree's level down, NEED … HASHES …, and with the last
 *         │              question SLIVERS: what seeds have where they miss chunks  at most 5 rounds
 *         │   whole      no seed, or too small to be worth it                 1 round
 *         │              (push and pull of archives are about their inflated forms: form.h)
 *         │              (the receiver may ask for it, WHOLE, when a pull's first hashes show
 *         │              that its seeds are of no use)
 *         │◀── SEGMENT, SEGMENT … last ───────────────────┤
 *         │ DONE, or PLAIN, WHOLE: what came out was not the content          1 round more each
 *         ├──────────────────────────────────────────────▶│
 *
 * Both sides loop:
 *
 *      for (;;) {
 *          enum rdc_progress p = rdc_send_step(s, frame_in, &frame_out);   (or rdc_receive_step)
 *          if (frame_out.size > 0) carry it to the other side;
 *          frame_in = nothing;
 *          if (p == RDC_MORE_OUTPUT) continue;
 *          if (p == RDC_WAIT) frame_in = the next frame from the other side;
 *          else break;                                              (RDC_DONE, RDC_FAILED)
 *      }
 *
 * The receiver starts with an empty frame, the sender with the receiver's first. A frame is at most
 * RDC_FRAME_SIZE_MAX bytes. Frames arrive once and in order. The last frame_out of an end, also of
 * one that failed, must still be carried, so that the other learns of it.
 *
 * What it promises: RDC_DONE of the receiver means that the sink was given exactly the bytes whose
 * SHA-256 was expected. No frame, however malformed, makes either side do worse than RDC_FAILED.
 * Memory is bounded by RDC_SEGMENT_* and about 1 % of the file's size.
 *
 * Archives (ZIP and so office documents, gzip) differ from one edit on, packed as they are. Where
 * both ends have scratches, the streams that differ are unpacked there, the exchange is about what
 * is in them, and the receiver packs it again: the same bits, whichever compressor made them.
 */
#ifndef COMMON_RDC_EXCHANGE_H
#define COMMON_RDC_EXCHANGE_H

#include "common/rdc/hash.h"
#include "common/rdc/scratch.h"
#include "common/rdc/signature.h"

enum rdc_progress {
    RDC_MORE_OUTPUT, /* call again with an empty frame: more is to be sent */
    RDC_WAIT,        /* call again with the other side's next frame */
    RDC_DONE,
    RDC_FAILED, /* rdc_…_failure() says why */
};

/* How the content travelled. */
enum rdc_way {
    RDC_WAY_NONE,           /* not known yet */
    RDC_WAY_LOCAL,          /* a seed had the content: nothing travelled */
    RDC_WAY_PUSH_BYTES,     /* against the bytes of a base */
    RDC_WAY_PUSH_SIGNATURE, /* against the signature of a base */
    RDC_WAY_PULL,           /* through the tree of hashes */
    RDC_WAY_WHOLE,
};

/* "none", "local", "push", "push-signature", "pull", "whole"; never NULL. */
const char *rdc_way_name(enum rdc_way way);

/* What is known of the link; 0: unknown. Only speed depends on it, never the result. */
struct rdc_link {
    uint64_t bytes_per_second;
    uint32_t round_trip_ms;
};

/* Why an end failed; borrowed from it. */
struct rdc_failure {
    enum status status; /* ST_BADDATA: the peer or its content broke a rule; else local */
    const char *reason; /* one clause, never NULL, bytes from the peer escaped */
    bool by_peer;       /* the other side said so */
};

struct rdc_stats {
    enum rdc_way way;
    bool fell_back;    /* a delta came out wrong and the content travelled whole */
    bool unpacked;     /* streams of archives were */
    bool repeated;     /* slivers deceived a pull, and its chunks travelled again without them */
    unsigned rounds;   /* the receiver's only: answers it waited for */
    uint64_t bytes_in; /* of frames */
    uint64_t bytes_out;
    uint64_t literal_bytes; /* unpacked bytes that had to travel */
    uint64_t copied_bytes;  /* bytes taken from seeds, or from earlier in the content */
    uint64_t signature_ns;  /* processor time spent on making signatures */
    uint64_t match_ns;      /* … on finding what is equal */
    uint64_t segment_ns;    /* … on packing or unpacking, with their reading */
    uint64_t unpack_ns;     /* … on unpacking archives, and packing them again */
    uint64_t build_ns;      /* … on building and proving the result */
};

/* --- the receiver ----------------------------------------------------------------------------*/

/* A local file that may resemble the content. */
struct rdc_seed {
    struct rdc_content content;
    const struct rdc_signature *signature; /* NULL: made when it is needed */
    const struct rdc_hash *hash;           /* SHA-256 of its content; NULL: not known */
};

/*
 * Where the content is built, from offset 0 on, without gaps, in order.
 *
 * A seed's bytes may be wrong (changed under us), so nothing counts until RDC_DONE.
 */
struct rdc_sink {
    enum status (*write)(void *arg, uint64_t offset, struct span bytes);
    /* Read back what was written or copied since the last restart. */
    enum status (*read)(void *arg, uint64_t offset, void *out, size_t size);
    /*
     * Take @size bytes at @seed_offset of seed @seed_index to @offset without their passing through
     * memory (FICLONERANGE, copy_file_range). May be NULL. ST_AGAIN: not possible here, write()
     * is called for the same range instead. The range was read and hashed just before.
     */
    enum status (*copy)(void *arg, unsigned seed_index, uint64_t seed_offset, uint64_t offset,
                        uint64_t size);
    /* Forget all that was written: the content begins anew at offset 0. */
    enum status (*restart)(void *arg);
    void *arg;
};

struct rdc_receive_options {
    uint64_t size;                /* of the content */
    struct rdc_hash hash;         /* of the content */
    const struct rdc_seed *seeds; /* borrowed for the receiver's life, best first */
    unsigned seed_count;          /* at most RDC_SEED_COUNT_MAX */
    struct rdc_sink sink;
    struct rdc_key key; /* the replication group's */
    struct rdc_link link;
    struct rdc_scratches scratches; /* without them, archives travel as they are */
};

struct rdc_receiver;

struct rdc_receiver *rdc_receive_new(const struct rdc_receive_options *options);
void rdc_receive_free(struct rdc_receiver *r);

/*
 * Take the next frame and go on.
 *
 * @frame_in   the sender's next frame; empty at the first call and after RDC_MORE_OUTPUT
 * @frame_out  cleared, then given the frame to send, if any
 *
 * May read seeds at length and write to the sink. After RDC_DONE or RDC_FAILED do not call again.
 * RDC_DONE comes only when the sink holds @size bytes with the SHA-256 @hash.
 */
enum rdc_progress rdc_receive_step(struct rdc_receiver *r, struct span frame_in,
                                   struct buf *frame_out);

struct rdc_failure rdc_receive_failure(const struct rdc_receiver *r);
const struct rdc_stats *rdc_receive_stats(const struct rdc_receiver *r);

/* --- the sender ------------------------------------------------------------------------------*/

/* An older version of the content that the receiver may still have. */
struct rdc_base {
    struct rdc_hash hash;
    const struct rdc_content *content;     /* its bytes; NULL: only its signature is kept */
    const struct rdc_signature *signature; /* NULL: made from @content when it is needed */
};

struct rdc_send_options {
    struct rdc_content content;
    const struct rdc_signature *signature; /* of @content; NULL: made when it is needed */
    const struct rdc_base *bases;          /* borrowed for the sender's life */
    unsigned base_count;                   /* at most RDC_SEED_COUNT_MAX */
    struct rdc_key key;
    int pack_level; /* zstd's; 0: chosen by @link */
    struct rdc_link link;
    struct rdc_scratches scratches;
};

struct rdc_sender;

struct rdc_sender *rdc_send_new(const struct rdc_send_options *options);
void rdc_send_free(struct rdc_sender *s);

/*
 * Take the receiver's next frame, or give the next piece of the answer.
 *
 * @frame_in   the receiver's next frame after RDC_WAIT and at the first call; empty after
 *             RDC_MORE_OUTPUT
 * @frame_out  cleared, then given the frame to send, if any
 *
 * Content that changes while it is being sent ends in RDC_FAILED here, or in a hash that the
 * receiver does not accept: never in a wrong file. RDC_DONE when the receiver has confirmed.
 */
enum rdc_progress rdc_send_step(struct rdc_sender *s, struct span frame_in, struct buf *frame_out);

struct rdc_failure rdc_send_failure(const struct rdc_sender *s);
const struct rdc_stats *rdc_send_stats(const struct rdc_sender *s);

#endif
