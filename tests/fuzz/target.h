/* SPDX-License-Identifier: Apache-2.0 */
/* tests/fuzz/target.h: what every fuzz target defines; the name is libFuzzer's. */
#ifndef TESTS_FUZZ_TARGET_H
#define TESTS_FUZZ_TARGET_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
