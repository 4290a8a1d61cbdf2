/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/base/mem.h: allocation that cannot fail.
 *
 * For small sizes fixed by the program. A size that comes from outside is compared with limits.h
 * first and allocated with mem_try(), whose failure the caller handles. Exhaustion of the others
 * ends the process: the database makes a restart safe.
 */
#ifndef COMMON_BASE_MEM_H
#define COMMON_BASE_MEM_H

#include <stddef.h>

/*
 * Call first in a program, before there are threads.
 *
 * From then on what is large goes back to the system when it is freed. Otherwise glibc takes each
 * large block that is freed as a sign to keep the next ones in its heap, where buffers that grow
 * leave holes of their old sizes: a quarter of what a transfer holds.
 */
void mem_begin(void);

/* Zeroed memory for @count items of @size bytes; never NULL. Free with free(). */
void *mem_new(size_t count, size_t size);

/* Resize to @count items of @size bytes; new bytes are not zeroed; never NULL. */
void *mem_resize(void *ptr, size_t count, size_t size);

/* Zeroed memory, or NULL when there is none. */
void *mem_try(size_t size);

/*
 * @size bytes for bulk input and output, from the beginning of a page on and not zeroed; never
 * NULL. Free with free().
 *
 * A large block of malloc() begins 16 bytes into a page, and there some processors take five times
 * as long to receive what read() copies out of the page cache.
 */
void *mem_pages(size_t size);

/* Copies; never NULL. mem_copy_string(NULL) is "". */
void *mem_copy(const void *data, size_t size);
char *mem_copy_string(const char *text);

/* A formatted string; never NULL. Free with free(). */
char *mem_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define MEM_NEW(type) ((type *)mem_new(1, sizeof(type)))

#endif
