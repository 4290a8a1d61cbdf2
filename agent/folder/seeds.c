/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What helps to build content that comes: a file that has just this content, our own version of the
 * file, or, for a new one, files that look like it.
 *
 * Signatures stand on disk (agent/signatures) and outlive versions: an old one tells a sender what
 * its partner still has. Likeness stands in memory, 40 bytes for each signature, under the
 * content's key; whether a file has the content now, the database is asked when it matters. What
 * has just been noted waits until the database knows it: content is noted before it is installed.
 */
#include "agent/folder/parts.h"

#include "agent/transfer/fetch.h"
#include "common/base/limits.h"
#include "common/base/mem.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <uthash.h>

struct likeness {
    uint64_t content; /* key */
    struct rdc_traits traits;
};

/* What a partner said of an update that is not settled yet. */
struct heard {
    struct gvsn gvsn;
    struct rdc_traits traits;
    UT_hash_handle hh; /* in the order in which they were heard */
};

struct seeds {
    struct folder *folder;
    struct rdc_similarity *alike;
    struct likeness fresh[SEEDS_FRESH_COUNT_MAX]; /* not in alike yet, oldest first */
    size_t fresh_count;
    struct heard *heard;
    size_t heard_count;

    bool sweeping;
    struct rdc_similarity *swept; /* the worker's, while it sweeps */
    atomic_bool stop;
};

/* --- looking through the signatures --- */

static void found_one(const struct content_hash *content, const struct rdc_traits *traits,
                      void *arg)
{
    struct seeds *s = arg;

    rdc_similarity_put(s->swept, db_content_key(content), traits);
}

static void sweep(void *arg)
{
    struct seeds *s = arg;

    signatures_sweep(s->folder->signatures, &s->stop, found_one, s);
}

/* What was promoted in the meantime is on disk and was found, or was evicted. */
static void swept(void *arg)
{
    struct seeds *s = arg;

    rdc_similarity_free(s->alike);
    s->alike = s->swept;
    s->swept = NULL;
    s->sweeping = false;
}

static void begin_sweep(struct seeds *s)
{
    s->sweeping = true;
    s->swept = rdc_similarity_new();
    folder_work(s->folder, sweep, swept, s);
}

struct seeds *seeds_new(struct folder *f)
{
    struct seeds *s = MEM_NEW(struct seeds);

    s->folder = f;
    s->alike = rdc_similarity_new();
    begin_sweep(s);
    return s;
}

void seeds_stop(struct seeds *s)
{
    atomic_store(&s->stop, true);
}

static void drop_heard(struct seeds *s, struct heard *heard)
{
    HASH_DEL(s->heard, heard);
    s->heard_count--;
    free(heard);
}

void seeds_free(struct seeds *s)
{
    if (!s)
        return;
    assert(!s->sweeping);
    while (s->heard)
        drop_heard(s, s->heard);
    rdc_similarity_free(s->alike);
    free(s);
}

/* --- what is known --- */

static bool stands(struct folder *f, uint64_t content)
{
    struct record record = {0};
    bool found = db_reader_find_content(f->db_reader, content, 0, &record);

    record_fini(&record);
    return found;
}

/* Those whose content has arrived in the tree can be found from now on. While the signatures are
 * looked through all wait: the result replaces what is known. */
static void promote(struct seeds *s)
{
    size_t left = 0;

    if (s->sweeping)
        return;
    for (size_t i = 0; i < s->fresh_count; i++) {
        if (stands(s->folder, s->fresh[i].content))
            rdc_similarity_put(s->alike, s->fresh[i].content, &s->fresh[i].traits);
        else
            s->fresh[left++] = s->fresh[i];
    }
    s->fresh_count = left;
}

void seeds_note(struct folder *f, const struct content_hash *content,
                const struct rdc_traits *traits)
{
    static const struct rdc_traits none;
    struct seeds *s = f->seeds;

    if (!s || memcmp(traits, &none, sizeof(none)) == 0)
        return;
    if (s->fresh_count == SEEDS_FRESH_COUNT_MAX)
        promote(s);
    if (s->fresh_count == SEEDS_FRESH_COUNT_MAX) {
        /* half at a time: asking the database for all of them again at each would be dear */
        s->fresh_count /= 2;
        memmove(s->fresh, s->fresh + SEEDS_FRESH_COUNT_MAX - s->fresh_count,
                s->fresh_count * sizeof(*s->fresh));
    }
    s->fresh[s->fresh_count++] =
        (struct likeness){.content = db_content_key(content), .traits = *traits};
    if (!s->sweeping && signatures_are_many(f->signatures))
        begin_sweep(s);
}

void seeds_heard(struct folder *f, const struct gvsn *gvsn, const struct rdc_traits *traits)
{
    struct seeds *s = f->seeds;
    struct heard *heard;

    HASH_FIND(hh, s->heard, gvsn, sizeof(*gvsn), heard);
    if (heard)
        return;
    if (s->heard_count == SEEDS_HEARD_COUNT_MAX)
        drop_heard(s, s->heard);
    heard = MEM_NEW(struct heard);
    heard->gvsn = *gvsn;
    heard->traits = *traits;
    HASH_ADD(hh, s->heard, gvsn, sizeof(heard->gvsn), heard);
    s->heard_count++;
}

/* --- what may help --- */

static bool find_duplicate(struct folder *f, const struct content_hash *content, unsigned nth,
                           struct record *out_record, char **out_path)
{
    struct record record = {0};

    if (!db_reader_find_content(f->db_reader, db_content_key(content), nth, &record))
        return false;
    if (content_hash_equal(&record.update.hash, content) &&
        replica_path(f->replica, &record.update.id, out_path)) {
        *out_record = record;
        return true;
    }
    record_fini(&record);
    return false;
}

/* The signatures of all seeds are in memory while a transfer lasts. */
static bool has_room(const struct fetch_seeds *seeds, uint64_t size)
{
    uint64_t bytes = size;

    for (unsigned i = 0; i < seeds->count; i++)
        bytes += seeds->items[i].size;
    return seeds->count == 0 || bytes <= SEEDS_BYTES_MAX;
}

static bool add(struct folder *f, const struct record *record, struct fetch_seeds *out)
{
    char *path;

    if (!has_room(out, record->update.size) || !record->update.present || record->place != PLACE_TREE ||
        record->update.kind != FILE_REGULAR || record->update.size == 0 ||
        !replica_path(f->replica, &record->update.id, &path))
        return false;
    fetch_seeds_take(out, record, path);
    return true;
}

bool seeds_find_content(struct folder *f, const struct content_hash *content,
                        struct record *out_record, char **out_path)
{
    return find_duplicate(f, content, 0, out_record, out_path);
}

/* More than one: the first may have changed just now. */
static void add_duplicates(struct folder *f, const struct content_hash *content,
                           struct fetch_seeds *out)
{
    struct record record = {0};
    char *path;

    for (unsigned nth = 0; nth < SEEDS_DUPLICATE_MAX; nth++) {
        if (!find_duplicate(f, content, nth, &record, &path))
            return;
        fetch_seeds_take(out, &record, path);
        record_fini(&record);
        record = (struct record){0};
    }
}

static bool add_own(struct folder *f, const struct update *update, struct fetch_seeds *out)
{
    struct record own = {0};
    bool added = f->reader.ops->get(f->reader.arg, &update->id, &own) && add(f, &own, out);

    record_fini(&own);
    return added;
}

static bool is_among(const struct fetch_seeds *seeds, const struct content_hash *content)
{
    for (unsigned i = 0; i < seeds->count; i++)
        if (content_hash_equal(&seeds->items[i].hash, content))
            return true;
    return false;
}

/* One file that is like it; false: no file has that content any more. */
static bool add_one_alike(struct folder *f, uint64_t content, struct fetch_seeds *out)
{
    struct record record = {0};
    bool found = db_reader_find_content(f->db_reader, content, 0, &record);

    if (found && !is_among(out, &record.update.hash))
        add(f, &record, out);
    record_fini(&record);
    return found;
}

/* Contents that are gone are met once each: they make room for what stands behind them. */
static void add_alike(struct folder *f, const struct rdc_traits *traits, struct fetch_seeds *out)
{
    struct seeds *s = f->seeds;
    struct rdc_likeness alike[RDC_LIKENESSES_MAX];
    bool gone = true;

    promote(s);
    for (unsigned n = 0; gone && n < SEEDS_TRY_MAX; n++) {
        unsigned count = rdc_similarity_find(s->alike, traits, alike);

        gone = false;
        for (unsigned i = 0; i < count; i++) {
            if (add_one_alike(f, alike[i].file, out))
                continue;
            rdc_similarity_remove(s->alike, alike[i].file);
            gone = true;
        }
    }
}

void seeds_find(struct folder *f, const struct update *update, bool deltas, struct fetch_seeds *out)
{
    struct heard *heard;

    add_duplicates(f, &update->hash, out);
    if (!deltas || add_own(f, update, out) || out->count > 0)
        return;
    HASH_FIND(hh, f->seeds->heard, &update->gvsn, sizeof(update->gvsn), heard);
    if (heard)
        add_alike(f, &heard->traits, out);
}
