/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/base/guid.h: 16-byte identifiers as Active Directory stores them.
 *
 * In memory and on the wire: the 16 raw bytes of objectGUID. As text: the usual 8-4-4-4-12 form,
 * whose first three fields are little-endian in the raw bytes ([MS-DTYP] 2.3.4). Order is memcmp
 * of the raw bytes, as [MS-FRS2] compares identifiers.
 */
#ifndef COMMON_BASE_GUID_H
#define COMMON_BASE_GUID_H

#include "common/base/status.h"

#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define GUID_SIZE      16
#define GUID_TEXT_SIZE 37 /* with the final NUL */

struct guid {
    uint8_t bytes[GUID_SIZE];
};

struct guid_text {
    char text[GUID_TEXT_SIZE];
};

/* A fresh random (version 4) identifier from the kernel's generator. */
struct guid guid_random(void);

/* Lower-case text; never fails. */
struct guid_text guid_format(const struct guid *id);

/* Read text with or without braces, any case. Returns false and leaves *out_id for anything else.
 * guid_parse(guid_format(x)) gives x. */
bool guid_parse(const char *text, struct guid *out_id);

/* As memcmp, which every search through records would call: by halves instead. */
static inline int guid_compare(const struct guid *a, const struct guid *b)
{
    for (size_t at = 0; at < GUID_SIZE; at += sizeof(uint64_t)) {
        uint64_t x;
        uint64_t y;

        memcpy(&x, a->bytes + at, sizeof(x));
        memcpy(&y, b->bytes + at, sizeof(y));
        if (x != y)
            return be64toh(x) < be64toh(y) ? -1 : 1;
    }
    return 0;
}

static inline bool guid_equal(const struct guid *a, const struct guid *b)
{
    return guid_compare(a, b) == 0;
}

bool guid_is_zero(const struct guid *id);

#endif
