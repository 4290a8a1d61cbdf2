/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stored form, little-endian:
 *     "CSIG" · version u8 = 1 · zero u8 · horizon u16 · key_check u32 · chunk_count u32 · size u64
 *     traits 16 x u16 · lengths u16[chunk_count] · identities u64[chunk_count]
 *     low half of XXH3-128 of all before: u64
 */
#include "common/rdc/signature.h"

#include "common/base/cursor.h"
#include "common/base/limits.h"
#include "common/base/mem.h"

#include <endian.h>
#include <stdlib.h>

#define CODEC_MAGIC     "CSIG"
#define CODEC_VERSION   1
#define HEADER_SIZE     (4 + 1 + 1 + 2 + 4 + 4 + 8 + 2 * RDC_TRAIT_COUNT)
#define CHUNK_CODE_SIZE (sizeof(uint16_t) + sizeof(uint64_t))

uint32_t rdc_key_check(struct rdc_key key)
{
    static const char text[] = "coterie rdc key check";

    struct rdc_secret secret;

    rdc_secret_init(&secret, key.seed);
    return (uint32_t)rdc_kernel_scalar()->identity(text, sizeof(text), &secret);
}

void rdc_signature_set_marks(struct rdc_signature *s)
{
    uint64_t offset = 0;

    s->marks = mem_new(s->chunk_count / RDC_MARK_STRIDE + 1, sizeof(*s->marks));
    for (uint32_t i = 0; i < s->chunk_count; i++) {
        if (i % RDC_MARK_STRIDE == 0)
            s->marks[i / RDC_MARK_STRIDE] = offset;
        offset += s->lengths[i];
    }
}

void rdc_signature_free(struct rdc_signature *s)
{
    if (!s)
        return;
    free(s->lengths);
    free(s->identities);
    free(s->marks);
    free(s);
}

uint64_t rdc_signature_offset(const struct rdc_signature *s, uint32_t index)
{
    if (index == s->chunk_count)
        return s->size;
    uint64_t offset = s->marks[index / RDC_MARK_STRIDE];
    for (uint32_t i = index - index % RDC_MARK_STRIDE; i < index; i++)
        offset += s->lengths[i];
    return offset;
}

static uint64_t checksum(struct span bytes)
{
    struct rdc_secret secret;

    rdc_secret_init(&secret, 0);
    return rdc_kernel_best()->identity(bytes.data, bytes.size, &secret);
}

void rdc_signature_encode(const struct rdc_signature *s, struct buf *out)
{
    size_t start = out->size;

    buf_append_string(out, CODEC_MAGIC);
    write_u8(out, CODEC_VERSION);
    write_u8(out, 0);
    write_u16(out, (uint16_t)s->horizon);
    write_u32(out, s->key_check);
    write_u32(out, s->chunk_count);
    write_u64(out, s->size);
    for (unsigned i = 0; i < RDC_TRAIT_COUNT; i++)
        write_u16(out, s->traits.values[i]);
    for (uint32_t i = 0; i < s->chunk_count; i++)
        write_u16(out, s->lengths[i]);
    for (uint32_t i = 0; i < s->chunk_count; i++)
        write_u64(out, s->identities[i]);
    write_u64(out, checksum(span_of(out->data + start, out->size - start)));
}

/* The arrays of a stored signature; ST_BADDATA when a length breaks the horizon's rule. */
static enum status decode_chunks(struct reader *r, struct rdc_signature *s)
{
    uint64_t sum = 0;

    s->lengths = mem_try(s->chunk_count * sizeof(*s->lengths));
    s->identities = mem_try(s->chunk_count * sizeof(*s->identities));
    if (!s->lengths || !s->identities)
        return ST_FULL;
    for (uint32_t i = 0; i < s->chunk_count; i++) {
        s->lengths[i] = reader_u16(r);
        if (s->lengths[i] < RDC_CHUNK_BYTES_MIN || s->lengths[i] > rdc_chunk_size_max(s->horizon))
            return ST_BADDATA;
        sum += s->lengths[i];
    }
    for (uint32_t i = 0; i < s->chunk_count; i++)
        s->identities[i] = reader_u64(r);
    return reader_finished(r) && sum == s->size ? ST_OK : ST_BADDATA;
}

enum status rdc_signature_decode(struct span bytes, struct rdc_signature **out_signature)
{
    if (bytes.size < HEADER_SIZE + sizeof(uint64_t))
        return ST_BADDATA;
    struct span body = span_of(bytes.data, bytes.size - sizeof(uint64_t));
    struct reader tail = reader_of(span_of(body.data + body.size, sizeof(uint64_t)));
    if (reader_u64(&tail) != checksum(body))
        return ST_BADDATA;

    struct reader r = reader_of(body);
    struct span magic = reader_bytes(&r, sizeof(CODEC_MAGIC) - 1);
    uint8_t version = reader_u8(&r);
    uint8_t zero = reader_u8(&r);
    struct rdc_signature *s = MEM_NEW(struct rdc_signature);
    s->horizon = reader_u16(&r);
    s->key_check = reader_u32(&r);
    s->chunk_count = reader_u32(&r);
    s->size = reader_u64(&r);
    for (unsigned i = 0; i < RDC_TRAIT_COUNT; i++)
        s->traits.values[i] = reader_u16(&r);
    enum status st = ST_BADDATA;
    if (span_equal(magic, span_of_string(CODEC_MAGIC)) && version == CODEC_VERSION && zero == 0 &&
        rdc_horizon_valid(s->horizon) && s->chunk_count <= RDC_CHUNK_COUNT_MAX &&
        r.rest.size == s->chunk_count * CHUNK_CODE_SIZE)
        st = decode_chunks(&r, s);
    if (st != ST_OK) {
        rdc_signature_free(s);
        return st;
    }
    rdc_signature_set_marks(s);
    *out_signature = s;
    return ST_OK;
}

uint64_t rdc_signature_memory(const struct rdc_signature *s)
{
    return sizeof(*s) + s->chunk_count * (uint64_t)CHUNK_CODE_SIZE +
           (s->chunk_count / RDC_MARK_STRIDE + 1) * sizeof(*s->marks);
}
