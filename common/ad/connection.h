/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/ad/connection.h: one Kerberos-bound, sealed connection to a directory server, and reading
 * through it. The only folder with LDAP headers.
 *
 * Works with Active Directory, Samba and OpenLDAP over ldap://. GSSAPI only, mutual, with a layer
 * of at least AD_SECURITY_FACTOR_MIN bits; the host of the URI is taken literally as the server's
 * Kerberos name (no reverse look-up); referrals are not followed; every call has a time-out.
 *
 * Blocks: for workers, own threads and command-line tools, never for the loop thread. One thread
 * per connection. A failure's cause comes back as text with its remedy, for the caller to log or
 * show; nothing is logged here but by common/auth.
 */
#ifndef COMMON_AD_CONNECTION_H
#define COMMON_AD_CONNECTION_H

#include "common/ad/entry.h"
#include "common/ad/query.h"
#include "common/base/log.h"
#include "common/base/status.h"

struct auth_credentials;
struct ad_connection;

struct ad_options {
    const char *uris;    /* "ldap://dc1.example ldap://dc2.example:3890": tried in this order */
    const char *base_dn; /* "" or NULL: the server's default naming context */
    struct auth_credentials *credentials; /* used by the connection's thread alone; outlives it */
    const struct log_ctx *log;
};

/* Whether @uris is a list that ad_connect() could try; *out_problem (caller frees) if not. */
bool ad_uris_ok(const char *uris, char **out_problem);

/*
 * Connect to the first server that answers, bind, and read its root entry.
 * ST_REFUSED: no ticket, or the bind was refused; ST_GONE: nobody answers; ST_BADDATA: a server
 * without a naming context, or a URI that is none. With several servers the text names each one's
 * cause and the status is the last one's.
 */
NODISCARD enum status ad_connect(const struct ad_options *options,
                                 struct ad_connection **out_connection, char **out_problem);
void ad_connection_close(struct ad_connection *connection); /* NULL allowed */

const char *ad_connection_uri(const struct ad_connection *connection);  /* borrowed */
const char *ad_connection_base(const struct ad_connection *connection); /* borrowed */

/*
 * Run the queries in order, subtree scope, in pages, appending to @entries. An object that a
 * followed name points to may be missing: that is for the caller to notice. So may @beneath.
 * Each object comes once, however many names lead to it.
 * ST_GONE: the connection is lost; ST_REFUSED: no right to read; ST_FULL: more than
 * AD_ENTRY_COUNT_MAX entries or AD_READ_BYTES_MAX bytes; ST_BADDATA: the server broke the protocol.
 * After a failure
 * @entries holds a part that must not be used.
 */
NODISCARD enum status ad_read(struct ad_connection *connection, const struct ad_query *queries,
                              size_t query_count, struct ad_entries *entries, char **out_problem);

#endif
