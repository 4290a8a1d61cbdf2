/* SPDX-License-Identifier: Apache-2.0 */
/*
 * controller/topology/attributes.h: an attribute's value by its syntax, with a finding and a safe
 * value where it breaks the syntax. For topology_read() alone.
 */
#ifndef CONTROLLER_TOPOLOGY_ATTRIBUTES_H
#define CONTROLLER_TOPOLOGY_ATTRIBUTES_H

#include "common/ad/entry.h"
#include "controller/topology/finding.h"

#include <stdint.h>

struct boolean_rule {
    const char *name;
    bool absent;    /* the value when the attribute is missing */
    bool malformed; /* the value when it is neither TRUE nor FALSE */
};
bool attribute_boolean(const struct ad_entry *entry, struct boolean_rule rule,
                       struct findings *findings);

struct integer_rule {
    const char *name;
    int64_t absent; /* also when malformed */
    int64_t min;    /* smaller values are raised to it, with a finding */
    int64_t max;    /* bigger ones lowered */
};
int64_t attribute_integer(const struct ad_entry *entry, struct integer_rule rule,
                          struct findings *findings);

/* A copy; @absent when it is missing or has a NUL inside. The caller frees. */
char *attribute_text(const struct ad_entry *entry, const char *name, const char *absent);

/* The 16 bytes of another object's identity; false with a finding for anything else. */
bool attribute_guid(const struct ad_entry *entry, const char *name, struct guid *out_id,
                    struct findings *findings);

/* Whether @text holds @word between blanks, commas or semicolons; *out_value is what follows it,
 * up to the next separator, when @word ends with '='. Both compared without case. The caller frees
 * *out_value; NULL allowed. */
bool text_has_word(const char *text, const char *word, char **out_value);

#endif
