/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a raw stream: unpacked or not, packing gives them back. */
#include "common/base/buf.h"
#include "common/base/scope.h"
#include "common/rdc/inflated.h"
#include "tests/fuzz/target.h"
#include "tests/unit/rdc/archive.h"

#include <assert.h>

static enum status append(void *arg, struct span bytes)
{
    buf_append(arg, bytes.data, bytes.size);
    return ST_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span input = span_of(data, size);
    struct rdc_content content = rdc_content_of(&input);
    struct rdc_stream stream = {.size = size};
    struct archive_disk disk = ARCHIVE_DISK;
    struct rdc_scratches scratches = archive_scratches(&disk);
    struct rdc_inflated *form = NULL;
    scope(buf) struct buf out = {0};

    disk.room = UINT64_MAX;
    enum status st = rdc_inflated_new(&content, &stream, 1, &scratches, &form);

    assert(st == ST_OK);
    content = rdc_inflated_content(form);
    st = rdc_inflated_pack(&content, rdc_inflated_planes(form), append, &out);
    assert(st == ST_OK && span_equal(buf_span(&out), input));
    rdc_inflated_free(form);
    return 0;
}
