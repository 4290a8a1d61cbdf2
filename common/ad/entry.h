/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/ad/entry.h: what the directory says, as plain values.
 *
 * An entry is a distinguished name with attributes; an attribute has one or more values, each a
 * string of bytes. Attribute names are compared without case, as LDAP does. Nothing here checks
 * what a value means: controller/topology does.
 */
#ifndef COMMON_AD_ENTRY_H
#define COMMON_AD_ENTRY_H

#include "common/base/guid.h"
#include "common/base/span.h"

struct ad_value {
    uint8_t *data; /* a NUL follows, not counted */
    size_t size;
};

struct ad_attribute {
    char *name;
    struct ad_value *values;
    size_t value_count;
};

struct ad_entry {
    char *dn;
    struct ad_attribute *attributes;
    size_t attribute_count;
};

/* Zero-initialised is empty. */
struct ad_entries {
    struct ad_entry *items;
    size_t count;
    size_t capacity;
    size_t bytes; /* of names and values together, for AD_READ_BYTES_MAX */
};

void ad_entries_fini(struct ad_entries *entries);

/* A new last entry, without attributes. Borrowed until the next one is added. */
struct ad_entry *ad_entries_add(struct ad_entries *entries, const char *dn);
/* One more value of an attribute of the last entry. */
void ad_entries_add_value(struct ad_entries *entries, const char *attribute, struct span value);

/* NULL when the entry has none of that name. Borrowed. */
const struct ad_attribute *ad_entry_attribute(const struct ad_entry *entry, const char *name);

/* The first value as text. NULL when there is none or it has a NUL inside. Borrowed. */
const char *ad_entry_text(const struct ad_entry *entry, const char *name);

/* The first value; false when there is none. Borrowed. */
bool ad_entry_value(const struct ad_entry *entry, const char *name, struct span *out_value);

/* Whether objectClass has this value. */
bool ad_entry_has_class(const struct ad_entry *entry, const char *object_class);

/*
 * The object's identity: objectGUID; where the server has none, entryUUID. False when both are
 * missing or malformed. The text form of the result is that of entryUUID.
 */
bool ad_entry_guid(const struct ad_entry *entry, struct guid *out_id);

#endif
