/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A network that breaks its promise: messages of a stream come twice or out of order, and those of
 * a stream that is dead reach its successor. gRPC's streams do not do that; whatever might, in
 * between, the session either notices and ends the stream, or nothing has come of it.
 */
#include "tests/sim/member.h"

#include "common/base/mem.h"

#define NOISY_SHARE     8 /* one run in so many */
#define NOISE_PERMILLE  8 /* of a noisy run's messages */
#define REPLAY_PERMILLE 30

bool noise_is_on(const struct world *world)
{
    uint64_t mixed = world->options.seed * UINT64_C(0x9e3779b97f4a7c15);

    /* not drawn from the run's random numbers: other runs stay what they were */
    return (mixed >> 32) % NOISY_SHARE == 0 && world->plan.fault_percent > 0 && !world->healed;
}

static struct message *message_copy(const struct message *from)
{
    struct message *to = message_new(from->kind);

    *to = *from;
    to->vector = (struct vector){0};
    to->forgotten = (struct vector){0};
    to->update = (struct update){0};
    vector_copy(&to->vector, &from->vector);
    vector_copy(&to->forgotten, &from->forgotten);
    update_copy(&to->update, &from->update);
    to->ids = from->ids ? mem_copy(from->ids, from->id_count * sizeof(*from->ids)) : NULL;
    return to;
}

/* An opening is answered before anything else is sent. */
static bool may_be_disturbed(const struct message *message)
{
    return message->kind != MESSAGE_OPEN && message->kind != MESSAGE_OPENED;
}

struct message *noise_double(struct stream *stream, const struct message *message)
{
    struct world *world = stream->from->world;

    if (!noise_is_on(world) || !may_be_disturbed(message) || !world_chance(world, NOISE_PERMILLE))
        return NULL;
    stream->disturbed = true;
    world_count_fault(world, FAULT_doubled);
    return message_copy(message);
}

bool noise_misplaces(struct stream *stream, const struct message *message)
{
    struct world *world = stream->from->world;

    if (!noise_is_on(world) || !may_be_disturbed(message) || !world_chance(world, NOISE_PERMILLE))
        return false;
    stream->disturbed = true;
    world_count_fault(world, FAULT_misplaced);
    return true;
}

bool noise_explains(struct stream *stream, const char *rule)
{
    struct world *world = stream->from->world;

    if (!stream->disturbed)
        return false;
    world_trace(world, stream->to, "notices: %s", rule);
    streams_cut(world, stream);
    return true;
}

void noise_copy_for_later(struct stream *stream, bool to_sender, const struct message *message)
{
    struct world *world = stream->from->world;

    if (!noise_is_on(world) || !may_be_disturbed(message) || !world_chance(world, REPLAY_PERMILLE))
        return;
    world_queue(world, world_delay(world, 20 * SECOND),
                (struct event){.kind = EVENT_REPLAY,
                               .stream = stream,
                               .message = message_copy(message),
                               .value = to_sender});
}

void noise_replay(struct world *world, const struct event *event)
{
    struct stream *stream = event->stream->edge->stream;
    struct member *member;

    if (!stream || stream->cut || stream == event->stream || !noise_is_on(world)) {
        message_free(event->message);
        return;
    }
    member = event->value ? stream->from : stream->to;
    stream->disturbed = true;
    world_count_fault(world, FAULT_replayed);
    world_trace(world, member, "gets message %u of a dead stream", (unsigned)event->message->kind);
    streams_message(world, stream, event->message, member);
    member_run(member);
}
