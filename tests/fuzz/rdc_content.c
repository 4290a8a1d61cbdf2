/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/rdc_content.h"

struct fuzz_content fuzz_content(unsigned version)
{
    return (struct fuzz_content){.size = version ? FUZZ_NEW_SIZE : FUZZ_OLD_SIZE,
                                 .version = version};
}

/* Noise; version 1 has 100 bytes more at the front and a stretch changed. */
static enum status fuzz_read(void *arg, uint64_t offset, void *out, size_t size)
{
    const struct fuzz_content *content = arg;
    uint8_t *bytes = out;

    for (size_t i = 0; i < size; i++) {
        uint64_t x = offset + i - (content->version ? FUZZ_NEW_SIZE - FUZZ_OLD_SIZE : 0);

        if (content->version && offset + i > 20000 && offset + i < 20500)
            x += UINT64_C(1) << 40;
        x = (x + 1) * UINT64_C(0x9e3779b97f4a7c15);
        x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
        bytes[i] = (uint8_t)(x >> 32);
    }
    return ST_OK;
}

struct rdc_content fuzz_bytes(struct fuzz_content *content)
{
    return (struct rdc_content){.size = content->size, .read = fuzz_read, .arg = content};
}
