/* SPDX-License-Identifier: Apache-2.0 */
/*
 *   ┌─────────┐  a seed has it        ┌───────┐
 *   │ INITIAL ├──────────────────────▶│ ENDED │◀── proven · wrong though whole · malformed · sink
 *   └────┬────┘                       └───────┘
 *        │ OPEN sent
 *   ┌────▼────┐ pull   ┌─────────┐ level known  ┌────────┐
 *   │ OPENED  ├───────▶│ HASHES  ├─────────────▶│ ASKING │ NEED, NEED … last
 *   └─▲──┬────┘        └──▲──────┘              └─┬────┬─┘
 *     │  │ push, whole    └── level below ────────┘    │ chunks
 *     │  │  ┌──────────┐   all named    ┌────────┐     │
 *     │  └─▶│ SEGMENTS │◀───────────────┤ NAMING │◀────┤ SLIVERS, SLIVERS … last
 *     │     └──┬─▲─────┘                └────────┘     │
 *     │        │ │  ▲───────────────────────────────────┘ no slivers worth naming
 *     │     ┌──▼─┴─────┐
 *     │     │ PIECES   │    wrong: PLAIN, WHOLE, OPEN is sent; frames are dropped until START
 *     │     └──────────┘
 *     └──────── from SEGMENTS, PIECES; with OPEN from OPENED, too
 */
#include "common/rdc/exchange.h"

#include "common/base/mem.h"
#include "common/rdc/build.h"
#include "common/rdc/form.h"
#include "common/rdc/frame.h"
#include "common/rdc/segment.h"
#include "common/rdc/sliver.h"

#include <assert.h>
#include <stdlib.h>

#define DELAY_BYTES_DEFAULT 4096u /* when the link is not known: thin ones need it most */
#define NEED_SIZE_MAX       20u   /* two LEB128 values */
#define SAMPLE_MIN          8u    /* fewer chunks say nothing about the others */

enum receive_state {
    RECEIVE_INITIAL,
    RECEIVE_OPENED,
    RECEIVE_HASHES,
    RECEIVE_ASKING,
    RECEIVE_NAMING,
    RECEIVE_SEGMENTS,
    RECEIVE_PIECES,
    RECEIVE_ENDED,
};

/* Another answer was asked for: what comes before its START belongs to the old one. */
enum dropping {
    DROP_NOTHING,
    DROP_UNTIL_PLAIN,
    DROP_UNTIL_WHOLE,
    DROP_UNTIL_OPENED,
};

struct rdc_receiver {
    struct rdc_receive_options wanted;
    struct rdc_told told;
    struct rdc_built_form form;
    const struct rdc_receive_options *options; /* of the exchange: `wanted`, or the form's */
    struct endpoint end;
    enum receive_state state;
    enum dropping dropping;
    struct rdc_build *build;

    struct rdc_signature *made[RDC_SEED_COUNT_MAX];
    struct rdc_plan plan;
    bool sample_unknown; /* no seed has any of the sampled chunks */
    size_t need_at;
    struct rdc_slivers slivers;

    /* the segment under way */
    struct rdc_segment segment;
    size_t travel_size; /* of its literals */
    struct buf script;
    struct buf travelled;
    struct rdc_unpacker *unpacker;
};

struct rdc_receiver *rdc_receive_new(const struct rdc_receive_options *options)
{
    assert(options->seed_count <= RDC_SEED_COUNT_MAX);
    struct rdc_receiver *r = MEM_NEW(struct rdc_receiver);

    r->wanted = *options;
    r->options = &r->wanted;
    r->build = rdc_build_new(r->options);
    r->unpacker = rdc_unpacker_new();
    return r;
}

void rdc_receive_free(struct rdc_receiver *r)
{
    if (!r)
        return;
    rdc_slivers_fini(&r->slivers);
    rdc_plan_fini(&r->plan);
    rdc_told_fini(&r->told);
    rdc_built_form_fini(&r->form);
    for (unsigned i = 0; i < RDC_SEED_COUNT_MAX; i++)
        rdc_signature_free(r->made[i]);
    rdc_build_free(r->build);
    rdc_unpacker_free(r->unpacker);
    buf_fini(&r->script);
    buf_fini(&r->travelled);
    buf_fini(&r->end.reason);
    free(r);
}

struct rdc_failure rdc_receive_failure(const struct rdc_receiver *r)
{
    return endpoint_failure(&r->end);
}

const struct rdc_stats *rdc_receive_stats(const struct rdc_receiver *r)
{
    return &r->end.stats;
}

static enum rdc_progress fail(struct rdc_receiver *r, struct buf *out, enum status st,
                              const char *reason)
{
    r->state = RECEIVE_ENDED;
    return endpoint_fail(&r->end, out, st, "%s", reason);
}

static enum rdc_progress malformed(struct rdc_receiver *r, struct buf *out, const char *reason)
{
    return fail(r, out, ST_BADDATA, reason);
}

static void note_built(struct rdc_receiver *r)
{
    r->end.stats.literal_bytes = rdc_build_literal_bytes(r->build);
    r->end.stats.copied_bytes = rdc_build_copied_bytes(r->build);
}

/* --- opening ---------------------------------------------------------------------------------*/

/* Build from a seed that is known to be the content; false: it is not, after all. */
static bool try_local(struct rdc_receiver *r, unsigned seed, enum rdc_build_result *out_result)
{
    struct rdc_item whole = {.seed = seed, .length = r->options->size};
    struct rdc_plan plan = {.items = {.items = &whole, .count = 1}};
    uint64_t begin = endpoint_clock_ns();

    *out_result = rdc_build_begin(r->build, RDC_WAY_PULL, 0, &plan);
    if (*out_result == RDC_BUILD_OK)
        *out_result = rdc_build_copies(r->build);
    bool proven = *out_result == RDC_BUILD_OK && rdc_build_proven(r->build);
    r->end.stats.build_ns += endpoint_clock_ns() - begin;
    note_built(r);
    return proven;
}

static enum rdc_progress send_opening(struct rdc_receiver *r, struct buf *out)
{
    const struct rdc_link *link = &r->options->link;
    uint64_t delay_bytes = link->bytes_per_second / 1000 * link->round_trip_ms;

    frame_begin(out, FRAME_OPEN);
    write_varint(out, r->options->size);
    write_varint(out, delay_bytes ? delay_bytes : DELAY_BYTES_DEFAULT);
    write_u32(out, rdc_key_check(r->options->key));
    write_varint(out, r->options->seed_count);
    for (unsigned i = 0; i < r->options->seed_count; i++) {
        const struct rdc_seed *seed = &r->options->seeds[i];

        write_varint(out, seed->content.size);
        write_u8(out, seed->hash != NULL);
        if (seed->hash)
            buf_append(out, seed->hash->bytes, FRAME_ID_SIZE);
    }
    rdc_told_write(&r->told, out);
    r->state = RECEIVE_OPENED;
    r->end.stats.rounds += 1;
    return RDC_WAIT;
}

static enum rdc_progress begin(struct rdc_receiver *r, struct buf *out)
{
    for (unsigned i = 0; i < r->options->seed_count; i++) {
        const struct rdc_seed *seed = &r->options->seeds[i];
        enum rdc_build_result result;

        if (!seed->hash || seed->content.size != r->options->size ||
            memcmp(seed->hash->bytes, r->options->hash.bytes, RDC_HASH_SIZE) != 0)
            continue;
        if (try_local(r, i, &result)) {
            r->end.stats.way = RDC_WAY_LOCAL;
            r->state = RECEIVE_ENDED;
            return RDC_DONE;
        }
        if (result == RDC_BUILD_SINK)
            return fail(r, out, rdc_build_status(r->build),
                        "the receiver could not write the file");
    }
    uint64_t start = endpoint_clock_ns();
    rdc_told_find(&r->told, r->options);
    r->end.stats.unpack_ns += endpoint_clock_ns() - start;
    return send_opening(r, out);
}

/* --- archives --------------------------------------------------------------------------------*/

/* The exchange is about another content from here on. */
static void change_options(struct rdc_receiver *r, const struct rdc_receive_options *options)
{
    r->options = options;
    rdc_build_free(r->build);
    r->build = rdc_build_new(r->options);
    rdc_slivers_fini(&r->slivers);
    rdc_plan_fini(&r->plan);
    for (unsigned i = 0; i < RDC_SEED_COUNT_MAX; i++) {
        rdc_signature_free(r->made[i]);
        r->made[i] = NULL;
    }
}

static void leave_form(struct rdc_receiver *r)
{
    if (!r->form.seed)
        return;
    change_options(r, &r->wanted);
    rdc_built_form_fini(&r->form);
    r->end.stats.unpacked = false;
    r->end.stats.repeated = false;
}

/* Archives as they are, after all. */
static enum rdc_progress open_again(struct rdc_receiver *r, struct buf *out)
{
    leave_form(r);
    rdc_told_fini(&r->told);
    r->dropping = DROP_UNTIL_OPENED;
    return send_opening(r, out);
}

/* ST_AGAIN: it cannot be done here. */
static enum status enter_form(struct rdc_receiver *r, struct reader *body)
{
    uint64_t start = endpoint_clock_ns();
    enum status st = rdc_built_form_make(&r->form, body, &r->wanted, &r->told);

    r->end.stats.unpack_ns += endpoint_clock_ns() - start;
    if (st != ST_OK)
        return st;
    change_options(r, &r->form.options);
    r->end.stats.unpacked = true;
    return ST_OK;
}

/* --- the sender's answer ---------------------------------------------------------------------*/

/* The signature of a seed at @horizon, made if none fits; NULL when the seed can't be read. */
static const struct rdc_signature *seed_signature(struct rdc_receiver *r, unsigned i,
                                                  uint32_t horizon)
{
    const struct rdc_seed *seed = &r->options->seeds[i];
    struct rdc_signature_options options = {.key = r->options->key, .horizon = horizon};

    if (seed->signature && seed->signature->horizon == horizon &&
        seed->signature->size == seed->content.size &&
        seed->signature->key_check == rdc_key_check(r->options->key))
        return seed->signature;
    uint64_t start = endpoint_clock_ns();
    enum status st = rdc_signature_of(&seed->content, &options, &r->made[i]);
    r->end.stats.signature_ns += endpoint_clock_ns() - start;
    return st == ST_OK ? r->made[i] : NULL;
}

static enum rdc_progress start_pull(struct rdc_receiver *r, struct reader *body, struct buf *out)
{
    const struct rdc_signature *signatures[RDC_SEED_COUNT_MAX] = {0};
    uint64_t horizon = reader_varint(body);
    uint64_t level = reader_varint(body);
    uint64_t chunk_count = reader_varint(body);
    uint8_t width = reader_u8(body);
    uint64_t sample_count = reader_varint(body);
    unsigned sample_width = frame_sample_width(chunk_count);
    uint64_t sample[FRAME_SAMPLE_MAX];

    for (uint64_t i = 0; i < sample_count && i < FRAME_SAMPLE_MAX && reader_ok(body); i++)
        sample[i] = reader_hash(body, sample_width);
    if (!reader_finished(body) || sample_count > FRAME_SAMPLE_MAX || !rdc_horizon_valid(horizon) ||
        level > RDC_TREE_DEPTH_MAX || chunk_count == 0 || chunk_count > RDC_CHUNK_COUNT_MAX ||
        chunk_count > rdc_chunk_count_bound(r->options->size, (uint32_t)horizon) ||
        width < FRAME_HASH_MIN || width > FRAME_HASH_MAX)
        return malformed(r, out, "the sender's tree breaks a limit");
    for (unsigned i = 0; i < r->options->seed_count; i++)
        signatures[i] = seed_signature(r, i, (uint32_t)horizon);
    uint64_t start = endpoint_clock_ns();
    r->plan.hash_width = width;
    r->plan.entries_max = chunk_count;
    rdc_plan_init(&r->plan, signatures, r->options->seed_count, (unsigned)level);
    r->sample_unknown = sample_count >= SAMPLE_MIN &&
                        !rdc_plan_has_chunk(&r->plan, sample, (size_t)sample_count, sample_width);
    r->end.stats.match_ns += endpoint_clock_ns() - start;
    r->state = RECEIVE_HASHES;
    return RDC_WAIT;
}

static enum rdc_progress start_segments(struct rdc_receiver *r, enum rdc_way way, unsigned base,
                                        struct buf *out)
{
    r->state = RECEIVE_SEGMENTS;
    if (rdc_build_begin(r->build, way, base, &r->plan) == RDC_BUILD_SINK)
        return fail(r, out, rdc_build_status(r->build),
                    "the receiver could not start the file anew");
    return RDC_WAIT;
}

static enum rdc_progress take_start(struct rdc_receiver *r, struct span frame, struct buf *out)
{
    struct reader body = reader_of(frame);
    uint8_t head = reader_u8(&body);
    uint8_t way = head & (uint8_t)~START_INFLATED;
    uint64_t size = reader_varint(&body);
    uint64_t base = 0;

    if (!reader_ok(&body) || size != r->options->size)
        return malformed(r, out, "the sender's file has another size than that version");
    if (r->dropping == DROP_UNTIL_PLAIN && head == RDC_WAY_PULL && reader_finished(&body)) {
        r->dropping = DROP_NOTHING;
        return start_segments(r, RDC_WAY_PULL, 0, out);
    }
    if (r->dropping != DROP_NOTHING && r->dropping != DROP_UNTIL_OPENED && head != RDC_WAY_WHOLE)
        return malformed(r, out, "the sender answered the wish for the whole with something else");
    r->end.stats.way = way == RDC_WAY_WHOLE ? RDC_WAY_WHOLE : r->end.stats.way;
    r->dropping = DROP_NOTHING;
    if (head & START_INFLATED) {
        enum status st = enter_form(r, &body);

        if (st == ST_AGAIN)
            return open_again(r, out);
        if (st != ST_OK)
            return malformed(r, out, "the sender's inflated form breaks a limit");
    }
    if (way == RDC_WAY_PULL && r->options->seed_count > 0) {
        r->end.stats.way = RDC_WAY_PULL;
        return start_pull(r, &body, out);
    }
    if (way == RDC_WAY_PUSH_BYTES || way == RDC_WAY_PUSH_SIGNATURE) {
        r->end.stats.way = (enum rdc_way)way;
        base = reader_varint(&body);
    } else if (way != RDC_WAY_WHOLE) {
        return malformed(r, out, "the sender chose an unknown way");
    }
    if (!reader_finished(&body) || (way != RDC_WAY_WHOLE && base >= r->options->seed_count))
        return malformed(r, out, "the sender's start frame is malformed");
    return start_segments(r, (enum rdc_way)way, (unsigned)base, out);
}

/* --- pull ------------------------------------------------------------------------------------*/

static enum rdc_progress finish(struct rdc_receiver *r, enum rdc_build_result result,
                                struct buf *out);

/* The questions are over: name slivers with the last one, or wait for the segments. */
static enum rdc_progress settle(struct rdc_receiver *r, struct buf *out)
{
    uint64_t start = endpoint_clock_ns();

    rdc_plan_settle(&r->plan);
    bool naming = rdc_slivers_init(&r->slivers, &r->plan, r->options->seeds);
    r->end.stats.match_ns += endpoint_clock_ns() - start;
    enum rdc_progress progress = start_segments(r, RDC_WAY_PULL, 0, out);
    if (progress == RDC_FAILED || !naming)
        return progress;
    out->data[1] = NEED_LAST_SLIVERS;
    rdc_build_use_slivers(r->build, &r->slivers);
    r->state = RECEIVE_NAMING;
    return RDC_MORE_OUTPUT;
}

static enum rdc_progress send_slivers(struct rdc_receiver *r, struct buf *out)
{
    uint64_t start = endpoint_clock_ns();

    frame_begin(out, FRAME_SLIVERS);
    write_u8(out, 0);
    write_u8(out, (uint8_t)r->slivers.reach);
    write_u8(out, (uint8_t)r->slivers.width);
    bool last = rdc_slivers_write(&r->slivers, r->options->key, out);
    r->end.stats.match_ns += endpoint_clock_ns() - start;
    if (!last)
        return RDC_MORE_OUTPUT;
    out->data[1] = 1;
    r->state = RECEIVE_SEGMENTS;
    return RDC_WAIT;
}

static enum rdc_progress send_needs(struct rdc_receiver *r, struct buf *out)
{
    const struct rdc_plan *plan = &r->plan;
    unsigned width = rdc_plan_width_below(plan, r->options->size);

    frame_begin(out, FRAME_NEED);
    write_u8(out, NEED_MORE);
    write_u8(out, (uint8_t)width);
    while (r->need_at < plan->need_count && out->size + NEED_SIZE_MAX <= FRAME_WORK_SIZE) {
        const struct rdc_need *need = &plan->needs[r->need_at++];

        write_varint(out, need->skip);
        write_varint(out, need->take);
    }
    if (r->need_at < plan->need_count)
        return RDC_MORE_OUTPUT;
    out->data[1] = NEED_LAST;
    r->end.stats.rounds += 1;
    if (plan->level > 0) {
        rdc_plan_descend(&r->plan, width);
        r->state = RECEIVE_HASHES;
        return RDC_WAIT;
    }
    return settle(r, out);
}

static enum rdc_progress ask_for_plain(struct rdc_receiver *r, struct buf *out)
{
    r->end.stats.rounds += 1;
    r->end.stats.repeated = true;
    r->dropping = DROP_UNTIL_PLAIN;
    r->state = RECEIVE_OPENED;
    frame_begin(out, FRAME_PLAIN);
    return RDC_WAIT;
}

static enum rdc_progress ask_for_whole(struct rdc_receiver *r, struct buf *out)
{
    leave_form(r);
    r->end.stats.rounds += 1;
    r->dropping = DROP_UNTIL_WHOLE;
    r->state = RECEIVE_OPENED;
    frame_begin(out, FRAME_WHOLE);
    return RDC_WAIT;
}

static enum rdc_progress take_hashes(struct rdc_receiver *r, struct span frame, struct buf *out)
{
    struct reader body = reader_of(frame);
    uint64_t start = endpoint_clock_ns();
    enum status st = rdc_plan_hashes(&r->plan, &body);

    r->end.stats.match_ns += endpoint_clock_ns() - start;
    if (st != ST_OK)
        return malformed(r, out, "the sender's hashes are malformed");
    if (!rdc_plan_level_complete(&r->plan))
        return RDC_WAIT;
    if (r->sample_unknown && rdc_plan_all_unknown(&r->plan))
        return ask_for_whole(r, out);
    r->need_at = 0;
    r->state = RECEIVE_ASKING;
    if (rdc_plan_needs(&r->plan))
        return send_needs(r, out);
    rdc_plan_settle(&r->plan);
    enum rdc_progress progress = start_segments(r, RDC_WAY_PULL, 0, out);
    return progress == RDC_FAILED ? progress : finish(r, rdc_build_copies(r->build), out);
}

/* --- content ---------------------------------------------------------------------------------*/

static enum rdc_progress succeed(struct rdc_receiver *r, struct buf *out)
{
    frame_begin(out, FRAME_DONE);
    r->state = RECEIVE_ENDED;
    return RDC_DONE;
}

/* The form stands complete. */
static enum rdc_progress pack(struct rdc_receiver *r, struct buf *out)
{
    uint64_t start = endpoint_clock_ns();
    enum status sink_status;
    enum status st = rdc_built_form_pack(&r->form, &r->wanted, &sink_status);

    r->end.stats.unpack_ns += endpoint_clock_ns() - start;
    if (st == ST_OK)
        return succeed(r, out);
    if (sink_status != ST_OK)
        return fail(r, out, sink_status, "the receiver could not write the file");
    return open_again(r, out);
}

/* Nothing more will be built: the result, or another try. */
static enum rdc_progress finish(struct rdc_receiver *r, enum rdc_build_result result,
                                struct buf *out)
{
    note_built(r);
    if (result == RDC_BUILD_OK && rdc_build_proven(r->build))
        return r->form.seed ? pack(r, out) : succeed(r, out);
    if (result == RDC_BUILD_SINK)
        return fail(r, out, rdc_build_status(r->build), "the receiver could not write the file");
    /* a deceiving sliver is of another size, or packs what follows wrongly */
    if (r->end.stats.way == RDC_WAY_PULL && r->slivers.count > 0 && !r->end.stats.repeated)
        return ask_for_plain(r, out);
    /* a seed that is another by now may be shorter unpacked than the sender's base */
    if (r->form.seed)
        return open_again(r, out);
    if (result == RDC_BUILD_MALFORMED)
        return malformed(r, out, "the sender's segment is malformed");
    if (r->end.stats.way == RDC_WAY_WHOLE)
        return malformed(r, out, "the content that came does not have the hash of that version");
    r->end.stats.fell_back = true;
    return ask_for_whole(r, out);
}

static enum rdc_progress build_segment(struct rdc_receiver *r, struct buf *out)
{
    uint64_t start = endpoint_clock_ns();

    r->segment.script = buf_span(&r->script);
    r->segment.literals = buf_span(&r->travelled);
    enum rdc_build_result result = rdc_build_segment(r->build, &r->segment);
    r->end.stats.build_ns += endpoint_clock_ns() - start;
    r->state = RECEIVE_SEGMENTS;
    if (result != RDC_BUILD_OK || r->segment.last)
        return finish(r, result, out);
    return RDC_WAIT;
}

static enum rdc_progress take_piece(struct rdc_receiver *r, struct span piece, struct buf *out)
{
    if (piece.size > r->travel_size - r->travelled.size)
        return malformed(r, out, "the sender's segment is longer than announced");
    buf_append(&r->travelled, piece.data, piece.size);
    if (r->travelled.size == r->travel_size)
        return build_segment(r, out);
    r->state = RECEIVE_PIECES;
    return RDC_WAIT;
}

/* The script of a segment into r->script; false when it is not what its head says. */
static bool take_script(struct rdc_receiver *r, struct reader *body, bool packed, uint64_t size,
                        uint64_t travel_size)
{
    struct span script = reader_bytes(body, (size_t)travel_size);

    buf_clear(&r->script);
    if (!reader_ok(body) || (!packed && size != travel_size))
        return false;
    if (!packed) {
        buf_append(&r->script, script.data, script.size);
        return true;
    }
    uint8_t *place = buf_extend(&r->script, (size_t)size);
    return rdc_unpack(r->unpacker, (struct span){0}, script, place, (size_t)size) == ST_OK;
}

static enum rdc_progress take_segment(struct rdc_receiver *r, struct span frame, struct buf *out)
{
    struct reader body = reader_of(frame);
    uint8_t flags = reader_u8(&body);
    uint64_t literal_size = reader_varint(&body);
    uint64_t travel_size = reader_varint(&body);
    uint64_t script_size = reader_varint(&body);
    uint64_t script_travel_size = reader_varint(&body);

    bool packed = flags & SEGMENT_PACKED;
    bool packed_on = flags & SEGMENT_PACKED_ON;
    uint64_t travel_max = packed_on ? RDC_PACKED_ON_SIZE(literal_size) : literal_size;
    if (!reader_ok(&body) || flags > SEGMENT_FLAGS || (packed && packed_on) ||
        literal_size > RDC_SEGMENT_LITERALS_MAX || script_size > RDC_SEGMENT_SCRIPT_MAX ||
        script_travel_size > script_size || travel_size > travel_max ||
        (!packed && !packed_on && travel_size != literal_size))
        return malformed(r, out, "the sender's segment breaks a limit");
    if (!take_script(r, &body, flags & SEGMENT_SCRIPT_PACKED, script_size, script_travel_size))
        return malformed(r, out, "the sender's script is malformed");
    r->segment.last = flags & SEGMENT_LAST;
    r->segment.packed = packed;
    r->segment.packed_on = packed_on;
    r->segment.literal_size = (size_t)literal_size;
    r->travel_size = (size_t)travel_size;
    buf_clear(&r->travelled);
    return take_piece(r, body.rest, out);
}

static enum rdc_progress step(struct rdc_receiver *r, struct span frame, struct buf *out)
{
    if (r->state == RECEIVE_INITIAL && frame.size == 0)
        return begin(r, out);
    if (r->state == RECEIVE_ASKING && frame.size == 0)
        return send_needs(r, out);
    if (r->state == RECEIVE_NAMING && frame.size == 0)
        return send_slivers(r, out);
    if (frame.size == 0 || frame.size > RDC_FRAME_SIZE_MAX || frame.data[0] >> 4 != FRAME_VERSION)
        return malformed(r, out, "the sender sent a frame of unknown form");
    enum frame_type type = frame.data[0] & 0xf;
    struct span body = span_part(frame, 1, frame.size);
    if (type == FRAME_FAIL) {
        r->state = RECEIVE_ENDED;
        return endpoint_failed_by_peer(&r->end, body);
    }
    if (r->dropping != DROP_NOTHING &&
        (type == FRAME_SEGMENT || type == FRAME_PIECE || type == FRAME_HASHES))
        return RDC_WAIT;
    if (r->state == RECEIVE_OPENED && type == FRAME_START)
        return take_start(r, body, out);
    if (r->state == RECEIVE_HASHES && type == FRAME_HASHES)
        return take_hashes(r, body, out);
    if (r->state == RECEIVE_SEGMENTS && type == FRAME_SEGMENT)
        return take_segment(r, body, out);
    if (r->state == RECEIVE_PIECES && type == FRAME_PIECE)
        return take_piece(r, body, out);
    return malformed(r, out, "the sender sent a frame out of turn");
}

enum rdc_progress rdc_receive_step(struct rdc_receiver *r, struct span frame_in,
                                   struct buf *frame_out)
{
    assert(r->state != RECEIVE_ENDED);
    buf_clear(frame_out);
    r->end.stats.bytes_in += frame_in.size;
    enum rdc_progress progress = step(r, frame_in, frame_out);
    r->end.stats.bytes_out += frame_out->size;
    assert(frame_out->size <= RDC_FRAME_SIZE_MAX);
    return progress;
}
