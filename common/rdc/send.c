/* SPDX-License-Identifier: Apache-2.0 */
/*
 *                  ┌─────────┐ OPEN
 *                  │ OPENING ├──────────────┐ no seed, or small
 *                  └────┬────┘              │
 *           pull        │ push              │
 *        ┌──────────────┤                   │
 *   ┌────▼────┐    ┌────▼────────┐          │
 *   │ HASHING │    │   SENDING   │◀─────────┘◀── WHOLE
 *   └──▲─┬────┘    └──▲─┬────────┘
 * NEED │ │ all sent   │ │ last segment sent
 *   ┌──┴─▼────┐ NEED  │ │
 *   │ ASKED   ├───────┤ │        DONE   ┌──────┐
 *   └─┬───┬───┘    ┌──┼─▼──────┐ ──────▶│ DONE │
 *     │   │ NEED   │ CONFIRMING│        └──▲───┘
 *     │ ┌─▼────┐   └──┼────────┘           │
 *     │ │ TOLD ├──────┘ SLIVERS, last      │
 *     │ └──────┘                           │
 *     └──────────────── DONE ──────────────┘        anything wrong, from anywhere: FAILED
 *
 * WHOLE may also answer hashes: then it is from ASKED to SENDING. WHOLE, and PLAIN once slivers
 * were told, lead from CONFIRMING back to SENDING. A second OPEN, from ASKED or CONFIRMING when
 * what is sent is a form, begins anew.
 */
#include "common/rdc/exchange.h"

#include "common/base/mem.h"
#include "common/rdc/frame.h"
#include "common/rdc/literals.h"
#include "common/rdc/match.h"
#include "common/rdc/opening.h"
#include "common/rdc/sliver_find.h"
#include "common/rdc/walk.h"

#include <assert.h>
#include <stdlib.h>

#define LINK_FAST        125000000u /* bytes a second: a gigabit */
#define LINK_SLOW        1250000u
#define LEVEL_FAST       1
#define LEVEL_USUAL      3
#define LEVEL_DELTA      5
#define LEVEL_BETTER     6
#define LEVEL_GOOD       9
#define SHARE_SMALL      128u /* literals at most this part of the content */
#define SHARE_MODERATE   12u
#define SHARE_LARGE      8u
#define SHARE_HUGE       4u
#define REPEAT_MIN       1u /* bytes; against a base shorter ones pack to less than a repeat */
#define REPEAT_MIN_DELTA 4096u
#define ROUNDS_OF_FORM   4u /* more than a push has that needs no form */

#define SEND_STATES(X)                                                                             \
    X(OPENING)                                                                                     \
    X(HASHING)                                                                                     \
    X(ASKED)                                                                                       \
    X(TOLD)                                                                                        \
    X(SENDING)                                                                                     \
    X(CONFIRMING)                                                                                  \
    X(ENDED)

enum send_state {
#define X(name) SEND_##name,
    SEND_STATES(X)
#undef X
};

struct rdc_sender {
    struct rdc_send_options options;
    struct endpoint end;
    enum send_state state;
    struct rdc_opening opening;
    struct rdc_content content; /* what is sent: the caller's, or its form */
    struct rdc_sent_form form;
    struct rdc_base form_base; /* the form of the receiver's seed */
    bool opened_again;
    const struct rdc_signature *signature;
    struct rdc_signature *signature_made;

    struct rdc_walk walk;   /* pull */
    uint64_t run_count;     /* of chunks asked for */
    struct rdc_names names; /* of slivers in their place */

    struct rdc_signature *base_signature_made;
    struct rdc_moves moves;
    struct rdc_literals *literals;
};

struct rdc_sender *rdc_send_new(const struct rdc_send_options *options)
{
    assert(options->base_count <= RDC_SEED_COUNT_MAX);
    struct rdc_sender *s = MEM_NEW(struct rdc_sender);

    s->options = *options;
    s->content = options->content;
    s->signature = options->signature;
    return s;
}

void rdc_send_free(struct rdc_sender *s)
{
    if (!s)
        return;
    rdc_literals_free(s->literals);
    rdc_moves_fini(&s->moves);
    rdc_walk_fini(&s->walk);
    rdc_names_fini(&s->names);
    rdc_opening_fini(&s->opening);
    rdc_sent_form_fini(&s->form);
    rdc_signature_free(s->signature_made);
    rdc_signature_free(s->base_signature_made);
    buf_fini(&s->end.reason);
    free(s);
}

struct rdc_failure rdc_send_failure(const struct rdc_sender *s)
{
    return endpoint_failure(&s->end);
}

const struct rdc_stats *rdc_send_stats(const struct rdc_sender *s)
{
    return &s->end.stats;
}

static enum rdc_progress fail(struct rdc_sender *s, struct buf *out, enum status st,
                              const char *reason)
{
    s->state = SEND_ENDED;
    return endpoint_fail(&s->end, out, st, "%s", reason);
}

static enum rdc_progress fail_content(struct rdc_sender *s, struct buf *out, enum status st)
{
    return fail(s, out, st,
                st == ST_BADDATA || st == ST_GONE ? "the sender's file changed while it was sent"
                                                  : "the sender could not read its file");
}

/* --- opening ---------------------------------------------------------------------------------*/

/* Sign @content unless @given; the caller frees *out_made. */
static enum status ensure_signature(struct rdc_sender *s, const struct rdc_content *content,
                                    uint32_t horizon, struct rdc_signature **out_made)
{
    struct rdc_signature_options options = {.key = s->options.key, .horizon = horizon};
    uint64_t begin = endpoint_clock_ns();
    enum status st = rdc_signature_of(content, &options, out_made);

    s->end.stats.signature_ns += endpoint_clock_ns() - begin;
    return st;
}

/* Made at @horizon, 0 for the size's own, unless one was given. */
static enum status ensure_own_signature(struct rdc_sender *s, uint32_t horizon)
{
    if (s->signature)
        return ST_OK;
    enum status st = ensure_signature(s, &s->content, horizon, &s->signature_made);
    s->signature = s->signature_made;
    return st;
}

static bool signature_fits(const struct rdc_sender *s, const struct rdc_signature *signature,
                           uint64_t size)
{
    return signature->key_check == rdc_key_check(s->options.key) && signature->size == size;
}

/* The first seed of the receiver's that is one of our bases, bytes before signatures. */
static const struct rdc_base *find_base(const struct rdc_sender *s, bool with_content,
                                        unsigned *out_seed)
{
    for (unsigned i = 0; i < s->opening.seed_count; i++) {
        const struct rdc_offer *seed = &s->opening.seeds[i];

        for (unsigned k = 0; seed->hash_known && k < s->options.base_count; k++) {
            const struct rdc_base *base = &s->options.bases[k];
            uint64_t size = base->content     ? base->content->size
                            : base->signature ? base->signature->size
                                              : UINT64_MAX;

            if (size != seed->size || memcmp(base->hash.bytes, seed->id, FRAME_ID_SIZE) != 0 ||
                (base->content != NULL) != with_content)
                continue;
            if (base->signature && !signature_fits(s, base->signature, size))
                continue;
            *out_seed = i;
            return base;
        }
    }
    return NULL;
}

static void begin_start(struct rdc_sender *s, struct buf *out, enum rdc_way way)
{
    s->end.stats.way = way;
    frame_begin(out, FRAME_START);
    write_u8(out, (uint8_t)way);
    write_varint(out, s->content.size);
}

/* The first of an exchange. */
static void begin_exchange(struct rdc_sender *s, struct buf *out, enum rdc_way way)
{
    begin_start(s, out, way);
    if (!s->form.content)
        return;
    frame_begin(out, FRAME_START);
    write_u8(out, (uint8_t)(way | START_INFLATED));
    write_varint(out, s->options.content.size);
    rdc_sent_form_write(&s->form, out);
}

/* Send the content as it is. */
static void leave_form(struct rdc_sender *s)
{
    if (s->form.content) {
        rdc_signature_free(s->signature_made);
        rdc_signature_free(s->base_signature_made);
        s->signature_made = NULL;
        s->base_signature_made = NULL;
        s->signature = s->options.signature;
    }
    rdc_sent_form_fini(&s->form);
    s->end.stats.unpacked = false;
    s->content = s->options.content;
}

/*
 * zstd's level for @literal_bytes: a slow link is worth much work, a fast one little. In between,
 * what is new in a file that is known otherwise is packed the better the less it is, beside the
 * work of reading, proving and writing the rest, or of unpacking it.
 */
static int pack_level(const struct rdc_sender *s, enum rdc_way way, uint64_t literal_bytes)
{
    uint64_t rate = s->options.link.bytes_per_second;
    uint64_t size = s->content.size;

    if (s->options.pack_level != 0)
        return s->options.pack_level;
    if (rate >= LINK_FAST)
        return LEVEL_FAST;
    if ((rate > 0 && rate < LINK_SLOW) || literal_bytes <= size / SHARE_SMALL)
        return LEVEL_GOOD;
    if ((s->form.content && way != RDC_WAY_PUSH_BYTES) ||
        literal_bytes <= size / (way == RDC_WAY_PUSH_BYTES ? SHARE_MODERATE : SHARE_LARGE))
        return LEVEL_BETTER;
    return way != RDC_WAY_PUSH_BYTES && literal_bytes <= size / SHARE_HUGE ? LEVEL_DELTA
                                                                           : LEVEL_USUAL;
}

static struct rdc_literals_options literals_options(const struct rdc_sender *s, enum rdc_way way,
                                                    uint64_t literal_bytes)
{
    int level = pack_level(s, way, literal_bytes);
    int level_on = pack_level(s, RDC_WAY_WHOLE, literal_bytes);
    bool chosen = s->options.pack_level == 0;
    bool tries = chosen && way == RDC_WAY_PUSH_BYTES && level > LEVEL_FAST && level <= LEVEL_BETTER;

    return (struct rdc_literals_options){
        .way = way,
        .content = &s->content,
        .key = s->options.key,
        .level = level,
        /* against what the base has in the same place, looking for long matches only may do best */
        .level_others = {tries ? LEVEL_FAST : 0, tries && level > LEVEL_USUAL ? LEVEL_USUAL : 0},
        .level_on = level_on,
        .level_on_or = chosen && level_on == LEVEL_USUAL ? LEVEL_DELTA : 0,
        .on = way == RDC_WAY_WHOLE ||
              (way != RDC_WAY_PUSH_BYTES && literal_bytes > RDC_SEGMENT_LITERALS_MAX),
    };
}

static enum rdc_progress start_whole(struct rdc_sender *s, struct buf *out)
{
    leave_form(s);
    struct rdc_literals_options options = literals_options(s, RDC_WAY_WHOLE, s->content.size);

    begin_start(s, out, RDC_WAY_WHOLE);
    rdc_literals_free(s->literals);
    s->literals = rdc_literals_new(&options);
    s->state = SEND_SENDING;
    return RDC_MORE_OUTPUT;
}

static enum rdc_progress start_push(struct rdc_sender *s, struct buf *out,
                                    const struct rdc_base *base, unsigned seed)
{
    const struct rdc_signature *base_signature = base->signature;
    enum rdc_way way = base->content ? RDC_WAY_PUSH_BYTES : RDC_WAY_PUSH_SIGNATURE;
    enum status st = ensure_own_signature(s, 0);

    if (st != ST_OK)
        return fail_content(s, out, st);
    if (!base_signature || base_signature->horizon != s->signature->horizon) {
        st = ensure_signature(s, base->content, s->signature->horizon, &s->base_signature_made);
        base_signature = s->base_signature_made;
    }
    if (st != ST_OK)
        return fail(s, out, st, "the sender could not read its older version");
    uint64_t begin = endpoint_clock_ns();
    rdc_moves_match(&s->moves, s->signature, base_signature);
    rdc_moves_fold_repeats(&s->moves, s->signature,
                           way == RDC_WAY_PUSH_BYTES ? REPEAT_MIN_DELTA : REPEAT_MIN);
    s->end.stats.match_ns += endpoint_clock_ns() - begin;

    struct rdc_literals_options options =
        literals_options(s, way, rdc_moves_literal_bytes(&s->moves, s->signature));
    options.signature = s->signature;
    options.moves = &s->moves;
    options.base = base->content;
    options.base_signature = base_signature;
    begin_exchange(s, out, way);
    write_varint(out, seed);
    s->literals = rdc_literals_new(&options);
    s->state = SEND_SENDING;
    return RDC_MORE_OUTPUT;
}

/* Chunks from all over, unless all are about to be shown. */
static void write_sample(const struct rdc_sender *s, struct buf *out)
{
    uint32_t count = s->walk.level > 0 ? rdc_opening_sample(s->signature) : 0;
    unsigned width = frame_sample_width(s->signature->chunk_count);

    write_varint(out, count);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t chunk = (uint64_t)s->signature->chunk_count * i / count;

        write_hash(out, s->signature->identities[chunk], width);
    }
}

static enum rdc_progress start_pull(struct rdc_sender *s, struct buf *out)
{
    enum status st = ensure_own_signature(s, 0);

    if (st != ST_OK)
        return fail_content(s, out, st);
    uint64_t begin = endpoint_clock_ns();
    rdc_walk_init(&s->walk, s->signature);
    s->end.stats.match_ns += endpoint_clock_ns() - begin;
    unsigned level = rdc_opening_level(&s->opening, &s->walk.tree);
    rdc_walk_begin(&s->walk, level, rdc_opening_hash_width(&s->opening, &s->walk.tree, level));
    begin_exchange(s, out, RDC_WAY_PULL);
    write_varint(out, s->signature->horizon);
    write_varint(out, s->walk.level);
    write_varint(out, s->signature->chunk_count);
    write_u8(out, (uint8_t)s->walk.hash_width);
    write_sample(s, out);
    s->state = SEND_HASHING;
    return RDC_MORE_OUTPUT;
}

/* A base's signature alone serves only when it was cut as ours is. */
static bool signature_serves(struct rdc_sender *s, const struct rdc_base *base)
{
    return base && ensure_own_signature(s, base->signature->horizon) == ST_OK &&
           base->signature->horizon == s->signature->horizon;
}

/* Unpack what only we have, when the receiver told the streams of a seed; @base: the bytes that we
 * would push against, NULL: none. Then the form's, or none. Against a signature nothing can be
 * unpacked: what it costs to ask instead must be less than the streams. */
static const struct rdc_base *try_form(struct rdc_sender *s, const struct rdc_base *base,
                                       unsigned seed)
{
    const struct rdc_told *told = &s->opening.told;

    if (told->streams.count == 0 || s->opened_again || (base && told->seed != seed))
        return base;
    bool signed_base = !base && find_base(s, false, &seed);
    uint64_t begin = endpoint_clock_ns();
    rdc_sent_form_make(&s->form, &s->options, base ? base->content : NULL, told,
                       signed_base ? ROUNDS_OF_FORM * s->opening.delay_bytes : 0);
    s->end.stats.unpack_ns += endpoint_clock_ns() - begin;
    if (!s->form.content)
        return base;
    s->end.stats.unpacked = true;
    s->signature = NULL;
    s->content = s->form.content_bytes;
    rdc_opening_inflate(&s->opening, s->content.size);
    if (!base)
        return NULL;
    s->form_base = (struct rdc_base){.hash = base->hash, .content = &s->form.base_bytes};
    return &s->form_base;
}

static enum rdc_progress open_exchange(struct rdc_sender *s, struct span body, struct buf *out)
{
    uint64_t size = s->options.content.size;
    unsigned seed = 0;

    rdc_opening_fini(&s->opening);
    if (!rdc_opening_read(&s->opening, body))
        return fail(s, out, ST_BADDATA, "the receiver's opening frame is malformed");
    if (s->opening.key_check != rdc_key_check(s->options.key))
        return fail(s, out, ST_BADDATA, "receiver and sender hold different group keys");
    if (s->opening.size != size)
        return fail(s, out, ST_GONE, "the sender's file no longer has the size of that version");
    if (s->signature && !signature_fits(s, s->signature, size))
        s->signature = NULL; /* of another version: sign anew */
    if (s->opening.seed_count == 0 || size == 0)
        return start_whole(s, out);
    const struct rdc_base *base = try_form(s, find_base(s, true, &seed), seed);
    if (base)
        return start_push(s, out, base, seed);
    if (rdc_opening_is_small(&s->opening))
        return start_whole(s, out);
    base = s->form.content ? NULL : find_base(s, false, &seed);
    if (signature_serves(s, base))
        return start_push(s, out, base, seed);
    return start_pull(s, out);
}

/* The receiver cannot unpack or pack it: once more, as it is. */
static enum rdc_progress open_again(struct rdc_sender *s, struct span body, struct buf *out)
{
    leave_form(s);
    rdc_literals_free(s->literals);
    s->literals = NULL;
    rdc_moves_fini(&s->moves);
    rdc_walk_fini(&s->walk);
    rdc_names_fini(&s->names);
    s->run_count = 0;
    s->opened_again = true;
    return open_exchange(s, body, out);
}

/* --- pull ------------------------------------------------------------------------------------*/

static enum rdc_progress send_hashes(struct rdc_sender *s, struct buf *out)
{
    frame_begin(out, FRAME_HASHES);
    if (!rdc_walk_write(&s->walk, out))
        return RDC_MORE_OUTPUT;
    s->state = SEND_ASKED;
    return RDC_WAIT;
}

static enum rdc_progress send_chunks(struct rdc_sender *s)
{
    uint64_t literal_bytes = rdc_moves_literal_bytes(&s->moves, s->signature);
    uint64_t found = s->names.count * s->names.reach; /* half of what is named, or so */
    struct rdc_literals_options options = literals_options(
        s, RDC_WAY_PULL, found < literal_bytes / 2 ? literal_bytes - found : literal_bytes / 2);

    options.signature = s->signature;
    options.moves = &s->moves;
    options.names = s->names.count > 0 ? &s->names : NULL;
    rdc_literals_free(s->literals);
    s->literals = rdc_literals_new(&options);
    s->state = SEND_SENDING;
    return RDC_MORE_OUTPUT;
}

static enum rdc_progress take_slivers(struct rdc_sender *s, struct span body, struct buf *out)
{
    bool last;

    if (!rdc_names_take(&s->names, body, s->run_count, &last))
        return fail(s, out, ST_BADDATA, "the receiver's slivers are malformed");
    return last ? send_chunks(s) : RDC_WAIT;
}

/* Slivers deceived the receiver: the same without. */
static enum rdc_progress send_plain(struct rdc_sender *s, struct buf *out)
{
    rdc_names_fini(&s->names);
    begin_start(s, out, RDC_WAY_PULL);
    return send_chunks(s);
}

static enum rdc_progress take_needs(struct rdc_sender *s, struct span body, struct buf *out)
{
    struct reader r = reader_of(body);
    uint8_t last = reader_u8(&r);
    uint8_t width = reader_u8(&r);

    if (s->walk.level == 0 ? width != 0 : width < FRAME_HASH_MIN || width > FRAME_HASH_MAX)
        return fail(s, out, ST_BADDATA, "the receiver asked for hashes of no valid width");
    while (reader_ok(&r) && r.rest.size > 0) {
        uint64_t skip = reader_varint(&r);
        uint64_t take = reader_varint(&r);

        if (!reader_ok(&r) || !rdc_walk_ask(&s->walk, skip, take))
            return fail(s, out, ST_BADDATA, "the receiver asked for hashes that were not sent");
    }
    if (!reader_ok(&r) || last > (s->walk.level > 0 ? NEED_LAST : NEED_LAST_SLIVERS))
        return fail(s, out, ST_BADDATA, "the receiver's question is malformed");
    if (last == NEED_MORE)
        return RDC_WAIT;
    if (s->walk.level > 0) {
        rdc_walk_descend(&s->walk, width);
        s->state = SEND_HASHING;
        return send_hashes(s, out);
    }
    uint64_t begin = endpoint_clock_ns();
    s->run_count = rdc_walk_moves(&s->walk, &s->moves);
    rdc_moves_fold_repeats(&s->moves, s->signature, REPEAT_MIN);
    s->end.stats.match_ns += endpoint_clock_ns() - begin;
    rdc_walk_fini(&s->walk);
    if (last == NEED_LAST)
        return send_chunks(s);
    s->state = SEND_TOLD;
    return RDC_WAIT;
}

/* --- content ---------------------------------------------------------------------------------*/

static enum rdc_progress send_segment(struct rdc_sender *s, struct buf *out)
{
    bool more;
    uint64_t begin = endpoint_clock_ns();
    enum status st = rdc_literals_next(s->literals, out, &more);

    s->end.stats.segment_ns += endpoint_clock_ns() - begin;
    if (st != ST_OK)
        return fail_content(s, out, st);
    if (more)
        return RDC_MORE_OUTPUT;
    s->end.stats.literal_bytes += rdc_literals_total(s->literals);
    s->state = SEND_CONFIRMING;
    return RDC_WAIT;
}

static enum rdc_progress confirm(struct rdc_sender *s, enum frame_type type, struct buf *out)
{
    if (type == FRAME_DONE) {
        s->state = SEND_ENDED;
        return RDC_DONE;
    }
    if (s->end.stats.way == RDC_WAY_WHOLE)
        return fail(s, out, ST_BADDATA, "the receiver asked for the whole content twice");
    s->end.stats.fell_back = s->state == SEND_CONFIRMING;
    return start_whole(s, out);
}

static enum rdc_progress step(struct rdc_sender *s, struct span frame, struct buf *out)
{
    if (s->state == SEND_HASHING && frame.size == 0)
        return send_hashes(s, out);
    if (s->state == SEND_SENDING && frame.size == 0)
        return send_segment(s, out);
    if (frame.size == 0 || frame.size > RDC_FRAME_SIZE_MAX || frame.data[0] >> 4 != FRAME_VERSION)
        return fail(s, out, ST_BADDATA, "the receiver sent a frame of unknown form");
    enum frame_type type = frame.data[0] & 0xf;
    struct span body = span_part(frame, 1, frame.size);
    if (type == FRAME_FAIL) {
        s->state = SEND_ENDED;
        return endpoint_failed_by_peer(&s->end, body);
    }
    if (s->state == SEND_OPENING && type == FRAME_OPEN)
        return open_exchange(s, body, out);
    if ((s->state == SEND_ASKED || s->state == SEND_CONFIRMING) && type == FRAME_OPEN &&
        s->form.content)
        return open_again(s, body, out);
    if (s->state == SEND_ASKED && type == FRAME_NEED)
        return take_needs(s, body, out);
    if (s->state == SEND_TOLD && type == FRAME_SLIVERS)
        return take_slivers(s, body, out);
    if (s->state == SEND_CONFIRMING && type == FRAME_PLAIN && body.size == 0 && s->names.count > 0)
        return send_plain(s, out);
    if ((s->state == SEND_CONFIRMING || s->state == SEND_ASKED) &&
        (type == FRAME_DONE || type == FRAME_WHOLE) && body.size == 0)
        return confirm(s, type, out);
    return fail(s, out, ST_BADDATA, "the receiver sent a frame out of turn");
}

enum rdc_progress rdc_send_step(struct rdc_sender *s, struct span frame_in, struct buf *frame_out)
{
    assert(s->state != SEND_ENDED);
    buf_clear(frame_out);
    s->end.stats.bytes_in += frame_in.size;
    enum rdc_progress progress = step(s, frame_in, frame_out);
    s->end.stats.bytes_out += frame_out->size;
    assert(frame_out->size <= RDC_FRAME_SIZE_MAX);
    return progress;
}
