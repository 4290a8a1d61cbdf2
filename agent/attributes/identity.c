/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/attributes/identity.h"

#include "common/base/instant.h"
#include "common/base/limits.h"
#include "common/base/mem.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CACHE_SIZE 64u
/* A group of many members has a long record. */
#define RECORD_SIZE_MAX (1u << 20)

enum direction { NAME_OF_NUMBER, NUMBER_OF_NAME };

struct answer {
    int64_t until_ns; /* 0: free */
    enum identity_kind kind;
    enum direction direction;
    bool found;
    uint32_t number;
    struct identity_name name;
};

/* One slot for each hash; a collision replaces. */
static _Thread_local struct answer cache[CACHE_SIZE];

static uint32_t hash_text(const char *text)
{
    uint32_t h = 2166136261u;

    for (; *text; text++)
        h = (h ^ (uint8_t)*text) * 16777619u;
    return h;
}

bool identity_name_is_valid(const char *name)
{
    size_t size = strlen(name);

    if (size == 0 || size >= IDENTITY_SIZE)
        return false;
    for (const char *c = name; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f || *c == ':')
            return false;
    return true;
}

/* One look-up in the name service; either by @name, or by @number when @name is NULL. */
static bool ask(enum identity_kind kind, const char *name, uint32_t number, uint32_t *out_number,
                char out_name[IDENTITY_SIZE])
{
    for (size_t size = 4096; size <= RECORD_SIZE_MAX; size *= 4) {
        char *record = mem_new(1, size);
        struct passwd user;
        struct passwd *user_found = NULL;
        struct group group;
        struct group *group_found = NULL;
        const char *found = NULL;
        int err;

        if (kind == IDENTITY_USER)
            err = name ? getpwnam_r(name, &user, record, size, &user_found)
                       : getpwuid_r(number, &user, record, size, &user_found);
        else
            err = name ? getgrnam_r(name, &group, record, size, &group_found)
                       : getgrgid_r(number, &group, record, size, &group_found);
        if (user_found) {
            found = user.pw_name;
            *out_number = user.pw_uid;
        } else if (group_found) {
            found = group.gr_name;
            *out_number = group.gr_gid;
        }
        if (found && identity_name_is_valid(found))
            memcpy(out_name, found, strlen(found) + 1);
        else
            found = NULL;
        free(record);
        if (err != ERANGE)
            return found != NULL;
    }
    return false;
}

static struct answer *slot(enum identity_kind kind, enum direction direction, uint32_t hash)
{
    return &cache[(hash * 31u + (uint32_t)kind * 7u + (uint32_t)direction * 3u) % CACHE_SIZE];
}

static bool still_good(const struct answer *a, enum identity_kind kind, enum direction direction)
{
    return a->until_ns > instant_now().ns && a->kind == kind && a->direction == direction;
}

static int64_t kept_until(void)
{
    return instant_after_ms(instant_now(), IDENTITY_KEPT_MS).ns;
}

static bool name_of(enum identity_kind kind, uint32_t number, struct identity_name *out)
{
    struct answer *a = slot(kind, NAME_OF_NUMBER, number);

    if (!still_good(a, kind, NAME_OF_NUMBER) || a->number != number) {
        uint32_t same;

        *a = (struct answer){.kind = kind, .direction = NAME_OF_NUMBER, .number = number};
        a->found = ask(kind, NULL, number, &same, a->name.text);
        a->until_ns = kept_until();
    }
    *out = a->name;
    return a->found;
}

struct identity_name identity_name(enum identity_kind kind, uint32_t number)
{
    struct identity_name name;

    if (!name_of(kind, number, &name))
        snprintf(name.text, sizeof name.text, "#%u", (unsigned)number);
    return name;
}

/* "#N" for a number that has no name here. */
static bool nameless_number(enum identity_kind kind, const char *digits, uint32_t *out_number)
{
    struct identity_name name;
    uint64_t number = 0;

    if (*digits < '1' || *digits > '9')
        return false;
    for (; *digits; digits++) {
        if (*digits < '0' || *digits > '9')
            return false;
        number = number * 10 + (uint64_t)(*digits - '0');
        /* all ones means "leave it" to chown */
        if (number >= UINT32_MAX)
            return false;
    }
    if (name_of(kind, (uint32_t)number, &name))
        return false;
    *out_number = (uint32_t)number;
    return true;
}

bool identity_number(enum identity_kind kind, const char *name, uint32_t *out_number)
{
    struct answer *a = slot(kind, NUMBER_OF_NAME, hash_text(name));

    if (!identity_name_is_valid(name))
        return false;
    if (name[0] == '#')
        return nameless_number(kind, name + 1, out_number);
    if (!still_good(a, kind, NUMBER_OF_NAME) || strcmp(a->name.text, name) != 0) {
        char canonical[IDENTITY_SIZE];

        *a = (struct answer){.kind = kind, .direction = NUMBER_OF_NAME};
        memcpy(a->name.text, name, strlen(name) + 1);
        a->found = ask(kind, name, 0, &a->number, canonical);
        a->until_ns = kept_until();
    }
    if (a->found)
        *out_number = a->number;
    return a->found;
}
