/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/attributes/acl.h"

#include "agent/attributes/fd_path.h"
#include "agent/attributes/identity.h"
#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/base/scope.h"

#include <acl/libacl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/acl.h>
#include <sys/xattr.h>

enum tag { TAG_USER, TAG_GROUP, TAG_MASK, TAG_OTHER };

static const char *const tag_text[] = {"user", "group", "mask", "other"};

struct entry {
    enum tag tag;
    unsigned permissions; /* rwx as 4, 2, 1 */
    struct identity_name name; /* "": the object's own */
};

struct entries {
    struct entry *items;
    size_t count;
};

static void entries_fini(struct entries *e)
{
    free(e->items);
}

static void scope_acl_free(acl_t *acl)
{
    if (*acl)
        acl_free(*acl);
}

#define scope_acl __attribute__((cleanup(scope_acl_free)))

static struct entry *entries_add(struct entries *e)
{
    e->items = mem_resize(e->items, e->count + 1, sizeof *e->items);
    e->items[e->count] = (struct entry){0};
    return &e->items[e->count++];
}

static int compare(const void *a, const void *b)
{
    const struct entry *x = a;
    const struct entry *y = b;

    if (x->tag != y->tag)
        return x->tag < y->tag ? -1 : 1;
    return strcmp(x->name.text, y->name.text);
}

/* --- text --- */

static void entries_write(const struct entries *e, struct buf *out)
{
    for (size_t i = 0; i < e->count; i++) {
        const struct entry *x = &e->items[i];

        buf_printf(out, "%s:%s:%c%c%c\n", tag_text[x->tag], x->name.text,
                   x->permissions & 4 ? 'r' : '-', x->permissions & 2 ? 'w' : '-',
                   x->permissions & 1 ? 'x' : '-');
    }
}

static bool parse_permissions(const char *text, unsigned *out)
{
    static const char letters[] = "rwx";

    *out = 0;
    for (unsigned i = 0; i < 3; i++) {
        if (text[i] == letters[i])
            *out |= 4u >> i;
        else if (text[i] != '-')
            return false;
    }
    return text[3] == '\0';
}

static bool parse_line(char *line, struct entry *out)
{
    char *name = strchr(line, ':');
    char *permissions = name ? strchr(name + 1, ':') : NULL;
    size_t tag = 0;

    if (!permissions)
        return false;
    *name++ = '\0';
    *permissions++ = '\0';
    while (tag < sizeof tag_text / sizeof *tag_text && strcmp(line, tag_text[tag]) != 0)
        tag++;
    if (tag == sizeof tag_text / sizeof *tag_text)
        return false;
    out->tag = (enum tag)tag;
    if (*name) {
        if (tag > TAG_GROUP || !identity_name_is_valid(name))
            return false;
        memcpy(out->name.text, name, strlen(name) + 1);
    }
    return parse_permissions(permissions, &out->permissions);
}

/* Each required entry once, no two alike, a mask with named entries; in order. */
static const char *entries_problem(const struct entries *e)
{
    unsigned own[4] = {0};
    bool named = false;

    for (size_t i = 0; i < e->count; i++) {
        const struct entry *x = &e->items[i];

        if (i > 0 && compare(x - 1, x) >= 0)
            return "acl entries are not in order";
        if (x->name.text[0])
            named = true;
        else
            own[x->tag]++;
    }
    if (own[TAG_USER] != 1 || own[TAG_GROUP] != 1 || own[TAG_OTHER] != 1)
        return "acl lacks an entry for owner, group or others";
    if (named && own[TAG_MASK] != 1)
        return "acl with names lacks a mask";
    return NULL;
}

/* NULL or the broken rule; @out is filled as far as it went. */
static const char *entries_parse(struct span text, struct entries *out)
{
    char line[IDENTITY_SIZE + 32];
    const uint8_t *end;

    for (size_t at = 0; at < text.size; at += (size_t)(end - (text.data + at)) + 1) {
        size_t size;

        end = memchr(text.data + at, '\n', text.size - at);
        if (!end)
            return "acl does not end with a line";
        size = (size_t)(end - (text.data + at));
        if (size >= sizeof line || memchr(text.data + at, '\0', size))
            return "acl entry is too long or holds a zero byte";
        memcpy(line, text.data + at, size);
        line[size] = '\0';
        if (out->count == ACL_ENTRY_COUNT_MAX)
            return "acl has too many entries";
        if (!parse_line(line, entries_add(out)))
            return "acl entry is not \"tag:name:rwx\"";
    }
    return text.size > 0 ? entries_problem(out) : NULL;
}

const char *acl_text_problem(struct span text)
{
    scope(entries) struct entries e = {0};

    return entries_parse(text, &e);
}

/* --- libacl --- */

static bool entry_from(acl_entry_t from, struct entry *out)
{
    acl_permset_t set;
    acl_tag_t tag;
    void *qualifier = NULL;

    if (acl_get_tag_type(from, &tag) < 0 || acl_get_permset(from, &set) < 0)
        return false;
    out->permissions = (acl_get_perm(set, ACL_READ) > 0 ? 4u : 0) |
                       (acl_get_perm(set, ACL_WRITE) > 0 ? 2u : 0) |
                       (acl_get_perm(set, ACL_EXECUTE) > 0 ? 1u : 0);
    out->tag = tag == ACL_USER_OBJ || tag == ACL_USER     ? TAG_USER
               : tag == ACL_GROUP_OBJ || tag == ACL_GROUP ? TAG_GROUP
               : tag == ACL_MASK                          ? TAG_MASK
                                                          : TAG_OTHER;
    if (tag != ACL_USER && tag != ACL_GROUP)
        return true;
    qualifier = acl_get_qualifier(from);
    if (!qualifier)
        return false;
    out->name = identity_name(tag == ACL_USER ? IDENTITY_USER : IDENTITY_GROUP,
                              *(const uint32_t *)qualifier);
    acl_free(qualifier);
    return true;
}

static bool entry_to(const struct entry *from, uint32_t number, acl_t *acl)
{
    static const acl_tag_t own[] = {ACL_USER_OBJ, ACL_GROUP_OBJ, ACL_MASK, ACL_OTHER};
    bool named = from->name.text[0] != '\0';
    acl_tag_t tag = !named                  ? own[from->tag]
                    : from->tag == TAG_USER ? ACL_USER
                                            : ACL_GROUP;
    acl_entry_t to;
    acl_permset_t set;

    if (acl_create_entry(acl, &to) < 0 || acl_set_tag_type(to, tag) < 0 ||
        (named && acl_set_qualifier(to, &number) < 0) || acl_get_permset(to, &set) < 0)
        return false;
    acl_clear_perms(set);
    return (!(from->permissions & 4) || acl_add_perm(set, ACL_READ) == 0) &&
           (!(from->permissions & 2) || acl_add_perm(set, ACL_WRITE) == 0) &&
           (!(from->permissions & 1) || acl_add_perm(set, ACL_EXECUTE) == 0);
}

static acl_type_t type_of(enum acl_which which)
{
    return which == ACL_WHICH_DEFAULT ? ACL_TYPE_DEFAULT : ACL_TYPE_ACCESS;
}

static bool unsupported(int err)
{
    return err == EOPNOTSUPP || err == ENOSYS;
}

enum status acl_text_read(int fd, enum acl_which which, struct buf *out)
{
    scope_acl acl_t acl = acl_get_file(fd_path(fd).text, type_of(which));
    scope(entries) struct entries e = {0};
    acl_entry_t entry;

    if (!acl)
        return unsupported(errno) ? ST_OK : status_from_errno(errno);
    if (which == ACL_WHICH_ACCESS && acl_equiv_mode(acl, NULL) == 0)
        return ST_OK;
    for (int more = acl_get_entry(acl, ACL_FIRST_ENTRY, &entry); more == 1;
         more = acl_get_entry(acl, ACL_NEXT_ENTRY, &entry)) {
        if (e.count == ACL_ENTRY_COUNT_MAX) {
            errno = E2BIG;
            return ST_FULL;
        }
        if (!entry_from(entry, entries_add(&e)))
            return status_from_errno(errno);
    }
    if (e.count > 0)
        qsort(e.items, e.count, sizeof *e.items, compare);
    entries_write(&e, out);
    return ST_OK;
}

static enum status remove_acl(int fd, enum acl_which which)
{
    const char *name = which == ACL_WHICH_DEFAULT ? "system.posix_acl_default"
                                                  : "system.posix_acl_access";

    if (removexattr(fd_path(fd).text, name) == 0 || errno == ENODATA || unsupported(errno))
        return ST_OK;
    return status_from_errno(errno);
}

enum status acl_text_apply(int fd, enum acl_which which, struct span text,
                           size_t *out_unknown_count)
{
    scope(entries) struct entries e = {0};
    scope_acl acl_t acl = NULL;

    *out_unknown_count = 0;
    errno = EINVAL;
    if (entries_parse(text, &e))
        return ST_BADDATA;
    if (e.count == 0)
        return remove_acl(fd, which);
    acl = acl_init((int)e.count);
    if (!acl)
        return status_from_errno(errno);
    for (size_t i = 0; i < e.count; i++) {
        const struct entry *x = &e.items[i];
        uint32_t number = 0;

        if (x->name.text[0] &&
            !identity_number(x->tag == TAG_USER ? IDENTITY_USER : IDENTITY_GROUP, x->name.text,
                             &number))
            ++*out_unknown_count;
        else if (!entry_to(x, number, &acl))
            return status_from_errno(errno);
    }
    if (acl_set_file(fd_path(fd).text, type_of(which), acl) < 0)
        return unsupported(errno) ? ST_REFUSED : status_from_errno(errno);
    return ST_OK;
}

bool acl_text_is_projection(struct span recorded, struct span current)
{
    scope(entries) struct entries e = {0};
    scope(entries) struct entries kept = {0};
    scope(buf) struct buf text = {0};

    if (entries_parse(recorded, &e))
        return false;
    /* What is known keeps its entry, under the name that this machine prefers for it. */
    for (size_t i = 0; i < e.count; i++) {
        struct entry x = e.items[i];
        enum identity_kind kind = x.tag == TAG_USER ? IDENTITY_USER : IDENTITY_GROUP;
        uint32_t number;

        if (x.name.text[0]) {
            if (!identity_number(kind, x.name.text, &number))
                continue;
            x.name = identity_name(kind, number);
        }
        *entries_add(&kept) = x;
    }
    if (kept.count > 0)
        qsort(kept.items, kept.count, sizeof *kept.items, compare);
    entries_write(&kept, &text);
    return span_equal(buf_span(&text), current);
}
