/* SPDX-License-Identifier: Apache-2.0 */
#include "controller/fleet/refusals.h"

#include "common/base/mem.h"
#include "common/base/scope.h"

#include <stdlib.h>

static void clear(struct refusal *refusal)
{
    free(refusal->host);
    free(refusal->principal);
    free(refusal->text);
    *refusal = (struct refusal){0};
}

void refusals_fini(struct refusals *refusals)
{
    for (size_t i = 0; i < refusals->count; i++)
        clear(&refusals->items[i]);
    refusals->count = 0;
}

static void forget(struct refusals *refusals, size_t index)
{
    clear(&refusals->items[index]);
    refusals->items[index] = refusals->items[--refusals->count];
    refusals->items[refusals->count] = (struct refusal){0};
}

/* "ipv4:192.0.2.1:51234" is host "192.0.2.1"; what has another form stays whole. */
static char *host_of(const char *peer)
{
    const char *host =
        strncmp(peer, "ipv4:", 5) == 0 || strncmp(peer, "ipv6:", 5) == 0 ? peer + 5 : peer;
    const char *colon = strrchr(host, ':');
    size_t size = colon && host != peer ? (size_t)(colon - host) : strlen(host);
    char *copy = mem_new(size + 1, 1);

    memcpy(copy, host, size);
    return copy;
}

static size_t oldest(const struct refusals *refusals)
{
    size_t found = 0;

    for (size_t i = 1; i < refusals->count; i++)
        if (refusals->items[i].last.instant.ns < refusals->items[found].last.instant.ns)
            found = i;
    return found;
}

void refusals_add(struct refusals *refusals, const char *peer, const char *principal,
                  const char *text, struct moment now)
{
    scope_free char *host = host_of(peer);
    struct refusal *refusal = NULL;

    for (size_t i = 0; i < refusals->count && !refusal; i++)
        if (strcmp(refusals->items[i].host, host) == 0 &&
            strcmp(refusals->items[i].principal, principal) == 0)
            refusal = &refusals->items[i];
    if (!refusal) {
        if (refusals->count == REFUSAL_COUNT_MAX)
            forget(refusals, oldest(refusals));
        refusal = &refusals->items[refusals->count++];
        refusal->host = mem_copy_string(host);
        refusal->principal = mem_copy_string(principal);
        refusal->first = now;
    }
    free(refusal->text);
    refusal->text = mem_copy_string(text);
    refusal->last = now;
    refusal->count++;
}

void refusals_expire(struct refusals *refusals, struct instant now)
{
    for (size_t i = refusals->count; i-- > 0;)
        if (instant_ms_since(refusals->items[i].last.instant, now) > REFUSAL_KEPT_MS)
            forget(refusals, i);
}
