/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli/file.h: files of the command line as content to read and as results to write.
 *
 * Failures are told on stderr with the file's name where they are first seen.
 */
#ifndef CLI_FILE_H
#define CLI_FILE_H

#include "common/base/buf.h"
#include "common/rdc/exchange.h"

struct file {
    const char *path;
    int fd;
    uint64_t size;
};

/* Open a regular file to read. Returns an exit code, CLI_WELL when open. */
int file_open(struct file *f, const char *path);
void file_fini(struct file *f);

/* Read by its descriptor; @f outlives the content. */
struct rdc_content file_content(struct file *f);

NODISCARD enum status file_hash(struct file *f, struct rdc_hash *out_hash);

/* The whole of a file of at most @size_max bytes. Returns an exit code. */
int file_load(const char *path, uint64_t size_max, struct buf *out);

/* A result: written beside its place and moved there when whole. */
struct result {
    const char *path; /* NULL: a temporary file that is gone afterwards */
    char *part;       /* the name it has until then */
    int fd;
};

int result_open(struct result *r, const char *path);
NODISCARD enum status result_write(struct result *r, uint64_t offset, struct span bytes);
NODISCARD enum status result_restart(struct result *r);
/* Durably in its place. Returns an exit code. */
int result_commit(struct result *r);
/* Removes what was not committed. */
void result_fini(struct result *r);

/* @r as the sink of a receiver. */
struct rdc_sink result_sink(struct result *r);

/* Temporary files. */
struct rdc_scratches file_scratches(void);

#endif
