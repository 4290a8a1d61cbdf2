/* SPDX-License-Identifier: Apache-2.0 */
/*
 * controller/status/json.h: writes one JSON document into a buffer, in order, without a tree.
 *
 * Commas and quotes are the writer's business. Inside an object every value has a key; inside an
 * array the key is NULL. Numbers above 2^53 are written in full: readers that keep them as doubles
 * lose their last digits.
 */
#ifndef CONTROLLER_STATUS_JSON_H
#define CONTROLLER_STATUS_JSON_H

#include "common/base/buf.h"
#include "common/base/guid.h"
#include "common/base/instant.h"

struct json {
    struct buf *out;
    bool follows; /* a comma is due before the next value */
};

void json_object_begin(struct json *json, const char *key);
void json_object_end(struct json *json);
void json_array_begin(struct json *json, const char *key);
void json_array_end(struct json *json);
void json_text(struct json *json, const char *key, const char *value);
/* Null when @value is "". */
void json_text_or_null(struct json *json, const char *key, const char *value);
void json_number(struct json *json, const char *key, uint64_t value);
void json_bool(struct json *json, const char *key, bool value);
void json_null(struct json *json, const char *key);
void json_guid(struct json *json, const char *key, const struct guid *value);
/* RFC 3339 in UTC; null for 0. */
void json_time(struct json *json, const char *key, struct walltime value);

#endif
