/* SPDX-License-Identifier: Apache-2.0 */
/* Joining rounds, and what comes before that when the sender has forgotten deletions: its file ids. */
#include "tests/sim/member.h"

#include "common/base/mem.h"

#include <stdlib.h>

#define PART_COUNT 3u /* small, so that there are several */

void listing_ask(struct stream *stream, bool first)
{
    struct message *list = message_new(MESSAGE_LIST);
    const struct file_id *after;

    if (first) {
        listing_free(stream->listing);
        stream->listing =
            listing_begin(stream->to->replica, receiver_sender_vector(stream->receiver));
        stream->to->world->result->listed_count++;
    }
    after = listing_after(stream->listing);
    if (after) {
        list->ids = mem_copy(after, sizeof(*after));
        list->id_count = 1;
    }
    streams_post(stream, true, list);
}

void listing_serve(struct stream *stream, const struct message *message)
{
    struct message *listed = message_new(MESSAGE_LISTED);

    listed->ids = mem_new(PART_COUNT, sizeof(*listed->ids));
    listed->id_count = sender_list(&stream->from->store, message->ids, listed->ids, PART_COUNT,
                                   &listed->upto, &listed->flag);
    if (stream->from->store.ops->failed(stream->from->store.arg)) {
        message_free(listed);
        return;
    }
    streams_post(stream, false, listed);
}

void listing_take(struct stream *stream, const struct message *message)
{
    struct receiver_event event = {.kind = RECEIVER_EVENT_LISTED, .is_last = message->flag};
    const char *rule = NULL;

    if (stream->listing)
        rule = listing_part(stream->listing, stream->to->replica, message->ids, message->id_count,
                            message->flag ? NULL : &message->upto);
    if (!rule)
        streams_receiver_event(stream, &event);
    else if (!noise_explains(stream, rule))
        world_fail(stream->to->world, "member %u: listing failed: %s", stream->to->index, rule);
}

void listing_drop(struct stream *stream)
{
    listing_free(stream->listing);
    stream->listing = NULL;
    if (stream->to->plan_listing == stream)
        stream->to->plan_listing = NULL;
}

static void end(struct stream *stream, enum receiver_event_kind kind)
{
    struct receiver_event event = {.kind = kind};

    stream->join_wanted = false;
    listing_drop(stream);
    streams_receiver_event(stream, &event);
}

void listing_planned(struct stream *stream, bool failed)
{
    if (failed)
        end(stream, RECEIVER_EVENT_NOT_JOINED);
}

static void join(struct stream *stream)
{
    struct member *member = stream->to;

    if (!receiver_may_join(stream->receiver)) {
        end(stream, RECEIVER_EVENT_NOT_JOINED);
        return;
    }
    if (replica_join(member->replica, receiver_sender_vector(stream->receiver),
                     receiver_forgotten(stream->receiver)) != ST_OK) {
        member_crash(member, world_delay(member->world, 5 * SECOND));
        return;
    }
    end(stream, RECEIVER_EVENT_JOINED);
    check_records(member);
    check_vectors(member->world, member, stream->from);
    check_vectors(member->world, stream->from, member);
    member_vector_grew(member);
}

void listing_join(struct stream *stream)
{
    struct member *member = stream->to;
    struct plan *plan;

    if (!stream->listing) {
        join(stream);
        return;
    }
    switch (listing_next(stream->listing, member->replica, member_walltime(member), &plan)) {
    case LISTING_PLAN:
        member->world->result->forgotten_count++;
        world_trace(member->world, member, "removes what %u has forgotten", stream->from->index);
        apply_listing(member, stream, plan);
        /* one without steps is settled already */
        if (member->up && member->work == WORK_NONE && stream->listing)
            listing_join(stream);
        return;
    case LISTING_JOIN:
        join(stream);
        return;
    case LISTING_VOID:
        world_trace(member->world, member, "does not join %u", stream->from->index);
        end(stream, RECEIVER_EVENT_NOT_JOINED);
        return;
    case LISTING_STORE_FAILED:
        member_crash(member, world_delay(member->world, 5 * SECOND));
        return;
    }
}
