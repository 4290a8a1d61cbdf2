/* SPDX-License-Identifier: Apache-2.0 */
#include "common/rdc/deflate.h"

#include "common/base/cursor.h"
#include "common/base/scope.h"
#include "tests/unit/rdc/archive.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <zlib.h>
#include <cmocka.h>

#define TEXT_SIZE  200000u
#define BATCH      100u
#define FIXED_END  0u /* its code, of 7 bits */
#define LAST       1u
#define GIVES_NONE 0xffffu

/* --- read and written again ------------------------------------------------------------------*/

static enum status copy_stored(struct deflate_reader *r, struct deflate_writer *w, uint32_t size)
{
    uint8_t bytes[BATCH];
    enum status st = ST_OK;

    while (size > 0 && st == ST_OK) {
        uint32_t part = size < BATCH ? size : BATCH;

        st = deflate_read_stored(r, bytes, part);
        if (st == ST_OK)
            deflate_write_stored(w, span_of(bytes, part));
        size -= part;
    }
    return st;
}

static enum status copy_block(struct deflate_reader *r, struct deflate_writer *w, bool *out_last)
{
    deflate_symbol symbols[BATCH];
    struct deflate_block block = {0};
    bool ended = false;
    enum status st = deflate_read_block(r, &block);

    if (st != ST_OK)
        return st;
    assert_int_equal(deflate_write_block(w, &block), ST_OK);
    *out_last = block.last;
    if (block.type == DEFLATE_STORED)
        return copy_stored(r, w, block.stored_size);
    while (!ended) {
        size_t count = 0;

        st = deflate_read_symbols(r, symbols, BATCH, &count, &ended);
        if (st != ST_OK)
            return st;
        assert_in_range(count, 0, BATCH);
        assert_int_equal(deflate_write_symbols(w, symbols, count), ST_OK);
    }
    assert_int_equal(deflate_write_block_end(w), ST_OK);
    return ST_OK;
}

/* Read a stream from @offset on and write it to @out. What the reader said of it. */
static enum status copy_stream(const struct rdc_content *content, uint64_t offset, struct buf *out,
                               uint64_t *out_end)
{
    struct deflate_reader r;
    struct deflate_writer w;
    bool last = false;
    enum status st = ST_OK;

    deflate_reader_init(&r, content, offset, content->size);
    deflate_writer_init(&w, out);
    while (!last && st == ST_OK)
        st = copy_block(&r, &w, &last);
    if (st == ST_OK)
        st = deflate_read_end(&r, out_end);
    deflate_write_end(&w);
    deflate_reader_fini(&r);
    return st;
}

static enum status copy_bytes(struct span bytes, struct buf *out, uint64_t *out_end)
{
    struct rdc_content content = rdc_content_of(&bytes);

    return copy_stream(&content, 0, out, out_end);
}

static enum status verdict(struct span bytes)
{
    scope(buf) struct buf out = {0};
    uint64_t end = 0;

    return copy_bytes(bytes, &out, &end);
}

static void assert_comes_back(struct span stream)
{
    scope(buf) struct buf out = {0};
    uint64_t end = 0;

    assert_int_equal(copy_bytes(stream, &out, &end), ST_OK);
    assert_int_equal(end, stream.size);
    assert_true(span_equal(buf_span(&out), stream));
}

static void assert_all_ways_come_back(struct span text)
{
    for (int strategy = Z_DEFAULT_STRATEGY; strategy <= Z_FIXED; strategy++) {
        for (int level = 0; level <= 9; level++) {
            scope(buf) struct buf stream = {0};

            archive_deflate(&stream, text, (struct archive_way){level, strategy});
            assert_comes_back(buf_span(&stream));
        }
    }
}

static void a_stream_of_any_compressor_comes_back_bit_for_bit(void **state)
{
    static const uint8_t zeros[TEXT_SIZE] = {0};
    scope(buf) struct buf text = {0};
    scope(buf) struct buf noise = {0};
    (void)state;
    archive_text(&text, TEXT_SIZE, 1);
    archive_noise(&noise, TEXT_SIZE, 2);

    assert_all_ways_come_back(buf_span(&text));
    assert_all_ways_come_back(span_of(zeros, sizeof(zeros)));
    assert_all_ways_come_back(buf_span(&noise));
    assert_all_ways_come_back((struct span){0});
    assert_all_ways_come_back(span_of(zeros, 1));
}

/* Ends of blocks and of input stand in every relation to each other. */
static void a_stream_longer_than_the_input_comes_back_from_any_offset(void **state)
{
    scope(buf) struct buf noise = {0};
    (void)state;
    archive_noise(&noise, 2 * DEFLATE_INPUT_SIZE, 1);

    for (size_t before = 0; before < 20; before++) {
        scope(buf) struct buf bytes = {0};
        scope(buf) struct buf out = {0};
        uint64_t end = 0;

        archive_noise(&bytes, before, 2);
        archive_deflate(&bytes, span_part(buf_span(&noise), before, noise.size),
                        (struct archive_way){(int)(before % 3), Z_DEFAULT_STRATEGY});
        assert_true(bytes.size > DEFLATE_INPUT_SIZE);
        struct span span = buf_span(&bytes);
        struct rdc_content content = rdc_content_of(&span);

        assert_int_equal(copy_stream(&content, before, &out, &end), ST_OK);
        assert_int_equal(end, bytes.size);
        assert_true(span_equal(buf_span(&out), span_part(span, before, span.size)));
    }
}

static void the_end_is_found_whatever_stands_behind_it(void **state)
{
    scope(buf) struct buf text = {0};
    (void)state;
    archive_text(&text, 300, 1);

    for (size_t size = 0; size <= text.size; size++) {
        scope(buf) struct buf bytes = {0};
        scope(buf) struct buf out = {0};
        uint64_t end = 0;
        size_t stream_size = archive_deflate(&bytes, span_part(buf_span(&text), 0, size),
                                             (struct archive_way){(int)(size % 10), 0});

        archive_noise(&bytes, size % 23, size);

        assert_int_equal(copy_bytes(buf_span(&bytes), &out, &end), ST_OK);
        assert_int_equal(end, stream_size);
        assert_true(span_equal(buf_span(&out), span_of(bytes.data, stream_size)));
    }
}

static void a_stream_cut_short_anywhere_is_refused(void **state)
{
    scope(buf) struct buf text = {0};
    (void)state;
    archive_text(&text, 500, 1);

    for (int strategy = Z_DEFAULT_STRATEGY; strategy <= Z_FIXED; strategy++) {
        for (int level = 0; level <= 9; level += 3) {
            scope(buf) struct buf stream = {0};

            archive_deflate(&stream, buf_span(&text), (struct archive_way){level, strategy});
            for (size_t size = 0; size < stream.size; size++)
                assert_int_equal(verdict(span_of(stream.data, size)), ST_BADDATA);
        }
    }
}

static void a_read_that_fails_is_handed_on(void **state)
{
    scope(buf) struct buf noise = {0};
    scope(buf) struct buf stream = {0};
    (void)state;
    archive_noise(&noise, 3 * DEFLATE_INPUT_SIZE, 1);

    for (int level = 0; level <= 6; level += 6) {
        buf_clear(&stream);
        archive_deflate(&stream, buf_span(&noise), (struct archive_way){level, Z_HUFFMAN_ONLY});
        for (unsigned reads = 0; reads <= 3; reads++) {
            struct archive_source source = {buf_span(&stream), reads};
            struct rdc_content content = archive_failing(&source);
            scope(buf) struct buf out = {0};
            uint64_t end = 0;

            assert_int_equal(copy_stream(&content, 0, &out, &end), ST_IO);
        }
    }
}

/* --- streams made by hand --------------------------------------------------------------------*/

struct bit_stream {
    struct buf bytes;
    unsigned count;
};

static void bit_stream_fini(struct bit_stream *s)
{
    buf_fini(&s->bytes);
}

/* Least significant first, as numbers are; zeros from the 33rd bit on. */
static void put(struct bit_stream *s, uint32_t value, unsigned count)
{
    for (unsigned i = 0; i < count; i++, s->count++) {
        if (s->count % 8 == 0)
            write_u8(&s->bytes, 0);
        s->bytes.data[s->count / 8] |= (uint8_t)((value & 1) << s->count % 8);
        value >>= 1;
    }
}

/* Most significant first, as codes are. */
static void put_code(struct bit_stream *s, uint32_t code, unsigned length)
{
    while (length-- > 0)
        put(s, code >> length & 1, 1);
}

static void put_head(struct bit_stream *s, uint32_t last, uint32_t type)
{
    put(s, last, 1);
    put(s, type, 2);
}

/* A block's literal or length, by the fixed code. */
static void put_fixed(struct bit_stream *s, uint32_t symbol)
{
    if (symbol < 144)
        put_code(s, 0x30 + symbol, 8);
    else if (symbol < 256)
        put_code(s, 0x190 + symbol - 144, 9);
    else if (symbol < 280)
        put_code(s, symbol - 256, 7);
    else
        put_code(s, 0xc0 + symbol - 280, 8);
}

static void an_unknown_type_of_block_is_refused(void **state)
{
    scope(bit_stream) struct bit_stream s = {0};
    (void)state;

    put_head(&s, LAST, 3);
    put(&s, 0, 32);

    assert_int_equal(verdict(buf_span(&s.bytes)), ST_BADDATA);
}

/* A stored byte behind an empty fixed block: six bits of padding. */
static void put_stored(struct bit_stream *s, uint32_t padding, uint32_t size, uint32_t inverse)
{
    put_head(s, 0, DEFLATE_FIXED);
    put_code(s, FIXED_END, 7);
    put_head(s, LAST, DEFLATE_STORED);
    put(s, padding, 3);
    put(s, size, 16);
    put(s, inverse, 16);
    put(s, 'a', 8);
}

static void a_stored_block_is_taken_only_as_it_would_be_written(void **state)
{
    scope(bit_stream) struct bit_stream good = {0};
    scope(bit_stream) struct bit_stream mismatch = {0};
    scope(bit_stream) struct bit_stream too_long = {0};
    (void)state;

    put_stored(&good, 0, 1, 0xfffe);
    put_stored(&mismatch, 0, 1, 0xfffc);
    put_stored(&too_long, 0, 2, 0xfffd);

    assert_comes_back(buf_span(&good.bytes));
    assert_int_equal(verdict(buf_span(&mismatch.bytes)), ST_BADDATA);
    assert_int_equal(verdict(buf_span(&too_long.bytes)), ST_BADDATA);
    for (uint32_t padding = 1; padding < 8; padding++) {
        scope(bit_stream) struct bit_stream padded = {0};

        put_stored(&padded, padding, 1, 0xfffe);
        assert_int_equal(verdict(buf_span(&padded.bytes)), ST_BADDATA);
    }
}

static void padding_behind_the_last_block_must_be_zero(void **state)
{
    (void)state;

    for (uint32_t padding = 0; padding < 64; padding++) {
        scope(bit_stream) struct bit_stream s = {0};

        put_head(&s, LAST, DEFLATE_FIXED);
        put_code(&s, FIXED_END, 7);
        put(&s, padding, 6);
        assert_int_equal(verdict(buf_span(&s.bytes)), padding == 0 ? ST_OK : ST_BADDATA);
    }
}

/* Ten literals and a match of distance code @offset_code. */
static enum status verdict_of_match(uint32_t code, uint32_t extra, unsigned extra_count,
                                    uint32_t offset_code)
{
    scope(bit_stream) struct bit_stream s = {0};

    put_head(&s, LAST, DEFLATE_FIXED);
    for (unsigned i = 0; i < 10; i++)
        put_fixed(&s, 'a');
    put_fixed(&s, code);
    put(&s, extra, extra_count);
    put_code(&s, offset_code, 5);
    put_code(&s, FIXED_END, 7);
    put(&s, 0, 32); /* more than any distance has behind its code */
    return verdict(buf_span(&s.bytes));
}

static void a_length_that_has_a_code_of_its_own_is_told_by_it(void **state)
{
    (void)state;

    assert_int_equal(verdict_of_match(285, 0, 0, 0), ST_OK);
    assert_int_equal(verdict_of_match(284, 30, 5, 0), ST_OK);
    assert_int_equal(verdict_of_match(284, 31, 5, 0), ST_BADDATA);
}

static void codes_that_stand_for_nothing_are_refused(void **state)
{
    (void)state;

    assert_int_equal(verdict_of_match(286, 0, 0, 0), ST_BADDATA);
    assert_int_equal(verdict_of_match(287, 0, 0, 0), ST_BADDATA);
    assert_int_equal(verdict_of_match(257, 0, 0, 3), ST_OK);
    assert_int_equal(verdict_of_match(257, 0, 0, 30), ST_BADDATA);
    assert_int_equal(verdict_of_match(257, 0, 0, 31), ST_BADDATA);
}

/* --- tables made by hand ---------------------------------------------------------------------*/

/* A table whose code lengths are told in two classes: 1 as the bit 0, @other as the bit 1. */
static void put_table(struct bit_stream *s, unsigned literal_count, unsigned offset_count,
                      unsigned other)
{
    static const uint8_t order[] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1};

    put(s, literal_count - 257, 5);
    put(s, offset_count - 1, 5);
    put(s, sizeof(order) - 4, 4);
    for (unsigned i = 0; i < sizeof(order); i++)
        put(s, order[i] == 1 || order[i] == other, 3);
}

static void put_zeros(struct bit_stream *s, unsigned count)
{
    while (count > 0) {
        unsigned part = count < 138 ? count : 138;

        part -= count - part > 0 && count - part < 11 ? 11 : 0;
        put(s, 1, 1);
        put(s, part - 11, 7);
        count -= part;
    }
}

/* A table with codes for the @first literals, the block's end and @offset_count distances. */
static void put_codes(struct bit_stream *s, unsigned first, unsigned offset_count)
{
    put_table(s, 257, offset_count, 18);
    put(s, 0, first);
    put_zeros(s, 256 - first);
    put(s, 0, 1 + offset_count);
}

static void codes_fit_or_are_refused(void **state)
{
    (void)state;

    for (unsigned first = 0; first <= 3; first++) {
        for (unsigned offset_count = 1; offset_count <= 3; offset_count++) {
            scope(bit_stream) struct bit_stream s = {0};

            put_head(&s, LAST, DEFLATE_DYNAMIC);
            put_codes(&s, first, offset_count);
            put(&s, first, 1); /* the end */
            if (first <= 1 && offset_count <= 2)
                assert_comes_back(buf_span(&s.bytes));
            else
                assert_int_equal(verdict(buf_span(&s.bytes)), ST_BADDATA);
        }
    }
}

static void a_code_that_no_length_has_is_refused(void **state)
{
    scope(bit_stream) struct bit_stream good = {0};
    scope(bit_stream) struct bit_stream no_code = {0};
    scope(bit_stream) struct bit_stream no_end = {0};
    (void)state;

    put_head(&good, LAST, DEFLATE_DYNAMIC);
    put_codes(&good, 0, 1);
    put_head(&no_code, LAST, DEFLATE_DYNAMIC);
    put_codes(&no_code, 0, 1);
    put(&good, 0, 1);
    put(&no_code, 1, 1);
    put_head(&no_end, LAST, DEFLATE_DYNAMIC);
    put_table(&no_end, 257, 1, 18);
    put(&no_end, 0, 2);
    put_zeros(&no_end, 256);
    put(&no_end, 0, 100);

    assert_comes_back(buf_span(&good.bytes));
    assert_int_equal(verdict(buf_span(&no_code.bytes)), ST_BADDATA);
    assert_int_equal(verdict(buf_span(&no_end.bytes)), ST_BADDATA);
}

static void code_lengths_are_refused_unless_each_is_told_once(void **state)
{
    scope(bit_stream) struct bit_stream too_many_classes = {0};
    scope(bit_stream) struct bit_stream no_class = {0};
    scope(bit_stream) struct bit_stream repeats_nothing = {0};
    scope(bit_stream) struct bit_stream repeats_beyond = {0};
    (void)state;

    put_head(&too_many_classes, LAST, DEFLATE_DYNAMIC);
    put(&too_many_classes, 0, 14);
    for (unsigned i = 0; i < 4; i++)
        put(&too_many_classes, 1, 3);
    put_head(&no_class, LAST, DEFLATE_DYNAMIC);
    put_table(&no_class, 257, 1, GIVES_NONE);
    put(&no_class, 1, 1);
    put_head(&repeats_nothing, LAST, DEFLATE_DYNAMIC);
    put_table(&repeats_nothing, 257, 1, 16);
    put(&repeats_nothing, 1, 1);
    put_head(&repeats_beyond, LAST, DEFLATE_DYNAMIC);
    put_table(&repeats_beyond, 257, 1, 18);
    put_zeros(&repeats_beyond, 259);

    struct bit_stream *all[] = {&too_many_classes, &no_class, &repeats_nothing, &repeats_beyond};
    for (unsigned i = 0; i < sizeof(all) / sizeof(*all); i++) {
        put(all[i], 0, 400); /* not refused for their end */
        assert_int_equal(verdict(buf_span(&all[i]->bytes)), ST_BADDATA);
    }
}

static void a_table_may_name_codes_that_mean_nothing(void **state)
{
    (void)state;

    for (unsigned more = 11; more < 32; more++) {
        scope(bit_stream) struct bit_stream s = {0};

        put_head(&s, LAST, DEFLATE_DYNAMIC);
        put_table(&s, 257 + more, 1 + more, 18);
        put_zeros(&s, 256);
        put(&s, 0, 1);
        put_zeros(&s, more);
        put(&s, 0, 1);
        put_zeros(&s, more);
        put(&s, 0, 1); /* the end */
        assert_comes_back(buf_span(&s.bytes));
    }
}

/* --- the writer ------------------------------------------------------------------------------*/

static void every_length_and_every_distance_comes_back(void **state)
{
    struct deflate_block block = {.last = true, .type = DEFLATE_FIXED};
    scope(buf) struct buf bytes = {0};
    struct deflate_writer w;
    struct deflate_reader r;
    (void)state;

    deflate_writer_init(&w, &bytes);
    assert_int_equal(deflate_write_block(&w, &block), ST_OK);
    for (uint32_t distance = 1; distance <= DEFLATE_DISTANCE_MAX; distance++) {
        deflate_symbol symbol = (3 + distance % 256) << 16 | distance;

        assert_int_equal(deflate_write_symbols(&w, &symbol, 1), ST_OK);
    }
    assert_int_equal(deflate_write_block_end(&w), ST_OK);
    deflate_write_end(&w);
    struct span span = buf_span(&bytes);
    struct rdc_content content = rdc_content_of(&span);

    deflate_reader_init(&r, &content, 0, content.size);
    assert_int_equal(deflate_read_block(&r, &block), ST_OK);
    for (uint32_t distance = 1; distance <= DEFLATE_DISTANCE_MAX; distance++) {
        deflate_symbol symbol = 0;
        size_t count = 0;
        bool ended = true;

        assert_int_equal(deflate_read_symbols(&r, &symbol, 1, &count, &ended), ST_OK);
        assert_int_equal(count, 1);
        assert_int_equal(deflate_match_length(symbol), 3 + distance % 256);
        assert_int_equal(deflate_match_distance(symbol), distance);
    }
    deflate_reader_fini(&r);
}

/* A dynamic block with codes for the @first literals, the end and one distance. */
static struct deflate_block dynamic_block(unsigned first)
{
    scope(bit_stream) struct bit_stream s = {0};
    struct deflate_block block = {.last = true, .type = DEFLATE_DYNAMIC};

    put_codes(&s, first, 1);
    block.table_size = s.bytes.size;
    memcpy(block.table, s.bytes.data, s.bytes.size);
    return block;
}

static enum status write_block(const struct deflate_block *block)
{
    scope(buf) struct buf out = {0};
    struct deflate_writer w;

    deflate_writer_init(&w, &out);
    return deflate_write_block(&w, block);
}

static enum status write_symbol(const struct deflate_block *block, deflate_symbol symbol)
{
    scope(buf) struct buf out = {0};
    struct deflate_writer w;

    deflate_writer_init(&w, &out);
    assert_int_equal(deflate_write_block(&w, block), ST_OK);
    return deflate_write_symbols(&w, &symbol, 1);
}

static void a_symbol_without_a_code_cannot_be_written(void **state)
{
    struct deflate_block block = dynamic_block(1);
    (void)state;

    assert_int_equal(write_symbol(&block, 0), ST_OK);
    for (deflate_symbol literal = 1; literal < 256; literal++)
        assert_int_equal(write_symbol(&block, literal), ST_BADDATA);
    assert_int_equal(write_symbol(&block, 3 << 16 | 1), ST_BADDATA); /* no length has one */
}

static void a_block_without_a_code_for_its_end_cannot_be_ended(void **state)
{
    scope(bit_stream) struct bit_stream s = {0};
    struct deflate_block block = {.type = DEFLATE_DYNAMIC};
    scope(buf) struct buf out = {0};
    struct deflate_writer w;
    (void)state;
    put_table(&s, 257, 1, 18);
    put(&s, 0, 2);
    put_zeros(&s, 256);
    block.table_size = s.bytes.size;
    memcpy(block.table, s.bytes.data, s.bytes.size);

    deflate_writer_init(&w, &out);
    assert_int_equal(deflate_write_block(&w, &block), ST_OK);

    assert_int_equal(deflate_write_block_end(&w), ST_BADDATA);
}

static void a_table_that_no_reader_gives_cannot_be_written(void **state)
{
    struct deflate_block good = dynamic_block(1);
    struct deflate_block too_many = dynamic_block(2);
    struct deflate_block filled = good;
    struct deflate_block longer = good;
    struct deflate_block shorter = good;
    struct deflate_block empty = {.type = DEFLATE_DYNAMIC};
    (void)state;

    filled.table[filled.table_size - 1] |= 0x80;
    longer.table_size += 1;

    assert_int_equal(write_block(&good), ST_OK);
    assert_int_equal(write_block(&too_many), ST_BADDATA);
    assert_int_equal(write_block(&filled), ST_BADDATA);
    while (longer.table_size <= DEFLATE_TABLE_SIZE_MAX) {
        assert_int_equal(write_block(&longer), ST_BADDATA);
        longer.table_size += 1;
    }
    while (shorter.table_size-- > 0)
        assert_int_equal(write_block(&shorter), ST_BADDATA);
    assert_int_equal(write_block(&empty), ST_BADDATA);
}

static void a_block_that_no_reader_gives_cannot_be_written(void **state)
{
    struct deflate_block longest = {.type = DEFLATE_STORED, .stored_size = DEFLATE_STORED_MAX};
    struct deflate_block too_long = {.type = DEFLATE_STORED, .stored_size = DEFLATE_STORED_MAX + 1};
    struct deflate_block unknown = {.type = DEFLATE_TYPES};
    (void)state;

    assert_int_equal(write_block(&longest), ST_OK);
    assert_int_equal(write_block(&too_long), ST_BADDATA);
    assert_int_equal(write_block(&unknown), ST_BADDATA);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_of_any_compressor_comes_back_bit_for_bit),
        cmocka_unit_test(a_stream_longer_than_the_input_comes_back_from_any_offset),
        cmocka_unit_test(the_end_is_found_whatever_stands_behind_it),
        cmocka_unit_test(a_stream_cut_short_anywhere_is_refused),
        cmocka_unit_test(a_read_that_fails_is_handed_on),
        cmocka_unit_test(an_unknown_type_of_block_is_refused),
        cmocka_unit_test(a_stored_block_is_taken_only_as_it_would_be_written),
        cmocka_unit_test(padding_behind_the_last_block_must_be_zero),
        cmocka_unit_test(a_length_that_has_a_code_of_its_own_is_told_by_it),
        cmocka_unit_test(codes_that_stand_for_nothing_are_refused),
        cmocka_unit_test(codes_fit_or_are_refused),
        cmocka_unit_test(a_code_that_no_length_has_is_refused),
        cmocka_unit_test(code_lengths_are_refused_unless_each_is_told_once),
        cmocka_unit_test(a_table_may_name_codes_that_mean_nothing),
        cmocka_unit_test(every_length_and_every_distance_comes_back),
        cmocka_unit_test(a_symbol_without_a_code_cannot_be_written),
        cmocka_unit_test(a_block_without_a_code_for_its_end_cannot_be_ended),
        cmocka_unit_test(a_table_that_no_reader_gives_cannot_be_written),
        cmocka_unit_test(a_block_that_no_reader_gives_cannot_be_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
