/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/base/log.h: one line per event on stderr, ready for the journal.
 *
 * A log_ctx is created under a parent (program > group > folder > partner) and carries a label
 * "key=value" that every message below it shows. Messages are one lower-case clause without a
 * final stop; values as key=value; the cause last. Names from outside are escaped by the writer of
 * the message (buf_append_escaped) or by log_name().
 *
 * error  someone must act        warn   will retry, or degraded
 * info   a state an operator knows  debug  a developer's view
 *
 * Thread-safe: one write(2) per line. Contexts are immutable after log_ctx_init().
 */
#ifndef COMMON_BASE_LOG_H
#define COMMON_BASE_LOG_H

#include "common/base/span.h"
#include "common/base/status.h"

#define LOG_LABEL_SIZE 160

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

struct log_ctx {
    const struct log_ctx *parent; /* outlives this one; may be NULL */
    char label[LOG_LABEL_SIZE];   /* "folder=docs", may be empty */
};

/* Process-wide: what is printed, and the program's name in front. Call once, before threads. */
void log_start(const char *program, enum log_level level);
enum log_level log_level_now(void);
/* "error", "warn", "info", "debug"; false for anything else. */
bool log_level_parse(const char *text, enum log_level *out_level);

void log_ctx_init(struct log_ctx *ctx, const struct log_ctx *parent, const char *label_format, ...)
    PRINTF_LIKE(3, 4);

void log_at(const struct log_ctx *ctx, enum log_level level, const char *format, ...)
    PRINTF_LIKE(3, 4);

#define log_error(ctx, ...) log_at(ctx, LOG_ERROR, __VA_ARGS__)
#define log_warn(ctx, ...)  log_at(ctx, LOG_WARN, __VA_ARGS__)
#define log_info(ctx, ...)  log_at(ctx, LOG_INFO, __VA_ARGS__)
#define log_debug(ctx, ...) log_at(ctx, LOG_DEBUG, __VA_ARGS__)

/* Tests and tools can take the lines: called with each full line, without newline; NULL = stderr. */
void log_capture(void (*fn)(enum log_level level, const char *line, void *arg), void *arg);

/* Limits how often one place speaks: true at most once per @every_ms; counts what was swallowed. */
struct log_rate {
    int64_t last_ns;
    uint64_t swallowed;
};
bool log_rate_ok(struct log_rate *rate, int64_t every_ms);

#endif
