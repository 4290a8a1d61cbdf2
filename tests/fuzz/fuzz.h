/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tests/fuzz/fuzz.h: what each target defines: take any bytes, crash on a broken promise.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
