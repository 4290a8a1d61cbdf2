/* SPDX-License-Identifier: Apache-2.0 */
#include "common/rpc/codec.h"

#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/base/scope.h"

#include "proto/replication.pb-c.h"
#include "proto/types.pb-c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#define FRAME_DATA_FIELD 2

typedef Coterie__V1__FetchFrame Frame;

static Frame *round_trip(uint32_t transfer, struct span payload)
{
    Frame head = COTERIE__V1__FETCH_FRAME__INIT;

    head.transfer = transfer;
    size_t size = codec_payload_message_size(&head.base, FRAME_DATA_FIELD, payload.size);
    scope_free uint8_t *bytes = mem_new(1, size);
    codec_write_payload_message(&head.base, FRAME_DATA_FIELD, payload, bytes);
    return (Frame *)codec_decode(&coterie__v1__fetch_frame__descriptor, span_of(bytes, size));
}

static void a_payload_message_reads_back_as_the_ordinary_message(void **state)
{
    static const size_t sizes[] = {0, 1, 127, 128, 16383, 16384, 1 << 20};
    (void)state;

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        scope_free uint8_t *payload = mem_new(1, sizes[i] + 1);
        memset(payload, 0x5a, sizes[i]);
        Frame *frame = round_trip(300, span_of(payload, sizes[i]));
        assert_non_null(frame);
        assert_int_equal(frame->transfer, 300);
        assert_true(
            span_equal(span_of(frame->data.data, frame->data.len), span_of(payload, sizes[i])));
        assert_int_equal(frame->base.n_unknown_fields, 0);
        protobuf_c_message_free_unpacked(&frame->base, NULL);
    }
}

/* Two bytes on the wire for each: an empty element of VersionVector.entries. */
static uint8_t *empty_entries(size_t size)
{
    uint8_t *bytes = mem_new(1, size);

    for (size_t i = 0; i + 1 < size; i += 2)
        bytes[i] = 0x0a;
    return bytes;
}

static void a_message_of_empty_parts_may_not_take_memory_without_bound(void **state)
{
    size_t size = 1 << 20;
    scope_free uint8_t *bytes = empty_entries(size);
    (void)state;

    assert_null(codec_decode(&coterie__v1__version_vector__descriptor, span_of(bytes, size)));
}

static void a_few_empty_parts_are_no_crime(void **state)
{
    scope_free uint8_t *bytes = empty_entries(200);
    (void)state;

    ProtobufCMessage *message =
        codec_decode(&coterie__v1__version_vector__descriptor, span_of(bytes, 200));

    assert_non_null(message);
    assert_int_equal(((Coterie__V1__VersionVector *)message)->n_entries, 100);
    protobuf_c_message_free_unpacked(message, NULL);
}

static void a_large_honest_message_decodes(void **state)
{
    enum { COUNT = 50000 };
    Coterie__V1__VersionVector vector = COTERIE__V1__VERSION_VECTOR__INIT;
    scope_free Coterie__V1__VectorEntry *entries = mem_new(COUNT, sizeof(*entries));
    scope_free Coterie__V1__VectorEntry **pointers = mem_new(COUNT, sizeof(*pointers));
    uint64_t bounds[] = {0, 1000000};
    uint8_t guid[16] = {7};
    (void)state;

    for (size_t i = 0; i < COUNT; i++) {
        coterie__v1__vector_entry__init(&entries[i]);
        entries[i].database_guid = (ProtobufCBinaryData){.data = guid, .len = sizeof(guid)};
        entries[i].bounds = bounds;
        entries[i].n_bounds = 2;
        pointers[i] = &entries[i];
    }
    vector.entries = pointers;
    vector.n_entries = COUNT;
    size_t size = protobuf_c_message_get_packed_size(&vector.base);
    scope_free uint8_t *bytes = mem_new(1, size);
    protobuf_c_message_pack(&vector.base, bytes);

    ProtobufCMessage *message =
        codec_decode(&coterie__v1__version_vector__descriptor, span_of(bytes, size));
    assert_non_null(message);
    protobuf_c_message_free_unpacked(message, NULL);
}

static void malformed_bytes_are_refused(void **state)
{
    static const uint8_t beyond_the_end[] = {0x12, 0x7f, 0x00};
    static const uint8_t huge_length[] = {0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f};
    static const uint8_t no_field[] = {0x00};
    const ProtobufCMessageDescriptor *type = &coterie__v1__fetch_frame__descriptor;
    (void)state;

    assert_null(codec_decode(type, span_of(beyond_the_end, sizeof(beyond_the_end))));
    assert_null(codec_decode(type, span_of(huge_length, sizeof(huge_length))));
    assert_null(codec_decode(type, span_of(no_field, sizeof(no_field))));
}

static void a_message_over_the_limit_is_refused(void **state)
{
    size_t size = RPC_MESSAGE_SIZE_MAX + 1;
    scope_free uint8_t *payload = mem_new(1, size);
    (void)state;

    assert_null(round_trip(1, span_of(payload, size)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_payload_message_reads_back_as_the_ordinary_message),
        cmocka_unit_test(a_message_of_empty_parts_may_not_take_memory_without_bound),
        cmocka_unit_test(a_few_empty_parts_are_no_crime),
        cmocka_unit_test(a_large_honest_message_decodes),
        cmocka_unit_test(malformed_bytes_are_refused),
        cmocka_unit_test(a_message_over_the_limit_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
