/* SPDX-License-Identifier: Apache-2.0 */
/*
 * common/base/status.h: the only failure type.
 *
 * The values say what a caller can do, not what went wrong. The cause is logged once, where it is
 * first seen, with errno and the object's name; callers above log only consequences of their own.
 * Expected outcomes (found / not found) are values, never statuses.
 */
#ifndef COMMON_BASE_STATUS_H
#define COMMON_BASE_STATUS_H

#define NODISCARD __attribute__((warn_unused_result))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))

enum status {
    ST_OK,
    ST_AGAIN,   /* not now: retry later */
    ST_GONE,    /* the partner, file or object vanished */
    ST_REFUSED, /* authentication or permission */
    ST_BADDATA, /* a peer, the directory or the disk broke a rule */
    ST_FULL,    /* a limit or the disk is exhausted */
    ST_IO,      /* local failure */
    ST_STOP,    /* shutting down */
};

/* The value's name in lower case ("ok", "again", …); never NULL. */
const char *status_name(enum status st);

/* The status that an errno value of a file or socket call stands for. */
enum status status_from_errno(int err);

#endif
