/* SPDX-License-Identifier: Apache-2.0 */
#include "common/ad/names.h"

#include "common/base/buf.h"
#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/base/scope.h"

#include <ldap.h>
#include <string.h>

static LDAPDN parse(const char *dn)
{
    LDAPDN parsed = NULL;

    if (strlen(dn) > AD_DN_SIZE_MAX ||
        ldap_str2dn(dn, &parsed, LDAP_DN_FORMAT_LDAPV3) != LDAP_SUCCESS)
        return NULL;
    return parsed;
}

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c - 'A' + 'a') : c;
}

static void append_lower(struct buf *out, struct berval text)
{
    for (size_t i = 0; i < text.bv_len; i++) {
        uint8_t c = lower((uint8_t)text.bv_val[i]);
        buf_append(out, &c, 1);
    }
}

/* What has a meaning in a name is written as \XX, so that a comma always separates. */
static void append_value(struct buf *out, struct berval value)
{
    struct span v = span_of(value.bv_val, value.bv_len);

    while (v.size > 0 && v.data[0] == ' ')
        v = span_part(v, 1, v.size);
    while (v.size > 0 && v.data[v.size - 1] == ' ')
        v.size--;
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
    LDAPDN parsed = parse(dn);

    if (!parsed)
        return NULL;
    for (size_t i = 0; parsed[i]; i++) {
        if (i > 0)
            buf_append_string(&out, ",");
        for (size_t k = 0; parsed[i][k]; k++) {
            if (k > 0)
                buf_append_string(&out, "+");
            append_lower(&out, parsed[i][k]->la_attr);
            buf_append_string(&out, "=");
            append_value(&out, parsed[i][k]->la_value);
        }
    }
    ldap_dnfree(parsed);
    return mem_copy_string(buf_text(&out));
}

const char *ad_dn_parent(const char *normal)
{
    const char *comma = strchr(normal, ',');

    return comma ? comma + 1 : NULL;
}

char *ad_dn_leaf(const char *dn)
{
    LDAPDN parsed = parse(dn);

    if (!parsed)
        return mem_copy_string(dn);
    struct berval value = parsed[0][0]->la_value;
    char *leaf = mem_new(value.bv_len + 1, 1);
    if (value.bv_len > 0)
        memcpy(leaf, value.bv_val, value.bv_len);
    ldap_dnfree(parsed);
    return leaf;
}
