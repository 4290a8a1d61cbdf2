/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/replica/verification.h"

#include "agent/replica/engine.h"
#include "common/base/limits.h"
#include "common/base/mem.h"
#include "common/base/scope.h"

#include <stdlib.h>

struct verification {
    struct vector theirs;
    struct ascent named;
    uint64_t compared;
    struct gvsn *doubts;
    size_t count;
    size_t capacity;
    struct file_id first;
};

int64_t verification_due_in_ms(const struct guid *connection, const struct guid *folder,
                               struct walltime now)
{
    const uint64_t interval = (uint64_t)VERIFY_INTERVAL_MS;
    uint64_t now_ms = now.ns > 0 ? (uint64_t)(now.ns / NS_PER_MS) : 0;
    uint64_t drawn[2];

    memcpy(&drawn[0], connection->bytes, sizeof(drawn[0]));
    memcpy(&drawn[1], folder->bytes, sizeof(drawn[1]));

    uint64_t moment = (drawn[0] ^ drawn[1]) % interval;

    return (int64_t)(interval - (now_ms + interval - moment) % interval);
}

struct verification *verification_begin(const struct vector *sender_vector)
{
    struct verification *v = MEM_NEW(struct verification);

    vector_copy(&v->theirs, sender_vector);
    return v;
}

void verification_free(struct verification *v)
{
    if (v == NULL)
        return;
    vector_fini(&v->theirs);
    free(v->doubts);
    free(v);
}

const struct file_id *verification_after(const struct verification *v)
{
    return ascent_after(&v->named);
}

uint64_t verification_compared(const struct verification *v)
{
    return v->compared;
}

size_t verification_found(const struct verification *v)
{
    return v->count;
}

const struct file_id *verification_first(const struct verification *v)
{
    return &v->first;
}

static void doubt(struct verification *v, const struct named_record *theirs)
{
    if (v->count == VERIFY_DOUBT_COUNT_MAX)
        return;
    if (v->count == v->capacity) {
        v->capacity = v->capacity == 0 ? 16 : 2 * v->capacity;
        v->doubts = mem_resize(v->doubts, v->capacity, sizeof(*v->doubts));
    }
    if (v->count == 0)
        v->first = theirs->id;
    v->doubts[v->count++] = theirs->gvsn;
}

/* We have processed theirs and hold none: right only if it was deleted since, and that forgotten. Then they
 * lack what we forgot, or would not hold it. */
static bool is_rightly_missing(const struct verification *v, const struct replica *replica,
                               const struct named_record *theirs)
{
    return !theirs->present || !vector_covers(&v->theirs, &replica->state.forgotten);
}

/* Both sides have processed both versions, and hold different ones. Which tombstone a dead file has is all
 * one. */
static bool contradicts(const struct verification *v, const struct replica *replica,
                        const struct named_record *theirs)
{
    const struct store *store = &replica->options.store;
    scope(record) struct record ours = {0};

    if (!vector_contains(&replica->state.vector, &theirs->gvsn))
        return false; /* it comes, or was given up */
    if (!store->ops->get(store->arg, &theirs->id, &ours))
        return !is_rightly_missing(v, replica, theirs);
    return !gvsn_equal(&ours.update.gvsn, &theirs->gvsn) &&
           (ours.update.present || theirs->present) && !replica_yields(replica, &ours) &&
           vector_contains(&v->theirs, &ours.update.gvsn);
}

const char *verification_part(struct verification *v, const struct replica *replica,
                              const struct named_record *records, size_t count,
                              const struct file_id *upto)
{
    if (upto != NULL && !ascent_is_above(&v->named, upto))
        return "a part of the records ends where it began";
    for (size_t i = 0; i < count; i++) {
        if (!ascent_is_above(&v->named, &records[i].id))
            return "the file ids of named records do not ascend";
        if (contradicts(v, replica, &records[i]))
            doubt(v, &records[i]);
        ascent_move(&v->named, &records[i].id);
        v->compared++;
    }
    if (upto != NULL && (count == 0 || !file_id_equal(&records[count - 1].id, upto)) &&
        !ascent_is_above(&v->named, upto))
        return "named records lie behind the end of their part";
    if (upto != NULL)
        ascent_move(&v->named, upto);
    return NULL;
}

enum status verification_end(const struct verification *v, struct replica *replica)
{
    struct replica_state state = {0};

    if (v->count == 0)
        return ST_OK;
    replica_state_copy(&state, &replica->state);
    for (size_t i = 0; i < v->count; i++)
        vector_remove(&state.vector, &v->doubts[i]);
    vector_meet(&state.forgotten, &state.vector);
    return replica_commit_state(replica, &state);
}
