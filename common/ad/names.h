/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/ad/names.h: distinguished names, compared as the directory compares them.
 *
 * One name has many spellings: "CN=R\2CD, DC=x" and "cn=R\,D,dc=X" are the same object. The
 * normal form is one spelling for all: escapes undone and done again in one way, no blanks around
 * separators, runs of blanks inside a value as one, types and ASCII letters in lower case. Letters
 * beyond ASCII keep their case: servers return a name as it was written, so that suffices.
 */
#ifndef COMMON_AD_NAMES_H
#define COMMON_AD_NAMES_H

#include <stdbool.h>

/* The normal form, or NULL when @dn is not a distinguished name of at most AD_DN_SIZE_MAX bytes.
 * The caller frees. ad_dn_normalise(ad_dn_normalise(x)) equals ad_dn_normalise(x). */
char *ad_dn_normalise(const char *dn);

/* Both in normal form: the name one level up, borrowed from @normal; NULL for the last level. */
const char *ad_dn_parent(const char *normal);

/* The value of the first component, as people write it; @dn itself when it is no name. The caller
 * frees. */
char *ad_dn_leaf(const char *dn);

#endif
