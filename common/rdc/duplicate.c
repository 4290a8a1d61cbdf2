/* SPDX-License-Identifier: Apache-2.0 */
/* Open addressing, at most half full. Removal moves later entries of the run up, so that no marks
 * stay behind. */
#include "common/rdc/duplicate.h"

#include "common/base/mem.h"

#include <endian.h>
#include <stdlib.h>

#define ID_SIZE   16
#define SLOTS_MIN 64u

struct entry {
    uint8_t id[ID_SIZE];
    uint64_t file;
};

struct rdc_duplicates {
    struct entry *entries;
    bool *used;
    size_t slot_count; /* a power of two */
    size_t count;
};

struct rdc_duplicates *rdc_duplicates_new(void)
{
    struct rdc_duplicates *x = MEM_NEW(struct rdc_duplicates);

    x->slot_count = SLOTS_MIN;
    x->entries = mem_new(x->slot_count, sizeof(*x->entries));
    x->used = mem_new(x->slot_count, sizeof(*x->used));
    return x;
}

void rdc_duplicates_free(struct rdc_duplicates *x)
{
    if (!x)
        return;
    free(x->entries);
    free(x->used);
    free(x);
}

size_t rdc_duplicates_count(const struct rdc_duplicates *x)
{
    return x->count;
}

/* Where an entry would best stand: a SHA-256 is as good as random. */
static size_t home_of(const struct rdc_duplicates *x, const uint8_t *id)
{
    uint64_t word;

    memcpy(&word, id, sizeof(word));
    return (size_t)le64toh(word) & (x->slot_count - 1);
}

static size_t after(const struct rdc_duplicates *x, size_t slot)
{
    return (slot + 1) & (x->slot_count - 1);
}

static void insert(struct rdc_duplicates *x, const struct entry *entry)
{
    size_t slot = home_of(x, entry->id);

    while (x->used[slot])
        slot = after(x, slot);
    x->entries[slot] = *entry;
    x->used[slot] = true;
    x->count += 1;
}

static void grow(struct rdc_duplicates *x)
{
    struct rdc_duplicates old = *x;

    x->slot_count *= 2;
    x->entries = mem_new(x->slot_count, sizeof(*x->entries));
    x->used = mem_new(x->slot_count, sizeof(*x->used));
    x->count = 0;
    for (size_t slot = 0; slot < old.slot_count; slot++) {
        if (old.used[slot])
            insert(x, &old.entries[slot]);
    }
    free(old.entries);
    free(old.used);
}

void rdc_duplicates_put(struct rdc_duplicates *x, const struct rdc_hash *content, uint64_t file)
{
    struct entry entry = {.file = file};

    if (2 * (x->count + 1) > x->slot_count)
        grow(x);
    memcpy(entry.id, content->bytes, ID_SIZE);
    insert(x, &entry);
}

/* Close the gap at @slot: entries behind it that may stand there move up. */
static void close_gap(struct rdc_duplicates *x, size_t slot)
{
    x->used[slot] = false;
    for (size_t next = after(x, slot); x->used[next]; next = after(x, next)) {
        size_t home = home_of(x, x->entries[next].id);
        size_t mask = x->slot_count - 1;

        /* does the way from home to next lead over the gap? */
        if (((next - home) & mask) < ((next - slot) & mask))
            continue;
        x->entries[slot] = x->entries[next];
        x->used[slot] = true;
        x->used[next] = false;
        slot = next;
    }
}

void rdc_duplicates_remove(struct rdc_duplicates *x, const struct rdc_hash *content, uint64_t file)
{
    for (size_t slot = home_of(x, content->bytes); x->used[slot]; slot = after(x, slot)) {
        const struct entry *entry = &x->entries[slot];

        if (entry->file == file && memcmp(entry->id, content->bytes, ID_SIZE) == 0) {
            close_gap(x, slot);
            x->count -= 1;
            return;
        }
    }
}

bool rdc_duplicates_find(const struct rdc_duplicates *x, const struct rdc_hash *content,
                         uint64_t *out_file)
{
    for (size_t slot = home_of(x, content->bytes); x->used[slot]; slot = after(x, slot)) {
        if (memcmp(x->entries[slot].id, content->bytes, ID_SIZE) == 0) {
            *out_file = x->entries[slot].file;
            return true;
        }
    }
    return false;
}
