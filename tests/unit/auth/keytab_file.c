/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/auth/keytab_file.h"

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/base/scope.h"

#include <stdlib.h>
#include <unistd.h>

#define REALM               "COTERIE.TEST"
#define NAME_TYPE_PRINCIPAL 1

static void put_number(struct buf *b, unsigned size, uint64_t value)
{
    for (unsigned i = size; i-- > 0;)
        buf_append(b, &(uint8_t){(uint8_t)(value >> (8 * i))}, 1);
}

static void put_text(struct buf *b, const char *text)
{
    put_number(b, 2, strlen(text));
    buf_append_string(b, text);
}

static void put_entry(struct buf *out, const struct keytab_entry *entry)
{
    scope(buf) struct buf b = {0};
    size_t key_size = entry->enctype == ENCTYPE_RC4 ? 16 : 32;

    put_number(&b, 2, 2); /* components */
    put_text(&b, REALM);
    put_text(&b, entry->service);
    put_text(&b, entry->instance);
    put_number(&b, 4, NAME_TYPE_PRINCIPAL);
    put_number(&b, 4, 0); /* time stamp */
    put_number(&b, 1, 2); /* kvno */
    put_number(&b, 2, (uint64_t)entry->enctype);
    put_number(&b, 2, key_size);
    for (size_t i = 0; i < key_size; i++)
        put_number(&b, 1, 0x42 + i);
    put_number(out, 4, b.size);
    buf_append(out, b.data, b.size);
}

char *keytab_file_make(const struct keytab_entry *entries)
{
    scope(buf) struct buf out = {0};
    char *path = mem_copy_string("/tmp/coterie-keytab.XXXXXX");
    scope_fd int fd = mkstemp(path);

    put_number(&out, 2, 0x0502);
    for (; entries->service; entries++)
        put_entry(&out, entries);
    if (fd < 0 || write(fd, out.data, out.size) != (ssize_t)out.size)
        abort();
    return path;
}

void keytab_file_remove(char *path)
{
    unlink(path);
    free(path);
}
