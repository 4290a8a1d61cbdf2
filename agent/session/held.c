/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/session/held.h"

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/base/scope.h"

#include <stdlib.h>

void held_clear(struct held *held)
{
    for (size_t i = 0; i < held->count; i++)
        free(held->updates[i].name);
    held->count = 0;
}

static struct held_update *find(struct held *held, const struct gvsn *gvsn)
{
    for (size_t i = 0; i < held->count; i++)
        if (gvsn_equal(&held->updates[i].gvsn, gvsn))
            return &held->updates[i];
    return NULL;
}

void held_offered(struct held *held, const struct update *update)
{
    struct held_update *found = find(held, &update->gvsn);

    if (!found || found->name)
        return;
    scope(buf) struct buf name = {0};
    buf_append_escaped(&name, update->name, update->name_size);
    found->name = mem_copy_string(buf_text(&name));
}

void held_settled(struct held *held, const struct gvsn *gvsn, bool done, struct instant now)
{
    struct held_update *found = find(held, gvsn);

    if (done && found) {
        free(found->name);
        *found = held->updates[--held->count];
    } else if (!done && !found && held->count < HELD_COUNT_MAX) {
        held->updates[held->count++] = (struct held_update){.gvsn = *gvsn, .since = now};
    }
}

const char *held_longest(const struct held *held, struct instant now, int64_t *out_ms)
{
    const struct held_update *longest = NULL;

    for (size_t i = 0; i < held->count; i++) {
        const struct held_update *one = &held->updates[i];

        if (one->name && (!longest || one->since.ns < longest->since.ns))
            longest = one;
    }
    if (!longest)
        return NULL;
    *out_ms = instant_ms_since(longest->since, now);
    return longest->name;
}
