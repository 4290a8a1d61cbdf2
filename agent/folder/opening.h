/* SPDX-License-Identifier: Apache-2.0 */
/* agent/folder/opening.h: private to agent/folder: opening a folder's parts on a worker. */
#ifndef AGENT_FOLDER_OPENING_H
#define AGENT_FOLDER_OPENING_H

#include "agent/folder/parts.h"

/* Everything a worker opens, as values; what could be opened stays set when the rest failed. */
struct parts {
    struct root *root;
    struct db *db;
    struct db_reader *db_reader;
    struct replica *replica;
    struct stage *stage;
    struct preserve *preserve;
    struct install *install;
    struct signatures *signatures;
};

/*
 * Open root, database, replica and areas, and repair what a crash left behind. On failure everything
 * is closed again and @problem holds cause and remedy. Blocks.
 */
enum status parts_open(struct folder *f, struct parts *out, struct buf *problem);
void parts_close(struct parts *parts);

#endif
