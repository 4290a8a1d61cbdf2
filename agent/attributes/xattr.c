/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/attributes/xattr.h"

#include "agent/attributes/fd_path.h"
#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/base/scope.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#define CAPABILITY "security.capability"

void xattrs_fini(struct xattrs *x)
{
    for (size_t i = 0; i < x->count; i++) {
        free(x->items[i].name);
        free(x->items[i].value);
    }
    free(x->items);
    *x = (struct xattrs){0};
}

bool xattr_name_replicates(const char *name)
{
    return strncmp(name, "user.", 5) == 0 ? name[5] != '\0'
                                          : strcmp(name, CAPABILITY) == 0 ||
                                                strcmp(name, "security.NTACL") == 0;
}

static int compare(const void *a, const void *b)
{
    return strcmp(((const struct xattr *)a)->name, ((const struct xattr *)b)->name);
}

/* All names, NUL-separated; NULL with errno, or with errno 0 when there are none. */
static char *list_names(const char *path, size_t *out_size)
{
    char *names = mem_new(1, XATTR_LIST_SIZE_MAX);
    ssize_t size = listxattr(path, names, XATTR_LIST_SIZE_MAX);

    if (size > 0) {
        *out_size = (size_t)size;
        return names;
    }
    if (size == 0 || errno == EOPNOTSUPP)
        errno = 0;
    scope_free_pointer(&names);
    return NULL;
}

/* False with errno; ENODATA when it went away meanwhile. */
static bool read_value(const char *path, const char *name, struct xattr *out)
{
    uint8_t *value = mem_new(1, XATTR_VALUE_SIZE_MAX);
    ssize_t size = getxattr(path, name, value, XATTR_VALUE_SIZE_MAX);

    if (size < 0) {
        int err = errno;

        free(value);
        errno = err;
        return false;
    }
    out->name = mem_copy_string(name);
    out->value = mem_copy(value, (size_t)size);
    out->value_size = (size_t)size;
    free(value);
    return true;
}

enum status xattrs_read(int fd, struct xattrs *out_xattrs)
{
    struct fd_path path = fd_path(fd);
    scope(xattrs) struct xattrs found = {0};
    size_t names_size = 0;
    size_t bytes = 0;
    scope_free char *names = list_names(path.text, &names_size);

    if (!names && errno)
        return status_from_errno(errno);
    for (size_t at = 0; at < names_size; at += strlen(names + at) + 1) {
        struct xattr one = {0};

        if (!xattr_name_replicates(names + at))
            continue;
        if (!read_value(path.text, names + at, &one)) {
            if (errno == ENODATA)
                continue;
            return status_from_errno(errno);
        }
        found.items = mem_resize(found.items, found.count + 1, sizeof *found.items);
        found.items[found.count++] = one;
        bytes += strlen(one.name) + one.value_size;
        if (bytes > ATTRIBUTES_SIZE_MAX) {
            errno = E2BIG;
            return ST_FULL;
        }
    }
    if (found.count > 0)
        qsort(found.items, found.count, sizeof *found.items, compare);
    *out_xattrs = found;
    found = (struct xattrs){0};
    return ST_OK;
}

static const struct xattr *find(const struct xattrs *x, const char *name)
{
    struct xattr key = {.name = mem_copy_string(name)};
    const struct xattr *hit =
        x->count > 0 ? bsearch(&key, x->items, x->count, sizeof *x->items, compare) : NULL;

    free(key.name);
    return hit;
}

static bool same_value(const struct xattr *a, const struct xattr *b)
{
    return a && b && span_equal(span_of(a->value, a->value_size), span_of(b->value, b->value_size));
}

/* Set those of @wanted that differ; the capability alone, or all others. */
static bool set_those(const char *path, const struct xattrs *present, const struct xattrs *wanted,
                      bool capability, const char **out_name)
{
    for (size_t i = 0; i < wanted->count; i++) {
        const struct xattr *x = &wanted->items[i];

        if ((strcmp(x->name, CAPABILITY) == 0) != capability ||
            same_value(find(present, x->name), x))
            continue;
        *out_name = x->name;
        if (setxattr(path, x->name, x->value, x->value_size, 0) < 0)
            return false;
    }
    return true;
}

enum status xattrs_apply(int fd, const struct xattrs *wanted, const char **out_name)
{
    struct fd_path path = fd_path(fd);
    scope(xattrs) struct xattrs present = {0};
    enum status st;

    *out_name = NULL;
    st = xattrs_read(fd, &present);
    if (st != ST_OK)
        return st;
    for (size_t i = 0; i < present.count; i++)
        if (!find(wanted, present.items[i].name) &&
            removexattr(path.text, present.items[i].name) < 0 && errno != ENODATA)
            return status_from_errno(errno);
    if (set_those(path.text, &present, wanted, false, out_name) &&
        set_those(path.text, &present, wanted, true, out_name)) {
        *out_name = NULL;
        return ST_OK;
    }
    /* "Not here": the file system can not hold it; "too large" is lack of room in its inode. */
    if (errno == EOPNOTSUPP || errno == ENOTSUP)
        return ST_REFUSED;
    return errno == E2BIG || errno == ERANGE ? ST_FULL : status_from_errno(errno);
}
