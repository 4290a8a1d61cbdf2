/* SPDX-License-Identifier: Apache-2.0 */
#include "common/rdc/sliver_find.h"

#include "common/base/mem.h"
#include "common/rdc/frame.h"
#include "common/rdc/index.h"

#include <assert.h>
#include <stdlib.h>

struct rdc_finder {
    const struct rdc_names *names;
    struct reader rest; /* of the gaps */
    struct rdc_secret secret;
    const struct rdc_kernel *kernel;
    uint32_t *starts;
    bool begun;

    /* the run under way */
    uint64_t *gap;
    uint32_t gap_count;
    struct rdc_index index;
    uint32_t expected; /* the sliver that would go on with what was looked at */
};

void rdc_names_fini(struct rdc_names *names)
{
    buf_fini(&names->gaps);
    *names = (struct rdc_names){0};
}

bool rdc_names_take(struct rdc_names *names, struct span body, uint64_t run_count, bool *out_last)
{
    struct reader r = reader_of(body);
    uint8_t last = reader_u8(&r);
    uint8_t reach = reader_u8(&r);
    uint8_t width = reader_u8(&r);
    struct span gaps = r.rest;

    if (!reader_ok(&r) || last > 1 || reach < RDC_SLIVER_REACH_MIN ||
        reach > RDC_SLIVER_REACH_MAX || width == 0 || width > RDC_SLIVER_WIDTH_MAX ||
        (names->reach != 0 && (names->reach != reach || names->width != width)) ||
        names->gaps.size + gaps.size > RDC_SLIVERS_BYTES_MAX)
        return false;
    while (reader_ok(&r) && r.rest.size > 0) {
        uint64_t count = reader_varint(&r);

        names->gap_count += 1;
        if (count > RDC_GAP_COUNT_MAX || names->gap_count > run_count)
            return false;
        names->count += count;
        (void)reader_bytes(&r, (size_t)(count * width + 7) / 8);
    }
    names->reach = reach;
    names->width = width;
    buf_append(&names->gaps, gaps.data, gaps.size);
    *out_last = last;
    return reader_ok(&r);
}

uint32_t rdc_find_count_max(const struct rdc_names *names)
{
    return RDC_SLIVER_COUNT(RDC_FIND_SIZE_MAX, names->reach);
}

struct rdc_finder *rdc_finder_new(const struct rdc_names *names, struct rdc_key key)
{
    struct rdc_finder *f = MEM_NEW(struct rdc_finder);

    f->names = names;
    f->rest = reader_of(buf_span(&names->gaps));
    f->kernel = rdc_kernel_best();
    f->starts = mem_new((size_t)rdc_find_count_max(names) + 1, sizeof(*f->starts));
    f->gap = mem_new(RDC_GAP_COUNT_MAX, sizeof(*f->gap));
    rdc_secret_init(&f->secret, key.seed);
    return f;
}

void rdc_finder_free(struct rdc_finder *f)
{
    if (!f)
        return;
    rdc_index_fini(&f->index);
    free(f->starts);
    free(f->gap);
    free(f);
}

void rdc_finder_next_run(struct rdc_finder *f)
{
    unsigned width = f->names->width;

    rdc_index_fini(&f->index);
    f->expected = 0;
    f->gap_count = f->rest.rest.size > 0 ? (uint32_t)reader_varint(&f->rest) : 0;
    reader_names(&f->rest, f->gap, f->gap_count, width);
    assert(reader_ok(&f->rest));
    if (f->gap_count > 0)
        rdc_index_init(&f->index, f->gap, f->gap_count, (UINT64_C(1) << width) - 1);
}

/* The sliver of @size bytes at @at is the gap's @index-th. */
static uint32_t add_find(struct rdc_sliver_find *finds, uint32_t count, uint32_t at, uint32_t size,
                         uint32_t index)
{
    struct rdc_sliver_find *last = count > 0 ? &finds[count - 1] : NULL;

    if (last && last->at + last->size == at && last->first + last->count == index) {
        last->size += size;
        last->count += 1;
        return count;
    }
    finds[count] = (struct rdc_sliver_find){.at = at, .size = size, .first = index, .count = 1};
    return count + 1;
}

uint32_t rdc_finder_look(struct rdc_finder *f, struct span bytes, struct rdc_sliver_find *out)
{
    uint32_t found = 0;

    assert(bytes.size <= RDC_FIND_SIZE_MAX);
    if (f->gap_count == 0)
        return 0;
    uint32_t count = rdc_sliver_cut(bytes, f->names->reach, f->starts);
    f->starts[count] = (uint32_t)bytes.size;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = f->starts[i];
        uint32_t size = f->starts[i + 1] - at;
        uint32_t index;

        if (rdc_index_find(&f->index, f->kernel->identity(bytes.data + at, size, &f->secret),
                           f->expected, &index)) {
            found = add_find(out, found, at, size, index);
            f->expected = index;
        }
        f->expected += 1;
    }
    return found;
}
