/* SPDX-License-Identifier: Apache-2.0 */
#include "common/rdc/loopback.h"

#include "common/base/limits.h"
#include "common/base/scope.h"
#include "common/rdc/frame.h"

#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define MIB (1u << 20)

enum base_kind { NO_BASE, BASE_BYTES, BASE_SIGNATURE };

/* One version travelling to a receiver: the sides, and what came out. */
struct play {
    struct buf content;
    struct buf seeds[RDC_SEED_COUNT_MAX];
    unsigned seed_count;
    struct rdc_hash hashes[RDC_SEED_COUNT_MAX];
    bool seed_hash_known;
    enum base_kind base; /* what the sender has of seed 0 */
    uint64_t sender_key;
    void (*after_opening)(struct play *play);
    int pack_level;
    enum status sink_fails;
    bool sink_copies;

    struct buf result;
    unsigned restarts;
    uint64_t copied_by_sink;
    enum rdc_progress outcome;
    struct rdc_stats stats;
    char reason[RDC_REASON_SIZE_MAX];
    bool failed_by_peer;
};

static struct rdc_hash sha256(const struct buf *bytes)
{
    struct rdc_hash hash;

    assert_true(EVP_Digest(bytes->data, bytes->size, hash.bytes, NULL, EVP_sha256(), NULL));
    return hash;
}

static void noise(struct buf *out, size_t size, uint64_t seed)
{
    uint64_t x = seed * 2 + 1;

    for (size_t i = 0; i < size; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        write_u8(out, (uint8_t)(x >> 24));
    }
}

/* Lines of text that compress. */
static void text(struct buf *out, size_t size, uint64_t seed)
{
    uint64_t x = seed * 2 + 1;
    size_t end = out->size + size;

    while (out->size < end) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        buf_printf(out, "%08x request from client %u took %u ms\n", (unsigned)(x >> 32),
                   (unsigned)(x >> 8 & 0xff), (unsigned)(x & 0xfff));
    }
    out->size = end;
}

static enum status sink_write(void *arg, uint64_t offset, struct span bytes)
{
    struct play *play = arg;

    assert_int_equal(offset, play->result.size);
    if (play->sink_fails)
        return play->sink_fails;
    buf_append(&play->result, bytes.data, bytes.size);
    return ST_OK;
}

static enum status sink_read(void *arg, uint64_t offset, void *out, size_t size)
{
    struct play *play = arg;

    assert_true(offset + size <= play->result.size);
    memcpy(out, play->result.data + offset, size);
    return play->sink_fails;
}

static enum status sink_copy(void *arg, unsigned seed, uint64_t seed_offset, uint64_t offset,
                             uint64_t size)
{
    struct play *play = arg;

    assert_int_equal(offset, play->result.size);
    if (offset % 2 == 1)
        return ST_AGAIN;
    buf_append(&play->result, play->seeds[seed].data + seed_offset, size);
    play->copied_by_sink += size;
    return ST_OK;
}

static enum status sink_restart(void *arg)
{
    struct play *play = arg;

    buf_clear(&play->result);
    play->restarts += 1;
    return ST_OK;
}

static struct rdc_content content_of(struct buf *bytes, struct span *out_span)
{
    *out_span = buf_span(bytes);
    return rdc_content_of(out_span);
}

static void run(struct play *play)
{
    struct span spans[RDC_SEED_COUNT_MAX + 2];
    struct rdc_seed seeds[RDC_SEED_COUNT_MAX];
    struct rdc_key key = {.seed = 7};
    struct rdc_key sender_key = {.seed = play->sender_key ? play->sender_key : 7};
    struct rdc_signature *signature = NULL;
    struct rdc_content base_content;
    struct rdc_base base = {0};

    for (unsigned i = 0; i < play->seed_count; i++) {
        play->hashes[i] = sha256(&play->seeds[i]);
        seeds[i] = (struct rdc_seed){
            .content = content_of(&play->seeds[i], &spans[i]),
            .hash = play->seed_hash_known ? &play->hashes[i] : NULL,
        };
    }
    struct buf base_copy = {0};
    buf_append(&base_copy, play->seeds[0].data, play->seeds[0].size);
    base_content = content_of(&base_copy, &spans[RDC_SEED_COUNT_MAX]);
    if (play->base != NO_BASE) {
        base.hash = play->hashes[0];
        if (play->base == BASE_BYTES) {
            base.content = &base_content;
        } else {
            struct rdc_signature_options options = {.key = key};
            assert_int_equal(rdc_signature_of(&base_content, &options, &signature), ST_OK);
            base.signature = signature;
        }
    }
    struct rdc_receive_options receive_options = {
        .size = play->content.size,
        .hash = sha256(&play->content),
        .seeds = seeds,
        .seed_count = play->seed_count,
        .sink = {.write = sink_write,
                 .read = sink_read,
                 .copy = play->sink_copies ? sink_copy : NULL,
                 .restart = sink_restart,
                 .arg = play},
        .key = key,
    };
    struct rdc_send_options send_options = {
        .content = content_of(&play->content, &spans[RDC_SEED_COUNT_MAX + 1]),
        .bases = &base,
        .base_count = play->base != NO_BASE,
        .key = sender_key,
        .pack_level = play->pack_level,
    };
    struct rdc_receiver *receiver = rdc_receive_new(&receive_options);
    struct rdc_sender *sender = rdc_send_new(&send_options);
    if (play->after_opening)
        play->after_opening(play);
    play->outcome = rdc_loopback(receiver, sender);
    play->stats = *rdc_receive_stats(receiver);
    struct rdc_failure failure = rdc_receive_failure(receiver);
    snprintf(play->reason, sizeof(play->reason), "%s", failure.reason);
    play->failed_by_peer = failure.by_peer;
    rdc_receive_free(receiver);
    rdc_send_free(sender);
    rdc_signature_free(signature);
    buf_fini(&base_copy);
}

static void play_fini(struct play *play)
{
    buf_fini(&play->content);
    for (unsigned i = 0; i < RDC_SEED_COUNT_MAX; i++)
        buf_fini(&play->seeds[i]);
    buf_fini(&play->result);
}

static void assert_arrived(const struct play *play, enum rdc_way way)
{
    if (play->outcome != RDC_DONE)
        fail_msg("the exchange failed: %s", play->reason);
    assert_string_equal(rdc_way_name(play->stats.way), rdc_way_name(way));
    assert_true(span_equal(buf_span(&play->content), buf_span(&play->result)));
}

/* A seed of @size bytes and a content that differs from it in a few places. */
static void few_edits(struct play *play, size_t size)
{
    text(&play->seeds[0], size, 1);
    play->seed_count = 1;
    buf_append(&play->content, play->seeds[0].data, size / 3);
    text(&play->content, 100, 2);
    buf_append(&play->content, play->seeds[0].data + size / 3, size / 3);
    buf_append(&play->content, play->seeds[0].data + size / 3 * 2 + 50, size / 3 - 50);
    noise(&play->content, 500, 3);
}

static void content_without_seeds_travels_whole_and_packed(void **state)
{
    scope(play) struct play play = {0};
    (void)state;
    text(&play.content, 5 * MIB + 123, 1);

    run(&play);

    assert_arrived(&play, RDC_WAY_WHOLE);
    assert_in_range(play.stats.bytes_in, 1, 2 * MIB);
    assert_int_equal(play.stats.rounds, 1);
}

static void empty_and_tiny_contents_arrive(void **state)
{
    (void)state;

    for (size_t size = 0; size < 40; size += 13) {
        scope(play) struct play play = {.seed_count = 1};
        noise(&play.content, size, 1);
        noise(&play.seeds[0], 10, 2);
        run(&play);
        assert_arrived(&play, RDC_WAY_WHOLE);
    }
}

static void noise_travels_unpacked_at_its_own_size(void **state)
{
    scope(play) struct play play = {0};
    (void)state;
    noise(&play.content, 3 * MIB, 1);

    run(&play);

    assert_arrived(&play, RDC_WAY_WHOLE);
    assert_in_range(play.stats.bytes_in, 3 * MIB, 3 * MIB + 1000);
}

static void noise_that_repeats_is_packed(void **state)
{
    scope(play) struct play play = {0};
    (void)state;
    while (play.content.size < 8 * MIB)
        noise(&play.content, 1000, 1);

    run(&play);

    assert_arrived(&play, RDC_WAY_WHOLE);
    assert_in_range(play.stats.bytes_in, 1, 20000);
}

static void text_among_noise_is_packed_against_text_before(void **state)
{
    scope(play) struct play play = {0};
    (void)state;
    text(&play.content, 2 * MIB, 1);
    noise(&play.content, 2 * MIB, 2);
    text(&play.content, 2 * MIB, 1);

    run(&play);

    assert_arrived(&play, RDC_WAY_WHOLE);
    assert_in_range(play.stats.bytes_in, 2 * MIB, 3 * MIB);
}

/* What people write: pieces of what stands before, put together anew. */
static void prose(struct buf *out, size_t size)
{
    size_t end = out->size + size;
    uint64_t x = 7;

    noise(out, 2000, 1);
    while (out->size < end) {
        uint8_t piece[16];

        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        memcpy(piece, out->data + (x >> 8) % (out->size - sizeof(piece)), sizeof(piece));
        buf_append(out, piece, 4 + (size_t)(x >> 61));
    }
}

static void what_packs_much_better_with_more_work_gets_it(void **state)
{
    (void)state;

    scope(play) struct play tried = {0};
    prose(&tried.content, 4 * MIB);
    run(&tried);
    scope(play) struct play usual = {.pack_level = 3};
    prose(&usual.content, 4 * MIB);
    run(&usual);

    assert_arrived(&tried, RDC_WAY_WHOLE);
    assert_arrived(&usual, RDC_WAY_WHOLE);
    assert_in_range(tried.stats.bytes_in, 1, usual.stats.bytes_in * 95 / 100);
}

static void what_does_not_is_packed_as_usual(void **state)
{
    (void)state;

    scope(play) struct play tried = {0};
    text(&tried.content, 4 * MIB, 1);
    run(&tried);
    scope(play) struct play usual = {.pack_level = 3};
    text(&usual.content, 4 * MIB, 1);
    run(&usual);

    assert_arrived(&tried, RDC_WAY_WHOLE);
    assert_int_equal(tried.stats.bytes_in, usual.stats.bytes_in);
}

static void zeros_need_no_more_hashes_for_being_many(void **state)
{
    scope(play) struct play play = {.seed_count = 1};
    (void)state;
    memset(buf_extend(&play.seeds[0], 16 * MIB), 0, 16 * MIB);
    memset(buf_extend(&play.content, 24 * MIB), 0, 24 * MIB);

    run(&play);

    assert_arrived(&play, RDC_WAY_PULL);
    assert_in_range(play.stats.bytes_in, 1, 200);
}

static void unknown_base_is_pulled_through_the_tree(void **state)
{
    scope(play) struct play play = {0};
    (void)state;
    few_edits(&play, 3 * MIB);

    run(&play);

    assert_arrived(&play, RDC_WAY_PULL);
    assert_in_range(play.stats.bytes_in, 500, 20000);
    assert_in_range(play.stats.rounds, 2, 5);
}

static void seed_of_no_use_costs_no_more_than_no_seed(void **state)
{
    scope(play) struct play alone = {0};
    scope(play) struct play play = {.seed_count = 1};
    (void)state;
    text(&alone.content, 8 * MIB, 1);
    text(&play.content, 8 * MIB, 1);
    text(&play.seeds[0], 8 * MIB, 2);

    run(&alone);
    run(&play);

    assert_arrived(&alone, RDC_WAY_WHOLE);
    assert_arrived(&play, RDC_WAY_WHOLE);
    assert_false(play.stats.fell_back);
    assert_in_range(play.stats.rounds, 2, 3);
    assert_in_range(play.stats.bytes_in, 1, alone.stats.bytes_in + alone.stats.bytes_in / 100);
}

static void edits_in_every_group_of_chunks_are_still_pulled(void **state)
{
    scope(play) struct play play = {.seed_count = 1};
    (void)state;
    text(&play.content, 8 * MIB, 1);
    buf_append(&play.seeds[0], play.content.data, play.content.size);
    for (size_t i = 0; i < play.seeds[0].size; i += 6000)
        play.seeds[0].data[i] ^= 1;

    run(&play);

    assert_arrived(&play, RDC_WAY_PULL);
    assert_in_range(play.stats.literal_bytes, 1, 3 * MIB);
}

static void several_seeds_serve_one_content(void **state)
{
    scope(play) struct play play = {.seed_count = 3};
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        noise(&play.seeds[i], MIB, i + 1);
        buf_append(&play.content, play.seeds[i].data + MIB / 4, MIB / 2);
    }

    run(&play);

    assert_arrived(&play, RDC_WAY_PULL);
    assert_in_range(play.stats.copied_bytes, MIB, 3 * MIB / 2);
    assert_in_range(play.stats.bytes_in, 1, 80000);
}

static void rearranged_blocks_are_copied_not_sent(void **state)
{
    scope(play) struct play play = {.seed_count = 1};
    (void)state;
    noise(&play.seeds[0], 4 * MIB, 1);
    for (unsigned i = 0; i < 8; i++)
        buf_append(&play.content, play.seeds[0].data + (i * 5 % 8) * (MIB / 2), MIB / 2);

    run(&play);

    assert_arrived(&play, RDC_WAY_PULL);
    assert_in_range(play.stats.literal_bytes, 1, 60000);
}

/* What is new in the content stands in it again, far behind and as a run that meets itself. */
/* Runs that end in a repeat, so many that segments end for the number of their steps. */
static void repeats_end_runs_and_segments(void **state)
{
    struct play play = {.seed_count = 1};
    scope(buf) struct buf again = {0};
    scope(buf) struct buf known = {0};
    (void)state;
    noise(&again, 2000, 1);
    noise(&known, 3000, 2);
    for (uint64_t i = 0; i < 1600; i++) {
        text(&play.seeds[0], 500, 10000 + i);
        buf_append(&play.seeds[0], known.data, known.size);
        text(&play.content, 200, 20000 + i);
        buf_append(&play.content, again.data, again.size);
        buf_append(&play.content, known.data, known.size);
    }

    run(&play);

    assert_arrived(&play, RDC_WAY_PULL);
    assert_false(play.stats.fell_back);
    assert_int_equal(play.restarts, 0);
    play_fini(&play);
}

static void new_and_again(struct play *play)
{
    noise(&play->seeds[0], 2 * MIB, 1);
    play->seed_count = 1;
    noise(&play->content, 6 * MIB, 2);
    buf_append(&play->content, play->seeds[0].data, play->seeds[0].size);
    for (unsigned i = 0; i < 3; i++) {
        scope(buf) struct buf again = {0};

        buf_append(&again, play->content.data, 6 * MIB);
        buf_append(&play->content, again.data, again.size);
    }
    noise(&play->content, 1000, 3);
}

/* @hash_bytes: that a pull takes at most. */
static void assert_sent_once(const struct play *play, size_t hash_bytes)
{
    assert_in_range(play->stats.literal_bytes, 6 * MIB, 6 * MIB + 20000);
    assert_in_range(play->stats.bytes_in, 6 * MIB, 6 * MIB + 20000 + hash_bytes);
    assert_false(play->stats.fell_back);
}

static void what_is_new_twice_is_pulled_once(void **state)
{
    scope(play) struct play play = {0};
    (void)state;
    new_and_again(&play);

    run(&play);

    assert_arrived(&play, RDC_WAY_PULL);
    assert_sent_once(&play, 26 * MIB / 100);
}

static void what_is_new_twice_is_pushed_once(void **state)
{
    scope(play) struct play play = {.base = BASE_BYTES, .seed_hash_known = true};
    (void)state;
    new_and_again(&play);

    run(&play);

    assert_arrived(&play, RDC_WAY_PUSH_BYTES);
    assert_sent_once(&play, 0);
}

static void what_is_new_twice_is_pushed_once_against_a_signature(void **state)
{
    scope(play) struct play play = {.base = BASE_SIGNATURE, .seed_hash_known = true};
    (void)state;
    new_and_again(&play);

    run(&play);

    assert_arrived(&play, RDC_WAY_PUSH_SIGNATURE);
    assert_sent_once(&play, 0);
}

static void sender_with_base_bytes_pushes_in_one_round(void **state)
{
    scope(play) struct play play = {.base = BASE_BYTES, .seed_hash_known = true};
    (void)state;
    few_edits(&play, 3 * MIB);

    run(&play);

    assert_arrived(&play, RDC_WAY_PUSH_BYTES);
    assert_int_equal(play.stats.rounds, 1);
    assert_in_range(play.stats.bytes_in, 500, 1500);
}

static void base_that_serves_in_parts_costs_nothing_elsewhere(void **state)
{
    scope(play) struct play alone = {0};
    scope(play) struct play play = {.base = BASE_BYTES, .seed_hash_known = true, .seed_count = 1};
    (void)state;
    text(&alone.content, 12 * MIB, 2);
    text(&play.seeds[0], 32 * MIB, 1);
    buf_append(&play.content, alone.content.data, alone.content.size);
    buf_append(&play.content, play.seeds[0].data + 12 * MIB, 20 * MIB);
    for (size_t i = 12 * MIB; i < play.content.size; i += 300)
        play.content.data[i] ^= 1;

    run(&alone);
    run(&play);

    assert_arrived(&play, RDC_WAY_PUSH_BYTES);
    assert_in_range(play.stats.bytes_in, 1, alone.stats.bytes_in * 3 / 2);
}

static void content_much_longer_than_its_base_is_pushed(void **state)
{
    scope(play) struct play play = {.base = BASE_BYTES, .seed_hash_known = true, .seed_count = 1};
    (void)state;
    noise(&play.seeds[0], MIB, 1);
    noise(&play.content, 7 * MIB, 2);

    run(&play);

    assert_arrived(&play, RDC_WAY_PUSH_BYTES);
}

static void sender_with_base_signature_pushes_in_one_round(void **state)
{
    scope(play) struct play play = {.base = BASE_SIGNATURE, .seed_hash_known = true};
    (void)state;
    few_edits(&play, 3 * MIB);

    run(&play);

    assert_arrived(&play, RDC_WAY_PUSH_SIGNATURE);
    assert_int_equal(play.stats.rounds, 1);
    assert_in_range(play.stats.bytes_in, 500, 5000);
}

static void seed_that_is_the_content_needs_no_sender(void **state)
{
    scope(play) struct play play = {.seed_hash_known = true, .seed_count = 2, .sink_copies = true};
    (void)state;
    noise(&play.seeds[0], MIB, 1);
    noise(&play.seeds[1], MIB, 2);
    buf_append(&play.content, play.seeds[1].data, MIB);

    run(&play);

    assert_arrived(&play, RDC_WAY_LOCAL);
    assert_int_equal(play.stats.bytes_out, 0);
    assert_int_equal(play.copied_by_sink, MIB);
}

static void sink_may_refuse_single_copies(void **state)
{
    scope(play) struct play play = {.sink_copies = true};
    (void)state;
    few_edits(&play, MIB);

    run(&play);

    assert_arrived(&play, RDC_WAY_PULL);
}

static void spoil_seed(struct play *play)
{
    for (size_t i = 0; i < play->seeds[0].size; i += 5000)
        play->seeds[0].data[i] ^= 1;
}

static void changed_seed_ends_in_a_whole_transfer(void **state)
{
    (void)state;

    for (enum base_kind base = BASE_BYTES; base <= BASE_SIGNATURE; base++) {
        scope(play) struct play play = {
            .base = base, .seed_hash_known = true, .after_opening = spoil_seed};
        few_edits(&play, 3 * MIB);
        run(&play);
        assert_arrived(&play, RDC_WAY_WHOLE);
        assert_true(play.stats.fell_back);
        assert_int_equal(play.stats.rounds, 2);
    }
}

static void spoil_content(struct play *play)
{
    play->content.data[play->content.size / 2] ^= 1;
}

static void changed_content_never_becomes_a_file(void **state)
{
    (void)state;

    for (unsigned seeds = 0; seeds <= 1; seeds++) {
        scope(play) struct play play = {.after_opening = spoil_content};
        few_edits(&play, MIB);
        play.seed_count = seeds;
        run(&play);
        assert_int_equal(play.outcome, RDC_FAILED);
        assert_non_null(strstr(play.reason, "hash of that version"));
    }
}

static void different_group_keys_are_noticed(void **state)
{
    scope(play) struct play play = {.sender_key = 8};
    (void)state;
    few_edits(&play, MIB);

    run(&play);

    assert_int_equal(play.outcome, RDC_FAILED);
    assert_true(play.failed_by_peer);
    assert_non_null(strstr(play.reason, "group keys"));
}

static void full_sink_ends_the_exchange(void **state)
{
    scope(play) struct play play = {.sink_fails = ST_FULL};
    (void)state;
    few_edits(&play, MIB);

    run(&play);

    assert_int_equal(play.outcome, RDC_FAILED);
    assert_non_null(strstr(play.reason, "could not write"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(content_without_seeds_travels_whole_and_packed),
        cmocka_unit_test(empty_and_tiny_contents_arrive),
        cmocka_unit_test(noise_travels_unpacked_at_its_own_size),
        cmocka_unit_test(noise_that_repeats_is_packed),
        cmocka_unit_test(text_among_noise_is_packed_against_text_before),
        cmocka_unit_test(what_packs_much_better_with_more_work_gets_it),
        cmocka_unit_test(what_does_not_is_packed_as_usual),
        cmocka_unit_test(zeros_need_no_more_hashes_for_being_many),
        cmocka_unit_test(unknown_base_is_pulled_through_the_tree),
        cmocka_unit_test(seed_of_no_use_costs_no_more_than_no_seed),
        cmocka_unit_test(edits_in_every_group_of_chunks_are_still_pulled),
        cmocka_unit_test(several_seeds_serve_one_content),
        cmocka_unit_test(rearranged_blocks_are_copied_not_sent),
        cmocka_unit_test(repeats_end_runs_and_segments),
        cmocka_unit_test(what_is_new_twice_is_pulled_once),
        cmocka_unit_test(what_is_new_twice_is_pushed_once),
        cmocka_unit_test(what_is_new_twice_is_pushed_once_against_a_signature),
        cmocka_unit_test(sender_with_base_bytes_pushes_in_one_round),
        cmocka_unit_test(base_that_serves_in_parts_costs_nothing_elsewhere),
        cmocka_unit_test(content_much_longer_than_its_base_is_pushed),
        cmocka_unit_test(sender_with_base_signature_pushes_in_one_round),
        cmocka_unit_test(seed_that_is_the_content_needs_no_sender),
        cmocka_unit_test(sink_may_refuse_single_copies),
        cmocka_unit_test(changed_seed_ends_in_a_whole_transfer),
        cmocka_unit_test(changed_content_never_becomes_a_file),
        cmocka_unit_test(different_group_keys_are_noticed),
        cmocka_unit_test(full_sink_ends_the_exchange),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
