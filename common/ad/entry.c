/* SPDX-License-Identifier: Apache-2.0 */
#include "common/ad/entry.h"

#include "common/base/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <strings.h>

static void entry_fini(struct ad_entry *entry)
{
    for (size_t i = 0; i < entry->attribute_count; i++) {
        struct ad_attribute *a = &entry->attributes[i];

        for (size_t k = 0; k < a->value_count; k++)
            free(a->values[k].data);
        free(a->values);
        free(a->name);
    }
    free(entry->attributes);
    free(entry->dn);
}

void ad_entries_fini(struct ad_entries *entries)
{
    for (size_t i = 0; i < entries->count; i++)
        entry_fini(&entries->items[i]);
    free(entries->items);
    *entries = (struct ad_entries){0};
}

struct ad_entry *ad_entries_add(struct ad_entries *entries, const char *dn)
{
    if (entries->count == entries->capacity) {
        entries->capacity = entries->capacity ? entries->capacity * 2 : 64;
        entries->items = mem_resize(entries->items, entries->capacity, sizeof(*entries->items));
    }
    struct ad_entry *entry = &entries->items[entries->count++];
    *entry = (struct ad_entry){.dn = mem_copy_string(dn)};
    entries->bytes += strlen(dn);
    return entry;
}

static struct ad_attribute *find(const struct ad_entry *entry, const char *name)
{
    for (size_t i = 0; i < entry->attribute_count; i++) {
        if (strcasecmp(entry->attributes[i].name, name) == 0)
            return &entry->attributes[i];
    }
    return NULL;
}

void ad_entries_add_value(struct ad_entries *entries, const char *attribute, struct span value)
{
    assert(entries->count > 0);
    struct ad_entry *entry = &entries->items[entries->count - 1];
    struct ad_attribute *a = find(entry, attribute);

    if (!a) {
        entry->attributes = mem_resize(entry->attributes, entry->attribute_count + 1, sizeof(*a));
        a = &entry->attributes[entry->attribute_count++];
        *a = (struct ad_attribute){.name = mem_copy_string(attribute)};
    }
    a->values = mem_resize(a->values, a->value_count + 1, sizeof(*a->values));
    uint8_t *data = mem_new(value.size + 1, 1);
    if (value.size > 0)
        memcpy(data, value.data, value.size);
    a->values[a->value_count++] = (struct ad_value){.data = data, .size = value.size};
    entries->bytes += value.size;
}

const struct ad_attribute *ad_entry_attribute(const struct ad_entry *entry, const char *name)
{
    return find(entry, name);
}

bool ad_entry_value(const struct ad_entry *entry, const char *name, struct span *out_value)
{
    const struct ad_attribute *a = find(entry, name);

    if (!a || a->value_count == 0)
        return false;
    *out_value = span_of(a->values[0].data, a->values[0].size);
    return true;
}

const char *ad_entry_text(const struct ad_entry *entry, const char *name)
{
    struct span value;

    if (!ad_entry_value(entry, name, &value) || memchr(value.data, 0, value.size))
        return NULL;
    return (const char *)value.data;
}

bool ad_entry_has_class(const struct ad_entry *entry, const char *object_class)
{
    const struct ad_attribute *a = find(entry, "objectClass");

    for (size_t i = 0; a && i < a->value_count; i++) {
        if (strcasecmp((const char *)a->values[i].data, object_class) == 0)
            return true;
    }
    return false;
}

bool ad_entry_guid(const struct ad_entry *entry, struct guid *out_id)
{
    struct span raw;
    struct guid id;

    if (ad_entry_value(entry, "objectGUID", &raw)) {
        if (raw.size != GUID_SIZE)
            return false;
        memcpy(id.bytes, raw.data, GUID_SIZE);
    } else {
        const char *text = ad_entry_text(entry, "entryUUID");

        if (!text || !guid_parse(text, &id))
            return false;
    }
    if (guid_is_zero(&id))
        return false;
    *out_id = id;
    return true;
}
