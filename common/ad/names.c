/* SPDX-License-Identifier: Apache-2.0 */
#include "common/ad/names.h"

#include "common/base/buf.h"
#include "common/base/hex.h"
#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/base/scope.h"

#include <string.h>

/* --- reading RFC 4514 --- */

/* Two hexadecimal digits; false leaves *p. */
static bool read_hex(const char **p, struct buf *out)
{
    int high = hex_value((*p)[0]);
    int low = high < 0 ? -1 : hex_value((*p)[1]);

    if (low < 0)
        return false;
    uint8_t byte = (uint8_t)(high * 16 + low);
    buf_append(out, &byte, 1);
    *p += 2;
    return true;
}

static void skip_blanks(const char **p)
{
    while (**p == ' ')
        (*p)++;
}

static bool is_type_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.';
}

static bool is_end(char c)
{
    return c == '\0' || c == ',' || c == '+';
}

/* "#04024869": the value's encoding in hexadecimal, taken as it is. */
static bool read_encoded(const char **p, struct buf *value)
{
    (*p)++;
    while (read_hex(p, value))
        ;
    skip_blanks(p);
    return is_end(**p);
}

static bool read_text(const char **p, struct buf *value)
{
    while (!is_end(**p)) {
        if (strchr("\"<>;", **p))
            return false;
        if (**p == '\\') {
            (*p)++;
            if (read_hex(p, value))
                continue;
            if (**p == '\0' || !strchr(" ,+\"\\<>;=#", **p))
                return false;
        }
        buf_append(value, *p, 1);
        (*p)++;
    }
    return true;
}

/* One "type=value", up to what ends it. Both are cleared first. */
static bool read_pair(const char **p, struct buf *type, struct buf *value)
{
    buf_clear(type);
    buf_clear(value);
    skip_blanks(p);
    while (is_type_character(**p)) {
        buf_append(type, *p, 1);
        (*p)++;
    }
    skip_blanks(p);
    if (type->size == 0 || **p != '=')
        return false;
    (*p)++;
    skip_blanks(p);
    return **p == '#' ? read_encoded(p, value) : read_text(p, value);
}

/* --- the normal form --- */

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c - 'A' + 'a') : c;
}

static struct span without_blanks(struct span v)
{
    while (v.size > 0 && v.data[0] == ' ')
        v = span_part(v, 1, v.size);
    while (v.size > 0 && v.data[v.size - 1] == ' ')
        v.size--;
    return v;
}

/* What has a meaning in a name is written as \XX, so that a comma always separates. */
static void append_value(struct buf *out, struct span value)
{
    struct span v = without_blanks(value);

    for (size_t i = 0; i < v.size; i++) {
        uint8_t c = lower(v.data[i]);

        if (c == ' ' && v.data[i - 1] == ' ')
            continue;
        if (c < 0x20 || c == 0x7f || strchr(",+\"\\<>;=#", c))
            buf_printf(out, "\\%02x", c);
        else
            buf_append(out, &c, 1);
    }
}

char *ad_dn_normalise(const char *dn)
{
    scope(buf) struct buf out = {0};
    scope(buf) struct buf type = {0};
    scope(buf) struct buf value = {0};
    const char *p = dn;

    if (strlen(dn) > AD_DN_SIZE_MAX)
        return NULL;
    for (;;) {
        if (!read_pair(&p, &type, &value))
            return NULL;
        for (size_t i = 0; i < type.size; i++)
            type.data[i] = lower(type.data[i]);
        buf_printf(&out, "%s=", buf_text(&type));
        append_value(&out, buf_span(&value));
        if (*p == '\0')
            return mem_copy_string(buf_text(&out));
        buf_append(&out, p++, 1); /* the comma, or the plus of a part with two values */
    }
}

const char *ad_dn_parent(const char *normal)
{
    const char *comma = strchr(normal, ',');

    return comma ? comma + 1 : NULL;
}

char *ad_dn_leaf(const char *dn)
{
    scope(buf) struct buf type = {0};
    scope(buf) struct buf value = {0};
    const char *p = dn;

    if (!read_pair(&p, &type, &value))
        return mem_copy_string(dn);
    struct span text = without_blanks(buf_span(&value));
    char *leaf = mem_new(text.size + 1, 1);
    if (text.size > 0)
        memcpy(leaf, text.data, text.size);
    return leaf;
}
