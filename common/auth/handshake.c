/* SPDX-License-Identifier: Apache-2.0 */
/*
 *   initiator                                  acceptor
 *   NEW     --- nonce, token ----------------> NEW
 *   ASKED   <-- nonce, token ----------------- ASKED
 *   SIGNED  --- mic over all of it ----------> (verifies)
 *   DONE    <-- mic over all and lifetime ---- DONE
 *
 * The tickets are bound to the TLS certificates that each side sees: by Kerberos' channel
 * bindings, which an MIT acceptor takes as optional (so we look at the flag), and once more by the
 * signatures, since the bindings are an MD5 inside Kerberos.
 */
#include "common/auth/auth.h"

#include "common/auth/credentials.h"
#include "common/auth/explain.h"
#include "common/auth/keytab.h"
#include "common/auth/ticket.h"
#include "common/auth/transcript.h"
#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/base/scope.h"

#include "proto/authentication.pb-c.h"

#include <assert.h>
#include <ctype.h>
#include <gssapi/gssapi_ext.h>
#include <gssapi/gssapi_krb5.h>
#include <openssl/rand.h>
#include <stdlib.h>

#define WANTED_FLAGS                                                                               \
    (GSS_C_MUTUAL_FLAG | GSS_C_REPLAY_FLAG | GSS_C_SEQUENCE_FLAG | GSS_C_INTEG_FLAG)

#define PHASES(X)                                                                                  \
    X(NEW)                                                                                         \
    X(ASKED)                                                                                       \
    X(SIGNED)                                                                                      \
    X(DONE)                                                                                        \
    X(FAILED)

enum phase {
#define X(name) PHASE_##name,
    PHASES(X)
#undef X
};

struct auth_handshake {
    struct auth_credentials *credentials;
    bool initiator;
    char *service; /* initiator: what we ask for */
    char *host;
    enum phase phase;
    gss_cred_id_t cred; /* initiator: our own */
    gss_ctx_id_t context;
    gss_name_t target;
    struct transcript transcript;
    struct buf initiator_token; /* what the transcript's spans point to */
    struct buf acceptor_token;
    char *peer;
    uint32_t lifetime_s;
    char *error;
};

static struct auth_handshake *handshake_new(struct auth_credentials *credentials,
                                            const struct auth_binding *binding)
{
    struct auth_handshake *handshake = MEM_NEW(struct auth_handshake);

    handshake->credentials = credentials_ref(credentials);
    handshake->transcript.binding = *binding;
    return handshake;
}

struct auth_handshake *auth_initiate(struct auth_credentials *credentials, const char *service,
                                     const char *host, const struct auth_binding *binding)
{
    struct auth_handshake *handshake = handshake_new(credentials, binding);

    handshake->initiator = true;
    handshake->service = mem_copy_string(service);
    handshake->host = mem_copy_string(host);
    for (char *c = handshake->host; *c != '\0'; c++)
        *c = (char)tolower((unsigned char)*c);
    return handshake;
}

struct auth_handshake *auth_accept(struct auth_credentials *credentials,
                                   const struct auth_binding *binding)
{
    return handshake_new(credentials, binding);
}

void auth_handshake_free(struct auth_handshake *handshake)
{
    OM_uint32 minor;

    if (!handshake)
        return;
    if (handshake->context != GSS_C_NO_CONTEXT)
        gss_delete_sec_context(&minor, &handshake->context, GSS_C_NO_BUFFER);
    gss_release_cred(&minor, &handshake->cred);
    gss_release_name(&minor, &handshake->target);
    buf_fini(&handshake->initiator_token);
    buf_fini(&handshake->acceptor_token);
    credentials_unref(handshake->credentials);
    free(handshake->service);
    free(handshake->host);
    free(handshake->peer);
    free(handshake->error);
    free(handshake);
}

/* --- failing --- */

static enum auth_step fail(struct auth_handshake *handshake, char *take_error)
{
    handshake->phase = PHASE_FAILED;
    free(handshake->error);
    handshake->error = take_error;
    return AUTH_FAILED;
}

static enum auth_step fail_text(struct auth_handshake *handshake, const char *text)
{
    return fail(handshake, mem_copy_string(text));
}

static enum auth_step fail_gss(struct auth_handshake *handshake, const char *doing, OM_uint32 major,
                               OM_uint32 minor)
{
    return fail(handshake, explain_gss(doing, major, minor));
}

/* --- messages --- */

typedef Coterie__V1__AuthenticateMessage AuthMessage;

static void free_message(AuthMessage **message)
{
    if (*message)
        coterie__v1__authenticate_message__free_unpacked(*message, NULL);
}

#define scope_message __attribute__((cleanup(free_message)))

static AuthMessage *parse(struct span in)
{
    if (in.size > AUTH_MESSAGE_SIZE_MAX)
        return NULL;
    AuthMessage *message = coterie__v1__authenticate_message__unpack(NULL, in.size, in.data);
    if (message && message->token.len > AUTH_TOKEN_SIZE_MAX) {
        free_message(&message);
        return NULL;
    }
    return message;
}

static ProtobufCBinaryData binary_of(struct span bytes)
{
    /* protobuf-c's type for input is not const, but packing only reads */
    return (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)bytes.data, .len = bytes.size};
}

static void pack(const AuthMessage *message, struct buf *out)
{
    size_t size = coterie__v1__authenticate_message__get_packed_size(message);

    buf_clear(out);
    coterie__v1__authenticate_message__pack(message, buf_extend(out, size));
}

static void pack_token(const uint8_t *nonce, struct span token, struct buf *out)
{
    AuthMessage message = COTERIE__V1__AUTHENTICATE_MESSAGE__INIT;

    message.nonce = binary_of(span_of(nonce, TRANSCRIPT_NONCE_SIZE));
    message.token = binary_of(token);
    pack(&message, out);
}

/* The nonce and token of the peer's first message. */
static bool take_token(const AuthMessage *message, uint8_t nonce[TRANSCRIPT_NONCE_SIZE],
                       struct buf *token)
{
    if (message->nonce.len != TRANSCRIPT_NONCE_SIZE || message->token.len == 0)
        return false;
    memcpy(nonce, message->nonce.data, TRANSCRIPT_NONCE_SIZE);
    buf_append(token, message->token.data, message->token.len);
    return true;
}

static void make_nonce(uint8_t nonce[TRANSCRIPT_NONCE_SIZE])
{
    if (RAND_bytes(nonce, TRANSCRIPT_NONCE_SIZE) != 1)
        abort();
}

/* --- binding and signing --- */

static void append_binding(struct buf *out, const char *label, const uint8_t *hash, size_t size)
{
    buf_append_string(out, label);
    buf_append(out, hash, size);
}

static struct gss_channel_bindings_struct make_binding(const struct auth_binding *binding,
                                                       struct buf *storage)
{
    append_binding(storage, "tls-server-end-point:", binding->server_certificate,
                   sizeof(binding->server_certificate));
    append_binding(storage, "client-end-point:", binding->client_certificate,
                   sizeof(binding->client_certificate));
    return (struct gss_channel_bindings_struct){
        .application_data = {.length = storage->size, .value = storage->data},
    };
}

static void hash_transcript(struct auth_handshake *handshake, enum transcript_signer signer,
                            uint32_t lifetime_s, uint8_t hash[TRANSCRIPT_HASH_SIZE])
{
    handshake->transcript.initiator_token = buf_span(&handshake->initiator_token);
    handshake->transcript.acceptor_token = buf_span(&handshake->acceptor_token);
    transcript_hash(&handshake->transcript, signer, lifetime_s, hash);
}

static bool sign(struct auth_handshake *handshake, enum transcript_signer signer,
                 uint32_t lifetime_s, struct buf *out)
{
    uint8_t hash[TRANSCRIPT_HASH_SIZE];
    gss_buffer_desc text = {.length = sizeof(hash), .value = hash};
    gss_buffer_desc mic = GSS_C_EMPTY_BUFFER;
    OM_uint32 minor;
    AuthMessage message = COTERIE__V1__AUTHENTICATE_MESSAGE__INIT;

    hash_transcript(handshake, signer, lifetime_s, hash);
    OM_uint32 major = gss_get_mic(&minor, handshake->context, GSS_C_QOP_DEFAULT, &text, &mic);
    if (GSS_ERROR(major)) {
        fail_gss(handshake, "cannot sign the handshake", major, minor);
        return false;
    }
    message.mic = binary_of(span_of(mic.value, mic.length));
    message.lifetime_s = lifetime_s;
    pack(&message, out);
    gss_release_buffer(&minor, &mic);
    return true;
}

static bool verify(struct auth_handshake *handshake, enum transcript_signer signer,
                   const AuthMessage *message)
{
    uint8_t hash[TRANSCRIPT_HASH_SIZE];
    gss_buffer_desc text = {.length = sizeof(hash), .value = hash};
    gss_buffer_desc mic = {.length = message->mic.len, .value = message->mic.data};
    OM_uint32 minor;

    hash_transcript(handshake, signer, message->lifetime_s, hash);
    OM_uint32 major = gss_verify_mic(&minor, handshake->context, &text, &mic, NULL);
    if (major == GSS_S_COMPLETE)
        return true;
    fail_gss(handshake, "the peer's signature over the handshake is wrong", major, minor);
    return false;
}

/* --- what the context turned out to be --- */

/* The session key's type is the last arc of the OID in the second element. */
static bool session_key_is_aes(gss_ctx_id_t context)
{
    OM_uint32 minor;
    gss_buffer_set_t set = GSS_C_NO_BUFFER_SET;
    bool aes = false;

    if (gss_inquire_sec_context_by_oid(&minor, context, GSS_C_INQ_SSPI_SESSION_KEY, &set) ==
            GSS_S_COMPLETE &&
        set->count == 2 && set->elements[1].length > 0) {
        const uint8_t *oid = set->elements[1].value;
        aes = is_aes_enctype(oid[set->elements[1].length - 1]);
    }
    gss_release_buffer_set(&minor, &set);
    return aes;
}

static bool take_peer_name(struct auth_handshake *handshake, gss_name_t name)
{
    OM_uint32 minor;
    gss_buffer_desc text = GSS_C_EMPTY_BUFFER;
    OM_uint32 major = gss_display_name(&minor, name, &text, NULL);

    if (GSS_ERROR(major)) {
        fail_gss(handshake, "cannot read the peer's principal", major, minor);
        return false;
    }
    if (text.length == 0 || text.length > PRINCIPAL_SIZE_MAX)
        fail_text(handshake, "the peer's principal is too long");
    else
        handshake->peer = mem_format("%.*s", (int)text.length, (const char *)text.value);
    gss_release_buffer(&minor, &text);
    return handshake->peer != NULL;
}

static bool check_context(struct auth_handshake *handshake, OM_uint32 flags)
{
    if ((flags & GSS_C_MUTUAL_FLAG) == 0 || (flags & GSS_C_INTEG_FLAG) == 0)
        fail_text(handshake, "the peer does not do mutual authentication");
    else if ((flags & (GSS_C_ANON_FLAG | GSS_C_DELEG_FLAG)) != 0)
        fail_text(handshake, "the peer is anonymous or delegates its ticket");
    else if (!session_key_is_aes(handshake->context))
        fail_text(handshake, "the session key is not AES; allow AES on both accounts "
                             "(msDS-SupportedEncryptionTypes)");
    return handshake->phase != PHASE_FAILED;
}

/* --- initiator --- */

/*
 * "host/a.example.org@" with the realm that krb5.conf maps the host to, or none: then the KDC
 * refers us. Not a host-based GSS name, as the library canonicalises those through DNS.
 */
static char *target_principal(const struct auth_handshake *handshake)
{
    krb5_context context;
    char **realms = NULL;
    char *target = NULL;

    if (krb5_init_context(&context) != 0)
        return mem_format("%s/%s@", handshake->service, handshake->host);
    if (krb5_get_host_realm(context, handshake->host, &realms) == 0) {
        target = mem_format("%s/%s@%s", handshake->service, handshake->host, realms[0]);
        krb5_free_host_realm(context, realms);
    }
    krb5_free_context(context);
    return target ? target : mem_format("%s/%s@", handshake->service, handshake->host);
}

static bool prepare_initiator(struct auth_handshake *handshake)
{
    OM_uint32 minor = 0;
    char *error = NULL;
    enum status st = credentials_acquire(handshake->credentials, &handshake->cred, &error);

    if (st != ST_OK) {
        fail(handshake, error);
        return false;
    }
    scope_free char *principal = target_principal(handshake);
    gss_buffer_desc text = {.length = strlen(principal), .value = principal};
    OM_uint32 major =
        gss_import_name(&minor, &text, (gss_OID)GSS_KRB5_NT_PRINCIPAL_NAME, &handshake->target);
    if (GSS_ERROR(major))
        fail_gss(handshake, "cannot name the partner's service", major, minor);
    make_nonce(handshake->transcript.initiator_nonce);
    return !GSS_ERROR(major);
}

/* One call of gss_init_sec_context; appends what it wants to send to @token. */
static OM_uint32 initiate(struct auth_handshake *handshake, struct span peer_token,
                          struct buf *token, OM_uint32 *out_flags, OM_uint32 *out_minor)
{
    scope(buf) struct buf storage = {0};
    struct gss_channel_bindings_struct binding =
        make_binding(&handshake->transcript.binding, &storage);
    gss_buffer_desc in = {.length = peer_token.size, .value = binary_of(peer_token).data};
    gss_buffer_desc out = GSS_C_EMPTY_BUFFER;
    OM_uint32 ignored;

    OM_uint32 major = gss_init_sec_context(out_minor, handshake->cred, &handshake->context,
                                           handshake->target, (gss_OID)gss_mech_krb5, WANTED_FLAGS,
                                           0, &binding, &in, NULL, &out, out_flags, NULL);
    buf_append(token, out.value, out.length);
    gss_release_buffer(&ignored, &out);
    return major;
}

static enum auth_step fail_initiate(struct auth_handshake *handshake, OM_uint32 major,
                                    OM_uint32 minor)
{
    scope_free char *doing =
        mem_format("cannot authenticate to %s/%s as %s", handshake->service, handshake->host,
                   auth_credentials_principal(handshake->credentials));

    return fail_gss(handshake, doing, major, minor);
}

static enum auth_step initiator_asks(struct auth_handshake *handshake, struct buf *out)
{
    OM_uint32 minor;
    OM_uint32 flags;

    if (!prepare_initiator(handshake))
        return AUTH_FAILED;
    OM_uint32 major =
        initiate(handshake, (struct span){0}, &handshake->initiator_token, &flags, &minor);
    if (major != GSS_S_CONTINUE_NEEDED)
        return fail_initiate(handshake, major, minor);
    if (handshake->initiator_token.size > AUTH_TOKEN_SIZE_MAX)
        return fail_text(handshake, "our ticket is too large; take this machine's account out of "
                                    "some groups");
    pack_token(handshake->transcript.initiator_nonce, buf_span(&handshake->initiator_token), out);
    handshake->phase = PHASE_ASKED;
    return AUTH_SEND;
}

static enum auth_step initiator_signs(struct auth_handshake *handshake, const AuthMessage *message,
                                      struct buf *out)
{
    scope(buf) struct buf rest = {0};
    OM_uint32 minor;
    OM_uint32 flags = 0;

    if (!take_token(message, handshake->transcript.acceptor_nonce, &handshake->acceptor_token))
        return fail_text(handshake, "the peer's first message lacks its nonce or token");
    OM_uint32 major =
        initiate(handshake, buf_span(&handshake->acceptor_token), &rest, &flags, &minor);
    if (major != GSS_S_COMPLETE)
        return fail_initiate(handshake, major, minor);
    if (!check_context(handshake, flags))
        return AUTH_FAILED;
    handshake->peer = ticket_service(buf_span(&handshake->initiator_token));
    if (!handshake->peer || strlen(handshake->peer) > PRINCIPAL_SIZE_MAX)
        return fail_text(handshake, "the KDC's ticket does not name the partner's service");
    if (!sign(handshake, TRANSCRIPT_INITIATOR, 0, out))
        return AUTH_FAILED;
    handshake->phase = PHASE_SIGNED;
    return AUTH_SEND;
}

static enum auth_step initiator_verifies(struct auth_handshake *handshake,
                                         const AuthMessage *message)
{
    if (!verify(handshake, TRANSCRIPT_ACCEPTOR, message))
        return AUTH_FAILED;
    if (message->lifetime_s == 0)
        return fail_text(handshake, "the peer grants a session of no time");
    handshake->lifetime_s = message->lifetime_s;
    handshake->phase = PHASE_DONE;
    return AUTH_DONE;
}

/* --- acceptor --- */

static bool accept_token(struct auth_handshake *handshake)
{
    scope(buf) struct buf storage = {0};
    struct gss_channel_bindings_struct binding =
        make_binding(&handshake->transcript.binding, &storage);
    gss_buffer_desc in = {.length = handshake->initiator_token.size,
                          .value = handshake->initiator_token.data};
    gss_buffer_desc out = GSS_C_EMPTY_BUFFER;
    gss_name_t source = GSS_C_NO_NAME;
    OM_uint32 minor;
    OM_uint32 ignored;
    OM_uint32 flags = 0;
    OM_uint32 life_s = 0;

    OM_uint32 major = gss_accept_sec_context(&minor, &handshake->context,
                                             credentials_acceptor(handshake->credentials), &in,
                                             &binding, &source, NULL, &out, &flags, &life_s, NULL);
    if (major != GSS_S_COMPLETE) {
        fail_gss(handshake, "the client's ticket is not accepted", major, minor);
    } else if (take_peer_name(handshake, source)) {
        if ((flags & GSS_C_CHANNEL_BOUND_FLAG) == 0)
            fail_text(handshake, "the client's ticket is not bound to this connection");
        else if (life_s == 0)
            fail_text(handshake, "the client's ticket has expired");
        else
            check_context(handshake, flags);
    }
    handshake->lifetime_s = life_s < AUTH_SESSION_S_MAX ? life_s : AUTH_SESSION_S_MAX;
    buf_append(&handshake->acceptor_token, out.value, out.length);
    gss_release_buffer(&ignored, &out);
    gss_release_name(&ignored, &source);
    return handshake->phase != PHASE_FAILED;
}

static enum auth_step acceptor_answers(struct auth_handshake *handshake, const AuthMessage *message,
                                       struct buf *out)
{
    if (!take_token(message, handshake->transcript.initiator_nonce, &handshake->initiator_token))
        return fail_text(handshake, "the client's first message lacks its nonce or token");
    if (!accept_token(handshake))
        return AUTH_FAILED;
    make_nonce(handshake->transcript.acceptor_nonce);
    pack_token(handshake->transcript.acceptor_nonce, buf_span(&handshake->acceptor_token), out);
    handshake->phase = PHASE_ASKED;
    return AUTH_SEND;
}

static enum auth_step acceptor_verifies(struct auth_handshake *handshake,
                                        const AuthMessage *message, struct buf *out)
{
    if (message->lifetime_s != 0)
        return fail_text(handshake, "the client's signature grants a lifetime");
    if (!verify(handshake, TRANSCRIPT_INITIATOR, message) ||
        !sign(handshake, TRANSCRIPT_ACCEPTOR, handshake->lifetime_s, out))
        return AUTH_FAILED;
    handshake->phase = PHASE_DONE;
    return AUTH_DONE;
}

/* --- */

static enum auth_step step_initiator(struct auth_handshake *handshake, const AuthMessage *message,
                                     struct buf *out)
{
    switch (handshake->phase) {
    case PHASE_NEW:
        return initiator_asks(handshake, out);
    case PHASE_ASKED:
        return initiator_signs(handshake, message, out);
    case PHASE_SIGNED:
        return initiator_verifies(handshake, message);
    case PHASE_DONE:
    case PHASE_FAILED:
        break;
    }
    return fail_text(handshake, "the peer sent a message after the handshake's end");
}

static enum auth_step step_acceptor(struct auth_handshake *handshake, const AuthMessage *message,
                                    struct buf *out)
{
    switch (handshake->phase) {
    case PHASE_NEW:
        return acceptor_answers(handshake, message, out);
    case PHASE_ASKED:
        return acceptor_verifies(handshake, message, out);
    case PHASE_SIGNED:
    case PHASE_DONE:
    case PHASE_FAILED:
        break;
    }
    return fail_text(handshake, "the client sent a message after the handshake's end");
}

enum auth_step auth_handshake_step(struct auth_handshake *handshake, struct span in,
                                   struct buf *out)
{
    scope_message AuthMessage *message = parse(in);

    buf_clear(out);
    if (!message)
        return fail_text(handshake, "the peer's message is malformed or too long");
    return handshake->initiator ? step_initiator(handshake, message, out)
                                : step_acceptor(handshake, message, out);
}

const char *auth_handshake_peer(const struct auth_handshake *handshake)
{
    return handshake->peer ? handshake->peer : "";
}

uint32_t auth_handshake_lifetime_s(const struct auth_handshake *handshake)
{
    return handshake->lifetime_s;
}

const char *auth_handshake_error(const struct auth_handshake *handshake)
{
    return handshake->error ? handshake->error : "";
}
