/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/auth/keytab.h: what a keytab holds that we can use.
 */
#ifndef COMMON_AUTH_KEYTAB_H
#define COMMON_AUTH_KEYTAB_H

#include "common/base/log.h"
#include "common/base/status.h"

/* AES with SHA-1 (RFC 3962) and with SHA-2 (RFC 8009): the only encryption types we use. */
#define AES_ENCTYPES {20, 19, 18, 17}
#define AES_ENCTYPE_COUNT 4

bool is_aes_enctype(int enctype);

/*
 * Find a principal with an AES key.
 *
 * @path          the keytab's file
 * @principal     with or without realm (then any realm will do); NULL: the first in the keytab
 * @out_principal with realm; free with free()
 *
 * Errors, each with one line on @log that names keytab, principal and remedy: ST_GONE (no such
 * file), ST_REFUSED (unreadable), ST_BADDATA (not a keytab, principal not in it, or no AES key).
 */
NODISCARD enum status keytab_find(const char *path, const char *principal,
                                  const struct log_ctx *log, char **out_principal);

#endif
