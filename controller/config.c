/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/config.h"

#include "common/ad/connection.h"
#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/os/config_file.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#define SECTION "controller"
#define MANUAL  "controller.conf(5)"

/* What a value must look like; the words complete "should be …". */
enum value_kind {
    VALUE_TEXT,
    VALUE_URIS,
    VALUE_ADDRESS,
    VALUE_PORT,
    VALUE_SECONDS,
    VALUE_LOG_LEVEL,
};

struct key {
    const char *name;
    enum value_kind kind;
    size_t offset;      /* in struct controller_config */
    const char *absent; /* the default, written as in the file; NULL: the key is required */
};

#define KEY(key_name, value_kind, default_value)                                                   \
    {                                                                                              \
#key_name, value_kind, offsetof(struct controller_config, key_name), default_value         \
    }

static const struct key keys[] = {
    KEY(directory, VALUE_URIS, NULL),
    KEY(base, VALUE_TEXT, ""),
    KEY(keytab, VALUE_TEXT, "/etc/krb5.keytab"),
    KEY(principal, VALUE_TEXT, ""),
    KEY(service, VALUE_TEXT, ""),
    KEY(realm, VALUE_TEXT, ""),
    KEY(listen, VALUE_ADDRESS, "0.0.0.0"),
    KEY(port, VALUE_PORT, "7721"),
    KEY(http_listen, VALUE_ADDRESS, "127.0.0.1"),
    KEY(http_port, VALUE_PORT, "7720"),
    {"poll_interval", VALUE_SECONDS, offsetof(struct controller_config, poll_interval_s), "60"},
    KEY(log_level, VALUE_LOG_LEVEL, "info"),
};

#define KEY_COUNT (sizeof(keys) / sizeof(keys[0]))

static_assert(CONTROLLER_PORT_DEFAULT == 7721 && STATUS_PORT_DEFAULT == 7720,
              "the defaults above are written as in the file");

/* --- values --- */

static bool parse_number(const char *text, unsigned long max, unsigned long *out_value)
{
    char *end;

    if (text[0] < '0' || text[0] > '9')
        return false;
    errno = 0;
    *out_value = strtoul(text, &end, 10);
    return *end == '\0' && errno == 0 && *out_value > 0 && *out_value <= max;
}

static bool is_numeric_address(const char *text)
{
    struct in6_addr address;

    return inet_pton(AF_INET, text, &address) == 1 || inet_pton(AF_INET6, text, &address) == 1;
}

static void set_text(char **field, const char *value)
{
    free(*field);
    *field = mem_copy_string(value);
}

/* NULL, or what the value should have been; the caller frees. */
static char *set_value(const struct key *key, const char *value, struct controller_config *config)
{
    void *field = (char *)config + key->offset;
    unsigned long number = 0;
    char *problem = NULL;

    switch (key->kind) {
    case VALUE_URIS:
        if (!ad_uris_ok(value, &problem))
            return problem;
        set_text(field, value);
        return NULL;
    case VALUE_ADDRESS:
        if (!is_numeric_address(value))
            return mem_copy_string("a numeric address of this host, such as 0.0.0.0 or ::1");
        set_text(field, value);
        return NULL;
    case VALUE_TEXT:
        set_text(field, value);
        return NULL;
    case VALUE_PORT:
        if (!parse_number(value, UINT16_MAX, &number))
            return mem_copy_string("a number from 1 to 65535");
        *(uint16_t *)field = (uint16_t)number;
        return NULL;
    case VALUE_SECONDS:
        if (!parse_number(value, DIRECTORY_POLL_INTERVAL_S_MAX, &number))
            return mem_format("seconds from 1 to %u", DIRECTORY_POLL_INTERVAL_S_MAX);
        *(uint32_t *)field = (uint32_t)number;
        return NULL;
    case VALUE_LOG_LEVEL:
        if (!log_level_parse(value, field))
            return mem_copy_string("error, warn, info or debug");
        return NULL;
    }
    return NULL;
}

/* --- the file --- */

struct parse {
    bool given[KEY_COUNT];
    struct controller_config *config;
};

static const struct key *find_key(const char *section, const char *name)
{
    if (strcmp(section, SECTION) != 0)
        return NULL;
    for (size_t i = 0; i < KEY_COUNT; i++)
        if (strcmp(name, keys[i].name) == 0)
            return &keys[i];
    return NULL;
}

static char *take(void *arg, const char *section, const char *name, const char *value,
                  bool *out_known)
{
    struct parse *parse = arg;
    const struct key *key = find_key(section, name);

    *out_known = key != NULL;
    if (!key)
        return NULL;
    parse->given[key - keys] = true;
    return set_value(key, value, parse->config);
}

static void set_defaults(struct controller_config *config)
{
    for (size_t i = 0; i < KEY_COUNT; i++)
        if (keys[i].absent)
            free(set_value(&keys[i], keys[i].absent, config));
}

static char *missing_key(const char *path, const struct parse *parse)
{
    for (size_t i = 0; i < KEY_COUNT; i++)
        if (!keys[i].absent && !parse->given[i])
            return mem_format("%s: \"%s\" is missing in section [" SECTION "]: see " MANUAL, path,
                              keys[i].name);
    return NULL;
}

bool controller_config_load(const char *path, struct controller_config *out_config,
                            char **out_problem)
{
    struct controller_config config = {0};
    struct parse parse = {.config = &config};
    char *problem;

    set_defaults(&config);
    problem = config_file_read(path, MANUAL, take, &parse);
    if (!problem)
        problem = missing_key(path, &parse);
    if (problem) {
        controller_config_fini(&config);
        *out_problem = problem;
        return false;
    }
    *out_config = config;
    return true;
}

void controller_config_fini(struct controller_config *config)
{
    free(config->directory);
    free(config->base);
    free(config->keytab);
    free(config->principal);
    free(config->service);
    free(config->realm);
    free(config->listen);
    free(config->http_listen);
    *config = (struct controller_config){0};
}
