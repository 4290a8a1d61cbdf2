/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/guid.h"

#include "common/base/hex.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

/* position in the raw bytes of each byte pair of the text */
static const uint8_t text_order[GUID_SIZE] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};

struct guid guid_random(void)
{
    struct guid id;

    if (getrandom(id.bytes, sizeof(id.bytes), 0) != (ssize_t)sizeof(id.bytes))
        abort();
    id.bytes[7] = (uint8_t)((id.bytes[7] & 0x0f) | 0x40);
    id.bytes[8] = (uint8_t)((id.bytes[8] & 0x3f) | 0x80);
    return id;
}

struct guid_text guid_format(const struct guid *id)
{
    struct guid_text out;
    char *p = out.text;

    for (size_t i = 0; i < GUID_SIZE; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *p++ = '-';
        snprintf(p, 3, "%02x", id->bytes[text_order[i]]);
        p += 2;
    }
    return out;
}

bool guid_parse(const char *text, struct guid *out_id)
{
    struct guid id;
    bool braced = *text == '{';

    if (braced)
        text++;
    for (size_t i = 0; i < GUID_SIZE; i++) {
        if ((i == 4 || i == 6 || i == 8 || i == 10) && *text++ != '-')
            return false;
        int high = hex_value(text[0]);
        int low = high < 0 ? -1 : hex_value(text[1]);
        if (low < 0)
            return false;
        id.bytes[text_order[i]] = (uint8_t)(high * 16 + low);
        text += 2;
    }
    if (braced && *text++ != '}')
        return false;
    if (*text != '\0')
        return false;
    *out_id = id;
    return true;
}

bool guid_is_zero(const struct guid *id)
{
    static const struct guid zero;

    return guid_equal(id, &zero);
}
