/* SPDX-License-Identifier: Apache-2.0 */
/* tests/fuzz/rdc_scratch.h: scratches in memory that do not fail. */
#ifndef TESTS_FUZZ_RDC_SCRATCH_H
#define TESTS_FUZZ_RDC_SCRATCH_H

#include "common/rdc/scratch.h"

struct rdc_scratches fuzz_scratches(void);

#endif
