/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/signatures/signatures.h: signatures of contents, kept on disk between transfers.
 *
 * A signature (common/rdc/signature.h) is made once, in the pass that hashes a content, and serves
 * every partner; the signature of what a file was before is what lets a sender answer a change in
 * one round trip. Here they stand in the private directory, one file for each content, named by its
 * hash.
 *
 * It is a cache: nothing is synced, what is damaged, missing or too much costs time and never more.
 * What was not used for longest goes first when there is too much. Contents outside
 * [SIGNED_SIZE_MIN, SIGNED_SIZE_MAX] are not signed.
 *
 * File: "coterie1", the content's hash, its traits (16 x u16, little-endian), xxh3-64 over all
 * that; then what rdc_signature_encode() gives, with a checksum of its own.
 *
 * Threads: any thread may use it. Blocks (file I/O).
 */
#ifndef AGENT_SIGNATURES_SIGNATURES_H
#define AGENT_SIGNATURES_SIGNATURES_H

#include "agent/root/root.h"
#include "common/rdc/signature.h"

#include <stdatomic.h>

struct signatures;

struct signatures_options {
    const struct root *root; /* outlives it */
    struct rdc_key key;      /* the group's: what was signed with another is taken for damaged */
    uint64_t bytes_max;      /* on disk, of all signatures */
    uint64_t count_max;
};
struct signatures *signatures_open(const struct signatures_options *options);
void signatures_close(struct signatures *s); /* NULL allowed */

/* With which contents are to be signed; borrowed. */
const struct rdc_key *signatures_key(const struct signatures *s);

/* Is content of this size signed at all? */
bool signatures_want(uint64_t size);

bool signatures_have(const struct signatures *s, const struct content_hash *content);

/*
 * Keep the signature of a content; the caller knows that it was made of just that.
 *
 * True when it is kept and was not before; false also when there is no room for it.
 */
bool signatures_put(struct signatures *s, const struct content_hash *content,
                    const struct rdc_signature *signature);

/* The signature of a content; false when there is none. A damaged one is removed. */
bool signatures_get(struct signatures *s, const struct content_hash *content,
                    struct rdc_signature **out_signature);

/* A content's traits alone, by reading a hundred bytes. */
bool signatures_traits(struct signatures *s, const struct content_hash *content,
                       struct rdc_traits *out_traits);

/* More than three quarters of what may be are there: time for signatures_sweep(). */
bool signatures_are_many(const struct signatures *s);

/*
 * Look at everything that is kept: remove leftovers and what is damaged, then, when they are many,
 * the longest unused, down to half of what may be. Tells each that stays.
 *
 * @stop  may be NULL; when it turns true the sweep ends early and tells nothing
 *
 * One at a time. What was there before the start does not count until one has run.
 */
void signatures_sweep(struct signatures *s, const atomic_bool *stop,
                      void (*each)(const struct content_hash *content,
                                   const struct rdc_traits *traits, void *arg),
                      void *arg);

#endif
