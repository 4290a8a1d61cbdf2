/* SPDX-License-Identifier: Apache-2.0 */
#include "common/rpc/tls.h"

#include "common/base/mem.h"

#include <grpc/support/string_util.h>
#include <limits.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdlib.h>

#define SERIAL_SIZE    16
#define VALID_BEFORE_S (-24L * 3600)           /* clocks of both sides may differ */
#define VALID_AFTER_S  (10L * 365 * 24 * 3600) /* longer than any process lives */

/* --- certificates --- */

static void must(bool ok)
{
    if (!ok)
        abort(); /* memory is exhausted, or the library is broken: nothing to recover */
}

static void set_serial(X509 *certificate)
{
    uint8_t bytes[SERIAL_SIZE];

    must(RAND_bytes(bytes, sizeof(bytes)) == 1);
    bytes[0] &= 0x7f;
    BIGNUM *number = BN_bin2bn(bytes, sizeof(bytes), NULL);
    must(number != NULL);
    must(BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL);
    BN_free(number);
}

static X509 *make_certificate(EVP_PKEY *key)
{
    X509 *certificate = X509_new();

    must(certificate != NULL);
    must(X509_set_version(certificate, 2) == 1);
    set_serial(certificate);
    must(X509_gmtime_adj(X509_getm_notBefore(certificate), VALID_BEFORE_S) != NULL);
    must(X509_gmtime_adj(X509_getm_notAfter(certificate), VALID_AFTER_S) != NULL);
    must(X509_set_pubkey(certificate, key) == 1);
    X509_NAME *name = X509_get_subject_name(certificate);
    must(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)TLS_COMMON_NAME, -1,
                                    -1, 0) == 1);
    must(X509_set_issuer_name(certificate, name) == 1);
    must(X509_sign(certificate, key, EVP_sha256()) != 0);
    return certificate;
}

static char *take_text(BIO *bio)
{
    char *data;
    long size = BIO_get_mem_data(bio, &data);
    char *text = mem_format("%.*s", (int)size, data);

    BIO_free(bio);
    return text;
}

struct tls_identity *tls_identity_new(void)
{
    struct tls_identity *identity = MEM_NEW(struct tls_identity);
    EVP_PKEY *key = EVP_EC_gen("P-256");
    must(key != NULL);
    X509 *certificate = make_certificate(key);

    BIO *bio = BIO_new(BIO_s_mem());
    must(bio && PEM_write_bio_X509(bio, certificate) == 1);
    identity->certificate_pem = take_text(bio);
    bio = BIO_new(BIO_s_mem());
    must(bio && PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1);
    identity->key_pem = take_text(bio);
    must(tls_certificate_hash(span_of_string(identity->certificate_pem), identity->hash));
    X509_free(certificate);
    EVP_PKEY_free(key);
    return identity;
}

void tls_identity_free(struct tls_identity *identity)
{
    if (!identity)
        return;
    free(identity->certificate_pem);
    OPENSSL_cleanse(identity->key_pem, strlen(identity->key_pem));
    free(identity->key_pem);
    free(identity);
}

bool tls_certificate_hash(struct span pem, uint8_t out_hash[TLS_HASH_SIZE])
{
    uint8_t hash[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    int digest = NID_undef;
    int key_type = NID_undef;

    if (pem.size == 0 || pem.size > INT_MAX)
        return false;
    BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.size);
    X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free(bio);
    if (!certificate)
        return false;
    bool ok = OBJ_find_sigid_algs(X509_get_signature_nid(certificate), &digest, &key_type) == 1 &&
              digest == NID_sha256 && X509_digest(certificate, EVP_sha256(), hash, &size) == 1 &&
              size == TLS_HASH_SIZE;
    if (ok)
        memcpy(out_hash, hash, TLS_HASH_SIZE);
    X509_free(certificate);
    return ok;
}

/* --- the pin --- */

struct pin {
    grpc_tls_certificate_verifier_external verifier;
    pthread_mutex_t lock; /* gRPC verifies on threads of its own; a leaf lock */
    bool set;
    uint8_t hash[TLS_HASH_SIZE];
};

static bool pin_accepts(struct pin *pin, const char *certificate)
{
    uint8_t hash[TLS_HASH_SIZE];

    if (!certificate || !tls_certificate_hash(span_of_string(certificate), hash))
        return false;
    pthread_mutex_lock(&pin->lock);
    if (!pin->set)
        memcpy(pin->hash, hash, sizeof(hash));
    pin->set = true;
    bool same = memcmp(pin->hash, hash, sizeof(hash)) == 0;
    pthread_mutex_unlock(&pin->lock);
    return same;
}

static int pin_verify(void *arg, grpc_tls_custom_verification_check_request *request,
                      grpc_tls_on_custom_verification_check_done_cb done, void *done_arg,
                      grpc_status_code *out_status, char **out_error)
{
    (void)done; /* ours are synchronous */
    (void)done_arg;
    if (pin_accepts(arg, request->peer_info.peer_cert)) {
        *out_status = GRPC_STATUS_OK;
    } else {
        *out_status = GRPC_STATUS_UNAUTHENTICATED;
        *out_error = gpr_strdup("the server's certificate changed");
    }
    return 1;
}

static void pin_cancel(void *arg, grpc_tls_custom_verification_check_request *request)
{
    (void)arg;
    (void)request;
}

/* gRPC owns the pin: this comes from a thread of its own when the last connection is gone. */
static void pin_destroy(void *arg)
{
    struct pin *pin = arg;

    pthread_mutex_destroy(&pin->lock);
    free(pin);
}

static grpc_tls_certificate_verifier *pin_new(void)
{
    struct pin *pin = MEM_NEW(struct pin);

    pthread_mutex_init(&pin->lock, NULL);
    pin->verifier = (grpc_tls_certificate_verifier_external){
        .user_data = pin, .verify = pin_verify, .cancel = pin_cancel, .destruct = pin_destroy};
    return grpc_tls_certificate_verifier_external_create(&pin->verifier);
}

/* --- credentials --- */

static grpc_tls_credentials_options *options_of(const struct tls_identity *identity)
{
    grpc_tls_identity_pairs *pairs = grpc_tls_identity_pairs_create();
    grpc_tls_credentials_options *options = grpc_tls_credentials_options_create();

    grpc_tls_identity_pairs_add_pair(pairs, identity->key_pem, identity->certificate_pem);
    /* no chain is ever verified, but without some root gRPC loads the system's for each channel */
    grpc_tls_certificate_provider *provider =
        grpc_tls_certificate_provider_static_data_create(identity->certificate_pem, pairs);
    grpc_tls_credentials_options_set_certificate_provider(options, provider);
    grpc_tls_credentials_options_watch_identity_key_cert_pairs(options);
    grpc_tls_certificate_provider_release(provider);
    return options;
}

grpc_channel_credentials *tls_channel_credentials(const struct tls_identity *identity)
{
    grpc_tls_credentials_options *options = options_of(identity);
    grpc_tls_certificate_verifier *pin = pin_new();

    grpc_tls_credentials_options_watch_root_certs(options);
    grpc_tls_credentials_options_set_verify_server_cert(options, 0);
    grpc_tls_credentials_options_set_check_call_host(options, 0);
    grpc_tls_credentials_options_set_certificate_verifier(options, pin);
    grpc_channel_credentials *credentials = grpc_tls_credentials_create(options);
    grpc_tls_certificate_verifier_release(pin);
    return credentials;
}

grpc_server_credentials *tls_server_credentials(const struct tls_identity *identity)
{
    grpc_tls_credentials_options *options = options_of(identity);

    grpc_tls_credentials_options_set_cert_request_type(
        options, GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_BUT_DONT_VERIFY);
    return grpc_tls_server_credentials_create(options);
}

/* --- the peer --- */

struct tls_peer tls_peer_of(grpc_call *call)
{
    struct tls_peer peer = {.context = grpc_call_auth_context(call)};

    if (!peer.context)
        return peer;
    grpc_auth_property_iterator it =
        grpc_auth_context_find_properties_by_name(peer.context, GRPC_X509_PEM_CERT_PROPERTY_NAME);
    const grpc_auth_property *property = grpc_auth_property_iterator_next(&it);
    if (property)
        peer.certificate_pem = span_of(property->value, property->value_length);
    return peer;
}

void tls_peer_fini(struct tls_peer *peer)
{
    if (peer->context)
        grpc_auth_context_release(peer->context);
    peer->context = NULL;
}
