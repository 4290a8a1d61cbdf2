/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/property/rdc/material.h"

#include "common/base/scope.h"

#define PERIOD_MAX 600

static void append_stretch(struct buf *out, size_t size, struct random_source *random)
{
    uint64_t kind = random_below(random, 5);
    size_t period = 1 + (size_t)random_below(random, PERIOD_MAX);
    uint8_t *place = buf_extend(out, size);

    for (size_t i = 0; i < size; i++) {
        if (kind == 0) /* one byte, over and over */
            place[i] = (uint8_t)period;
        else if (kind == 1 && i >= period)
            place[i] = place[i - period];
        else if (kind == 2) /* few letters: hashes tie often */
            place[i] = (uint8_t)('a' + random_below(random, 2));
        else
            place[i] = (uint8_t)random_next(random);
    }
}

void material_append(struct buf *out, size_t size, struct random_source *random)
{
    while (size > 0) {
        size_t stretch = 1 + (size_t)random_below(random, 40000);

        stretch = stretch < size ? stretch : size;
        append_stretch(out, stretch, random);
        size -= stretch;
    }
}

void material_edit(struct buf *out, struct span old, struct random_source *random)
{
    uint64_t edits = 1 + random_below(random, 12);

    for (uint64_t i = 0; i < edits; i++) {
        size_t keep = (size_t)random_below(random, old.size / edits + 1);
        size_t change = (size_t)random_below(random, random_chance(random, 30) ? 20000 : 100);
        struct span kept = span_part(old, 0, keep);
        struct span rest = span_part(old, keep, old.size);

        buf_append(out, kept.data, kept.size);
        switch (random_below(random, 6)) {
        case 0: /* replaced */
            append_stretch(out, change, random);
            rest = span_part(rest, change, rest.size);
            break;
        case 1: /* inserted */
            append_stretch(out, change, random);
            break;
        case 2: /* removed */
            rest = span_part(rest, change, rest.size);
            break;
        case 3: /* doubled */
            kept = span_part(rest, 0, change);
            buf_append(out, kept.data, kept.size);
            break;
        case 4: { /* something new, again and again */
            size_t begin = out->size;

            append_stretch(out, change, random);
            for (uint64_t times = random_below(random, 4) + 1; times > 0; times--) {
                scope(buf) struct buf again = {0};

                buf_append(&again, out->data + begin, out->size - begin);
                buf_append(out, again.data, again.size);
            }
            break;
        }
        default: /* swapped with what follows */
            kept = span_part(rest, change, change);
            buf_append(out, kept.data, kept.size);
            kept = span_part(rest, 0, change);
            buf_append(out, kept.data, kept.size);
            rest = span_part(rest, 2 * change, rest.size);
            break;
        }
        old = rest;
    }
    buf_append(out, old.data, old.size);
}
