/* SPDX-License-Identifier: Apache-2.0 */
#include "common/auth/credentials.h"

#include "common/auth/explain.h"
#include "common/auth/keytab.h"
#include "common/base/instant.h"
#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/base/scope.h"

#include <gssapi/gssapi_ext.h>
#include <gssapi/gssapi_krb5.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

/*
 * Tickets live in a memory cache with a name of its own: such caches are shared by name within the
 * process, and no other library may find or change ours. All handshakes share the cache, so one
 * ticket-granting ticket and one ticket per partner serve every reconnection, even without a KDC.
 */
struct auth_credentials {
    atomic_uint refs;
    char *keytab;
    char *principal; /* with realm */
    gss_cred_id_t acceptor;

    pthread_mutex_t lock; /* guards all below, also while the KDC is asked: whoever waits for it
                           * needs the same ticket */
    char *ticket_cache;
    gss_cred_id_t initiator;       /* the one lent to the LDAP library */
    struct instant unreachable_at; /* when the KDC last did not answer */
    char *unreachable_text;        /* NULL: it did */
};

static atomic_uint cache_number;

static char *new_cache_name(void)
{
    return mem_format("MEMORY:coterie-%ld-%u", (long)getpid(), atomic_fetch_add(&cache_number, 1));
}

static void destroy_cache(const char *name)
{
    krb5_context context;
    krb5_ccache cache;

    if (!name || krb5_init_context(&context) != 0)
        return;
    if (krb5_cc_resolve(context, name, &cache) == 0)
        krb5_cc_destroy(context, cache);
    krb5_free_context(context);
}

static void release_cred(gss_cred_id_t *cred)
{
    OM_uint32 minor;

    gss_release_cred(&minor, cred);
}

static void credentials_free(struct auth_credentials *credentials)
{
    release_cred(&credentials->initiator);
    release_cred(&credentials->acceptor);
    destroy_cache(credentials->ticket_cache);
    pthread_mutex_destroy(&credentials->lock);
    free(credentials->unreachable_text);
    free(credentials->ticket_cache);
    free(credentials->keytab);
    free(credentials->principal);
    free(credentials);
}

struct auth_credentials *credentials_ref(struct auth_credentials *credentials)
{
    atomic_fetch_add_explicit(&credentials->refs, 1, memory_order_relaxed);
    return credentials;
}

void credentials_unref(struct auth_credentials *credentials)
{
    if (credentials && atomic_fetch_sub_explicit(&credentials->refs, 1, memory_order_acq_rel) == 1)
        credentials_free(credentials);
}

static OM_uint32 import_principal(const char *principal, gss_name_t *out_name, OM_uint32 *out_minor)
{
    gss_buffer_desc text = {.length = strlen(principal), .value = mem_copy_string(principal)};
    OM_uint32 major =
        gss_import_name(out_minor, &text, (gss_OID)GSS_KRB5_NT_PRINCIPAL_NAME, out_name);

    free(text.value);
    return major;
}

static OM_uint32 allow_aes_only(gss_cred_id_t cred, OM_uint32 *out_minor)
{
    krb5_enctype aes[AES_ENCTYPE_COUNT] = AES_ENCTYPES;

    return gss_krb5_set_allowable_enctypes(out_minor, cred, AES_ENCTYPE_COUNT, aes);
}

static OM_uint32 acquire_acceptor(struct auth_credentials *credentials, const char *service,
                                  OM_uint32 *out_minor)
{
    gss_key_value_element_desc element = {.key = "keytab", .value = credentials->keytab};
    gss_key_value_set_desc store = {.count = 1, .elements = &element};
    gss_name_t name = GSS_C_NO_NAME;
    OM_uint32 ignored;
    OM_uint32 major = GSS_S_COMPLETE;

    if (service)
        major = import_principal(service, &name, out_minor);
    if (!GSS_ERROR(major))
        major = gss_acquire_cred_from(out_minor, name, GSS_C_INDEFINITE, GSS_C_NO_OID_SET,
                                      GSS_C_ACCEPT, &store, &credentials->acceptor, NULL, NULL);
    if (!GSS_ERROR(major))
        major = allow_aes_only(credentials->acceptor, out_minor);
    gss_release_name(&ignored, &name);
    return major;
}

static enum status open_acceptor(struct auth_credentials *credentials,
                                 const struct auth_options *options)
{
    scope_free char *service = NULL;
    OM_uint32 minor = 0;

    if (options->service) {
        enum status st = keytab_find(options->keytab, options->service, options->log, &service);
        if (st != ST_OK)
            return st;
    }
    OM_uint32 major = acquire_acceptor(credentials, service, &minor);
    if (!GSS_ERROR(major))
        return ST_OK;
    scope_free char *why = explain_gss("cannot accept with the keytab", major, minor);
    log_error(options->log, "%s keytab=%s principal=%s", why, options->keytab,
              service ? service : "any");
    return ST_BADDATA;
}

enum status auth_credentials_open(const struct auth_options *options,
                                  struct auth_credentials **out_credentials)
{
    char *principal = NULL;
    enum status st = keytab_find(options->keytab, options->principal, options->log, &principal);

    if (st != ST_OK)
        return st;
    struct auth_credentials *credentials = MEM_NEW(struct auth_credentials);
    atomic_init(&credentials->refs, 1);
    pthread_mutex_init(&credentials->lock, NULL);
    credentials->principal = principal;
    credentials->keytab = mem_format("FILE:%s", options->keytab);
    credentials->ticket_cache = new_cache_name();
    st = open_acceptor(credentials, options);
    if (st != ST_OK) {
        credentials_unref(credentials);
        return st;
    }
    *out_credentials = credentials;
    return ST_OK;
}

void auth_credentials_close(struct auth_credentials *credentials)
{
    credentials_unref(credentials);
}

const char *auth_credentials_principal(const struct auth_credentials *credentials)
{
    return credentials->principal;
}

gss_cred_id_t credentials_acceptor(const struct auth_credentials *credentials)
{
    return credentials->acceptor;
}

/* --- tickets --- */

static OM_uint32 acquire_initiator(struct auth_credentials *credentials, gss_cred_id_t *out_cred,
                                   OM_uint32 *out_life_s, OM_uint32 *out_minor)
{
    gss_key_value_element_desc elements[] = {
        {.key = "client_keytab", .value = credentials->keytab},
        {.key = "ccache", .value = credentials->ticket_cache},
    };
    gss_key_value_set_desc store = {.count = 2, .elements = elements};
    gss_name_t name = GSS_C_NO_NAME;
    OM_uint32 ignored;
    OM_uint32 major = import_principal(credentials->principal, &name, out_minor);

    /* the library renews from the keytab at half of the ticket's life */
    if (!GSS_ERROR(major))
        major = gss_acquire_cred_from(out_minor, name, GSS_C_INDEFINITE, GSS_C_NO_OID_SET,
                                      GSS_C_INITIATE, &store, out_cred, NULL, out_life_s);
    if (!GSS_ERROR(major)) {
        major = allow_aes_only(*out_cred, out_minor);
        if (GSS_ERROR(major))
            release_cred(out_cred);
    }
    gss_release_name(&ignored, &name);
    return major;
}

static OM_uint32 acquire_fresh(struct auth_credentials *credentials, gss_cred_id_t *out_cred,
                               OM_uint32 *out_minor)
{
    OM_uint32 life_s = 0;
    OM_uint32 major = acquire_initiator(credentials, out_cred, &life_s, out_minor);

    if (GSS_ERROR(major) || life_s >= AUTH_TICKET_FRESH_S)
        return major;
    /* a realm of very short tickets, or a KDC that did not answer at half-time: an empty cache
     * makes the library ask. What the old cache holds may still serve a handshake under way. */
    char *old_cache = credentials->ticket_cache;
    gss_cred_id_t renewed = GSS_C_NO_CREDENTIAL;
    credentials->ticket_cache = new_cache_name();
    major = acquire_initiator(credentials, &renewed, &life_s, out_minor);
    if (GSS_ERROR(major) && life_s > 0) {
        free(credentials->ticket_cache);
        credentials->ticket_cache = old_cache;
        return GSS_S_COMPLETE;
    }
    release_cred(out_cred);
    destroy_cache(old_cache);
    free(old_cache);
    *out_cred = renewed;
    return major;
}

static enum status acquire_locked(struct auth_credentials *credentials, gss_cred_id_t *out_cred,
                                  char **out_error)
{
    OM_uint32 minor = 0;
    gss_cred_id_t cred = GSS_C_NO_CREDENTIAL;

    /* a KDC that does not answer costs many seconds: do not ask again at once for every partner */
    if (credentials->unreachable_text &&
        instant_ms_since(credentials->unreachable_at, instant_now()) < AUTH_KDC_RETRY_MS) {
        *out_error = mem_copy_string(credentials->unreachable_text);
        return ST_AGAIN;
    }
    free(credentials->unreachable_text);
    credentials->unreachable_text = NULL;
    OM_uint32 major = acquire_fresh(credentials, &cred, &minor);
    if (!GSS_ERROR(major)) {
        *out_cred = cred;
        return ST_OK;
    }
    scope_free char *doing = mem_format("cannot get a ticket as %s", credentials->principal);
    *out_error = explain_gss(doing, major, minor);
    enum status st = explain_status(minor);
    if (st == ST_AGAIN) {
        credentials->unreachable_at = instant_now();
        credentials->unreachable_text = mem_copy_string(*out_error);
    }
    return st;
}

enum status credentials_acquire(struct auth_credentials *credentials, gss_cred_id_t *out_cred,
                                char **out_error)
{
    pthread_mutex_lock(&credentials->lock);
    enum status st = acquire_locked(credentials, out_cred, out_error);
    pthread_mutex_unlock(&credentials->lock);
    return st;
}

enum status auth_credentials_initiator(struct auth_credentials *credentials,
                                       const struct log_ctx *log, void **out_gss_cred)
{
    scope_free char *error = NULL;
    gss_cred_id_t cred = GSS_C_NO_CREDENTIAL;

    enum status st = credentials_acquire(credentials, &cred, &error);
    if (st != ST_OK) {
        log_error(log, "%s", error);
        return st;
    }
    release_cred(&credentials->initiator);
    credentials->initiator = cred;
    *out_gss_cred = cred;
    return ST_OK;
}
