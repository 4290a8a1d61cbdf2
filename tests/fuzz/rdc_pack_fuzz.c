/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a form: sizes of text and symbols u16 each, the planes, the rest is layout. */
#include "common/base/cursor.h"
#include "common/rdc/inflated.h"
#include "tests/fuzz/target.h"

#include <assert.h>

static enum status count(void *arg, struct span bytes)
{
    *(uint64_t *)arg += bytes.size;
    return ST_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reader input = reader_of(span_of(data, size));
    struct rdc_planes planes = {.text_size = reader_u16(&input)};
    uint64_t packed = 0;

    planes.symbol_size = reader_u16(&input);
    struct span form = input.rest;
    uint64_t told = planes.text_size + planes.symbol_size;
    planes.layout_size = form.size > told ? form.size - told : 0;
    struct rdc_content content = rdc_content_of(&form);
    enum status st = rdc_inflated_pack(&content, &planes, count, &packed);

    assert(st == ST_OK || st == ST_BADDATA);
    /* no symbol has more than 48 bits; a block's beginning at most 5 bytes for 2 */
    assert(packed <= planes.text_size + 6 * planes.symbol_size + 3 * planes.layout_size);
    return 0;
}
