/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/topology/attributes.h"

#include "common/base/mem.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SEPARATORS " \t\r\n,;"

bool attribute_boolean(const struct ad_entry *entry, struct boolean_rule rule,
                       struct findings *findings)
{
    struct span raw;

    if (!ad_entry_value(entry, rule.name, &raw))
        return rule.absent;
    const char *text = ad_entry_text(entry, rule.name);
    if (text && strcasecmp(text, "TRUE") == 0)
        return true;
    if (text && strcasecmp(text, "FALSE") == 0)
        return false;
    findings_add(findings, SEVERITY_WARNING, entry->dn, "set it to TRUE or FALSE",
                 "%s is neither TRUE nor FALSE; taken as %s", rule.name,
                 rule.malformed ? "TRUE" : "FALSE");
    return rule.malformed;
}

static bool parse_integer(const char *text, int64_t *out_value)
{
    char *end;

    if (!text || *text == '\0' || strspn(text, "-0123456789") != strlen(text))
        return false;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno != 0 || *end != '\0')
        return false;
    *out_value = value;
    return true;
}

int64_t attribute_integer(const struct ad_entry *entry, struct integer_rule rule,
                          struct findings *findings)
{
    struct span raw;
    int64_t value;

    if (!ad_entry_value(entry, rule.name, &raw))
        return rule.absent;
    if (!parse_integer(ad_entry_text(entry, rule.name), &value)) {
        findings_add(findings, SEVERITY_WARNING, entry->dn, "set it to a number, or remove it",
                     "%s is not a number; taken as %" PRId64, rule.name, rule.absent);
        return rule.absent;
    }
    int64_t used = value < rule.min ? rule.min : value > rule.max ? rule.max : value;
    if (used != value)
        findings_add(findings, SEVERITY_WARNING, entry->dn, "set it to a number in that range",
                     "%s is %" PRId64 ", outside of %" PRId64 " to %" PRId64 "; taken as %" PRId64,
                     rule.name, value, rule.min, rule.max, used);
    return used;
}

char *attribute_text(const struct ad_entry *entry, const char *name, const char *absent)
{
    const char *text = ad_entry_text(entry, name);

    return mem_copy_string(text ? text : absent);
}

bool attribute_guid(const struct ad_entry *entry, const char *name, struct guid *out_id,
                    struct findings *findings)
{
    struct span raw;

    if (ad_entry_value(entry, name, &raw) && raw.size == GUID_SIZE) {
        memcpy(out_id->bytes, raw.data, GUID_SIZE);
        return true;
    }
    findings_add(findings, SEVERITY_ERROR, entry->dn,
                 "store the other object's objectGUID there, as 16 bytes",
                 "%s is missing or not 16 bytes", name);
    return false;
}

bool text_has_word(const char *text, const char *word, char **out_value)
{
    size_t size = strlen(word);
    bool takes_value = size > 0 && word[size - 1] == '=';

    for (const char *p = text + strspn(text, SEPARATORS); *p; p += strspn(p, SEPARATORS)) {
        size_t token = strcspn(p, SEPARATORS);

        if (strncasecmp(p, word, size) == 0 && (takes_value ? token >= size : token == size)) {
            if (out_value)
                *out_value = mem_format("%.*s", (int)(token - size), p + size);
            return true;
        }
        p += token;
    }
    return false;
}
