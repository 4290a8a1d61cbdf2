/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions between members, and the network under them: messages of one stream stay in order,
 * transfers and other streams overtake them, and a stream may break at any time. */
#include "tests/sim/member.h"

#include "common/base/mem.h"

#include <assert.h>
#include <stdlib.h>

enum side { SIDE_RECEIVER, SIDE_SENDER };

void message_free(struct message *message)
{
    if (!message)
        return;
    vector_fini(&message->vector);
    vector_fini(&message->forgotten);
    free(message->ids);
    update_fini(&message->update);
    free(message);
}

struct message *message_new(enum message_kind kind)
{
    struct message *message = MEM_NEW(struct message);

    message->kind = kind;
    return message;
}

static void post_one(struct stream *stream, enum side to, struct message *message, bool ordered)
{
    struct member *member = to == SIDE_SENDER ? stream->from : stream->to;
    struct world *world = member->world;
    int64_t arrival_ms = world->now_ms + world_delay(world, world->plan.latency_ms);

    if (ordered && arrival_ms < stream->arrival_last_ms[to])
        arrival_ms = stream->arrival_last_ms[to];
    if (ordered)
        stream->arrival_last_ms[to] = arrival_ms;
    world_queue(world, arrival_ms - world->now_ms,
                (struct event){.kind = EVENT_MESSAGE,
                               .member = member,
                               .incarnation = member->incarnation,
                               .stream = stream,
                               .message = message});
}

static bool is_opening(const struct message *message)
{
    return message->kind == MESSAGE_OPEN || message->kind == MESSAGE_OPENED;
}

/* Contents have streams of their own. */
static bool is_content(const struct message *message)
{
    return message->kind == MESSAGE_FETCH || message->kind == MESSAGE_FETCHED;
}

/* @ordered: after everything sent before to that side. */
static void post(struct stream *stream, enum side to, struct message *message, bool ordered)
{
    struct message *again = NULL;

    if (stream->cut) {
        message_free(message);
        return;
    }
    if (!is_opening(message) && !is_content(message))
        message->sequence =
            sequence_next(&stream->sequence[to == SIDE_SENDER ? SIDE_RECEIVER : SIDE_SENDER]);
    noise_copy_for_later(stream, to == SIDE_SENDER, message);
    if (ordered) {
        again = noise_double(stream, message);
        ordered = !noise_misplaces(stream, message);
    }
    post_one(stream, to, message, ordered);
    if (again)
        post_one(stream, to, again, false);
}

/* Once for each deadline. */
static void queue_tick(struct stream *stream, enum side side, struct instant when)
{
    struct member *member = side == SIDE_SENDER ? stream->from : stream->to;
    int64_t at_ms = when.ns / NS_PER_MS;

    if (stream->tick_ms[side] == at_ms && at_ms > member->world->now_ms)
        return;
    stream->tick_ms[side] = at_ms;
    world_queue(
        member->world, at_ms - member->world->now_ms,
        (struct event){.kind = side == SIDE_SENDER ? EVENT_SENDER_TICK : EVENT_RECEIVER_TICK,
                       .member = member,
                       .incarnation = member->incarnation,
                       .stream = stream});
}

/* --- the pulling side --- */

static void pull_step(struct stream *stream, struct receiver_event *event,
                      const struct message *message);

static void send_want(struct stream *stream, bool start_round)
{
    struct message *want = message_new(MESSAGE_WANT);

    vector_copy(&want->vector, replica_vector(stream->to->replica));
    want->flag = start_round;
    post(stream, SIDE_SENDER, want, true);
}

static uint64_t stage_content(struct member *member, const struct update *update, uint64_t content,
                              struct object *out_object)
{
    struct world *world = member->world;

    if (!world->healed && world_chance(world, world->plan.failure_permille)) {
        world_count_fault(world, FAULT_stage_full);
        return 0;
    }
    *out_object = disk_stage(&member->disk, ++member->stage_last, update->kind, content);
    return member->stage_last;
}

static void deliver(struct stream *stream, const struct message *message)
{
    struct object object = {0};
    uint64_t stage = 0;

    classify_offer(stream->to, &message->update, receiver_sender_vector(stream->receiver));
    if (message->content != 0)
        stage = stage_content(stream->to, &message->update, message->content, &object);
    intake_offer(stream->to->intake, stream->id, &message->update,
                 receiver_sender_vector(stream->receiver), stage, &object);
}

static void pull_step(struct stream *stream, struct receiver_event *event,
                      const struct message *message)
{
    struct member *member = stream->to;
    struct receiver_actions actions;
    struct instant when;

    event->now = world_now(member->world);
    receiver_step(stream->receiver, event, &actions);
    if (actions.fail) {
        if (noise_explains(stream, actions.fail))
            return;
        world_fail(member->world, "member %u: receiver failed: %s", member->index, actions.fail);
        return;
    }
    if (actions.deliver)
        deliver(stream, message);
    if (actions.credit > 0) {
        struct message *credit = message_new(MESSAGE_CREDIT);
        credit->credit = actions.credit;
        post(stream, SIDE_SENDER, credit, true);
    }
    if (actions.send_want)
        send_want(stream, actions.start_round);
    if (actions.no_more)
        intake_round_ended(member->intake, stream->id, actions.in_vain);
    if (actions.list)
        listing_ask(stream, actions.first);
    if (actions.join)
        stream->join_wanted = true;
    if (actions.round_failed && replica_round_ended(member->replica) != ST_OK) {
        member_crash(member, world_delay(member->world, 5 * SECOND));
        return;
    }
    if (receiver_deadline(stream->receiver, &when))
        queue_tick(stream, SIDE_RECEIVER, when);
}

void streams_receiver_event(struct stream *stream, struct receiver_event *event)
{
    pull_step(stream, event, NULL);
}

void streams_post(struct stream *stream, bool to_sender, struct message *message)
{
    post(stream, to_sender ? SIDE_SENDER : SIDE_RECEIVER, message, true);
}

void streams_try_joins(struct member *member)
{
    struct world *world = member->world;

    for (size_t i = 0; i < world->edge_count && member->up && member->work == WORK_NONE; i++) {
        struct stream *stream = world->edges[i].stream;

        if (stream && stream->to == member && stream->receiver && stream->join_wanted)
            listing_join(stream);
    }
}

static void pull_message(struct stream *stream, const struct message *message)
{
    struct member *member = stream->to;
    struct receiver_event event = {0};

    switch (message->kind) {
    case MESSAGE_OPENED:
        event.kind = RECEIVER_EVENT_OPENED;
        break;
    case MESSAGE_ROUND_START:
        replica_heard(member->replica, &message->vector);
        event.kind = RECEIVER_EVENT_ROUND_START;
        event.round = message->round;
        event.vector = &message->vector;
        event.forgotten = &message->forgotten;
        break;
    case MESSAGE_UPDATE:
        event.kind = RECEIVER_EVENT_UPDATE;
        event.gvsn = message->update.gvsn;
        break;
    case MESSAGE_ROUND_DONE:
        event.kind = RECEIVER_EVENT_ROUND_DONE;
        event.round = message->round;
        event.complete = message->flag;
        break;
    case MESSAGE_FETCHED: {
        struct object object = {0};
        uint64_t stage = 0;

        if (message->flag)
            stage = stage_content(member, &message->update, message->content, &object);
        intake_fetched(member->intake, stream->id, &message->update.gvsn, stage != 0, stage,
                       &object, world_now(member->world));
        return;
    }
    case MESSAGE_LISTED:
        listing_take(stream, message);
        return;
    case MESSAGE_OPEN:
    case MESSAGE_WANT:
    case MESSAGE_CREDIT:
    case MESSAGE_FETCH:
    case MESSAGE_LIST:
        assert(false);
        return;
    }
    pull_step(stream, &event, message);
}

static void pull_end(struct stream *stream)
{
    struct member *member = stream->to;

    if (!stream->receiver)
        return;
    receiver_free(stream->receiver);
    stream->receiver = NULL;
    listing_drop(stream);
    stream->edge->stream = NULL;
    if (member->up)
        intake_source_gone(member->intake, stream->id);
    streams_connect_later(member->world, stream->edge, world_delay(member->world, 5 * SECOND));
}

void streams_fetch(struct member *member, const struct intake_next *next)
{
    struct stream *stream = streams_by_id(member->world, next->source);
    struct message *fetch = message_new(MESSAGE_FETCH);

    update_copy(&fetch->update, next->update);
    post(stream, SIDE_SENDER, fetch, false);
}

void streams_settled(struct member *member, const struct intake_next *next)
{
    struct stream *stream = streams_by_id(member->world, next->source);
    struct receiver_event event = {
        .kind = RECEIVER_EVENT_SETTLED, .gvsn = next->gvsn, .done = next->done};

    pull_step(stream, &event, NULL);
}

/* --- the serving side --- */

/* The content of a record, if the disk still shows it. */
static uint64_t read_content(const struct member *member, const struct record *record)
{
    const struct node *node = disk_node(&member->disk, &record->object);

    if (record->place == PLACE_NOWHERE || !node || node->area != AREA_ATTACHED)
        return 0;
    struct content_hash hash = content_hash(node->content);
    return memcmp(&hash, &record->update.hash, sizeof(hash)) == 0 ? node->content : 0;
}

static struct message *update_message(struct stream *stream, const struct record *record)
{
    struct member *member = stream->from;
    struct message *message = message_new(MESSAGE_UPDATE);
    char text[PRINT_UPDATE_SIZE];

    update_copy(&message->update, &record->update);
    if (record->update.present && record->update.kind != FILE_DIRECTORY &&
        record->update.size < FETCH_LARGE_SIZE_MIN &&
        world_chance(member->world, member->world->plan.inline_percent * 10))
        message->content = read_content(member, record);
    member->world->result->update_count++;
    print_update(&record->update, text);
    world_trace(member->world, member, "sends %u %s", stream->to->index, text);
    return message;
}

static void serve_pump(struct stream *stream)
{
    struct member *member = stream->from;
    struct record record = {0};

    while (stream->sender && member->up) {
        struct message *message = NULL;
        struct instant when;
        bool complete;

        switch (sender_next(stream->sender, &member->store, replica_state(member->replica),
                            world_now(member->world), &record, &complete)) {
        case SENDER_ROUND_START:
            message = message_new(MESSAGE_ROUND_START);
            message->round = sender_round(stream->sender);
            vector_copy(&message->vector, sender_vector(stream->sender));
            vector_copy(&message->forgotten, sender_forgotten(stream->sender));
            break;
        case SENDER_UPDATE:
            message = update_message(stream, &record);
            break;
        case SENDER_ROUND_DONE:
            message = message_new(MESSAGE_ROUND_DONE);
            message->round = sender_round(stream->sender);
            message->flag = complete;
            break;
        case SENDER_IDLE:
        case SENDER_STORE_FAILED:
            break;
        }
        if (message) {
            post(stream, SIDE_RECEIVER, message, true);
            continue;
        }
        if (sender_deadline(stream->sender, &when))
            queue_tick(stream, SIDE_SENDER, when);
        break;
    }
    record_fini(&record);
}

static void serve_fetch(struct stream *stream, const struct message *message)
{
    struct member *member = stream->from;
    struct world *world = member->world;
    struct message *answer = message_new(MESSAGE_FETCHED);
    struct record record = {0};

    update_copy(&answer->update, &message->update);
    if (member->store.ops->get(member->store.arg, &message->update.id, &record) &&
        gvsn_equal(&record.update.gvsn, &message->update.gvsn))
        answer->content = read_content(member, &record);
    if (!world->healed && world_chance(world, world->plan.failure_permille)) {
        world_count_fault(world, FAULT_fetch_failure);
        answer->content = 0;
    }
    answer->flag = answer->content != 0;
    record_fini(&record);
    post(stream, SIDE_RECEIVER, answer, false);
}

static void serve_open(struct stream *stream)
{
    struct member *member = stream->from;
    const struct replica_state *state = replica_state(member->replica);
    struct file_id root = replica_root(member->replica);

    stream->sender = sender_new(&state->database, &root);
    post(stream, SIDE_RECEIVER, message_new(MESSAGE_OPENED), true);
}

static void serve_message(struct stream *stream, const struct message *message)
{
    struct member *member = stream->from;
    const char *rule = NULL;

    if (message->kind == MESSAGE_OPEN) {
        serve_open(stream);
        return;
    }
    if (!stream->sender)
        return;
    if (message->kind == MESSAGE_FETCH) {
        serve_fetch(stream, message);
        return;
    }
    if (message->kind == MESSAGE_LIST) {
        listing_serve(stream, message);
        return;
    }
    if (message->kind == MESSAGE_WANT)
        replica_heard(member->replica, &message->vector);
    if (message->kind == MESSAGE_WANT)
        rule =
            sender_want(stream->sender, &message->vector, message->flag, world_now(member->world));
    else
        rule = sender_credit(stream->sender, message->credit);
    if (!rule)
        serve_pump(stream);
    else if (!noise_explains(stream, rule))
        world_fail(member->world, "member %u: sender failed: %s", member->index, rule);
}

/* --- streams --- */

struct stream *streams_by_id(struct world *world, uint32_t id)
{
    return world->streams[id - 1];
}

void streams_connect_later(struct world *world, struct edge *edge, int64_t delay_ms)
{
    if (edge->connecting)
        return;
    edge->connecting = true;
    world_queue(world, delay_ms, (struct event){.kind = EVENT_CONNECT, .edge = edge});
}

static bool can_serve(const struct member *member)
{
    const struct replica_state *state;

    if (!member->up)
        return false;
    state = replica_state(member->replica);
    return state->initial_scan_done && state->initial_sync_done;
}

void streams_connect(struct world *world, struct edge *edge)
{
    edge->connecting = false;
    if (edge->stream || !edge->to->up || !edge->laid)
        return;
    if (!edge->open || world->parted[edge->from->index][edge->to->index] ||
        !can_serve(edge->from) || !edge->to->scanned) {
        /* While nothing else happens the wait for a partner who is away can be long. */
        int64_t wait_ms = world->healed && !edge->from->up ? 2 * MINUTE : 2 * SECOND;
        streams_connect_later(world, edge, 500 * MS + world_delay(world, wait_ms));
        return;
    }
    struct stream *stream = MEM_NEW(struct stream);
    if (world->stream_count == world->stream_capacity) {
        world->stream_capacity = world->stream_capacity ? world->stream_capacity * 2 : 64;
        world->streams =
            mem_resize(world->streams, world->stream_capacity, sizeof(struct stream *));
    }
    world->streams[world->stream_count++] = stream;
    stream->id = (uint32_t)world->stream_count;
    stream->edge = edge;
    stream->from = edge->from;
    stream->to = edge->to;
    stream->receiver = receiver_new();
    edge->stream = stream;
    /* no other stream's numbers come near; both know the first one once it is opened */
    for (size_t side = 0; side < 2; side++)
        sequence_begin(&stream->sequence[side], stream->id << 16);
    post(stream, SIDE_SENDER, message_new(MESSAGE_OPEN), true);
}

/* Returns NULL, or the broken rule. */
static const char *take_number(struct stream *stream, enum side side, const struct message *message)
{
    if (is_opening(message) || is_content(message))
        return NULL;
    return sequence_take(&stream->sequence[side], message->sequence);
}

void streams_message(struct world *world, struct stream *stream, struct message *message,
                     struct member *at)
{
    enum side side = at == stream->from ? SIDE_SENDER : SIDE_RECEIVER;

    if (!stream->cut && (side == SIDE_SENDER ? stream->sender || message->kind == MESSAGE_OPEN
                                             : stream->receiver != NULL)) {
        const char *rule = take_number(stream, side, message);

        if (rule && !noise_explains(stream, rule))
            world_fail(world, "member %u: %s", at->index, rule);
        else if (!rule && side == SIDE_SENDER)
            serve_message(stream, message);
        else if (!rule)
            pull_message(stream, message);
    }
    message_free(message);
}

void streams_cut(struct world *world, struct stream *stream)
{
    struct member *sides[] = {stream->from, stream->to};

    if (stream->cut)
        return;
    stream->cut = true;
    for (size_t i = 0; i < 2; i++)
        world_queue(world, world_delay(world, 3 * SECOND),
                    (struct event){.kind = EVENT_STREAM_LOST,
                                   .member = sides[i],
                                   .incarnation = sides[i]->incarnation,
                                   .stream = stream});
}

void streams_lost(struct world *world, struct stream *stream, struct member *at)
{
    (void)world;
    if (at == stream->to)
        pull_end(stream);
    if (at == stream->from) {
        sender_free(stream->sender);
        stream->sender = NULL;
    }
}

void streams_member_down(struct member *member)
{
    struct world *world = member->world;

    for (size_t i = 0; i < world->stream_count; i++) {
        struct stream *stream = world->streams[i];

        if ((stream->from == member && stream->sender) ||
            (stream->to == member && stream->receiver)) {
            streams_cut(world, stream);
            streams_lost(world, stream, member);
        } else if (stream->from == member && stream->receiver) {
            streams_cut(world, stream); /* its opening had not arrived */
        }
    }
}

void streams_tick(struct world *world, struct stream *stream, enum event_kind kind)
{
    struct instant when;

    if (kind == EVENT_RECEIVER_TICK) {
        if (stream->receiver && receiver_deadline(stream->receiver, &when) &&
            world_now(world).ns >= when.ns) {
            struct receiver_event event = {.kind = RECEIVER_EVENT_TICK};
            pull_step(stream, &event, NULL);
        }
        return;
    }
    if (stream->sender)
        serve_pump(stream);
}

void streams_vector_grew(struct member *member)
{
    struct world *world = member->world;
    struct receiver_event event = {.kind = RECEIVER_EVENT_VECTOR_GREW};

    for (size_t i = 0; i < world->edge_count && member->up; i++) {
        struct stream *stream = world->edges[i].stream;

        if (!stream)
            continue;
        if (stream->to == member && stream->receiver &&
            receiver_state(stream->receiver) == RECEIVER_WAITING)
            pull_step(stream, &event, NULL);
        if (stream->from == member && stream->sender)
            serve_pump(stream);
    }
}

bool streams_held_by_all(const struct member *member, struct vector *out_held)
{
    const struct world *world = member->world;

    vector_copy(out_held, replica_vector(member->replica));
    for (size_t i = 0; i < world->edge_count; i++) {
        const struct edge *edge = &world->edges[i];
        const struct stream *stream = edge->stream;

        if (!edge->laid || (edge->from != member && edge->to != member))
            continue;
        if (!stream || stream->cut || !stream->sender || !stream->receiver)
            return false;
        const struct vector *theirs = edge->from == member
                                          ? sender_receiver_vector(stream->sender)
                                          : receiver_sender_vector(stream->receiver);

        if (!vector_covers(replica_vector(member->replica), theirs))
            return false;
        vector_meet(out_held, theirs);
    }
    return true;
}
