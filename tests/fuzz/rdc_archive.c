/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/rdc_archive.h"

#include "common/base/cursor.h"
#include "tests/fuzz/rdc_content.h"

#include <stdlib.h>

#define STORED_SIZE 8000u

void fuzz_archive(unsigned version, struct buf *out)
{
    static const uint8_t head[10] = {0x1f, 0x8b, 8};
    struct fuzz_content content = fuzz_content(version);
    struct rdc_content text = fuzz_bytes(&content);

    buf_append(out, head, sizeof(head));
    for (uint64_t at = 0; at < text.size;) {
        uint64_t rest = text.size - at;
        uint16_t size = rest < STORED_SIZE ? (uint16_t)rest : STORED_SIZE;

        write_u8(out, size == rest);
        write_u16(out, size);
        write_u16(out, (uint16_t)~size);
        if (rdc_content_read(&text, at, buf_extend(out, size), size) != ST_OK)
            abort();
        at += size;
    }
    write_u32(out, version);
    write_u32(out, (uint32_t)text.size);
}
