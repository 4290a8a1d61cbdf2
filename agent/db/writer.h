/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent/db/writer.h: the writer's state, shared by db.c (open, close, upkeep) and port.c (store_ops).
 */
#ifndef AGENT_DB_WRITER_H
#define AGENT_DB_WRITER_H

#include "agent/db/connection.h"
#include "agent/db/db.h"

struct db {
    struct connection c;
    int lock_fd; /* one writer: SQLite's own locks would let two take turns */
    bool created;
    bool in_transaction;
    struct db_counters committed;
    struct db_counters counters; /* with the open transaction */
    int64_t intent_count;
    uint64_t log_page_count; /* not yet checkpointed */
};

/* Count the stored intents anew: after opening, and after a transaction that came to nothing. */
void writer_count_intents(struct db *db);

#endif
