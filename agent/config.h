/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/config.h: the agent's own file: local facts only. Everything else stands in the directory.
 */
#ifndef AGENT_CONFIG_H
#define AGENT_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/log.h"

#define AGENT_CONFIG_PATH_DEFAULT "/etc/coterie/agent.conf"

struct agent_endpoint {
    char *host;
    uint16_t port;
};

struct agent_config {
    struct agent_endpoint *controllers;
    size_t controller_count;
    char *keytab;
    char *principal; /* NULL: the keytab's first */
    char *service;   /* Kerberos service class of agents and controller */
    char *host_name;
    char *listen;    /* numeric address */
    uint16_t port;
    char *state_dir;
    char *socket;
    char **allowed_roots;
    size_t allowed_root_count;
    enum log_level log_level;
};

/* Defaults for what the file leaves out. False: *out_problem (caller frees) names file, line, key
 * and remedy. */
bool agent_config_load(const char *path, struct agent_config *out_config, char **out_problem);
void agent_config_fini(struct agent_config *config);

/* Whether a folder may live at @path: absolute, no "..", and at or beneath an allowed root. */
bool agent_config_allows(const struct agent_config *config, const char *path);

#endif
