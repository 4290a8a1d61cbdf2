/* SPDX-License-Identifier: Apache-2.0 */
/*
 * controller/config.h: the controller's own file: where the directory is, who we are, where we
 * listen. What replicates where stands in the directory alone.
 */
#ifndef CONTROLLER_CONFIG_H
#define CONTROLLER_CONFIG_H

#include "common/base/log.h"

#define CONTROLLER_CONFIG_PATH_DEFAULT "/etc/coterie/controller.conf"

struct controller_config {
    char *directory; /* LDAP URIs, separated by blanks, tried in this order */
    char *base;      /* DN; "": the server's default naming context */
    char *keytab;
    char *principal; /* "": the keytab's first */
    char *service;   /* Kerberos service class under which agents reach us */
    char *realm;     /* "": that of our principal */
    char *listen;    /* numeric address for agents */
    uint16_t port;
    char *http_listen; /* numeric address for the status */
    uint16_t http_port;
    uint32_t poll_interval_s;
    enum log_level log_level;
};

/*
 * Read and check the file; defaults for what it leaves out. False: *out_problem (caller frees)
 * names file, line, key and remedy, and *out_config is untouched. Every text of the result is set.
 */
bool controller_config_load(const char *path, struct controller_config *out_config,
                            char **out_problem);
void controller_config_fini(struct controller_config *config);

#endif
