/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/auth/ticket.h: whose ticket a Kerberos token of our own carries.
 *
 * We may ask for a service without a realm and let the KDC choose; GSSAPI then shows the name as
 * it was asked for. The ticket in the token says the whole name, in clear.
 */
#ifndef COMMON_AUTH_TICKET_H
#define COMMON_AUTH_TICKET_H

#include "common/base/span.h"

/* The service principal of the ticket in an initiator's first token (RFC 4121, RFC 4120 AP-REQ);
 * NULL when @token is not such a token. Free with free(). */
char *ticket_service(struct span token);

#endif
