/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/replica/store.h"

void record_fini(struct record *record)
{
    update_fini(&record->update);
    record->place = PLACE_NOWHERE;
    record->object = (struct object){0};
    record->witness = (struct witness){0};
}

void record_copy(struct record *to, const struct record *from)
{
    if (to == from)
        return;
    update_copy(&to->update, &from->update);
    to->place = from->place;
    to->object = from->object;
    to->witness = from->witness;
}

void replica_state_fini(struct replica_state *state)
{
    vector_fini(&state->vector);
    vector_fini(&state->forgotten);
    *state = (struct replica_state){0};
}

void replica_state_copy(struct replica_state *to, const struct replica_state *from)
{
    struct vector vector = to->vector;
    struct vector forgotten = to->forgotten;

    if (to == from)
        return;
    vector_copy(&vector, &from->vector);
    vector_copy(&forgotten, &from->forgotten);
    *to = *from;
    to->vector = vector;
    to->forgotten = forgotten;
}

void intent_fini(struct intent *intent)
{
    update_fini(&intent->update);
    *intent = (struct intent){0};
}
