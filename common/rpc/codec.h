/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/rpc/codec.h: protobuf messages to and from bytes, with bounded memory. Pure.
 */
#ifndef COMMON_RPC_CODEC_H
#define COMMON_RPC_CODEC_H

#include "common/base/span.h"

#include <protobuf-c/protobuf-c.h>

/*
 * Decode an untrusted message. A few bytes of input can ask for many of memory: an empty
 * sub-message is two bytes on the wire. The result never takes more memory than
 * RPC_DECODE_BYTES_BASE + RPC_DECODE_BYTES_FACTOR for each byte of @bytes.
 *
 * NULL when the bytes are malformed, or would take more. Free with
 * protobuf_c_message_free_unpacked(message, NULL).
 */
ProtobufCMessage *codec_decode(const ProtobufCMessageDescriptor *type, struct span bytes);

/* The size of @head followed by length-delimited field @field of @payload_size bytes. */
size_t codec_payload_message_size(const ProtobufCMessage *head, uint32_t field,
                                  size_t payload_size);
/* Write that message to @out, which has room for just that. */
void codec_write_payload_message(const ProtobufCMessage *head, uint32_t field,
                                 struct span payload, uint8_t *out);

#endif
