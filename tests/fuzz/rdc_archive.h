/* SPDX-License-Identifier: Apache-2.0 */
/* tests/fuzz/rdc_archive.h: two versions of a gzip file, without a compressor. */
#ifndef TESTS_FUZZ_RDC_ARCHIVE_H
#define TESTS_FUZZ_RDC_ARCHIVE_H

#include "common/base/buf.h"

/* fuzz_content(@version) in stored blocks. */
void fuzz_archive(unsigned version, struct buf *out);

#endif
