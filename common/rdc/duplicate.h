/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/rdc/duplicate.h: which file of a folder has exactly a given content.
 *
 * Asked before similarity: a file with the wanted SHA-256 is copied or cloned, and nothing travels.
 * Like similarity.h, one map serves one folder. 24 bytes a file and as much again of room.
 */
#ifndef COMMON_RDC_DUPLICATE_H
#define COMMON_RDC_DUPLICATE_H

#include "common/rdc/exchange.h"

struct rdc_duplicates;

struct rdc_duplicates *rdc_duplicates_new(void);
void rdc_duplicates_free(struct rdc_duplicates *x);

/* Several files may have one content. @file is the caller's name for it. */
void rdc_duplicates_put(struct rdc_duplicates *x, const struct rdc_hash *content, uint64_t file);

/* What was not put is ignored. */
void rdc_duplicates_remove(struct rdc_duplicates *x, const struct rdc_hash *content, uint64_t file);

size_t rdc_duplicates_count(const struct rdc_duplicates *x);

/* One of the files with that content, by the first 16 bytes of its SHA-256; false: none. The file
 * may have changed since: the receiver proves what it copies. */
bool rdc_duplicates_find(const struct rdc_duplicates *x, const struct rdc_hash *content,
                         uint64_t *out_file);

#endif
