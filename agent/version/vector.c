/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Version vectors as sorted arrays: entries by database, intervals by number. A member's vector has
 * one entry for each database that ever changed the folder, and nearly always one interval in each,
 * so that arrays beat any tree.
 *
 * Bytes: varint entry count; for each entry the database's 16 bytes, varint interval count, then
 * for each interval two varints: the gap since the previous high (from 0; at least 1 after the
 * first) and the count of numbers in it (at least 1).
 */
#include "agent/version/vector.h"

#include "common/base/limits.h"
#include "common/base/mem.h"

#include <assert.h>
#include <stdlib.h>

static void entry_fini(struct vector_entry *e)
{
    free(e->intervals);
    *e = (struct vector_entry){0};
}

void vector_fini(struct vector *v)
{
    for (size_t i = 0; i < v->entry_count; i++)
        entry_fini(&v->entries[i]);
    free(v->entries);
    *v = (struct vector){0};
}

void vector_copy(struct vector *to, const struct vector *from)
{
    if (to == from)
        return;
    vector_fini(to);
    if (from->entry_count == 0)
        return;
    to->entries = mem_new(from->entry_count, sizeof(*to->entries));
    to->entry_count = from->entry_count;
    to->entry_capacity = from->entry_count;
    for (size_t i = 0; i < from->entry_count; i++) {
        const struct vector_entry *e = &from->entries[i];

        to->entries[i] = (struct vector_entry){
            .database = e->database,
            .intervals = mem_copy(e->intervals, e->interval_count * sizeof(*e->intervals)),
            .interval_count = e->interval_count,
            .interval_capacity = e->interval_count,
        };
    }
}

/* Index of the first entry not below @database. */
static size_t entry_position(const struct vector *v, const struct guid *database)
{
    size_t low = 0;
    size_t high = v->entry_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (guid_compare(&v->entries[middle].database, database) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static const struct vector_entry *entry_find(const struct vector *v, const struct guid *database)
{
    size_t at = entry_position(v, database);

    if (at == v->entry_count || !guid_equal(&v->entries[at].database, database))
        return NULL;
    return &v->entries[at];
}

static struct vector_entry *entry_make(struct vector *v, const struct guid *database)
{
    size_t at = entry_position(v, database);

    if (at < v->entry_count && guid_equal(&v->entries[at].database, database))
        return &v->entries[at];
    if (v->entry_count == v->entry_capacity) {
        v->entry_capacity = v->entry_capacity == 0 ? 4 : v->entry_capacity * 2;
        v->entries = mem_resize(v->entries, v->entry_capacity, sizeof(*v->entries));
    }
    memmove(&v->entries[at + 1], &v->entries[at], (v->entry_count - at) * sizeof(*v->entries));
    v->entry_count++;
    v->entries[at] = (struct vector_entry){.database = *database};
    return &v->entries[at];
}

/* Index of the first interval whose high is not below @number. */
static size_t interval_position(const struct vector_entry *e, uint64_t number)
{
    size_t low = 0;
    size_t high = e->interval_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (e->intervals[middle].high < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Replace the intervals [first, end) by one. */
static void interval_replace(struct vector_entry *e, size_t first, size_t end, struct interval with)
{
    if (first == end && e->interval_count == e->interval_capacity) {
        e->interval_capacity = e->interval_capacity == 0 ? 1 : e->interval_capacity * 2;
        e->intervals = mem_resize(e->intervals, e->interval_capacity, sizeof(*e->intervals));
    }
    memmove(&e->intervals[first + 1], &e->intervals[end],
            (e->interval_count - end) * sizeof(*e->intervals));
    e->intervals[first] = with;
    e->interval_count = e->interval_count - (end - first) + 1;
}

static void entry_add(struct vector_entry *e, struct interval numbers)
{
    /* An interval that ends where the new one begins touches it: both become one. */
    size_t first = interval_position(e, numbers.low);
    size_t end = first;

    while (end < e->interval_count && e->intervals[end].low <= numbers.high) {
        if (e->intervals[end].low < numbers.low)
            numbers.low = e->intervals[end].low;
        if (e->intervals[end].high > numbers.high)
            numbers.high = e->intervals[end].high;
        end++;
    }
    interval_replace(e, first, end, numbers);
}

void vector_add_interval(struct vector *v, const struct guid *database, struct interval numbers)
{
    assert(numbers.low < numbers.high);
    entry_add(entry_make(v, database), numbers);
}

bool vector_add(struct vector *v, const struct gvsn *version)
{
    assert(version->number > 0);
    if (vector_contains(v, version))
        return false;
    vector_add_interval(v, &version->database,
                        (struct interval){version->number - 1, version->number});
    return true;
}

void vector_remove(struct vector *v, const struct gvsn *version)
{
    struct vector one = {0};
    struct vector rest = {0};

    if (!vector_contains(v, version))
        return;
    vector_add(&one, version);
    vector_difference(v, &one, &rest);
    vector_fini(&one);
    vector_fini(v);
    *v = rest;
}

void vector_join(struct vector *v, const struct vector *other)
{
    if (v == other)
        return;
    for (size_t i = 0; i < other->entry_count; i++) {
        struct vector_entry *e = entry_make(v, &other->entries[i].database);

        for (size_t j = 0; j < other->entries[i].interval_count; j++)
            entry_add(e, other->entries[i].intervals[j]);
    }
}

void vector_forget(struct vector *v, const struct guid *database)
{
    size_t at = entry_position(v, database);

    if (at == v->entry_count || !guid_equal(&v->entries[at].database, database))
        return;
    entry_fini(&v->entries[at]);
    v->entry_count--;
    memmove(&v->entries[at], &v->entries[at + 1], (v->entry_count - at) * sizeof(*v->entries));
}

bool vector_contains(const struct vector *v, const struct gvsn *version)
{
    const struct vector_entry *e = entry_find(v, &version->database);

    if (e == NULL)
        return false;

    size_t at = interval_position(e, version->number);

    return at < e->interval_count && e->intervals[at].low < version->number;
}

static bool entry_covers(const struct vector_entry *e, struct interval numbers)
{
    size_t at = interval_position(e, numbers.high);

    return at < e->interval_count && e->intervals[at].low <= numbers.low;
}

bool vector_covers(const struct vector *v, const struct vector *other)
{
    for (size_t i = 0; i < other->entry_count; i++) {
        const struct vector_entry *theirs = &other->entries[i];
        const struct vector_entry *ours = entry_find(v, &theirs->database);

        if (ours == NULL)
            return false;
        for (size_t j = 0; j < theirs->interval_count; j++) {
            if (!entry_covers(ours, theirs->intervals[j]))
                return false;
        }
    }
    return true;
}

bool vector_equal(const struct vector *a, const struct vector *b)
{
    if (a->entry_count != b->entry_count)
        return false;
    for (size_t i = 0; i < a->entry_count; i++) {
        const struct vector_entry *x = &a->entries[i];
        const struct vector_entry *y = &b->entries[i];

        if (!guid_equal(&x->database, &y->database) || x->interval_count != y->interval_count)
            return false;
        for (size_t j = 0; j < x->interval_count; j++) {
            if (x->intervals[j].low != y->intervals[j].low ||
                x->intervals[j].high != y->intervals[j].high)
                return false;
        }
    }
    return true;
}

bool vector_is_empty(const struct vector *v)
{
    return v->entry_count == 0;
}

uint64_t vector_number_count(const struct vector *v)
{
    uint64_t count = 0;

    for (size_t i = 0; i < v->entry_count; i++) {
        for (size_t j = 0; j < v->entries[i].interval_count; j++)
            count += v->entries[i].intervals[j].high - v->entries[i].intervals[j].low;
    }
    return count;
}

/* What remains of @numbers outside @e, which may be NULL. */
static void add_uncovered(struct vector *out, const struct guid *database, struct interval numbers,
                          const struct vector_entry *e)
{
    size_t at = e == NULL ? 0 : interval_position(e, numbers.low);

    for (; e != NULL && at < e->interval_count && e->intervals[at].low < numbers.high; at++) {
        if (e->intervals[at].low > numbers.low)
            vector_add_interval(out, database,
                                (struct interval){numbers.low, e->intervals[at].low});
        if (e->intervals[at].high >= numbers.high)
            return;
        if (e->intervals[at].high > numbers.low)
            numbers.low = e->intervals[at].high;
    }
    vector_add_interval(out, database, numbers);
}

void vector_difference(const struct vector *a, const struct vector *b,
                       struct vector *out_difference)
{
    struct vector out = {0};

    for (size_t i = 0; i < a->entry_count; i++) {
        const struct vector_entry *e = &a->entries[i];
        const struct vector_entry *other = entry_find(b, &e->database);

        for (size_t j = 0; j < e->interval_count; j++)
            add_uncovered(&out, &e->database, e->intervals[j], other);
    }
    vector_fini(out_difference);
    *out_difference = out;
}

void vector_meet(struct vector *v, const struct vector *other)
{
    struct vector lacking = {0};

    vector_difference(v, other, &lacking);
    vector_difference(v, &lacking, v);
    vector_fini(&lacking);
}

static size_t interval_total(const struct vector *v)
{
    size_t total = 0;

    for (size_t i = 0; i < v->entry_count; i++)
        total += v->entries[i].interval_count;
    return total;
}

static int compare_gaps(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* The @rank-th smallest gap of all. */
static uint64_t gap_of_rank(const struct vector *v, size_t total, size_t rank)
{
    uint64_t *gaps = mem_new(total, sizeof(*gaps));
    uint64_t gap;
    size_t count = 0;

    for (size_t i = 0; i < v->entry_count; i++) {
        const struct vector_entry *e = &v->entries[i];

        for (size_t k = 1; k < e->interval_count; k++)
            gaps[count++] = e->intervals[k].low - e->intervals[k - 1].high;
    }
    qsort(gaps, count, sizeof(*gaps), compare_gaps);
    gap = gaps[rank < count ? rank : count - 1];
    free(gaps);
    return gap;
}

void vector_coalesce(struct vector *v, size_t count_max)
{
    size_t total = interval_total(v);

    if (total <= count_max || total == v->entry_count)
        return;

    uint64_t gap_max = gap_of_rank(v, total, total - count_max - 1);

    for (size_t i = 0; i < v->entry_count; i++) {
        struct vector_entry *e = &v->entries[i];
        size_t kept = 0;

        for (size_t k = 1; k < e->interval_count; k++) {
            if (e->intervals[k].low - e->intervals[kept].high <= gap_max)
                e->intervals[kept].high = e->intervals[k].high;
            else
                e->intervals[++kept] = e->intervals[k];
        }
        e->interval_count = kept + 1;
    }
}

void vector_encode(const struct vector *v, struct buf *out)
{
    write_varint(out, v->entry_count);
    for (size_t i = 0; i < v->entry_count; i++) {
        const struct vector_entry *e = &v->entries[i];
        uint64_t previous = 0;

        buf_append(out, e->database.bytes, GUID_SIZE);
        write_varint(out, e->interval_count);
        for (size_t j = 0; j < e->interval_count; j++) {
            write_varint(out, e->intervals[j].low - previous);
            write_varint(out, e->intervals[j].high - e->intervals[j].low);
            previous = e->intervals[j].high;
        }
    }
}

/* Read one entry's intervals; false when a rule is broken. */
static bool decode_intervals(struct reader *r, struct vector_entry *e, uint64_t count)
{
    uint64_t previous = 0;

    for (uint64_t i = 0; i < count && reader_ok(r); i++) {
        uint64_t gap = reader_varint(r);
        uint64_t length = reader_varint(r);

        if (!reader_ok(r) || length == 0 || (gap == 0 && i > 0) || gap > UINT64_MAX - previous ||
            length > UINT64_MAX - previous - gap)
            return false;
        previous += gap;
        interval_replace(e, e->interval_count, e->interval_count,
                         (struct interval){previous, previous + length});
        previous += length;
    }
    return reader_ok(r) && count > 0;
}

static bool decode_entries(struct reader *r, struct vector *v)
{
    uint64_t entry_count = reader_varint(r);
    uint64_t interval_total = 0;

    if (entry_count > VECTOR_DATABASE_COUNT_MAX)
        return false;
    for (uint64_t i = 0; i < entry_count; i++) {
        struct guid database = {0};

        reader_copy(r, database.bytes, GUID_SIZE);

        uint64_t interval_count = reader_varint(r);

        if (!reader_ok(r) || interval_count > VECTOR_INTERVAL_COUNT_MAX - interval_total)
            return false;
        if (v->entry_count > 0 &&
            guid_compare(&v->entries[v->entry_count - 1].database, &database) >= 0)
            return false;
        interval_total += interval_count;
        if (!decode_intervals(r, entry_make(v, &database), interval_count))
            return false;
    }
    return reader_ok(r);
}

void vector_decode(struct reader *r, struct vector *out_vector)
{
    struct vector v = {0};

    if (!decode_entries(r, &v)) {
        vector_fini(&v);
        r->failed = true;
    }
    vector_fini(out_vector);
    *out_vector = v;
}
