/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/auth/explain.h: what a Kerberos error means and what to do about it, in one clause.
 */
#ifndef COMMON_AUTH_EXPLAIN_H
#define COMMON_AUTH_EXPLAIN_H

#include "common/base/status.h"

#include <gssapi/gssapi.h>
#include <krb5.h>

/* "@doing: <the library's text>; <remedy>". The remedy is there for every error that an operator
 * meets. Free with free(). */
char *explain_gss(const char *doing, OM_uint32 major, OM_uint32 minor);
char *explain_krb5(krb5_context context, const char *doing, krb5_error_code code);

/* What a caller can do: ST_AGAIN when the KDC could not be reached, else ST_REFUSED. */
enum status explain_status(OM_uint32 minor);

#endif
