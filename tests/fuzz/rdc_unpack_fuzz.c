/* SPDX-License-Identifier: Apache-2.0 */
/* A receiver whose seed is an archive, fed with frames: size u32, bytes, one after the other. Done
 * means the archive that was expected. */
#include "common/base/cursor.h"
#include "common/base/scope.h"
#include "common/rdc/exchange.h"
#include "tests/fuzz/rdc_archive.h"
#include "tests/fuzz/target.h"
#include "tests/unit/rdc/archive.h"

#include <openssl/evp.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    scope(buf) struct buf old_archive = {0};
    scope(buf) struct buf new_archive = {0};
    scope(buf) struct buf built = {0};
    scope(buf) struct buf out = {0};
    struct archive_disk disk = ARCHIVE_DISK;

    fuzz_archive(0, &old_archive);
    fuzz_archive(1, &new_archive);
    struct span old_bytes = buf_span(&old_archive);
    struct rdc_seed seed = {.content = rdc_content_of(&old_bytes)};
    struct rdc_receive_options options = {
        .size = new_archive.size,
        .seeds = &seed,
        .seed_count = 1,
        .sink = archive_sink(&built),
        .scratches = archive_scratches(&disk),
    };
    if (EVP_Digest(new_archive.data, new_archive.size, options.hash.bytes, NULL, EVP_sha256(),
                   NULL) != 1)
        abort();
    struct rdc_receiver *receiver = rdc_receive_new(&options);
    struct reader input = reader_of(span_of(data, size));
    enum rdc_progress progress = RDC_MORE_OUTPUT;
    for (struct span frame = {0}; progress <= RDC_WAIT && reader_ok(&input);) {
        progress = rdc_receive_step(receiver, frame, &out);
        uint32_t next = progress == RDC_WAIT ? reader_u32(&input) : 0;
        frame = progress == RDC_WAIT ? reader_bytes(&input, next) : (struct span){0};
    }
    if (progress == RDC_DONE && !span_equal(buf_span(&built), buf_span(&new_archive)))
        abort();
    rdc_receive_free(receiver);
    if (disk.open_count != 0)
        abort();
    return 0;
}
