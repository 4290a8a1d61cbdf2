/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/auth/auth.h: who we are and who they are, by Kerberos. The only folder with krb5 and
 * gssapi headers.
 *
 * Credentials come from a keytab, explicitly: never from the environment's default cache. A ticket
 * is renewed from the keytab before it ends. No password, no certificate, no anonymous fallback;
 * AES only; delegated tickets are refused.
 *
 * Threads: GSS calls block (KDC, disk), so handshakes run on workers, many at a time: threads may
 * share auth_credentials, but for auth_credentials_initiator(), whose result one thread borrows. A
 * handshake is used by one thread at a time; it may outlive its credentials' close.
 */
#ifndef COMMON_AUTH_AUTH_H
#define COMMON_AUTH_AUTH_H

#include "common/base/buf.h"
#include "common/base/log.h"
#include "common/base/span.h"
#include "common/base/status.h"

struct auth_credentials;

struct auth_options {
    const char *keytab;    /* path */
    const char *principal; /* client principal, "host/a.example.org" or "A$"; NULL: the keytab's first */
    const char *service;   /* acceptor's service principal; NULL: any key of the keytab */
    const struct log_ctx *log; /* borrowed for the call */
};

/*
 * Read and check the keytab. Does not contact the KDC.
 * Errors, each with one line that names keytab, principal and remedy: ST_REFUSED (unreadable),
 * ST_GONE (no such file), ST_BADDATA (no usable AES key, or the principal is not in it).
 */
NODISCARD enum status auth_credentials_open(const struct auth_options *options,
                                            struct auth_credentials **out_credentials);
void auth_credentials_close(struct auth_credentials *credentials); /* NULL allowed */

/* The client principal with its realm. Borrowed. */
const char *auth_credentials_principal(const struct auth_credentials *credentials);

/*
 * The gss_cred_id_t for libldap's LDAP_OPT_X_SASL_GSS_CREDS, as void * so that no gssapi header is
 * needed; fresh for at least a minute, renewed from the keytab when not. Blocks on the KDC.
 * Errors as the KDC gives them, in one line with the remedy (clock skew, unknown principal,
 * KDC unreachable). Borrowed until the next call.
 */
NODISCARD enum status auth_credentials_initiator(struct auth_credentials *credentials,
                                                 const struct log_ctx *log, void **out_gss_cred);

/* --- one handshake (see proto/PROTOCOL.md, Authentication) --- */

struct auth_handshake;

/* What both ends bind the tickets to: hashes of the two TLS certificates they see. */
struct auth_binding {
    uint8_t server_certificate[32];
    uint8_t client_certificate[32];
};

struct auth_handshake *auth_initiate(struct auth_credentials *credentials, const char *service,
                                     const char *host, const struct auth_binding *binding);
struct auth_handshake *auth_accept(struct auth_credentials *credentials,
                                   const struct auth_binding *binding);
void auth_handshake_free(struct auth_handshake *handshake);

enum auth_step {
    AUTH_SEND,   /* send *out and wait for the answer */
    AUTH_DONE,   /* send *out when it is not empty; the peer is authentic */
    AUTH_FAILED, /* auth_error() says why */
};

/* Feed the peer's serialised AuthenticateMessage (empty to begin); *out gets the one to send.
 * Blocks. A handshake succeeds on both sides or on neither. */
enum auth_step auth_handshake_step(struct auth_handshake *handshake, struct span in, struct buf *out);

const char *auth_handshake_peer(const struct auth_handshake *handshake);       /* principal */
uint32_t auth_handshake_lifetime_s(const struct auth_handshake *handshake);
/* Cause and remedy in one clause, for the local log; never sent to the peer. */
const char *auth_handshake_error(const struct auth_handshake *handshake);

#endif
