/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/config.h"

#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/base/scope.h"
#include "common/os/config_file.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECTION "agent"

static void set(char **field, const char *value)
{
    free(*field);
    *field = mem_copy_string(value);
}

static bool parse_port(const char *text, uint16_t *out)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);

    if (*text == '\0' || *end != '\0' || value == 0 || value > UINT16_MAX)
        return false;
    *out = (uint16_t)value;
    return true;
}

/* "host", "host:port" or "[v6]:port" */
static bool parse_endpoint(const char *text, struct agent_endpoint *out)
{
    const char *colon = strrchr(text, ':');
    const char *bracket = strrchr(text, ']');
    uint16_t port = CONTROLLER_PORT_DEFAULT;
    size_t size = strlen(text);

    if (colon && (!bracket || colon > bracket)) {
        if (!parse_port(colon + 1, &port))
            return false;
        size = (size_t)(colon - text);
    }
    if (size >= 2 && text[0] == '[' && text[size - 1] == ']') {
        text++;
        size -= 2;
    }
    if (size == 0)
        return false;
    out->host = mem_new(size + 1, 1);
    memcpy(out->host, text, size);
    out->port = port;
    return true;
}

/* Calls @each for every trimmed item of a comma-separated list; false when one is refused. */
static bool for_each_item(const char *list, bool (*each)(void *arg, const char *item), void *arg)
{
    scope_free char *copy = mem_copy_string(list);
    char *rest = copy;
    char *item;

    while ((item = strsep(&rest, ",")) != NULL) {
        item += strspn(item, " \t");
        size_t size = strlen(item);
        while (size > 0 && (item[size - 1] == ' ' || item[size - 1] == '\t'))
            item[--size] = '\0';
        if (size > 0 && !each(arg, item))
            return false;
    }
    return true;
}

static bool add_controller(void *arg, const char *item)
{
    struct agent_config *c = arg;
    struct agent_endpoint endpoint;

    if (!parse_endpoint(item, &endpoint))
        return false;
    c->controllers =
        mem_resize(c->controllers, c->controller_count + 1, sizeof(*c->controllers));
    c->controllers[c->controller_count++] = endpoint;
    return true;
}

static bool add_root(void *arg, const char *item)
{
    struct agent_config *c = arg;

    if (item[0] != '/')
        return false;
    c->allowed_roots =
        mem_resize(c->allowed_roots, c->allowed_root_count + 1, sizeof(*c->allowed_roots));
    c->allowed_roots[c->allowed_root_count++] = mem_copy_string(item);
    return true;
}

/* The value's kind in words when it was refused. */
static char *accepted(bool ok, const char *wanted)
{
    return ok ? NULL : mem_copy_string(wanted);
}

static char *take(void *arg, const char *section, const char *key, const char *value,
                  bool *out_known)
{
    struct agent_config *c = arg;
    const struct {
        const char *key;
        char **field;
    } texts[] = {
        {"keytab", &c->keytab},       {"principal", &c->principal}, {"service", &c->service},
        {"host_name", &c->host_name}, {"listen", &c->listen},       {"state_dir", &c->state_dir},
        {"socket", &c->socket},
    };

    *out_known = strcmp(section, SECTION) == 0;
    if (!*out_known)
        return NULL;
    if (strcmp(key, "controller") == 0)
        return accepted(for_each_item(value, add_controller, c),
                        "host or host:port, comma-separated");
    if (strcmp(key, "allowed_roots") == 0)
        return accepted(for_each_item(value, add_root, c), "absolute paths, comma-separated");
    if (strcmp(key, "port") == 0)
        return accepted(parse_port(value, &c->port), "a number from 1 to 65535");
    if (strcmp(key, "log_level") == 0)
        return accepted(log_level_parse(value, &c->log_level), "error, warn, info or debug");
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (strcmp(key, texts[i].key) == 0) {
            set(texts[i].field, value);
            return NULL;
        }
    }
    *out_known = false;
    return NULL;
}

static void default_to(char **field, const char *value)
{
    if (!*field)
        *field = mem_copy_string(value);
}

bool agent_config_load(const char *path, struct agent_config *out_config, char **out_problem)
{
    struct agent_config config = {.port = AGENT_PORT_DEFAULT, .log_level = LOG_INFO};
    char host[256] = "";
    char *problem = config_file_read(path, "agent.conf(5)", take, &config);

    if (!problem && config.controller_count == 0)
        problem = mem_format("%s: no controller: add \"controller = HOST[:PORT]\" to [" SECTION "]",
                             path);
    if (problem) {
        agent_config_fini(&config);
        *out_problem = problem;
        return false;
    }
    gethostname(host, sizeof(host) - 1);
    default_to(&config.keytab, "/etc/krb5.keytab");
    default_to(&config.service, "host");
    default_to(&config.host_name, host);
    default_to(&config.listen, "0.0.0.0");
    default_to(&config.state_dir, "/var/lib/coterie");
    default_to(&config.socket, "/run/coterie/agent.sock");
    if (config.allowed_root_count == 0)
        (void)add_root(&config, "/");
    *out_config = config;
    return true;
}

void agent_config_fini(struct agent_config *c)
{
    for (size_t i = 0; i < c->controller_count; i++)
        free(c->controllers[i].host);
    for (size_t i = 0; i < c->allowed_root_count; i++)
        free(c->allowed_roots[i]);
    free(c->controllers);
    free(c->allowed_roots);
    free(c->keytab);
    free(c->principal);
    free(c->service);
    free(c->host_name);
    free(c->listen);
    free(c->state_dir);
    free(c->socket);
    *c = (struct agent_config){0};
}

bool agent_config_allows(const struct agent_config *config, const char *path)
{
    if (path[0] != '/' || strstr(path, "/../") ||
        (strlen(path) >= 3 && strcmp(path + strlen(path) - 3, "/..") == 0))
        return false;
    for (size_t i = 0; i < config->allowed_root_count; i++) {
        const char *root = config->allowed_roots[i];
        size_t size = strlen(root);

        while (size > 1 && root[size - 1] == '/')
            size--;
        if (size == 1 || (strncmp(path, root, size) == 0 && (path[size] == '/' || path[size] == '\0')))
            return true;
    }
    return false;
}
