/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/log.h"

#include "common/base/instant.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#define LOG_LINE_SIZE 2048
#define LOG_DEPTH_MAX 8

static const char *log_program = "coterie";
static enum log_level log_threshold = LOG_INFO;
static void (*capture_fn)(enum log_level, const char *, void *);
static void *capture_arg;

/* the journal's priorities: err, warning, info, debug */
static const char *const level_prefix[] = {"<3>", "<4>", "<6>", "<7>"};
static const char *const level_name[] = {"error", "warn", "info", "debug"};

void log_start(const char *program, enum log_level level)
{
    log_program = program;
    log_threshold = level;
}

enum log_level log_level_now(void)
{
    return log_threshold;
}

bool log_level_parse(const char *text, enum log_level *out_level)
{
    for (enum log_level i = LOG_ERROR; i <= LOG_DEBUG; i++) {
        if (strcmp(text, level_name[i]) == 0) {
            *out_level = i;
            return true;
        }
    }
    return false;
}

void log_ctx_init(struct log_ctx *ctx, const struct log_ctx *parent, const char *label_format, ...)
{
    va_list args;

    ctx->parent = parent;
    va_start(args, label_format);
    vsnprintf(ctx->label, sizeof(ctx->label), label_format, args);
    va_end(args);
}

void log_capture(void (*fn)(enum log_level, const char *, void *), void *arg)
{
    capture_fn = fn;
    capture_arg = arg;
}

/* Append, never beyond the line: a message that is too long is cut, not lost. */
static size_t put(char *line, size_t at, const char *text)
{
    size_t room = LOG_LINE_SIZE - 2 - at;
    size_t size = strlen(text);

    if (size > room)
        size = room;
    memcpy(line + at, text, size);
    return at + size;
}

void log_at(const struct log_ctx *ctx, enum log_level level, const char *format, ...)
{
    const struct log_ctx *chain[LOG_DEPTH_MAX];
    size_t depth = 0;
    char line[LOG_LINE_SIZE];
    char message[LOG_LINE_SIZE];
    size_t at = 0;
    va_list args;

    if (level > log_threshold)
        return;
    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    for (; ctx && depth < LOG_DEPTH_MAX; ctx = ctx->parent)
        chain[depth++] = ctx;

    if (!capture_fn)
        at = put(line, at, level_prefix[level]);
    at = put(line, at, walltime_format(walltime_now()).text);
    at = put(line, at, " ");
    at = put(line, at, log_program);
    at = put(line, at, " ");
    at = put(line, at, level_name[level]);
    at = put(line, at, ": ");
    while (depth-- > 0) {
        if (chain[depth]->label[0] != '\0') {
            at = put(line, at, chain[depth]->label);
            at = put(line, at, " ");
        }
    }
    at = put(line, at, message);
    /* a line is a line: nothing inside may start a new one */
    for (size_t i = 0; i < at; i++)
        if ((unsigned char)line[i] < 0x20)
            line[i] = '?';
    line[at] = '\0';
    if (capture_fn) {
        capture_fn(level, line, capture_arg);
        return;
    }
    line[at++] = '\n';
    (void)!write(STDERR_FILENO, line, at);
}

bool log_rate_ok(struct log_rate *rate, int64_t every_ms)
{
    int64_t now = instant_now().ns;

    if (rate->last_ns != 0 && now - rate->last_ns < every_ms * NS_PER_MS) {
        rate->swallowed++;
        return false;
    }
    rate->last_ns = now;
    rate->swallowed = 0;
    return true;
}
