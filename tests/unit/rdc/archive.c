/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/rdc/archive.h"

#include "common/base/cursor.h"
#include "common/base/mem.h"
#include "common/base/scope.h"
#include "tests/support/random.h"

#include <assert.h>
#include <stdlib.h>
#include <zlib.h>

#define WORD_COUNT 3000u

/* --- texts -----------------------------------------------------------------------------------*/

void archive_text(struct buf *out, size_t size, uint64_t seed)
{
    struct random_source random = random_from(seed);
    size_t end = out->size + size;

    while (out->size < end) {
        uint64_t word = random_below(&random, 1 + random_below(&random, WORD_COUNT));
        struct random_source letters = random_from(word);

        for (uint64_t count = 2 + random_below(&letters, 8); count > 0; count--)
            write_u8(out, (uint8_t)('a' + random_below(&letters, 26)));
        write_u8(out, ' ');
    }
    out->size = end;
}

void archive_noise(struct buf *out, size_t size, uint64_t seed)
{
    struct random_source random = random_from(seed);

    for (size_t i = 0; i < size; i++)
        write_u8(out, (uint8_t)(random_next(&random) >> 24));
}

/* --- streams ---------------------------------------------------------------------------------*/

size_t archive_deflate(struct buf *out, struct span text, struct archive_way way)
{
    scope_free uint8_t *input = mem_copy(text.data, text.size);
    z_stream z = {.next_in = input, .avail_in = (uInt)text.size};
    int st = deflateInit2(&z, way.level, Z_DEFLATED, -MAX_WBITS, 8, way.strategy);
    size_t size = out->size;

    assert(st == Z_OK);
    z.avail_out = (uInt)deflateBound(&z, (uLong)text.size);
    z.next_out = buf_extend(out, z.avail_out);
    st = deflate(&z, Z_FINISH);
    assert(st == Z_STREAM_END);
    out->size = size + z.total_out;
    deflateEnd(&z);
    return out->size - size;
}

static uint32_t crc_of(struct span text)
{
    return (uint32_t)crc32_z(0, text.data, text.size);
}

size_t archive_gzip(struct buf *out, struct span text, struct archive_way way, unsigned flags)
{
    static const uint8_t head[] = {0x1f, 0x8b, 8};

    buf_append(out, head, sizeof(head));
    write_u8(out, (uint8_t)flags);
    write_u32(out, 1700000000);
    write_u16(out, 0x0300);
    if (flags & ARCHIVE_EXTRA) {
        write_u16(out, 7);
        buf_append(out, "ab\3\0cde", 7);
    }
    if (flags & ARCHIVE_NAMED)
        buf_append(out, "a name", 7);
    if (flags & ARCHIVE_COMMENTED)
        buf_append(out, "a comment", 10);
    if (flags & ARCHIVE_CHECKED)
        write_u16(out, 0x1234);
    size_t begin = out->size;
    archive_deflate(out, text, way);
    write_u32(out, crc_of(text));
    write_u32(out, (uint32_t)text.size);
    return begin;
}

/* --- ZIP -------------------------------------------------------------------------------------*/

/* What header and directory entry have in common: from the version needed to the sizes. */
static void write_common(struct buf *out, struct span text, size_t size, enum archive_method method,
                         bool described)
{
    write_u16(out, 20);
    write_u16(out, method == ARCHIVE_DESCRIBED ? 8 : 0);
    write_u16(out, method == ARCHIVE_STORED ? 0 : 8);
    write_u32(out, 0x5a215a21);
    write_u32(out, described ? 0 : crc_of(text));
    write_u32(out, described ? 0 : (uint32_t)size);
    write_u32(out, described ? 0 : (uint32_t)text.size);
}

static void write_entry(struct archive_zip *zip, struct span text, size_t size,
                        enum archive_method method, size_t header_at)
{
    struct buf *out = &zip->directory;

    write_u32(out, 0x02014b50);
    write_u16(out, 20);
    write_common(out, text, size, method, false);
    write_u16(out, 6); /* name, extra field, comment */
    write_u16(out, 0);
    write_u16(out, 4);
    write_u64(out, 0);
    write_u32(out, (uint32_t)header_at);
    buf_printf(out, "%06u", zip->count);
    buf_append(out, "note", 4);
}

size_t archive_zip_add(struct archive_zip *zip, struct span text, enum archive_method method,
                       int level)
{
    struct buf *out = &zip->bytes;
    size_t header_at = out->size;
    scope(buf) struct buf packed = {0};

    if (method == ARCHIVE_STORED)
        buf_append(&packed, text.data, text.size);
    else
        archive_deflate(&packed, text, (struct archive_way){level, Z_DEFAULT_STRATEGY});
    write_u32(out, 0x04034b50);
    write_common(out, text, packed.size, method, method == ARCHIVE_DESCRIBED);
    write_u16(out, 6); /* name, extra field */
    write_u16(out, 5);
    buf_printf(out, "%06u", zip->count);
    buf_append(out, "\1\0\1\0x", 5);
    size_t begin = out->size;
    buf_append(out, packed.data, packed.size);
    if (method == ARCHIVE_DESCRIBED) {
        write_u32(out, 0x08074b50);
        write_u32(out, crc_of(text));
        write_u32(out, (uint32_t)packed.size);
        write_u32(out, (uint32_t)text.size);
    }
    write_entry(zip, text, packed.size, method, header_at);
    zip->count += 1;
    return begin;
}

void archive_zip_end(struct archive_zip *zip, const char *comment)
{
    struct buf *out = &zip->bytes;
    size_t directory_at = out->size;

    buf_append(out, zip->directory.data, zip->directory.size);
    write_u32(out, 0x06054b50);
    write_u32(out, 0);
    write_u16(out, zip->count);
    write_u16(out, zip->count);
    write_u32(out, (uint32_t)zip->directory.size);
    write_u32(out, (uint32_t)directory_at);
    write_u16(out, (uint16_t)strlen(comment));
    buf_append_string(out, comment);
}

void archive_zip_fini(struct archive_zip *zip)
{
    buf_fini(&zip->bytes);
    buf_fini(&zip->directory);
}

/* --- what fails ------------------------------------------------------------------------------*/

static enum status read_source(void *arg, uint64_t offset, void *out, size_t size)
{
    struct archive_source *source = arg;

    if (source->reads_left == 0)
        return ST_IO;
    source->reads_left -= 1;
    memcpy(out, source->bytes.data + offset, size);
    return ST_OK;
}

struct rdc_content archive_failing(struct archive_source *source)
{
    return (struct rdc_content){.size = source->bytes.size, .read = read_source, .arg = source};
}

struct memory_scratch {
    struct archive_disk *disk;
    struct buf bytes;
};

static enum status write_scratch(void *arg, uint64_t offset, struct span bytes)
{
    struct memory_scratch *s = arg;
    uint64_t end = offset + bytes.size;
    uint64_t growth = end > s->bytes.size ? end - s->bytes.size : 0;

    assert(offset <= s->bytes.size);
    if (growth > s->disk->room)
        return ST_FULL;
    s->disk->room -= growth;
    if (growth > 0)
        buf_extend(&s->bytes, (size_t)growth);
    memcpy(s->bytes.data + offset, bytes.data, bytes.size);
    return ST_OK;
}

static enum status read_scratch(void *arg, uint64_t offset, void *out, size_t size)
{
    struct memory_scratch *s = arg;

    assert(offset <= s->bytes.size && size <= s->bytes.size - offset);
    if (s->disk->reads_left == 0)
        return ST_GONE;
    s->disk->reads_left -= 1;
    memcpy(out, s->bytes.data + offset, size);
    return ST_OK;
}

static void close_scratch(void *arg)
{
    struct memory_scratch *s = arg;

    s->disk->open_count -= 1;
    buf_fini(&s->bytes);
    free(s);
}

static enum status open_scratch(void *arg, struct rdc_scratch *out_scratch)
{
    struct archive_disk *disk = arg;

    if (disk->opens_left == 0)
        return ST_IO;
    struct memory_scratch *s = MEM_NEW(struct memory_scratch);
    disk->opens_left -= 1;
    disk->open_count += 1;
    s->disk = disk;
    *out_scratch = (struct rdc_scratch){
        .write = write_scratch, .read = read_scratch, .close = close_scratch, .arg = s};
    return ST_OK;
}

struct rdc_scratches archive_scratches(struct archive_disk *disk)
{
    return (struct rdc_scratches){.open = open_scratch, .arg = disk};
}

static enum status write_result(void *arg, uint64_t offset, struct span bytes)
{
    struct buf *result = arg;

    assert(offset == result->size);
    buf_append(result, bytes.data, bytes.size);
    return ST_OK;
}

static enum status read_result(void *arg, uint64_t offset, void *out, size_t size)
{
    const struct buf *result = arg;

    assert(offset <= result->size && size <= result->size - offset);
    memcpy(out, result->data + offset, size);
    return ST_OK;
}

static enum status restart_result(void *arg)
{
    buf_clear(arg);
    return ST_OK;
}

struct rdc_sink archive_sink(struct buf *result)
{
    return (struct rdc_sink){
        .write = write_result, .read = read_result, .restart = restart_result, .arg = result};
}
