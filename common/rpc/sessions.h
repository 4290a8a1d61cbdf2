/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/rpc/sessions.h: which client certificate is which principal, until when. Pure.
 *
 * The key is the certificate as gRPC shows it on every call (PEM text), compared byte by byte:
 * parsing X.509 for each call would cost more than the call. TLS has proven that the client holds
 * the certificate's key; nothing that travels could be stolen and used elsewhere.
 *
 * A session belongs to its *holder*: the Authenticate stream that made or last renewed it.
 */
#ifndef COMMON_RPC_SESSIONS_H
#define COMMON_RPC_SESSIONS_H

#include "common/base/instant.h"
#include "common/base/span.h"

struct sessions;

struct session {
    uint64_t id; /* of the table, never used twice, not 0 */
    const char *principal;
    struct instant expires;
    const void *holder;
};

struct sessions *sessions_new(void);
void sessions_free(struct sessions *sessions); /* NULL allowed */

enum session_put {
    SESSION_NEW,
    SESSION_RENEWED,
    SESSION_OTHER_PRINCIPAL, /* refused: a certificate is one principal for ever */
    SESSION_TABLE_FULL,      /* refused */
};

/* Make or renew the session of @certificate. @session->principal is copied, its id not used. */
enum session_put sessions_put(struct sessions *sessions, struct span certificate,
                              const struct session *session);

/* The session of @certificate that has not expired at @now, or NULL. Borrowed until the table
 * changes. */
const struct session *sessions_find(const struct sessions *sessions, struct span certificate,
                                    struct instant now);

/* Remove the session of @certificate if @holder still holds it. Returns its id, 0 when it did not. */
uint64_t sessions_remove(struct sessions *sessions, struct span certificate, const void *holder);

size_t sessions_count(const struct sessions *sessions);

#endif
