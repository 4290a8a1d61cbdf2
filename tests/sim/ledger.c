/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/ledger.h"

#include "common/base/mem.h"

#include <assert.h>
#include <stdlib.h>

void ledger_fini(struct ledger *ledger)
{
    free(ledger->entries);
    *ledger = (struct ledger){0};
}

uint64_t ledger_new_content(struct ledger *ledger)
{
    uint64_t content = ++ledger->count;

    if (content >= ledger->capacity) {
        ledger->capacity = ledger->capacity ? ledger->capacity * 2 : 64;
        ledger->entries = mem_resize(ledger->entries, ledger->capacity, sizeof(*ledger->entries));
    }
    ledger->entries[content] = (struct ledger_entry){0};
    return content;
}

void ledger_destroyed(struct ledger *ledger, uint64_t content)
{
    assert(content <= ledger->count);
    if (content != 0)
        ledger->entries[content].destroyed = true;
}

void ledger_preserved(struct ledger *ledger, uint64_t content)
{
    assert(content <= ledger->count);
    if (content != 0)
        ledger->entries[content].preserved = true;
}

uint64_t content_size(uint64_t content)
{
    /* one in eight is a large one, which never travels inside its update; sizes prove nothing */
    return (content % 8 == 7 ? FETCH_LARGE_SIZE_MIN : 1) + content % 3;
}

struct content_hash content_hash(uint64_t content)
{
    struct content_hash hash = {{0}};

    memcpy(hash.bytes, &content, sizeof(content));
    if (content != 0)
        hash.bytes[CONTENT_HASH_SIZE - 1] = 0x5a;
    return hash;
}
