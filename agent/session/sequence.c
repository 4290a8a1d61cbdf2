/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/session/sequence.h"

#include <stddef.h>

void sequence_begin(struct sequence *s, uint32_t first)
{
    *s = (struct sequence){.sent = first, .received = first};
}

uint32_t sequence_next(struct sequence *s)
{
    return ++s->sent;
}

const char *sequence_take(struct sequence *s, uint32_t number)
{
    return number == ++s->received ? NULL : "a message was lost, or is not the next one";
}
