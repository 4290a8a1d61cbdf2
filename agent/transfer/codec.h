/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/transfer/codec.h: between the wire's messages and the core's values. The only place where
 * proto/types.proto meets agent/version; everything from a peer is checked here before it goes on.
 */
#ifndef AGENT_TRANSFER_CODEC_H
#define AGENT_TRANSFER_CODEC_H

#include "agent/replica/verification.h"
#include "agent/version/update.h"
#include "agent/version/vector.h"
#include "common/rdc/similarity.h"

#include "proto/replication.pb-c.h"
#include "proto/types.pb-c.h"

#define REPLICATION_PROTOCOL_VERSION 1u

/* A message on top of a value: borrows the value's memory; no clean-up. */
struct update_message {
    Coterie__V1__Update update;
    Coterie__V1__Version file_id;
    Coterie__V1__Version gvsn;
    Coterie__V1__Version parent_id;
    Coterie__V1__Version merged_into;
};
void update_to_message(const struct update *u, struct update_message *out_message);

/* NULL and *out filled (update_fini by the caller), or the broken rule in one clause. */
const char *update_from_message(const Coterie__V1__Update *message, struct update *out);

/* Free with vector_message_free(). */
Coterie__V1__VersionVector *vector_to_message(const struct vector *v);
void vector_message_free(Coterie__V1__VersionVector *message);

/* NULL and *out filled (finished first), or the broken rule. NULL @message is the empty vector. */
const char *vector_from_message(const Coterie__V1__VersionVector *message, struct vector *out);

/* The opening message of a stream, and its answer; borrow the guids. */
void opening_to_message(const struct guid *connection, const struct guid *folder,
                        const struct guid *database, bool fetch_only,
                        Coterie__V1__SessionOpen *out_message);
void opened_to_message(const struct guid *database, Coterie__V1__SessionOpened *out_message);

/* A listing, or a verification: what is asked for; and one part of a listing's answer. @after, @upto NULL:
 * absent. The messages borrow from *out and @bytes. */
struct list_message {
    Coterie__V1__SessionList list;
    Coterie__V1__Version after;
};
void list_to_message(const struct file_id *after, struct list_message *out);
/* NULL and *out, *out_has_after filled, or the broken rule. */
const char *list_from_message(const Coterie__V1__SessionList *message, struct file_id *out,
                              bool *out_has_after);
struct listed_message {
    Coterie__V1__SessionListed listed;
    Coterie__V1__Version upto;
};
void listed_to_message(const struct file_id *ids, size_t count, const struct file_id *upto,
                       struct buf *bytes, struct listed_message *out);
/* NULL, *out_ids (free it) and *out_upto filled, or the broken rule. */
const char *listed_from_message(const Coterie__V1__SessionListed *message,
                                struct file_id **out_ids, size_t *out_count,
                                struct file_id *out_upto, bool *out_is_last);

/* One part of a verification's, in the same way. Its vector is left to the caller. */
struct verified_message {
    Coterie__V1__SessionVerified verified;
    Coterie__V1__Version upto;
};
void verified_to_message(const struct named_record *records, size_t count,
                         const struct file_id *upto, struct buf *bytes,
                         struct verified_message *out);
const char *verified_from_message(const Coterie__V1__SessionVerified *message,
                                  struct named_record **out_records, size_t *out_count,
                                  struct file_id *out_upto, bool *out_is_last);

/* What content is like: false when the field is empty or of no use. */
#define TRAITS_SIZE (2 * RDC_TRAIT_COUNT)
bool traits_from_message(ProtobufCBinaryData field, struct rdc_traits *out);
/* Written to @place, of TRAITS_SIZE, which the field borrows. */
ProtobufCBinaryData traits_to_message(const struct rdc_traits *traits, uint8_t *place);

/* A guid field: false unless 16 bytes. */
bool guid_from_message(ProtobufCBinaryData field, struct guid *out);
ProtobufCBinaryData guid_to_message(const struct guid *id); /* borrows @id */

#endif
