/* SPDX-License-Identifier: Apache-2.0 */
/* agent/transfer/file_content.h: a recorded file on disk as content for the RDC engine. */
#ifndef AGENT_TRANSFER_FILE_CONTENT_H
#define AGENT_TRANSFER_FILE_CONTENT_H

#include "agent/replica/store.h"
#include "agent/root/root.h"
#include "agent/signatures/signatures.h"
#include "common/rdc/content.h"
#include "common/rdc/signature.h"

struct file_content {
    int fd; /* -1: not open */
    uint64_t size;
};

/* False when something else than the record claims stands there. Blocks. */
bool file_content_open(struct file_content *content, const struct root *root, const char *path,
                       const struct object *object, const struct witness *witness, uint64_t size);
void file_content_close(struct file_content *content);
/* Borrows @content. */
struct rdc_content file_content_rdc(struct file_content *content);

/*
 * The signature of an open file whose content has this hash: what is kept, else made now, and kept
 * if the file still shows @witness after that (NULL: nobody else can write to it).
 *
 * NULL when it can not be read, or contents of its size are not signed. Blocks.
 */
struct rdc_signature *file_content_signature(struct file_content *content,
                                             struct signatures *signatures,
                                             const struct content_hash *hash,
                                             const struct witness *witness);

/* The key of all exchanges in a replication group. */
struct rdc_key fetch_key(const struct guid *group);

#endif
