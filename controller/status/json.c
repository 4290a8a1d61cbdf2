/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/status/json.h"

#include "controller/status/text.h"

#include <inttypes.h>

static void lead(struct json *json, const char *key)
{
    if (json->follows)
        buf_append_string(json->out, ",");
    json->follows = true;
    if (key)
        buf_printf(json->out, "\"%s\":", key);
}

static void open_scope(struct json *json, const char *key, const char *bracket)
{
    lead(json, key);
    buf_append_string(json->out, bracket);
    json->follows = false;
}

static void close_scope(struct json *json, const char *bracket)
{
    buf_append_string(json->out, bracket);
    json->follows = true;
}

void json_object_begin(struct json *json, const char *key)
{
    open_scope(json, key, "{");
}

void json_object_end(struct json *json)
{
    close_scope(json, "}");
}

void json_array_begin(struct json *json, const char *key)
{
    open_scope(json, key, "[");
}

void json_array_end(struct json *json)
{
    close_scope(json, "]");
}

void json_text(struct json *json, const char *key, const char *value)
{
    lead(json, key);
    buf_append_string(json->out, "\"");
    text_json(json->out, value);
    buf_append_string(json->out, "\"");
}

void json_text_or_null(struct json *json, const char *key, const char *value)
{
    if (value[0] == '\0')
        json_null(json, key);
    else
        json_text(json, key, value);
}

void json_number(struct json *json, const char *key, uint64_t value)
{
    lead(json, key);
    buf_printf(json->out, "%" PRIu64, value);
}

void json_bool(struct json *json, const char *key, bool value)
{
    lead(json, key);
    buf_append_string(json->out, value ? "true" : "false");
}

void json_null(struct json *json, const char *key)
{
    lead(json, key);
    buf_append_string(json->out, "null");
}

void json_guid(struct json *json, const char *key, const struct guid *value)
{
    json_text(json, key, guid_format(value).text);
}

void json_time(struct json *json, const char *key, struct walltime value)
{
    if (value.ns == 0)
        json_null(json, key);
    else
        json_text(json, key, walltime_format(value).text);
}
