/* SPDX-License-Identifier: Apache-2.0 */
#include "common/auth/keytab.h"

#include "common/auth/explain.h"
#include "common/base/mem.h"
#include "common/base/scope.h"

#include <errno.h>
#include <fcntl.h>
#include <krb5.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool is_aes_enctype(int enctype)
{
    static const int aes[AES_ENCTYPE_COUNT] = AES_ENCTYPES;

    for (size_t i = 0; i < AES_ENCTYPE_COUNT; i++)
        if (aes[i] == enctype)
            return true;
    return false;
}

/* libkrb5 says only "permission denied" of many things: look at the file ourselves first. */
static enum status check_file(const char *path, const struct log_ctx *log)
{
    struct stat st;
    scope_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0) {
        int err = errno;
        const char *remedy = err == ENOENT || err == ENOTDIR
                                 ? "join the machine to the domain, or name its keytab"
                                 : "run as a user who may read it";
        log_error(log, "cannot read the keytab; %s keytab=%s: %s", remedy, path, strerror(err));
        return status_from_errno(err);
    }
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        log_error(log, "the keytab is not a regular file; name the machine's keytab keytab=%s",
                  path);
        return ST_BADDATA;
    }
    if ((st.st_mode & (S_IROTH | S_IWOTH)) != 0)
        log_warn(log, "everybody can read or write the keytab; chmod 0600 it keytab=%s", path);
    return ST_OK;
}

struct search {
    krb5_context context;
    krb5_principal wanted; /* NULL: the first entry's */
    bool any_realm;
    bool seen; /* the principal is there, with whatever key */
    char *found;
};

static bool matches(const struct search *search, krb5_const_principal principal)
{
    return search->any_realm
               ? krb5_principal_compare_any_realm(search->context, search->wanted, principal)
               : krb5_principal_compare(search->context, search->wanted, principal);
}

static void look_at(struct search *search, const krb5_keytab_entry *entry)
{
    char *text;

    if (!search->wanted && krb5_copy_principal(search->context, entry->principal, &search->wanted))
        return;
    if (!matches(search, entry->principal))
        return;
    search->seen = true;
    if (search->found || !is_aes_enctype(entry->key.enctype))
        return;
    if (krb5_unparse_name(search->context, entry->principal, &text) != 0)
        return;
    search->found = mem_copy_string(text);
    krb5_free_unparsed_name(search->context, text);
}

static krb5_error_code read_entries(struct search *search, const char *path)
{
    scope_free char *name = mem_format("FILE:%s", path);
    krb5_keytab keytab;
    krb5_kt_cursor cursor;
    krb5_keytab_entry entry;
    krb5_error_code code = krb5_kt_resolve(search->context, name, &keytab);

    if (code != 0)
        return code;
    code = krb5_kt_start_seq_get(search->context, keytab, &cursor);
    if (code == 0) {
        while ((code = krb5_kt_next_entry(search->context, keytab, &entry, &cursor)) == 0) {
            look_at(search, &entry);
            krb5_free_keytab_entry_contents(search->context, &entry);
        }
        krb5_kt_end_seq_get(search->context, keytab, &cursor);
    }
    krb5_kt_close(search->context, keytab);
    return code == KRB5_KT_END ? 0 : code;
}

static krb5_error_code parse_wanted(struct search *search, const char *principal)
{
    search->any_realm = strchr(principal, '@') == NULL;
    return krb5_parse_name_flags(search->context, principal,
                                 search->any_realm ? KRB5_PRINCIPAL_PARSE_NO_REALM
                                                   : KRB5_PRINCIPAL_PARSE_REQUIRE_REALM,
                                 &search->wanted);
}

static enum status report(const struct search *search, const char *path, const char *principal,
                          krb5_error_code code, const struct log_ctx *log)
{
    const char *shown = principal ? principal : "any";

    if (code != 0) {
        scope_free char *why = explain_krb5(search->context, "cannot use the keytab", code);
        log_error(log, "%s keytab=%s principal=%s", why, path, shown);
        return ST_BADDATA;
    }
    if (search->found)
        return ST_OK;
    if (search->seen)
        log_error(log,
                  "the keytab has no AES key for the principal; allow AES on its account "
                  "(msDS-SupportedEncryptionTypes) and renew the keytab keytab=%s principal=%s",
                  path, shown);
    else
        log_error(log,
                  "the principal is not in the keytab; add it (adcli, ktutil) or name one of "
                  "`klist -k` keytab=%s principal=%s",
                  path, shown);
    return ST_BADDATA;
}

enum status keytab_find(const char *path, const char *principal, const struct log_ctx *log,
                        char **out_principal)
{
    struct search search = {0};
    enum status st = check_file(path, log);

    if (st != ST_OK)
        return st;
    krb5_error_code code = krb5_init_context(&search.context);
    if (code != 0) {
        scope_free char *why = explain_krb5(NULL, "cannot read the Kerberos configuration", code);
        log_error(log, "%s; check krb5.conf", why);
        return ST_BADDATA;
    }
    if (principal)
        code = parse_wanted(&search, principal);
    if (code == 0)
        code = read_entries(&search, path);
    st = report(&search, path, principal, code, log);
    krb5_free_principal(search.context, search.wanted);
    krb5_free_context(search.context);
    if (st != ST_OK) {
        free(search.found);
        return st;
    }
    *out_principal = search.found;
    return ST_OK;
}
