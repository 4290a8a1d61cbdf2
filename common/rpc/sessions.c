/* SPDX-License-Identifier: Apache-2.0 */
#include "common/rpc/sessions.h"

#include "common/base/limits.h"
#include "common/base/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/queue.h>

#define BUCKET_COUNT 1024u

struct entry {
    LIST_ENTRY(entry) link;
    uint64_t hash;
    struct span certificate;
    struct session session;
    char *principal;
};

LIST_HEAD(bucket, entry);

struct sessions {
    struct bucket buckets[BUCKET_COUNT];
    size_t count;
    uint64_t last_id;
};

struct sessions *sessions_new(void)
{
    return MEM_NEW(struct sessions); /* an all-zero LIST_HEAD is empty */
}

static void entry_free(struct entry *entry)
{
    free((void *)(uintptr_t)entry->certificate.data);
    free(entry->principal);
    free(entry);
}

void sessions_free(struct sessions *sessions)
{
    if (!sessions)
        return;
    for (size_t i = 0; i < BUCKET_COUNT; i++) {
        for (struct entry *entry; (entry = LIST_FIRST(&sessions->buckets[i])) != NULL;) {
            LIST_REMOVE(entry, link);
            entry_free(entry);
        }
    }
    free(sessions);
}

/* FNV-1a. Only authenticated clients have entries, so nobody is there to craft collisions. */
static uint64_t hash_of(struct span bytes)
{
    uint64_t hash = UINT64_C(14695981039346656037);

    for (size_t i = 0; i < bytes.size; i++)
        hash = (hash ^ bytes.data[i]) * UINT64_C(1099511628211);
    return hash;
}

static struct entry *lookup(const struct sessions *sessions, struct span certificate, uint64_t hash)
{
    struct entry *entry = LIST_FIRST(&sessions->buckets[hash % BUCKET_COUNT]);

    while (entry && (entry->hash != hash || !span_equal(entry->certificate, certificate)))
        entry = LIST_NEXT(entry, link);
    return entry;
}

enum session_put sessions_put(struct sessions *sessions, struct span certificate,
                              const struct session *session)
{
    uint64_t hash = hash_of(certificate);
    struct entry *entry = lookup(sessions, certificate, hash);

    assert(certificate.size > 0);
    if (entry) {
        if (strcmp(entry->principal, session->principal) != 0)
            return SESSION_OTHER_PRINCIPAL;
        entry->session.expires = session->expires;
        entry->session.holder = session->holder;
        return SESSION_RENEWED;
    }
    if (sessions->count >= RPC_SESSIONS_MAX)
        return SESSION_TABLE_FULL;
    entry = MEM_NEW(struct entry);
    entry->hash = hash;
    entry->certificate = span_of(mem_copy(certificate.data, certificate.size), certificate.size);
    entry->principal = mem_copy_string(session->principal);
    entry->session = *session;
    entry->session.principal = entry->principal;
    entry->session.id = ++sessions->last_id;
    LIST_INSERT_HEAD(&sessions->buckets[hash % BUCKET_COUNT], entry, link);
    sessions->count++;
    return SESSION_NEW;
}

const struct session *sessions_find(const struct sessions *sessions, struct span certificate,
                                    struct instant now)
{
    const struct entry *entry = lookup(sessions, certificate, hash_of(certificate));

    return entry && entry->session.expires.ns > now.ns ? &entry->session : NULL;
}

uint64_t sessions_remove(struct sessions *sessions, struct span certificate, const void *holder)
{
    struct entry *entry = lookup(sessions, certificate, hash_of(certificate));

    if (!entry || entry->session.holder != holder)
        return 0;
    uint64_t id = entry->session.id;
    LIST_REMOVE(entry, link);
    entry_free(entry);
    sessions->count--;
    return id;
}

size_t sessions_count(const struct sessions *sessions)
{
    return sessions->count;
}
