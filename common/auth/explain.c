/* SPDX-License-Identifier: Apache-2.0 */
#include "common/auth/explain.h"

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/base/scope.h"

#include <gssapi/gssapi_krb5.h>
#include <stddef.h>

static const struct {
    krb5_error_code code;
    enum status status;
    const char *remedy;
} remedies[] = {
    {KRB5KRB_AP_ERR_SKEW, ST_REFUSED, "set the clocks of both machines and the KDC (chrony)"},
    {KRB5_KDCREP_SKEW, ST_REFUSED, "set the clocks of this machine and the KDC (chrony)"},
    {KRB5KRB_AP_ERR_TKT_NYV, ST_REFUSED, "set the clocks of both machines (chrony)"},
    {KRB5KRB_AP_ERR_TKT_EXPIRED, ST_REFUSED, "set the clocks of both machines (chrony)"},
    {KRB5_KDC_UNREACH, ST_AGAIN, "check that a domain controller is up and port 88 is open"},
    {KRB5_REALM_CANT_RESOLVE, ST_AGAIN, "check DNS and the realm's kdc lines in krb5.conf"},
    {KRB5_REALM_UNKNOWN, ST_AGAIN, "check DNS and the realm's kdc lines in krb5.conf"},
    {KRB5_CONFIG_NODEFREALM, ST_REFUSED, "set default_realm in krb5.conf"},
    {KRB5KDC_ERR_S_PRINCIPAL_UNKNOWN, ST_REFUSED,
     "check the partner's host name, and register that service principal on its account "
     "(setspn, adcli)"},
    {KRB5KDC_ERR_C_PRINCIPAL_UNKNOWN, ST_REFUSED,
     "join this machine to the domain again, or name a principal that has an account"},
    {KRB5KDC_ERR_CLIENT_REVOKED, ST_REFUSED, "enable this machine's account in the domain"},
    {KRB5KDC_ERR_PREAUTH_FAILED, ST_REFUSED,
     "the keytab's key is not the account's: renew the keytab (adcli update, or join again)"},
    {KRB5KDC_ERR_KEY_EXP, ST_REFUSED, "renew the account's password and the keytab"},
    {KRB5KDC_ERR_ETYPE_NOSUPP, ST_REFUSED,
     "allow AES on both accounts (msDS-SupportedEncryptionTypes) and in krb5.conf"},
    {KRB5_NOPERM_ETYPE, ST_REFUSED,
     "allow AES on both accounts (msDS-SupportedEncryptionTypes) and in krb5.conf"},
    {KRB5_KT_NOTFOUND, ST_REFUSED, "add the principal to the keytab (adcli, ktutil)"},
    {KRB5_KT_KVNONOTFOUND, ST_REFUSED,
     "the keytab is older than the account's password: renew it (adcli update, or join again)"},
    {KRB5KRB_AP_ERR_BADKEYVER, ST_REFUSED,
     "the keytab is older than the account's password: renew it (adcli update, or join again)"},
    {KRB5KRB_AP_ERR_NOKEY, ST_REFUSED, "add the service's key to the keytab (adcli, ktutil)"},
    {KRB5KRB_AP_ERR_NOT_US, ST_REFUSED,
     "the peer asked for another service: check the host name it connects to"},
    {KRB5KRB_AP_WRONG_PRINC, ST_REFUSED,
     "the peer asked for another service: check the host name it connects to"},
    {KRB5KRB_AP_ERR_BAD_INTEGRITY, ST_REFUSED,
     "the keytab's key is not the account's: renew the keytab (adcli update, or join again)"},
    {KRB5KRB_AP_ERR_MODIFIED, ST_REFUSED,
     "two accounts may hold the same service principal, or a keytab is old"},
    {KRB5KRB_AP_ERR_REPEAT, ST_REFUSED,
     "somebody replays tickets on this network, or a clock jumped"},
};

static size_t remedy_index(OM_uint32 minor)
{
    size_t count = sizeof(remedies) / sizeof(remedies[0]);

    for (size_t i = 0; i < count; i++)
        if ((OM_uint32)remedies[i].code == minor)
            return i;
    return count;
}

static const char *remedy_of(OM_uint32 minor)
{
    size_t at = remedy_index(minor);

    return at < sizeof(remedies) / sizeof(remedies[0]) ? remedies[at].remedy : NULL;
}

enum status explain_status(OM_uint32 minor)
{
    size_t at = remedy_index(minor);

    return at < sizeof(remedies) / sizeof(remedies[0]) ? remedies[at].status : ST_REFUSED;
}

/* Appends nothing when the code says nothing. */
static void append_gss_text(struct buf *out, const char *before, OM_uint32 code, int kind)
{
    OM_uint32 minor;
    OM_uint32 more = 0;
    gss_buffer_desc text = GSS_C_EMPTY_BUFFER;

    if (gss_display_status(&minor, code, kind, (gss_OID)gss_mech_krb5, &more, &text) !=
        GSS_S_COMPLETE) {
        buf_printf(out, "%serror %#x", before, (unsigned)code);
        return;
    }
    if (!span_equal(span_of(text.value, text.length), span_of_string("Success"))) {
        buf_append_string(out, before);
        buf_append_escaped(out, text.value, text.length);
    }
    gss_release_buffer(&minor, &text);
}

char *explain_gss(const char *doing, OM_uint32 major, OM_uint32 minor)
{
    scope(buf) struct buf out = {0};
    const char *remedy = remedy_of(minor);

    buf_append_string(&out, doing);
    /* "unspecified failure" and "no credentials" say less than the mechanism does */
    if (minor == 0 ||
        (GSS_ROUTINE_ERROR(major) != GSS_S_FAILURE && GSS_ROUTINE_ERROR(major) != GSS_S_NO_CRED))
        append_gss_text(&out, ": ", major, GSS_C_GSS_CODE);
    if (minor != 0)
        append_gss_text(&out, ": ", minor, GSS_C_MECH_CODE);
    if (GSS_ROUTINE_ERROR(major) == GSS_S_BAD_BINDINGS)
        remedy = "somebody stands between the machines, or a proxy rewrites the connection";
    if (remedy)
        buf_printf(&out, "; %s", remedy);
    return mem_copy_string(buf_text(&out));
}

char *explain_krb5(krb5_context context, const char *doing, krb5_error_code code)
{
    const char *text = krb5_get_error_message(context, code);
    const char *remedy = remedy_of((OM_uint32)code);
    char *out = mem_format("%s: %s%s%s", doing, text, remedy ? "; " : "", remedy ? remedy : "");

    krb5_free_error_message(context, text);
    return out;
}
