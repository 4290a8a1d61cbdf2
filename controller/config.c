/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/config.h"

#include "common/ad/connection.h"
#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/base/scope.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>

#define SECTION "controller"

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
    const char *path;
    FILE *file;
    unsigned line; /* the one that is being read */
    bool given[KEY_COUNT];
    struct controller_config *config;
    char *problem;
};

/* inih reads through this, so that the line is known whatever the library was built with. */
static char *read_line(char *out, int size, void *arg)
{
    struct parse *parse = arg;

    if (parse->problem || !fgets(out, size, parse->file))
        return NULL;
    parse->line++;
    if (!strchr(out, '\n') && !feof(parse->file)) {
        parse->problem = mem_format("%s:%u: the line is longer than %d bytes: shorten it",
                                    parse->path, parse->line, size - 2);
        return NULL;
    }
    return out;
}

static const struct key *find_key(const char *section, const char *name)
{
    if (strcmp(section, SECTION) != 0)
        return NULL;
    for (size_t i = 0; i < KEY_COUNT; i++)
        if (strcmp(name, keys[i].name) == 0)
            return &keys[i];
    return NULL;
}

static int on_entry(void *arg, const char *section, const char *name, const char *value)
{
    struct parse *parse = arg;
    const struct key *key = find_key(section, name);

    if (!key) {
        parse->problem =
            mem_format("%s:%u: there is no key \"%s\" in section [%s]: see controller.conf(5)",
                       parse->path, parse->line, name, section);
        return 0;
    }
    bool *given = &parse->given[key - keys];

    if (*given) {
        parse->problem = mem_format("%s:%u: \"%s\" is given twice, or its value continues on an "
                                    "indented line: leave one line of it",
                                    parse->path, parse->line, name);
        return 0;
    }
    *given = true;
    scope_free char *wanted = value[0] != '\0'
                                  ? set_value(key, value, parse->config)
                                  : mem_copy_string("a value; leave the line out for the default");

    if (wanted)
        parse->problem = mem_format("%s:%u: %s = \"%s\" should be %s", parse->path, parse->line,
                                    name, value, wanted);
    return wanted == NULL;
}

static void set_defaults(struct controller_config *config)
{
    for (size_t i = 0; i < KEY_COUNT; i++)
        if (keys[i].absent)
            free(set_value(&keys[i], keys[i].absent, config));
}

static char *missing_key(const struct parse *parse)
{
    for (size_t i = 0; i < KEY_COUNT; i++)
        if (!keys[i].absent && !parse->given[i])
            return mem_format("%s: \"%s\" is missing in section [" SECTION
                              "]: see controller.conf(5)",
                              parse->path, keys[i].name);
    return NULL;
}

bool controller_config_load(const char *path, struct controller_config *out_config,
                            char **out_problem)
{
    struct controller_config config = {0};
    scope_file FILE *file = fopen(path, "re");
    struct parse parse = {.path = path, .file = file, .config = &config};

    if (!file) {
        *out_problem = mem_format("cannot read %s: %s: create it, or name another with --config",
                                  path, strerror(errno));
        return false;
    }
    set_defaults(&config);
    int broken_line = ini_parse_stream(read_line, &parse, on_entry, &parse);

    if (!parse.problem && ferror(file))
        parse.problem = mem_format("cannot read %s: is it a regular file?", path);
    if (!parse.problem && broken_line != 0)
        parse.problem =
            mem_format("%s:%d: neither \"key = value\" nor \"[section]\"", path, broken_line);
    if (!parse.problem)
        parse.problem = missing_key(&parse);
    if (parse.problem) {
        controller_config_fini(&config);
        *out_problem = parse.problem;
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
