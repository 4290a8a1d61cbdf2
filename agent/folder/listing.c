/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists of file ids: a partner that has forgotten deletions which we missed names all that it has
 * (docs/decisions/0012). Part by part, each asked for, so nothing waits behind it.
 */
#include "agent/folder/parts.h"

#include "agent/session/sender.h"
#include "agent/transfer/codec.h"
#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/base/scope.h"

#include <stdlib.h>

void listing_ask(struct rpc_stream *stream, const struct file_id *after, struct sequence *sequence)
{
    Coterie__V1__SessionRequest request = COTERIE__V1__SESSION_REQUEST__INIT;
    struct list_message list;

    list_to_message(after, &list);
    request.body_case = COTERIE__V1__SESSION_REQUEST__BODY_LIST;
    request.list = &list.list;
    request.sequence = sequence_next(sequence);
    rpc_stream_send(stream, &request.base);
}

bool listing_send_part(struct folder *f, struct rpc_stream *stream, const struct file_id *after,
                       struct sequence *sequence)
{
    Coterie__V1__SessionResponse message = COTERIE__V1__SESSION_RESPONSE__INIT;
    scope_free struct file_id *ids = mem_new(LISTING_PART_COUNT, sizeof(*ids));
    scope(buf) struct buf bytes = {0};
    struct listed_message listed;
    struct file_id upto = {0};
    bool is_last;
    size_t count = sender_list(&f->reader, after, ids, LISTING_PART_COUNT, &upto, &is_last);

    if (f->reader.ops->failed(f->reader.arg))
        return false;
    listed_to_message(ids, count, is_last ? NULL : &upto, &bytes, &listed);
    message.body_case = COTERIE__V1__SESSION_RESPONSE__BODY_LISTED;
    message.listed = &listed.listed;
    message.sequence = sequence_next(sequence);
    rpc_stream_send(stream, &message.base);
    return true;
}

const char *listing_take(struct listing *listing, struct folder *f,
                         const Coterie__V1__SessionListed *message, bool *out_is_last)
{
    scope_free struct file_id *ids = NULL;
    struct file_id upto = {0};
    size_t count = 0;
    const char *rule = listed_from_message(message, &ids, &count, &upto, out_is_last);

    return rule ? rule
                : listing_part(listing, f->replica, ids, count, *out_is_last ? NULL : &upto);
}
