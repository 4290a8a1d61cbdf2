/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/status/text.h"

/*
 * The length of the well-formed UTF-8 sequence at @s (RFC 3629: shortest form, no surrogates, up to
 * U+10FFFF) and its code point; 0 when there is none. @s is NUL-terminated, and NUL is never a
 * continuation byte, so no read passes the end.
 */
static size_t read_utf8(const unsigned char *s, uint32_t *out_point)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t size = s[0] < 0x80       ? 1
                  : s[0] >> 5 == 6  ? 2
                  : s[0] >> 4 == 14 ? 3
                  : s[0] >> 3 == 30 ? 4
                                    : 0;

    if (size == 0)
        return 0;
    uint32_t point = size == 1 ? s[0] : s[0] & (0xffu >> (size + 1));

    for (size_t i = 1; i < size; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        point = point << 6 | (s[i] & 0x3f);
    }
    if (point < least[size] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
        return 0;
    *out_point = point;
    return size;
}

/* Would it move the cursor, hide, or turn the text around it? */
static bool is_control(uint32_t point)
{
    return point < 0x20 || (point >= 0x7f && point < 0xa0) ||
           (point >= 0x200b && point <= 0x200f) || (point >= 0x2028 && point <= 0x202e) ||
           (point >= 0x2060 && point <= 0x206f) || point == 0xfeff;
}

/* Append @text; @special gives what a printable ASCII character becomes, or NULL for itself. */
static void append(struct buf *out, const char *text, const char *escape,
                   const char *(*special)(char c))
{
    const unsigned char *s = (const unsigned char *)text;

    while (*s != '\0') {
        uint32_t point = 0;
        size_t size = read_utf8(s, &point);

        if (size == 0 || is_control(point)) {
            for (size_t i = 0; i < (size > 0 ? size : 1); i++)
                buf_printf(out, "%sx%02x", escape, s[i]);
            s += size > 0 ? size : 1;
            continue;
        }
        const char *replacement = size == 1 ? special((char)*s) : NULL;

        if (replacement)
            buf_append_string(out, replacement);
        else
            buf_append(out, s, size);
        s += size;
    }
}

static const char *special_json(char c)
{
    return c == '"' ? "\\\"" : c == '\\' ? "\\\\" : NULL;
}

static const char *special_html(char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

void text_json(struct buf *out, const char *text)
{
    append(out, text, "\\\\", special_json);
}

void text_html(struct buf *out, const char *text)
{
    append(out, text, "\\", special_html);
}

void text_label(struct buf *out, const char *text)
{
    append(out, text, "\\\\", special_json); /* the format has the same two escapes */
}
