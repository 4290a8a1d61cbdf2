/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/auth/credentials.h: the inside of auth_credentials, for the handshake.
 *
 * Threads: the functions here may be called from any thread; handshakes of many connections run
 * side by side on one object.
 */
#ifndef COMMON_AUTH_CREDENTIALS_H
#define COMMON_AUTH_CREDENTIALS_H

#include "common/auth/auth.h"

#include <gssapi/gssapi.h>

/* A handshake may outlive its owner's auth_credentials_close(). */
struct auth_credentials *credentials_ref(struct auth_credentials *credentials);
void credentials_unref(struct auth_credentials *credentials);

/* A credential of our own for one use: the ticket behind it is shared and renewed from the keytab.
 * Blocks on the KDC. On failure *out_error is cause and remedy, to be freed with free(). */
NODISCARD enum status credentials_acquire(struct auth_credentials *credentials,
                                          gss_cred_id_t *out_cred, char **out_error);

/* The acceptor's credential. Borrowed for the life of @credentials. */
gss_cred_id_t credentials_acceptor(const struct auth_credentials *credentials);

#endif
