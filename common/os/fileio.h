/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/os/fileio.h: whole small files, for configuration and kept state.
 *
 * These block: call them at start, or on a worker.
 */
#ifndef COMMON_OS_FILEIO_H
#define COMMON_OS_FILEIO_H

#include "common/base/buf.h"
#include "common/base/log.h"

#include <sys/types.h>

/* Read all of a file of at most @size_max bytes. ST_GONE when there is none (not logged), ST_FULL
 * when it is larger, ST_REFUSED, ST_IO. */
NODISCARD enum status file_read(const struct log_ctx *log, const char *path, size_t size_max,
                                struct buf *out);

/* Replace a file as a whole: after a crash it is the old or the new one, never a mixture, and after
 * ST_OK the new one is durable. */
NODISCARD enum status file_write(const struct log_ctx *log, const char *path, struct span content,
                                 mode_t mode);

/* Make a directory and its missing ancestors, each with @mode. */
NODISCARD enum status file_make_dirs(const struct log_ctx *log, const char *path, mode_t mode);

#endif
