/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/auth/transcript.h: what was said in a handshake, as one hash that each side signs.
 *
 * Pure. Two transcripts are equal only if every part of them is: each part goes in with its length.
 */
#ifndef COMMON_AUTH_TRANSCRIPT_H
#define COMMON_AUTH_TRANSCRIPT_H

#include "common/auth/auth.h"

#define TRANSCRIPT_HASH_SIZE 32
#define TRANSCRIPT_NONCE_SIZE 32

enum transcript_signer { TRANSCRIPT_INITIATOR, TRANSCRIPT_ACCEPTOR };

struct transcript {
    struct auth_binding binding;
    uint8_t initiator_nonce[TRANSCRIPT_NONCE_SIZE];
    uint8_t acceptor_nonce[TRANSCRIPT_NONCE_SIZE];
    struct span initiator_token;
    struct span acceptor_token;
};

/* @lifetime_s the acceptor's promise; 0 in what the initiator signs */
void transcript_hash(const struct transcript *transcript, enum transcript_signer signer,
                     uint32_t lifetime_s, uint8_t out_hash[TRANSCRIPT_HASH_SIZE]);

#endif
