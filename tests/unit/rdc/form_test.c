/* SPDX-License-Identifier: Apache-2.0 */
#include "common/rdc/form.h"

#include "common/base/scope.h"
#include "common/rdc/loopback.h"
#include "tests/unit/rdc/archive.h"

#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define TEXT_SIZE    1500000u
#define PICTURE_SIZE 200000u

static const struct rdc_key KEY = {.seed = 9};

enum base_kind { NO_BASE, BASE_BYTES, BASE_SIGNATURE };

/* A document that was saved again, on its way to a receiver that has the older one. */
struct saving {
    struct buf old_bytes;
    struct buf new_bytes;
    enum base_kind base; /* what the sender has of the older one */
    struct rdc_link link;
    bool other_seed_first;
    bool base_is_other; /* that seed is what the sender has */
    bool receiver_without_scratches;
    bool sender_without_scratches;

    struct buf result;
    struct rdc_stats stats;
};

static void saving_fini(struct saving *s)
{
    buf_fini(&s->old_bytes);
    buf_fini(&s->new_bytes);
    buf_fini(&s->result);
}

/* Packed text with @edit in its middle, and @picture_size bytes of a picture. */
static void document(struct buf *out, const char *edit, size_t text_size, size_t picture_size)
{
    scope(archive_zip) struct archive_zip zip = {0};
    scope(buf) struct buf text = {0};
    scope(buf) struct buf picture = {0};

    archive_text(&text, text_size / 2, 1);
    buf_append_string(&text, edit);
    archive_text(&text, text_size / 2, 2);
    archive_noise(&picture, picture_size, 3);
    archive_zip_add(&zip, buf_span(&text), ARCHIVE_DEFLATED, 6);
    archive_zip_add(&zip, buf_span(&picture), ARCHIVE_STORED, 0);
    archive_zip_end(&zip, "");
    buf_append(out, zip.bytes.data, zip.bytes.size);
}

static struct saving edited(size_t text_size, size_t picture_size)
{
    struct saving s = {0};

    document(&s.old_bytes, "", text_size, picture_size);
    document(&s.new_bytes, " with something added", text_size, picture_size);
    return s;
}

static struct rdc_hash sha256(struct span bytes)
{
    struct rdc_hash hash;

    assert_true(EVP_Digest(bytes.data, bytes.size, hash.bytes, NULL, EVP_sha256(), NULL));
    return hash;
}

static struct rdc_base base_of(enum base_kind kind, const struct rdc_content *content,
                               const struct rdc_hash *hash, const struct rdc_signature *signature)
{
    struct rdc_base base = {.hash = *hash};

    base.content = kind == BASE_BYTES ? content : NULL;
    base.signature = kind == BASE_SIGNATURE ? signature : NULL;
    return base;
}

static void run(struct saving *s)
{
    struct archive_disk disk = ARCHIVE_DISK;
    struct span old_bytes = buf_span(&s->old_bytes);
    struct span new_bytes = buf_span(&s->new_bytes);
    struct span other_bytes = span_part(new_bytes, new_bytes.size / 2, 20000);
    struct rdc_content old_content = rdc_content_of(&old_bytes);
    struct rdc_content other_content = rdc_content_of(&other_bytes);
    struct rdc_hash old_hash = sha256(old_bytes);
    struct rdc_hash other_hash = sha256(other_bytes);
    struct rdc_signature_options signing = {.key = KEY};
    struct rdc_signature *signature;
    assert_int_equal(rdc_signature_of(&old_content, &signing, &signature), ST_OK);
    struct rdc_base base = base_of(s->base, s->base_is_other ? &other_content : &old_content,
                                   s->base_is_other ? &other_hash : &old_hash, signature);
    struct rdc_seed seeds[2] = {{.content = other_content, .hash = &other_hash},
                                {.content = old_content, .hash = &old_hash}};
    struct rdc_receive_options receive_options = {
        .size = new_bytes.size,
        .hash = sha256(new_bytes),
        .seeds = s->other_seed_first ? seeds : seeds + 1,
        .seed_count = s->other_seed_first ? 2 : 1,
        .sink = archive_sink(&s->result),
        .key = KEY,
        .link = s->link,
    };
    struct rdc_send_options send_options = {
        .content = rdc_content_of(&new_bytes),
        .bases = &base,
        .base_count = s->base != NO_BASE,
        .key = KEY,
        .link = s->link,
    };
    if (!s->receiver_without_scratches)
        receive_options.scratches = archive_scratches(&disk);
    if (!s->sender_without_scratches)
        send_options.scratches = archive_scratches(&disk);

    struct rdc_receiver *receiver = rdc_receive_new(&receive_options);
    struct rdc_sender *sender = rdc_send_new(&send_options);
    assert_int_equal(rdc_loopback(receiver, sender), RDC_DONE);

    s->stats = *rdc_receive_stats(receiver);
    assert_true(span_equal(new_bytes, buf_span(&s->result)));
    assert_int_equal(s->stats.unpacked, rdc_send_stats(sender)->unpacked);
    rdc_receive_free(receiver);
    rdc_send_free(sender);
    rdc_signature_free(signature);
    assert_int_equal(disk.open_count, 0);
}

static void assert_unpacked(const struct saving *s, enum rdc_way way, uint64_t bytes_max)
{
    assert_true(s->stats.unpacked);
    assert_string_equal(rdc_way_name(s->stats.way), rdc_way_name(way));
    assert_in_range(s->stats.bytes_in + s->stats.bytes_out, 1, bytes_max);
}

static void assert_packed(const struct saving *s)
{
    assert_false(s->stats.unpacked);
    assert_false(s->stats.fell_back);
}

/* --- what is worth unpacking -----------------------------------------------------------------*/

static void an_edit_of_a_document_costs_the_edit(void **state)
{
    (void)state;

    scope(saving) struct saving pushed = edited(TEXT_SIZE, PICTURE_SIZE);
    pushed.base = BASE_BYTES;
    run(&pushed);
    scope(saving) struct saving pulled = edited(TEXT_SIZE, PICTURE_SIZE);
    run(&pulled);

    assert_unpacked(&pushed, RDC_WAY_PUSH_BYTES, 1500);
    assert_int_equal(pushed.stats.rounds, 1);
    assert_unpacked(&pulled, RDC_WAY_PULL, 10000);
    assert_in_range(pulled.stats.rounds, 1, 5);
}

static void forms_are_pulled_where_only_a_signature_could_be_pushed_against(void **state)
{
    scope(saving) struct saving s = edited(TEXT_SIZE, PICTURE_SIZE);
    (void)state;
    s.base = BASE_SIGNATURE;

    run(&s);

    assert_unpacked(&s, RDC_WAY_PULL, 10000);
}

static void rounds_that_cost_more_than_the_streams_are_not_made(void **state)
{
    scope(saving) struct saving s = edited(TEXT_SIZE, PICTURE_SIZE);
    (void)state;
    s.base = BASE_SIGNATURE;
    s.link = (struct rdc_link){.bytes_per_second = 5000000, .round_trip_ms = 600};

    run(&s);

    assert_packed(&s);
    assert_int_equal(s.stats.rounds, 1);
}

static void a_link_that_is_faster_than_the_work_carries_streams_as_they_are(void **state)
{
    scope(saving) struct saving s = edited(TEXT_SIZE, PICTURE_SIZE);
    (void)state;
    s.base = BASE_BYTES;
    s.link = (struct rdc_link){.bytes_per_second = 125000000, .round_trip_ms = 1};

    run(&s);

    assert_packed(&s);
}

static void streams_that_are_a_small_part_stay_packed(void **state)
{
    scope(saving) struct saving s = edited(100000, 6000000);
    (void)state;
    s.base = BASE_BYTES;

    run(&s);

    assert_packed(&s);
}

static void streams_that_both_have_stay_packed(void **state)
{
    scope(saving) struct saving s = {.base = BASE_BYTES};
    (void)state;
    document(&s.old_bytes, "", TEXT_SIZE, PICTURE_SIZE);
    document(&s.new_bytes, "", TEXT_SIZE, PICTURE_SIZE + 1000);

    run(&s);

    assert_packed(&s);
}

static void the_seed_that_has_streams_need_not_be_the_first(void **state)
{
    scope(saving) struct saving s = edited(TEXT_SIZE, PICTURE_SIZE);
    (void)state;
    s.other_seed_first = true;

    run(&s);

    assert_unpacked(&s, RDC_WAY_PULL, 10000);
}

static void a_push_against_another_seed_than_the_archive_is_as_ever(void **state)
{
    scope(saving) struct saving s = edited(TEXT_SIZE, PICTURE_SIZE);
    (void)state;
    s.base = BASE_BYTES;
    s.base_is_other = true;
    s.other_seed_first = true;

    run(&s);

    assert_packed(&s);
    assert_string_equal(rdc_way_name(s.stats.way), rdc_way_name(RDC_WAY_PUSH_BYTES));
}

static void without_scratches_at_either_end_archives_travel_as_they_are(void **state)
{
    (void)state;

    scope(saving) struct saving receiver = edited(TEXT_SIZE, PICTURE_SIZE);
    receiver.receiver_without_scratches = true;
    run(&receiver);
    scope(saving) struct saving sender = edited(TEXT_SIZE, PICTURE_SIZE);
    sender.sender_without_scratches = true;
    run(&sender);

    assert_packed(&receiver);
    assert_packed(&sender);
}

/* --- what the receiver tells -----------------------------------------------------------------*/

static void what_is_told_arrives(void **state)
{
    struct rdc_stream items[] = {{.identity = 1}, {.identity = 0xfedcba}};
    struct rdc_told told = {.seed = 3, .streams = {.items = items, .count = 2}};
    struct rdc_told arrived;
    scope(buf) struct buf frame = {0};
    (void)state;

    rdc_told_write(&told, &frame);
    struct reader r = reader_of(buf_span(&frame));

    assert_true(rdc_told_read(&arrived, &r, 4));
    assert_true(reader_finished(&r));
    assert_int_equal(arrived.seed, 3);
    assert_int_equal(arrived.streams.count, 2);
    assert_int_equal(arrived.streams.items[0].identity, 1);
    assert_int_equal(arrived.streams.items[1].identity, 0xfedcba);
    rdc_told_fini(&arrived);
}

static void telling_of_a_seed_that_is_not_there_is_refused(void **state)
{
    struct rdc_stream item = {.size = 70000};
    struct rdc_told told = {.seed = 2, .streams = {.items = &item, .count = 1}};
    struct rdc_told arrived;
    scope(buf) struct buf frame = {0};
    (void)state;

    rdc_told_write(&told, &frame);
    for (size_t size = 1; size <= frame.size; size++) {
        struct reader r = reader_of(span_part(buf_span(&frame), 0, size));

        assert_false(rdc_told_read(&arrived, &r, 2));
        rdc_told_fini(&arrived);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_edit_of_a_document_costs_the_edit),
        cmocka_unit_test(forms_are_pulled_where_only_a_signature_could_be_pushed_against),
        cmocka_unit_test(rounds_that_cost_more_than_the_streams_are_not_made),
        cmocka_unit_test(a_link_that_is_faster_than_the_work_carries_streams_as_they_are),
        cmocka_unit_test(streams_that_are_a_small_part_stay_packed),
        cmocka_unit_test(streams_that_both_have_stay_packed),
        cmocka_unit_test(the_seed_that_has_streams_need_not_be_the_first),
        cmocka_unit_test(a_push_against_another_seed_than_the_archive_is_as_ever),
        cmocka_unit_test(without_scratches_at_either_end_archives_travel_as_they_are),
        cmocka_unit_test(what_is_told_arrives),
        cmocka_unit_test(telling_of_a_seed_that_is_not_there_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
