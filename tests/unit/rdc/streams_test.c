/* SPDX-License-Identifier: Apache-2.0 */
#include "common/rdc/streams.h"

#include "common/base/cursor.h"
#include "common/base/scope.h"
#include "tests/unit/rdc/archive.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <zlib.h>
#include <cmocka.h>

#define TEXT_SIZE       100000u
#define LEVEL           6
#define END_SIZE        22u /* of a ZIP archive, without its comment */
#define ENTRY_SIZE      56u /* of a member in the directory, as archive.c writes it */
#define ENTRY_SIZE_AT   20u
#define ENTRY_HEADER_AT 42u

static const struct archive_way WAY = {LEVEL, Z_DEFAULT_STRATEGY};

/* The streams of @bytes. Asserts that they are found, few or many. */
static struct rdc_streams streams_of(struct span bytes)
{
    struct rdc_content content = rdc_content_of(&bytes);
    struct rdc_streams streams;

    assert_int_equal(rdc_streams_find(&content, &streams), ST_OK);
    assert_in_range(streams.count, 0, RDC_STREAM_COUNT_MAX);
    for (size_t i = 0; i < streams.count; i++) {
        const struct rdc_stream *s = &streams.items[i];

        assert_in_range(s->size, RDC_STREAM_SIZE_MIN, bytes.size);
        assert_in_range(s->offset, 1, bytes.size - s->size);
        assert_true(i == 0 || s->offset >= s[-1].offset + s[-1].size);
    }
    return streams;
}

static size_t count_of(struct span bytes)
{
    struct rdc_streams streams = streams_of(bytes);
    size_t count = streams.count;

    rdc_streams_fini(&streams);
    return count;
}

static uint32_t identity_of(struct span bytes)
{
    struct rdc_streams streams = streams_of(bytes);

    assert_int_equal(streams.count, 1);
    uint32_t identity = streams.items[0].identity;
    rdc_streams_fini(&streams);
    return identity;
}

/* Overwrite a number of an entry of the directory; the archive has @count members and no comment.
 */
static void spoil_entry(struct archive_zip *zip, unsigned entry, size_t at, uint32_t value)
{
    size_t directory_at = zip->bytes.size - END_SIZE - (size_t)zip->count * ENTRY_SIZE;
    uint8_t *place = zip->bytes.data + directory_at + entry * ENTRY_SIZE + at;

    for (unsigned i = 0; i < 4; i++)
        place[i] = (uint8_t)(value >> 8 * i);
}

static void assert_streams_begin(const struct rdc_streams *streams, const size_t *begins,
                                 size_t count)
{
    assert_int_equal(streams->count, count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(streams->items[i].offset, begins[i]);
}

/* --- ZIP -------------------------------------------------------------------------------------*/

static void the_deflated_members_of_an_archive_are_found(void **state)
{
    static const enum archive_method methods[] = {ARCHIVE_DEFLATED, ARCHIVE_DESCRIBED};
    scope(buf) struct buf text = {0};
    scope(archive_zip) struct archive_zip zip = {0};
    size_t begins[4];
    (void)state;
    archive_text(&text, TEXT_SIZE, 1);

    for (unsigned i = 0; i < 4; i++) {
        archive_zip_add(&zip, buf_span(&text), ARCHIVE_STORED, 0);
        begins[i] = archive_zip_add(&zip, buf_span(&text), methods[i % 2], LEVEL);
    }
    archive_zip_end(&zip, "");
    struct rdc_streams streams = streams_of(buf_span(&zip.bytes));

    assert_streams_begin(&streams, begins, 4);
    for (unsigned i = 0; i < 4; i++) {
        scope(buf) struct buf stream = {0};

        archive_deflate(&stream, buf_span(&text), WAY);
        assert_int_equal(streams.items[i].size, stream.size);
        assert_memory_equal(zip.bytes.data + begins[i], stream.data, stream.size);
    }
    rdc_streams_fini(&streams);
}

static void a_comment_hides_nothing(void **state)
{
    static const char *comments[] = {"a comment", "PK\5\6 stands in it: PK\5\6", "PK\1\2"};
    scope(buf) struct buf text = {0};
    char longest[65536];
    (void)state;
    archive_text(&text, TEXT_SIZE, 1);
    memset(longest, 'P', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = 0;

    for (unsigned i = 0; i < 4; i++) {
        scope(archive_zip) struct archive_zip zip = {0};

        archive_zip_add(&zip, buf_span(&text), ARCHIVE_DEFLATED, LEVEL);
        archive_zip_end(&zip, i < 3 ? comments[i] : longest);
        assert_int_equal(count_of(buf_span(&zip.bytes)), 1);
    }
}

static void members_come_in_the_order_of_their_bytes(void **state)
{
    scope(buf) struct buf text = {0};
    scope(archive_zip) struct archive_zip zip = {0};
    uint8_t entry[ENTRY_SIZE];
    size_t begins[2];
    (void)state;
    archive_text(&text, TEXT_SIZE, 1);
    for (unsigned i = 0; i < 2; i++)
        begins[i] = archive_zip_add(&zip, buf_span(&text), ARCHIVE_DEFLATED, LEVEL);

    memcpy(entry, zip.directory.data, ENTRY_SIZE);
    memmove(zip.directory.data, zip.directory.data + ENTRY_SIZE, ENTRY_SIZE);
    memcpy(zip.directory.data + ENTRY_SIZE, entry, ENTRY_SIZE);
    archive_zip_end(&zip, "");
    struct rdc_streams streams = streams_of(buf_span(&zip.bytes));

    assert_streams_begin(&streams, begins, 2);
    rdc_streams_fini(&streams);
}

static void small_members_stay_packed(void **state)
{
    scope(buf) struct buf noise = {0};
    scope(archive_zip) struct archive_zip zip = {0};
    (void)state;
    archive_noise(&noise, RDC_STREAM_SIZE_MIN, 1);

    /* five bytes more, packed at level 0 */
    archive_zip_add(&zip, span_of(noise.data, RDC_STREAM_SIZE_MIN - 6), ARCHIVE_DEFLATED, 0);
    size_t begin =
        archive_zip_add(&zip, span_of(noise.data, RDC_STREAM_SIZE_MIN - 5), ARCHIVE_DEFLATED, 0);
    archive_zip_end(&zip, "");
    struct rdc_streams streams = streams_of(buf_span(&zip.bytes));

    assert_streams_begin(&streams, &begin, 1);
    rdc_streams_fini(&streams);
}

static void of_many_members_the_largest_are_told(void **state)
{
    scope(buf) struct buf noise = {0};
    scope(archive_zip) struct archive_zip zip = {0};
    (void)state;
    archive_noise(&noise, 3 * RDC_STREAM_SIZE_MIN, 1);

    for (unsigned i = 0; i < RDC_STREAM_COUNT_MAX + 3; i++)
        archive_zip_add(&zip, span_of(noise.data, RDC_STREAM_SIZE_MIN), ARCHIVE_DEFLATED, 0);
    size_t begin = archive_zip_add(&zip, buf_span(&noise), ARCHIVE_DEFLATED, 0);
    archive_zip_end(&zip, "");
    struct rdc_streams streams = streams_of(buf_span(&zip.bytes));

    assert_int_equal(streams.count, RDC_STREAM_COUNT_MAX);
    assert_int_equal(streams.items[RDC_STREAM_COUNT_MAX - 1].offset, begin);
    rdc_streams_fini(&streams);
}

static void an_archive_of_overlapping_members_has_no_streams(void **state)
{
    scope(buf) struct buf text = {0};
    scope(archive_zip) struct archive_zip zip = {0};
    (void)state;
    archive_text(&text, TEXT_SIZE, 1);
    size_t first = archive_zip_add(&zip, buf_span(&text), ARCHIVE_DEFLATED, LEVEL);
    size_t second = archive_zip_add(&zip, buf_span(&text), ARCHIVE_DEFLATED, LEVEL);
    archive_zip_end(&zip, "");

    spoil_entry(&zip, 0, ENTRY_SIZE_AT, (uint32_t)(second - first));
    assert_int_equal(count_of(buf_span(&zip.bytes)), 2);
    spoil_entry(&zip, 0, ENTRY_SIZE_AT, (uint32_t)(second - first + 1));
    assert_int_equal(count_of(buf_span(&zip.bytes)), 0);
    spoil_entry(&zip, 0, ENTRY_SIZE_AT, (uint32_t)(second - first));
    spoil_entry(&zip, 1, ENTRY_HEADER_AT, 0);
    assert_int_equal(count_of(buf_span(&zip.bytes)), 0);
}

static void a_directory_that_points_outside_has_no_streams(void **state)
{
    scope(buf) struct buf text = {0};
    scope(archive_zip) struct archive_zip zip = {0};
    (void)state;
    archive_text(&text, TEXT_SIZE, 1);
    size_t begin = archive_zip_add(&zip, buf_span(&text), ARCHIVE_DEFLATED, LEVEL);
    archive_zip_end(&zip, "");
    size_t end = zip.bytes.size;
    uint32_t outside[] = {(uint32_t)end, (uint32_t)end - 29, UINT32_MAX - 1, UINT32_MAX, 1};

    for (unsigned i = 0; i < sizeof(outside) / sizeof(*outside); i++) {
        spoil_entry(&zip, 0, ENTRY_HEADER_AT, outside[i]);
        assert_int_equal(count_of(buf_span(&zip.bytes)), 0);
    }
    spoil_entry(&zip, 0, ENTRY_HEADER_AT, 0);
    spoil_entry(&zip, 0, ENTRY_SIZE_AT, (uint32_t)(end - begin) + 1);
    assert_int_equal(count_of(buf_span(&zip.bytes)), 0);
    spoil_entry(&zip, 0, ENTRY_SIZE_AT, UINT32_MAX);
    assert_int_equal(count_of(buf_span(&zip.bytes)), 0);
}

static void an_end_that_contradicts_itself_has_no_streams(void **state)
{
    scope(buf) struct buf text = {0};
    (void)state;
    archive_text(&text, TEXT_SIZE, 1);

    /* the directory's size, its offset, the comment's size */
    for (size_t at = 12; at < END_SIZE; at++) {
        scope(archive_zip) struct archive_zip zip = {0};

        archive_zip_add(&zip, buf_span(&text), ARCHIVE_DEFLATED, LEVEL);
        archive_zip_end(&zip, "");
        zip.bytes.data[zip.bytes.size - END_SIZE + at] = 0xff;
        assert_int_equal(count_of(buf_span(&zip.bytes)), 0);
    }
}

/* --- gzip ------------------------------------------------------------------------------------*/

static void the_stream_of_a_gzip_file_is_found_behind_any_header(void **state)
{
    scope(buf) struct buf text = {0};
    (void)state;
    archive_text(&text, TEXT_SIZE, 1);

    for (unsigned flags = 0; flags < 32; flags++) {
        scope(buf) struct buf gzip = {0};
        size_t begin = archive_gzip(&gzip, buf_span(&text), WAY, flags);
        struct rdc_streams streams = streams_of(buf_span(&gzip));

        assert_streams_begin(&streams, &begin, 1);
        assert_int_equal(streams.items[0].offset + streams.items[0].size + 8, gzip.size);
        rdc_streams_fini(&streams);
    }
}

static void a_gzip_header_without_end_has_no_stream(void **state)
{
    scope(buf) struct buf bytes = {0};
    (void)state;

    for (unsigned flag = ARCHIVE_EXTRA; flag <= ARCHIVE_COMMENTED; flag *= 2) {
        buf_clear(&bytes);
        buf_append(&bytes, "\x1f\x8b\x08", 3);
        write_u8(&bytes, (uint8_t)flag);
        memset(buf_extend(&bytes, 3 * RDC_STREAM_SIZE_MIN), 0xff, 3 * RDC_STREAM_SIZE_MIN);
        assert_int_equal(count_of(buf_span(&bytes)), 0);
    }
}

static void a_small_gzip_file_stays_packed(void **state)
{
    scope(buf) struct buf noise = {0};
    scope(buf) struct buf small = {0};
    scope(buf) struct buf large = {0};
    (void)state;
    archive_noise(&noise, RDC_STREAM_SIZE_MIN, 1);

    archive_gzip(&small, span_of(noise.data, RDC_STREAM_SIZE_MIN - 6), (struct archive_way){0, 0},
                 0);
    archive_gzip(&large, span_of(noise.data, RDC_STREAM_SIZE_MIN - 5), (struct archive_way){0, 0},
                 0);

    assert_int_equal(count_of(buf_span(&small)), 0);
    assert_int_equal(count_of(buf_span(&large)), 1);
}

/* --- both ------------------------------------------------------------------------------------*/

static void content_that_is_no_archive_costs_one_small_read(void **state)
{
    scope(buf) struct buf text = {0};
    (void)state;
    archive_text(&text, TEXT_SIZE, 1);

    struct archive_source source = {buf_span(&text), 1};
    struct rdc_content content = archive_failing(&source);
    struct rdc_streams streams;

    assert_int_equal(rdc_streams_find(&content, &streams), ST_OK);
    assert_int_equal(streams.count, 0);
    assert_int_equal(count_of((struct span){0}), 0);
}

static void an_archive_cut_anywhere_is_read_without_harm(void **state)
{
    scope(buf) struct buf text = {0};
    scope(buf) struct buf gzip = {0};
    scope(archive_zip) struct archive_zip zip = {0};
    (void)state;
    archive_text(&text, TEXT_SIZE, 1);
    archive_zip_add(&zip, buf_span(&text), ARCHIVE_DESCRIBED, LEVEL);
    archive_zip_add(&zip, buf_span(&text), ARCHIVE_DEFLATED, LEVEL);
    archive_zip_end(&zip, "a comment");
    archive_gzip(&gzip, buf_span(&text), WAY, ARCHIVE_NAMED | ARCHIVE_COMMENTED);

    for (size_t size = 0; size < zip.bytes.size; size += size + 300 < zip.bytes.size ? 97 : 1)
        assert_int_equal(count_of(span_of(zip.bytes.data, size)), 0);
    for (size_t size = 0; size < gzip.size; size += 97)
        assert_in_range(count_of(span_of(gzip.data, size)), 0, 1);
    /* what a directory says is cut by its own size, too */
    for (uint8_t size = 0; size < 2 * ENTRY_SIZE; size++) {
        zip.bytes.data[zip.bytes.size - END_SIZE - 9 + 12] = size;
        assert_in_range(count_of(buf_span(&zip.bytes)), 0, size / ENTRY_SIZE);
    }
}

static void assert_reads_are_handed_on(struct span bytes)
{
    enum status st = ST_IO;
    unsigned reads = 0;

    for (; st != ST_OK; reads++) {
        struct archive_source source = {bytes, reads};
        struct rdc_content content = archive_failing(&source);
        struct rdc_streams streams;

        st = rdc_streams_find(&content, &streams);
        assert_true(st == ST_OK || st == ST_IO);
        assert_int_equal(streams.count, st == ST_OK);
        rdc_streams_fini(&streams);
    }
    assert_in_range(reads, 3, 10);
}

static void a_read_that_fails_is_handed_on(void **state)
{
    scope(buf) struct buf text = {0};
    scope(buf) struct buf gzip = {0};
    scope(archive_zip) struct archive_zip zip = {0};
    (void)state;
    archive_text(&text, TEXT_SIZE, 1);
    archive_zip_add(&zip, buf_span(&text), ARCHIVE_DEFLATED, LEVEL);
    archive_zip_end(&zip, "");
    archive_gzip(&gzip, buf_span(&text), WAY, 0);

    assert_reads_are_handed_on(buf_span(&zip.bytes));
    assert_reads_are_handed_on(buf_span(&gzip));
}

static void equal_members_have_equal_identities_and_changed_ones_others(void **state)
{
    scope(buf) struct buf text = {0};
    scope(archive_zip) struct archive_zip one = {0};
    scope(archive_zip) struct archive_zip same = {0};
    scope(archive_zip) struct archive_zip packed_otherwise = {0};
    scope(archive_zip) struct archive_zip changed = {0};
    scope(buf) struct buf gzip = {0};
    (void)state;
    archive_text(&text, TEXT_SIZE, 1);

    archive_zip_add(&one, buf_span(&text), ARCHIVE_DEFLATED, LEVEL);
    archive_zip_end(&one, "");
    archive_zip_add(&same, span_of("a", 1), ARCHIVE_STORED, 0);
    archive_zip_add(&same, buf_span(&text), ARCHIVE_DESCRIBED, LEVEL);
    archive_zip_end(&same, "");
    archive_zip_add(&packed_otherwise, buf_span(&text), ARCHIVE_DEFLATED, 1);
    archive_zip_end(&packed_otherwise, "");
    archive_gzip(&gzip, buf_span(&text), WAY, 0);
    text.data[TEXT_SIZE / 2] ^= 1;
    archive_zip_add(&changed, buf_span(&text), ARCHIVE_DEFLATED, LEVEL);
    archive_zip_end(&changed, "");

    uint32_t identity = identity_of(buf_span(&one.bytes));
    assert_int_equal(identity_of(buf_span(&same.bytes)), identity);
    assert_int_equal(identity_of(buf_span(&gzip)), identity);
    assert_int_not_equal(identity_of(buf_span(&packed_otherwise.bytes)), identity);
    assert_int_not_equal(identity_of(buf_span(&changed.bytes)), identity);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_deflated_members_of_an_archive_are_found),
        cmocka_unit_test(a_comment_hides_nothing),
        cmocka_unit_test(members_come_in_the_order_of_their_bytes),
        cmocka_unit_test(small_members_stay_packed),
        cmocka_unit_test(of_many_members_the_largest_are_told),
        cmocka_unit_test(an_archive_of_overlapping_members_has_no_streams),
        cmocka_unit_test(a_directory_that_points_outside_has_no_streams),
        cmocka_unit_test(an_end_that_contradicts_itself_has_no_streams),
        cmocka_unit_test(the_stream_of_a_gzip_file_is_found_behind_any_header),
        cmocka_unit_test(a_gzip_header_without_end_has_no_stream),
        cmocka_unit_test(a_small_gzip_file_stays_packed),
        cmocka_unit_test(content_that_is_no_archive_costs_one_small_read),
        cmocka_unit_test(an_archive_cut_anywhere_is_read_without_harm),
        cmocka_unit_test(a_read_that_fails_is_handed_on),
        cmocka_unit_test(equal_members_have_equal_identities_and_changed_ones_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
