/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/unit/auth/keytab_file.h: keytabs of our own making, without a KDC.
 */
#ifndef TESTS_UNIT_AUTH_KEYTAB_FILE_H
#define TESTS_UNIT_AUTH_KEYTAB_FILE_H

#define ENCTYPE_RC4    23
#define ENCTYPE_AES256 18

struct keytab_entry {
    const char *service;  /* "host" */
    const char *instance; /* "a.test" */
    int enctype;
};

/* A temporary file in MIT's keytab format, version 2, realm COTERIE.TEST. Ended by an entry
 * without service. Free the path with keytab_file_remove(). */
char *keytab_file_make(const struct keytab_entry *entries);
void keytab_file_remove(char *path);

#endif
