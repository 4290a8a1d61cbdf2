/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/cursor.h"

#include <endian.h>

#define VARINT_SIZE_MAX 10

struct span reader_bytes(struct reader *r, size_t size)
{
    if (r->failed || size > r->rest.size) {
        r->failed = true;
        return (struct span){0};
    }
    struct span taken = span_of(r->rest.data, size);
    r->rest = span_of(size ? r->rest.data + size : r->rest.data, r->rest.size - size);
    return taken;
}

void reader_copy(struct reader *r, void *out, size_t size)
{
    struct span taken = reader_bytes(r, size);

    if (r->failed)
        memset(out, 0, size);
    else if (size > 0)
        memcpy(out, taken.data, size);
}

uint8_t reader_u8(struct reader *r)
{
    uint8_t value;

    reader_copy(r, &value, sizeof(value));
    return value;
}

uint16_t reader_u16(struct reader *r)
{
    uint16_t value;

    reader_copy(r, &value, sizeof(value));
    return le16toh(value);
}

uint32_t reader_u32(struct reader *r)
{
    uint32_t value;

    reader_copy(r, &value, sizeof(value));
    return le32toh(value);
}

uint64_t reader_u64(struct reader *r)
{
    uint64_t value;

    reader_copy(r, &value, sizeof(value));
    return le64toh(value);
}

uint64_t reader_varint(struct reader *r)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < VARINT_SIZE_MAX; i++) {
        uint8_t byte = reader_u8(r);

        if (r->failed)
            return 0;
        if (i == VARINT_SIZE_MAX - 1 && byte > 1)
            break;
        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if ((byte & 0x80) == 0) {
            if (byte == 0 && i > 0)
                break; /* not the shortest form */
            return value;
        }
    }
    r->failed = true;
    return 0;
}

struct span reader_blob(struct reader *r, size_t size_max)
{
    uint64_t size = reader_varint(r);

    if (r->failed || size > size_max || size > r->rest.size) {
        r->failed = true;
        return (struct span){0};
    }
    return reader_bytes(r, (size_t)size);
}

void write_u8(struct buf *b, uint8_t value)
{
    buf_append(b, &value, sizeof(value));
}

void write_u16(struct buf *b, uint16_t value)
{
    value = htole16(value);
    buf_append(b, &value, sizeof(value));
}

void write_u32(struct buf *b, uint32_t value)
{
    value = htole32(value);
    buf_append(b, &value, sizeof(value));
}

void write_u64(struct buf *b, uint64_t value)
{
    value = htole64(value);
    buf_append(b, &value, sizeof(value));
}

void write_varint(struct buf *b, uint64_t value)
{
    while (value >= 0x80) {
        write_u8(b, (uint8_t)(value | 0x80));
        value >>= 7;
    }
    write_u8(b, (uint8_t)value);
}

void write_blob(struct buf *b, struct span bytes)
{
    write_varint(b, bytes.size);
    buf_append(b, bytes.data, bytes.size);
}
