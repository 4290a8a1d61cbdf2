/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/rdc/frame.h: the frames of the exchange, byte by byte. Private to send.c and receive.c.
 *
 * Byte 0 of a frame: protocol version in the high half, type in the low. The rest, with v = LEB128:
 *
 *   OPEN     r→s  size v · delay v (bytes that one round trip costs) · key_check u32 · seed_count v
 *                 per seed: size v · flags u8 (1: hash known) · [first 16 bytes of its SHA-256]
 *                 · [stream_count v · seed u8 · identity u24 of each DEFLATE stream in it].
 *                 A receiver whose seed could not be unpacked, or whose result could not be packed,
 *                 sends it again, telling no streams, and drops frames until the new START.
 *   START    s→r  way u8 (and START_INFLATED) · size v
 *                 · [text v · symbols v · layout v: sizes of the inflated form's planes
 *                 · SHA-256 of the form · stream_count v: of those told, to be unpacked
 *                 · per stream: how many lie between it and the one before v]
 *                 · then, of the form or the content,
 *                 push (bytes, signature): seed index v
 *                 pull: horizon v · level v · chunk_count v · hash width u8 (bytes, of that level)
 *                 · sample: count v · hashes of chunks from all over the content, each of
 *                 frame_sample_width() bytes
 *                 whole: nothing
 *   HASHES   s→r  pieces to the end: count*4+same*2+more v · count * width bytes, or width bytes
 *                 when all are the `same`. One run of unknown entries after the other, each as the
 *                 hashes of their children; `more`: the same run goes on in the next piece. The
 *                 first run is the whole of the start level.
 *   NEED     r→s  last u8 (enum need_end) · width u8 (of the hashes that shall answer, the same in
 * all frames of one question; 0 at level 0) · then to the end: skip v · take v, counted over the
 *                 hashes last sent. A `take` never crosses from one run to the next.
 *   SLIVERS  r→s  what seeds have in place of the runs asked for (sliver.h); in all frames: last u8
 *                 · reach u8 · width u8 (bits of a name), the same in all; then to the end, run
 *                 after run: count v · count * width bits, filled up to a byte. Runs at the end may
 *                 be left out.
 *   SEGMENT  s→r  flags u8 (1: last, 2: literals packed, 4: script packed, 8: packed on) ·
 *                 literal_size v · packed_size v · script_size v · script_packed_size v · script ·
 *                 literals' begin. `packed on`: not against a prefix, but going on with the one
 *                 zstd frame that all such segments are.
 *   PIECE    s→r  the literals' next bytes
 *   DONE     r→s  nothing
 *   WHOLE    r→s  nothing: send all of it; also instead of NEED, when the seeds are of no use
 *   PLAIN    r→s  nothing: slivers deceived; answered by a START of way and size alone, then the
 *                 pull's segments without them
 *   FAIL     both text, at most RDC_REASON_SIZE_MAX
 *
 * Scripts.  push: per step literal_length v · copy_length v · [zigzag v: how far the copy's base
 * offset lies from where the previous copy and this literal would lead; an offset beyond the base
 * is that of a repeat, in the content itself]. pull: per step literal_length*4+kind v (enum
 * pull_step) · of a repeat: copy_length*2+more v · how far back in the content v · of slivers:
 * zigzag v: how far the first lies from where those before in the run, and one for a literal, lead
 * · count*2+more v; `more`: the run goes on with the next step. whole: nothing; the literals are
 * the next bytes of the content.
 *
 * A repeat copies what stands earlier in the content being built, and may run into itself.
 */
#ifndef COMMON_RDC_FRAME_H
#define COMMON_RDC_FRAME_H

#include "common/base/cursor.h"
#include "common/base/limits.h"
#include "common/rdc/exchange.h"

#define FRAME_VERSION    1u
#define FRAME_ID_SIZE    16 /* of a SHA-256, to name a seed */
#define FRAME_HASH_MIN   4u
#define FRAME_HASH_MAX   8u
#define FRAME_SAMPLE_MAX 32u
#define FRAME_WORK_SIZE  (RDC_FRAME_SIZE_MAX - 64) /* leaves room for the fields around */

enum frame_type {
    FRAME_OPEN = 1,
    FRAME_START,
    FRAME_HASHES,
    FRAME_NEED,
    FRAME_SEGMENT,
    FRAME_PIECE,
    FRAME_DONE,
    FRAME_WHOLE,
    FRAME_FAIL,
    FRAME_SLIVERS,
    FRAME_PLAIN,
};

/* Whether the receiver's question, or what it tells, goes on. */
enum need_end {
    NEED_MORE,
    NEED_LAST,
    NEED_LAST_SLIVERS, /* at level 0: SLIVERS come next */
};

/* What follows a literal of a pull. */
enum pull_step {
    PULL_RUN_ENDS,
    PULL_RUN_GOES_ON, /* with the next step */
    PULL_REPEAT,
    PULL_SLIVERS,
};

#define PULL_STEP_ROOM 4u /* kinds that fit beside a length */

#define START_INFLATED 0x80u

enum segment_flag {
    SEGMENT_LAST = 1,
    SEGMENT_PACKED = 2,
    SEGMENT_SCRIPT_PACKED = 4,
    SEGMENT_PACKED_ON = 8,
    SEGMENT_FLAGS = 15,
};

static inline void frame_begin(struct buf *out, enum frame_type type)
{
    buf_clear(out);
    write_u8(out, (uint8_t)(FRAME_VERSION << 4 | type));
}

/*
 * How many bytes of an identity must travel where @sent of them are compared with @known others: so
 * many that false matches, each of which makes content of @size bytes travel whole, cost no more
 * than about a kilobyte in the mean.
 */
unsigned frame_hash_width(uint64_t sent, uint64_t known, uint64_t size);

/* … of a sample, which is compared with about as many as the content has: a mistake would only cost
 * the hashes of content that has nothing in common with any seed. */
unsigned frame_sample_width(uint64_t chunk_count);

/* The bits of an identity that travel when it is cut to @width bytes. */
static inline uint64_t frame_hash_mask(unsigned width)
{
    return width == FRAME_HASH_MAX ? UINT64_MAX : (UINT64_C(1) << 8 * width) - 1;
}

static inline void write_hash(struct buf *out, uint64_t identity, unsigned width)
{
    uint8_t bytes[FRAME_HASH_MAX];

    for (unsigned i = 0; i < width; i++)
        bytes[i] = (uint8_t)(identity >> 8 * i);
    buf_append(out, bytes, width);
}

static inline uint64_t reader_hash(struct reader *r, unsigned width)
{
    uint8_t bytes[FRAME_HASH_MAX] = {0};
    uint64_t identity = 0;

    reader_copy(r, bytes, width);
    for (unsigned i = 0; i < width; i++)
        identity |= (uint64_t)bytes[i] << 8 * i;
    return identity;
}

/* The low @width bits of each of @names, one behind the other, filled up to a byte; at most 56. */
void write_names(struct buf *out, const uint64_t *names, uint32_t count, unsigned width);
void reader_names(struct reader *r, uint64_t *names, uint32_t count, unsigned width);

static inline uint64_t zigzag(int64_t value)
{
    return (uint64_t)value << 1 ^ (uint64_t)(value >> 63);
}

static inline int64_t unzigzag(uint64_t value)
{
    return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

/* What both ends have in common. */
struct endpoint {
    struct rdc_stats stats;
    enum status failed; /* ST_OK: not */
    bool by_peer;
    struct buf reason;
};

/* Note why the exchange ends and tell the other side. Always RDC_FAILED. */
enum rdc_progress endpoint_fail(struct endpoint *e, struct buf *frame_out, enum status st,
                                const char *format, ...) PRINTF_LIKE(4, 5);

/* The other side ended it: take its text. Always RDC_FAILED. */
enum rdc_progress endpoint_failed_by_peer(struct endpoint *e, struct span text);

struct rdc_failure endpoint_failure(const struct endpoint *e);

/* Processor time of this thread, for the stats. */
uint64_t endpoint_clock_ns(void);

#endif
