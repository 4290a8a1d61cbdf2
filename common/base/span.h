/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/base/span.h: borrowed bytes. A span owns nothing; it lives as long as what it points to.
 */
#ifndef COMMON_BASE_SPAN_H
#define COMMON_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
    const uint8_t *data; /* may be NULL when size is 0 */
    size_t size;
};

static inline struct span span_of(const void *data, size_t size)
{
    return (struct span){.data = (const uint8_t *)data, .size = size};
}

static inline struct span span_of_string(const char *text)
{
    return span_of(text, strlen(text));
}

/* The part from @offset, at most @size bytes; empty when @offset lies beyond the end. */
static inline struct span span_part(struct span s, size_t offset, size_t size)
{
    if (offset >= s.size)
        return (struct span){0};
    if (size > s.size - offset)
        size = s.size - offset;
    return span_of(s.data + offset, size);
}

static inline bool span_equal(struct span a, struct span b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

#endif
