/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/assignment/keep.h"

#include "common/base/limits.h"
#include "common/base/scope.h"
#include "common/os/fileio.h"

#include <stdlib.h>

enum status assignment_load(const struct log_ctx *log, const char *path,
                            struct assignment **out_assignment)
{
    scope(buf) struct buf bytes = {0};
    scope_free char *problem = NULL;
    enum status st = file_read(log, path, ASSIGNMENT_SIZE_MAX, &bytes);

    if (st != ST_OK)
        return st;
    if (!assignment_decode(buf_span(&bytes), out_assignment, &problem)) {
        log_error(log, "kept assignment is damaged and ignored until the controller sends one "
                  "path=%s: %s", path, problem);
        return ST_GONE;
    }
    return ST_OK;
}

enum status assignment_keep(const struct log_ctx *log, const char *path, struct span bytes)
{
    return file_write(log, path, bytes, 0600);
}
