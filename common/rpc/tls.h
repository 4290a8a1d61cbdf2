/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/rpc/tls.h: throw-away certificates and the TLS credentials made of them. The only file
 * that uses gRPC's grpc_tls_* functions, which gRPC calls experimental.
 *
 * A certificate here says nothing about who somebody is: Kerberos does, bound to both
 * certificates. TLS only proves that each side holds the key of what it shows, and keeps the
 * connection secret and whole.
 */
#ifndef COMMON_RPC_TLS_H
#define COMMON_RPC_TLS_H

#include "common/base/span.h"

#include <grpc/grpc_security.h>

#define TLS_HASH_SIZE 32
#define TLS_COMMON_NAME "coterie"

/* A P-256 key and its self-signed certificate, in memory only. */
struct tls_identity {
    char *certificate_pem;
    char *key_pem;
    uint8_t hash[TLS_HASH_SIZE];
};

struct tls_identity *tls_identity_new(void);
void tls_identity_free(struct tls_identity *identity); /* NULL allowed */

/* SHA-256 over the certificate's DER form (tls-server-end-point of RFC 5929). False when @pem is
 * not a certificate signed with SHA-256: all of ours are. */
bool tls_certificate_hash(struct span pem, uint8_t out_hash[TLS_HASH_SIZE]);

/* For one channel: whatever certificate the server shows first is the only one that the channel
 * ever accepts, on reconnections too. */
grpc_channel_credentials *tls_channel_credentials(const struct tls_identity *identity);
/* Demands a client certificate, any. */
grpc_server_credentials *tls_server_credentials(const struct tls_identity *identity);

/* The certificate that the other end of a call has shown; empty without TLS. */
struct tls_peer {
    grpc_auth_context *context;
    struct span certificate_pem; /* borrowed from the context */
};
struct tls_peer tls_peer_of(grpc_call *call);
void tls_peer_fini(struct tls_peer *peer);

#endif
