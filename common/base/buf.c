/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/buf.h"

#include "common/base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define BUF_CAPACITY_FIRST 64

void buf_fini(struct buf *b)
{
    free(b->data);
    *b = (struct buf){0};
}

void buf_clear(struct buf *b)
{
    b->size = 0;
}

uint8_t *buf_extend(struct buf *b, size_t size)
{
    size_t need;

    if (__builtin_add_overflow(b->size, size, &need))
        abort();
    if (need > b->capacity || !b->data) {
        size_t capacity = b->capacity ? b->capacity : BUF_CAPACITY_FIRST;

        while (capacity < need)
            capacity += capacity / 2 + 1;
        b->data = mem_resize(b->data, capacity, 1);
        b->capacity = capacity;
    }
    uint8_t *place = b->data + b->size;
    b->size = need;
    return place;
}

void buf_append(struct buf *b, const void *data, size_t size)
{
    if (size > 0)
        memcpy(buf_extend(b, size), data, size);
}

void buf_append_string(struct buf *b, const char *text)
{
    buf_append(b, text, strlen(text));
}

void buf_printf(struct buf *b, const char *format, ...)
{
    va_list args;
    va_list again;

    va_start(args, format);
    va_copy(again, args);
    int need = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (need < 0)
        abort();
    vsnprintf((char *)buf_extend(b, (size_t)need + 1), (size_t)need + 1, format, again);
    va_end(again);
    b->size -= 1;
}

void buf_append_escaped(struct buf *b, const void *data, size_t size)
{
    const uint8_t *bytes = data;

    for (size_t i = 0; i < size; i++) {
        uint8_t c = bytes[i];
        /* C1 controls travel as C2 80..9F in UTF-8 */
        bool c1 = c == 0xc2 && i + 1 < size && bytes[i + 1] >= 0x80 && bytes[i + 1] <= 0x9f;

        if (c < 0x20 || c == 0x7f || c == '\\' || c1) {
            buf_printf(b, "\\x%02x", c);
            if (c1)
                buf_printf(b, "\\x%02x", bytes[++i]);
        } else {
            buf_append(b, &c, 1);
        }
    }
}

const char *buf_text(struct buf *b)
{
    *buf_extend(b, 1) = 0;
    b->size -= 1;
    return (const char *)b->data;
}
