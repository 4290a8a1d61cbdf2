/* SPDX-License-Identifier: Apache-2.0 */
#include "common/rpc/codec.h"

#include "common/base/limits.h"

#include <stdlib.h>

#define WIRE_TYPE_LENGTH    2u
#define ALLOCATION_OVERHEAD 16u /* what malloc itself takes for each block */

struct budget {
    size_t left;
};

/* Nothing is given back to the budget: it bounds the work as well as the memory. */
static void *budget_alloc(void *data, size_t size)
{
    struct budget *budget = data;

    if (size > budget->left || budget->left - size < ALLOCATION_OVERHEAD)
        return NULL;
    budget->left -= size + ALLOCATION_OVERHEAD;
    return malloc(size);
}

static void budget_free(void *data, void *pointer)
{
    (void)data;
    free(pointer);
}

ProtobufCMessage *codec_decode(const ProtobufCMessageDescriptor *type, struct span bytes)
{
    struct budget budget;
    ProtobufCAllocator allocator = {
        .alloc = budget_alloc, .free = budget_free, .allocator_data = &budget};

    if (bytes.size > RPC_MESSAGE_SIZE_MAX)
        return NULL;
    budget.left = RPC_DECODE_BYTES_BASE + bytes.size * RPC_DECODE_BYTES_FACTOR;
    return protobuf_c_message_unpack(type, &allocator, bytes.size, bytes.data);
}

static size_t put_varint(uint8_t *out, uint64_t value)
{
    size_t size = 0;

    while (value >= 0x80) {
        out[size++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    out[size++] = (uint8_t)value;
    return size;
}

/* Tag and length of the last field. */
static size_t put_field_head(uint8_t out[20], uint32_t field, size_t payload_size)
{
    size_t size = put_varint(out, (uint64_t)field << 3 | WIRE_TYPE_LENGTH);

    return size + put_varint(out + size, payload_size);
}

size_t codec_payload_message_size(const ProtobufCMessage *head, uint32_t field, size_t payload_size)
{
    uint8_t scratch[20];

    return protobuf_c_message_get_packed_size(head) + put_field_head(scratch, field, payload_size) +
           payload_size;
}

void codec_write_payload_message(const ProtobufCMessage *head, uint32_t field, struct span payload,
                                 uint8_t *out)
{
    out += protobuf_c_message_pack(head, out);
    out += put_field_head(out, field, payload.size);
    if (payload.size > 0)
        memcpy(out, payload.data, payload.size);
}
