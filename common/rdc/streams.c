/* SPDX-License-Identifier: Apache-2.0 */
/* ZIP: APPNOTE.TXT 6.3.10, 4.3.7 (local header), 4.3.12 (directory), 4.3.16 (its end). Archives
 * that need the 64 bit records are left alone. gzip: RFC 1952. */
#include "common/rdc/streams.h"

#include "common/base/cursor.h"
#include "common/base/mem.h"
#include "common/base/scope.h"

#include <stdlib.h>

#define MAGIC_SIZE     4u
#define METHOD_DEFLATE 8u

#define ZIP_LOCAL            0x04034b50u
#define ZIP_ENTRY            0x02014b50u
#define ZIP_END              0x06054b50u
#define ZIP_LOCAL_SIZE       30u
#define ZIP_END_SIZE         22u
#define ZIP_COMMENT_SIZE_MAX 65535u
#define ZIP_DIRECTORY_MAX    (16u << 20)

#define GZIP_HEAD_SIZE     10u
#define GZIP_TAIL_SIZE     8u
#define GZIP_HEAD_SIZE_MAX (4u << 10) /* with the names in it */
#define GZIP_CHECKED       2u
#define GZIP_EXTRA         4u
#define GZIP_NAMED         8u
#define GZIP_COMMENTED     16u

/* @text_crc, @text_size: of what it unpacks to, as the archive says. */
static void add(struct rdc_streams *s, uint64_t offset, uint64_t size, uint32_t text_crc,
                uint32_t text_size)
{
    uint32_t sizes = (uint32_t)size * UINT32_C(2654435761) ^ text_size * UINT32_C(2246822519);

    s->items = mem_resize(s->items, s->count + 1, sizeof(*s->items));
    s->items[s->count++] =
        (struct rdc_stream){.offset = offset, .size = size, .identity = (text_crc ^ sizes) >> 8};
}

/* --- gzip ------------------------------------------------------------------------------------*/

static void skip_text(struct reader *r)
{
    while (reader_ok(r) && reader_u8(r) != 0)
        ;
}

static enum status find_gzip(const struct rdc_content *content, struct rdc_streams *out)
{
    uint8_t head[GZIP_HEAD_SIZE_MAX];
    size_t size = content->size < sizeof(head) ? (size_t)content->size : sizeof(head);
    enum status st = rdc_content_read(content, 0, head, size);
    struct reader r = reader_of(span_of(head, size));

    if (st != ST_OK)
        return st;
    reader_bytes(&r, 3);
    uint8_t flags = reader_u8(&r);
    reader_bytes(&r, GZIP_HEAD_SIZE - 4);
    if (flags & GZIP_EXTRA)
        reader_bytes(&r, reader_u16(&r));
    if (flags & GZIP_NAMED)
        skip_text(&r);
    if (flags & GZIP_COMMENTED)
        skip_text(&r);
    if (flags & GZIP_CHECKED)
        reader_u16(&r);
    uint64_t begin = size - r.rest.size;
    if (!reader_ok(&r) || content->size - begin < RDC_STREAM_SIZE_MIN + GZIP_TAIL_SIZE)
        return ST_OK;
    uint64_t end = content->size - GZIP_TAIL_SIZE;
    st = rdc_content_read(content, end, head, GZIP_TAIL_SIZE);
    r = reader_of(span_of(head, GZIP_TAIL_SIZE));
    uint32_t crc = reader_u32(&r);
    if (st == ST_OK)
        add(out, begin, end - begin, crc, reader_u32(&r));
    return st;
}

/* --- ZIP -------------------------------------------------------------------------------------*/

struct zip_directory {
    uint64_t offset;
    uint64_t size;
};

/* As the directory tells of it. */
struct zip_member {
    uint16_t method;
    uint32_t size;
    uint32_t text_crc;
    uint32_t text_size;
    uint32_t header_at;
};

/* @tail is what the content ends with. */
static bool find_directory(struct span tail, uint64_t content_size, struct zip_directory *out)
{
    for (size_t back = ZIP_END_SIZE; back <= tail.size; back++) {
        struct reader r = reader_of(span_part(tail, tail.size - back, back));

        if (reader_u32(&r) != ZIP_END)
            continue;
        reader_bytes(&r, 8);
        out->size = reader_u32(&r);
        out->offset = reader_u32(&r);
        if (reader_u16(&r) == back - ZIP_END_SIZE)
            return out->size <= ZIP_DIRECTORY_MAX && out->offset <= content_size - back &&
                   out->size <= content_size - back - out->offset;
    }
    return false;
}

/* Where a member's bytes begin: behind its local header, whose names may differ in length. */
static enum status add_member(const struct rdc_content *content, const struct zip_member *m,
                              struct rdc_streams *out)
{
    uint8_t header[ZIP_LOCAL_SIZE] = {0};
    struct reader r = reader_of(span_of(header, sizeof(header)));

    if (m->header_at > content->size || content->size - m->header_at < sizeof(header))
        return ST_OK;
    enum status st = rdc_content_read(content, m->header_at, header, sizeof(header));
    if (st != ST_OK || reader_u32(&r) != ZIP_LOCAL)
        return st;
    reader_bytes(&r, ZIP_LOCAL_SIZE - 8);
    uint64_t begin = m->header_at + ZIP_LOCAL_SIZE + reader_u16(&r);
    begin += reader_u16(&r);
    if (begin <= content->size && m->size <= content->size - begin)
        add(out, begin, m->size, m->text_crc, m->text_size);
    return ST_OK;
}

/* The members that may be worth unpacking. */
static void list_members(struct span directory, struct buf *out)
{
    struct reader r = reader_of(directory);

    while (reader_u32(&r) == ZIP_ENTRY) {
        struct zip_member m;

        reader_bytes(&r, 6);
        m.method = reader_u16(&r);
        reader_bytes(&r, 4);
        m.text_crc = reader_u32(&r);
        m.size = reader_u32(&r);
        m.text_size = reader_u32(&r);
        size_t names = reader_u16(&r);
        names += reader_u16(&r);
        names += reader_u16(&r);
        reader_bytes(&r, 8);
        m.header_at = reader_u32(&r);
        reader_bytes(&r, names);
        if (reader_ok(&r) && m.method == METHOD_DEFLATE && m.size >= RDC_STREAM_SIZE_MIN &&
            m.size < UINT32_MAX)
            buf_append(out, &m, sizeof(m));
    }
}

static int compare_sizes(const void *a, const void *b)
{
    const struct zip_member *left = a;
    const struct zip_member *right = b;
    int larger_first = (left->size < right->size) - (left->size > right->size);

    return larger_first
               ? larger_first
               : (left->header_at > right->header_at) - (left->header_at < right->header_at);
}

/* The largest members, as many as may be told. */
static enum status add_members(const struct rdc_content *content, struct buf *members,
                               struct rdc_streams *out)
{
    size_t count = members->size / sizeof(struct zip_member);
    enum status st = ST_OK;

    if (count > RDC_STREAM_COUNT_MAX) {
        qsort(members->data, count, sizeof(struct zip_member), compare_sizes);
        count = RDC_STREAM_COUNT_MAX;
    }
    for (size_t i = 0; i < count && st == ST_OK; i++) {
        struct zip_member m;

        memcpy(&m, members->data + i * sizeof(m), sizeof(m));
        st = add_member(content, &m, out);
    }
    return st;
}

static int compare_offsets(const void *a, const void *b)
{
    uint64_t left = ((const struct rdc_stream *)a)->offset;
    uint64_t right = ((const struct rdc_stream *)b)->offset;

    return (left > right) - (left < right);
}

static bool lie_apart(const struct rdc_streams *s)
{
    for (size_t i = 1; i < s->count; i++)
        if (s->items[i].offset - s->items[i - 1].offset < s->items[i - 1].size)
            return false;
    return true;
}

static enum status find_zip(const struct rdc_content *content, struct rdc_streams *out)
{
    size_t tail_max = ZIP_END_SIZE + ZIP_COMMENT_SIZE_MAX;
    size_t tail_size = content->size < tail_max ? (size_t)content->size : tail_max;
    struct zip_directory directory;
    scope(buf) struct buf bytes = {0};
    scope(buf) struct buf members = {0};
    enum status st = rdc_content_read(content, content->size - tail_size,
                                      buf_extend(&bytes, tail_size), tail_size);

    if (st != ST_OK || !find_directory(buf_span(&bytes), content->size, &directory))
        return st;
    buf_clear(&bytes);
    st = rdc_content_read(content, directory.offset, buf_extend(&bytes, (size_t)directory.size),
                          (size_t)directory.size);
    if (st == ST_OK) {
        list_members(buf_span(&bytes), &members);
        st = add_members(content, &members, out);
    }
    if (out->count > 0)
        qsort(out->items, out->count, sizeof(*out->items), compare_offsets);
    if (!lie_apart(out))
        rdc_streams_fini(out);
    return st;
}

/* --- both ------------------------------------------------------------------------------------*/

enum status rdc_streams_find(const struct rdc_content *content, struct rdc_streams *out)
{
    static const uint8_t gzip[] = {0x1f, 0x8b, METHOD_DEFLATE};
    uint8_t magic[MAGIC_SIZE];

    *out = (struct rdc_streams){0};
    if (content->size < RDC_STREAM_SIZE_MIN || content->size > RDC_INFLATED_SIZE_MAX)
        return ST_OK;
    enum status st = rdc_content_read(content, 0, magic, sizeof(magic));
    if (st != ST_OK)
        return st;
    struct reader r = reader_of(span_of(magic, sizeof(magic)));
    if (memcmp(magic, gzip, sizeof(gzip)) == 0)
        st = find_gzip(content, out);
    else if (reader_u32(&r) == ZIP_LOCAL)
        st = find_zip(content, out);
    if (st != ST_OK)
        rdc_streams_fini(out);
    return st;
}

void rdc_streams_fini(struct rdc_streams *s)
{
    free(s->items);
    *s = (struct rdc_streams){0};
}
