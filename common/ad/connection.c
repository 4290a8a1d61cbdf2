/* SPDX-License-Identifier: Apache-2.0 */
#include "common/ad/connection.h"

#include "common/ad/connection_ldap.h"
#include "common/ad/names.h"
#include "common/auth/auth.h"
#include "common/base/buf.h"
#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/base/scope.h"

#include <sasl/sasl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/time.h>

#define CONTROL_SYNC         LDAP_CONTROL_SYNC
#define CONTROL_NOTIFICATION "1.2.840.113556.1.4.528"

/* --- causes and remedies --- */

static const char *remedy_of(int code)
{
    switch (code) {
    case LDAP_SERVER_DOWN:
    case LDAP_CONNECT_ERROR:
    case LDAP_TIMEOUT:
    case LDAP_UNAVAILABLE:
    case LDAP_BUSY:
        return "check that the server runs and that its port is reachable";
    case LDAP_LOCAL_ERROR:
    case LDAP_INVALID_CREDENTIALS:
    case LDAP_AUTH_UNKNOWN:
        return "the host in the URI must be the server's DNS name, for which it has the key "
               "ldap/HOST";
    case LDAP_INSUFFICIENT_ACCESS:
    case LDAP_STRONG_AUTH_REQUIRED:
    case LDAP_CONFIDENTIALITY_REQUIRED:
    case LDAP_INAPPROPRIATE_AUTH:
        return "give this account the right to read";
    case LDAP_SIZELIMIT_EXCEEDED:
    case LDAP_ADMINLIMIT_EXCEEDED:
    case LDAP_TIMELIMIT_EXCEEDED:
        return "raise the server's limit for this account";
    default:
        return "see the server's log";
    }
}

static enum status status_of(int code)
{
    switch (code) {
    case LDAP_LOCAL_ERROR:
    case LDAP_INVALID_CREDENTIALS:
    case LDAP_AUTH_UNKNOWN:
    case LDAP_INSUFFICIENT_ACCESS:
    case LDAP_STRONG_AUTH_REQUIRED:
    case LDAP_CONFIDENTIALITY_REQUIRED:
    case LDAP_INAPPROPRIATE_AUTH:
        return ST_REFUSED;
    case LDAP_SIZELIMIT_EXCEEDED:
    case LDAP_ADMINLIMIT_EXCEEDED:
    case LDAP_TIMELIMIT_EXCEEDED:
        return ST_FULL;
    case LDAP_DECODING_ERROR:
    case LDAP_PROTOCOL_ERROR:
        return ST_BADDATA;
    default:
        return ST_GONE;
    }
}

enum status ad_explain(struct ad_connection *connection, const char *action, int code,
                       char **out_problem)
{
    scope(buf) struct buf text = {0};
    char *words = NULL;

    ldap_get_option(connection->ldap, LDAP_OPT_DIAGNOSTIC_MESSAGE, &words);
    buf_printf(&text, "%s: %s: %s", connection->uri, action, ldap_err2string(code));
    if (words && *words) {
        buf_append_string(&text, " (");
        buf_append_escaped(&text, words, strnlen(words, PROBLEM_SIZE_MAX / 2));
        buf_append_string(&text, ")");
    }
    ldap_memfree(words);
    buf_printf(&text, "; %s", remedy_of(code));
    *out_problem = mem_copy_string(buf_text(&text));
    return status_of(code);
}

/* --- connecting --- */

static bool uri_ok(const char *uri, char **out_problem)
{
    LDAPURLDesc *parts = NULL;
    bool ok = ldap_url_parse(uri, &parts) == LDAP_URL_SUCCESS && parts->lud_host &&
              *parts->lud_host != '\0';

    if (!ok)
        *out_problem =
            mem_format("%s: not an LDAP URI; write ldap://HOST or ldap://HOST:PORT", uri);
    else if (strcasecmp(parts->lud_scheme, "ldap") != 0)
        *out_problem = mem_format("%s: only ldap:// is supported; Kerberos seals the connection, "
                                  "no certificate is needed",
                                  uri);
    else if (parts->lud_dn && *parts->lud_dn != '\0')
        *out_problem = mem_format("%s: a base DN does not belong into the URI; it has its own "
                                  "setting",
                                  uri);
    ok = ok && !*out_problem;
    ldap_free_urldesc(parts);
    return ok;
}

bool ad_uris_ok(const char *uris, char **out_problem)
{
    scope_free char *list = mem_copy_string(uris);
    char *rest = list;
    size_t count = 0;

    *out_problem = NULL;
    for (char *uri; (uri = strtok_r(rest, " \t", &rest));) {
        if (!uri_ok(uri, out_problem))
            return false;
        count++;
    }
    if (count == 0)
        *out_problem = mem_copy_string("no directory server is named; write ldap://HOST");
    return count > 0;
}

static void set_options(LDAP *ldap)
{
    const int version = LDAP_VERSION3;
    const struct timeval connect = {.tv_sec = AD_CONNECT_TIMEOUT_S};
    const struct timeval operation = {.tv_sec = AD_OPERATION_TIMEOUT_S};
    const ber_len_t factor_min = AD_SECURITY_FACTOR_MIN;

    ldap_set_option(ldap, LDAP_OPT_PROTOCOL_VERSION, &version);
    ldap_set_option(ldap, LDAP_OPT_REFERRALS, LDAP_OPT_OFF);
    ldap_set_option(ldap, LDAP_OPT_NETWORK_TIMEOUT, &connect);
    ldap_set_option(ldap, LDAP_OPT_TIMEOUT, &operation);
    /* without it libldap asks for a ticket for whatever name the address resolves to */
    ldap_set_option(ldap, LDAP_OPT_X_SASL_NOCANON, LDAP_OPT_ON);
    ldap_set_option(ldap, LDAP_OPT_X_SASL_SSF_MIN, &factor_min);
}

/* The credential counts only when set from here: libldap makes the SASL context inside the bind. */
static int on_interact(LDAP *ldap, unsigned flags, void *gss_cred, void *prompts)
{
    (void)flags;
    if (ldap_set_option(ldap, LDAP_OPT_X_SASL_GSS_CREDS, gss_cred) != LDAP_OPT_SUCCESS)
        return LDAP_LOCAL_ERROR;
    for (sasl_interact_t *p = prompts; p->id != SASL_CB_LIST_END; p++) {
        p->result = "";
        p->len = 0;
    }
    return LDAP_SUCCESS;
}

static enum status bind_sealed(struct ad_connection *c, const struct ad_options *options,
                               char **out_problem)
{
    void *gss_cred = NULL;
    enum status st = auth_credentials_initiator(options->credentials, options->log, &gss_cred);
    if (st != ST_OK) {
        *out_problem = mem_format("%s: no Kerberos ticket for %s; see the log for the cause",
                                  c->uri, auth_credentials_principal(options->credentials));
        return st;
    }
    int code = ldap_sasl_interactive_bind_s(c->ldap, NULL, "GSSAPI", NULL, NULL, LDAP_SASL_QUIET,
                                            on_interact, gss_cred);
    if (code != LDAP_SUCCESS)
        return ad_explain(c, "bind", code, out_problem);
    ber_len_t factor = 0;
    ldap_get_option(c->ldap, LDAP_OPT_X_SASL_SSF, &factor);
    if (factor < AD_SECURITY_FACTOR_MIN) {
        *out_problem = mem_format("%s: the connection is sealed with %lu bits only; allow AES on "
                                  "the server",
                                  c->uri, (unsigned long)factor);
        return ST_REFUSED;
    }
    return ST_OK;
}

static bool has_value(struct berval **values, const char *text)
{
    for (size_t i = 0; values && values[i]; i++) {
        if (strcmp(values[i]->bv_val, text) == 0)
            return true;
    }
    return false;
}

static void read_notification(struct ad_connection *c, LDAPMessage *root)
{
    struct berval **controls = ldap_get_values_len(c->ldap, root, "supportedControl");

    if (has_value(controls, CONTROL_NOTIFICATION))
        c->notification = AD_NOTIFICATION_CHANGE;
    else if (has_value(controls, CONTROL_SYNC))
        c->notification = AD_NOTIFICATION_SYNC;
    ldap_value_free_len(controls);
}

static char *first_value(LDAP *ldap, LDAPMessage *entry, const char *name)
{
    struct berval **values = ldap_get_values_len(ldap, entry, name);
    char *text = values && values[0] ? mem_copy_string(values[0]->bv_val) : NULL;

    ldap_value_free_len(values);
    return text;
}

static enum status read_root(struct ad_connection *c, const char *base_dn, char **out_problem)
{
    static const char *const attributes[] = {"supportedControl", "defaultNamingContext",
                                             "namingContexts", NULL};
    LDAPMessage *result = NULL;
    int code = ldap_search_ext_s(c->ldap, "", LDAP_SCOPE_BASE, "(objectClass=*)",
                                 ad_attribute_list(attributes), 0, NULL, NULL, NULL, 1, &result);
    LDAPMessage *root = code == LDAP_SUCCESS ? ldap_first_entry(c->ldap, result) : NULL;

    if (root) {
        read_notification(c, root);
        if (base_dn && *base_dn)
            c->base = mem_copy_string(base_dn);
        if (!c->base)
            c->base = first_value(c->ldap, root, "defaultNamingContext");
        if (!c->base)
            c->base = first_value(c->ldap, root, "namingContexts");
    }
    ldap_msgfree(result);
    if (code != LDAP_SUCCESS)
        return ad_explain(c, "reading the root entry", code, out_problem);
    if (!c->base) {
        *out_problem =
            mem_format("%s: the server names no naming context; set the base DN", c->uri);
        return ST_BADDATA;
    }
    return ST_OK;
}

static enum status connect_one(const struct ad_options *options, const char *uri,
                               struct ad_connection **out_connection, char **out_problem)
{
    struct ad_connection *c = MEM_NEW(struct ad_connection);

    c->uri = mem_copy_string(uri);
    if (ldap_initialize(&c->ldap, uri) != LDAP_SUCCESS) {
        *out_problem = mem_format("%s: not an LDAP URI; write ldap://HOST", uri);
        ad_connection_close(c);
        return ST_BADDATA;
    }
    set_options(c->ldap);
    enum status st = bind_sealed(c, options, out_problem);
    if (st == ST_OK)
        st = read_root(c, options->base_dn, out_problem);
    if (st != ST_OK)
        ad_connection_close(c);
    else
        *out_connection = c;
    return st;
}

enum status ad_connect(const struct ad_options *options, struct ad_connection **out_connection,
                       char **out_problem)
{
    scope_free char *list = mem_copy_string(options->uris);
    scope(buf) struct buf problems = {0};
    char *rest = list;
    enum status st = ST_BADDATA;

    if (!ad_uris_ok(options->uris, out_problem))
        return st;
    for (char *uri; (uri = strtok_r(rest, " \t", &rest));) {
        scope_free char *problem = NULL;

        st = connect_one(options, uri, out_connection, &problem);
        if (st == ST_OK)
            return st;
        if (problems.size > 0)
            buf_append_string(&problems, "; and ");
        buf_append_string(&problems, problem);
    }
    *out_problem = mem_copy_string(buf_text(&problems));
    return st;
}

void ad_connection_close(struct ad_connection *connection)
{
    if (!connection)
        return;
    if (connection->ldap)
        ldap_unbind_ext(connection->ldap, NULL, NULL);
    free(connection->uri);
    free(connection->base);
    free(connection);
}

const char *ad_connection_uri(const struct ad_connection *connection)
{
    return connection->uri;
}

const char *ad_connection_base(const struct ad_connection *connection)
{
    return connection->base;
}
