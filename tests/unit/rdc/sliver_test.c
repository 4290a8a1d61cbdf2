/* SPDX-License-Identifier: Apache-2.0 */
#include "common/rdc/sliver.h"

#include "common/base/scope.h"
#include "common/rdc/frame.h"
#include "common/rdc/loopback.h"
#include "common/rdc/sliver_find.h"

#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#define REACH        48u
#define WIDTH        30u
#define CUT_SIZE     20000u
#define CONTENT_SIZE 300000u
#define EDIT_COUNT   10u
#define EDIT_SIZE    20u

static const struct rdc_key KEY = {.seed = 5};

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

/* --- cutting ---------------------------------------------------------------------------------*/

static uint64_t hash_at(struct span bytes, size_t at)
{
    struct reader r = reader_of(span_part(bytes, at, 8));

    return reader_u64(&r) * UINT64_C(0x9e3779b185ebca87) >> 8;
}

/* The rule of sliver.h, word for word. */
static bool begins_sliver(struct span bytes, size_t at, unsigned reach)
{
    uint64_t hash = hash_at(bytes, at);

    if (at < reach / 2 || at + 8 > bytes.size)
        return false;
    for (size_t i = at > reach ? at - reach : 0; i < at; i++) {
        if (hash_at(bytes, i) >= hash)
            return false;
    }
    for (size_t i = at + 1; i <= at + reach && i + 8 <= bytes.size; i++) {
        if (hash_at(bytes, i) > hash)
            return false;
    }
    return true;
}

static void assert_cut_by_the_rule(struct span bytes, unsigned reach)
{
    uint32_t starts[RDC_SLIVER_COUNT(CUT_SIZE, RDC_SLIVER_REACH_MIN)];
    uint32_t count = rdc_sliver_cut(bytes, reach, starts);
    uint32_t next = 1;

    assert_in_range(count, 1, RDC_SLIVER_COUNT(bytes.size, reach));
    assert_int_equal(starts[0], 0);
    for (uint32_t at = 1; at < bytes.size; at++) {
        bool begins =
            begins_sliver(bytes, at, reach) || at - starts[next - 1] == reach * RDC_SLIVER_REACHES;

        if (begins) {
            assert_true(next < count);
            assert_int_equal(starts[next], at);
            next += 1;
        }
    }
    assert_int_equal(next, count);
}

static void slivers_begin_where_the_hash_is_greatest(void **state)
{
    scope(buf) struct buf bytes = {0};
    (void)state;
    noise(&bytes, CUT_SIZE / 2, 1);
    for (uint32_t i = 0; i < CUT_SIZE / 4; i++)
        write_u8(&bytes, bytes.data[i] % 2); /* hashes tie often */
    memset(buf_extend(&bytes, CUT_SIZE / 4), 'a', CUT_SIZE / 4);

    for (unsigned reach = RDC_SLIVER_REACH_MIN; reach <= RDC_SLIVER_REACH_MAX; reach += 19) {
        for (size_t size = 1; size <= CUT_SIZE; size += size < 300 ? 1 : 3119)
            assert_cut_by_the_rule(span_part(buf_span(&bytes), bytes.size - size, size), reach);
        assert_cut_by_the_rule(buf_span(&bytes), reach);
    }
    assert_int_equal(rdc_sliver_cut((struct span){0}, REACH, NULL), 0);
}

static void names_are_read_as_they_were_written(void **state)
{
    uint64_t names[7];
    (void)state;

    for (unsigned width = 1; width <= RDC_SLIVER_WIDTH_MAX; width++) {
        scope(buf) struct buf bytes = {0};
        uint64_t read[7];

        for (unsigned i = 0; i < 7; i++)
            names[i] = UINT64_C(0x9e3779b97f4a7c15) * (i + 1) * width;
        write_names(&bytes, names, 7, width);
        struct reader r = reader_of(buf_span(&bytes));
        reader_names(&r, read, 7, width);

        assert_int_equal(bytes.size, (7 * width + 7) / 8);
        assert_true(reader_finished(&r));
        for (unsigned i = 0; i < 7; i++)
            assert_int_equal(read[i], names[i] & ((UINT64_C(1) << width) - 1));
    }
}

/* --- finding ---------------------------------------------------------------------------------*/

/* Append a gap as it travels; its slivers begin at @starts. Returns how many there are. */
static uint32_t write_gap(struct buf *out, struct span gap, uint32_t *starts)
{
    uint64_t names[RDC_SLIVER_COUNT(CUT_SIZE, REACH)];
    struct rdc_secret secret;
    uint32_t count = rdc_sliver_cut(gap, REACH, starts);

    rdc_secret_init(&secret, KEY.seed);
    starts[count] = (uint32_t)gap.size;
    for (uint32_t i = 0; i < count; i++)
        names[i] =
            rdc_kernel_best()->identity(gap.data + starts[i], starts[i + 1] - starts[i], &secret);
    write_varint(out, count);
    write_names(out, names, count, WIDTH);
    return count;
}

static void begin_frame(struct buf *out, uint8_t last, uint8_t reach, uint8_t width)
{
    write_u8(out, last);
    write_u8(out, reach);
    write_u8(out, width);
}

static void insertion_is_found_between_slivers(void **state)
{
    struct rdc_sliver_find finds[RDC_SLIVER_COUNT(RDC_FIND_SIZE_MAX, REACH)];
    uint32_t starts[RDC_SLIVER_COUNT(CUT_SIZE, REACH) + 1];
    scope(buf) struct buf gap = {0};
    scope(buf) struct buf run = {0};
    scope(buf) struct buf body = {0};
    struct rdc_names names = {0};
    bool last;
    (void)state;
    noise(&gap, 3000, 1);
    begin_frame(&body, 1, REACH, WIDTH);
    write_varint(&body, 0); /* the first run has no gap */
    uint32_t count = write_gap(&body, buf_span(&gap), starts);
    buf_append(&run, gap.data, 1400);
    noise(&run, 50, 2);
    buf_append(&run, gap.data + 1400, 1600);

    assert_true(rdc_names_take(&names, buf_span(&body), 2, &last));
    struct rdc_finder *finder = rdc_finder_new(&names, KEY);
    rdc_finder_next_run(finder);
    assert_int_equal(rdc_finder_look(finder, buf_span(&run), finds), 0);
    rdc_finder_next_run(finder);
    uint32_t found = rdc_finder_look(finder, buf_span(&run), finds);

    assert_true(last);
    assert_int_equal(found, 2);
    assert_int_equal(finds[0].at, 0);
    assert_int_equal(finds[0].first, 0);
    assert_int_equal(finds[0].size, starts[finds[0].count]);
    assert_in_range(finds[0].size, 1400 - 6 * REACH, 1400);
    assert_int_equal(finds[1].at, starts[finds[1].first] + 50);
    assert_int_equal(finds[1].first + finds[1].count, count);
    assert_int_equal(finds[1].at + finds[1].size, run.size);
    /* beyond the last run that has a gap */
    rdc_finder_next_run(finder);
    assert_int_equal(rdc_finder_look(finder, buf_span(&run), finds), 0);
    rdc_finder_free(finder);
    rdc_names_fini(&names);
}

/* Every sliver is the same one: none stands behind the one before. */
static void equal_slivers_are_found_one_by_one(void **state)
{
    struct rdc_sliver_find finds[RDC_SLIVER_COUNT(RDC_FIND_SIZE_MAX, REACH)];
    uint32_t starts[RDC_SLIVER_COUNT(CUT_SIZE, REACH) + 1];
    scope(buf) struct buf gap = {0};
    scope(buf) struct buf run = {0};
    scope(buf) struct buf body = {0};
    struct rdc_names names = {0};
    bool last;
    (void)state;
    /* periods of the least length that is cut */
    noise(&gap, REACH + 1, 1);
    while (run.size + gap.size <= RDC_FIND_SIZE_MAX)
        buf_append(&run, gap.data, gap.size);
    begin_frame(&body, 1, REACH, WIDTH);
    (void)write_gap(&body, span_part(buf_span(&run), 0, (REACH + 1) * 3), starts);

    assert_true(rdc_names_take(&names, buf_span(&body), 1, &last));
    struct rdc_finder *finder = rdc_finder_new(&names, KEY);
    rdc_finder_next_run(finder);
    uint32_t found = rdc_finder_look(finder, buf_span(&run), finds);

    assert_in_range(found, run.size / (REACH + 1) - 8, rdc_find_count_max(&names));
    for (uint32_t i = 1; i < found; i++)
        assert_true(finds[i].at >= finds[i - 1].at + finds[i - 1].size);
    rdc_finder_free(finder);
    rdc_names_fini(&names);
}

static bool takes(const struct buf *body, uint64_t run_count)
{
    struct rdc_names names = {0};
    bool last;
    bool taken = rdc_names_take(&names, buf_span(body), run_count, &last);

    rdc_names_fini(&names);
    return taken;
}

static void names_that_break_a_limit_are_refused(void **state)
{
    uint32_t starts[RDC_SLIVER_COUNT(CUT_SIZE, REACH) + 1];
    static const uint8_t heads[][3] = {
        {2, REACH, WIDTH},
        {1, RDC_SLIVER_REACH_MIN - 1, WIDTH},
        {1, RDC_SLIVER_REACH_MAX + 1, WIDTH},
        {1, REACH, 0},
        {1, REACH, RDC_SLIVER_WIDTH_MAX + 1},
    };
    scope(buf) struct buf body = {0};
    scope(buf) struct buf gap = {0};
    (void)state;
    noise(&gap, 3000, 1);

    for (unsigned i = 0; i < sizeof(heads) / sizeof(*heads); i++) {
        buf_clear(&body);
        begin_frame(&body, heads[i][0], heads[i][1], heads[i][2]);
        assert_false(takes(&body, 1));
    }
    buf_clear(&body);
    begin_frame(&body, 1, REACH, WIDTH);
    assert_true(takes(&body, 0));
    (void)write_gap(&body, buf_span(&gap), starts);
    assert_true(takes(&body, 1));
    assert_false(takes(&body, 0));
    body.size -= 1;
    assert_false(takes(&body, 1));
    buf_clear(&body);
    begin_frame(&body, 1, REACH, WIDTH);
    write_varint(&body, UINT64_MAX);
    assert_false(takes(&body, 1));
}

static void frames_of_one_exchange_agree_and_stay_within_the_limit(void **state)
{
    uint32_t starts[RDC_SLIVER_COUNT(CUT_SIZE, REACH) + 1];
    struct rdc_names names = {0};
    scope(buf) struct buf body = {0};
    scope(buf) struct buf gap = {0};
    uint64_t taken = 0;
    bool last;
    (void)state;
    noise(&gap, CUT_SIZE, 1);
    begin_frame(&body, 0, REACH, WIDTH);
    (void)write_gap(&body, buf_span(&gap), starts);

    for (; rdc_names_take(&names, buf_span(&body), UINT64_MAX, &last); taken++)
        assert_false(last);
    assert_in_range(taken, RDC_SLIVERS_BYTES_MAX / body.size - 1,
                    RDC_SLIVERS_BYTES_MAX / (body.size - 3));
    rdc_names_fini(&names);
    assert_true(rdc_names_take(&names, buf_span(&body), UINT64_MAX, &last));
    body.data[2] -= 1;
    assert_false(rdc_names_take(&names, buf_span(&body), UINT64_MAX, &last));
    rdc_names_fini(&names);
}

/* --- in an exchange --------------------------------------------------------------------------*/

/* A seed whose edited places look as the content does, while slivers are named. */
struct play {
    struct buf old_bytes;
    struct buf new_bytes;
    bool deceives;
    struct buf result;
    unsigned restarts;
};

static void play_fini(struct play *play)
{
    buf_fini(&play->old_bytes);
    buf_fini(&play->new_bytes);
    buf_fini(&play->result);
}

static enum status read_old(void *arg, uint64_t offset, void *out, size_t size)
{
    const struct play *play = arg;
    const struct buf *from = play->deceives ? &play->new_bytes : &play->old_bytes;

    memcpy(out, from->data + offset, size);
    return ST_OK;
}

static enum status read_new(void *arg, uint64_t offset, void *out, size_t size)
{
    struct play *play = arg;

    play->deceives = false;
    memcpy(out, play->new_bytes.data + offset, size);
    return ST_OK;
}

static enum status write_result(void *arg, uint64_t offset, struct span bytes)
{
    struct play *play = arg;

    assert_int_equal(offset, play->result.size);
    buf_append(&play->result, bytes.data, bytes.size);
    return ST_OK;
}

static enum status read_result(void *arg, uint64_t offset, void *out, size_t size)
{
    const struct play *play = arg;

    memcpy(out, play->result.data + offset, size);
    return ST_OK;
}

static enum status restart_result(void *arg)
{
    struct play *play = arg;

    buf_clear(&play->result);
    play->restarts += 1;
    return ST_OK;
}

static struct rdc_signature *sign(const struct buf *bytes)
{
    struct rdc_signature_options options = {.key = KEY};
    struct span span = buf_span(bytes);
    struct rdc_content content = rdc_content_of(&span);
    struct rdc_signature *signature;

    assert_int_equal(rdc_signature_of(&content, &options, &signature), ST_OK);
    return signature;
}

/* Pull the new bytes with the old ones for a seed; what the receiver says of it. */
static struct rdc_stats pull(struct play *play)
{
    struct rdc_signature *old_signature = sign(&play->old_bytes);
    struct rdc_signature *new_signature = sign(&play->new_bytes);
    struct rdc_seed seed = {
        .content = {.size = play->old_bytes.size, .read = read_old, .arg = play},
        .signature = old_signature,
    };
    struct rdc_receive_options receive_options = {
        .size = play->new_bytes.size,
        .seeds = &seed,
        .seed_count = 1,
        .sink = {.write = write_result,
                 .read = read_result,
                 .restart = restart_result,
                 .arg = play},
        .key = KEY,
    };
    struct rdc_send_options send_options = {
        .content = {.size = play->new_bytes.size, .read = read_new, .arg = play},
        .signature = new_signature,
        .key = KEY,
    };

    assert_true(EVP_Digest(play->new_bytes.data, play->new_bytes.size, receive_options.hash.bytes,
                           NULL, EVP_sha256(), NULL));
    struct rdc_receiver *receiver = rdc_receive_new(&receive_options);
    struct rdc_sender *sender = rdc_send_new(&send_options);
    assert_int_equal(rdc_loopback(receiver, sender), RDC_DONE);
    struct rdc_stats stats = *rdc_receive_stats(receiver);
    rdc_receive_free(receiver);
    rdc_send_free(sender);
    rdc_signature_free(old_signature);
    rdc_signature_free(new_signature);
    assert_int_equal(stats.way, RDC_WAY_PULL);
    assert_false(stats.fell_back);
    assert_true(span_equal(buf_span(&play->result), buf_span(&play->new_bytes)));
    return stats;
}

/* Old bytes, and new ones that differ from them in some places. */
static void edit_in_place(struct play *play)
{
    noise(&play->old_bytes, CONTENT_SIZE, 1);
    buf_append(&play->new_bytes, play->old_bytes.data, play->old_bytes.size);
    for (unsigned i = 0; i < EDIT_COUNT; i++)
        memset(play->new_bytes.data + CONTENT_SIZE / EDIT_COUNT * i + 5000, 0, EDIT_SIZE);
}

static void pull_sends_little_more_than_what_was_changed(void **state)
{
    struct play play = {0};
    (void)state;
    edit_in_place(&play);

    struct rdc_stats stats = pull(&play);

    /* an edit touches a sliver or two */
    assert_in_range(stats.literal_bytes, EDIT_COUNT * EDIT_SIZE,
                    EDIT_COUNT * 6 * RDC_SLIVER_REACH_MIN);
    assert_false(stats.repeated);
    assert_int_equal(play.restarts, 0);
    play_fini(&play);
}

static void blocks_in_another_order_are_joined_by_slivers(void **state)
{
    struct play play = {0};
    (void)state;
    noise(&play.old_bytes, CONTENT_SIZE, 1);
    buf_append(&play.new_bytes, play.old_bytes.data + CONTENT_SIZE / 2, CONTENT_SIZE / 2);
    buf_append(&play.new_bytes, play.old_bytes.data, CONTENT_SIZE / 2);

    struct rdc_stats stats = pull(&play);

    /* where the halves meet, and at both ends */
    assert_in_range(stats.literal_bytes, 0, 24 * RDC_SLIVER_REACH_MIN);
    play_fini(&play);
}

static void deceiving_slivers_cost_one_more_round_and_not_the_whole(void **state)
{
    struct play play = {.deceives = true};
    (void)state;
    edit_in_place(&play);

    struct rdc_stats stats = pull(&play);

    assert_true(stats.repeated);
    assert_int_equal(play.restarts, 1);
    assert_in_range(stats.literal_bytes, EDIT_COUNT * EDIT_SIZE, CONTENT_SIZE / 5);
    play_fini(&play);
}

static void stretch_that_is_new_has_no_slivers(void **state)
{
    struct play play = {0};
    (void)state;
    noise(&play.old_bytes, CONTENT_SIZE, 1);
    buf_append(&play.new_bytes, play.old_bytes.data, CONTENT_SIZE / 2);
    noise(&play.new_bytes, CONTENT_SIZE, 2);
    buf_append(&play.new_bytes, play.old_bytes.data + CONTENT_SIZE / 2, CONTENT_SIZE / 2);

    struct rdc_stats stats = pull(&play);

    assert_in_range(stats.bytes_out, 0, 500);
    assert_in_range(stats.literal_bytes, CONTENT_SIZE, CONTENT_SIZE + 10000);
    play_fini(&play);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slivers_begin_where_the_hash_is_greatest),
        cmocka_unit_test(names_are_read_as_they_were_written),
        cmocka_unit_test(insertion_is_found_between_slivers),
        cmocka_unit_test(equal_slivers_are_found_one_by_one),
        cmocka_unit_test(names_that_break_a_limit_are_refused),
        cmocka_unit_test(frames_of_one_exchange_agree_and_stay_within_the_limit),
        cmocka_unit_test(pull_sends_little_more_than_what_was_changed),
        cmocka_unit_test(blocks_in_another_order_are_joined_by_slivers),
        cmocka_unit_test(deceiving_slivers_cost_one_more_round_and_not_the_whole),
        cmocka_unit_test(stretch_that_is_new_has_no_slivers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
