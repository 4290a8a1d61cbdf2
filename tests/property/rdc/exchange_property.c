/* SPDX-License-Identifier: Apache-2.0 */
/* Every pair of contents, by every way: what comes out is what went in, or nothing does. */
#include "common/rdc/loopback.h"

#include "common/base/scope.h"
#include "common/rdc/match.h"
#include "tests/property/rdc/material.h"
#include "tests/unit/rdc/archive.h"

#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#define TRIALS         60
#define ARCHIVE_TRIALS 24

static const struct rdc_key KEY = {.seed = 11};

struct pair {
    struct buf old_content;
    struct buf new_content;
    struct span old_span;
    struct span new_span;
    struct rdc_hash old_hash;
    struct rdc_hash new_hash;
    struct rdc_content old_bytes;
    struct rdc_signature *old_signature;
    struct rdc_signature *new_signature;
    struct rdc_seed seed;
    struct rdc_base base;
    struct rdc_receiver *receiver;
    struct rdc_sender *sender;
    struct buf result;
    bool sending;  /* the new content has been read, to be sent */
    bool archives; /* both ends have scratches */
    struct archive_disk receivers_disk;
    struct archive_disk senders_disk;
};

static void pair_fini(struct pair *p)
{
    rdc_receive_free(p->receiver);
    rdc_send_free(p->sender);
    assert_int_equal(p->receivers_disk.open_count + p->senders_disk.open_count, 0);
    rdc_signature_free(p->old_signature);
    rdc_signature_free(p->new_signature);
    buf_fini(&p->old_content);
    buf_fini(&p->new_content);
    buf_fini(&p->result);
}

/* --- both ends -------------------------------------------------------------------------------*/

static enum status read_new(void *arg, uint64_t offset, void *out, size_t size)
{
    struct pair *p = arg;

    memcpy(out, p->new_span.data + offset, size);
    p->sending = true;
    return ST_OK;
}

static struct rdc_hash sha256(struct span bytes)
{
    struct rdc_hash hash;

    assert_true(EVP_Digest(bytes.data, bytes.size, hash.bytes, NULL, EVP_sha256(), NULL));
    return hash;
}

/* Both ends of an exchange of @p, ready to go; @way is what the sender has at hand for. */
static void open_ends(struct pair *p, enum rdc_way way)
{
    struct rdc_signature_options signing = {.key = KEY};

    p->old_span = buf_span(&p->old_content);
    p->new_span = buf_span(&p->new_content);
    p->old_hash = sha256(p->old_span);
    p->new_hash = sha256(p->new_span);
    p->old_bytes = rdc_content_of(&p->old_span);
    struct rdc_content new_bytes = {.size = p->new_span.size, .read = read_new, .arg = p};
    assert_int_equal(rdc_signature_of(&p->old_bytes, &signing, &p->old_signature), ST_OK);
    assert_int_equal(rdc_signature_of(&new_bytes, &signing, &p->new_signature), ST_OK);
    bool push = way == RDC_WAY_PUSH_BYTES || way == RDC_WAY_PUSH_SIGNATURE;
    p->seed = (struct rdc_seed){
        .content = p->old_bytes, .signature = p->old_signature, .hash = push ? &p->old_hash : NULL};
    p->base = (struct rdc_base){.hash = p->old_hash,
                                .content = way == RDC_WAY_PUSH_BYTES ? &p->old_bytes : NULL,
                                .signature = p->old_signature};
    struct rdc_receive_options receive_options = {
        .size = p->new_span.size,
        .hash = p->new_hash,
        .seeds = &p->seed,
        .seed_count = way != RDC_WAY_WHOLE,
        .sink = archive_sink(&p->result),
        .key = KEY,
    };
    struct rdc_send_options send_options = {
        .content = new_bytes,
        .signature = p->new_signature,
        .bases = &p->base,
        .base_count = push,
        .key = KEY,
        .pack_level = 1,
    };
    if (p->archives) {
        receive_options.scratches = archive_scratches(&p->receivers_disk);
        send_options.scratches = archive_scratches(&p->senders_disk);
    }
    p->sending = false;
    p->receiver = rdc_receive_new(&receive_options);
    p->sender = rdc_send_new(&send_options);
}

static void fill(struct pair *p, struct random_source *random)
{
    size_t size = (size_t)random_below(random, random_chance(random, 20) ? 3000000 : 200000);

    material_append(&p->old_content, size, random);
    material_edit(&p->new_content, buf_span(&p->old_content), random);
}

/* A gzip file of @text, as some compressor would make it. */
static void pack(struct buf *out, struct span text, struct random_source *random)
{
    struct archive_way way = {.level = 1 + (int)random_below(random, 9)};

    archive_gzip(out, text, way, 0);
}

static void fill_archives(struct pair *p, struct random_source *random)
{
    scope(buf) struct buf old_text = {0};
    scope(buf) struct buf new_text = {0};

    archive_text(&old_text, 100000 + (size_t)random_below(random, 300000), random_next(random));
    material_edit(&new_text, buf_span(&old_text), random);
    pack(&p->old_content, buf_span(&old_text), random);
    pack(&p->new_content, buf_span(&new_text), random);
    p->archives = true;
    p->receivers_disk = ARCHIVE_DISK;
    p->senders_disk = ARCHIVE_DISK;
}

static void every_way_gives_back_the_new_content(void **state)
{
    struct random_source random = random_from(random_seed(__func__));
    (void)state;

    for (unsigned trial = 0; trial < TRIALS; trial++) {
        scope(pair) struct pair p = {0};

        fill(&p, &random);
        open_ends(&p, (enum rdc_way)(RDC_WAY_PUSH_BYTES + trial % 4));
        assert_int_equal(rdc_loopback(p.receiver, p.sender), RDC_DONE);
        assert_true(span_equal(p.new_span, buf_span(&p.result)));
        assert_false(rdc_receive_stats(p.receiver)->fell_back);
    }
}

static void pull_sends_no_more_than_the_chunks_that_no_seed_has(void **state)
{
    struct random_source random = random_from(random_seed(__func__));
    (void)state;

    for (unsigned trial = 0; trial < TRIALS / 2; trial++) {
        scope(pair) struct pair p = {0};
        struct rdc_moves moves = {0};
        uint64_t differing = 0;

        fill(&p, &random);
        material_append(&p.new_content, 10000, &random);
        open_ends(&p, RDC_WAY_PULL);
        assert_int_equal(rdc_loopback(p.receiver, p.sender), RDC_DONE);
        rdc_moves_match(&moves, p.new_signature, p.old_signature);
        rdc_moves_fold_repeats(&moves, p.new_signature, 1);
        uint32_t chunk = 0;
        for (size_t i = 0; i < moves.count; i++) {
            for (uint32_t k = 0; k < moves.items[i].chunk_count; k++, chunk++)
                differing +=
                    moves.items[i].base_first == RDC_LITERAL ? p.new_signature->lengths[chunk] : 0;
        }
        rdc_moves_fini(&moves);
        assert_in_range(rdc_receive_stats(p.receiver)->literal_bytes, 0, differing);
        assert_in_range(rdc_receive_stats(p.receiver)->rounds, 1, 5);
    }
}

static void archives_come_back_bit_for_bit(void **state)
{
    struct random_source random = random_from(random_seed(__func__));
    unsigned unpacked = 0;
    (void)state;

    for (unsigned trial = 0; trial < ARCHIVE_TRIALS; trial++) {
        scope(pair) struct pair p = {0};

        fill_archives(&p, &random);
        open_ends(&p, (enum rdc_way)(RDC_WAY_PUSH_BYTES + trial % 3));
        assert_int_equal(rdc_loopback(p.receiver, p.sender), RDC_DONE);
        assert_true(span_equal(p.new_span, buf_span(&p.result)));
        assert_false(rdc_receive_stats(p.receiver)->fell_back);
        assert_in_range(rdc_receive_stats(p.receiver)->rounds, 1, 5);
        unpacked += rdc_receive_stats(p.receiver)->unpacked;
    }
    /* edits may leave nothing in common */
    assert_in_range(unpacked, ARCHIVE_TRIALS * 3 / 4, ARCHIVE_TRIALS);
}

static void an_archive_that_cannot_be_unpacked_travels_as_it_is(void **state)
{
    struct random_source random = random_from(random_seed(__func__));
    (void)state;

    for (unsigned trial = 0; trial < ARCHIVE_TRIALS; trial++) {
        scope(pair) struct pair p = {0};

        fill_archives(&p, &random);
        p.receivers_disk.opens_left = trial % 3;
        open_ends(&p, (enum rdc_way)(RDC_WAY_PUSH_BYTES + trial % 3));
        assert_int_equal(rdc_loopback(p.receiver, p.sender), RDC_DONE);
        assert_true(span_equal(p.new_span, buf_span(&p.result)));
        assert_false(rdc_receive_stats(p.receiver)->unpacked);
        assert_in_range(rdc_receive_stats(p.receiver)->rounds, 1, 6);
    }
}

/* What the receiver has is another file by now, as well packed. */
static enum status read_changed(void *arg, uint64_t offset, void *out, size_t size)
{
    const struct pair *p = arg;
    uint8_t *bytes = out;

    memcpy(out, p->old_span.data + offset, size);
    for (size_t i = 0; i < size; i++)
        bytes[i] ^= offset + i > p->old_span.size / 2 && p->sending ? 1 : 0;
    return ST_OK;
}

static void an_archive_that_changes_meanwhile_never_gives_a_wrong_file(void **state)
{
    struct random_source random = random_from(random_seed(__func__));
    (void)state;

    for (unsigned trial = 0; trial < ARCHIVE_TRIALS; trial++) {
        scope(pair) struct pair p = {0};

        fill_archives(&p, &random);
        open_ends(&p, (enum rdc_way)(RDC_WAY_PUSH_BYTES + trial % 3));
        p.seed.content.read = read_changed;
        p.seed.content.arg = &p;
        assert_int_equal(rdc_loopback(p.receiver, p.sender), RDC_DONE);
        assert_true(span_equal(p.new_span, buf_span(&p.result)));
    }
}

/* Spoil a frame in one of the ways a broken or hostile peer would. */
static void spoil(struct buf *frame, struct random_source *random)
{
    switch (random_below(random, 4)) {
    case 0:
        frame->data[random_below(random, frame->size)] ^= (uint8_t)(1u << random_below(random, 8));
        break;
    case 1:
        frame->size = (size_t)random_below(random, frame->size + 1);
        break;
    case 2:
        frame->data[random_below(random, frame->size)] = (uint8_t)random_next(random);
        break;
    default:
        for (unsigned i = 0; i < 8; i++)
            frame->data[random_below(random, frame->size)] = 0xff;
        break;
    }
}

/* Give the sender @to_sender and the receiver all that it answers, either perhaps spoilt. What the
 * receiver then says first becomes @to_sender. */
static enum rdc_progress carry_one(struct pair *p, struct buf *to_sender, uint64_t every,
                                   struct random_source *random, enum rdc_progress *s)
{
    scope(buf) struct buf frame = {0};
    scope(buf) struct buf answer = {0};
    enum rdc_progress r = RDC_WAIT;

    if (random_below(random, every) == 0)
        spoil(to_sender, random);
    *s = rdc_send_step(p->sender, buf_span(to_sender), &frame);
    buf_clear(to_sender);
    for (;;) {
        if (frame.size > 0 && random_below(random, every) == 0)
            spoil(&frame, random);
        if (frame.size > 0 && r == RDC_WAIT)
            r = rdc_receive_step(p->receiver, buf_span(&frame), &answer);
        if (answer.size > 0) {
            buf_clear(to_sender);
            buf_append(to_sender, answer.data, answer.size);
            buf_clear(&answer);
        }
        if (*s != RDC_MORE_OUTPUT || r != RDC_WAIT)
            return r;
        *s = rdc_send_step(p->sender, (struct span){0}, &frame);
    }
}

/* As rdc_loopback(), with one frame in @every spoilt; frames one at a time. */
static enum rdc_progress carry_badly(struct pair *p, uint64_t every, struct random_source *random)
{
    scope(buf) struct buf to_sender = {0};
    enum rdc_progress r = rdc_receive_step(p->receiver, (struct span){0}, &to_sender);
    enum rdc_progress s = RDC_WAIT;

    while (r <= RDC_WAIT && to_sender.size > 0 && s == RDC_WAIT) {
        bool more = r == RDC_MORE_OUTPUT;

        r = carry_one(p, &to_sender, every, random, &s);
        if (more && r == RDC_WAIT && to_sender.size == 0)
            r = rdc_receive_step(p->receiver, (struct span){0}, &to_sender);
    }
    return r;
}

static void spoilt_frames_never_give_a_wrong_file(void **state)
{
    struct random_source random = random_from(random_seed(__func__));
    unsigned refused = 0;
    (void)state;

    for (unsigned trial = 0; trial < 4 * TRIALS; trial++) {
        scope(pair) struct pair p = {0};

        if (trial % 8 == 0)
            fill_archives(&p, &random);
        else
            fill(&p, &random);
        open_ends(&p, (enum rdc_way)(RDC_WAY_PUSH_BYTES + trial % 4));
        if (carry_badly(&p, 1 + random_below(&random, 6), &random) == RDC_DONE)
            assert_true(span_equal(p.new_span, buf_span(&p.result)));
        else
            refused += 1;
    }
    assert_true(refused > TRIALS);
}

/* A seed that looks, while slivers are named, as the content does at the same offsets: what differs
 * deceives. */
static enum status read_deceiving(void *arg, uint64_t offset, void *out, size_t size)
{
    const struct pair *p = arg;
    struct span from = p->sending || offset + size > p->new_span.size ? p->old_span : p->new_span;

    memcpy(out, from.data + offset, size);
    return ST_OK;
}

static void slivers_that_deceive_never_give_a_wrong_file(void **state)
{
    struct random_source random = random_from(random_seed(__func__));
    unsigned repeated = 0;
    (void)state;

    for (unsigned trial = 0; trial < TRIALS; trial++) {
        scope(pair) struct pair p = {0};

        fill(&p, &random);
        open_ends(&p, RDC_WAY_PULL);
        p.seed.content.read = read_deceiving;
        p.seed.content.arg = &p;
        assert_int_equal(rdc_loopback(p.receiver, p.sender), RDC_DONE);
        assert_true(span_equal(p.new_span, buf_span(&p.result)));
        assert_false(rdc_receive_stats(p.receiver)->fell_back);
        assert_in_range(rdc_receive_stats(p.receiver)->rounds, 1, 6);
        repeated += rdc_receive_stats(p.receiver)->repeated;
    }
    assert_in_range(repeated, TRIALS / 8, TRIALS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_way_gives_back_the_new_content),
        cmocka_unit_test(pull_sends_no_more_than_the_chunks_that_no_seed_has),
        cmocka_unit_test(slivers_that_deceive_never_give_a_wrong_file),
        cmocka_unit_test(archives_come_back_bit_for_bit),
        cmocka_unit_test(an_archive_that_cannot_be_unpacked_travels_as_it_is),
        cmocka_unit_test(an_archive_that_changes_meanwhile_never_gives_a_wrong_file),
        cmocka_unit_test(spoilt_frames_never_give_a_wrong_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
