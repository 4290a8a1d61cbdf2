/* SPDX-License-Identifier: Apache-2.0 */
/* agent/signatures/store.h: private to agent/signatures: the files. */
#ifndef AGENT_SIGNATURES_STORE_H
#define AGENT_SIGNATURES_STORE_H

#include "agent/signatures/signatures.h"

#include <sys/stat.h>

#define SIGNATURE_NAME_SIZE (2 * CONTENT_HASH_SIZE)
#define SIGNATURE_HEAD_SIZE (8 + CONTENT_HASH_SIZE + 2 * RDC_TRAIT_COUNT + 8)

struct signatures {
    struct signatures_options options;
    int dir_fd;
    struct guid run; /* names what is being written now: anything else unfinished is a leftover */
    _Atomic uint64_t unfinished_last;
    _Atomic uint64_t bytes_used;
    _Atomic uint64_t count;
};

struct signature_name {
    char text[SIGNATURE_NAME_SIZE + 1];
};

struct signature_name signature_name_of(const struct content_hash *content);
/* False: not such a name. */
bool signature_name_parse(const char *text, struct content_hash *out_content);

/* Does the beginning of a file say that it is this content's? */
bool signature_head_read(int fd, const struct content_hash *content, struct rdc_traits *out_traits);

/* What a file takes of the quota. */
uint64_t signature_bytes(const struct stat *st);

#endif
