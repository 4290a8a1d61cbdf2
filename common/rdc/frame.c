/* SPDX-License-Identifier: Apache-2.0 */
#include "common/rdc/frame.h"

#define RISK_BITS_MIN    10u /* what a false match costs beside the bytes */
#define SAMPLE_RISK_BITS 4u

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

static unsigned bits_of(uint64_t count)
{
    return count ? 64 - (unsigned)__builtin_clzll(count) : 0;
}

unsigned frame_hash_width(uint64_t sent, uint64_t known, uint64_t size)
{
    unsigned risk = bits_of(size >> 10);
    unsigned bits = bits_of(sent) + bits_of(known) + (risk < RISK_BITS_MIN ? RISK_BITS_MIN : risk);
    unsigned width = (bits + 7) / 8;

    return width < FRAME_HASH_MIN   ? FRAME_HASH_MIN
           : width > FRAME_HASH_MAX ? FRAME_HASH_MAX
                                    : width;
}

unsigned frame_sample_width(uint64_t chunk_count)
{
    unsigned width = (bits_of(FRAME_SAMPLE_MAX * chunk_count) + SAMPLE_RISK_BITS + 7) / 8;

    return width < FRAME_HASH_MAX ? width : FRAME_HASH_MAX;
}

void write_names(struct buf *out, const uint64_t *names, uint32_t count, unsigned width)
{
    uint64_t mask = (UINT64_C(1) << width) - 1;
    uint64_t bits = 0;
    unsigned held = 0;

    for (uint32_t i = 0; i < count; i++) {
        bits |= (names[i] & mask) << held;
        for (held += width; held >= 8; held -= 8) {
            write_u8(out, (uint8_t)bits);
            bits >>= 8;
        }
    }
    if (held > 0)
        write_u8(out, (uint8_t)bits);
}

void reader_names(struct reader *r, uint64_t *names, uint32_t count, unsigned width)
{
    uint64_t mask = (UINT64_C(1) << width) - 1;
    uint64_t bits = 0;
    unsigned held = 0;

    for (uint32_t i = 0; i < count; i++) {
        for (; held < width; held += 8)
            bits |= (uint64_t)reader_u8(r) << held;
        names[i] = bits & mask;
        bits >>= width;
        held -= width;
    }
}

const char *rdc_way_name(enum rdc_way way)
{
    static const char *const names[] = {
        [RDC_WAY_NONE] = "none",       [RDC_WAY_LOCAL] = "local",
        [RDC_WAY_PUSH_BYTES] = "push", [RDC_WAY_PUSH_SIGNATURE] = "push-signature",
        [RDC_WAY_PULL] = "pull",       [RDC_WAY_WHOLE] = "whole",
    };

    return names[way];
}

enum rdc_progress endpoint_fail(struct endpoint *e, struct buf *frame_out, enum status st,
                                const char *format, ...)
{
    char text[RDC_REASON_SIZE_MAX];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    e->failed = st;
    buf_clear(&e->reason);
    buf_append_string(&e->reason, text);
    buf_text(&e->reason);
    frame_begin(frame_out, FRAME_FAIL);
    buf_append_string(frame_out, text);
    return RDC_FAILED;
}

enum rdc_progress endpoint_failed_by_peer(struct endpoint *e, struct span text)
{
    struct span part = span_part(text, 0, RDC_REASON_SIZE_MAX);

    e->failed = ST_BADDATA;
    e->by_peer = true;
    buf_clear(&e->reason);
    buf_append_escaped(&e->reason, part.data, part.size);
    buf_text(&e->reason);
    return RDC_FAILED;
}

struct rdc_failure endpoint_failure(const struct endpoint *e)
{
    return (struct rdc_failure){
        .status = e->failed,
        .reason = e->reason.size > 0 ? (const char *)e->reason.data : "",
        .by_peer = e->by_peer,
    };
}

uint64_t endpoint_clock_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}
