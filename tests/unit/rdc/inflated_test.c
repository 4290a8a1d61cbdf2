/* SPDX-License-Identifier: Apache-2.0 */
#include "common/rdc/inflated.h"

#include "common/base/cursor.h"
#include "common/base/scope.h"
#include "common/rdc/deflate.h"
#include "tests/support/random.h"
#include "tests/unit/rdc/archive.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <zlib.h>
#include <cmocka.h>

#define TEXT_SIZE 300000u

static const struct archive_way WAY = {6, Z_DEFAULT_STRATEGY};

/* --- forms in memory -------------------------------------------------------------------------*/

/* A form that was read as a whole. */
struct form {
    struct buf bytes;
    struct rdc_planes planes;
    size_t count;
};

static void form_fini(struct form *f)
{
    buf_fini(&f->bytes);
}

static struct span text_of(const struct form *f)
{
    return span_part(buf_span(&f->bytes), 0, (size_t)f->planes.text_size);
}

static struct span symbols_of(const struct form *f)
{
    return span_part(buf_span(&f->bytes), (size_t)f->planes.text_size,
                     (size_t)f->planes.symbol_size);
}

static struct form form_of_streams(struct span bytes, const struct rdc_stream *streams,
                                   size_t count)
{
    struct archive_disk disk = ARCHIVE_DISK;
    struct rdc_scratches scratches = archive_scratches(&disk);
    struct rdc_content content = rdc_content_of(&bytes);
    struct rdc_inflated *inflated = NULL;
    struct form form = {0};

    assert_int_equal(rdc_inflated_new(&content, streams, count, &scratches, &inflated), ST_OK);
    struct rdc_content all = rdc_inflated_content(inflated);
    form.planes = *rdc_inflated_planes(inflated);
    form.count = rdc_inflated_count(inflated);
    assert_true(rdc_planes_valid(&form.planes));
    assert_int_equal(rdc_planes_size(&form.planes), all.size);
    assert_int_equal(
        rdc_content_read(&all, 0, buf_extend(&form.bytes, (size_t)all.size), (size_t)all.size),
        ST_OK);
    rdc_inflated_free(inflated);
    assert_int_equal(disk.open_count, 0);
    return form;
}

static struct form form_of(struct span bytes)
{
    struct rdc_content content = rdc_content_of(&bytes);
    struct rdc_streams streams;

    assert_int_equal(rdc_streams_find(&content, &streams), ST_OK);
    struct form form = form_of_streams(bytes, streams.items, streams.count);
    rdc_streams_fini(&streams);
    return form;
}

static enum status append(void *arg, struct span bytes)
{
    buf_append(arg, bytes.data, bytes.size);
    return ST_OK;
}

static enum status pack_bytes(struct span bytes, const struct rdc_planes *planes, struct buf *out)
{
    struct rdc_content content = rdc_content_of(&bytes);

    return rdc_inflated_pack(&content, planes, append, out);
}

static enum status pack(const struct form *f, struct buf *out)
{
    return pack_bytes(buf_span(&f->bytes), &f->planes, out);
}

static void assert_packs_to(const struct form *f, struct span bytes)
{
    scope(buf) struct buf out = {0};

    assert_int_equal(pack(f, &out), ST_OK);
    assert_true(span_equal(buf_span(&out), bytes));
}

/* Unpack and pack again; @unpacked streams are expected. */
static void assert_comes_back(struct span bytes, size_t unpacked)
{
    scope(form) struct form form = form_of(bytes);

    assert_int_equal(form.count, unpacked);
    assert_packs_to(&form, bytes);
}

/* --- there and back --------------------------------------------------------------------------*/

static void content_of_any_compressor_comes_back_bit_for_bit(void **state)
{
    scope(buf) struct buf text = {0};
    (void)state;
    archive_text(&text, TEXT_SIZE, 1);
    archive_noise(&text, TEXT_SIZE / 4, 2);
    memset(buf_extend(&text, TEXT_SIZE), 0, TEXT_SIZE);
    archive_text(&text, TEXT_SIZE / 2, 1);

    for (int level = 0; level <= 9; level++) {
        scope(archive_zip) struct archive_zip zip = {0};

        archive_zip_add(&zip, buf_span(&text), ARCHIVE_DEFLATED, level);
        archive_zip_add(&zip, buf_span(&text), ARCHIVE_STORED, 0);
        archive_zip_add(&zip, buf_span(&text), ARCHIVE_DESCRIBED, 9 - level);
        archive_zip_end(&zip, "a comment");
        assert_comes_back(buf_span(&zip.bytes), 2);
    }
    for (int strategy = Z_DEFAULT_STRATEGY; strategy <= Z_FIXED; strategy++) {
        for (int level = 1; level <= 9; level += 4) {
            scope(buf) struct buf gzip = {0};

            archive_gzip(&gzip, buf_span(&text), (struct archive_way){level, strategy},
                         ARCHIVE_NAMED);
            assert_comes_back(buf_span(&gzip), 1);
        }
    }
}

static void content_without_streams_is_its_own_text(void **state)
{
    scope(buf) struct buf noise = {0};
    (void)state;
    archive_noise(&noise, TEXT_SIZE, 1);

    for (size_t size = 0; size <= TEXT_SIZE; size += TEXT_SIZE / 3) {
        struct span bytes = span_of(noise.data, size);
        scope(form) struct form form = form_of(bytes);

        assert_true(span_equal(text_of(&form), bytes));
        assert_int_equal(form.planes.symbol_size, 0);
        assert_packs_to(&form, bytes);
    }
}

static void text_stands_in_the_form_as_it_was(void **state)
{
    scope(buf) struct buf text = {0};
    scope(buf) struct buf gzip = {0};
    (void)state;
    archive_text(&text, TEXT_SIZE, 1);
    size_t begin = archive_gzip(&gzip, buf_span(&text), WAY, ARCHIVE_COMMENTED);

    scope(form) struct form form = form_of(buf_span(&gzip));

    assert_int_equal(form.planes.text_size, begin + TEXT_SIZE + 8);
    assert_memory_equal(form.bytes.data, gzip.data, begin);
    assert_memory_equal(form.bytes.data + begin, text.data, TEXT_SIZE);
    assert_memory_equal(form.bytes.data + begin + TEXT_SIZE, gzip.data + gzip.size - 8, 8);
}

static void gzip_members_behind_the_first_stay_packed(void **state)
{
    scope(buf) struct buf text = {0};
    scope(buf) struct buf gzip = {0};
    (void)state;
    archive_text(&text, TEXT_SIZE, 1);
    size_t begin = archive_gzip(&gzip, buf_span(&text), WAY, 0);
    size_t first = gzip.size;
    archive_gzip(&gzip, buf_span(&text), WAY, 0);

    scope(form) struct form form = form_of(buf_span(&gzip));

    assert_int_equal(form.count, 1);
    assert_int_equal(form.planes.text_size, begin + TEXT_SIZE + 8 + (gzip.size - first));
    assert_packs_to(&form, buf_span(&gzip));
}

static void streams_next_to_each_other_come_back(void **state)
{
    struct rdc_stream streams[40];
    scope(buf) struct buf bytes = {0};
    scope(buf) struct buf text = {0};
    (void)state;
    archive_text(&text, TEXT_SIZE, 1);
    for (unsigned i = 0; i < 40; i++) {
        size_t size = i % 4 == 0 ? 0 : TEXT_SIZE / 40 * i;

        streams[i].offset = bytes.size;
        streams[i].size = archive_deflate(&bytes, span_of(text.data, size), WAY);
    }

    scope(form) struct form form = form_of_streams(buf_span(&bytes), streams, 40);

    assert_int_equal(form.count, 40);
    assert_packs_to(&form, buf_span(&bytes));
}

/* Both streams' matches reach back 32 KiB over where pieces of the window end. */
static void matches_of_any_reach_come_back_from_a_large_text(void **state)
{
    struct random_source random = random_from(random_seed(__func__));
    scope(buf) struct buf text = {0};
    scope(buf) struct buf gzip = {0};
    (void)state;
    archive_noise(&text, 40000, 1);
    while (text.size < 3000000) {
        uint64_t distance = random_below(&random, 33000) + 1;
        uint64_t size = random_below(&random, 400) + 1;

        for (uint64_t i = 0; i < size; i++)
            write_u8(&text, text.data[text.size - distance]);
        archive_noise(&text, (size_t)random_below(&random, 4), random_next(&random));
    }
    archive_gzip(&gzip, buf_span(&text), WAY, 0);

    assert_comes_back(buf_span(&gzip), 1);
}

/* --- streams that stay as they are -----------------------------------------------------------*/

static void a_damaged_stream_stays_as_it_is_and_the_next_is_unpacked(void **state)
{
    scope(buf) struct buf text = {0};
    scope(archive_zip) struct archive_zip zip = {0};
    (void)state;
    archive_text(&text, TEXT_SIZE, 1);
    archive_zip_add(&zip, buf_span(&text), ARCHIVE_DEFLATED, 6);
    size_t begin = archive_zip_add(&zip, buf_span(&text), ARCHIVE_DEFLATED, 0);
    archive_zip_add(&zip, buf_span(&text), ARCHIVE_DEFLATED, 6);
    archive_zip_end(&zip, "");

    /* a type that is none, in the head of the second of its stored blocks */
    uint8_t *head = zip.bytes.data + begin;
    head += 5 + (head[1] | (size_t)head[2] << 8);
    assert_in_range(*head, 0, 1);
    *head |= 6;
    scope(form) struct form form = form_of(buf_span(&zip.bytes));

    assert_int_equal(form.count, 2);
    assert_packs_to(&form, buf_span(&zip.bytes));
}

/* A bit may change the text only: whatever it is, it comes back. */
static void a_stream_that_is_spoilt_anywhere_comes_back(void **state)
{
    struct random_source random = random_from(random_seed(__func__));
    scope(buf) struct buf text = {0};
    scope(archive_zip) struct archive_zip zip = {0};
    (void)state;
    archive_text(&text, TEXT_SIZE / 4, 1);
    size_t begin = archive_zip_add(&zip, buf_span(&text), ARCHIVE_DEFLATED, 6);
    size_t end = zip.bytes.size;
    archive_zip_add(&zip, buf_span(&text), ARCHIVE_DEFLATED, 6);
    archive_zip_end(&zip, "");

    for (unsigned i = 0; i < 300; i++) {
        size_t at = begin + (size_t)random_below(&random, i < 100 ? 100 : end - begin);
        uint8_t right = zip.bytes.data[at];

        zip.bytes.data[at] ^= (uint8_t)(1 << random_below(&random, 8));
        scope(form) struct form form = form_of(buf_span(&zip.bytes));
        assert_in_range(form.count, 1, 2);
        assert_packs_to(&form, buf_span(&zip.bytes));
        zip.bytes.data[at] = right;
    }
}

static void a_match_from_before_the_text_is_no_stream(void **state)
{
    /* fixed block, last: literal 'a', length 3, distance 1 or 2, end */
    static const uint8_t good[] = {0x4b, 0x04, 0x02, 0x00};
    static const uint8_t bad[] = {0x4b, 0x04, 0x42, 0x00};
    struct rdc_stream stream = {.size = sizeof(good)};
    (void)state;

    scope(form) struct form near = form_of_streams(span_of(good, sizeof(good)), &stream, 1);
    scope(form) struct form far = form_of_streams(span_of(bad, sizeof(bad)), &stream, 1);

    assert_int_equal(near.count, 1);
    assert_packs_to(&near, span_of(good, sizeof(good)));
    assert_int_equal(far.count, 0);
    assert_packs_to(&far, span_of(bad, sizeof(bad)));
}

static void a_stream_that_goes_on_beyond_its_end_stays_as_it_is(void **state)
{
    struct rdc_stream streams[2] = {{.offset = 3}};
    scope(buf) struct buf text = {0};
    scope(buf) struct buf bytes = {0};
    (void)state;
    archive_text(&text, TEXT_SIZE, 1);
    archive_noise(&bytes, 3, 1);
    streams[0].size = archive_deflate(&bytes, buf_span(&text), WAY) - 1;
    streams[1].offset = bytes.size;
    streams[1].size = archive_deflate(&bytes, buf_span(&text), WAY);

    scope(form) struct form form = form_of_streams(buf_span(&bytes), streams, 2);

    assert_int_equal(form.count, 1);
    assert_int_equal(form.planes.text_size, 3 + streams[0].size + 1 + TEXT_SIZE);
    assert_packs_to(&form, buf_span(&bytes));
}

/* Nothing, stored in ever more blocks: two bytes of layout for five. */
static void a_stream_that_breaks_the_limit_of_the_layout_stays_as_it_is(void **state)
{
    static const uint8_t block[] = {0, 0, 0, 0xff, 0xff};
    size_t block_count = RDC_INFLATED_LAYOUT_MAX / 2 + 1;
    scope(buf) struct buf bytes = {0};
    (void)state;
    for (size_t i = 0; i < block_count; i++)
        buf_append(&bytes, block, sizeof(block));
    bytes.data[bytes.size - sizeof(block)] = 1;
    struct rdc_stream stream = {.size = bytes.size};

    scope(form) struct form form = form_of_streams(buf_span(&bytes), &stream, 1);

    assert_int_equal(form.count, 0);
    assert_packs_to(&form, buf_span(&bytes));
}

/* --- what forms are for ----------------------------------------------------------------------*/

static size_t common_prefix(struct span a, struct span b)
{
    size_t i = 0;

    while (i < a.size && i < b.size && a.data[i] == b.data[i])
        i++;
    return i;
}

static size_t common_suffix(struct span a, struct span b)
{
    size_t i = 0;

    while (i < a.size && i < b.size && a.data[a.size - 1 - i] == b.data[b.size - 1 - i])
        i++;
    return i;
}

static void an_edit_changes_only_a_small_share_of_the_form(void **state)
{
    scope(buf) struct buf text = {0};
    scope(buf) struct buf edited = {0};
    (void)state;
    archive_text(&text, 4 * TEXT_SIZE, 1);
    buf_append(&edited, text.data, 2 * TEXT_SIZE);
    buf_append_string(&edited, "words that are new here ");
    buf_append(&edited, text.data + 2 * TEXT_SIZE, 2 * TEXT_SIZE);

    for (int level = 1; level <= 9; level++) {
        scope(buf) struct buf old_bytes = {0};
        scope(buf) struct buf new_bytes = {0};
        struct archive_way way = {level, Z_DEFAULT_STRATEGY};

        archive_gzip(&old_bytes, buf_span(&text), way, 0);
        archive_gzip(&new_bytes, buf_span(&edited), way, 0);
        scope(form) struct form old_form = form_of(buf_span(&old_bytes));
        scope(form) struct form new_form = form_of(buf_span(&new_bytes));
        struct span old_symbols = symbols_of(&old_form);
        struct span new_symbols = symbols_of(&new_form);
        size_t common = common_prefix(old_symbols, new_symbols);

        common += common_suffix(old_symbols, new_symbols);
        assert_in_range(common, new_symbols.size * 9 / 10, new_symbols.size + 1000);
        assert_int_equal(new_form.planes.text_size, old_form.planes.text_size + 24);
    }
}

static void equal_content_has_equal_forms(void **state)
{
    scope(buf) struct buf text = {0};
    scope(buf) struct buf gzip = {0};
    (void)state;
    archive_text(&text, TEXT_SIZE, 1);
    archive_gzip(&gzip, buf_span(&text), WAY, 0);

    scope(form) struct form one = form_of(buf_span(&gzip));
    scope(form) struct form two = form_of(buf_span(&gzip));

    assert_memory_equal(&one.planes, &two.planes, sizeof(one.planes));
    assert_true(span_equal(buf_span(&one.bytes), buf_span(&two.bytes)));
}

static void any_part_of_a_form_can_be_read(void **state)
{
    struct random_source random = random_from(random_seed(__func__));
    struct archive_disk disk = ARCHIVE_DISK;
    struct rdc_scratches scratches = archive_scratches(&disk);
    struct rdc_inflated *inflated = NULL;
    scope(buf) struct buf bytes = {0};
    scope(buf) struct buf text = {0};
    scope(buf) struct buf part = {0};
    (void)state;
    archive_text(&text, 1000, 1);
    struct rdc_stream stream = {.size = archive_deflate(&bytes, buf_span(&text), WAY)};
    struct span span = buf_span(&bytes);
    struct rdc_content content = rdc_content_of(&span);
    scope(form) struct form whole = form_of_streams(span, &stream, 1);

    assert_int_equal(rdc_inflated_new(&content, &stream, 1, &scratches, &inflated), ST_OK);
    content = rdc_inflated_content(inflated);
    for (unsigned i = 0; i < 20000; i++) {
        uint64_t offset = random_below(&random, content.size + 1);
        size_t size = (size_t)random_below(&random, content.size - offset + 1);

        buf_clear(&part);
        assert_int_equal(rdc_content_read(&content, offset, buf_extend(&part, size), size), ST_OK);
        assert_true(
            span_equal(buf_span(&part), span_part(buf_span(&whole.bytes), (size_t)offset, size)));
    }
    rdc_inflated_free(inflated);
}

/* --- what fails ------------------------------------------------------------------------------*/

/* Unpack onto @disk: what it gives. Asserts that nothing is left open. */
static enum status inflate_onto(struct archive_disk *disk, struct rdc_content content,
                                struct rdc_stream stream)
{
    struct rdc_scratches scratches = archive_scratches(disk);
    struct rdc_inflated *inflated = NULL;
    enum status st = rdc_inflated_new(&content, &stream, 1, &scratches, &inflated);

    assert_int_equal(st == ST_OK, inflated != NULL);
    assert_int_equal(disk->open_count, st == ST_OK ? 2 : 0);
    rdc_inflated_free(inflated);
    assert_int_equal(disk->open_count, 0);
    return st;
}

static void scratches_that_fail_are_handed_on(void **state)
{
    scope(buf) struct buf text = {0};
    scope(buf) struct buf bytes = {0};
    (void)state;
    archive_text(&text, 4 * TEXT_SIZE, 1);
    struct rdc_stream stream = {.size = archive_deflate(&bytes, buf_span(&text), WAY)};
    struct span span = buf_span(&bytes);
    struct rdc_content content = rdc_content_of(&span);

    for (unsigned opens = 0; opens < 2; opens++) {
        struct archive_disk disk = {.opens_left = opens, .room = 1u << 30};

        assert_int_equal(inflate_onto(&disk, content, stream), ST_IO);
    }
    /* there may be room for the stream as it is, and none for its text */
    for (uint64_t room = 0; room < 4 * TEXT_SIZE; room += TEXT_SIZE / 2) {
        struct archive_disk disk = {.opens_left = 2, .room = room};

        assert_int_equal(inflate_onto(&disk, content, stream), ST_FULL);
    }
    struct archive_disk enough = {.opens_left = 2, .room = 8 * TEXT_SIZE};
    assert_int_equal(inflate_onto(&enough, content, stream), ST_OK);
}

static void content_that_cannot_be_read_is_handed_on(void **state)
{
    scope(buf) struct buf noise = {0};
    scope(buf) struct buf bytes = {0};
    (void)state;
    archive_noise(&noise, TEXT_SIZE, 1);
    archive_noise(&bytes, 10, 2);
    struct rdc_stream stream = {.offset = 10,
                                .size = archive_deflate(&bytes, buf_span(&noise), WAY)};
    archive_noise(&bytes, 10, 3);

    enum status st = ST_IO;
    unsigned reads = 0;
    for (; st != ST_OK; reads++) {
        struct archive_disk disk = ARCHIVE_DISK;
        struct archive_source source = {buf_span(&bytes), reads};

        st = inflate_onto(&disk, archive_failing(&source), stream);
        assert_true(st == ST_OK || st == ST_IO);
    }
    assert_in_range(reads, 7, 9);
}

static void a_form_that_cannot_be_read_is_handed_on(void **state)
{
    struct archive_disk disk = ARCHIVE_DISK;
    struct rdc_scratches scratches = archive_scratches(&disk);
    struct rdc_inflated *inflated = NULL;
    scope(buf) struct buf text = {0};
    scope(buf) struct buf bytes = {0};
    (void)state;
    archive_text(&text, TEXT_SIZE, 1);
    struct rdc_stream stream = {.size = archive_deflate(&bytes, buf_span(&text), WAY)};
    struct span span = buf_span(&bytes);
    struct rdc_content content = rdc_content_of(&span);

    assert_int_equal(rdc_inflated_new(&content, &stream, 1, &scratches, &inflated), ST_OK);
    content = rdc_inflated_content(inflated);
    enum status st = ST_GONE;
    for (unsigned reads = 0; st != ST_OK; reads++) {
        scope(buf) struct buf out = {0};

        disk.reads_left = reads;
        st = rdc_inflated_pack(&content, rdc_inflated_planes(inflated), append, &out);
        assert_true(st == ST_GONE || (st == ST_OK && reads >= 2));
    }
    rdc_inflated_free(inflated);
}

/* Takes as many pieces as @arg counts. */
static enum status append_some(void *arg, struct span bytes)
{
    unsigned *left = arg;

    assert_true(bytes.size > 0);
    if (*left == 0)
        return ST_FULL;
    *left -= 1;
    return ST_OK;
}

static void a_write_that_fails_is_handed_on(void **state)
{
    scope(buf) struct buf noise = {0};
    scope(buf) struct buf bytes = {0};
    (void)state;
    archive_noise(&noise, 4 * TEXT_SIZE, 1);
    struct rdc_stream stream = {.size = archive_deflate(&bytes, buf_span(&noise), WAY)};
    scope(form) struct form form = form_of_streams(buf_span(&bytes), &stream, 1);
    struct span span = buf_span(&form.bytes);
    struct rdc_content content = rdc_content_of(&span);

    enum status st = ST_FULL;
    for (unsigned pieces = 0; st != ST_OK; pieces++) {
        unsigned left = pieces;

        st = rdc_inflated_pack(&content, &form.planes, append_some, &left);
        assert_true(st == ST_FULL || (st == ST_OK && pieces >= 3));
        assert_int_equal(left, 0);
    }
}

/* --- forms from anywhere ---------------------------------------------------------------------*/

static void planes_that_break_a_limit_are_refused(void **state)
{
    static const struct rdc_planes planes[] = {
        {RDC_INFLATED_SIZE_MAX + 1, 0, 1},
        {0, RDC_INFLATED_SIZE_MAX + 1, 1},
        {0, 0, RDC_INFLATED_LAYOUT_MAX + 1},
        {0, 0, 0},
        {UINT64_MAX, 1, 1},
        {UINT64_MAX, UINT64_MAX, 3},
    };
    struct rdc_planes largest = {RDC_INFLATED_SIZE_MAX, RDC_INFLATED_SIZE_MAX,
                                 RDC_INFLATED_LAYOUT_MAX};
    scope(buf) struct buf out = {0};
    (void)state;

    assert_true(rdc_planes_valid(&largest));
    for (unsigned i = 0; i < sizeof(planes) / sizeof(*planes); i++) {
        assert_false(rdc_planes_valid(&planes[i]));
        assert_int_equal(pack_bytes(span_of("\0\0", 1), &planes[i], &out), ST_BADDATA);
    }
    assert_int_equal(out.size, 0);
}

static void planes_of_another_size_than_the_form_are_refused(void **state)
{
    scope(buf) struct buf out = {0};
    struct rdc_planes right = {2, 0, 1};
    struct rdc_planes longer = {3, 0, 1};
    struct rdc_planes shorter = {1, 0, 1};
    (void)state;

    assert_int_equal(pack_bytes(span_of("ab\2", 3), &right, &out), ST_OK);
    assert_int_equal(pack_bytes(span_of("ab\2", 3), &longer, &out), ST_BADDATA);
    assert_int_equal(pack_bytes(span_of("ab\2", 3), &shorter, &out), ST_BADDATA);
    assert_true(span_equal(buf_span(&out), span_of("ab", 2)));
}

/* A small form of all kinds of blocks and symbols. */
static struct form small_form(struct buf *bytes)
{
    struct rdc_stream streams[3];
    scope(buf) struct buf text = {0};

    archive_text(&text, 2000, 1);
    memset(buf_extend(&text, 600), 'a', 600);
    for (unsigned i = 0; i < 3; i++) {
        struct archive_way way = {i == 0 ? 0 : 6, i == 2 ? Z_FIXED : Z_DEFAULT_STRATEGY};

        archive_noise(bytes, 10, i);
        streams[i].offset = bytes->size;
        streams[i].size = archive_deflate(bytes, buf_span(&text), way);
    }
    archive_noise(bytes, 10, 4);
    struct form form = form_of_streams(buf_span(bytes), streams, 3);
    assert_int_equal(form.count, 3);
    return form;
}

/* Refused, or packed to something else of no more bytes than a form of this size can say. */
static void assert_spoilt(const struct form *f, struct span right)
{
    scope(buf) struct buf out = {0};
    enum status st = pack(f, &out);

    assert_true(st == ST_BADDATA || (st == ST_OK && !span_equal(buf_span(&out), right)));
    assert_in_range(out.size, 0,
                    f->planes.text_size + 6 * f->planes.symbol_size + 3 * f->planes.layout_size);
}

/* Make another byte of the one at @at for a while. */
static void spoil(struct form *f, size_t at, uint8_t change, struct span right)
{
    f->bytes.data[at] ^= change;
    assert_spoilt(f, right);
    f->bytes.data[at] ^= change;
}

static void a_form_that_is_spoilt_anywhere_is_refused_or_packs_to_something_else(void **state)
{
    struct random_source random = random_from(random_seed(__func__));
    scope(buf) struct buf bytes = {0};
    (void)state;
    scope(form) struct form form = small_form(&bytes);
    struct span right = buf_span(&bytes);
    size_t layout_at = form.bytes.size - (size_t)form.planes.layout_size;

    for (size_t at = layout_at; at < form.bytes.size; at++) {
        for (unsigned bit = 0; bit < 8; bit++)
            spoil(&form, at, (uint8_t)(1u << bit), right);
        for (unsigned i = 0; i < 4; i++)
            spoil(&form, at, (uint8_t)(1 + random_below(&random, 255)), right);
    }
    for (unsigned i = 0; i < 20000; i++)
        spoil(&form, (size_t)random_below(&random, layout_at),
              (uint8_t)(1 + random_below(&random, 255)), right);
    assert_packs_to(&form, right);
}

static void a_form_that_lacks_or_has_a_byte_more_is_refused(void **state)
{
    scope(buf) struct buf bytes = {0};
    scope(buf) struct buf out = {0};
    (void)state;
    scope(form) struct form form = small_form(&bytes);
    uint64_t *sizes[] = {&form.planes.text_size, &form.planes.symbol_size};

    /* a byte changes its plane, or is in the next one's place */
    for (unsigned i = 0; i < 2; i++) {
        for (unsigned more = 0; more < 2; more++) {
            struct rdc_planes right = form.planes;

            *sizes[i] += more ? 1 : UINT64_MAX;
            *(i == 0 ? &form.planes.symbol_size : &form.planes.layout_size) +=
                more ? UINT64_MAX : 1;
            assert_int_equal(pack(&form, &out), ST_BADDATA);
            form.planes = right;
        }
    }
    write_u8(&form.bytes, 0);
    form.planes.layout_size += 1;
    assert_int_equal(pack(&form, &out), ST_BADDATA);
    form.bytes.size -= 2;
    form.planes.layout_size -= 2;
    assert_int_equal(pack(&form, &out), ST_BADDATA);
}

/* A last fixed block of @count symbols; how it is packed. */
static enum status pack_fixed(const char *text, struct span symbols, uint8_t count)
{
    scope(buf) struct buf form = {0};
    scope(buf) struct buf out = {0};
    struct rdc_planes planes = {strlen(text), symbols.size, 4};

    buf_append_string(&form, text);
    buf_append(&form, symbols.data, symbols.size);
    write_u8(&form, 0);
    write_u8(&form, 1 | DEFLATE_FIXED << 1);
    write_u8(&form, count);
    write_u8(&form, 0);
    return pack_bytes(buf_span(&form), &planes, &out);
}

static void symbols_that_no_content_has_are_refused(void **state)
{
    (void)state;

    assert_int_equal(pack_fixed("ab", span_of("\0\0", 2), 2), ST_OK);
    assert_int_equal(pack_fixed("ab", span_of("\0\0", 2), 1), ST_BADDATA);
    assert_int_equal(pack_fixed("ab", span_of("\0\0", 2), 3), ST_BADDATA);
    assert_int_equal(pack_fixed("aaaa", span_of("\0\1", 2), 2), ST_OK);
    /* no place has these bytes */
    assert_int_equal(pack_fixed("abcd", span_of("\0\1", 2), 2), ST_BADDATA);
}

static void matches_to_elsewhere_that_no_content_has_are_refused(void **state)
{
    (void)state;

    assert_int_equal(pack_fixed("aaaaa", span_of("\0\0\xff\2\0\1\0", 7), 3), ST_OK);
    assert_int_equal(pack_fixed("aaaaa", span_of("\0\0\xff\3\0\1\0", 7), 3), ST_BADDATA);
    assert_int_equal(pack_fixed("aaaaa", span_of("\0\0\xff\2\0\1", 6), 3), ST_BADDATA);
    /* the nearest place is told as that */
    assert_int_equal(pack_fixed("aaaaa", span_of("\0\0\xff\2\0\0\0", 7), 3), ST_BADDATA);
    /* from before the text, and from further than any */
    assert_int_equal(pack_fixed("aaaaa", span_of("\0\0\xff\2\0\2\0", 7), 3), ST_BADDATA);
    assert_int_equal(pack_fixed("aaaaa", span_of("\0\0\xff\2\0\0\x80", 7), 3), ST_BADDATA);
    /* other bytes stand there */
    assert_int_equal(pack_fixed("abaab", span_of("\0\0\xff\2\0\1\0", 7), 3), ST_BADDATA);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(content_of_any_compressor_comes_back_bit_for_bit),
        cmocka_unit_test(content_without_streams_is_its_own_text),
        cmocka_unit_test(text_stands_in_the_form_as_it_was),
        cmocka_unit_test(gzip_members_behind_the_first_stay_packed),
        cmocka_unit_test(streams_next_to_each_other_come_back),
        cmocka_unit_test(matches_of_any_reach_come_back_from_a_large_text),
        cmocka_unit_test(a_damaged_stream_stays_as_it_is_and_the_next_is_unpacked),
        cmocka_unit_test(a_stream_that_is_spoilt_anywhere_comes_back),
        cmocka_unit_test(a_match_from_before_the_text_is_no_stream),
        cmocka_unit_test(a_stream_that_goes_on_beyond_its_end_stays_as_it_is),
        cmocka_unit_test(a_stream_that_breaks_the_limit_of_the_layout_stays_as_it_is),
        cmocka_unit_test(an_edit_changes_only_a_small_share_of_the_form),
        cmocka_unit_test(equal_content_has_equal_forms),
        cmocka_unit_test(any_part_of_a_form_can_be_read),
        cmocka_unit_test(scratches_that_fail_are_handed_on),
        cmocka_unit_test(content_that_cannot_be_read_is_handed_on),
        cmocka_unit_test(a_form_that_cannot_be_read_is_handed_on),
        cmocka_unit_test(a_write_that_fails_is_handed_on),
        cmocka_unit_test(planes_that_break_a_limit_are_refused),
        cmocka_unit_test(planes_of_another_size_than_the_form_are_refused),
        cmocka_unit_test(a_form_that_is_spoilt_anywhere_is_refused_or_packs_to_something_else),
        cmocka_unit_test(a_form_that_lacks_or_has_a_byte_more_is_refused),
        cmocka_unit_test(symbols_that_no_content_has_are_refused),
        cmocka_unit_test(matches_to_elsewhere_that_no_content_has_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
