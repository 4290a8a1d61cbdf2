/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/mem.h"

#include <malloc.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_SIZE  4096u
#define LARGE_SIZE (1 << 20) /* a block that is mapped by itself */

static _Noreturn void exhausted(void)
{
    static const char text[] = "<2>out of memory: stopping; restart resumes from the database\n";

    (void)!fwrite(text, 1, sizeof(text) - 1, stderr);
    abort();
}

void mem_begin(void)
{
    /* only a saving: an allocator without thresholds, as AddressSanitizer's, refuses it */
    (void)mallopt(M_MMAP_THRESHOLD, LARGE_SIZE);
}

void *mem_new(size_t count, size_t size)
{
    void *ptr = calloc(count ? count : 1, size ? size : 1);

    if (!ptr)
        exhausted();
    return ptr;
}

void *mem_resize(void *ptr, size_t count, size_t size)
{
    size_t bytes;

    if (__builtin_mul_overflow(count, size, &bytes))
        exhausted();
    ptr = realloc(ptr, bytes ? bytes : 1);
    if (!ptr)
        exhausted();
    return ptr;
}

void *mem_try(size_t size)
{
    return calloc(1, size ? size : 1);
}

void *mem_pages(size_t size)
{
    size_t pages = (size + PAGE_SIZE - 1) / PAGE_SIZE;
    void *ptr = size <= SIZE_MAX - PAGE_SIZE ? aligned_alloc(PAGE_SIZE, pages * PAGE_SIZE) : NULL;

    if (!ptr)
        exhausted();
    return ptr;
}

void *mem_copy(const void *data, size_t size)
{
    void *ptr = mem_new(1, size);

    if (size > 0)
        memcpy(ptr, data, size);
    return ptr;
}

char *mem_copy_string(const char *text)
{
    return mem_copy(text ? text : "", (text ? strlen(text) : 0) + 1);
}

char *mem_format(const char *format, ...)
{
    va_list args;
    char *text = NULL;

    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        exhausted();
    va_end(args);
    return text;
}
